"""The feed's process: the engine's stream in, topics and answers out.

Invariant: what is told and answered is the state after whole frames of the stream, in its order; the loop
never waits for a subscriber or an asker. Nothing is told before the stream is joined.
"""

import secrets
import time
from typing import TYPE_CHECKING

import zmq

from bus.metrics import SIZES, Meters
from bus.query import Asker
from bus.query_frames import Answer, Query
from bus.stream import Position, Stream

from .door import NO_VENUE, Door, not_ready
from .market import Bounds
from .markets import Markets
from .publisher import Publisher
from .queries import Queries, QueryLimits
from .starting import Answers, Asking, HistoryLimits, Source, begin
from .telling import Pace, Teller

if TYPE_CHECKING:
    from bus.service import Host

MS_NS = 1_000_000
QUESTIONS_UNDER_WAY_MAX = 256
SUBSCRIPTION_BYTES_MAX = 256
HISTORY_ROWS_MAX = 5_000
NEW_TRADES_MAX = 1_000
"""Trades of one frame after which they are told before the next frame."""


class Start:
    """Drives `feed.starting.begin`: asks its questions, collects the answers."""

    def __init__(self, host: "Host", asking: Asking) -> None:
        settings = host.settings
        self._asking = asking
        self._timeout_ms = int(settings.feed.history_timeout_s * 1_000)
        self._askers = {
            source: Asker(
                host.connect(source.value, "DEALER", immediate=True),
                settings.stream,
                in_flight_max=QUESTIONS_UNDER_WAY_MAX,
            )
            for source in Source
        }
        self._ids: list[tuple[Source, int]] = []
        self._found: dict[tuple[Source, int], Answer | None] = {}
        self._position: Position | None = None
        self._next(None)

    def poll(self) -> Position | None:
        """Take in answers; return the position when everything was asked."""
        for source, asker in self._askers.items():
            for reply in asker.poll():
                answer = reply.answer
                self._found[source, reply.request_id] = answer if isinstance(answer, Answer) else None
        if self._position is None and all(key in self._found for key in self._ids):
            self._next([self._found[key] for key in self._ids])
        return self._position

    def close(self) -> None:
        """Close both sockets."""
        for asker in self._askers.values():
            asker.close()

    def _next(self, answers: Answers | None) -> None:
        try:
            questions = next(self._asking) if answers is None else self._asking.send(answers)
        except StopIteration as done:
            self._position = done.value
            return
        self._found.clear()
        self._ids = [
            (
                source,
                self._askers[source].query(
                    query, args, timeout_ms=self._timeout_ms if source is Source.RECORDER else None
                ),
            )
            for source, query, args in questions
        ]


