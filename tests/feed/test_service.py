"""The feed as a process beside a real engine: late joiners, restarts, holes, garbage, slow peers."""

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zmq

from bus.codec import pack
from bus.errors import Code, SessionError
from bus.market_data import Candle, Ticker
from bus.query_frames import Answer, Query, decode_reply, encode_query
from tests.feed.crowd import MARKET, Crowd
from tests.feed.subscriber import Book
from tests.poll import until
from tests.processes import Processes

DEPTH, TRADE = f"depth.{MARKET}", f"trade.{MARKET}"
NO_REPLAY = "feed.replay_seqs_max=1"


@pytest.fixture
def processes(short_dir: Path) -> Iterator[Processes]:
    """Engine and archive."""
    with Processes(short_dir, "feed.heartbeat_ms=100", "recorder.flush_ms=5") as running:
        running.start_all(["engine", "archive"])
        yield running


def trades_of(crowd: Crowd, after_trade_id: int = 0) -> list[Any]:
    """Return all trades above a number, page by page."""
    found: list[Any] = []
    while True:
        _, last, page = crowd.feed("trades", MARKET, after_trade_id, 200).result
        found += page
        if not page or page[-1][0] == last:
            return found
        after_trade_id = page[-1][0]


def check_book(crowd: Crowd) -> None:
    """Compare the feed's book with the engine's."""
    market_seq, bids, asks = crowd.engine_levels()
    depth = crowd.feed("depth", MARKET, 5_000).result
    assert (depth[0], list(depth[1]), list(depth[2])) == (market_seq, bids, asks)


def follow(book: Book, crowd: Crowd, frames: list[Any]) -> int:
    """Follow depth by the documented rules; return how many snapshots were needed."""
    snapshots = 0
    for frame in frames:
        if frame.topic == DEPTH and not book.take(frame):
            book.snapshot(crowd.feed("depth", MARKET, 5_000).result)
            snapshots += 1
            assert book.take(frame)
    return snapshots


def test_a_late_joiner_has_everything_from_then_on(processes: Processes) -> None:
    processes.start("feed")
    with Crowd(processes) as crowd:
        crowd.feed_at(crowd.trade(300))
        check_book(crowd)
        sub = crowd.subscriber(TRADE, DEPTH, "book.", "ticker.", f"candle.{MARKET}.1s")
        until(lambda: sub.heard(DEPTH) and sub.heard(TRADE), what="a heartbeat")
        book = Book()
        book.snapshot(crowd.feed("depth", MARKET, 5_000).result)
        past = trades_of(crowd)
        seq = crowd.trade(500)
        crowd.feed_at(seq)
        market_seq, bids, asks = crowd.engine_levels()
        snapshots = 0

        def followed() -> bool:
            nonlocal snapshots
            snapshots += follow(book, crowd, sub.receive())
            return book.number == market_seq

        until(followed, what="the book at the engine's market_seq")
        assert snapshots == 0
        assert (book.bids, book.asks) == (dict(bids), dict(asks))
        last_trade_id = crowd.feed("trades", MARKET, -1, 1).result[1]
        until(lambda: sub.last_number(TRADE) == last_trade_id, what="the last trade")
        live = [trade for frame in sub.of(TRADE) for trade in frame.body]
        whole = {trade[0]: trade for trade in [*past, *live]}
        assert [whole[n] for n in sorted(whole)] == trades_of(crowd)
        assert list(whole) == list(range(1, last_trade_id + 1))
        for frame in sub.of(TRADE):
            assert [row[0] for row in frame.body] == list(range(frame.first_number, frame.last_number + 1))
        until(lambda: sub.last_body(f"ticker.{MARKET}")[7:8] == (last_trade_id,), what="the last ticker")
        ticker = Ticker(*crowd.feed("ticker", MARKET).result)
        assert ticker.complete and ticker.trades == ticker.last_trade_id == last_trade_id
        assert ticker.volume_lots == str(sum(trade[2] for trade in whole.values()))
        best = crowd.feed("last", f"book.{MARKET}").result[5]
        assert best == (*bids[0], *asks[0], market_seq)
        until(lambda: sub.last_body(f"book.{MARKET}") == best, what="the last best prices")
        for topic in (f"book.{MARKET}", f"ticker.{MARKET}", f"candle.{MARKET}.1s"):
            numbers = [frame.first_number for frame in sub.of(topic)]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_candles_close_though_nobody_trades(processes: Processes) -> None:
    processes.start("feed")
    with Crowd(processes) as crowd:
        sub = crowd.subscriber(f"candle.{MARKET}.1s")
        crowd.feed_at(crowd.trade(50))

        def rows() -> list[Candle]:
            found: dict[int, Candle] = {}
            for frame in sub.of(f"candle.{MARKET}.1s"):
                found.update((row[0], Candle(*row)) for row in frame.body)
            return [found[start_ns] for start_ns in sorted(found)]

        until(lambda: [row.trades for row in rows() if row.closed][-2:] == [0, 0], what="empty candles")
        candles = rows()
        assert {b.start_ns - a.start_ns for a, b in pairwise(candles)} == {10**9}
        assert all(row[1:5] == (candles[-1].close_ticks,) * 4 for row in candles[-2:])


