"""Write the journal: one record a batch, synced before anything of it leaves the engine.

Invariant: after `Journal.sync` returns (policy ``always``), the records appended so far survive any
crash; once a write or a sync has failed, nothing is appended any more, and nothing is tried twice:
after a failed sync the kernel may have dropped the bytes and would report the next one as a success.
"""

import os
from typing import Final, Literal, NoReturn

from bus.errors import Code, JournalError, Outcome
from engine.disk import Disk, LockHeldError
from engine.records import (
    KIND_BATCH,
    KIND_SEAL,
    NO_CHAIN,
    PART_BYTES_MAX,
    RECORD_HEADER_BYTES,
    SEAL_BYTES,
    SEGMENT_HEADER_BYTES,
    VENUE_ID_BYTES,
    SegmentHeader,
    pack_record,
    pack_segment_header,
    record_bytes,
    segment_name,
)
from engine.segments import Cut, Position, Scan, scan_journal
from engine.supply import SLICE_BYTES, Supply, check_taken, code_of, write

SyncPolicy = Literal["always", "interval", "none"]

SEGMENT_BYTES: Final = 64 * 1024 * 1024
SYNC_INTERVAL_NS: Final = 100_000_000
LOCK_NAME: Final = "lock"


class JournalWriteFailed(JournalError):
    """A record could not be made durable: whether it is in the journal shows at the next start."""

    @property
    def outcome(self) -> Outcome:
        """Commands of the failed batch may have reached the disk."""
        return "unknown"


