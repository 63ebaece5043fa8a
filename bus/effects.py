"""What an event does to balances: the one place that derives balance changes from events.

Invariant: applied from the first event on, these changes give exactly the engine's own balances
(checked by a property test); so a consumer needs no second source for money. What one event changes sums
up to nothing in each asset, but for deposits, withdrawals and the settlement of an outcome market, whose
positions do so together.
"""

from typing import NamedTuple

from .commands import FEES, MarketModel, Side
from .events import (
    AuctionTraded,
    Deposited,
    Event,
    ExposureChanged,
    MarketCreated,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderReplaced,
    OutcomeMarketCreated,
    PairPlaced,
    PositionSettled,
    SelfTradePrevented,
    TradeExecuted,
    Withdrawn,
)


class BalanceChange(NamedTuple):
    """A change of one account's balance in one asset, in atoms (negative: less)."""

    account: str
    asset: str
    available_atoms: int
    held_atoms: int


def balance_changes(event: Event, market: MarketCreated | OutcomeMarketCreated | None) -> list[BalanceChange]:
    """Return what ``event`` does to balances.

    Parameters
    ----------
    event
        Any event.
    market
        What created the market or book that the event names; needed only for events that name one. Keep
        both kinds of records by name, a later one in place of an earlier: the book of a binary market has
        the market's name, and its MarketCreated serves both.
    """
    if isinstance(event, TradeExecuted):
        assert isinstance(market, MarketCreated)
        return _trade_changes(event, market)
    if isinstance(event, AuctionTraded):
        assert isinstance(market, MarketCreated)
        return _auction_changes(event, market)
    if isinstance(event, _OF_ORDERS):
        held = _held_change(event)
        if not held:
            return []
        assert isinstance(market, MarketCreated)
        asset = market.quote if event.side == Side.BUY else market.base
        return [BalanceChange(event.account, asset, -held, held)]
    if isinstance(event, Deposited):
        return [BalanceChange(event.account, event.asset, event.amount_atoms, 0)]
    if isinstance(event, Withdrawn):
        return [BalanceChange(event.account, event.asset, -event.amount_atoms, 0)]
    if isinstance(event, ExposureChanged):
        held = event.held_change_atoms
        return [BalanceChange(event.account, _asset(market), -held, held)] if held else []
    if isinstance(event, PositionSettled):
        return _settlement_changes(event, _asset(market))
    return []


_OF_ORDERS = (OrderAccepted, OrderCancelled, OrderReduced, OrderReplaced, PairPlaced, SelfTradePrevented)
"""Events that move an account's own funds between available and held, in the asset of a side."""


def _held_change(
    event: OrderAccepted | OrderCancelled | OrderReduced | OrderReplaced | PairPlaced | SelfTradePrevented,
) -> int:
    if isinstance(event, OrderAccepted):
        return event.held_atoms
    if isinstance(event, OrderReplaced):
        return event.held_change_atoms
    if isinstance(event, SelfTradePrevented):
        return -event.taker_released_atoms
    return -event.released_atoms


def _asset(market: MarketCreated | OutcomeMarketCreated | None) -> str:
    """Return the one asset of an outcome market."""
    assert market is not None
    return market.quote if isinstance(market, MarketCreated) else market.asset


def _trade_changes(trade: TradeExecuted, market: MarketCreated) -> list[BalanceChange]:
    if market.model != MarketModel.SPOT:
        # Results are settled at the end; until then a trade only lets go of held funds.
        return _released(trade.taker_account, trade.refund_atoms, market) + _released(
            trade.maker_account, trade.maker_released_atoms, market
        )
    rebate = max(0, -trade.maker_fee_atoms)
    maker_fee = max(0, trade.maker_fee_atoms)
    if trade.taker_side == Side.BUY:
        buyer, buyer_fee = trade.taker_account, trade.taker_fee_atoms
        seller, seller_fee, rebate_asset = trade.maker_account, maker_fee, market.base
    else:
        buyer, buyer_fee = trade.maker_account, maker_fee
        seller, seller_fee, rebate_asset = trade.taker_account, trade.taker_fee_atoms, market.quote
    changes = _exchanged(
        market,
        trade.price_ticks,
        trade.qty_lots,
        (buyer, buyer_fee, trade.refund_atoms),
        (seller, seller_fee),
    )
    if rebate:
        changes.append(BalanceChange(trade.maker_account, rebate_asset, rebate, 0))
        changes.append(BalanceChange(FEES, rebate_asset, -rebate, 0))
    return changes


def _auction_changes(trade: AuctionTraded, market: MarketCreated) -> list[BalanceChange]:
    if market.model != MarketModel.SPOT:
        return _released(trade.buy_account, trade.buy_refund_atoms, market) + _released(
            trade.sell_account, trade.sell_released_atoms, market
        )
    return _exchanged(
        market,
        trade.price_ticks,
        trade.qty_lots,
        (trade.buy_account, trade.buy_fee_atoms, trade.buy_refund_atoms),
        (trade.sell_account, trade.sell_fee_atoms),
    )


def _exchanged(
    market: MarketCreated,
    price_ticks: int,
    qty_lots: int,
    buyer: tuple[str, int, int],
    seller: tuple[str, int],
) -> list[BalanceChange]:
    """Return the changes of a spot trade: of the buyer (account, fee, refund) and the seller (account,
    fee)."""
    paid = price_ticks * qty_lots * market.unit_atoms
    sold = qty_lots * market.lot_atoms
    buy_account, buy_fee, refund = buyer
    sell_account, sell_fee = seller
    changes = [
        BalanceChange(buy_account, market.quote, refund, -paid - refund),
        BalanceChange(buy_account, market.base, sold - buy_fee, 0),
        BalanceChange(sell_account, market.base, 0, -sold),
        BalanceChange(sell_account, market.quote, paid - sell_fee, 0),
    ]
    if buy_fee:
        changes.append(BalanceChange(FEES, market.base, buy_fee, 0))
    if sell_fee:
        changes.append(BalanceChange(FEES, market.quote, sell_fee, 0))
    return changes


def _released(account: str, atoms: int, market: MarketCreated) -> list[BalanceChange]:
    """Return the change of funds of an outcome market that go from held to available (negative: back, of
    a house account that takes on a cross match)."""
    return [BalanceChange(account, market.quote, atoms, -atoms)] if atoms else []


def _settlement_changes(settled: PositionSettled, asset: str) -> list[BalanceChange]:
    gained = settled.released_atoms + settled.net_atoms - settled.commission_atoms
    changes = [BalanceChange(settled.account, asset, gained, -settled.released_atoms)]
    if settled.commission_atoms:
        changes.append(BalanceChange(FEES, asset, settled.commission_atoms, 0))
    return changes
