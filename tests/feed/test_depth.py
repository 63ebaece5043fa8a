"""The feed's book is the engine's, and its diffs bring any snapshot to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.commands import Side
from bus.errors import Code, StreamError
from bus.market_data import TopicFrame, checksum
from feed.depth import Depth
from tests.feed.subscriber import Book

CHANGES = st.lists(
    st.tuples(st.sampled_from([1, 2]), st.integers(0, 15), st.integers(0, 3), st.integers(0, 2)), max_size=60
)
"""(side, price step, lots, what happens after it: 0 nothing, 1 a diff, 2 a snapshot is taken)."""


def frame_of(first: int, last: int, body: object) -> TopicFrame:
    """Return a depth message."""
    return TopicFrame("depth.M", 1, bytes(16), "engine", 1, first, last, 0, 0, body)


@given(CHANGES)
def test_any_snapshot_and_the_diffs_after_it_give_the_book(
    changes: list[tuple[int, int, int, int]],
) -> None:
    depth = Depth()
    naive: dict[int, dict[int, int]] = {1: {}, 2: {}}
    books: list[Book] = []
    for number, (side, step, lots, then) in enumerate(changes, start=1):
        price = 100 - step if side == Side.BUY else 101 + step
        naive[side][price] = lots
        assert depth.change(side, price, lots, number)
        if then == 2:
            bids, asks = depth.levels(1_000)
            books.append(Book())
            books[-1].snapshot((depth.market_seq, bids, asks, depth.checksum(), 0, 0))
        if then == 1 or number == len(changes):
            diff = depth.diff()
            assert diff is not None
            message = frame_of(diff.first_number, diff.last_number, (diff.bids, diff.asks, depth.checksum()))
            assert all(book.take(message) for book in books)
    bids = sorted(((p, lots) for p, lots in naive[1].items() if lots), reverse=True)
    asks = sorted((p, lots) for p, lots in naive[2].items() if lots)
    assert depth.levels(1_000) == (bids, asks)
    assert depth.levels(3) == (bids[:3], asks[:3])
    assert depth.level_counts() == (len(bids), len(asks))
    assert depth.best() == ((bids or [(0, 0)])[0] + (asks or [(0, 0)])[0] + (len(changes),))
    assert all(book.bids == dict(bids) and book.asks == dict(asks) for book in books)
    depth._check()


def test_diffs_join_without_a_hole_and_tell_the_last_total() -> None:
    depth = Depth(7, bids=[(10, 5)])
    assert depth.diff() is None
    depth.change(Side.BUY, 10, 3, 8)
    depth.change(Side.BUY, 10, 0, 9)
    depth.change(Side.SELL, 12, 1, 10)
    diff = depth.diff()
    assert diff is not None
    assert diff == (8, 10, [(10, 0)], [(12, 1)])
    depth.change(Side.BUY, 9, 2, 11)
    depth.change(Side.BUY, 11, 1, 12)
    diff = depth.diff()
    assert diff is not None
    assert diff == (11, 12, [(11, 1), (9, 2)], [])


def test_what_nobody_wanted_is_told_never() -> None:
    depth = Depth()
    depth.change(Side.BUY, 10, 3, 1)
    depth.forget()
    assert not depth.pending
    depth.change(Side.BUY, 9, 1, 2)
    diff = depth.diff()
    assert diff is not None
    assert diff == (2, 2, [(9, 1)], [])


def test_numbers_of_an_image_are_skipped_and_a_hole_stops() -> None:
    depth = Depth(5, bids=[(10, 5)])
    assert not depth.change(Side.BUY, 10, 1, 5)
    assert depth.levels(9) == ([(10, 5)], [])
    with pytest.raises(StreamError, match="expected market_seq 6, was 7") as caught:
        depth.change(Side.BUY, 10, 1, 7)
    assert caught.value.code == Code.STREAM_UNREPAIRABLE


def test_checksum_is_the_documented_text() -> None:
    assert checksum([(100, 5), (99, 7)], [(101, 3)]) == 695677624
    assert checksum([], []) == checksum([], ()) != checksum([(1, 1)], [])
    levels = [(price, 1) for price in range(20, 0, -1)]
    assert checksum(levels, []) == checksum(levels[:10], [])
