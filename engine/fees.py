"""Fees of a spot trade where a market has tiers: by the tier of each side, and rebates for makers.

Invariant: what the two sides pay together is never below zero: a rebate is at most the taker's fee.
"""

from .accounts import Account
from .book import Market

_PPM = 1_000_000


def rates(market: Market, account: Account) -> tuple[int, int]:
    """Return an account's maker and taker fee in a market (ppm): its tier's, or the market's own; O(1)."""
    tier = market.tiers.get(account.fee_tier)
    return tier if tier is not None else (market.maker_fee_ppm, market.taker_fee_ppm)


def of_trade(
    market: Market, maker: Account, taker: Account, maker_gets_atoms: int, taker_gets_atoms: int
) -> tuple[int, int]:
    """Return the fees of maker and taker of a trade, each in the asset that it receives.

    A negative maker fee is a rebate, in the asset that the taker receives, and comes out of the taker's fee.
    """
    maker_ppm, taker_ppm = rates(market, maker)[0], rates(market, taker)[1]
    taker_fee = taker_gets_atoms * taker_ppm // _PPM
    if maker_ppm >= 0:
        return maker_gets_atoms * maker_ppm // _PPM, taker_fee
    return -min(taker_gets_atoms * -maker_ppm // _PPM, taker_fee), taker_fee


def of_auction(market: Market, account: Account, gets_atoms: int) -> int:
    """Return what a side of an uncross pays: the maker fee; there is no taker to pay a rebate."""
    return gets_atoms * max(rates(market, account)[0], 0) // _PPM
