"""The journal on the real disk: the same bytes, a lock that the kernel frees, files of zeros."""

import subprocess
import sys
from pathlib import Path

import pytest

from bus.errors import Code, JournalError
from engine.disk import Disk, LockHeldError, OsDisk
from engine.journal import Journal
from engine.journal_reader import JournalReader
from engine.journal_report import verify
from engine.segments import Position
from engine.snapshots import SnapshotHead, newest_valid, write_snapshot
from tests.engine.journals import VENUE, append, as_batch
from tests.poll import until

DISK: Disk = OsDisk()
RECORDS = 3000
WRITER = """
import sys
from engine.disk import OsDisk
from engine.journal import Journal
journal = Journal.open(OsDisk(), sys.argv[1], engine="engine", new_venue_id=bytes(16), sync="none",
                       segment_bytes=256 * 1024)
for seq in range(1, int(sys.argv[2]) + 1):
    payload = b"%d " % seq * (seq % 700)
    journal.append(payload, payload, first_seq=seq, last_seq=seq, now_ns=seq, rules_version=1)
    journal.prepare_step(idle=False)
journal.close()
"""
HOLDER = """
import sys
from engine.disk import OsDisk
OsDisk().lock(sys.argv[1], "pid of the test's child")
print("locked", flush=True)
sys.stdin.read()
"""


def open_at(folder: Path, segment_bytes: int = 64 * 1024) -> Journal:
    return Journal.open(DISK, str(folder), engine="engine", new_venue_id=VENUE, segment_bytes=segment_bytes)


def test_a_journal_survives_its_process(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "journal"
    journal = open_at(folder)
    batches = []
    for number in range(200):
        batches.append(append(journal, 20 * number))
        journal.sync()
        journal.prepare_step(idle=False)
    assert len(list(folder.glob("*.journal"))) > 3
    reader = JournalReader(DISK, str(folder))
    assert [as_batch(record) for record in reader.records()] == batches
    position = journal.position
    journal.close()
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".journal") == ["lock"]
    journal = open_at(folder)
    assert journal.position == position
    batches.append(append(journal))
    journal.sync()
    assert [as_batch(record) for record in reader.read_from(batches[-1][0], 10**6)] == batches[-1:]
    reader.close()
    journal.close()


def test_a_torn_tail_is_cut_on_the_real_disk(tmp_path: Path) -> None:
    journal = open_at(tmp_path)
    batch = append(journal, 500)
    end = journal.position
    append(journal, 500)
    journal.close()
    path = tmp_path / "00000000000000000001.journal"
    content = bytearray(path.read_bytes())
    content[128 + 600 + 300 :] = bytes(len(content) - 1028)
    path.write_bytes(content)
    journal = open_at(tmp_path)
    assert journal.scan is not None
    assert journal.scan.cut is not None
    assert journal.position == end
    assert [as_batch(record) for record in JournalReader(DISK, str(tmp_path)).records()] == [batch]
    journal.close()


def test_segments_are_allocated_and_private(tmp_path: Path) -> None:
    journal = open_at(tmp_path, segment_bytes=1 << 20)
    status = (tmp_path / "00000000000000000001.journal").stat()
    assert status.st_size == 1 << 20
    assert status.st_blocks * 512 >= 1 << 20, "no holes: a sync must not allocate"
    assert status.st_mode & 0o077 == 0
    journal.close()


def test_the_lock_of_another_process_is_respected_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"locked\n"
        with pytest.raises(JournalError, match="was locked by pid of the test's child") as caught:
            open_at(tmp_path)
        assert caught.value.code is Code.JOURNAL_LOCKED
        child.kill()
    until(lambda: _lockable(path), what="the dead process's lock to be free")
    open_at(tmp_path).close()


def test_another_process_is_followed_while_it_writes(tmp_path: Path) -> None:
    reader = JournalReader(DISK, str(tmp_path), segments_open_max=2)
    seen = 0

    def caught_up() -> bool:
        nonlocal seen
        for record in reader.read_from(seen + 1, 64 * 1024):
            seen += 1
            assert (record.first_seq, record.last_seq, record.now_ns) == (seen, seen, seen)
            assert bytes(record.events) == bytes(record.commands) == b"%d " % seen * (seen % 700)
        return seen == RECORDS

    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(RECORDS)]) as child:
        until(caught_up, timeout_s=60)
        assert child.wait(timeout=60) == 0
    assert len(list(tmp_path.glob("*.journal"))) > 5
    report = verify(DISK, str(tmp_path))
    assert (report.problems, report.records, report.tail) == ([], RECORDS, None)
    reader.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match="expected a writable folder") as caught:
        open_at(tmp_path / "file" / "journal")
    assert caught.value.code is Code.JOURNAL_WRITE_FAILED


def test_a_snapshot_on_the_real_disk(tmp_path: Path) -> None:
    head = SnapshotHead(9, bytes(16), VENUE, "engine", 1, 1, 5)
    write_snapshot(DISK, str(tmp_path / "snapshots"), head, (bytes([i]) * 1000 for i in range(5)))
    found = newest_valid(DISK, str(tmp_path / "snapshots")).found
    assert found is not None
    assert found.head.position == Position(9, bytes(16))
    assert found.payload_bytes == 5000


def _lockable(path: Path) -> bool:
    try:
        DISK.close(DISK.lock(str(path), "test"))
    except LockHeldError:
        return False
    return True
