"""Say what is in a journal folder and what is wrong with it, changing nothing.

Invariant: verifying goes on behind the first problem and collects them all, takes no lock and writes
nothing, so it may run beside a live engine; the verdict on each place is the one that a start would give.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bus.errors import Code, JournalError
from engine.disk import Disk
from engine.journal_reader import JournalReader
from engine.records import JournalDamage, Record, segment_name
from engine.segments import (
    Cut,
    Position,
    Segment,
    SegmentEnd,
    check_follows,
    check_handover,
    check_owner,
    first_seqs,
    judge_tail,
    scan_segment,
)
from engine.snapshots import check_snapshot, snapshot_name, snapshot_seqs

LIVE_LOOKS_MAX = 5


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """One segment; ``end`` is None if its header could not be read or its records do not fit."""

    name: str
    segment_bytes: int
    end: SegmentEnd | None
    problem: JournalError | None


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """One snapshot; ``position`` is None if it could not be read."""

    name: str
    position: Position | None
    payload_bytes: int
    problem: JournalError | None


@dataclass(frozen=True, slots=True)
class JournalReport:
    """Everything that `verify` found.

    ``tail`` is what the next start would cut (beside a live engine: the record in the making).
    """

    folder: str
    venue_id: bytes
    engine: str
    segments: tuple[SegmentReport, ...]
    snapshots: tuple[SnapshotReport, ...]
    tail: Cut | None

    @property
    def problems(self) -> list[JournalError]:
        """Every problem, segments first."""
        found = [segment.problem for segment in self.segments] + [one.problem for one in self.snapshots]
        return [problem for problem in found if problem is not None]

    @property
    def records(self) -> int:
        """How many records there are."""
        return sum(segment.end.records for segment in self.segments if segment.end is not None)

    @property
    def last_seq(self) -> int:
        """The last seq (0: none)."""
        return max((s.end.next_seq - 1 for s in self.segments if s.end is not None), default=0)


class Located(NamedTuple):
    """A record and where it lies."""

    segment: str
    offset: int
    record: Record


def inspect(disk: Disk, folder: str, from_seq: int = 1, limit: int = 20) -> Iterator[Located]:
    """Yield up to ``limit`` records from the one that holds ``from_seq`` on.

    Raises
    ------
    JournalDamage
        At the first thing that is wrong on the way.
    """
    reader = JournalReader(disk, folder)
    try:
        for _, (first_seq, offset, record) in zip(range(limit), reader.located(from_seq), strict=False):
            yield Located(segment_name(first_seq), offset, record)
    finally:
        reader.close()


def verify(disk: Disk, folder: str, snapshots_folder: str | None = None) -> JournalReport:
    """Check every segment and every snapshot; O(size of the journal)."""
    verifying = _Verifying(disk, folder)
    verifying.load_snapshots(snapshots_folder)
    verifying.walk()
    return verifying.report()


class _Verifying:
    def __init__(self, disk: Disk, folder: str) -> None:
        self._disk = disk
        self._folder = folder
        self._owner: tuple[bytes, str] | None = None
        self._segments: list[SegmentReport] = []
        self._snapshots: list[SnapshotReport] = []
        self._chains: dict[int, bytes | None] = {}
        self._tail: Cut | None = None

    def load_snapshots(self, folder: str | None) -> None:
        """Check the snapshots as files; note which chain hashes the journal must have."""
        for seq in snapshot_seqs(self._disk, folder) if folder else []:
            name = snapshot_name(seq)
            try:
                snapshot = check_snapshot(self._disk, f"{folder}/{name}")
            except JournalError as error:
                self._snapshots.append(SnapshotReport(name, None, 0, error))
                continue
            position = snapshot.head.position
            self._chains[position.seq] = None
            self._snapshots.append(SnapshotReport(name, position, snapshot.payload_bytes, None))

    def walk(self) -> None:
        """Check segment after segment; each is compared with the one before."""
        previous: Segment | None = None
        previous_end: SegmentEnd | None = None
        done = 0
        # Listed again at the end: a live engine may have gone over to another segment meanwhile.
        while later := [first_seq for first_seq in first_seqs(self._disk, self._folder) if first_seq > done]:
            for first_seq in later:
                done = first_seq
                segment, end = self._check(first_seq, previous, previous_end)
                if previous is not None:
                    previous.close()
                previous, previous_end = segment, end
        if previous is not None:
            if previous_end is not None:
                self._judge_end(previous, previous_end)
            previous.close()

    def report(self) -> JournalReport:
        """Return what was found."""
        venue_id, engine = self._owner or (b"", "")
        snapshots = tuple(self._compare(snapshot) for snapshot in self._snapshots)
        return JournalReport(self._folder, venue_id, engine, tuple(self._segments), snapshots, self._tail)

    def _check(
        self, first_seq: int, previous: Segment | None, previous_end: SegmentEnd | None
    ) -> tuple[Segment | None, SegmentEnd | None]:
        name = segment_name(first_seq)
        try:
            segment = Segment(self._disk, self._folder, name)
        except (JournalError, OSError) as error:
            self._segments.append(SegmentReport(name, 0, None, _as_damage(error, self._folder, name)))
            return None, None
        end, problem = None, None
        try:
            self._owner = self._owner or (segment.header.venue_id, segment.header.engine)
            check_owner(segment, *self._owner)
            if previous is not None or not self._segments:
                check_follows(segment, previous.header.first_seq if previous is not None else 0)
            end = scan_segment(segment, lambda _offset, record: self._note(record))
            if previous is not None and previous_end is not None:
                check_handover(previous, previous_end, segment)
        except JournalError as error:
            problem = error
        self._segments.append(SegmentReport(name, segment.header.segment_bytes, end, problem))
        return segment, end

    def _judge_end(self, segment: Segment, end: SegmentEnd) -> None:
        problem: JournalError | None = None
        for _ in range(LIVE_LOOKS_MAX):
            try:
                self._tail = judge_tail(segment, end)
                problem = None
                break
            except JournalError as error:
                problem = error
            segment.forget()
            if segment.record_at(end.offset) is None:
                break
            # Written since by a live engine: walk again.
            end = scan_segment(segment, lambda _offset, record: self._note(record))
        last = self._segments[-1]
        self._segments[-1] = SegmentReport(last.name, last.segment_bytes, end, last.problem or problem)

    def _note(self, record: Record) -> None:
        if record.last_seq in self._chains:
            self._chains[record.last_seq] = record.chain

    def _compare(self, snapshot: SnapshotReport) -> SnapshotReport:
        position = snapshot.position
        if position is None or position.seq == 0 or self._chains[position.seq] == position.chain:
            return snapshot
        found = self._chains[position.seq]
        was = "no record that ends with it" if found is None else f"one with the chain hash {found.hex()}"
        detail = f"expected the record up to seq {position.seq} of {snapshot.name}, was {was}"
        problem = JournalError(Code.JOURNAL_CHAIN_BROKEN, detail)
        return SnapshotReport(snapshot.name, position, snapshot.payload_bytes, problem)


def _as_damage(error: JournalError | OSError, folder: str, name: str) -> JournalError:
    if isinstance(error, JournalError):
        return error
    return JournalDamage(
        Code.JOURNAL_DAMAGED,
        f"expected a readable segment, was {error}",
        file=f"{folder}/{name}",
        offset=0,
        seq=0,
    )
