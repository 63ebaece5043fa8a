"""Read a journal by seq, also while another process writes it.

Invariant: only records that check out are returned, in order and without a hole. What does not check out
at the live end is "not there yet", because the writer may be in the middle of it; anywhere else it is
damage. Whether a record has been *committed* the file cannot say: an archive asks for nothing beyond
what the stream has shown.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from bus.errors import Code
from engine.disk import Disk
from engine.records import (
    KIND_SEAL,
    SEGMENT_HEADER_BYTES,
    JournalDamage,
    Record,
    segment_name,
)
from engine.segments import Segment, check_owner, first_seqs

INDEX_EVERY_BYTES: Final = 64 * 1024
SEGMENTS_OPEN_MAX: Final = 32


class _Indexed:
    """An open segment with the places of some of its records, one about every 64 KiB."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.seqs = [segment.header.first_seq]
        self.offsets = [SEGMENT_HEADER_BYTES]

    def note(self, seq: int, offset: int) -> None:
        """Remember that the record at ``offset`` begins with ``seq``, if the last place is far enough."""
        if offset - self.offsets[-1] >= INDEX_EVERY_BYTES:
            self.seqs.append(seq)
            self.offsets.append(offset)

    def before(self, seq: int) -> tuple[int, int]:
        """Return ``(first_seq, offset)`` of the nearest known record at or before ``seq``; O(log n)."""
        i = max(0, bisect_right(self.seqs, seq) - 1)
        return self.seqs[i], self.offsets[i]


