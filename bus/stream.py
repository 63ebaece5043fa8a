"""The engine's event stream, repaired: every event once and in order, however much the network lost.

Invariant: `Stream.poll` returns frames that continue the position without a hole; nothing in here blocks,
waits or grows without bound, so a slow consumer costs itself latency and nobody else anything.

PUB drops at its high-water mark and late joiners miss the beginning. A stream therefore waits for the
first live frame or heartbeat, has the archive replay what lies between its position and that, and joins
the live frames; later gaps are repaired the same way. Use::

    stream = Stream.connect(host, position=stored)       # a consumer that stores its position
    stream = Stream.connect(host, from_start=True)       # one that rebuilds from everything
    stream = Stream.connect(host)                        # one that takes an image first:
    ...                                                  #   poll until stream.live_head is not None, take
    stream.start_at(Position(venue_id, engine, epoch, seq))  # the image as of seq, then start there

    for socket in stream.sockets: poller.register(socket, zmq.POLLIN)
    while True:
        poller.poll(0 if stream.pending else timeout_ms)   # at most some 100 ms: poll() keeps the time
        for applied in stream.poll():
            for seq, event in applied.events(): ...      # only events above applied.after_seq
        stream.position                                  # store it with what was made of the events

`live_head` is the newest head heard (heartbeats too), `joined` says that no gap is open, `lag_events` and
`silent_ms()` how far behind and for how long unheard. `StreamError` is raised, for good, when the stream
must not be followed: another venue or engine, or a history that contradicts the position.
"""

import time
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import zmq

from .errors import Code, FormError, StreamError, error_for
from .events import EVENT_NUMBERS, EngineStarted, Event
from .frames import EventsFrame, Head, decode_events_frame
from .query import Asker, Reply
from .query_frames import Replayed
from .retry import Backoff
from .sequence import Frame, Sequencer

if TYPE_CHECKING:
    from .metrics import Meters
    from .sections import Stream as StreamSettings
    from .service import Host

RECEIVED_PER_POLL_MAX = 256
FRAMES_PER_POLL_MAX = 512
CHUNK_BYTES_MAX = 1024 * 1024
BAD_ANSWERS_MAX = 10
MS_NS = 1_000_000
_ENGINE_STARTED = EVENT_NUMBERS[EngineStarted]


class Position(NamedTuple):
    """What a consumer stores with what it made of the events: it has everything up to ``seq``.

    ``epoch`` is that of the frame which held ``seq``.
    """

    venue_id: bytes
    engine: str
    epoch: int
    seq: int


class Applied(NamedTuple):
    """A frame to apply; of an overlapping one only the events above ``after_seq``."""

    frame: EventsFrame
    after_seq: int

    def events(self) -> list[tuple[int, Event]]:
        """Return ``(seq, event)`` of the events to apply, in order (unknown types are left out)."""
        return self.frame.events_with_seq(self.after_seq)


