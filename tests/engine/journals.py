"""What the journal's tests share: a journal on the simulated disk, and batches to put into it."""

from engine.journal import Journal, SyncPolicy
from engine.journal_reader import JournalReader
from engine.records import Record
from engine.segments import Position
from tests.engine.disk_faults import FaultyDisk

FOLDER = "/j"
VENUE = bytes(range(16))
OTHER_VENUE = bytes(range(1, 17))
SEGMENT_BYTES = 4096

Batch = tuple[int, int, bytes, bytes]


def open_journal(
    disk: FaultyDisk,
    *,
    sync: SyncPolicy = "always",
    venue_id: bytes | None = None,
    new_venue_id: bytes = VENUE,
    engine: str = "engine",
    segment_bytes: int = SEGMENT_BYTES,
    resume: Position | None = None,
) -> Journal:
    """Open the journal of these tests."""
    return Journal.open(
        disk,
        FOLDER,
        engine=engine,
        new_venue_id=new_venue_id,
        venue_id=venue_id,
        sync=sync,
        sync_interval_ns=10,
        segment_bytes=segment_bytes,
        resume=resume,
    )


def append(journal: Journal, size_bytes: int = 100, events: int = 3) -> Batch:
    """Append the next batch of ``events`` events; its content follows from its number."""
    first_seq = journal.last_seq + 1
    last_seq = journal.last_seq + events
    commands = b"C%d " % first_seq + b"c" * (size_bytes // 2)
    payload = b"E%d " % first_seq + b"e" * (size_bytes - size_bytes // 2)
    journal.append(
        commands, payload, first_seq=first_seq, last_seq=last_seq, now_ns=first_seq * 1000, rules_version=7
    )
    return first_seq, last_seq, commands, payload


def write_some(journal: Journal, count: int, size_bytes: int = 100) -> list[Batch]:
    """Append and sync ``count`` batches."""
    batches = []
    for _ in range(count):
        batches.append(append(journal, size_bytes))
        journal.sync()
    return batches


def as_batch(record: Record) -> Batch:
    """Return what a test compares of a record."""
    return record.first_seq, record.last_seq, bytes(record.commands), bytes(record.events)


def read_all(disk: FaultyDisk, seq: int = 1) -> list[Batch]:
    """Read the journal through a new reader."""
    reader = JournalReader(disk, FOLDER)
    try:
        return [as_batch(record) for record in reader.records(seq)]
    finally:
        reader.close()


def segment_paths(disk: FaultyDisk) -> list[str]:
    """Return the paths of the segments, in order."""
    return [f"{FOLDER}/{name}" for name in disk.names(FOLDER) if name.endswith(".journal")]


def places(disk: FaultyDisk) -> list[tuple[str, int, int]]:
    """Return ``(path, offset, size)`` of every record."""
    reader = JournalReader(disk, FOLDER)
    try:
        return [
            (f"{FOLDER}/{first_seq:020d}.journal", offset, record.size_bytes)
            for first_seq, offset, record in reader.located()
        ]
    finally:
        reader.close()