@pytest.mark.parametrize("has_recorder", [True, False])
def test_a_restart_goes_on_from_images_and_history(processes: Processes, has_recorder: bool) -> None:
    components = ["feed", *(["recorder"] if has_recorder else [])]
    processes.start_all(components)
    with Crowd(processes) as crowd:
        sub = crowd.subscriber(DEPTH)
        crowd.feed_at(crowd.trade(300))
        book = Book()
        book.snapshot(crowd.feed("depth", MARKET, 5_000).result)
        before = crowd.feed("status").result["feed_instance"]
        processes.kill("feed")
        seq = crowd.trade(200)
        if has_recorder:
            asker = crowd.stranger(zmq.DEALER, "recorder_query")
            until(lambda: recorded_seq(asker) >= seq, what="the recorder at the same seq")
        processes.start("feed", NO_REPLAY, *([] if has_recorder else ["feed.history_timeout_s=0.5"]))
        status = crowd.feed_at(seq)
        assert status.result["feed_instance"] != before
        assert status.result["complete"] is has_recorder
        check_book(crowd)
        crowd.feed_at(crowd.trade(200))
        market_seq, bids, asks = crowd.engine_levels()

        def followed() -> bool:
            follow(book, crowd, sub.receive())
            return book.number == market_seq

        until(followed, what="the book at the engine's market_seq")
        assert (book.bids, book.asks) == (dict(bids), dict(asks))
        ticker = Ticker(*crowd.feed("ticker", MARKET).result)
        (candle,) = crowd.feed("candles", MARKET, "1M", -1, 1).result
        assert ticker.complete is has_recorder and Candle(*candle).complete is has_recorder
        trades = trades_of(crowd)
        assert trades[-1][0] == ticker.last_trade_id
        assert [trade[0] for trade in trades] == list(range(trades[0][0], ticker.last_trade_id + 1))
        assert ticker.trades == Candle(*candle).trades == len(trades)
        assert (trades[0][0] == 1) is has_recorder
        assert ticker.volume_lots == str(sum(trade[2] for trade in trades))


def recorded_seq(asker: "zmq.Socket[bytes]") -> int:
    """Return how far the recorder is."""
    asker.send(encode_query(Query(1, "status")))
    assert asker.poll(10_000)
    answer = decode_reply(asker.recv())
    assert isinstance(answer, Answer)
    return answer.seq


def test_a_restart_replays_a_short_journal_whole(processes: Processes) -> None:
    processes.start("feed")
    with Crowd(processes) as crowd:
        crowd.feed_at(crowd.trade(300))
        ticker = Ticker(*crowd.feed("ticker", MARKET).result)
        trades = trades_of(crowd)
        processes.kill("feed")
        processes.start("feed")
        crowd.feed_at(crowd.engine("status").seq)
        again = Ticker(*crowd.feed("ticker", MARKET).result)
        assert again[:8] == ticker[:8] and again.complete
        assert trades_of(crowd) == trades


def test_an_engine_that_starts_again_is_followed(processes: Processes) -> None:
    processes.start("feed")
    with Crowd(processes) as crowd:
        sub = crowd.subscriber(TRADE)
        crowd.feed_at(crowd.trade(100))
        processes.kill("engine")
        processes.start("engine")
        with Crowd(processes, seed=2) as later:
            later.feed_at(later.trade(200))
            check_book(later)
            last_trade_id = later.feed("trades", MARKET, -1, 1).result[1]
            until(lambda: sub.last_number(TRADE) == last_trade_id, what="the last trade")
        numbers = [row[0] for frame in sub.of(TRADE) for row in frame.body]
        assert numbers == list(range(numbers[0], last_trade_id + 1))
        assert {frame.epoch for frame in sub.frames} == {1, 2}


