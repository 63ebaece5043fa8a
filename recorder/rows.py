"""From events to rows: orders, trades and money, the pure core of the recorder.

Invariant: the rows of a batch depend only on its events and on the markets known before, so the same
stretch of the stream, however it is cut into batches, ends in the same tables (a property test compares).
What accumulates over batches (filled quantities, balances, candles, positions) leaves here as a difference,
to be added by the transaction that also stores the position.

What is rarer is in `recorder.standing`. Not recorded are events that only tell how work went on (batches,
mass cancels, dead-man timers) and best offers, which follow from the books.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import Any

from bus.commands import MarketModel, Side
from bus.effects import balance_changes
from bus.events import (
    EVENT_NUMBERS,
    AuctionTraded,
    Event,
    MarketCreated,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderReplaced,
    OrderRested,
    OrderTermsSet,
    OrderTriggered,
    OutcomeMarketCreated,
    PairPlaced,
    SelfTradePrevented,
    TradeExecuted,
    Waits,
)
from bus.frames import EventsFrame
from bus.market_data import AUCTION

from .batch import Batch, OrderChanges, Row
from .standing import HANDLERS

CANDLE_INTERVALS_S = (1, 60, 3_600, 86_400)
"""Candles that are kept; all others are made of these."""

_TRADE, _AUCTION_TRADE = EVENT_NUMBERS[TradeExecuted], EVENT_NUMBERS[AuctionTraded]


class OrderStatus(IntEnum):
    """What became of an order."""

    OPEN = 1
    FILLED = 2
    CANCELLED = 3


class Rows:
    """Collects the rows of a batch.

    Parameters
    ----------
    markets
        What created the books and outcome markets recorded so far, by name.
    """

    def __init__(self, markets: Mapping[str, MarketCreated | OutcomeMarketCreated]) -> None:
        self._markets = dict(markets)
        self._batch = Batch()
        self._handlers: dict[type[Event], Callable[[Any, int, int], None]] = {
            OrderAccepted: self._order_accepted,
            TradeExecuted: self._trade_executed,
            OrderRested: self._order_rested,
            OrderCancelled: self._order_cancelled,
            OrderReduced: self._order_reduced,
            OrderReplaced: self._order_replaced,
            OrderTermsSet: self._order_terms_set,
            OrderTriggered: self._order_triggered,
            PairPlaced: self._pair_placed,
            SelfTradePrevented: self._self_trade_prevented,
            AuctionTraded: self._auction_traded,
        }

    @property
    def batch(self) -> Batch:
        """What has been collected so far."""
        return self._batch

    @property
    def markets(self) -> Mapping[str, MarketCreated | OutcomeMarketCreated]:
        """The books and outcome markets known so far, by name."""
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
            kind = type(event)
            handler = handlers.get(kind)
            if handler is not None:
                handler(event, seq, time_ns)
            elif kind in HANDLERS:
                HANDLERS[kind](batch, event, seq, time_ns)
                if isinstance(event, (MarketCreated, OutcomeMarketCreated)):
                    markets[event.market] = event
            market = getattr(event, "market", None)
            self._balance_changes(event, seq, time_ns, markets.get(market) if market else None)
        batch.rows = batch.count()

    def _balance_changes(
        self, event: Event, seq: int, time_ns: int, market: MarketCreated | OutcomeMarketCreated | None
    ) -> None:
        changes = balance_changes(event, market)
        if not changes:
            return
        batch, number = self._batch, EVENT_NUMBERS[type(event)]
        first, first_order_id, order_id = _orders_of(event)
        merged: dict[tuple[str, str], list[int]] = {}
        for account, asset, available, held in changes:
            one = merged.setdefault((account, asset), [0, 0])
            one[0] += available
            one[1] += held
        for key, (available, held) in merged.items():
            if available or held:
                whose = first_order_id if key[0] == first else order_id
                batch.balance_changes.append((*key, seq, time_ns, number, available, held, whose))
                total = batch.balances.setdefault(key, [0, 0, 0, 0])
                total[0] += available
                total[1] += held
                total[2] = seq
                total[3] += 1

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
        changes.filled_lots, changes.reason = event.filled_lots, event.reason
        self._order_event(event, seq, time_ns, 0, event.left_lots, event.reason)

    def _order_reduced(self, event: OrderReduced, seq: int, time_ns: int) -> None:
        changes = self._changes(event.order_id, seq, time_ns)
        changes.qty_lots, changes.left_lots, changes.less_lots = event.qty_lots, event.left_lots, 0
        self._order_event(event, seq, time_ns, event.qty_lots, event.left_lots)

    def _order_replaced(self, event: OrderReplaced, seq: int, time_ns: int) -> None:
        changes = self._changes(event.order_id, seq, time_ns)
        changes.price_ticks, changes.qty_lots = event.price_ticks, event.qty_lots
        changes.left_lots, changes.less_lots = event.left_lots, 0
        self._order_event(event, seq, time_ns, event.qty_lots, event.left_lots)

    def _note(
        self,
        event: OrderTermsSet | OrderTriggered | PairPlaced | SelfTradePrevented,
        order_id: int,
        seq: int,
        time_ns: int,
        *,
        price_ticks: int = 0,
        qty_lots: int = 0,
        left_lots: int = 0,
        reason: int = 0,
    ) -> OrderChanges:
        """Add what happened to an order, of an event without a level; return the order's changes."""
        self._batch.order_events.append(
            (
                order_id, seq, time_ns, EVENT_NUMBERS[type(event)], event.account, event.account_seq,
                event.market, price_ticks, qty_lots, left_lots, 0, 0, reason,
            )
        )  # fmt: skip
        return self._changes(order_id, seq, time_ns)

    def _order_terms_set(self, event: OrderTermsSet, seq: int, time_ns: int) -> None:
        order_id = event.order_id
        self._note(event, order_id, seq, time_ns, price_ticks=event.trigger_ticks, reason=event.waits)
        self._batch.set("order_terms", (order_id, *event[4:]))
        self._batch.latest.get("triggered", {}).pop((order_id,), None)

    def _order_triggered(self, event: OrderTriggered, seq: int, time_ns: int) -> None:
        order_id = event.order_id
        self._note(event, order_id, seq, time_ns, reason=event.waited)
        terms = self._batch.latest.get("order_terms", {}).get((order_id,))
        if terms is None:
            self._batch.set("triggered", (order_id, event.waited))
            return
        # The second order of a pair may have a trigger of its own, which it waits for from now on.
        triggered = OrderTermsSet(event.account, 0, event.market, *terms)
        waits = Waits.TRIGGER if event.waited == Waits.PAIR and triggered.trigger else Waits.NOTHING
        self._batch.set("order_terms", (*terms[:-1], waits.value))

    def _pair_placed(self, event: PairPlaced, seq: int, time_ns: int) -> None:
        both = (event.first_order_id, event.second_order_id)
        for order_id, other_id in (both, both[::-1]):
            self._note(event, order_id, seq, time_ns, reason=event.kind)
            is_first = order_id == event.first_order_id
            self._batch.add("order_pairs", (order_id, other_id, event.kind, is_first, event.command_id, seq))

    def _self_trade_prevented(self, event: SelfTradePrevented, seq: int, time_ns: int) -> None:
        lots, left_lots = event.lots, event.taker_left_lots
        changes = self._note(
            event, event.order_id, seq, time_ns, qty_lots=lots, left_lots=left_lots, reason=event.mode
        )
        if lots:
            changes.left_lots = left_lots
            changes.less_lots += lots

    def _trade_executed(self, trade: TradeExecuted, seq: int, time_ns: int) -> None:
        maker = (
            trade.maker_account, trade.maker_account_seq, trade.maker_order_id, trade.maker_left_lots,
            trade.maker_fee_atoms, trade.maker_released_atoms,
        )  # fmt: skip
        taker = (
            trade.taker_account, trade.taker_account_seq, trade.taker_order_id, trade.taker_left_lots,
            trade.taker_fee_atoms, trade.refund_atoms,
        )  # fmt: skip
        self._traded(trade, trade.taker_side, trade.kind, maker, taker, seq, time_ns)

    def _auction_traded(self, trade: AuctionTraded, seq: int, time_ns: int) -> None:
        buyer = (
            trade.buy_account, trade.buy_account_seq, trade.buy_order_id, trade.buy_left_lots,
            trade.buy_fee_atoms, trade.buy_refund_atoms,
        )  # fmt: skip
        seller = (
            trade.sell_account, trade.sell_account_seq, trade.sell_order_id, trade.sell_left_lots,
            trade.sell_fee_atoms, trade.sell_released_atoms,
        )  # fmt: skip
        self._traded(trade, 0, AUCTION, buyer, seller, seq, time_ns)

    def _traded(
        self,
        trade: TradeExecuted | AuctionTraded,
        taker_side: int,
        kind: int,
        maker: tuple[str, int, int, int, int, int],
        taker: tuple[str, int, int, int, int, int],
        seq: int,
        time_ns: int,
    ) -> None:
        """Add a trade of its two sides: account, account_seq, order_id, left lots, fee, released."""
        batch, market = self._batch, self._markets[trade.market]
        price_ticks, qty_lots = trade.price_ticks, trade.qty_lots
        value_ticks = price_ticks * qty_lots
        quote_atoms = value_ticks * market.unit_atoms if isinstance(market, MarketCreated) else 0
        number = _AUCTION_TRADE if kind == AUCTION else _TRADE
        for account, account_seq, order_id, left_lots, fee_atoms, _ in (maker, taker):
            if order_id:  # 0: the house account in a cross match has no order
                changes = self._changes(order_id, seq, time_ns)
                changes.left_lots = left_lots
                changes.filled_lots += qty_lots
                changes.filled_atoms += quote_atoms
                if fee_atoms >= 0:
                    changes.fee_atoms += fee_atoms
                else:
                    changes.rebate_atoms -= fee_atoms
                if left_lots == 0:
                    # An order by budget has no lots left either; if it goes on to be cancelled, that follows.
                    changes.status = OrderStatus.FILLED
            batch.order_events.append(
                (
                    order_id, seq, time_ns, number, account, account_seq, trade.market, price_ticks,
                    qty_lots, left_lots, trade.trade_id, fee_atoms, 0,
                )
            )  # fmt: skip
        if isinstance(market, MarketCreated) and market.model != MarketModel.SPOT:
            buyer = taker[0] if taker_side == Side.BUY else maker[0]
            seller = maker[0] if taker_side == Side.BUY else taker[0]
            self._bet(market, buyer, seller, qty_lots, value_ticks, seq)
        else:
            value_ticks = 0
        batch.trades.append(
            (
                trade.market, trade.trade_id, seq, time_ns, price_ticks, qty_lots, taker_side, maker[0],
                maker[2], maker[4], taker[0], taker[2], taker[4], taker[5], kind, maker[5], value_ticks,
            )
        )  # fmt: skip
        self._add_to_candles(trade, time_ns, quote_atoms)

    def _bet(self, market: MarketCreated, buyer: str, seller: str, lots: int, value: int, seq: int) -> None:
        """Add a trade to both positions: who backs odds sells, who bets on YES buys."""
        backer, layer = (seller, buyer) if market.model == MarketModel.ODDS else (buyer, seller)
        positions = self._batch.positions
        for account, sign in ((backer, 1), (layer, -1)):
            total = positions.setdefault((account, market.outcome_market, market.market), [0, 0, 0])
            total[0] += sign * lots
            total[1] += sign * value
            total[2] = seq

    def _add_to_candles(self, trade: TradeExecuted | AuctionTraded, time_ns: int, quote_atoms: int) -> None:
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


def _orders_of(event: Event) -> tuple[str, int, int]:
    """Return an account, the order by which the event concerns it, and the order that concerns the others."""
    if isinstance(event, TradeExecuted):
        return event.maker_account, event.maker_order_id, event.taker_order_id
    if isinstance(event, AuctionTraded):
        return event.buy_account, event.buy_order_id, event.sell_order_id
    if isinstance(event, PairPlaced):
        return "", 0, event.first_order_id
    return "", 0, getattr(event, "order_id", 0)


__all__ = ["CANDLE_INTERVALS_S", "Batch", "OrderStatus", "Row", "Rows"]
