"""Private streams: dense, resumed, bounded."""

from typing import Any

import pytest

from bus.client.reports import Image, Report, Reports
from bus.codec import encode_event, pack
from bus.errors import Code, SessionError, StreamError
from bus.events import Deposited

from .peer import Exchange, Peer, new_session

ORDER = (5, "c-1", "alice", "BTC-USD", 1, 1, 1, False, 100, 10, 0, 10, 1000, 77, "a later field")
IMAGE = (3, (40, (("BTC", 10, 2),), (ORDER,)))


def item(account_seq: int) -> tuple[object, ...]:
    return (account_seq, account_seq + 100, 9, encode_event(Deposited("alice", account_seq, "BTC", 1)))


def live(reports_max: int = 100, after: int = 0) -> Reports:
    reports = Reports("alice", after, reports_max)
    reports.answered(0, "", (after, None))
    return reports


def numbers(reports: Reports) -> list[int]:
    found = []
    while (entry := reports.next()) is not None:
        found.append(entry.account_seq)
    return found


def wanted(reports: Reports) -> bool:
    return reports.wanted


def test_an_image_comes_first_then_every_report_after_it() -> None:
    reports = Reports("alice")
    assert reports.wanted
    assert reports.after == -1
    reports.answered(0, "", IMAGE)
    reports.take([item(2), item(3), item(4)])
    image, report = reports.next(), reports.next()
    assert isinstance(image, Image)
    assert (image.account_seq, image.seq, image.balances) == (3, 40, (("BTC", 10, 2),))
    assert image.orders[0].left_lots == 10
    assert report == Report("alice", 4, 104, 9, Deposited("alice", 4, "BTC", 1))
    assert reports.next() is None


def test_doubles_are_dropped_and_a_gap_is_asked_for() -> None:
    reports = live()
    reports.take([item(1), item(2), item(2)])
    reports.take([item(1), item(3)])
    reports.take([item(5), item(6)])
    assert reports.gaps == 1
    assert reports.wanted
    assert reports.after == 3
    reports.take([item(7)])
    reports.asked = True
    reports.answered(0, "", (7, None))
    reports.take([item(4), item(5), item(6), item(7)])
    assert numbers(reports) == [1, 2, 3, 4, 5, 6, 7]


def test_a_slow_reader_costs_no_memory_and_loses_nothing() -> None:
    reports = live(reports_max=4)
    reports.take([item(n) for n in range(1, 10)])
    assert not wanted(reports)
    assert [entry.account_seq for entry in (reports.next(), reports.next()) if entry] == [1, 2]
    assert wanted(reports)
    assert reports.after == 4


def test_too_long_ago_gives_an_image() -> None:
    reports = Reports("alice", 1)
    reports.answered(Code.RESUME_TOO_OLD, "expected a later number", None)
    assert reports.wanted
    assert reports.after == -1
    reports.answered(0, "", IMAGE)
    assert numbers(reports) == [3]


def test_a_refusal_ends_the_stream_after_what_came_before() -> None:
    reports = live()
    reports.take([item(1)])
    reports.lost()
    reports.answered(Code.NOT_AUTHORIZED, "expected an account of this key", None)
    assert not reports.wanted
    assert reports.next() is not None
    with pytest.raises(SessionError):
        reports.next()


def test_a_passing_refusal_is_tried_again() -> None:
    reports = Reports("alice")
    reports.answered(Code.BUSY, "expected room", None)
    assert reports.wanted


def test_an_account_that_went_back_in_time_stops_the_stream() -> None:
    reports = Reports("alice", 9)
    reports.answered(0, "", IMAGE)
    with pytest.raises(StreamError) as caught:
        reports.next()
    assert caught.value.code is Code.STREAM_REWOUND


def test_the_session_resumes_streams_after_a_reconnection() -> None:
    peer = Peer()
    asked: list[tuple[str, int]] = []

    def subscribe(account: str, after: int) -> tuple[int, str, Any]:
        asked.append((account, after))
        return (0, "", IMAGE) if after < 0 else (0, "", (after, None))

    peer.subscribe = subscribe
    exchange = Exchange(new_session(), peer)
    reports = Reports("alice")
    exchange.session.subscribe(reports)
    exchange.turn()
    exchange.turn(200)
    exchange.session.receive(pack((1, 9, "alice", [item(4)])), exchange.now_ns)
    exchange.session.receive(pack((1, 9, "", [])), exchange.now_ns)
    exchange.session.lost(exchange.now_ns, "a test")
    for _ in range(4):
        exchange.turn(100)
    exchange.session.receive(pack((1, 9, "alice", [item(4), item(5)])), exchange.now_ns)
    assert asked == [("alice", -1), ("alice", 4)]
    assert numbers(reports) == [3, 4, 5]
    exchange.session.unsubscribe(reports)
    exchange.turn()
    assert exchange.peer.messages[-1][0][1] == 7


def test_a_second_reader_does_not_make_the_first_miss_anything() -> None:
    peer = Peer()
    asked: list[int] = []

    def subscribe(account: str, after: int) -> tuple[int, str, Any]:
        asked.append(after)
        return (0, "", (8, IMAGE[1])) if len(asked) == 2 else (0, "", (after, None))

    peer.subscribe = subscribe
    exchange = Exchange(new_session(), peer)
    first, second = Reports("alice", 5), Reports("alice")
    exchange.session.subscribe(first)
    exchange.turn()
    exchange.session.subscribe(second)
    exchange.turn(200)
    exchange.turn(200)
    assert asked == [5, -1, 5]
    exchange.session.receive(pack((1, 9, "alice", [item(6), item(7), item(8), item(9)])), exchange.now_ns)
    assert numbers(first) == [6, 7, 8, 9]
    assert numbers(second) == [8, 9]


def test_ending_ends_streams() -> None:
    exchange = Exchange(new_session(), Peer())
    reports = Reports("alice", 0)
    exchange.session.subscribe(reports)
    exchange.turn()
    exchange.session.close()
    exchange.turn()
    with pytest.raises(SessionError):
        reports.next()