class JournalReader:
    """A read-only view of a journal folder; takes no lock and writes nothing.

    Parameters
    ----------
    venue_id, engine
        Whose journal it must be; None takes it from the first segment read.
    segments_open_max
        Segments held open with their index; the one used longest ago is closed.
    """

    def __init__(
        self,
        disk: Disk,
        folder: str,
        *,
        venue_id: bytes | None = None,
        engine: str | None = None,
        segments_open_max: int = SEGMENTS_OPEN_MAX,
    ) -> None:
        self._disk = disk
        self._folder = folder
        self.venue_id = venue_id
        self.engine = engine
        self._segments_open_max = segments_open_max
        self._open: dict[int, _Indexed] = {}
        self._firsts: list[int] = []
        # Where the last call stopped: the next one mostly goes on there.
        self._next: tuple[int, int, int] | None = None
        self._after: tuple[int, int, int] | None = None

    def close(self) -> None:
        """Close the files."""
        for indexed in self._open.values():
            indexed.segment.close()
        self._open.clear()
        self._next = None

    def read_from(self, seq: int, bytes_max: int, *, until_seq: int | None = None) -> list[Record]:
        """Return whole records from the one that holds ``seq`` on.

        O(log n) to find the place once its segment has been walked, O(segment) the first time.

        Parameters
        ----------
        bytes_max
            Stop before the ``events`` together exceed this; at least one record is returned if there is one.
        until_seq
            Return no record that ends beyond it.

        Returns
        -------
        list of Record
            Empty if ``seq`` is not there yet.

        Raises
        ------
        JournalDamage
            A segment or a record in the middle is missing, damaged or foreign.
        """
        records: list[Record] = []
        total = 0
        for record in self.records(seq):
            total += len(record.events)
            if records and total > bytes_max:
                break
            if until_seq is not None and record.last_seq > until_seq:
                break
            records.append(record)
            self._next = self._after
            if total >= bytes_max:
                break
        return records

    def records(self, seq: int = 1) -> Iterator[Record]:
        """Yield the records from the one that holds ``seq`` on, up to what is there now."""
        for _first, _offset, record in self.located(seq):
            yield record

    def located(self, seq: int = 1) -> Iterator[tuple[int, int, Record]]:
        """Yield ``(first seq of the segment, offset, record)`` like `records`."""
        seq = max(seq, 1)
        place = self._find(seq)
        while place is not None:
            first_seq, expected, offset = place
            indexed = self._segment(first_seq)
            record = self._record(indexed, expected, offset)
            if record is None:
                place = self._onward(indexed, expected, offset)
                continue
            after = offset + record.size_bytes
            self._after = place = (first_seq, record.last_seq + 1, after)
            indexed.note(record.last_seq + 1, after)
            if record.last_seq >= seq:
                yield first_seq, offset, record

    def _find(self, seq: int) -> tuple[int, int, int] | None:
        """Return ``(segment, seq, offset)`` of a record at or before ``seq``."""
        if self._next is not None and self._next[1] == seq:
            return self._next
        if not self._firsts or seq >= self._firsts[-1]:
            self._firsts = first_seqs(self._disk, self._folder)
        if not self._firsts:
            return None
        i = bisect_right(self._firsts, seq) - 1
        if i < 0:
            raise self._missing_before(self._firsts[0], 1)
        first_seq = self._firsts[i]
        return first_seq, *self._segment(first_seq).before(seq)

    def _segment(self, first_seq: int) -> _Indexed:
        indexed = self._open.pop(first_seq, None)
        if indexed is None:
            indexed = _Indexed(self._open_segment(first_seq))
            while len(self._open) >= self._segments_open_max:
                oldest = next(iter(self._open))
                self._open.pop(oldest).segment.close()
        # Last in the dict is the one used last.
        self._open[first_seq] = indexed
        return indexed

    def _open_segment(self, first_seq: int) -> Segment:
        name = segment_name(first_seq)
        try:
            segment = Segment(self._disk, self._folder, name)
        except OSError as error:
            raise JournalDamage(
                Code.JOURNAL_SEGMENT_MISSING,
                f"expected segment {name}, was {error}",
                file=f"{self._folder}/{name}",
                offset=0,
                seq=first_seq,
            ) from error
        self.venue_id = self.venue_id or segment.header.venue_id
        self.engine = self.engine or segment.header.engine
        try:
            check_owner(segment, self.venue_id, self.engine)
        except JournalDamage:
            segment.close()
            raise
        return segment

    def _record(self, indexed: _Indexed, expected: int, offset: int) -> Record | None:
        segment = indexed.segment
        record = segment.record_at(offset)
        if record is None:
            segment.forget()
            record = segment.record_at(offset)
        if record is None or record.kind == KIND_SEAL:
            return None
        if record.first_seq != expected:
            detail = f"expected a record that begins with seq {expected}, was {record.first_seq}"
            raise segment.damage(Code.JOURNAL_CHAIN_BROKEN, detail, offset, expected)
        return record

    def _onward(self, indexed: _Indexed, expected: int, offset: int) -> tuple[int, int, int] | None:
        """Return where the journal goes on behind the last record of a segment; None at its live end."""
        first_seq = indexed.segment.header.first_seq
        if offset == SEGMENT_HEADER_BYTES:
            # The writer replaces an empty segment that is too small for its first record: look again.
            self._open.pop(first_seq).segment.close()
            indexed = self._segment(first_seq)
            if self._record(indexed, expected, offset) is not None:
                return first_seq, expected, offset
        self._firsts = first_seqs(self._disk, self._folder)
        later = self._firsts[bisect_right(self._firsts, first_seq) :]
        if not later:
            return None
        if later[0] == expected:
            return expected, expected, SEGMENT_HEADER_BYTES
        # The writer has gone over to another segment since: by then this one was complete.
        if self._record(indexed, expected, offset) is not None:
            return first_seq, expected, offset
        if self._segment(later[0]).segment.header.previous_first_seq != first_seq:
            raise self._missing_before(later[0], expected)
        detail = f"expected records up to seq {later[0] - 1}, was none from {expected} on"
        raise indexed.segment.damage(Code.JOURNAL_DAMAGED, detail, offset, expected)

    def _missing_before(self, first_seq: int, seq: int) -> JournalDamage:
        segment = self._segment(first_seq).segment
        missing = segment_name(segment.header.previous_first_seq)
        detail = f"expected segment {missing} before this one, was missing"
        return segment.damage(Code.JOURNAL_SEGMENT_MISSING, detail, 0, seq)
