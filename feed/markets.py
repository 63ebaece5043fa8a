"""All public state of the venue, kept from the events of the engine's stream.

Invariant: each event is counted once in each thing that it concerns, also when those begin at different
seqs (an image of the book, history for the windows): each knows the number that it begins behind. No I/O,
no clock: time is that of the events.

`Markets.apply` runs for every event of the venue, so it works on the raw arrays.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bus.codec import decode_event
from bus.commands import MarketState, Side
from bus.errors import Code, Rejected, StreamError
from bus.events import (
    EVENT_CLASSES,
    EVENT_NUMBERS,
    AssetCreated,
    Event,
    MarketCreated,
    MarketStateChanged,
    TradeExecuted,
)
from bus.frames import EventsFrame
from bus.market_data import MarketRow, Trade

from .bars import SECOND_NS, Bar
from .candles import Candles
from .depth import Depth
from .tickers import Tickers
from .trades import Trades


class Bounds(NamedTuple):
    """How much is kept a market."""

    intervals: tuple[str, ...]
    trades_kept_max: int
    candles_kept_max: int


class Market:
    """One market: its terms, book, trades, window and candles.

    Attributes
    ----------
    terms, base_decimals, quote_decimals, state
        As created, and `bus.commands.MarketState`.
    state_seq, bars_seq
        ``state`` begins behind the one; up to the other, window and candles begin each behind a seq of
        its own.
    told
        Whether ``terms`` and ``state`` were told since they changed.
    """

    __slots__ = (
        "_bar", "_bar_ns", "bars_seq", "base_decimals", "candles", "depth", "quote_decimals", "state",
        "state_seq", "terms", "tickers", "told", "trades",
    )  # fmt: skip

    def __init__(
        self,
        terms: MarketCreated,
        decimals: tuple[int, int],
        bounds: Bounds,
        *,
        state: int = int(MarketState.OPEN),
        as_of_seq: int = 0,
        last_trade_id: int = 0,
        last_ticks: int = 0,
        complete_from_ns: int = 0,
    ) -> None:
        self.terms = terms
        self.base_decimals, self.quote_decimals = decimals
        self.state = state
        self.state_seq = self.bars_seq = as_of_seq
        self.told = False
        self.depth = Depth()
        self.trades = Trades(bounds.trades_kept_max, last_trade_id)
        unit = terms.unit_atoms
        self.tickers = Tickers(unit, last_ticks, last_trade_id, complete_from_ns)
        self.candles = Candles(bounds.intervals, bounds.candles_kept_max, unit, complete_from_ns)
        self.tickers.begins_seq = as_of_seq
        for series in self.candles.series.values():
            series.begins_seq = as_of_seq
        self._bar: Bar | None = None
        self._bar_ns = 0

    @property
    def name(self) -> str:
        """The market's name."""
        return self.terms.market

    @property
    def windows_changed(self) -> bool:
        """Whether window or candles changed since they were told."""
        return self._bar is not None or self.tickers.changed or self.candles.changed

    def trade(self, trade: Trade) -> None:
        """Take in a trade; O(1)."""
        self.trades.add(trade)
        if trade.seq <= self.bars_seq:
            self._catch_up(trade)
            return
        # Intervals and minutes begin at whole seconds: trades of one second stay together in all of them.
        if self._bar is not None and trade.time_ns // SECOND_NS == self._bar_ns // SECOND_NS:
            self._bar.add(trade.price_ticks, trade.qty_lots)
            return
        self.settle()
        self._bar = Bar.of(trade.price_ticks, trade.qty_lots)
        self._bar_ns = trade.time_ns

    def begin_without_history(self, now_ns: int, intervals: Iterable[str]) -> None:
        """Begin candles of some intervals with the last price there was, if any."""
        last = self.tickers.last_ticks
        if last:
            for series in map(self.candles.series.__getitem__, intervals):
                series.seed([(series.interval.start_of(now_ns), Bar.flat(last))], now_ns)

    def _catch_up(self, trade: Trade) -> None:
        """Add a trade to what does not have it from history; O(intervals)."""
        bar = Bar.of(trade.price_ticks, trade.qty_lots)
        # History's window may be newer than its trades: it holds this trade without knowing its number.
        self.tickers.last_trade_id = max(self.tickers.last_trade_id, trade.trade_id)
        if trade.seq > self.tickers.begins_seq:
            self.tickers.add(bar, trade.time_ns, trade.trade_id)
        for series in self.candles.series.values():
            if trade.seq > series.begins_seq:
                series.add(bar, trade.time_ns)

    def settle(self) -> None:
        """Bring the newest trades into window and candles; O(intervals)."""
        bar = self._bar
        if bar is not None:
            self._bar = None
            self.tickers.add(bar, self._bar_ns, self.trades.last_trade_id)
            self.candles.add(bar, self._bar_ns)

    def roll(self, now_ns: int) -> None:
        """Let time pass: close candles, let trades leave the window."""
        self.settle()
        self.candles.roll(now_ns)
        self.tickers.roll(now_ns)

    def row(self) -> MarketRow:
        """Return the market as the public sees it."""
        terms = self.terms
        self.settle()
        return MarketRow(
            terms.market, terms.base, terms.quote, self.base_decimals, self.quote_decimals, *terms[3:11],
            self.state, self.depth.market_seq, self.trades.last_trade_id, self.tickers.last_ticks,
        )  # fmt: skip


