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
    AuctionDone,
    AuctionIndicated,
    AuctionTraded,
    BestOffered,
    Event,
    InPlayTurned,
    MarketCreated,
    MarketStateChanged,
    RunnerRemoved,
    TradeExecuted,
)
from bus.frames import EventsFrame
from bus.market_data import AUCTION, Auction, MarketRow, Offer, Trade

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
    """One book: its terms, levels, trades, window and candles, auction and what is offered beyond it.

    Attributes
    ----------
    terms, base_decimals, quote_decimals, state, in_play, bet_delay_ns
        As created, and `bus.commands.MarketState`.
    auction
        The last indication or uncross.
    offers
        The best implied or cross-matched offers, by kind and side.
    state_seq, bars_seq
        ``state`` and what follows it begin behind the one; up to the other, window and candles begin each
        behind a seq of its own.
    told, auction_told, offers_told
        Whether terms and state, ``auction`` and ``offers`` were told since they changed.
    """

    __slots__ = (
        "_bar", "_bar_ns", "auction", "auction_told", "bars_seq", "base_decimals", "bet_delay_ns", "candles",
        "depth", "in_play", "offers", "offers_told", "quote_decimals", "state", "state_seq", "terms",
        "tickers", "told", "trades",
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
        self.in_play = False
        self.bet_delay_ns = 0
        self.auction: Auction | None = None
        self.offers: dict[tuple[int, int], Offer] = {}
        self.told = False
        self.auction_told = self.offers_told = True
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

    def indicate(self, auction: Auction) -> None:
        """Take in what an uncross would do or did."""
        self.auction = auction
        self.auction_told = False

    def offer(self, offer: Offer) -> None:
        """Take in the best offer of a kind and side beyond the book's own orders; no lots: there is none."""
        if offer.lots:
            self.offers[offer.kind, offer.side] = offer
        else:
            self.offers.pop((offer.kind, offer.side), None)
        self.offers_told = False

    def all_offers(self) -> list[Offer]:
        """Return what is offered beyond the book's own orders, by kind and side."""
        return [self.offers[key] for key in sorted(self.offers)]

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
            terms.model, terms.outcome_market, terms.runner, self.in_play, self.bet_delay_ns,
        )  # fmt: skip


class Markets:
    """Every book by its name.

    Attributes
    ----------
    by_outcome_market
        The books of each outcome market.
    seq, now_ns
        The last seq taken in and the time that is known to be reached.
    touched
        Markets that something happened to, for whoever tells it; it empties this.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.assets: dict[str, int] = {}
        self.by_name: dict[str, Market] = {}
        self.by_outcome_market: dict[str, list[Market]] = {}
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
        if market.terms.outcome_market:
            self.by_outcome_market.setdefault(market.terms.outcome_market, []).append(market)

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
                elif event[0] == _AUCTION_TRADE:
                    self._auction_trade(event, seq, now_ns)
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
        market_seq = event[market_seq_at]
        if side_at < 0:
            market = self._known(event[market_at])
            taker_side = event[_TAKER_SIDE]
            kind = event[_KIND] if len(event) > _KIND else 0
            market.trade(
                Trade(event[_TRADE_ID], event[price_at], event[_TRADE_LOTS], taker_side, seq, now_ns, kind)
            )
            side = _OTHER_SIDE[taker_side]
        elif market_seq:
            market = self._known(event[market_at])
            side = event[side_at]
        else:
            return
        if market_seq:
            market.depth.change(side, event[price_at], event[level_at], market_seq)
        self.touched[event[market_at]] = market

    def _auction_trade(self, raw: Sequence[Any], seq: int, now_ns: int) -> None:
        event = AuctionTraded(*raw[1 : len(AuctionTraded._fields) + 1])
        market = self._known(event.market)
        market.trade(Trade(event.trade_id, event.price_ticks, event.qty_lots, 0, seq, now_ns, AUCTION))
        market.depth.change_both(
            event.buy_price_ticks, event.buy_level_lots, event.sell_price_ticks, event.sell_level_lots,
            event.market_seq,
        )  # fmt: skip
        self.touched[event.market] = market

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
                market = Market(event, decimals, self.bounds)
                others = self.by_outcome_market.get(event.outcome_market)
                if others:  # a runner added is as the others are, but for removed ones
                    market.state = min(other.state for other in others)
                    market.in_play, market.bet_delay_ns = others[0].in_play, others[0].bet_delay_ns
                self.add(market)
        elif isinstance(event, MarketStateChanged):
            for market in self._books_of(event.market, seq):
                if market.state != MarketState.VOIDED or event.state >= MarketState.SETTLED:
                    market.state = event.state
                    market.told = False
                if event.state == MarketState.PRE_OPEN:
                    market.indicate(Auction(0, 0, 0, False))
        elif isinstance(event, RunnerRemoved):
            for market in self._books_of(f"{event.market}:{event.runner}", seq):
                market.state = int(MarketState.VOIDED)  # its book alone, until all are settled
                market.told = False
        elif isinstance(event, InPlayTurned):
            for market in self._books_of(event.market, seq):
                market.in_play, market.bet_delay_ns = True, event.bet_delay_ns
                market.told = False
        elif isinstance(event, (AuctionIndicated, AuctionDone)):
            for market in self._books_of(event.market, seq):
                done = isinstance(event, AuctionDone)
                imbalance = 0 if isinstance(event, AuctionDone) else event.imbalance_lots
                market.indicate(Auction(event.price_ticks, event.lots, imbalance, done))
        elif isinstance(event, BestOffered):
            for market in self._books_of(event.market, seq):
                market.offer(Offer(*event[1:]))

    def _books_of(self, name: str, seq: int) -> list[Market]:
        """Return the books of a market, or the book itself, that do not know of ``seq`` yet, as touched."""
        books = self.by_outcome_market.get(name) or [self._known(name)]
        found = [market for market in books if seq > market.state_seq]
        for market in found:
            self.touched[market.name] = market
        return found


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
_AUCTION_TRADE = EVENT_NUMBERS[AuctionTraded]
_OTHER_EVENTS = frozenset(
    EVENT_NUMBERS[cls]
    for cls in (
        AssetCreated, MarketCreated, MarketStateChanged, InPlayTurned, RunnerRemoved, AuctionIndicated,
        AuctionDone, BestOffered,
    )
)  # fmt: skip
_OTHER_SIDE = {int(Side.BUY): int(Side.SELL), int(Side.SELL): int(Side.BUY)}
_TRADE_ID, _TRADE_LOTS, _TAKER_SIDE, _KIND = (
    TradeExecuted._fields.index(field) + 1 for field in ("trade_id", "qty_lots", "taker_side", "kind")
)
