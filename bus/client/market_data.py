"""Market data for users: follow books, trades, tickers and candles of a feed, blocking or with asyncio.

Invariant: what is followed is kept complete in the background of every call (or of the event loop);
reading it never waits.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar

import zmq

from ..errors import Code, ServiceError, SessionError, error_for
from ..events import MarketCreated
from ..market_data import Auction, Best, MarketRow, Offer, Ticker, Trade
from ..sockets import Limits, connect
from ..units import MarketUnits
from .calls import call
from .feed import Feed
from .followed import Candles, Depth, Followed, Missed, Newest, Trades
from .pending import Pending
from .turns import FOREVER_S, LoopTurns, PollTurns, Steps, ignore, is_readable

T = TypeVar("T")
F = TypeVar("F", bound=Followed)

RECEIVED_MAX = 1_000
"""Messages taken in one turn."""
PAGE_MARKETS = 100
LIMITS = Limits(sndhwm=1_000, rcvhwm=100_000, linger_ms=0, message_bytes_max=64 * 1024 * 1024)


class FeedPort:
    """The sockets of a feed's client, as a `bus.client.turns.Port`. They reconnect by themselves."""

    def __init__(self, stream: str, query: str, context: "zmq.Context[zmq.Socket[bytes]] | None") -> None:
        self.feed = Feed(Random())
        self.ended = False
        self.on_open: Callable[[list[Any]], object] = ignore
        self.on_close: Callable[[list[Any]], object] = ignore
        self._endpoints = (stream, query)
        self._context = context or zmq.Context.instance()
        self._sockets: tuple[zmq.Socket[bytes], zmq.Socket[bytes]] | None = None

    @property
    def has_more(self) -> bool:
        """Whether something can be taken in at once."""
        return any(is_readable(socket) for socket in self._sockets or ())

    def turn(self, now_ns: int) -> int:
        """Do all that can be done without waiting; return how many messages were taken in."""
        if self.ended:
            return 0
        if self._sockets is None:
            self._sockets = self._opened()
            if self._sockets is None:
                return 0
        topics, questions = self._sockets
        for topic in self.feed.fresh_topics:
            topics.setsockopt(zmq.SUBSCRIBE, topic)
        self.feed.fresh_topics.clear()
        received = 0
        # Answers first: a snapshot that comes late in the turn finds more frames waiting for it.
        while received < RECEIVED_MAX and is_readable(questions):
            self.feed.take_answer(questions.recv(zmq.NOBLOCK), now_ns)
            received += 1
        while received < RECEIVED_MAX and is_readable(topics):
            parts = topics.recv_multipart(zmq.NOBLOCK)
            if len(parts) == 2:
                self.feed.take_topic(parts[1], now_ns)
            received += 1
        while (message := self.feed.next_question(now_ns)) is not None:
            try:
                questions.send(message, zmq.NOBLOCK)
            except zmq.Again:
                break
        return received

    def _opened(self) -> "tuple[zmq.Socket[bytes], zmq.Socket[bytes]] | None":
        """Return both sockets; None, and the end, when an endpoint is none."""
        stream, query = self._endpoints
        try:
            topics = connect(self._context, "SUB", stream, LIMITS)
        except ServiceError as error:
            self._end(error)
            return None
        try:
            questions = connect(self._context, "DEALER", query, LIMITS)
        except ServiceError as error:
            topics.close(linger=0)
            self._end(error)
            return None
        self.on_open([topics, questions])
        return topics, questions

    def _end(self, error: ServiceError) -> None:
        self.ended = True
        self.feed.stop(error)

    def next_due_ns(self) -> int:
        """Return when there may be something to ask again."""
        return self.feed.next_due_ns(time.monotonic_ns())

    def give_up(self, pending: Pending) -> None:
        """Wait for an answer no longer."""
        self.feed.give_up(pending)

    def call_back(self) -> None:
        """Call the callbacks that are due."""
        while (pending := self.feed.take_callback()) is not None:
            if pending.callback is not None:
                pending.callback(pending)

    def drop(self) -> None:
        """Close the sockets for good."""
        self.ended = True
        if self._sockets is not None:
            self.on_close(list(self._sockets))
            for socket in self._sockets:
                socket.close(linger=0)
            self._sockets = None


