"""What the journal tells: every event read back from the segment files and added up.

Invariant: this is a second book-keeping, made from the bytes on disk alone. It knows nothing of what the
engine, the gateway, the database or the feed say, which are compared with it. A hole in any of the dense
numbers (seq, market_seq, trade_id, account_seq) or a command executed twice is noted, never repaired.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from bus.commands import Side
from bus.effects import balance_changes
from bus.events import (
    EVENT_NUMBERS,
    CancelReason,
    CommandRejected,
    Deposited,
    Event,
    LinkOpened,
    MarketCreated,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderReplaced,
    OrderRested,
    TradeExecuted,
)
from bus.frames import decode_events_frame
from bus.replay.player import Outcome
from engine.disk import OsDisk
from engine.journal_reader import JournalReader

Id = tuple[str, str]
"""An account and a command's id."""

OPEN, FILLED, CANCELLED = 1, 2, 3


@dataclass(slots=True)
class OrderTold:
    """One order after its last event."""

    account: str
    client_order_id: str
    side: int
    qty_lots: int
    filled_lots: int
    left_lots: int
    status: int


@dataclass(slots=True)
class Told:
    """The journal, added up.

    Attributes
    ----------
    faults
        What must not be: holes, doubles. Empty in a sound journal.
    outcomes
        What became of the command under each id.
    orders, trades
        By order id; in order.
    balances
        ``(account, asset)`` to ``[available, held]``.
    levels
        ``market`` to ``(side, price_ticks)`` to lots resting there.
    private
        Account to ``[account_seq, running CRC-32 of its events]``.
    """

    events: int = 0
    last_seq: int = 0
    epochs: set[int] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    outcomes: dict[Id, Outcome] = field(default_factory=dict)
    orders: dict[int, OrderTold] = field(default_factory=dict)
    trades: list[TradeExecuted] = field(default_factory=list)
    balances: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    balance_rows: int = 0
    markets: dict[str, MarketCreated] = field(default_factory=dict)
    levels: dict[str, dict[tuple[int, int], int]] = field(default_factory=dict)
    market_seqs: dict[str, int] = field(default_factory=dict)
    trade_ids: dict[str, int] = field(default_factory=dict)
    private: dict[str, list[int]] = field(default_factory=dict)


Seen = Callable[["Told", int, Event], object]


def read_journal(folder: Path, seen: Seen | None = None) -> Told:
    """Read a whole journal; ``seen`` is called with each event after it was added up.

    Raises
    ------
    JournalDamage
        When it is not sound.
    """
    teller = Teller()
    reader = JournalReader(OsDisk(), str(folder))
    try:
        for record in reader.records():
            frame = decode_events_frame(record.events)
            teller.told.epochs.add(frame.head.epoch)
            for transaction in frame.transactions:
                teller.begin(transaction)
            for seq, event in frame.events_with_seq():
                teller.add(seq, event)
                if seen is not None:
                    seen(teller.told, seq, event)
    finally:
        reader.close()
    return teller.told


def private_mark(mark: int, account_seq: int, seq: int, number: int) -> int:
    """Return the running checksum of an account's private events after one more."""
    return crc32(b"%d %d %d;" % (account_seq, seq, number), mark)