class Feed:
    """The component that `bus.service.run` drives."""

    def __init__(self, host: "Host") -> None:
        settings = host.settings.feed
        self._host = host
        self._settings = settings
        self._ready = False
        self._start: Start | None = None
        self._instance = secrets.randbits(62) | 1
        self._meters = meters = Meters(host.registry, "feed")
        bounds = Bounds(settings.candle_intervals, settings.trades_ring_max, settings.candles_kept_max)
        self._markets = Markets(bounds)
        self._publisher = Publisher(
            host.bind(
                "feed_stream",
                "XPUB",
                host.limits(sndhwm=settings.stream_hwm, message_bytes_max=SUBSCRIPTION_BYTES_MAX),
            ),
            self._instance,
            settings.prefixes_max,
        )
        self._pace = Pace(
            settings.flush_ms * MS_NS, settings.window_ms * MS_NS, settings.heartbeat_ms * MS_NS
        )
        self._teller = Teller(self._markets, self._publisher, self._pace)
        limits = QueryLimits(settings.answer_rows_max, settings.depth_levels_max)
        self._queries = Queries(self._markets, self._teller, self._instance, limits, self._status)
        router = host.bind(
            "feed_query",
            "ROUTER",
            host.limits(sndhwm=settings.answers_queued_max, message_bytes_max=settings.query_bytes_max),
            mandatory=True,
        )
        self._door = Door(
            router, self._answer, self._as_of, settings.queries_per_turn_max, meters, host.hostile
        )
        self._stream = Stream.connect(host, meters=meters)
        self._poller = zmq.Poller()
        for socket in (*self._stream.sockets, self._publisher.socket, router):
            self._poller.register(socket, zmq.POLLIN)
        self._busy = False
        self._due_ns = 0
        self._show()

    def step(self, timeout_ms: int) -> None:
        """Take in what the stream has, tell what is due, answer a few questions."""
        self._poller.poll(self._pause_ms(timeout_ms))
        if self._stream.position is None:
            self._stream.poll()
            self._begin()
        else:
            self._follow()
        self._publisher.take_subscriptions()
        if self._ready:
            clock_ns = time.monotonic_ns()
            self._due_ns = self._teller.tell(clock_ns)
            self._teller.heartbeats(clock_ns)
        self._busy = self._door.turn() or self._stream.pending

    def close(self) -> None:
        """End; the sockets are the host's."""
        if self._start is not None:
            self._start.close()
        self._stream.close()

    def health(self) -> dict[str, object]:
        """Return how far the feed is."""
        return {"joined": self._ready, "seq": self._markets.seq, "lag_events": self._stream.lag_events}

    def _pause_ms(self, timeout_ms: int) -> int:
        if self._busy:
            return 0
        if self._start is not None:
            return 1
        if self._due_ns:
            wait_ms = (self._due_ns - time.monotonic_ns()) // MS_NS + 1
            return max(0, min(timeout_ms, wait_ms))
        return timeout_ms

    def _begin(self) -> None:
        """Find out where to begin; then follow the stream from there."""
        head = self._stream.live_head
        if head is None:
            return
        if self._start is None:
            limits = HistoryLimits(HISTORY_ROWS_MAX, self._settings.replay_seqs_max)
            self._start = Start(self._host, begin(self._markets, head, limits))
        position = self._start.poll()
        if position is not None:
            self._start.close()
            self._start = None
            self._stream.start_at(position)
            self._host.log.info("follows the stream", after_seq=position.seq, head_seq=head.last_seq)

    def _follow(self) -> None:
        """Apply what can be applied; learn the time from heartbeats when nothing is missing."""
        stream, markets = self._stream, self._markets
        frames = stream.poll()
        for frame, after_seq in frames:
            markets.apply(frame, after_seq)
            self._events.value += frame.head.last_seq - max(after_seq, frame.head.first_seq - 1)
            if self._ready and frame.head.last_seq - frame.head.first_seq >= NEW_TRADES_MAX:
                self._teller.tell_trades(time.monotonic_ns())
        if frames:
            self._frames.observe(len(frames))
            self._publisher.epoch = frames[-1].frame.head.epoch
        head = stream.live_head
        if head is None or not stream.joined:
            return
        if stream.lag_events == 0:
            markets.pass_time(head.now_ns)
        if not self._ready:
            self._join()

    def _join(self) -> None:
        """Begin to tell: everything up to here was history."""
        position = self._stream.position
        assert position is not None
        publisher = self._publisher
        publisher.venue_id, publisher.engine, publisher.epoch = position[:3]
        self._teller.begin()
        self._ready = True
        self._host.log.info("joined", seq=position.seq, markets=len(self._markets.by_name))

    def _answer(self, query: Query) -> object:
        if not self._ready and query.query != "status":
            raise not_ready()
        return self._queries.answer(query)

    def _as_of(self) -> tuple[Position, int]:
        position = self._stream.position if self._ready else None
        return (position or NO_VENUE, self._markets.now_ns)

    def _status(self) -> dict[str, object]:
        settings, markets = self._settings, self._markets.by_name.values()
        return {
            "feed_instance": self._instance,
            "ready": self._ready,
            "markets": len(markets),
            "seq": self._markets.seq,
            "lag": self._stream.lag_events,
            "complete": all(m.candles.complete_from_ns <= m.tickers.from_ns for m in markets),
            "candle_intervals": settings.candle_intervals,
            "depth_levels_max": settings.depth_levels_max,
            "rows_limit_max": settings.answer_rows_max,
            "heartbeat_ms": settings.heartbeat_ms,
        }

    def _show(self) -> None:
        meters = self._meters
        self._events = meters.counter("events_total", "Events taken in.")
        self._frames = meters.histogram("batch_frames", "Frames taken in at once.", SIZES)
        meters.counter("messages_total", "Messages sent on topics.", lambda: self._publisher.sent)
        meters.gauge("subscriptions", "Different prefixes subscribed to.", lambda: self._publisher.prefixes)
        meters.gauge("markets", "Markets.", lambda: len(self._markets.by_name))