class Following:
    """What both clients of a feed can do.

    What the methods `depth`, `trades`, `best`, `ticker`, `market` and `candles` return is followed from then
    on, and `ready` waits until it is complete.
    """

    def __init__(self, port: FeedPort, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.units: dict[str, MarketUnits] = {}
        self._port = port

    @property
    def silence_s(self) -> float:
        """How long nothing was heard of the feed (it sends heartbeats for what is followed)."""
        return (time.monotonic_ns() - self._port.feed.heard_ns) / 1e9

    def depth(self, market: str, levels_max: int = 1_000) -> Depth:
        """Follow a market's book."""
        return self.follow(Depth(market, levels_max))

    def trades(self, market: str, past: int = 0, after: int | None = None) -> Trades:
        """Follow a market's trades, beginning with the ``past`` newest or after a trade id."""
        return self.follow(Trades(market, past, after))

    def best(self, market: str) -> Newest[Best]:
        """Follow a market's best bid and ask."""
        return self.follow(Newest(f"book.{market}", lambda row: Best(*row[:5])))

    def ticker(self, market: str) -> Newest[Ticker]:
        """Follow a market's last 24 hours."""
        return self.follow(Newest(f"ticker.{market}", lambda row: Ticker(*row[:12])))

    def market(self, market: str) -> Newest[MarketRow]:
        """Follow a market's state."""
        return self.follow(Newest(f"market.{market}", lambda row: MarketRow(*row[: len(MarketRow._fields)])))

    def auction(self, market: str) -> Newest[Auction]:
        """Follow what a market's call auction would do now, or did (``done``)."""
        return self.follow(Newest(f"auction.{market}", lambda row: Auction(*row[: len(Auction._fields)])))

    def offers(self, market: str) -> Newest[list[Offer]]:
        """Follow what a runner's book offers beyond its own orders: implied and cross-matched."""
        return self.follow(
            Newest(f"offers.{market}", lambda rows: [Offer(*row[: len(Offer._fields)]) for row in rows])
        )

    def candles(self, market: str, interval: str, past: int = 500) -> Candles:
        """Follow a market's candles of an interval such as ``1m``."""
        return self.follow(Candles(market, interval, past))

    def follow(self, followed: F) -> F:
        """Follow something from now on, and return it."""
        if (error := self._port.feed.error) is not None:
            raise error_for(error.code, error.detail)
        self._port.feed.follow(followed)
        return followed

    def leave(self, followed: Followed) -> None:
        """Follow something no longer."""
        self._port.feed.leave(followed)

    @call
    def connect(self) -> Steps[None]:
        """Load the markets (and so see that a feed is there).

        Raises
        ------
        SessionError
            NOT_READY when no feed answered in time.
        """
        yield from self._load_markets()

    @call
    def markets(self) -> Steps[dict[str, MarketRow]]:
        """Return all markets by name, as they are now."""
        return (yield from self._load_markets())

    @call
    def query(self, name: str, *args: object) -> Steps[Any]:
        """Ask one of the feed's queries (`docs/reference/market-data.md`) and return its raw result."""
        return (yield from self._query(name, args))

    def _query(self, name: str, args: tuple[object, ...]) -> Steps[Any]:
        pending = self._port.feed.ask(name, args)
        yield pending
        return pending.value()[2]

    def _load_markets(self) -> Steps[dict[str, MarketRow]]:
        found: dict[str, MarketRow] = {}
        after = ""
        while True:
            rows = yield from self._query("markets", (after, PAGE_MARKETS))
            for wire_row in rows:
                row = MarketRow(*wire_row[: len(MarketRow._fields)])
                created = MarketCreated(row.market, row.base, row.quote, *row[5:13])
                self.units[row.market] = MarketUnits(created, row.base_decimals, row.quote_decimals)
                found[row.market] = row
                after = row.market
            if not rows:
                return found

    def _is_ready(self, followed: Followed) -> bool:
        if followed.error is not None:
            raise error_for(followed.error.code, followed.error.detail)
        return followed.ready


class MarketData(Following):
    """A feed's client for one thread: everything happens inside its calls.

    Parameters
    ----------
    stream, query
        The feed's two endpoints, such as ``tcp://127.0.0.1:7011`` and ``tcp://127.0.0.1:7012``.
    timeout_s
        How long a call waits.
    context
        ZeroMQ context to use; default: the process's own.
    """

    def __init__(
        self,
        stream: str,
        query: str,
        *,
        timeout_s: float = 15.0,
        context: "zmq.Context[zmq.Socket[bytes]] | None" = None,
    ) -> None:
        super().__init__(FeedPort(stream, query, context), timeout_s)
        self._turns = PollTurns(self._port)

    def __enter__(self) -> Self:
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pump(self, timeout_s: float = 0.0) -> int:
        """Take in what has come; with nothing, wait at most ``timeout_s``. Return how many messages came."""
        return self._turns.turn(time.monotonic_ns() + int(timeout_s * 1e9) if timeout_s else 0)

    def ready(self, followed: F, timeout_s: float | None = None) -> F:
        """Wait until something followed is complete, and return it.

        Raises
        ------
        SessionError
            NOT_READY when it was not in time.
        ZeropitError
            Why it cannot be followed.
        """
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        if not self._turns.until(lambda: self._is_ready(followed), limit_s):
            raise _late(followed, limit_s)
        return followed

    def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Take in what comes until a condition holds; return whether it does."""
        return self._turns.until(condition, timeout_s)

    def each(self, trades: Trades, timeout_s: float | None = None) -> Iterator[Trade | Missed]:
        """Iterate over trades; end when none came for ``timeout_s`` (None: never)."""
        while self._turns.until(trades.has_news, FOREVER_S if timeout_s is None else timeout_s):
            if (item := trades.next()) is not None:
                yield item

    def run(self, steps: Steps[T]) -> T:
        """Take the steps of a call, waiting for each; ``timeout_s`` is for all of them."""
        return self._turns.run(steps, self.timeout_s)

    def close(self) -> None:
        """Close the sockets."""
        self._port.drop()


class AsyncMarketData(Following):
    """A feed's client for the tasks of one event loop; parameters as of `MarketData`."""

    def __init__(
        self,
        stream: str,
        query: str,
        *,
        timeout_s: float = 15.0,
        context: "zmq.Context[zmq.Socket[bytes]] | None" = None,
    ) -> None:
        super().__init__(FeedPort(stream, query, context), timeout_s)
        self._turns = LoopTurns(self._port)

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def ready(self, followed: F, timeout_s: float | None = None) -> F:
        """Wait until something followed is complete, and return it; raises as `MarketData.ready`."""
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        if not await self._turns.until(lambda: self._is_ready(followed), limit_s):
            raise _late(followed, limit_s)
        return followed

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition holds; return whether it does."""
        return await self._turns.until(condition, timeout_s)

    async def each(self, trades: Trades) -> AsyncIterator[Trade | Missed]:
        """Iterate over trades."""
        while await self._turns.until(trades.has_news):
            if (item := trades.next()) is not None:
                yield item

    async def run(self, steps: Steps[T]) -> T:
        """Take the steps of a call, waiting for each; ``timeout_s`` is for all of them."""
        return await self._turns.run(steps, self.timeout_s)

    async def close(self) -> None:
        """Close the sockets."""
        self._turns.stop()


def _late(followed: Followed, limit_s: float) -> SessionError:
    return SessionError(
        Code.NOT_READY, f"expected {followed.topic} complete within {limit_s} s, was still incomplete"
    )
