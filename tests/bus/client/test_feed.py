"""The core of the market-data client: questions asked again, refusals, other venues."""

from random import Random
from typing import Any

from bus.client.feed import Feed
from bus.client.followed import Depth, Trades
from bus.codec import unpack
from bus.errors import Code
from bus.market_data import TopicFrame, encode_topic_frame
from bus.query_frames import Answer, encode_answer

VENUE = b"v" * 16
S = 1_000_000_000
STATUS = {"depth_levels_max": 50, "rows_limit_max": 10}
EMPTY_BOOK = (0, (), (), 2343686810, 0, 0)


def asked(feed: Feed, now_ns: int) -> list[tuple[Any, ...]]:
    found = []
    while (message := feed.next_question(now_ns)) is not None:
        found.append(unpack(message)[2:])
    return found


def reply(feed: Feed, request_id: int, result: Any, now_ns: int, code: int = 0, venue: bytes = VENUE) -> None:
    answer = Answer(
        request_id, code, "expected otherwise" if code else "", venue, "engine-1", 1, 5, 6, result
    )
    feed.take_answer(encode_answer(answer), now_ns)


def started() -> Feed:
    feed = Feed(Random(1))
    ((request_id, query, _),) = asked(feed, S)
    assert query == "status"
    reply(feed, request_id, STATUS, S)
    return feed


def test_asks_for_bounds_first_and_then_within_them() -> None:
    feed = Feed(Random(1))
    depth = Depth("M")
    feed.follow(depth)
    assert feed.fresh_topics == [b"depth.M"]
    ((request_id, query, _),) = asked(feed, S)
    assert query == "status"
    assert asked(feed, S) == []
    reply(feed, request_id, STATUS, S)
    ((request_id, query, args),) = asked(feed, S)
    assert (query, args) == ("depth", ("M", 50))
    reply(feed, request_id, EMPTY_BOOK, S)
    assert depth.ready
    assert asked(feed, 2 * S) == []


def test_a_lost_question_and_a_passing_refusal_are_asked_again() -> None:
    feed = started()
    depth = Depth("M")
    feed.follow(depth)
    own = feed.ask("ticker", ("M",))
    first = asked(feed, S)
    assert {query for _, query, _ in first} == {"depth", "ticker"}
    assert asked(feed, 2 * S) == []
    again = asked(feed, 4 * S)
    assert {query for _, query, _ in again} == {"depth", "ticker"}
    for request_id, _, _ in again:
        reply(feed, request_id, None, 4 * S, code=Code.NOT_READY)
    assert not own.done
    assert depth.error is None
    last = asked(feed, 6 * S)
    assert {query for _, query, _ in last} == {"depth", "ticker"}
    for request_id, query, _ in last:
        reply(feed, request_id, EMPTY_BOOK if query == "depth" else (1, 2), 6 * S)
    assert depth.ready
    assert own.value()[2] == (1, 2)


def test_a_final_refusal_ends_what_was_followed() -> None:
    feed = started()
    depth, trades = Depth("X"), Trades("M")
    feed.follow(depth)
    feed.follow(trades)
    for request_id, query, _ in asked(feed, S):
        code = Code.UNKNOWN_MARKET if query == "depth" else 0
        reply(feed, request_id, None if code else (0, 0, ()), S, code=code)
    assert depth.error is not None
    assert depth.error.code is Code.UNKNOWN_MARKET
    assert trades.ready
    assert feed.error is None
    own = feed.ask("ticker", ("X",))
    ((request_id, _, _),) = asked(feed, 2 * S)
    reply(feed, request_id, None, 2 * S, code=Code.UNKNOWN_MARKET)
    assert own.code == Code.UNKNOWN_MARKET


def test_another_venue_stops_everything() -> None:
    feed = started()
    depth = Depth("M")
    feed.follow(depth)
    frame = TopicFrame("depth.M", 1, b"w" * 16, "engine-1", 1, 1, 1, 1, 0, ((), (), 0))
    feed.take_topic(encode_topic_frame(frame), S)
    assert feed.error is not None
    assert feed.error.code is Code.STREAM_OTHER_VENUE
    assert depth.error is feed.error


def test_nonsense_is_counted_and_changes_nothing() -> None:
    feed = started()
    feed.follow(Depth("M"))
    wrong = TopicFrame("depth.M", 1, VENUE, "engine-1", 1, 1, 1, 1, 0, 5)
    ((request_id, _, _),) = asked(feed, S)
    reply(feed, request_id, EMPTY_BOOK, S)
    for data in (b"", b"\xc1", encode_topic_frame(wrong)):
        feed.take_topic(data, S)
    feed.take_answer(b"\x01", S)
    reply(feed, 999, None, S)
    assert feed.malformed == 4
    assert feed.error is None


def test_leaving_and_giving_up() -> None:
    feed = started()
    depth = Depth("M")
    feed.follow(depth)
    feed.leave(depth)
    feed.leave(depth)
    assert asked(feed, S) == []
    own = feed.ask("status", ())
    feed.give_up(own)
    assert own.code == Code.NOT_READY
    assert asked(feed, S) == []
