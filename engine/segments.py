"""Read segments and tell an unsynced tail from damage.

Invariant: whatever was acknowledged is found again, or the scan refuses. A record that does not check
out ends the journal only if nothing behind it proves that it had been synced: each record names the
last seq that was durable when it was written, so a valid record behind a broken one is proof, except
where the sync policy (``interval``, ``none``) had left both in the air.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from bus.errors import Code
from engine.disk import Disk
from engine.records import (
    ALIGNMENT,
    KIND_SEAL,
    NO_CHAIN,
    RECORD_HEADER_BYTES,
    RECORD_MAGIC,
    SEGMENT_HEADER_BYTES,
    JournalDamage,
    Record,
    chain_after,
    segment_name,
    unpack_record,
    unpack_segment_header,
    unpack_size,
)

READ_BYTES: Final = 256 * 1024
SUFFIX: Final = ".journal"
_ZEROS: Final = bytes(READ_BYTES)


class Position(NamedTuple):
    """A point of the journal: the last seq covered and the chain hash there."""

    seq: int
    chain: bytes


class SegmentEnd(NamedTuple):
    """Where a segment's valid records end."""

    offset: int
    next_seq: int
    chain: bytes
    records: int
    sealed: bool
    now_ns: int


@dataclass(frozen=True, slots=True)
class Cut:
    """An unsynced tail: ``size_bytes`` at ``offset`` of ``file``, in the place of seq ``first_seq``."""

    file: str
    offset: int
    size_bytes: int
    first_seq: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What a whole scan found.

    ``now_ns`` is the time of the last record scanned (0: none was); ``records`` counts the scanned ones.
    """

    venue_id: bytes
    engine: str
    segments: tuple[int, ...]
    end: SegmentEnd
    records: int
    cut: Cut | None

    @property
    def position(self) -> Position:
        """The end of the journal."""
        return Position(self.end.next_seq - 1, self.end.chain)


class Segment:
    """One segment file, open for reading.

    Raises
    ------
    JournalDamage
        The header is broken, the file is not named by it, or it is shorter than it says.
    """

    def __init__(self, disk: Disk, folder: str, name: str) -> None:
        self.path = f"{folder}/{name}"
        self._disk = disk
        self._window = b""
        self._window_at = 0
        self.handle = disk.open_read(self.path)
        try:
            self.header, self.seed = unpack_segment_header(self._read(0, SEGMENT_HEADER_BYTES), self.path)
            self._check_file(name)
        except BaseException:
            disk.close(self.handle)
            raise

    def close(self) -> None:
        """Close the file."""
        self._disk.close(self.handle)

    def damage(self, code: Code, detail: str, offset: int, seq: int) -> JournalDamage:
        """Return the error for damage at ``offset`` of this segment."""
        return JournalDamage(code, detail, file=self.path, offset=offset, seq=seq)

    def record_at(self, offset: int) -> Record | None:
        """Return the record at ``offset``, or None if none checks out there; O(its size)."""
        at = offset - self._window_at
        if at < 0 or at + RECORD_HEADER_BYTES > len(self._window):
            self._load(offset, READ_BYTES)
            at = 0
            if len(self._window) < RECORD_HEADER_BYTES:
                return None
        length = unpack_size(self._window, at)
        if length == 0 or offset + length > self.header.segment_bytes:
            return None
        if at + length > len(self._window):
            self._load(offset, max(READ_BYTES, length))
            at = 0
            if length > len(self._window):
                return None
        return unpack_record(self._window, at, length, self.seed)

    def forget(self) -> None:
        """Drop what was read, so that the next read sees what a live writer has added."""
        self._window = b""

    def used_behind(self, offset: int) -> int:
        """Return how many bytes from ``offset`` on reach up to the last one that is not zero."""
        used = 0
        for at in range(offset, self.header.segment_bytes, READ_BYTES):
            chunk = self._read(at, READ_BYTES)
            if chunk != _ZEROS[: len(chunk)]:
                used = at - offset + len(chunk.rstrip(b"\0"))
        return used

    def valid_behind(self, offset: int) -> Iterator[tuple[int, Record]]:
        """Yield ``(offset, record)`` of what checks out behind the broken place at ``offset``."""
        at = offset + ALIGNMENT
        while at < self.header.segment_bytes:
            chunk = self._read(at, READ_BYTES)
            found = chunk.find(RECORD_MAGIC)
            if found < 0:
                if len(chunk) < READ_BYTES:
                    return
                at += READ_BYTES - ALIGNMENT
                continue
            if found % ALIGNMENT:
                at += found - found % ALIGNMENT + ALIGNMENT
                continue
            record = self.record_at(at + found)
            if record is not None:
                yield at + found, record
            at += found + (ALIGNMENT if record is None else record.size_bytes)

    def _check_file(self, name: str) -> None:
        expected = segment_name(self.header.first_seq)
        if name != expected:
            raise self.damage(
                Code.JOURNAL_DAMAGED,
                f"expected the file name {expected}, was {name}",
                0,
                self.header.first_seq,
            )
        size = self._disk.size(self.handle)
        if size != self.header.segment_bytes:
            raise self.damage(
                Code.JOURNAL_DAMAGED,
                f"expected a file of {self.header.segment_bytes} bytes, was {size}",
                min(size, self.header.segment_bytes),
                self.header.first_seq,
            )

    def _load(self, offset: int, length: int) -> None:
        self._window = self._read(offset, length)
        self._window_at = offset

    def _read(self, offset: int, length: int) -> bytes:
        try:
            return self._disk.pread(self.handle, length, offset)
        except OSError as error:
            raise self.damage(
                Code.JOURNAL_DAMAGED, f"expected {length} readable bytes, was {error}", offset, 0
            ) from error


def first_seqs(disk: Disk, folder: str) -> list[int]:
    """Return the first seqs of the segments in ``folder``, ascending, from their names alone."""
    stems = (name.removesuffix(SUFFIX) for name in disk.names(folder) if name.endswith(SUFFIX))
    return [int(stem) for stem in stems if len(stem) == 20 and stem.isdecimal()]


def open_segments(disk: Disk, folder: str, *, venue_id: bytes | None, engine: str | None) -> list[Segment]:
    """Open every segment of ``folder`` in order, checking that the headers make one journal.

    Parameters
    ----------
    venue_id, engine
        Whose journal it must be; None takes it from the first segment.

    Raises
    ------
    JournalDamage
        A segment is missing, damaged, or of another venue or engine.
    """
    segments: list[Segment] = []
    previous = 0
    try:
        for first_seq in first_seqs(disk, folder):
            segment = Segment(disk, folder, segment_name(first_seq))
            segments.append(segment)
            header = segments[0].header
            check_owner(segment, venue_id or header.venue_id, engine or header.engine)
            check_follows(segment, previous)
            previous = first_seq
    except BaseException:
        for segment in segments:
            segment.close()
        raise
    return segments


def check_owner(segment: Segment, venue_id: bytes, engine: str) -> None:
    """Raise JOURNAL_WRONG_VENUE unless the segment is of this venue and engine."""
    header = segment.header
    if header.venue_id != venue_id:
        raise segment.damage(
            Code.JOURNAL_WRONG_VENUE,
            f"expected a segment of venue {venue_id.hex()}, was {header.venue_id.hex()}",
            0,
            header.first_seq,
        )
    if header.engine != engine:
        raise segment.damage(
            Code.JOURNAL_WRONG_VENUE,
            f"expected a segment of engine {engine!r}, was {header.engine!r}",
            0,
            header.first_seq,
        )


def check_follows(segment: Segment, previous: int) -> None:
    """Raise unless the segment says that the one before it begins with ``previous`` (0: none)."""
    header = segment.header
    if header.previous_first_seq == previous and (previous or header.first_seq == 1):
        return
    if header.previous_first_seq > previous:
        detail = (
            f"expected the segment {segment_name(header.previous_first_seq)} before this one, was missing"
        )
        raise segment.damage(Code.JOURNAL_SEGMENT_MISSING, detail, 0, header.previous_first_seq)
    was = segment_name(previous) if previous else "no segment"
    detail = f"expected segment {segment_name(header.previous_first_seq)} before this one, was {was}"
    raise segment.damage(Code.JOURNAL_CHAIN_BROKEN, detail, 0, header.first_seq)


def scan_segment(
    segment: Segment, visit: Callable[[int, Record], None] | None = None, boundary: Position | None = None
) -> SegmentEnd:
    """Walk the records of one segment, checking seqs and chain, up to where none checks out.

    Parameters
    ----------
    visit
        Called with ``(offset, record)`` of every batch.
    boundary
        A position inside this segment that must be the end of a record with that chain hash.
    """
    offset, seq, chain = SEGMENT_HEADER_BYTES, segment.header.first_seq, segment.header.chain
    records = now_ns = 0
    sealed = False
    if boundary is not None and seq == boundary.seq + 1:
        _check_boundary(segment, boundary, offset, seq, chain)
    while not sealed and (record := segment.record_at(offset)) is not None:
        if record.first_seq != seq:
            detail = f"expected a record that begins with seq {seq}, was {record.first_seq}"
            raise segment.damage(Code.JOURNAL_CHAIN_BROKEN, detail, offset, seq)
        link = chain_after(chain, record)
        if link != record.chain:
            detail = f"expected the chain hash {link.hex()}, was {record.chain.hex()}"
            raise segment.damage(Code.JOURNAL_CHAIN_BROKEN, detail, offset, seq)
        if record.kind == KIND_SEAL:
            sealed = True
            continue
        if visit is not None:
            visit(offset, record)
        offset, seq, chain, now_ns = offset + record.size_bytes, record.last_seq + 1, link, record.now_ns
        records += 1
        if boundary is not None and record.first_seq <= boundary.seq < seq:
            _check_boundary(segment, boundary, offset, seq, chain)
    return SegmentEnd(offset, seq, chain, records, sealed, now_ns)


def _check_boundary(segment: Segment, boundary: Position, offset: int, seq: int, chain: bytes) -> None:
    if seq != boundary.seq + 1:
        detail = f"expected a record that ends with seq {boundary.seq} of the snapshot, was {seq - 1}"
        raise segment.damage(Code.JOURNAL_CHAIN_BROKEN, detail, offset, boundary.seq)
    if chain != boundary.chain:
        detail = f"expected the chain hash {boundary.chain.hex()} of the snapshot, was {chain.hex()}"
        raise segment.damage(Code.JOURNAL_CHAIN_BROKEN, detail, offset, boundary.seq)


def judge_tail(segment: Segment, end: SegmentEnd) -> Cut | None:
    """Say what lies behind the last valid record of the last segment.

    Returns
    -------
    Cut or None
        An unsynced tail to cut; None if there is nothing but zeros.

    Raises
    ------
    JournalDamage
        A valid record behind the broken one shows that it had been synced; or the segment is sealed:
        then one follows, and it is missing.
    """
    if end.sealed:
        detail = f"expected the segment {segment_name(end.next_seq)} behind this sealed one, was missing"
        raise segment.damage(Code.JOURNAL_SEGMENT_MISSING, detail, end.offset, end.next_seq)
    used = segment.used_behind(end.offset)
    if not used:
        return None
    for offset, record in segment.valid_behind(end.offset):
        if record.durable_seq >= end.next_seq:
            detail = (
                f"expected an intact record, was a broken one with a valid one behind it "
                f"at byte {offset} that begins with seq {record.first_seq}"
            )
            raise segment.damage(Code.JOURNAL_DAMAGED, detail, end.offset, end.next_seq)
    return Cut(segment.path, end.offset, used, end.next_seq)


def check_handover(segment: Segment, end: SegmentEnd, following: Segment) -> None:
    """Raise unless ``following`` begins with the seq and the chain hash with which ``segment`` ends."""
    first_seq = following.header.first_seq
    if end.next_seq != first_seq:
        detail = f"expected records up to seq {first_seq - 1}, was none from {end.next_seq} on"
        code = Code.JOURNAL_DAMAGED if end.next_seq < first_seq else Code.JOURNAL_CHAIN_BROKEN
        raise segment.damage(code, detail, end.offset, min(end.next_seq, first_seq))
    if end.chain != following.header.chain:
        detail = f"expected the chain hash {end.chain.hex()}, was {following.header.chain.hex()}"
        raise following.damage(Code.JOURNAL_CHAIN_BROKEN, detail, 0, first_seq)


def scan_journal(
    disk: Disk,
    folder: str,
    *,
    venue_id: bytes | None = None,
    engine: str | None = None,
    resume: Position | None = None,
) -> Scan | None:
    """Check the journal from ``resume`` (or from its beginning) to its end.

    Headers, names and continuity of all segments are always checked; records from the segment on in which
    ``resume`` lies.

    Returns
    -------
    Scan or None
        None if there is no segment.

    Raises
    ------
    JournalDamage
        See `judge_tail`, `open_segments` and `check_handover`.
    """
    since = resume or Position(0, NO_CHAIN)
    segments = open_segments(disk, folder, venue_id=venue_id, engine=engine)
    try:
        if not segments:
            _check_reached(folder, since, 0, 0, None)
            return None
        firsts = tuple(segment.header.first_seq for segment in segments)
        start = max(i for i, first_seq in enumerate(firsts) if i == 0 or first_seq <= since.seq + 1)
        records = now_ns = 0
        for i in range(start, len(segments)):
            end = scan_segment(segments[i], boundary=since)
            records += end.records
            now_ns = end.now_ns or now_ns
            if i + 1 < len(segments):
                check_handover(segments[i], end, segments[i + 1])
        cut = judge_tail(segments[-1], end)
        _check_reached(segments[-1].path, since, end.offset, end.next_seq - 1, cut)
        header = segments[0].header
        end = end._replace(now_ns=now_ns)
        return Scan(header.venue_id, header.engine, firsts, end, records, cut)
    finally:
        for segment in segments:
            segment.close()


def _check_reached(file: str, since: Position, offset: int, last_seq: int, cut: Cut | None) -> None:
    if last_seq >= since.seq:
        return
    # A snapshot is only taken of what was synced: a tail that it covers was damaged, not unsynced.
    code = Code.JOURNAL_SEGMENT_MISSING if cut is None else Code.JOURNAL_DAMAGED
    detail = f"expected a journal that reaches seq {since.seq} of the snapshot, was {last_seq}"
    raise JournalDamage(code, detail, file=file, offset=offset, seq=last_seq + 1)
