"""Limits of an account in a market, and the price band.

Invariant: an order that is accepted was within every limit of its account, its own part included.
"""

from typing import Final

from bus.commands import MarketModel
from bus.errors import Code

from .accounts import Account
from .book import Market
from .state import Refusal

_SPOT: Final = int(MarketModel.SPOT)
_ODDS: Final = int(MarketModel.ODDS)
_PPM = 1_000_000

Row = tuple[str, int, int, int, int]
"""The limits of one market in a snapshot."""


class AccountLimits:
    """An account's limits in one market; 0 is no limit."""

    __slots__ = ("open_orders_max", "order_atoms_max", "order_lots_max", "position_max")

    def __init__(
        self, order_lots_max: int, order_atoms_max: int, open_orders_max: int, position_max: int
    ) -> None:
        self.order_lots_max = order_lots_max
        self.order_atoms_max = order_atoms_max
        self.open_orders_max = open_orders_max
        self.position_max = position_max


def limits_of(account: Account, market: Market) -> AccountLimits | None:
    """Return the limits that hold for an account in a market: the market's own, or those of all; O(1)."""
    if account.limits is None:
        return None
    name = market.outcome.name if market.outcome is not None else market.name
    own = account.limits.get(name)
    return own if own is not None else account.limits.get("")


def check_count(account: Account, market: Market, limits: AccountLimits) -> None:
    """Refuse an order that may rest or wait where the account has as many as it may; O(books)."""
    if not limits.open_orders_max:
        return
    count = _open_orders(account, market)
    if count >= limits.open_orders_max:
        raise Refusal(
            Code.TOO_MANY_OPEN_ORDERS,
            f"expected fewer than {limits.open_orders_max} open orders of {account.name} in {market.name},"
            f" was {count}",
        )


def check_size(
    limits: AccountLimits, market: Market, side: int, price_ticks: int, lots: int, budget: int
) -> None:
    """Refuse an order of more lots or atoms than the account may place; price 0: a market order."""
    if limits.order_lots_max and lots > limits.order_lots_max:
        raise Refusal(
            Code.ORDER_TOO_LARGE, f"expected at most {limits.order_lots_max} lots an order, was {lots}"
        )
    atoms = budget
    if price_ticks:
        if market.model == _SPOT:
            atoms = price_ticks * lots * market.unit_atoms
        else:
            atoms = market.loss_atoms(side, price_ticks, lots)
    if limits.order_atoms_max and atoms > limits.order_atoms_max:
        raise Refusal(
            Code.ORDER_TOO_LARGE, f"expected at most {limits.order_atoms_max} atoms an order, was {atoms}"
        )


def check_band(market: Market, price_ticks: int) -> None:
    """Refuse a limit price too far from the last trade's."""
    last = market.last_price_ticks
    if market.band_ppm and last and abs(price_ticks - last) * _PPM > last * market.band_ppm:
        raise Refusal(
            Code.PRICE_OUTSIDE_BAND,
            f"expected a price within {market.band_ppm} ppm of {last} ticks, was {price_ticks}",
        )


def check_position(account: Account, market: Market, side: int, lots: int) -> None:
    """Refuse an order (spot, binary) that with the open ones of its side could exceed the position limit.

    ``lots``: what the order adds (of a replaced one, what it has left anew less what it had).
    """
    limits = limits_of(account, market)
    if limits is None or not limits.position_max or market.model == _ODDS:
        return
    net_lots = account.net_lots.get(market.name, 0)
    lots += net_lots if side == 1 else -net_lots
    chain = account.chains.get(market.name)
    if chain is not None:
        lots += chain.buy_lots if side == 1 else chain.sell_lots
    if lots > limits.position_max:
        raise Refusal(
            Code.POSITION_LIMIT, f"expected a position of at most {limits.position_max} lots, was {lots}"
        )


def check_exposure(account: Account, market: Market) -> None:
    """Refuse (odds) when the account now holds more in the outcome market than it may: after the hold."""
    limits = limits_of(account, market)
    if limits is None or not limits.position_max or market.model != _ODDS:
        return
    assert market.outcome is not None
    position = account.positions.get(market.outcome.name)
    held = position.held_atoms if position is not None else 0
    if held > limits.position_max:
        raise Refusal(
            Code.POSITION_LIMIT, f"expected at most {limits.position_max} atoms of exposure, was {held}"
        )


def check_added(account: Account, market: Market, side: int, lots: int) -> None:
    """Refuse an order, whose funds are taken already, that could exceed the account's position limit."""
    if market.model == _ODDS:
        check_exposure(account, market)
    else:
        check_position(account, market, side, lots)


def budget_lots(market: Market, budget_atoms: int) -> int:
    """Return the lots that an order by budget counts as: what the best ask, or last trade, prices it at."""
    best = market.asks.best
    price = best.price_ticks if best is not None else market.last_price_ticks
    return budget_atoms // (price * market.unit_atoms) if price else 0


def limits_rows(account: Account) -> tuple[Row, ...]:
    """Return an account's limits as rows of a snapshot."""
    if account.limits is None:
        return ()
    return tuple(
        (name, own.order_lots_max, own.order_atoms_max, own.open_orders_max, own.position_max)
        for name, own in account.limits.items()
    )


def restore_limits(account: Account, rows: tuple[Row, ...]) -> None:
    """Give an account the limits of a snapshot."""
    account.limits = {row[0]: AccountLimits(row[1], row[2], row[3], row[4]) for row in rows} or None


def _open_orders(account: Account, market: Market) -> int:
    """Return an account's open orders, resting and waiting, in a market with all its books."""
    if market.outcome is None:
        own = account.chains.get(market.name)
        return own.count if own is not None else 0
    count = 0
    for book in market.outcome.books:
        chain = account.chains.get(book.name)
        if chain is not None:
            count += chain.count
    return count
