"""Put numbered frames in order: what to apply, and from where to ask for a replay.

Invariant: what `Sequencer.take` returns covers every number exactly once and in order, whatever was lost,
doubled, overlapping or late, and what is held is bounded: when the live frames held become too many they
are dropped and replayed instead. A history that contradicts what was applied is a typed stop
(`StreamError` STREAM_REWOUND), never a duplicate to skip.

Pure: no sockets, no clock. `bus.stream` drives it for the engine's stream; a client may drive it for the
topics of a feed.

A frame covers the numbers ``first`` to ``last`` and belongs to an ``epoch`` (one more at each start of
the source, whose numbers go on). A heartbeat covers nothing: it says only which number was the last.
"""

from collections import deque
from typing import Generic, NamedTuple, TypeVar

from .errors import Code, StreamError

T = TypeVar("T")


class Frame(NamedTuple, Generic[T]):
    """Something that covers the numbers ``first`` to ``last``.

    ``begins_epoch``: its first number is the first one of its epoch. ``size_bytes`` counts against the
    bound of what is held.
    """

    first: int
    last: int
    epoch: int
    item: T
    size_bytes: int = 0
    begins_epoch: bool = False


class Sequencer(Generic[T]):
    """The state of one consumer of one sequence.

    Parameters
    ----------
    position
        The last number applied; None until `start_at` says so: live frames are held until then.
    epoch
        The epoch of the frame that held ``position``.
    live_frames_max, live_bytes_max
        Bounds of the live frames held while a gap is replayed; beyond either, all held are dropped.
    replayed_frames_max
        Replayed frames in hand above which no further replay is wanted.

    Attributes
    ----------
    position, epoch
        As above, now.
    head, heard_epoch
        The last number that exists as far as was heard live, and the newest epoch heard.
    repeated, dropped, misplaced
        Frames that brought nothing new; live frames given up because too many were held; replayed frames
        that left a hole before them.
    """

    def __init__(
        self,
        position: int | None = None,
        epoch: int = 0,
        *,
        live_frames_max: int = 20_000,
        live_bytes_max: int = 64 * 1024 * 1024,
        replayed_frames_max: int = 256,
    ) -> None:
        self.position = position
        self.epoch = epoch
        self.head = 0
        self.heard = False
        self.heard_epoch = epoch
        self.repeated = self.dropped = self.misplaced = 0
        self._live: deque[Frame[T]] = deque()
        self._live_bytes = 0
        self._replayed: deque[Frame[T]] = deque()
        self._live_frames_max = live_frames_max
        self._live_bytes_max = live_bytes_max
        self._replayed_frames_max = replayed_frames_max
        # The newest epoch whose history is known to hold `position`.
        self._confirmed_epoch = epoch
        # Live frames come in order on one connection, so a lower number than this in the same epoch was
        # either doubled on the way, or the source lost its end and began again.
        self._live_last = position or 0

    def start_at(self, position: int, epoch: int) -> None:
        """Say where to begin (the number that an image covers up to), once, and in which epoch that was."""
        if self.position is not None:
            raise AssertionError(f"expected a sequence without a position, was one at {self.position}")
        self.position = position
        self.epoch = self._confirmed_epoch = epoch

    @property
    def held(self) -> int:
        """Live frames held."""
        return len(self._live)

    @property
    def lag(self) -> int:
        """Numbers known to exist and not yet taken."""
        return max(0, self.head - (self.position or 0))

    def is_next(self, first: int, epoch: int) -> bool:
        """Whether a live frame beginning with ``first`` would be taken at once."""
        return (
            self.position is not None
            and not self._live
            and not self._replayed
            and first <= self.position + 1
            and epoch == self._confirmed_epoch
        )

    def live(self, frame: Frame[T]) -> None:
        """Take in a live frame.

        Raises
        ------
        StreamError
            STREAM_REWOUND, see `heartbeat`.
        """
        self._hear(frame.last, frame.epoch, sure=not self.heard)
        self._hold(frame)

    def heartbeat(self, last: int, epoch: int) -> None:
        """Take in that ``last`` is the newest number.

        Raises
        ------
        StreamError
            STREAM_REWOUND: the epoch is lower than one heard before, or the source is behind what it had
            shown.
        """
        self._hear(last, epoch, sure=True)

    def replayed(self, frame: Frame[T]) -> None:
        """Take in a replayed frame, asked for by `wanted`; frames of one answer in order.

        Raises
        ------
        StreamError
            STREAM_REWOUND: the number at the position belongs to another epoch than the one applied.
        """
        position = self.position
        if position is None:
            return
        if frame.first <= position <= frame.last and self._must_confirm():
            if frame.epoch != self.epoch:
                raise StreamError(
                    Code.STREAM_REWOUND,
                    f"expected number {position} in epoch {self.epoch}, was in epoch {frame.epoch}: "
                    "the source lost what it had shown",
                )
            self._confirmed_epoch = self.heard_epoch
        reach = self._replayed[-1].last if self._replayed else position
        if frame.first > reach + 1:
            self.misplaced += 1
        elif frame.last > reach:
            self._replayed.append(frame)
        else:
            self.repeated += 1

    def take(self, frames_max: int) -> list[tuple[T, int]]:
        """Return what can be applied now, in order: at most ``frames_max`` of ``(item, after)``.

        Of an item, apply only the numbers above ``after``. O(frames returned and skipped).

        Raises
        ------
        StreamError
            STREAM_REWOUND: a later number comes from an earlier epoch.
        """
        taken: list[tuple[T, int]] = []
        if self.position is None:
            return taken
        while len(taken) < frames_max:
            frame = self._next(self._replayed, self.position)
            if frame is None:
                frame = self._next(self._live, self.position)
                if frame is None:
                    break
                self._live_bytes -= frame.size_bytes
            if frame.epoch < self.epoch:
                raise StreamError(
                    Code.STREAM_REWOUND,
                    f"expected epoch {self.epoch} or later after number {self.position}, was {frame.epoch}",
                )
            taken.append((frame.item, self.position))
            self.position, self.epoch = frame.last, frame.epoch
            self._confirmed_epoch = max(self._confirmed_epoch, frame.epoch)
        return taken

    @property
    def ready(self) -> bool:
        """Whether `take` would return something."""
        position = self.position
        if position is None:
            return False
        return any(self._fits(queue[0], position) for queue in (self._replayed, self._live) if queue)

    @property
    def wanted(self) -> int | None:
        """The number from which a replay is wanted; None when there is no gap or enough is in hand."""
        if self.position is None or self.head <= self.position:
            return None
        if self._must_confirm() and not self.ready:
            # The frame that holds the position too: its epoch shows whether this is still that history.
            return self.position
        if len(self._replayed) >= self._replayed_frames_max:
            return None
        reach = self._replayed[-1].last if self._replayed else self.position
        if reach >= self.head or (self._live and self._live[0].first <= reach + 1):
            return None
        return reach + 1

    def _must_confirm(self) -> bool:
        """Whether a new epoch was heard and it is not known that its history holds the position."""
        return bool(self.position) and self.heard_epoch > self._confirmed_epoch

    def _hear(self, last: int, epoch: int, *, sure: bool) -> None:
        """Note the newest number; ``sure``: a lower one than before cannot be a frame doubled on its way."""
        if epoch < self.heard_epoch:
            raise StreamError(Code.STREAM_REWOUND, f"expected epoch {self.heard_epoch} or later, was {epoch}")
        if epoch > self.heard_epoch:
            if last < self._shown_before(epoch):
                self._rewound(last, self._shown_before(epoch))
            self.heard_epoch = epoch
            self._live_last = last
        elif last < self._live_last and sure:
            self._rewound(last, self._live_last)
        self.heard = True
        self._live_last = max(self._live_last, last)
        self.head = max(self.head, last)

    def _shown_before(self, epoch: int) -> int:
        """Return the highest number known to be of an epoch before ``epoch``."""
        applied = self.position if self.position is not None and self.epoch < epoch else 0
        return max(applied, self._live_last)

    def _rewound(self, last: int, shown: int) -> None:
        raise StreamError(
            Code.STREAM_REWOUND,
            f"expected a next number above {shown}, was {last + 1}: the source lost its end",
        )

    def _hold(self, frame: Frame[T]) -> None:
        """Keep a live frame until it can be taken, within the bounds."""
        known = self._live[-1].last if self._live else (self.position or 0)
        if frame.last <= known:
            self.repeated += 1
            return
        full = len(self._live) >= self._live_frames_max
        if full or self._live_bytes + frame.size_bytes > self._live_bytes_max:
            self.dropped += len(self._live)
            self._live.clear()
            self._live_bytes = 0
            if frame.size_bytes > self._live_bytes_max:
                self.dropped += 1
                return
        self._live.append(frame)
        self._live_bytes += frame.size_bytes

    def _next(self, queue: deque[Frame[T]], position: int) -> Frame[T] | None:
        """Take the first frame of a queue if it fits, dropping what it has already brought."""
        while queue and queue[0].last <= position:
            skipped = queue.popleft()
            self.repeated += 1
            if queue is self._live:
                self._live_bytes -= skipped.size_bytes
        return queue.popleft() if queue and self._fits(queue[0], position) else None

    def _fits(self, frame: Frame[T], position: int) -> bool:
        """Whether a frame may be applied at a position."""
        if frame.first > position + 1:
            return False
        if frame.epoch <= self._confirmed_epoch or position == 0:
            return True
        return frame.begins_epoch and frame.first == position + 1
