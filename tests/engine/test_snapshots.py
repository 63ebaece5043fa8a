"""A snapshot is whole or passed over; making one never harms those before it."""

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.errors import Code, JournalError
from engine.snapshots import SnapshotHead, newest_valid, snapshot_seqs, write_snapshot
from tests.engine.disk_faults import FaultyDisk, PowerLoss
from tests.engine.journals import OTHER_VENUE, VENUE

FOLDER = "/s"
CHUNKS = [b"accounts" * 50, b"orders" * 200, b"x"]


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


def head(seq: int, venue_id: bytes = VENUE) -> SnapshotHead:
    return SnapshotHead(seq, bytes([seq % 256]) * 16, venue_id, "engine", 3, 7, 1_700_000_000_000_000_000)


def test_what_goes_in_comes_out(disk: FaultyDisk) -> None:
    path = write_snapshot(disk, FOLDER, head(12), CHUNKS)
    assert path == "/s/00000000000000000012.snapshot"
    found = newest_valid(disk, FOLDER, venue_id=VENUE, engine="engine").found
    assert found is not None
    assert found.head == head(12)
    assert found.head.position == (12, bytes([12]) * 16)
    assert list(found.chunks()) == CHUNKS
    assert found.payload() == b"".join(CHUNKS)
    assert found.payload_bytes == len(b"".join(CHUNKS))


def test_no_folder_no_snapshot(disk: FaultyDisk) -> None:
    search = newest_valid(disk, FOLDER)
    assert (search.found, search.problems) == (None, ())


def test_the_newest_are_kept(disk: FaultyDisk) -> None:
    for seq in (5, 90, 100, 7000):
        write_snapshot(disk, FOLDER, head(seq), CHUNKS, keep=2)
    assert snapshot_seqs(disk, FOLDER) == [100, 7000]
    write_snapshot(disk, FOLDER, head(7000), [b"again"], keep=2)
    found = newest_valid(disk, FOLDER).found
    assert found is not None
    assert found.payload() == b"again"


def test_a_flip_anywhere_is_noticed_and_the_one_before_is_taken(disk: FaultyDisk) -> None:
    write_snapshot(disk, FOLDER, head(5), CHUNKS)
    path = write_snapshot(disk, FOLDER, head(6), CHUNKS)
    for offset in range(len(disk.content(path))):
        disk.flip(path, offset)
        search = newest_valid(disk, FOLDER)
        assert search.found is not None
        assert search.found.head.seq == 5, offset
        assert [problem.code for problem in search.problems] == [Code.SNAPSHOT_INVALID]
        assert "expected" in search.problems[0].detail
        disk.flip(path, offset)


def test_a_shortened_file_is_noticed(disk: FaultyDisk) -> None:
    path = write_snapshot(disk, FOLDER, head(6), CHUNKS)
    content = disk.content(path)
    for size in range(len(content)):
        disk.put(path, content[:size])
        search = newest_valid(disk, FOLDER)
        assert search.found is None
        assert len(search.problems) == 1


def test_a_renamed_or_foreign_snapshot_is_passed_over(disk: FaultyDisk) -> None:
    path = write_snapshot(disk, FOLDER, head(6), CHUNKS)
    disk.put("/s/00000000000000000009.snapshot", disk.content(path))
    write_snapshot(disk, FOLDER, head(7, OTHER_VENUE), CHUNKS)
    search = newest_valid(disk, FOLDER, venue_id=VENUE)
    assert search.found is not None
    assert search.found.head.seq == 6
    assert [p.code for p in search.problems] == [Code.SNAPSHOT_INVALID, Code.JOURNAL_WRONG_VENUE]


def test_an_unreadable_snapshot_is_passed_over(disk: FaultyDisk) -> None:
    write_snapshot(disk, FOLDER, head(6), CHUNKS)
    disk.fail("pread", errno.EIO)
    assert newest_valid(disk, FOLDER).found is None


@pytest.mark.parametrize("call", ["create", "pwrite", "fdatasync", "rename", "fsync_folder"])
def test_a_full_disk_leaves_the_older_one_untouched(disk: FaultyDisk, call: str) -> None:
    write_snapshot(disk, FOLDER, head(5), CHUNKS, keep=1)
    disk.fail(call, errno.ENOSPC)
    with pytest.raises(JournalError) as caught:
        write_snapshot(disk, FOLDER, head(6), CHUNKS, keep=1)
    assert caught.value.code is Code.JOURNAL_DISK_FULL
    assert caught.value.outcome == "rejected"
    disk.crash()
    assert newest_valid(disk, FOLDER).found is not None


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 1 << 32), calls=st.integers(0, 25))
def test_a_crash_while_writing_leaves_the_old_or_the_new_one(seed: int, calls: int) -> None:
    disk = FaultyDisk()
    write_snapshot(disk, FOLDER, head(5), CHUNKS, keep=1)
    disk.power_loss_after(calls)
    done = False
    try:
        write_snapshot(disk, FOLDER, head(6), [b"new"], keep=1)
        done = True
    except PowerLoss:
        pass
    disk.crash(seed)
    search = newest_valid(disk, FOLDER)
    assert search.found is not None
    assert search.problems == ()
    assert search.found.head.seq == 6 or (search.found.head.seq == 5 and not done)
