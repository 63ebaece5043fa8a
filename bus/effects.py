"""What an event does to balances: the one place that derives balance changes from events.

Invariant: applied from the first event on, these changes give exactly the engine's own balances
(checked by a property test); so a consumer needs no second source for money.
"""

from typing import NamedTuple

from .commands import FEES, Side
from .events import (
    Deposited,
    Event,
    MarketCreated,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderReplaced,
    TradeExecuted,
    Withdrawn,
)


class BalanceChange(NamedTuple):
    """A change of one account's balance in one asset, in atoms (negative: less)."""

    account: str
    asset: str
    available_atoms: int
    held_atoms: int


def balance_changes(event: Event, market: MarketCreated | None) -> list[BalanceChange]:
    """Return what ``event`` does to balances.

    Parameters
    ----------
    event
        Any event.
    market
        The MarketCreated of the event's market; needed only for events that name a market.
    """
    if isinstance(event, TradeExecuted):
        assert market is not None
        return _trade_changes(event, market)
    if isinstance(event, (OrderAccepted, OrderCancelled, OrderReduced, OrderReplaced)):
        assert market is not None
        if isinstance(event, OrderAccepted):
            held = event.held_atoms
        elif isinstance(event, OrderReplaced):
            held = event.held_change_atoms
        else:
            held = -event.released_atoms
        asset = market.quote if event.side == Side.BUY else market.base
        return [BalanceChange(event.account, asset, -held, held)] if held else []
    if isinstance(event, Deposited):
        return [BalanceChange(event.account, event.asset, event.amount_atoms, 0)]
    if isinstance(event, Withdrawn):
        return [BalanceChange(event.account, event.asset, -event.amount_atoms, 0)]
    return []


def _trade_changes(trade: TradeExecuted, market: MarketCreated) -> list[BalanceChange]:
    paid = trade.price_ticks * trade.qty_lots * market.unit_atoms
    sold = trade.qty_lots * market.lot_atoms
    if trade.taker_side == Side.BUY:
        buyer, buyer_fee, seller, seller_fee = (
            trade.taker_account,
            trade.taker_fee_atoms,
            trade.maker_account,
            trade.maker_fee_atoms,
        )
    else:
        buyer, buyer_fee, seller, seller_fee = (
            trade.maker_account,
            trade.maker_fee_atoms,
            trade.taker_account,
            trade.taker_fee_atoms,
        )
    changes = [
        BalanceChange(buyer, market.quote, trade.refund_atoms, -paid - trade.refund_atoms),
        BalanceChange(buyer, market.base, sold - buyer_fee, 0),
        BalanceChange(seller, market.base, 0, -sold),
        BalanceChange(seller, market.quote, paid - seller_fee, 0),
    ]
    if buyer_fee:
        changes.append(BalanceChange(FEES, market.base, buyer_fee, 0))
    if seller_fee:
        changes.append(BalanceChange(FEES, market.quote, seller_fee, 0))
    return changes
