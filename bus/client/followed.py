"""What can be followed in a feed: a depth book, trades, candles, or the newest value of a topic.

Invariant: each of these either is complete up to the number that it names, or says that it is not
(``ready`` is False) and wants to ask the feed's snapshot ROUTER; what it holds is bounded.

Pure: frames and answers come in, questions (`Question`) go out.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from ..errors import Code, StreamError, ZeropitError, error_for
from ..market_data import CHECKSUM_LEVELS, Candle, Level, TopicFrame, Trade, checksum

T = TypeVar("T")
BUFFERED_MAX = 10_000
"""Frames kept while an answer is on its way; beyond it they are dropped and asked for again."""


class Question(NamedTuple):
    """A query to the snapshot ROUTER."""

    query: str
    args: tuple[object, ...]


class Bounds(NamedTuple):
    """What the feed's status says about its answers."""

    levels_max: int
    rows_max: int


class Followed(Protocol):
    """What the market-data core needs of each."""

    topic: str
    error: ZeropitError | None

    @property
    def ready(self) -> bool:
        """Whether it is complete."""

    def question(self, bounds: Bounds) -> Question | None:
        """Return what it wants to ask now."""

    def answered(self, result: Sequence[Any]) -> None:
        """Take in the answer to the question asked last."""

    def take(self, frame: TopicFrame) -> None:
        """Take in a frame of its topic, or a heartbeat."""


class Depth:
    """A market's book, kept in sync: prices in ticks, quantities in lots.

    Parameters
    ----------
    market
        Which.
    levels_max
        Levels a side to ask for; prices beyond are known as far as they change later.

    Attributes
    ----------
    market_seq
        The last book change in it.
    snapshots, mismatches
        How often it was fetched, and how often its checksum was not the feed's.
    """

    def __init__(self, market: str, levels_max: int = 1_000) -> None:
        self.market = market
        self.topic = f"depth.{market}"
        self.error: ZeropitError | None = None
        self.market_seq = -1
        self.snapshots = self.mismatches = 0
        self._levels_max = levels_max
        self._synced = False
        self._lots: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._prices: tuple[list[int], list[int]] = ([], [])
        self._buffer: deque[TopicFrame] = deque(maxlen=BUFFERED_MAX)

    @property
    def ready(self) -> bool:
        """Whether the book is the venue's as of ``market_seq``."""
        return self._synced

    def bids(self, levels: int) -> list[Level]:
        """Return the best bids, best first; O(levels)."""
        lots, prices = self._lots[0], self._prices[0]
        return [(price, lots[price]) for price in prices[: -levels - 1 : -1]]

    def asks(self, levels: int) -> list[Level]:
        """Return the best asks, best first; O(levels)."""
        lots, prices = self._lots[1], self._prices[1]
        return [(price, lots[price]) for price in prices[:levels]]

    def question(self, bounds: Bounds) -> Question | None:
        """Return the query for a snapshot while not in sync."""
        levels = min(self._levels_max, bounds.levels_max)
        return None if self._synced else Question("depth", (self.market, levels))

    def answered(self, result: Sequence[Any]) -> None:
        """Take in a snapshot and what came since."""
        market_seq, bids, asks, wanted = result[:4]
        if market_seq < self.market_seq:
            return  # of a feed that is behind what we have: ask again
        self.snapshots += 1
        self.market_seq = market_seq
        self._lots = ({row[0]: row[1] for row in bids}, {row[0]: row[1] for row in asks})
        self._prices = (sorted(self._lots[0]), sorted(self._lots[1]))
        self._synced = self._checked(wanted)
        waiting, self._buffer = self._buffer, deque(maxlen=BUFFERED_MAX)
        for frame in waiting:
            self.take(frame)

    def take(self, frame: TopicFrame) -> None:
        """Apply a diff that follows; anything else puts the book out of sync until a snapshot comes."""
        if not self._synced:
            if frame.body is not None:
                self._buffer.append(frame)
        elif frame.last_number <= self.market_seq:
            return
        elif frame.body is None or frame.first_number > self.market_seq + 1:
            self._synced = False
            if frame.body is not None:
                self._buffer.append(frame)
        else:
            bids, asks, wanted = frame.body[:3]
            self._apply(0, bids)
            self._apply(1, asks)
            self.market_seq = frame.last_number
            self._synced = self._checked(wanted)

    def _apply(self, side: int, rows: Sequence[Sequence[int]]) -> None:
        lots, prices = self._lots[side], self._prices[side]
        for price, total, *_ in rows:
            if total == 0:
                if lots.pop(price, None) is not None:
                    del prices[bisect_left(prices, price)]
            else:
                if price not in lots:
                    insort(prices, price)
                lots[price] = total

    def _checked(self, wanted: int) -> bool:
        fits = checksum(self.bids(CHECKSUM_LEVELS), self.asks(CHECKSUM_LEVELS)) == wanted
        self.mismatches += not fits
        return fits