class Teller:
    """Adds up events; the sum is in ``told``."""

    def __init__(self) -> None:
        self.told = Told()
        self._handlers: dict[type[Event], Callable[[int, Any], None]] = {
            MarketCreated: self._market_created,
            CommandRejected: self._rejected,
            OrderAccepted: self._accepted,
            TradeExecuted: self._traded,
            OrderRested: self._rested,
            OrderCancelled: self._cancelled,
            OrderReduced: self._reduced,
            OrderReplaced: self._replaced,
        }

    def begin(self, transaction: Any) -> None:
        """Check that a transaction goes on where the one before it ended."""
        told = self.told
        if transaction[0] != told.last_seq + 1:
            told.faults.append(f"expected seq {told.last_seq + 1}, was {transaction[0]}")
        told.last_seq = transaction[0] + len(transaction[4]) - 1
        told.events += len(transaction[4])

    def add(self, seq: int, event: Event) -> None:
        """Add up the next event."""
        told = self.told
        told.counts[type(event).__name__] += 1
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(seq, event)
        elif not isinstance(event, LinkOpened):
            self._private(seq, event, getattr(event, "account", ""), getattr(event, "account_seq", 0))
        self._balances(event)

    def _balances(self, event: Event) -> None:
        told = self.told
        merged: dict[tuple[str, str], list[int]] = {}
        market = told.markets.get(getattr(event, "market", ""))
        for account, asset, available, held in balance_changes(event, market):
            one = merged.setdefault((account, asset), [0, 0])
            one[0] += available
            one[1] += held
        for key, (available, held) in merged.items():
            if available or held:
                total = told.balances.setdefault(key, [0, 0])
                total[0] += available
                total[1] += held
                told.balance_rows += 1

    def _private(self, seq: int, event: Event, account: str, account_seq: int) -> None:
        if not account_seq:
            return
        last = self.told.private.setdefault(account, [0, 0])
        if account_seq != last[0] + 1:
            self.told.faults.append(f"expected account_seq {last[0] + 1} of {account}, was {account_seq}")
        last[0] = account_seq
        if type(event) is not Deposited:
            # Deposits came before anyone watched: who joins later has them in the image.
            last[1] = private_mark(last[1], account_seq, seq, EVENT_NUMBERS[type(event)])

    def _level(self, market: str, market_seq: int, side: int, price_ticks: int, lots: int) -> None:
        if not market_seq:
            return
        told = self.told
        expected = told.market_seqs.get(market, 0) + 1
        if market_seq != expected:
            told.faults.append(f"expected market_seq {expected} of {market}, was {market_seq}")
        told.market_seqs[market] = market_seq
        levels = told.levels[market]
        if lots:
            levels[(side, price_ticks)] = lots
        else:
            levels.pop((side, price_ticks), None)

    def _outcome(self, key: Id, outcome: Outcome) -> None:
        if not key[1]:
            return
        earlier = self.told.outcomes.get(key)
        if earlier is not None and earlier.code == 0 and outcome.code == 0 and earlier.seq != outcome.seq:
            self.told.faults.append(
                f"expected {key} to be executed once, was at {earlier.seq}, {outcome.seq}"
            )
        if earlier is None or outcome.code == 0 or outcome.seq == earlier.seq:
            self.told.outcomes[key] = outcome

    def _market_created(self, _seq: int, event: MarketCreated) -> None:
        self.told.markets[event.market] = event
        self.told.levels[event.market] = {}

    def _rejected(self, seq: int, event: CommandRejected) -> None:
        self._outcome((event.account, event.command_id), Outcome(event.code, seq, 0, 0, 0))

    def _accepted(self, seq: int, event: OrderAccepted) -> None:
        rests = event.qty_lots if event.market_seq else 0
        self.told.orders[event.order_id] = OrderTold(
            event.account, event.client_order_id, event.side, event.qty_lots, 0, event.qty_lots, OPEN
        )
        self._outcome((event.account, event.client_order_id), Outcome(0, seq, event.order_id, 0, rests))
        self._private(seq, event, event.account, event.account_seq)
        self._level(event.market, event.market_seq, event.side, event.price_ticks, event.level_lots)

    def _traded(self, seq: int, event: TradeExecuted) -> None:
        told = self.told
        expected = told.trade_ids.get(event.market, 0) + 1
        if event.trade_id != expected:
            told.faults.append(f"expected trade_id {expected} of {event.market}, was {event.trade_id}")
        told.trade_ids[event.market] = event.trade_id
        told.trades.append(event)
        for order_id, left_lots in (
            (event.maker_order_id, event.maker_left_lots),
            (event.taker_order_id, event.taker_left_lots),
        ):
            order = told.orders[order_id]
            order.filled_lots += event.qty_lots
            order.left_lots = left_lots
            if not left_lots:
                order.status = FILLED
        taker = told.orders[event.taker_order_id]
        key = (taker.account, taker.client_order_id)
        told.outcomes[key] = told.outcomes[key]._replace(filled_lots=taker.filled_lots)
        self._private(seq, event, event.maker_account, event.maker_account_seq)
        self._private(seq, event, event.taker_account, event.taker_account_seq)
        maker_side = Side.SELL if event.taker_side == Side.BUY else Side.BUY
        self._level(event.market, event.market_seq, maker_side, event.price_ticks, event.level_lots)

    def _rested(self, seq: int, event: OrderRested) -> None:
        order = self.told.orders[event.order_id]
        order.left_lots, order.status = event.left_lots, OPEN
        key = (order.account, order.client_order_id)
        self.told.outcomes[key] = self.told.outcomes[key]._replace(left_lots=event.left_lots)
        self._private(seq, event, event.account, event.account_seq)
        self._level(event.market, event.market_seq, event.side, event.price_ticks, event.level_lots)

    def _cancelled(self, seq: int, event: OrderCancelled) -> None:
        order = self.told.orders[event.order_id]
        order.left_lots, order.status = event.left_lots, CANCELLED
        if event.reason == CancelReason.REQUESTED:
            # The event does not name the command; the player gives a cancel its order's id and an x.
            outcome = Outcome(0, seq, event.order_id, event.filled_lots, 0)
            self._outcome((event.account, event.client_order_id + "x"), outcome)
        self._private(seq, event, event.account, event.account_seq)
        self._level(event.market, event.market_seq, event.side, event.price_ticks, event.level_lots)

    def _reduced(self, seq: int, event: OrderReduced) -> None:
        order = self.told.orders[event.order_id]
        order.qty_lots, order.left_lots = event.qty_lots, event.left_lots
        self._private(seq, event, event.account, event.account_seq)
        self._level(event.market, event.market_seq, event.side, event.price_ticks, event.level_lots)

    def _replaced(self, seq: int, event: OrderReplaced) -> None:
        order = self.told.orders[event.order_id]
        order.qty_lots, order.left_lots = event.qty_lots, event.left_lots
        self._private(seq, event, event.account, event.account_seq)
        self._level(event.market, event.market_seq, event.side, event.old_price_ticks, event.level_lots)
