"""What is published of each market, and when.

Invariant: depth and trades are told under the engine's own numbers, each number once and in order; a busy
market tells its depth at most every ``flush_ns`` and its ticker and candles at most every ``window_ns``,
a quiet one at once. Nothing is made that nobody subscribed to.
"""

from typing import NamedTuple

from .market import Market
from .markets import Markets
from .publisher import Publisher

TRADES_PER_MESSAGE_MAX = 1_000


class Pace(NamedTuple):
    """How often a busy market tells what; nanoseconds."""

    flush_ns: int
    window_ns: int
    heartbeat_ns: int


class Told:
    """What was told of one market, and its topics."""

    __slots__ = (
        "auction", "best", "book", "candles", "depth", "depth_ns", "market", "offers", "ticker", "trade",
        "window_ns",
    )  # fmt: skip

    def __init__(self, name: str, intervals: tuple[str, ...]) -> None:
        self.trade = f"trade.{name}"
        self.depth = f"depth.{name}"
        self.book = f"book.{name}"
        self.ticker = f"ticker.{name}"
        self.market = f"market.{name}"
        self.auction = f"auction.{name}"
        self.offers = f"offers.{name}"
        self.candles = {interval: f"candle.{name}.{interval}" for interval in intervals}
        self.best: tuple[int, ...] = ()
        self.depth_ns = self.window_ns = 0