class Markets:
    """Every market by its name.

    Attributes
    ----------
    seq, now_ns
        The last seq taken in and the time that is known to be reached.
    touched
        Markets that something happened to, for whoever tells it; it empties this.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.assets: dict[str, int] = {}
        self.by_name: dict[str, Market] = {}
        self.touched: dict[str, Market] = {}
        self.seq = 0
        self.now_ns = 0

    def market(self, name: str) -> Market:
        """Return a market.

        Raises
        ------
        Rejected
            UNKNOWN_MARKET.
        """
        found = self.by_name.get(name)
        if found is None:
            raise Rejected(Code.UNKNOWN_MARKET, f"expected a market that exists, was {name!r:.60}")
        return found

    def add(self, market: Market) -> None:
        """Begin with a market as it is."""
        self.by_name[market.name] = self.touched[market.name] = market

    def apply(self, frame: EventsFrame, after_seq: int) -> None:
        """Take in a frame's events above ``after_seq``; O(events).

        Raises
        ------
        StreamError
            STREAM_UNREPAIRABLE when an event names an unknown market or leaves a hole in its numbers.
        """
        head = frame.head
        now_ns = head.now_ns
        check_seq = head.first_seq <= after_seq
        for transaction in frame.transactions:
            seq = transaction[0]
            for event in transaction[4]:
                at = _BOOK_EVENTS.get(event[0])
                if check_seq and seq <= after_seq:
                    pass
                elif at is not None:
                    self._book_event(event, at, seq, now_ns)
                elif event[0] in _OTHER_EVENTS:
                    self._other_event(decode_event(event), seq)
                seq += 1
        self.seq = head.last_seq
        self.pass_time(now_ns)

    def pass_time(self, now_ns: int) -> None:
        """Note that everything before ``now_ns`` was taken in; closes candles once a second, O(markets)."""
        before_ns, self.now_ns = self.now_ns, max(self.now_ns, now_ns)
        if before_ns // SECOND_NS == self.now_ns // SECOND_NS:
            return
        for name, market in self.by_name.items():
            market.roll(self.now_ns)
            self.touched[name] = market

    def _book_event(self, event: Sequence[Any], at: "_At", seq: int, now_ns: int) -> None:
        market_at, side_at, price_at, market_seq_at, level_at = at
        if side_at < 0:
            market = self._known(event[market_at])
            taker_side = event[_TAKER_SIDE]
            market.trade(
                Trade(event[_TRADE_ID], event[price_at], event[_TRADE_LOTS], taker_side, seq, now_ns)
            )
            side = _OTHER_SIDE[taker_side]
        elif event[market_seq_at]:
            market = self._known(event[market_at])
            side = event[side_at]
        else:
            return
        market.depth.change(side, event[price_at], event[level_at], event[market_seq_at])
        self.touched[event[market_at]] = market

    def _known(self, name: str) -> Market:
        market = self.by_name.get(name)
        if market is None:
            raise StreamError(
                Code.STREAM_UNREPAIRABLE, f"expected events of markets that were created, was {name!r:.60}"
            )
        return market

    def _other_event(self, event: Event | None, seq: int) -> None:
        if isinstance(event, AssetCreated):
            self.assets[event.asset] = event.decimals
        elif isinstance(event, MarketCreated):
            if event.market not in self.by_name:
                decimals = (self.assets[event.base], self.assets[event.quote])
                self.add(Market(event, decimals, self.bounds))
        elif isinstance(event, MarketStateChanged):
            market = self._known(event.market)
            if seq > market.state_seq:
                market.state = event.state
                market.told = False
                self.touched[market.name] = market


_At = tuple[int, int, int, int, int]


def _places() -> dict[int, _At]:
    """Return where each event that changes a book has market, side, price, market_seq and level_lots.

    The side of a trade's level is not in it (-1): it is the maker's, the other one than the taker's.
    """
    places: dict[int, _At] = {}
    for number, cls in EVENT_CLASSES.items():
        at = {field: index for index, field in enumerate(cls._fields, start=1)}
        if "level_lots" in at:
            price = at.get("old_price_ticks", at["price_ticks"])
            places[number] = (at["market"], at.get("side", -1), price, at["market_seq"], at["level_lots"])
    return places


_BOOK_EVENTS = _places()
_OTHER_EVENTS = frozenset(EVENT_NUMBERS[cls] for cls in (AssetCreated, MarketCreated, MarketStateChanged))
_OTHER_SIDE = {int(Side.BUY): int(Side.SELL), int(Side.SELL): int(Side.BUY)}
_TRADE_ID, _TRADE_LOTS, _TAKER_SIDE = (
    TradeExecuted._fields.index(field) + 1 for field in ("trade_id", "qty_lots", "taker_side")
)