def test_a_hole_is_shown_by_the_numbers_and_closed_by_questions(processes: Processes) -> None:
    processes.start("feed")
    with Crowd(processes) as crowd:
        sub = crowd.subscriber(DEPTH, TRADE, hwm=1)
        crowd.feed_at(crowd.trade(100))
        until(lambda: sub.heard(DEPTH) and sub.heard(TRADE), what="a heartbeat")
        book = Book()
        book.snapshot(crowd.feed("depth", MARKET, 5_000).result)
        known = {trade[0]: trade for trade in trades_of(crowd)}
        sub.unsubscribe(DEPTH, TRADE)
        witness = crowd.subscriber(DEPTH)
        until(lambda: witness.heard(DEPTH), what="a heartbeat")
        crowd.feed_at(crowd.trade(300))
        market_seq, bids, asks = crowd.engine_levels()
        until(lambda: witness.last_number(DEPTH) == market_seq, what="all diffs told")
        sub.receive()
        sub.subscribe(DEPTH, TRADE)
        seen = len(sub.frames)
        snapshots = 0
        last_trade_id = crowd.feed("trades", MARKET, -1, 1).result[1]

        def repaired() -> bool:
            nonlocal snapshots
            new = sub.receive()
            snapshots += follow(book, crowd, new)
            for frame in new:
                if frame.topic == TRADE and frame.first_number > max(known) + 1:
                    known.update((trade[0], trade) for trade in trades_of(crowd, max(known)))
            return book.number == market_seq and max(known) == last_trade_id

        until(repaired, what="the hole closed")
        assert len(sub.frames) > seen and snapshots == 1
        assert (book.bids, book.asks) == (dict(bids), dict(asks))
        assert list(known) == list(range(1, last_trade_id + 1))


GARBAGE = [
    b"", b"\x00", b"\xc1", b"garbage" * 100, pack([]), pack([1, 3]), pack([2, 3, 1, "status", []]),
    pack([1, 4, 1, "status", []]), pack([1, 3, -1, "status", []]), pack([1, 3, 5, 7, []]),
    pack([1, 3, 5, "status", [], 1]), pack({1: 3}), b"\x91" * 4_000, b"x" * 100_000,
]  # fmt: skip


def test_garbage_harms_nobody(processes: Processes) -> None:
    processes.start("feed")
    with Crowd(processes) as crowd:
        sub = crowd.subscriber(TRADE)
        until(lambda: sub.heard(TRADE), what="a heartbeat")
        for kind in (zmq.DEALER, zmq.REQ, zmq.XSUB):
            for endpoint in ("feed_query", "feed_stream"):
                stranger = crowd.stranger(kind, endpoint)
                for garbage in GARBAGE[: 1 if kind == zmq.REQ else None]:
                    stranger.send(garbage)
                if kind == zmq.DEALER:
                    stranger.send_multipart([b"many", b"parts"])
        for at in range(300):
            crowd.stranger(zmq.SUB, "feed_stream").subscribe(bytes([at % 256]) * 20)
        asker = crowd.stranger(zmq.DEALER, "feed_query")
        codes = []
        for garbage in GARBAGE[:-1]:
            asker.send(garbage)
            assert asker.poll(10_000)
            answer = decode_reply(asker.recv())
            assert isinstance(answer, Answer) and answer.result is None
            codes.append(Code(answer.code))
        assert Code.OK not in codes
        assert {Code.MALFORMED, Code.UNSUPPORTED_VERSION, Code.UNSUPPORTED_TYPE} <= set(codes)
        crowd.feed_at(crowd.trade(100))
        check_book(crowd)
        until(lambda: sub.of(TRADE), what="trades")
        assert processes.stop("feed") == 0


def test_who_does_not_read_holds_nobody_up(processes: Processes) -> None:
    processes.start("feed", "feed.stream_hwm=1", "feed.answers_queued_max=1")
    with Crowd(processes) as crowd:
        sleeper = crowd.subscriber(DEPTH, hwm=1)
        deaf = crowd.stranger(zmq.DEALER, "feed_query", hwm=1)
        for _ in range(3_000):
            deaf.send(encode_query(Query(1, "candles", (MARKET, "1s", -1, 1_500))))
        crowd.feed_at(crowd.trade(500))
        check_book(crowd)
        book = Book()
        book.snapshot(crowd.feed("depth", MARKET, 5_000).result)
        crowd.feed_at(crowd.trade(500))
        market_seq, bids, asks = crowd.engine_levels()

        def followed() -> bool:
            follow(book, crowd, sleeper.receive())
            return book.number == market_seq

        until(followed, what="the sleeper's book")
        assert (book.bids, book.asks) == (dict(bids), dict(asks))


def test_another_venue_at_the_same_place_stops_the_feed(processes: Processes) -> None:
    running = processes.spawn("feed")
    with Crowd(processes) as crowd:
        crowd.feed_at(crowd.trade(10))
        processes.stop("archive")
        processes.stop("engine")
        shutil.rmtree(processes.settings().journal.dir)
        processes.start_all(["engine", "archive"])
        until(lambda: running.poll() is not None, what="the feed's end")
        assert running.returncode == 1
        assert "STREAM_OTHER_VENUE" in processes.log("feed")


def test_before_the_stream_is_heard_only_status_is_answered(short_dir: Path) -> None:
    with Processes(short_dir) as processes:
        processes.start("feed")
        with Crowd(processes) as crowd:
            assert crowd.feed("status").result["ready"] is False
            with pytest.raises(SessionError) as caught:
                crowd.feed("markets", "", 1)
            assert caught.value.code == Code.NOT_READY and caught.value.retryable
            assert processes.stop("feed") == 0
