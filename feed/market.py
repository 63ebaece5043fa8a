"""One book as the public sees it: levels, trades, window, candles, auction, and what is offered beyond it.

Invariant: each event is counted once in each thing that it concerns, also when those begin at different
seqs (an image of the book, history for the windows): each knows the number that it begins behind. No I/O,
no clock: time is that of the events.
"""

from collections.abc import Iterable
from typing import NamedTuple

from bus.commands import MarketState
from bus.events import MarketCreated
from bus.market_data import Auction, MarketRow, Offer, Trade

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
