"""Books, trades, newest values and candles: complete again whatever is lost."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.client.followed import Bounds, Candles, Depth, Missed, Newest, Source, Trades
from bus.errors import Code, StreamError
from bus.market_data import Best, Level, TopicFrame, Trade, checksum

VENUE = b"v" * 16
BOUNDS = Bounds(1_000, 5)
MINUTE = 60_000_000_000


def frame(topic: str, first: int, last: int, body: Any, instance: int = 1) -> TopicFrame:
    return TopicFrame(topic, instance, VENUE, "engine-1", 1, first, last, last, 0, body)


class Book:
    """The venue's book, one change a number, and the diffs of it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.number = 0
        self.told = 0
        self.changed: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def change(self) -> None:
        side = self.random.randrange(2)
        price = self.random.randrange(1, 30) + 30 * side
        lots = self.random.choice([0, 0, 5, 7])
        if lots:
            self.levels[side][price] = lots
        else:
            self.levels[side].pop(price, None)
        self.changed[side][price] = lots
        self.number += 1

    def sides(self) -> tuple[list[Level], list[Level]]:
        return sorted(self.levels[0].items(), reverse=True), sorted(self.levels[1].items())

    def diff(self) -> TopicFrame:
        rows = [tuple(changed.items()) for changed in self.changed]
        found = frame("depth.M", self.told + 1, self.number, (rows[0], rows[1], checksum(*self.sides())))
        self.told = self.number
        self.changed = ({}, {})
        return found

    def heartbeat(self) -> TopicFrame:
        return frame("depth.M", self.told + 1, self.told, None)

    def snapshot(self) -> tuple[Any, ...]:
        bids, asks = self.sides()
        return (self.number, bids, asks, checksum(bids, asks), len(bids), len(asks))


def agree(depth: Depth, book: Book) -> bool:
    return (depth.bids(100), depth.asks(100)) == book.sides()


def is_ready(depth: Depth) -> bool:
    return depth.ready


def test_a_book_begins_with_a_snapshot_and_what_came_meanwhile() -> None:
    book, depth = Book(Random(1)), Depth("M")
    assert depth.question(BOUNDS) == ("depth", ("M", 1_000))
    frames = []
    for _ in range(5):
        book.change()
        frames.append(book.diff())
    depth.take(frames[0])
    depth.take(frames[1])
    book.change()
    frames.append(book.diff())
    snapshot = book.snapshot()
    depth.take(frames[4])
    depth.answered(snapshot)
    assert is_ready(depth)
    depth.take(frames[5])
    assert agree(depth, book)
    assert depth.market_seq == book.number
    assert depth.question(BOUNDS) is None


@pytest.mark.parametrize("how", ["gap", "heartbeat", "checksum"])
def test_a_book_that_lost_something_asks_again(how: str) -> None:
    book, depth = Book(Random(2)), Depth("M")
    depth.answered(book.snapshot())
    book.change()
    lost = book.diff()
    if how == "gap":
        book.change()
        depth.take(book.diff())
    elif how == "heartbeat":
        depth.take(book.heartbeat())
    else:
        depth.take(lost._replace(body=(*lost.body[:2], 7)))
        assert depth.mismatches == 1
    assert not is_ready(depth)
    depth.answered(book.snapshot())
    assert is_ready(depth)
    assert agree(depth, book)
    depth.take(book.heartbeat())
    depth.take(lost)
    assert is_ready(depth)


def test_a_snapshot_older_than_what_came_is_asked_for_again() -> None:
    book, depth = Book(Random(3)), Depth("M")
    old = book.snapshot()
    book.change()
    book.diff()
    book.change()
    depth.take(book.diff())
    depth.answered(old)
    assert not is_ready(depth)
    depth.answered(book.snapshot())
    assert agree(depth, book)
    depth.take(frame("depth.M", 9, 9, ((), (), 0)))
    depth.answered(old)
    assert not is_ready(depth)


@given(seed=st.integers(0, 2**32))
def test_a_book_in_sync_is_the_venues_whatever_is_lost(seed: int) -> None:
    random = Random(seed)
    book, depth = Book(random), Depth("M")
    snapshot: tuple[Any, ...] | None = None
    for _ in range(200):
        for _ in range(random.randrange(4)):
            book.change()
        if random.random() < 0.5 and book.told < book.number:
            told = book.diff()
            if random.random() < 0.9:
                depth.take(told)
        elif book.told == book.number and random.random() < 0.2:
            depth.take(book.heartbeat())
        if depth.question(BOUNDS) is not None and snapshot is None:
            snapshot = book.snapshot()
        elif snapshot is not None and random.random() < 0.4:
            depth.answered(snapshot)
            snapshot = None
        if depth.ready and depth.market_seq == book.number:
            assert agree(depth, book)
    if book.told < book.number:
        depth.take(book.diff())
    depth.take(book.heartbeat())
    if not depth.ready:
        depth.answered(book.snapshot())
    assert depth.ready
    assert depth.market_seq == book.number
    assert agree(depth, book)


def trade(trade_id: int) -> tuple[int, ...]:
    return (trade_id, 100, 1, 1, trade_id + 50, 9, 77)


def trades_frame(first: int, last: int) -> TopicFrame:
    return frame("trade.M", first, last, tuple(trade(i) for i in range(first, last + 1)))


