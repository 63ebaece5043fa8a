"""The sequencer against a lossy, doubling, restarting source: every number once and in order, or a stop."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import Code, StreamError
from bus.sequence import Frame, Sequencer

Numbers = tuple[int, ...]


@dataclass
class Source:
    """What a source and its archive hold: the epoch of each number, and how it cut them into frames."""

    epochs: list[int] = field(default_factory=list)
    epoch: int = 0

    @property
    def last(self) -> int:
        return len(self.epochs)

    def restart(self) -> Frame[Numbers]:
        self.epoch += 1
        return self.publish(1)._replace(begins_epoch=True)

    def publish(self, count: int) -> Frame[Numbers]:
        first = self.last + 1
        self.epochs += [self.epoch] * count
        return self.frame(first, self.last)

    def frame(self, first: int, last: int) -> Frame[Numbers]:
        return Frame(first, last, self.epochs[first - 1], tuple(range(first, last + 1)), last - first + 1)

    def replay(self, number: int, sizes: list[int], overlap: int) -> list[Frame[Numbers]]:
        """Return frames from one that holds ``number`` on, cut otherwise than the live ones were."""
        frames = []
        first = max(1, number - overlap)
        while self.epochs[first - 1] != self.epochs[number - 1]:
            first += 1
        for size in sizes:
            last = first
            while (
                last < self.last and last - first + 1 < size and self.epochs[last] == self.epochs[first - 1]
            ):
                last += 1
            if last >= number:
                frames.append(self.frame(first, last))
            first = last + 1
            if first > self.last:
                break
        return frames or [self.frame(number, number)]


@dataclass
class Consumer:
    """Applies what it is given and remembers it; `frames_max` and `bytes_max` bound what it holds."""

    sequence: Sequencer[Numbers]
    applied: list[int] = field(default_factory=list)

    def take(self, frames_max: int) -> None:
        for numbers, after in self.sequence.take(frames_max):
            self.applied += [number for number in numbers if number > after]

    def ask(self, source: Source, sizes: list[int], overlap: int) -> bool:
        wanted = self.sequence.wanted
        if wanted is None:
            return False
        for frame in source.replay(wanted, sizes, overlap):
            self.sequence.replayed(frame)
        return True


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 5), st.sampled_from(["ok", "ok", "lost", "twice"])),
        st.tuples(st.just("restart"), st.just(1), st.sampled_from(["ok", "lost", "twice"])),
        st.tuples(st.just("heartbeat"), st.just(1), st.sampled_from(["ok", "lost"])),
        st.tuples(st.just("take"), st.integers(1, 4), st.just("")),
        st.tuples(st.just("ask"), st.integers(0, 3), st.just("")),
        st.tuples(st.just("begin"), st.just(1), st.just("")),
    ),
    max_size=60,
)
SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=4)


@given(
    before=st.lists(st.integers(1, 4), max_size=5),
    start=st.sampled_from(["zero", "stored", "image"]),
    steps=STEPS,
    sizes=SIZES,
    frames_max=st.integers(1, 6),
    bytes_max=st.integers(3, 30),
)
def test_every_number_is_applied_once_and_in_order(
    before: list[int],
    start: str,
    steps: list[tuple[str, int, str]],
    sizes: list[int],
    frames_max: int,
    bytes_max: int,
) -> None:
    source = Source()
    source.restart()
    for count in before:
        source.publish(count)
    stored = source.last
    position, epoch = {"zero": (0, 0), "stored": (stored, source.epoch), "image": (None, 0)}[start]
    sequence: Sequencer[Numbers] = Sequencer(
        position, epoch, live_frames_max=frames_max, live_bytes_max=bytes_max, replayed_frames_max=3
    )
    consumer = Consumer(sequence)
    began_at = position

    for kind, n, fate in steps:
        if kind == "begin" or (kind == "ask" and began_at is None):
            if began_at is None:
                began_at = source.last
                sequence.start_at(source.last, source.epoch)
        elif kind == "take":
            consumer.take(n)
        elif kind == "ask":
            consumer.ask(source, sizes, overlap=n)
        elif kind == "heartbeat":
            if fate == "ok":
                sequence.heartbeat(source.last, source.epoch)
        else:
            frame = source.restart() if kind == "restart" else source.publish(n)
            for _ in range({"ok": 1, "lost": 0, "twice": 2}[fate]):
                sequence.live(frame)
        assert sequence.held <= frames_max

    if began_at is None:
        began_at = source.last
        sequence.start_at(source.last, source.epoch)
    sequence.heartbeat(source.last, source.epoch)
    for _ in range(20 * source.last + 20):
        consumer.take(3)
        if not sequence.ready and not consumer.ask(source, sizes, overlap=0):
            break
    assert consumer.applied == list(range(began_at + 1, source.last + 1))
    assert sequence.position == source.last and sequence.lag == 0 and sequence.held == 0
    assert sequence.epoch == (source.epochs[-1] if source.last > (position or 0) else sequence.epoch)


def frame(first: int, last: int, epoch: int = 1, *, begins_epoch: bool = False) -> Frame[Numbers]:
    return Frame(first, last, epoch, tuple(range(first, last + 1)), 1, begins_epoch)


def test_live_frames_that_follow_are_taken_at_once() -> None:
    sequence: Sequencer[Numbers] = Sequencer(10, 1)
    assert sequence.is_next(11, 1)
    sequence.live(frame(11, 13))
    assert sequence.take(10) == [((11, 12, 13), 10)]
    assert sequence.wanted is None


def test_an_overlapping_frame_is_taken_with_the_number_to_apply_above() -> None:
    sequence: Sequencer[Numbers] = Sequencer(12, 1)
    sequence.live(frame(11, 13))
    assert sequence.take(10) == [((11, 12, 13), 12)]


def test_a_heartbeat_alone_shows_a_gap() -> None:
    sequence: Sequencer[Numbers] = Sequencer(10, 1)
    sequence.heartbeat(12, 1)
    assert sequence.wanted == 11
    assert sequence.lag == 2


def test_a_full_buffer_is_dropped_and_replayed() -> None:
    sequence: Sequencer[Numbers] = Sequencer(0, 0, live_frames_max=2)
    for number in range(2, 6):
        sequence.live(frame(number, number))
    assert (sequence.held, sequence.dropped) == (2, 2)
    for number in range(1, 6):
        if sequence.wanted == number:
            sequence.replayed(frame(number, number))
    assert [numbers for numbers, _after in sequence.take(10)] == [(1,), (2,), (3,), (4,), (5,)]


def test_a_frame_larger_than_the_whole_bound_is_not_held() -> None:
    sequence: Sequencer[Numbers] = Sequencer(0, 0, live_bytes_max=10)
    sequence.live(Frame(3, 3, 1, (3,), 11))
    assert (sequence.held, sequence.dropped, sequence.wanted) == (0, 1, 1)


def test_a_replay_that_leaves_a_hole_is_not_taken() -> None:
    sequence: Sequencer[Numbers] = Sequencer(0, 0)
    sequence.heartbeat(9, 1)
    sequence.replayed(frame(2, 3))
    assert (sequence.misplaced, sequence.take(10), sequence.wanted) == (1, [], 1)


def test_a_higher_epoch_that_goes_on_is_normal() -> None:
    sequence: Sequencer[Numbers] = Sequencer(10, 1)
    sequence.live(frame(11, 11, 2, begins_epoch=True))
    sequence.live(frame(12, 13, 2))
    assert [after for _numbers, after in sequence.take(10)] == [10, 11]
    assert sequence.epoch == 2


def test_behind_a_new_epoch_the_position_is_confirmed_first() -> None:
    sequence: Sequencer[Numbers] = Sequencer(10, 1)
    sequence.live(frame(11, 14, 2))
    assert sequence.take(10) == []
    assert sequence.wanted == 10
    sequence.replayed(frame(9, 10, 1))
    assert [after for _numbers, after in sequence.take(10)] == [10]


def test_a_source_that_lost_its_end_and_went_past_the_position_is_a_stop() -> None:
    sequence: Sequencer[Numbers] = Sequencer(10, 1)
    sequence.live(frame(15, 16, 2))
    assert sequence.wanted == 10
    with pytest.raises(StreamError) as caught:
        sequence.replayed(frame(8, 12, 2))
    assert caught.value.code == Code.STREAM_REWOUND


@pytest.mark.parametrize(
    ("last", "epoch"),
    [
        pytest.param(20, 2, id="lower epoch"),
        pytest.param(9, 3, id="next number below the position"),
        pytest.param(9, 4, id="next number below the position in a new epoch"),
    ],
)
def test_a_rewound_source_is_a_stop(last: int, epoch: int) -> None:
    for heard in ("heartbeat", "frame"):
        sequence: Sequencer[Numbers] = Sequencer(10, 3)
        with pytest.raises(StreamError) as caught:
            if heard == "heartbeat":
                sequence.heartbeat(last, epoch)
            else:
                sequence.live(frame(last, last, epoch))
        assert caught.value.code == Code.STREAM_REWOUND


def test_an_old_frame_that_was_still_on_its_way_is_no_stop() -> None:
    sequence: Sequencer[Numbers] = Sequencer(0, 0)
    sequence.heartbeat(3, 1)
    sequence.replayed(frame(1, 8))
    assert sequence.take(10) == [(tuple(range(1, 9)), 0)]
    sequence.live(frame(4, 5))
    sequence.heartbeat(5, 1)
    assert sequence.take(10) == []
    assert sequence.wanted is None


def test_an_epoch_before_the_applied_one_is_a_stop() -> None:
    sequence: Sequencer[Numbers] = Sequencer(0, 0)
    sequence.heartbeat(5, 2)
    sequence.replayed(frame(1, 2, 2))
    sequence.replayed(frame(3, 4, 1))
    with pytest.raises(StreamError):
        sequence.take(10)
