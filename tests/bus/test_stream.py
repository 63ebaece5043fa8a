"""The stream over real sockets, with a real journal and the real archive beside it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from prometheus_client import CollectorRegistry, generate_latest

from bus import sockets
from bus.errors import Code, StreamError
from bus.frames import Head, encode_events_frame
from bus.metrics import Meters
from bus.query_frames import Replayed, decode_replay, encode_replayed
from bus.service import Host
from bus.settings import load
from bus.stream import BAD_ANSWERS_MAX, Position, Stream
from engine.archive import Archive
from tests.engine.writer import ENGINE, OTHER_VENUE, VENUE, Writer
from tests.poll import until

Context = zmq.Context[zmq.Socket[bytes]]
MINUTE_NS = 60 * 1_000_000_000


class Consumer:
    """Follows the stream and remembers the seqs that it applied."""

    def __init__(self, venue: "Venue", stream: Stream) -> None:
        self.venue = venue
        self.stream = stream
        self.seqs: list[int] = []

    def turn(self, frames_max: int = 256) -> None:
        """Poll once; the archive works once too."""
        self.venue.turn()
        for applied in self.stream.poll(frames_max=frames_max):
            self.seqs += [seq for seq, _event in applied.events()]

    def has_all(self) -> bool:
        """Poll once; return whether everything written was applied."""
        self.venue.writer.heartbeat()
        self.turn()
        position = self.stream.position
        return self.stream.joined and position is not None and position.seq == self.venue.writer.last_seq


class Venue:
    """A writer of journal and stream, and the archive; all in this thread, over real sockets."""

    def __init__(self, folder: Path, *overrides: str, sndhwm: int = 10_000) -> None:
        self.settings = load(
            overrides=[
                f"venue.data_dir={folder}",
                f"venue.run_dir={folder}/run",
                "stream.request_timeout_ms=200",
                "stream.retry_ms_min=1",
                "stream.retry_ms_max=10",
                *overrides,
            ]
        )
        self.host = Host("archive", self.settings)
        self.writer = Writer(
            Path(self.settings.journal.dir),
            publish=(self.host.context, self.settings.endpoints.engine_stream),
            sndhwm=sndhwm,
        )
        self.archive: Archive | None = Archive(self.host)
        self._streams: list[Stream] = []

    def turn(self) -> None:
        if self.archive is not None:
            self.archive.step(0)

    def stop_archive(self) -> None:
        assert self.archive is not None
        self.archive.close()
        self.archive._router.close()
        self.archive = None

    def consumer(
        self, position: Position | None = None, *, from_start: bool = False, rcvhwm: int | None = None
    ) -> Consumer:
        stream = Stream.connect(self.host, position=position, from_start=from_start, rcvhwm=rcvhwm)
        self._streams.append(stream)
        return Consumer(self, stream)

    def close(self) -> None:
        for stream in self._streams:
            stream.close()
        if self.archive is not None:
            self.archive.close()
        self.writer.__exit__(None, None, None)
        self.host.failing = True
        self.host.close()


@pytest.fixture
def venue(short_dir: Path) -> Iterator[Venue]:
    made = Venue(short_dir)
    yield made
    made.close()


def at(seq: int, epoch: int = 1, venue_id: bytes = VENUE, engine: str = ENGINE) -> Position:
    return Position(venue_id, engine, epoch, seq)


def test_a_consumer_from_the_start_gets_everything(venue: Venue) -> None:
    for _ in range(300):
        venue.writer.write(5)
    consumer = venue.consumer(from_start=True)
    until(consumer.has_all)
    venue.writer.write(3)
    until(consumer.has_all)
    assert consumer.seqs == list(range(1, 1504))
    assert consumer.stream.position == at(1503)
    assert consumer.stream.lag_events == 0


def test_a_stored_position_inside_a_batch_goes_on_inside_it(venue: Venue) -> None:
    for _ in range(10):
        venue.writer.write(10)
    consumer = venue.consumer(at(37))
    until(consumer.has_all)
    assert consumer.seqs == list(range(38, 101))


def test_an_image_first_consumer_hears_the_stream_before_it_takes_the_image(venue: Venue) -> None:
    venue.writer.write(10)
    consumer = venue.consumer()

    def heard() -> Head | None:
        venue.writer.heartbeat()
        consumer.turn()
        return consumer.stream.live_head

    head = until(heard)
    assert head is not None
    assert (head.first_seq, head.last_seq, consumer.stream.position) == (11, 10, None)
    venue.writer.write(10)
    venue.writer.write(10)
    consumer.stream.start_at(at(20))
    until(consumer.has_all)
    assert consumer.seqs == list(range(21, 31))


def test_a_sleeping_subscriber_with_a_high_water_mark_of_1_ends_with_every_event(short_dir: Path) -> None:
    venue = Venue(short_dir, sndhwm=1)
    consumer = venue.consumer(from_start=True, rcvhwm=1)
    until(consumer.has_all)
    for _ in range(3):
        for _ in range(1_500):
            venue.writer.write(10)
        until(consumer.has_all)
    assert consumer.seqs == list(range(1, venue.writer.last_seq + 1))
    assert consumer.stream.gaps >= 3
    assert consumer.stream.gaps == consumer.stream.repairs
    assert consumer.stream.replayed > 0
    venue.close()


def test_a_small_live_buffer_is_dropped_and_all_is_still_applied(short_dir: Path) -> None:
    venue = Venue(short_dir, "stream.live_buffer_frames_max=3")
    for _ in range(50):
        venue.writer.write(5)
    consumer = venue.consumer(from_start=True)
    consumer.turn()
    for _ in range(50):
        venue.writer.write(5)
        consumer.turn(frames_max=0)
        assert consumer.stream._sequence.held <= 3
    until(consumer.has_all)
    assert consumer.seqs == list(range(1, 501))
    assert consumer.stream.dropped > 0
    venue.close()


def test_without_an_archive_nothing_blocks_and_the_gap_waits(venue: Venue) -> None:
    venue.writer.write(10)
    venue.stop_archive()
    consumer = venue.consumer(from_start=True)
    until(lambda: consumer.has_all() or consumer.stream.lag_events == 10)
    for _ in range(20):
        venue.writer.write(1)
        consumer.turn()
    assert not consumer.stream.joined
    assert consumer.seqs == []
    assert consumer.stream._asker.waiting == 1
    venue.archive = Archive(venue.host)
    until(consumer.has_all)
    assert consumer.seqs == list(range(1, 31))


def test_a_higher_epoch_goes_on(venue: Venue) -> None:
    venue.writer.write(10)
    consumer = venue.consumer(from_start=True)
    until(consumer.has_all)
    venue.writer.restart()
    venue.writer.write(4)
    until(consumer.has_all)
    assert consumer.seqs == list(range(1, 16))
    assert consumer.stream.position == at(15, epoch=2)


def test_an_epoch_that_began_unheard_is_confirmed_by_the_archive(venue: Venue) -> None:
    venue.writer.write(10)
    venue.writer.restart()
    venue.writer.restart()
    venue.writer.write(4)
    consumer = venue.consumer(at(5))
    until(consumer.has_all)
    assert consumer.seqs == list(range(6, 17))
    assert consumer.stream.position == at(16, epoch=3)


@pytest.mark.parametrize(
    ("position", "code"),
    [
        pytest.param(at(5, venue_id=OTHER_VENUE), Code.STREAM_OTHER_VENUE, id="another venue"),
        pytest.param(at(5, engine="engine-2"), Code.STREAM_OTHER_VENUE, id="another engine"),
        pytest.param(at(5, epoch=2), Code.STREAM_REWOUND, id="a lower epoch"),
        pytest.param(at(11), Code.STREAM_REWOUND, id="a next seq below the position"),
    ],
)
def test_a_stream_that_must_not_be_followed_is_a_typed_stop(
    venue: Venue, position: Position, code: Code
) -> None:
    venue.writer.write(10)
    consumer = venue.consumer(position)
    with pytest.raises(StreamError) as caught:
        until(consumer.has_all)
    assert caught.value.code == code
    assert consumer.seqs == []


def test_an_engine_that_lost_its_end_and_went_past_the_position_is_found_out(venue: Venue) -> None:
    venue.writer.write(8)
    venue.writer.restart()
    venue.writer.write(20)
    consumer = venue.consumer(at(12, epoch=1))
    with pytest.raises(StreamError) as caught:
        until(consumer.has_all)
    assert caught.value.code == Code.STREAM_REWOUND
    assert consumer.seqs == []


def test_garbage_in_the_live_stream_is_counted_dropped_and_repaired(venue: Venue) -> None:
    consumer = venue.consumer(from_start=True)
    until(lambda: consumer.has_all() or consumer.stream.live_head)
    venue.writer.write(3)
    until(consumer.has_all)
    whole = encode_events_frame(Head(VENUE, ENGINE, 1, 4, 5, 9), [(4, 0, 0, 0, [(1, 1, 1)])])
    for garbage in (b"", b"\x00", whole[:-3], whole, encode_events_frame(venue.writer.head, ["x"])):
        venue.writer.publish(garbage)
    pub, venue.writer._pub = venue.writer._pub, None
    venue.writer.write(4)
    venue.writer._pub = pub
    until(consumer.has_all)
    assert consumer.stream.malformed == 5
    assert consumer.stream.gaps == 1
    assert consumer.seqs == list(range(1, 8))


def test_an_archive_that_answers_nonsense_is_asked_a_bounded_number_of_times(short_dir: Path) -> None:
    venue = Venue(short_dir)
    venue.writer.write(10)
    venue.stop_archive()
    router, _endpoint = sockets.bind(venue.host.context, "ROUTER", venue.settings.endpoints.archive)
    consumer = venue.consumer(from_start=True)
    asked: list[int] = []

    def answered() -> bool:
        venue.writer.heartbeat()
        if router.poll(1):
            peer, data = router.recv_multipart()
            asked.append(decode_replay(data).from_seq)
            router.send_multipart(
                [peer, encode_replayed(Replayed(decode_replay(data).request_id, 0, "", 99, [b"?"]))]
            )
        return consumer.has_all()

    with pytest.raises(StreamError) as caught:
        until(answered)
    assert caught.value.code == Code.STREAM_UNREPAIRABLE
    assert asked == [1] * BAD_ANSWERS_MAX
    router.close()
    venue.close()


def test_silence_and_lag_are_told(venue: Venue) -> None:
    consumer = venue.consumer(at(0, epoch=0))
    stream = consumer.stream
    assert stream.silent_ms() == float("inf")
    assert not stream.joined
    venue.writer.write(10)

    def listened() -> bool:
        venue.writer.heartbeat()
        consumer.turn(frames_max=0)
        return stream.lag_events == 10

    until(listened)
    assert consumer.seqs == []
    assert stream.silent_ms(time.monotonic_ns() + MINUTE_NS) >= 60_000
    until(consumer.has_all)
    assert stream.lag_events == 0


def test_frames_in_hand_are_told_and_given_out_in_bounded_numbers(venue: Venue) -> None:
    consumer = venue.consumer(from_start=True)
    until(lambda: consumer.has_all() or consumer.stream.live_head)
    for _ in range(10):
        venue.writer.write(1)

    def held() -> bool:
        consumer.turn(frames_max=0)
        return consumer.stream.pending and consumer.stream.lag_events == 10

    until(held)
    consumer.turn(frames_max=4)
    assert consumer.seqs == [1, 2, 3, 4]
    consumer.turn(frames_max=100)
    assert consumer.seqs == list(range(1, 11))


def test_what_happens_is_shown_as_metrics(venue: Venue) -> None:
    registry = CollectorRegistry()
    stream = Stream.connect(venue.host, from_start=True, meters=Meters(registry, "feed"))
    shown = generate_latest(registry).decode()
    for name in ("lag_events", "joined", "gaps_total", "repairs_total", "dropped_frames_total"):
        assert f"zeropit_feed_stream_{name} 0.0" in shown
    stream.close()