class Teller:
    """Publishes what changed.

    Parameters
    ----------
    markets
        The state; its ``touched`` markets are told.
    publisher
        Where to.
    pace
        How often.
    """

    def __init__(self, markets: Markets, publisher: Publisher, pace: Pace) -> None:
        self._markets = markets
        self._publisher = publisher
        self._pace = pace
        self._told: dict[str, Told] = {}
        self._heartbeat_ns = 0
        self._heard_fresh_ns = 0

    def begin(self) -> None:
        """Count everything up to now as told: what follows is news."""
        for market in self._markets.by_name.values():
            market.settle()
            market.depth.forget()
            market.trades.take_new()
            for series in market.candles.series.values():
                series.forget()
            market.tickers.changed = False
            market.told = market.auction_told = market.offers_told = True
        self._markets.touched.clear()

    def tell_trades(self, clock_ns: int) -> None:
        """Publish the new trades of all touched markets."""
        for market in self._markets.touched.values():
            if market.trades.pending:
                self._tell_trades(market, self._of(market), clock_ns)

    def tell(self, clock_ns: int) -> int:
        """Publish what is due; return when (monotonic ns) the next is, 0 for nothing."""
        touched, next_ns = self._markets.touched, 0
        done: list[str] = []
        for name, market in touched.items():
            told = self._of(market)
            due_ns = self._tell_market(market, told, clock_ns)
            if not due_ns:
                done.append(name)
            elif not next_ns or due_ns < next_ns:
                next_ns = due_ns
        for name in done:
            del touched[name]
        return next_ns

    def heartbeats(self, clock_ns: int) -> None:
        """Announce the next numbers of silent topics, and of those that somebody has just subscribed to."""
        publisher, pace = self._publisher, self._pace
        fresh = bool(publisher.fresh) and clock_ns - self._heard_fresh_ns >= pace.flush_ns
        if not fresh and clock_ns - self._heartbeat_ns < pace.heartbeat_ns // 4:
            return
        self._heartbeat_ns = clock_ns
        since_ns = clock_ns - pace.heartbeat_ns
        for market in self._markets.by_name.values():
            told = self._of(market)
            self._heartbeat(told.trade, market.trades.told_trade_id, since_ns, clock_ns)
            self._heartbeat(told.depth, market.depth.told_seq, since_ns, clock_ns)
            own = (told.book, told.ticker, told.market, told.auction, told.offers, *told.candles.values())
            for topic in own:
                self._heartbeat(topic, publisher.number(topic), since_ns, clock_ns)
        if fresh:
            publisher.fresh.clear()
            self._heard_fresh_ns = clock_ns

    def number(self, topic: str) -> int:
        """Return the last number told of a topic with numbers of its own."""
        return self._publisher.number(topic)

    def _of(self, market: Market) -> Told:
        told = self._told.get(market.name)
        if told is None:
            told = self._told[market.name] = Told(market.name, self._markets.bounds.intervals)
        return told

    def _heartbeat(self, topic: str, last: int, since_ns: int, clock_ns: int) -> None:
        publisher, markets = self._publisher, self._markets
        if publisher.wants(topic) and publisher.is_silent(topic, since_ns):
            publisher.send(topic, last + 1, last, markets.seq, markets.now_ns, None, clock_ns)

    def _tell_market(self, market: Market, told: Told, clock_ns: int) -> int:
        """Tell what is due of one market; return when the rest is, 0 for none."""
        pace = self._pace
        if market.trades.pending:
            self._tell_trades(market, told, clock_ns)
        if not market.told:
            market.told = True
            self._tell_next(told.market, market.row(), clock_ns)
        if not market.auction_told:
            market.auction_told = True
            self._tell_next(told.auction, market.auction, clock_ns)
        if not market.offers_told:
            market.offers_told = True
            self._tell_next(told.offers, market.all_offers(), clock_ns)
        next_ns = 0
        if market.depth.pending:
            if clock_ns - told.depth_ns >= pace.flush_ns:
                told.depth_ns = clock_ns
                self._tell_depth(market, told, clock_ns)
            else:
                next_ns = told.depth_ns + pace.flush_ns
        if market.windows_changed:
            if clock_ns - told.window_ns >= pace.window_ns:
                told.window_ns = clock_ns
                self._tell_windows(market, told, clock_ns)
            else:
                window_ns = told.window_ns + pace.window_ns
                next_ns = min(next_ns, window_ns) if next_ns else window_ns
        return next_ns

    def _tell_next(self, topic: str, body: object, clock_ns: int) -> None:
        if self._publisher.wants(topic):
            self._publisher.send_next(topic, self._markets.seq, self._markets.now_ns, body, clock_ns)

    def _tell_trades(self, market: Market, told: Told, clock_ns: int) -> None:
        publisher, markets = self._publisher, self._markets
        new = market.trades.take_new()
        if publisher.wants(told.trade):
            for at in range(0, len(new), TRADES_PER_MESSAGE_MAX):
                part = new[at : at + TRADES_PER_MESSAGE_MAX]
                first, last = part[0].trade_id, part[-1].trade_id
                publisher.send(told.trade, first, last, markets.seq, markets.now_ns, part, clock_ns)

    def _tell_depth(self, market: Market, told: Told, clock_ns: int) -> None:
        publisher, markets, depth = self._publisher, self._markets, market.depth
        if publisher.wants(told.book):
            best = depth.best()
            if best[:4] != told.best:
                told.best = best[:4]
                publisher.send_next(told.book, markets.seq, markets.now_ns, best, clock_ns)
        if not publisher.wants(told.depth):
            depth.forget()
        elif (diff := depth.diff()) is not None:
            body = (diff.bids, diff.asks, depth.checksum())
            publisher.send(
                told.depth, diff.first_number, diff.last_number, markets.seq, markets.now_ns, body, clock_ns
            )

    def _tell_windows(self, market: Market, told: Told, clock_ns: int) -> None:
        publisher = self._publisher
        market.settle()
        if market.tickers.changed:
            market.tickers.changed = False
            if publisher.wants(told.ticker):
                self._tell_next(told.ticker, market.tickers.row(self._markets.now_ns), clock_ns)
        for interval, series in market.candles.series.items():
            if not series.changed:
                continue
            topic = told.candles[interval]
            if publisher.wants(topic):
                self._tell_next(topic, market.candles.changes(interval), clock_ns)
            else:
                series.forget()
