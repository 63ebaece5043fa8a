"""From events to rows: the pure core of the recorder.

Invariant: the rows of a batch depend only on its events and on the markets known before, so the same
stretch of the stream, however it is cut into batches, ends in the same tables (a property test compares).
What accumulates over batches (filled quantities, balances, candles) leaves here as a difference, to be
added by the transaction that also stores the position.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from bus.commands import AccountState, MarketState
from bus.effects import balance_changes
from bus.events import (
    EVENT_NUMBERS,
    AccountCreated,
    AccountStateChanged,
    AssetCreated,
    CommandRejected,
    Event,
    MarketCreated,
    MarketStateChanged,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderReplaced,
    OrderRested,
    TradeExecuted,
)
from bus.frames import EventsFrame

Row = tuple[Any, ...]

CANDLE_INTERVALS_S = (1, 60, 3_600, 86_400)
"""Candles that are kept; all others are made of these."""

UNCHANGED = -1
"""In an order's changes: the column keeps what it has."""


class OrderStatus(IntEnum):
    """What became of an order."""

    OPEN = 1
    FILLED = 2
    CANCELLED = 3


class OrderChanges:
    """What a batch does to one order; ``accepted`` when the order began in it."""

    __slots__ = (
        "accepted",
        "accepted_ns",
        "fee_atoms",
        "filled_atoms",
        "filled_lots",
        "left_lots",
        "price_ticks",
        "qty_lots",
        "reason",
        "seq",
        "status",
        "time_ns",
    )

    def __init__(self) -> None:
        self.accepted: OrderAccepted | None = None
        self.accepted_ns = 0
        self.price_ticks = UNCHANGED
        self.qty_lots = UNCHANGED
        self.left_lots = UNCHANGED
        self.filled_lots = 0
        self.filled_atoms = 0
        self.fee_atoms = 0
        self.status = 0
        self.reason = 0
        self.seq = 0
        self.time_ns = 0


@dataclass(slots=True)
class Batch:
    """Rows of the events ``first_seq`` to ``seq``, and what they add to what is there.

    Attributes
    ----------
    venue_id, engine, epoch, seq, time_ns
        The position after this batch.
    trades, order_events, rejects, balance_changes, assets, markets, accounts
        New rows; columns as in `recorder.statements`.
    market_states, account_states
        The last state of each one changed.
    orders
        Changes by order id.
    balances
        ``(account, asset)`` to ``[available change, held change, last seq]``.
    candles
        ``(market, interval_s, start_ns)`` to ``[open, high, low, close, qty_lots, quote_atoms, trades]``.
    """

    venue_id: bytes = b""
    engine: str = ""
    epoch: int = 0
    first_seq: int = 0
    seq: int = 0
    time_ns: int = 0
    events: int = 0
    rows: int = 0
    trades: list[Row] = field(default_factory=list)
    order_events: list[Row] = field(default_factory=list)
    rejects: list[Row] = field(default_factory=list)
    balance_changes: list[Row] = field(default_factory=list)
    assets: list[Row] = field(default_factory=list)
    markets: list[Row] = field(default_factory=list)
    accounts: list[Row] = field(default_factory=list)
    market_states: dict[str, int] = field(default_factory=dict)
    account_states: dict[str, int] = field(default_factory=dict)
    orders: dict[int, OrderChanges] = field(default_factory=dict)
    balances: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    candles: dict[tuple[str, int, int], list[int]] = field(default_factory=dict)