def ids(trades: Trades) -> list[object]:
    found: list[object] = []
    while (item := trades.next()) is not None:
        found.append(item.trade_id if isinstance(item, Trade) else tuple(item))
    return found


def answer(after: int, last: int, limit: int, oldest: int = 1) -> tuple[Any, ...]:
    first = max(oldest, last - limit + 1 if after < 0 else after + 1)
    return (oldest, last, [trade(i) for i in range(first, min(last, first + limit - 1) + 1)])


def test_trades_from_now_on() -> None:
    trades = Trades("M")
    assert trades.question(BOUNDS) == ("trades", ("M", -1, 1))
    trades.take(trades_frame(9, 11))
    trades.answered(answer(-1, 10, 1))
    assert trades.ready
    trades.take(trades_frame(12, 13))
    trades.take(trades_frame(12, 13))
    assert ids(trades) == [11, 12, 13]


def test_trades_with_a_past_and_a_hole() -> None:
    trades = Trades("M", past=3)
    trades.answered(answer(-1, 10, 3))
    trades.take(trades_frame(13, 14))
    assert trades.question(BOUNDS) == ("trades", ("M", 10, 5))
    trades.take(trades_frame(15, 17))
    trades.answered(answer(10, 17, 5))
    assert trades.question(BOUNDS) == ("trades", ("M", 15, 5))
    trades.answered(answer(15, 17, 5))
    assert trades.question(BOUNDS) is None
    assert ids(trades) == [8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
    trades.take(frame("trade.M", 19, 18, None))
    assert trades.question(BOUNDS) == ("trades", ("M", 17, 5))


def test_trades_that_the_feed_no_longer_has_are_named() -> None:
    trades = Trades("M", after=3)
    trades.answered(answer(3, 9, 5, oldest=8))
    assert ids(trades) == [(4, 7), 8, 9]
    empty = Trades("M", after=3)
    empty.answered((0, 9, []))
    assert empty.next() == Missed(4, 9)
    assert empty.ready


def test_a_slow_reader_of_trades_loses_nothing() -> None:
    trades = Trades("M", after=0, trades_max=4)
    trades.answered((1, 0, []))
    trades.take(trades_frame(1, 4))
    trades.take(trades_frame(5, 6))
    assert trades.question(BOUNDS) is None
    assert ids(trades) == [1, 2, 3, 4]
    assert trades.question(BOUNDS) == ("trades", ("M", 4, 5))
    trades.answered(answer(4, 6, 5))
    assert ids(trades) == [5, 6]


def test_the_newest_value() -> None:
    best = Newest("book.M", lambda row: Best(*row[:5]))
    assert best.question(BOUNDS) == ("last", ("book.M",))
    best.answered((1, 4, 4, 0, 0, (1, 1, 2, 2, 9)))
    assert best.value == Best(1, 1, 2, 2, 9)
    best.take(frame("book.M", 6, 6, (1, 1, 3, 2, 10, "later field")))
    assert best.value == Best(1, 1, 3, 2, 10)
    best.take(frame("book.M", 5, 5, (1, 1, 2, 2, 9)))
    assert best.value.ask_ticks == 3
    best.take(frame("book.M", 8, 7, None))
    assert best.question(BOUNDS) is not None
    best.take(frame("book.M", 1, 1, (1, 1, 4, 2, 11), instance=2))
    assert best.question(BOUNDS) is None
    assert best.value.ask_ticks == 4


def test_a_topic_that_never_had_a_value() -> None:
    best = Newest("book.M", lambda row: Best(*row[:5]))
    best.answered((1, 0, 0, 0, 0, None))
    assert best.ready
    assert best.value is None


def candle(minute: int, close: int) -> tuple[object, ...]:
    return (minute * MINUTE, 1, 9, 1, close, "5", "50", 2, False, True)


def test_candles_are_kept_complete() -> None:
    candles = Candles("M", "1m", past=3)
    assert candles.question(BOUNDS) == ("candles", ("M", "1m", -1, 3))
    candles.take(frame("candle.M.1m", 4, 4, (candle(2, 5),)))
    candles.answered([candle(1, 1), candle(2, 2)])
    assert [row.close_ticks for row in candles.rows] == [1, 5]
    candles.take(frame("candle.M.1m", 5, 5, (candle(2, 6), candle(3, 7))))
    candles.take(frame("candle.M.1m", 6, 6, (candle(4, 8),)))
    assert [row.close_ticks for row in candles.rows] == [6, 7, 8]
    candles.take(frame("candle.M.1m", 8, 8, (candle(5, 9),)))
    assert not candles.ready
    candles.answered([candle(3, 7), candle(4, 8), candle(5, 9)])
    assert [row.close_ticks for row in candles.rows] == [7, 8, 9]


def test_a_source_is_one_venue_that_only_goes_on() -> None:
    source = Source()
    source.check(bytes(16), 0)
    source.check(VENUE, 2)
    source.check(VENUE, 3)
    with pytest.raises(StreamError) as rewound:
        source.check(VENUE, 2)
    assert rewound.value.code is Code.STREAM_REWOUND
    with pytest.raises(StreamError) as other:
        source.check(b"w" * 16, 3)
    assert other.value.code is Code.STREAM_OTHER_VENUE