class Journal:
    """The one writer of a journal folder, made by `Journal.open`; for one thread.

    Attributes
    ----------
    venue_id, engine
        Whose journal it is.
    sync_policy
        "always", "interval" or "none".
    scan
        What opening found; ``scan.cut`` names an unsynced tail that was cut. None for a new journal.
    last_seq, durable_seq
        The last seq appended, and the last one known to be synced.
    last_now_ns
        The time of the last record.
    appended_bytes, syncs, segments_made
        Counters since opening.
    supply
        The preparation of the next segment: ``supply.stalls``, ``supply.error``.
    """

    def __init__(self, disk: Disk, folder: str, lock: int, policy: SyncPolicy, supply: Supply) -> None:
        self._disk = disk
        self._folder = folder
        self._lock = lock
        self.sync_policy: SyncPolicy = policy
        self.supply = supply
        self.sync_interval_ns = SYNC_INTERVAL_NS
        self.scan: Scan | None = None
        self.venue_id = b""
        self.engine = ""
        self.last_seq = self.durable_seq = 0
        self.last_now_ns = 0
        self.appended_bytes = self.syncs = self.segments_made = 0
        self._failure = ""
        self._failure_code = Code.JOURNAL_WRITE_FAILED
        # The current segment: its file, where it ends, where the next record goes.
        self._handle = -1
        self._path = ""
        self._first_seq = self._previous_first_seq = 0
        self._size = self._offset = self._seed = 0
        self._chain = NO_CHAIN
        self._synced_ns = 0

    @classmethod
    def open(
        cls,
        disk: Disk,
        folder: str,
        *,
        engine: str,
        new_venue_id: bytes,
        venue_id: bytes | None = None,
        sync: SyncPolicy = "always",
        sync_interval_ns: int = SYNC_INTERVAL_NS,
        segment_bytes: int = SEGMENT_BYTES,
        resume: Position | None = None,
    ) -> "Journal":
        """Lock ``folder``, check what is in it, cut an unsynced tail, and stand ready to append.

        Parameters
        ----------
        new_venue_id
            16 random bytes; used only if the folder has no journal and ``venue_id`` is None.
        venue_id
            The venue that the journal must belong to (from a snapshot, a setting); None: any.
        sync, sync_interval_ns
            When `sync` syncs: every time, at most once an interval (of ``now_ns``), never.
        segment_bytes
            Size of a segment file, rounded up to 4,096.
        resume
            The position of a snapshot; records before the segment that holds it are not read.

        Raises
        ------
        JournalError
            JOURNAL_LOCKED: another writer. JOURNAL_WRITE_FAILED, JOURNAL_DISK_FULL: cannot write.
        JournalDamage
            JOURNAL_DAMAGED, JOURNAL_SEGMENT_MISSING, JOURNAL_CHAIN_BROKEN, JOURNAL_WRONG_VENUE.
        """
        lock = _lock(disk, folder, engine)
        journal = cls(disk, folder, lock, sync, Supply(disk, folder, segment_bytes))
        journal.sync_interval_ns = sync_interval_ns
        try:
            scan = scan_journal(disk, folder, venue_id=venue_id, engine=engine, resume=resume)
            if scan is None:
                journal._begin(venue_id or new_venue_id, engine)
            else:
                journal._go_on(scan)
        except BaseException:
            journal.close()
            raise
        return journal

    @property
    def failed(self) -> bool:
        """Whether a write or a sync has failed (or the journal was closed): `append` and `sync` raise."""
        return bool(self._failure)

    @property
    def position(self) -> Position:
        """The end of the journal: what a snapshot of the present state must name."""
        return Position(self.last_seq, self._chain)

    def append(
        self,
        commands: bytes,
        events: bytes,
        *,
        first_seq: int,
        last_seq: int,
        now_ns: int,
        rules_version: int,
    ) -> None:
        """Write one batch as one record; durable once `sync` has returned.

        Parameters
        ----------
        commands, events
            The batch as received and as it will be published; stored as they are, at most 1 GiB each.
        first_seq, last_seq
            Numbers of its events; ``first_seq`` is the next one.

        Raises
        ------
        JournalWriteFailed
            The write failed (JOURNAL_DISK_FULL: no room), now or earlier. The engine must stop.
        """
        if self._failure:
            self._raise_failed()
        if first_seq != self.last_seq + 1 or last_seq < first_seq:
            expected = self.last_seq + 1
            raise AssertionError(f"expected seqs that begin with {expected}, was {first_seq} to {last_seq}")
        length = len(commands) + len(events)
        if length > PART_BYTES_MAX:
            raise AssertionError(f"expected a record of at most {PART_BYTES_MAX} bytes, was {length}")
        size = record_bytes(length)
        if self._offset + size + SEAL_BYTES > self._size:
            self._roll(size)
        head, chain = pack_record(
            commands,
            events,
            first_seq,
            last_seq,
            self.durable_seq,
            now_ns,
            rules_version,
            KIND_BATCH,
            self._chain,
            self._seed,
        )
        # The padding behind the record is there already: the file was written full of zeros.
        try:
            written = self._disk.pwritev(self._handle, (head, commands, events), self._offset)
            check_taken(RECORD_HEADER_BYTES + length, written)
        except OSError as error:
            self._fail("write", error)
        self._offset += size
        self._chain = chain
        self.last_seq = last_seq
        self.last_now_ns = now_ns
        self.appended_bytes += size

    def sync(self, now_ns: int | None = None) -> None:
        """Make what was appended durable, as the policy says.

        Call it after every `append`, and in an idle loop.

        Parameters
        ----------
        now_ns
            The time that the policy ``interval`` goes by; None: that of the last record.

        Raises
        ------
        JournalWriteFailed
            The sync failed, now or earlier. The engine must publish nothing of the batch, and stop.
        """
        if self._failure:
            self._raise_failed()
        if self.durable_seq == self.last_seq or self.sync_policy == "none":
            return
        if self.sync_policy == "interval":
            now_ns = self.last_now_ns if now_ns is None else now_ns
            if now_ns - self._synced_ns < self.sync_interval_ns:
                return
            self._synced_ns = now_ns
        self._sync_segment()

    def flush(self) -> None:
        """Make what was appended durable, whatever the policy (before a snapshot, at a clean stop)."""
        if self._failure:
            self._raise_failed()
        if self.durable_seq != self.last_seq:
            self._sync_segment()

    def prepare_step(self, *, idle: bool, bytes_max: int = SLICE_BYTES) -> bool:
        """Zero one slice of the next segment, if there is need: call it after publishing, in every turn.

        Returns
        -------
        bool
            Whether a slice was written (so that an idle loop calls again soon). What goes wrong shows in
            ``supply.error``: nothing acknowledged depends on it yet.
        """
        return not self._failure and self.supply.step(self._offset, idle=idle, bytes_max=bytes_max)

    def close(self) -> None:
        """Flush unless failed, remove what was prepared, free the lock. May be called twice."""
        if self._lock < 0:
            return
        try:
            if self._handle >= 0 and not self._failure:
                self.flush()
        finally:
            self.supply.drop()
            if self._handle >= 0:
                self._disk.close(self._handle)
            self._disk.close(self._lock)
            self._handle = self._lock = -1
            self._failure = self._failure or "expected an open journal, was closed"

    def _begin(self, venue_id: bytes, engine: str) -> None:
        if len(venue_id) != VENUE_ID_BYTES:
            detail = f"expected a venue id of {VENUE_ID_BYTES} bytes, was {len(venue_id)}"
            raise JournalError(Code.JOURNAL_WRONG_VENUE, detail)
        self.venue_id = venue_id
        self.engine = engine
        self._next_segment(0, 0)

    def _go_on(self, scan: Scan) -> None:
        self.scan = scan
        self.venue_id, self.engine = scan.venue_id, scan.engine
        self._first_seq = scan.segments[-1]
        self._previous_first_seq = scan.segments[-2] if len(scan.segments) > 1 else 0
        self._path = f"{self._folder}/{segment_name(self._first_seq)}"
        self._offset, self._chain = scan.end.offset, scan.end.chain
        self.last_seq = self.durable_seq = scan.end.next_seq - 1
        self.last_now_ns = scan.end.now_ns
        try:
            self.supply.clear()
            self._handle = self._disk.open_write(self._path)
            if scan.cut is not None:
                _erase(self._disk, self._handle, scan.cut)
            # Valid records may sit in the cache of a machine whose engine alone was killed: they count
            # as history from here on, so they must be durable before anything builds on them.
            self._disk.fdatasync(self._handle)
            self._disk.fsync_folder(self._folder)
            header = self._disk.pread(self._handle, SEGMENT_HEADER_BYTES, 0)
            self._seed = int.from_bytes(header[-4:], "little")
            self._size = self._disk.size(self._handle)
        except OSError as error:
            self._fail("opening", error)

    def _roll(self, record_size: int) -> None:
        """Go over to the next segment; what the old one holds is durable before the new one has a name."""
        if self.durable_seq != self.last_seq:
            self._sync_segment()
        old, old_offset, old_seed, old_path = self._handle, self._offset, self._seed, self._path
        if self._first_seq == self.last_seq + 1:
            # Still empty, and too small for this record: the new file takes its name and place.
            self._next_segment(record_size, self._previous_first_seq)
            self._disk.close(old)
            return
        self._next_segment(record_size, self._first_seq)
        # The seal says that a segment follows: should that file be lost, the next start notices. It is
        # written last, so that a sealed segment has always had its follower.
        next_seq = self.last_seq + 1
        seal, _ = pack_record(
            b"", b"", next_seq, self.last_seq, self.last_seq, 0, 0, KIND_SEAL, self._chain, old_seed
        )
        try:
            write(self._disk, old, seal, old_offset)
            self._disk.fdatasync(old)
        except OSError as error:
            self._fail(f"seal of {old_path}", error)
        finally:
            self._disk.close(old)

    def _next_segment(self, record_size: int, previous_first_seq: int) -> None:
        first_seq = self.last_seq + 1
        path = f"{self._folder}/{segment_name(first_seq)}"
        try:
            if self._handle < 0:
                self.supply.clear()
            file = self.supply.take(SEGMENT_HEADER_BYTES + record_size + SEAL_BYTES)
            header, seed = pack_segment_header(
                SegmentHeader(
                    first_seq, previous_first_seq, file.size_bytes, self.venue_id, self._chain, self.engine
                )
            )
            # Header first, name after: a segment that can be seen has a whole header.
            write(self._disk, file.handle, header, 0)
            self._disk.fdatasync(file.handle)
            self._disk.rename(file.path, path)
            self._disk.fsync_folder(self._folder)
        except OSError as error:
            self._fail(f"making of segment {path}", error)
        self._handle, self._path, self._size, self._seed = file.handle, path, file.size_bytes, seed
        self._first_seq, self._previous_first_seq = first_seq, previous_first_seq
        self._offset = SEGMENT_HEADER_BYTES
        self.segments_made += 1

    def _sync_segment(self) -> None:
        try:
            self._disk.fdatasync(self._handle)
        except OSError as error:
            self._fail("sync", error)
        self.syncs += 1
        self.durable_seq = self.last_seq

    def _fail(self, what: str, error: OSError) -> NoReturn:
        self._failure_code = code_of(error)
        self._failure = f"expected {what} to succeed behind seq {self.last_seq} of {self._path}, was {error}"
        raise JournalWriteFailed(self._failure_code, self._failure) from error

    def _raise_failed(self) -> NoReturn:
        raise JournalWriteFailed(self._failure_code, f"stopped for good: {self._failure}")


def _lock(disk: Disk, folder: str, engine: str) -> int:
    try:
        disk.make_folder(folder)
        return disk.lock(f"{folder}/{LOCK_NAME}", f"pid {os.getpid()}, engine {engine}\n")
    except LockHeldError as held:
        detail = f"expected no other writer of {folder}, was locked by {held.holder}"
        raise JournalError(Code.JOURNAL_LOCKED, detail) from None
    except OSError as error:
        raise JournalError(code_of(error), f"expected a writable folder {folder}, was {error}") from error


def _erase(disk: Disk, handle: int, cut: Cut) -> None:
    for at in range(0, cut.size_bytes, SLICE_BYTES):
        write(disk, handle, bytes(min(SLICE_BYTES, cut.size_bytes - at)), cut.offset + at)