class Missed(NamedTuple):
    """Trades that the feed no longer has at hand; history (the recorder) has them."""

    first_trade_id: int
    last_trade_id: int


class Trades:
    """A market's trades in order, without a hole.

    Parameters
    ----------
    market
        Which.
    past
        How many of the newest to begin with.
    after
        Begin after this trade id instead.
    trades_max
        Trades held for the reader; beyond it, none are taken until half are read.
    """

    def __init__(
        self, market: str, past: int = 0, after: int | None = None, trades_max: int = 100_000
    ) -> None:
        self.market = market
        self.topic = f"trade.{market}"
        self.error: ZeropitError | None = None
        self.last_trade_id = after
        self._past = past
        self._trades_max = trades_max
        self._behind = True
        self._buffer: deque[TopicFrame] = deque(maxlen=BUFFERED_MAX)
        self._items: deque[Trade | Missed] = deque()

    @property
    def ready(self) -> bool:
        """Whether every trade told so far is in."""
        return not self._behind

    def question(self, bounds: Bounds) -> Question | None:
        """Return the query for the trades that are missing."""
        if not self._behind or len(self._items) > self._trades_max // 2:
            return None
        if self.last_trade_id is None:
            return Question("trades", (self.market, -1, min(max(1, self._past), bounds.rows_max)))
        return Question("trades", (self.market, self.last_trade_id, bounds.rows_max))

    def answered(self, result: Sequence[Any]) -> None:
        """Take in past trades and what came since."""
        oldest, last, rows = result[:3]
        if self.last_trade_id is None:
            self.last_trade_id = last - min(self._past, len(rows))
        elif last < self.last_trade_id:
            return  # of a feed that is behind what we have: ask again
        if oldest > self.last_trade_id + 1 or (not oldest and last > self.last_trade_id):
            reach = oldest - 1 if oldest else last
            self._items.append(Missed(self.last_trade_id + 1, reach))
            self.last_trade_id = reach
        self._add(rows)
        self._behind = self.last_trade_id < last
        waiting, self._buffer = self._buffer, deque(maxlen=BUFFERED_MAX)
        for frame in waiting:
            self.take(frame)

    def take(self, frame: TopicFrame) -> None:
        """Take in the next trades, or find that some are missing."""
        if self._behind or self.last_trade_id is None:
            if frame.body is not None:
                self._buffer.append(frame)
        elif frame.last_number > self.last_trade_id:
            if (
                frame.body is None
                or frame.first_number > self.last_trade_id + 1
                or len(self._items) >= self._trades_max
            ):
                self._behind = True
            else:
                self._add(frame.body)

    def has_news(self) -> bool:
        """Return whether `next` would return or raise something."""
        return bool(self._items) or self.error is not None

    def next(self) -> Trade | Missed | None:
        """Return the next trade, or None when there is none at the moment.

        Raises
        ------
        ZeropitError
            Why the stream ended, once all that came before is read.
        """
        if self._items:
            return self._items.popleft()
        if self.error is not None:
            raise error_for(self.error.code, self.error.detail)
        return None

    def _add(self, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            if self.last_trade_id is None or row[0] > self.last_trade_id:
                self._items.append(Trade(*row[: len(Trade._fields)]))
                self.last_trade_id = row[0]


class Newest(Generic[T]):
    """The newest value of a topic whose values stand by themselves: best prices, ticker, market.

    Attributes
    ----------
    value
        The newest; None before the first.
    """

    def __init__(self, topic: str, made: Callable[[Sequence[Any]], T]) -> None:
        self.topic = topic
        self.error: ZeropitError | None = None
        self.value: T | None = None
        self._made = made
        self._instance = 0
        self._number = -1

    @property
    def ready(self) -> bool:
        """Whether nothing newer was told."""
        return self._number >= 0

    def question(self, bounds: Bounds) -> Question | None:
        """Return the query for the newest value while it is not known."""
        return None if self.ready else Question("last", (self.topic,))

    def answered(self, result: Sequence[Any]) -> None:
        """Take in the newest value."""
        instance, _, number, _, _, body = result[:6]
        if not self.ready or instance != self._instance or number > self._number:
            self._instance, self._number = instance, number
            if body is not None:
                self.value = self._made(body)

    def take(self, frame: TopicFrame) -> None:
        """Take in a newer value, or find that one is missing."""
        other = frame.feed_instance != self._instance
        if frame.body is not None:
            if other or frame.last_number > self._number:
                self._instance, self._number = frame.feed_instance, frame.last_number
                self.value = self._made(frame.body)
        elif other or frame.last_number > self._number:
            self._number = -1


class Candles:
    """A market's newest candles of one interval, oldest first, without a hole; the last is under way.

    Parameters
    ----------
    market, interval
        Which.
    past
        How many are kept.
    """

    def __init__(self, market: str, interval: str, past: int = 500) -> None:
        self.market = market
        self.interval = interval
        self.topic = f"candle.{market}.{interval}"
        self.error: ZeropitError | None = None
        self._past = past
        self._instance = 0
        self._number = -1
        self._rows: dict[int, Candle] = {}
        self._buffer: deque[TopicFrame] = deque(maxlen=BUFFERED_MAX)

    @property
    def ready(self) -> bool:
        """Whether nothing told is missing."""
        return self._number >= 0

    @property
    def rows(self) -> list[Candle]:
        """The candles, oldest first."""
        return list(self._rows.values())

    def question(self, bounds: Bounds) -> Question | None:
        """Return the query for candles while some are missing."""
        if self.ready:
            return None
        return Question("candles", (self.market, self.interval, -1, min(self._past, bounds.rows_max)))

    def answered(self, result: Sequence[Any]) -> None:
        """Take in candles and what came since."""
        self._rows = {}
        self._put(result)
        self._number, self._instance = 0, 0
        waiting, self._buffer = self._buffer, deque(maxlen=BUFFERED_MAX)
        for frame in waiting:
            self.take(frame)

    def take(self, frame: TopicFrame) -> None:
        """Take in what changed, or find that something is missing."""
        if not self.ready:
            if frame.body is not None:
                self._buffer.append(frame)
            return
        if self._instance == 0:
            # The first since the answer, which may hold some of it already: rows are whole, so no harm.
            self._instance, self._number = frame.feed_instance, frame.last_number
        elif frame.feed_instance != self._instance or frame.first_number > self._number + 1:
            self._number = -1
            return
        self._number = max(self._number, frame.last_number)
        if frame.body is not None:
            self._put(frame.body)

    def _put(self, rows: Sequence[Sequence[Any]]) -> None:
        newest = next(reversed(self._rows), -1)
        for row in rows:
            candle = Candle(*row[:10])
            if candle.start_ns >= newest or candle.start_ns in self._rows:
                self._rows[candle.start_ns] = candle
        while len(self._rows) > self._past:
            del self._rows[next(iter(self._rows))]


class Source:
    """Checks that all frames come from one venue whose history only goes on."""

    def __init__(self) -> None:
        self.venue_id = b""
        self.epoch = 0

    def check(self, venue_id: bytes, epoch: int) -> None:
        """Note where a frame comes from.

        Raises
        ------
        StreamError
            STREAM_OTHER_VENUE, STREAM_REWOUND.
        """
        if (venue_id == self.venue_id and epoch == self.epoch) or not any(venue_id):
            return  # a feed that has not heard of its venue yet says zeros
        if self.venue_id and venue_id != self.venue_id:
            raise StreamError(
                Code.STREAM_OTHER_VENUE, f"expected venue {self.venue_id.hex()}, was {venue_id.hex()}"
            )
        if epoch < self.epoch:
            raise StreamError(Code.STREAM_REWOUND, f"expected epoch {self.epoch} or later, was {epoch}")
        self.venue_id, self.epoch = venue_id, epoch