class Stream:
    """One consumer of the engine's stream.

    Parameters
    ----------
    live
        A SUB socket connected to the engine's PUB, subscribed to everything.
    archive
        A DEALER socket connected to the archive's ROUTER, best with ``immediate``.
    settings
        Bounds and times.
    position
        Where this consumer is; None: `start_at` is called later, or ``from_start``.
    from_start
        Begin before the first event.
    meters
        Where the metrics go, under ``stream_…``.

    Attributes
    ----------
    live_head
        The newest head heard live; None until the first. A heartbeat's ``last_seq`` is below ``first_seq``.
    gaps, repairs
        Gaps seen after the first join, and closed.
    replayed, malformed
        Frames that came by replay; messages that were no whole frame and were dropped.
    """

    def __init__(
        self,
        live: "zmq.Socket[bytes]",
        archive: "zmq.Socket[bytes]",
        settings: "StreamSettings",
        *,
        position: Position | None = None,
        from_start: bool = False,
        meters: "Meters | None" = None,
        random: Random | None = None,
    ) -> None:
        self.live_head: Head | None = None
        self.last_heard_ns: int | None = None
        self.gaps = self.repairs = self.replayed = self.malformed = 0
        self._live = live
        self._asker = Asker(archive, settings, random=random)
        self._backoff = Backoff(settings.retry_ms_min, settings.retry_ms_max, random or Random())
        self._source = (position.venue_id, position.engine) if position else None
        seq, epoch = (position.seq, position.epoch) if position else (0 if from_start else None, 0)
        self._sequence: Sequencer[EventsFrame | bytes] = Sequencer(
            seq,
            epoch,
            live_frames_max=settings.live_buffer_frames_max,
            live_bytes_max=settings.live_buffer_bytes_max,
            replayed_frames_max=FRAMES_PER_POLL_MAX,
        )
        self._asked: tuple[int, int] | None = None
        self._ask_not_before_ns = 0
        self._bad_answers = 0
        self._in_gap = True
        self._has_joined = False
        if meters is not None:
            self._show(meters)

    @classmethod
    def connect(
        cls,
        host: "Host",
        *,
        position: Position | None = None,
        from_start: bool = False,
        meters: "Meters | None" = None,
        rcvhwm: int | None = None,
    ) -> "Stream":
        """Return a stream over sockets of a component's host; ``rcvhwm`` is the SUB's high-water mark."""
        live = host.connect("engine_stream", "SUB", host.limits(rcvhwm=rcvhwm), topics=[b""])
        archive = host.connect("archive", "DEALER", immediate=True)
        return cls(
            live, archive, host.settings.stream, position=position, from_start=from_start, meters=meters
        )

    @property
    def sockets(self) -> list["zmq.Socket[bytes]"]:
        """The sockets to poll for input."""
        return [self._live, self._asker.socket]

    @property
    def position(self) -> Position | None:
        """Where this consumer is after the frames that `poll` has returned; None before it has begun."""
        if self._source is None or self._sequence.position is None:
            return None
        return Position(*self._source, self._sequence.epoch, self._sequence.position)

    @property
    def joined(self) -> bool:
        """Whether the live stream was reached and no gap is open."""
        return not self._in_gap

    @property
    def pending(self) -> bool:
        """Whether more frames are in hand: poll again without waiting."""
        return self._sequence.ready

    @property
    def lag_events(self) -> int:
        """Events known to exist and not yet returned."""
        return self._sequence.lag

    @property
    def dropped(self) -> int:
        """Live frames given up because too many were held; they are replayed."""
        return self._sequence.dropped

    def silent_ms(self, now_ns: int | None = None) -> float:
        """Return for how long nothing was heard of the engine (monotonic time); infinite before the first."""
        if self.last_heard_ns is None:
            return float("inf")
        now_ns = time.monotonic_ns() if now_ns is None else now_ns
        return (now_ns - self.last_heard_ns) / MS_NS

    def start_at(self, position: Position) -> None:
        """Begin behind ``position``, once: the one that an image covers up to."""
        self._check_source(position.venue_id, position.engine)
        self._sequence.start_at(position.seq, position.epoch)

    def close(self) -> None:
        """Close both sockets."""
        self._live.close(linger=0)
        self._asker.close()

    def poll(self, now_ns: int | None = None, frames_max: int = FRAMES_PER_POLL_MAX) -> list[Applied]:
        """Take in what has arrived and return what can be applied, in order; never blocks.

        Parameters
        ----------
        now_ns
            Monotonic time; the clock's when None.
        frames_max
            Frames to return at most; 0 only listens (a consumer that cannot go on just now): what comes
            is held within the bounds and, beyond them, dropped and replayed later.

        Raises
        ------
        StreamError
            STREAM_OTHER_VENUE, STREAM_REWOUND or STREAM_UNREPAIRABLE: stop and tell a person.
        """
        now_ns = time.monotonic_ns() if now_ns is None else now_ns
        self._receive_live(now_ns)
        for reply in self._asker.poll(now_ns):
            self._receive_replay(reply, now_ns)
        applied = [
            Applied(decode_events_frame(item) if isinstance(item, bytes) else item, after)
            for item, after in self._sequence.take(frames_max)
        ]
        self._ask(now_ns)
        return applied

    def _receive_live(self, now_ns: int) -> None:
        for _ in range(RECEIVED_PER_POLL_MAX):
            try:
                data = self._live.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            frame = self._decoded(data)
            if frame is None:
                continue
            head = frame.head
            self._check_source(head.venue_id, head.engine)
            self.live_head = head
            self.last_heard_ns = now_ns
            if not frame.transactions:
                self._sequence.heartbeat(head.last_seq, head.epoch)
                continue
            # What must wait is held as bytes: a decoded frame takes some ten times the memory.
            held = frame if self._sequence.is_next(head.first_seq, head.epoch) else data
            self._sequence.live(_framed(frame, held, len(data)))

    def _receive_replay(self, reply: Reply, now_ns: int) -> None:
        if self._asked is None or reply.request_id != self._asked[0]:
            return
        from_seq, self._asked = self._asked[1], None
        answer = reply.answer
        if not isinstance(answer, Replayed):
            self._bad_answer(f"expected a replay answer, was {answer!r:.80}", now_ns)
        elif answer.code != Code.OK:
            self._refused(error_for(answer.code, answer.detail), now_ns)
        elif not answer.frames:
            # The archive hears the stream a little later than we did.
            self._ask_not_before_ns = now_ns + self._backoff.next_ns()
        else:
            self._take_in(from_seq, answer.frames, now_ns)

    def _take_in(self, from_seq: int, frames: Sequence[bytes], now_ns: int) -> None:
        expected = from_seq
        for data in frames:
            frame = self._decoded(data)
            if frame is None or not frame.transactions or not _holds(frame.head, expected):
                self._bad_answer(f"expected a frame that holds seq {expected}, was another", now_ns)
                return
            self._check_source(frame.head.venue_id, frame.head.engine)
            self._sequence.replayed(_framed(frame, frame, len(data)))
            self.replayed += 1
            expected = frame.head.last_seq + 1
        if expected > from_seq:
            self._bad_answers = 0
            self._backoff.reset()

    def _refused(self, error: Exception, now_ns: int) -> None:
        if isinstance(error, StreamError):
            raise error
        self._bad_answer(str(error), now_ns)

    def _bad_answer(self, detail: str, now_ns: int) -> None:
        """Ask again later, and not for ever."""
        self._bad_answers += 1
        if self._bad_answers >= BAD_ANSWERS_MAX:
            raise StreamError(
                Code.STREAM_UNREPAIRABLE,
                f"expected the archive to replay what follows {self._sequence.position}, "
                f"was refused {self._bad_answers} times in a row: {detail}",
            )
        self._ask_not_before_ns = now_ns + self._backoff.next_ns()

    def _ask(self, now_ns: int) -> None:
        """Ask for a replay if one is wanted and none is under way; keep count of gaps."""
        wanted = self._sequence.wanted
        if wanted is None:
            if (
                self._in_gap
                and self._sequence.heard
                and self._sequence.lag == 0
                and self.position is not None
            ):
                self._in_gap = False
                self.repairs += self._has_joined
                self._has_joined = True
            return
        if not self._in_gap:
            self._in_gap = True
            self.gaps += 1
        if self._asked is None and now_ns >= self._ask_not_before_ns and self._source is not None:
            request_id = self._asker.replay(self._source[0], wanted, CHUNK_BYTES_MAX, now_ns=now_ns)
            self._asked = (request_id, wanted)

    def _decoded(self, data: bytes) -> EventsFrame | None:
        """Return a whole frame, or None (counted) for anything else."""
        try:
            frame = decode_events_frame(data)
            if _is_whole(frame):
                return frame
        except (FormError, TypeError, LookupError):
            pass
        self.malformed += 1
        return None

    def _check_source(self, venue_id: bytes, engine: str) -> None:
        """Take the first venue and engine as ours, refuse any other."""
        if self._source is None:
            self._source = (venue_id, engine)
        elif self._source != (venue_id, engine):
            raise StreamError(
                Code.STREAM_OTHER_VENUE,
                f"expected venue {self._source[0].hex()} and engine {self._source[1]!r}, "
                f"was {venue_id.hex()} and {engine!r}",
            )

    def _show(self, meters: "Meters") -> None:
        """Register the metrics; they are read in another thread."""
        meters.gauge("stream_lag_events", "Events known and not yet taken.", lambda: self.lag_events)
        meters.gauge(
            "stream_silent_seconds", "Time since the engine was heard.", lambda: self.silent_ms() / 1e3
        )
        meters.gauge("stream_joined", "1 when no gap is open.", lambda: self.joined)
        meters.gauge("stream_held_frames", "Live frames held for a replay.", lambda: self._sequence.held)
        meters.counter("stream_gaps_total", "Gaps seen.", lambda: self.gaps)
        meters.counter("stream_repairs_total", "Gaps closed.", lambda: self.repairs)
        meters.counter("stream_replayed_frames_total", "Frames that came by replay.", lambda: self.replayed)
        meters.counter(
            "stream_dropped_frames_total", "Live frames given up for replay.", lambda: self.dropped
        )
        meters.counter(
            "stream_malformed_frames_total", "Messages that were no frame.", lambda: self.malformed
        )


def _is_whole(frame: EventsFrame) -> bool:
    """Whether the transactions hold exactly the seqs that the head names; every event passes here."""
    seq = frame.head.first_seq
    for transaction in frame.transactions:
        events = transaction[4]
        if transaction[0] != seq or type(events) is not tuple or not events:
            return False
        seq += len(events)
    return seq == frame.head.last_seq + 1


def _holds(head: Head, seq: int) -> bool:
    return head.first_seq <= seq <= head.last_seq


def _framed(frame: EventsFrame, item: EventsFrame | bytes, size_bytes: int) -> Frame[EventsFrame | bytes]:
    head = frame.head
    events = frame.transactions[0][4]
    begins = type(events[0]) is tuple and events[0][:1] == (_ENGINE_STARTED,)
    return Frame(head.first_seq, head.last_seq, head.epoch, item, size_bytes, begins)