class Rows:
    """Collects the rows of a batch.

    Parameters
    ----------
    markets
        The markets recorded so far, by name.
    """

    def __init__(self, markets: Mapping[str, MarketCreated]) -> None:
        self._markets = dict(markets)
        self._batch = Batch()
        self._handlers: dict[type[Event], Callable[[Any, int, int], None]] = {
            OrderAccepted: self._order_accepted,
            TradeExecuted: self._trade_executed,
            OrderRested: self._order_rested,
            OrderCancelled: self._order_cancelled,
            OrderReduced: self._order_reduced,
            OrderReplaced: self._order_replaced,
            CommandRejected: self._command_rejected,
            AssetCreated: self._asset_created,
            MarketCreated: self._market_created,
            MarketStateChanged: self._market_state_changed,
            AccountCreated: self._account_created,
            AccountStateChanged: self._account_state_changed,
        }

    @property
    def batch(self) -> Batch:
        """What has been collected so far."""
        return self._batch

    @property
    def markets(self) -> Mapping[str, MarketCreated]:
        """The markets known so far, by name."""
        return self._markets

    def take(self) -> Batch:
        """Return what has been collected and begin the next batch."""
        batch, self._batch = self._batch, Batch()
        return batch

    def add_frame(self, frame: EventsFrame, after_seq: int) -> None:
        """Add the events of a frame that lie above ``after_seq``; the position becomes the frame's end."""
        self.add(frame.events_with_seq(after_seq), frame.head.now_ns)
        head, batch = frame.head, self._batch
        first_seq = max(after_seq + 1, head.first_seq)
        batch.venue_id, batch.engine, batch.epoch = head.venue_id, head.engine, head.epoch
        batch.first_seq = batch.first_seq or first_seq
        batch.events += head.last_seq - first_seq + 1
        batch.seq, batch.time_ns = head.last_seq, head.now_ns

    def add(self, events: Iterable[tuple[int, Event]], time_ns: int) -> None:
        """Add events with their seq, all of one time."""
        handlers, batch, markets = self._handlers, self._batch, self._markets
        for seq, event in events:
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event, seq, time_ns)
            market = getattr(event, "market", None)
            self._balance_changes(event, seq, time_ns, markets.get(market) if market else None)
        batch.rows = (
            len(batch.order_events) + len(batch.balance_changes) + len(batch.orders) + len(batch.trades)
            + len(batch.rejects) + len(batch.accounts)
        )  # fmt: skip

    def _balance_changes(self, event: Event, seq: int, time_ns: int, market: MarketCreated | None) -> None:
        changes = balance_changes(event, market)
        if not changes:
            return
        batch, number = self._batch, EVENT_NUMBERS[type(event)]
        merged: dict[tuple[str, str], list[int]] = {}
        for account, asset, available, held in changes:
            one = merged.setdefault((account, asset), [0, 0])
            one[0] += available
            one[1] += held
        for key, (available, held) in merged.items():
            if available or held:
                batch.balance_changes.append((*key, seq, time_ns, number, available, held))
                total = batch.balances.setdefault(key, [0, 0, 0])
                total[0] += available
                total[1] += held
                total[2] = seq

    def _changes(self, order_id: int, seq: int, time_ns: int) -> OrderChanges:
        changes = self._batch.orders.get(order_id)
        if changes is None:
            changes = self._batch.orders[order_id] = OrderChanges()
        changes.seq, changes.time_ns = seq, time_ns
        return changes

    def _order_event(
        self,
        event: OrderAccepted | OrderRested | OrderCancelled | OrderReduced | OrderReplaced,
        seq: int,
        time_ns: int,
        qty_lots: int,
        left_lots: int,
        reason: int = 0,
    ) -> None:
        self._batch.order_events.append(
            (
                event.order_id, seq, time_ns, EVENT_NUMBERS[type(event)], event.account, event.account_seq,
                event.market, event.price_ticks, qty_lots, left_lots, 0, 0, reason,
            )
        )  # fmt: skip

    def _order_accepted(self, event: OrderAccepted, seq: int, time_ns: int) -> None:
        changes = self._changes(event.order_id, seq, time_ns)
        changes.accepted, changes.accepted_ns = event, time_ns
        changes.price_ticks, changes.qty_lots = event.price_ticks, event.qty_lots
        changes.left_lots, changes.status = event.qty_lots, OrderStatus.OPEN
        self._order_event(event, seq, time_ns, event.qty_lots, event.qty_lots)

    def _order_rested(self, event: OrderRested, seq: int, time_ns: int) -> None:
        changes = self._changes(event.order_id, seq, time_ns)
        changes.left_lots, changes.status = event.left_lots, OrderStatus.OPEN
        self._order_event(event, seq, time_ns, 0, event.left_lots)

    def _order_cancelled(self, event: OrderCancelled, seq: int, time_ns: int) -> None:
        changes = self._changes(event.order_id, seq, time_ns)
        changes.left_lots, changes.status = event.left_lots, OrderStatus.CANCELLED
        changes.reason = event.reason
        self._order_event(event, seq, time_ns, 0, event.left_lots, event.reason)

    def _order_reduced(self, event: OrderReduced, seq: int, time_ns: int) -> None:
        changes = self._changes(event.order_id, seq, time_ns)
        changes.qty_lots, changes.left_lots = event.qty_lots, event.left_lots
        self._order_event(event, seq, time_ns, event.qty_lots, event.left_lots)

    def _order_replaced(self, event: OrderReplaced, seq: int, time_ns: int) -> None:
        changes = self._changes(event.order_id, seq, time_ns)
        changes.price_ticks, changes.qty_lots = event.price_ticks, event.qty_lots
        changes.left_lots = event.left_lots
        self._order_event(event, seq, time_ns, event.qty_lots, event.left_lots)

    def _trade_executed(self, trade: TradeExecuted, seq: int, time_ns: int) -> None:
        batch = self._batch
        quote_atoms = trade.price_ticks * trade.qty_lots * self._markets[trade.market].unit_atoms
        batch.trades.append(
            (
                trade.market, trade.trade_id, seq, time_ns, trade.price_ticks, trade.qty_lots,
                trade.taker_side, trade.maker_account, trade.maker_order_id, trade.maker_fee_atoms,
                trade.taker_account, trade.taker_order_id, trade.taker_fee_atoms, trade.refund_atoms,
            )
        )  # fmt: skip
        for order_id, account, account_seq, left_lots, fee_atoms in (
            (trade.maker_order_id, trade.maker_account, trade.maker_account_seq,
             trade.maker_left_lots, trade.maker_fee_atoms),
            (trade.taker_order_id, trade.taker_account, trade.taker_account_seq,
             trade.taker_left_lots, trade.taker_fee_atoms),
        ):  # fmt: skip
            changes = self._changes(order_id, seq, time_ns)
            changes.left_lots = left_lots
            changes.filled_lots += trade.qty_lots
            changes.filled_atoms += quote_atoms
            changes.fee_atoms += fee_atoms
            if left_lots == 0:
                # An order by budget has no lots left either; if it goes on to be cancelled, that follows.
                changes.status = OrderStatus.FILLED
            batch.order_events.append(
                (
                    order_id, seq, time_ns, EVENT_NUMBERS[TradeExecuted], account, account_seq,
                    trade.market, trade.price_ticks, trade.qty_lots, left_lots, trade.trade_id, fee_atoms, 0,
                )
            )  # fmt: skip
        self._add_to_candles(trade, time_ns, quote_atoms)

    def _add_to_candles(self, trade: TradeExecuted, time_ns: int, quote_atoms: int) -> None:
        candles, price = self._batch.candles, trade.price_ticks
        for interval_s in CANDLE_INTERVALS_S:
            key = (trade.market, interval_s, time_ns - time_ns % (interval_s * 1_000_000_000))
            candle = candles.get(key)
            if candle is None:
                candles[key] = [price, price, price, price, trade.qty_lots, quote_atoms, 1]
            else:
                candle[1] = max(candle[1], price)
                candle[2] = min(candle[2], price)
                candle[3] = price
                candle[4] += trade.qty_lots
                candle[5] += quote_atoms
                candle[6] += 1

    def _command_rejected(self, event: CommandRejected, seq: int, time_ns: int) -> None:
        self._batch.rejects.append((seq, time_ns, event.account, event.command_id, event.code, event.detail))

    def _asset_created(self, event: AssetCreated, seq: int, time_ns: int) -> None:
        self._batch.assets.append((event.asset, event.decimals, seq, time_ns))

    def _market_created(self, event: MarketCreated, seq: int, time_ns: int) -> None:
        self._markets[event.market] = event
        self._batch.markets.append((*event[:11], MarketState.OPEN.value, seq, time_ns))

    def _market_state_changed(self, event: MarketStateChanged, seq: int, time_ns: int) -> None:
        self._batch.market_states[event.market] = event.state

    def _account_created(self, event: AccountCreated, seq: int, time_ns: int) -> None:
        self._batch.accounts.append((event.account, AccountState.ACTIVE.value, seq, time_ns))

    def _account_state_changed(self, event: AccountStateChanged, seq: int, time_ns: int) -> None:
        self._batch.account_states[event.account] = event.state
