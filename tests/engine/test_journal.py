"""The writer: what goes in comes out, syncs are what the policy says, and a failure is for good."""

import errno

import pytest

from bus.errors import Code, JournalError
from engine.journal import JournalWriteFailed
from engine.journal_reader import JournalReader
from engine.segments import Position
from tests.engine.disk_faults import FaultyDisk
from tests.engine.journals import (
    FOLDER,
    SEGMENT_BYTES,
    VENUE,
    append,
    as_batch,
    open_journal,
    read_all,
    segment_paths,
    write_some,
)


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


def test_what_goes_in_comes_out(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = [append(journal, size, events) for size, events in ((0, 1), (1, 2), (200, 1), (3000, 50))]
    journal.sync()
    assert read_all(disk) == batches
    record = next(JournalReader(disk, FOLDER).records())
    assert (record.now_ns, record.rules_version) == (1000, 7)
    assert journal.position.seq == journal.last_seq == journal.durable_seq == 54


def test_a_new_journal_takes_the_new_venue_id_and_an_old_one_keeps_its_own(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 3)
    position = journal.position
    assert not journal.scan, "there was nothing to scan"
    journal.close()
    journal = open_journal(disk, new_venue_id=bytes(16))
    assert journal.venue_id == VENUE
    assert journal.position == position
    assert journal.last_now_ns == batches[-1][0] * 1000
    assert journal.scan is not None
    assert (journal.scan.cut, journal.scan.records) == (None, 3)
    assert read_all(disk) == batches


def test_segments_roll_by_size_and_are_named_by_their_first_seq(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 40, size_bytes=300)
    paths = segment_paths(disk)
    assert len(paths) > 3
    firsts = [int(path[-28:-8]) for path in paths]
    assert firsts[0] == 1
    assert set(firsts) <= {first for first, *_ in batches}
    assert all(len(disk.content(path)) == SEGMENT_BYTES for path in paths)
    assert read_all(disk) == batches
    journal.close()
    journal = open_journal(disk)
    batches += write_some(journal, 40, size_bytes=300)
    assert read_all(disk) == batches


def test_a_record_larger_than_a_segment_gets_a_segment_of_its_size(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 1) + write_some(journal, 1, size_bytes=3 * SEGMENT_BYTES)
    batches += write_some(journal, 30)
    assert read_all(disk) == batches
    assert max(len(disk.content(path)) for path in segment_paths(disk)) > 3 * SEGMENT_BYTES
    journal.close()
    assert open_journal(disk).last_seq == batches[-1][1]


def test_a_record_that_fills_its_segment_exactly(disk: FaultyDisk) -> None:
    """128 of header, 72 + 3,824 of record, 72 for the seal are 4,096."""
    journal = open_journal(disk)
    payload = b"x" * (SEGMENT_BYTES - 128 - 72 - 72)
    journal.append(b"", payload, first_seq=1, last_seq=1, now_ns=1, rules_version=1)
    journal.sync()
    assert len(segment_paths(disk)) == 1
    write_some(journal, 1)
    assert len(segment_paths(disk)) == 2
    journal.close()
    assert open_journal(disk).last_seq == 4


def test_one_append_and_sync_are_one_write_and_one_sync(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    disk.calls.clear()
    append(journal)
    journal.sync()
    journal.sync()
    assert disk.calls == ["pwritev", "fdatasync"]


def test_interval_syncs_by_the_time_given(disk: FaultyDisk) -> None:
    journal = open_journal(disk, sync="interval")
    write_some(journal, 1)
    assert journal.durable_seq == 3
    append(journal)
    journal.sync(now_ns=1005)
    assert journal.durable_seq == 3
    journal.sync(now_ns=1010)
    assert journal.durable_seq == 6


def test_none_syncs_only_at_flush_and_when_a_segment_ends(disk: FaultyDisk) -> None:
    journal = open_journal(disk, sync="none")
    write_some(journal, 5)
    assert journal.durable_seq == 0
    journal.flush()
    assert journal.durable_seq == 15
    write_some(journal, 20)
    assert len(segment_paths(disk)) == 2
    assert 15 < journal.durable_seq < journal.last_seq


def test_prepared_in_slices_the_next_segment_costs_no_stall(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    stalls = journal.supply.stalls
    assert stalls == 1, "the first segment of all"
    for _ in range(60):
        write_some(journal, 1, size_bytes=300)
        journal.prepare_step(idle=False, bytes_max=1024)
    assert journal.segments_made > 4
    assert journal.supply.stalls == stalls
    while journal.prepare_step(idle=True, bytes_max=1024):
        pass
    assert f"{FOLDER}/next.preparing" in {f"{FOLDER}/{name}" for name in disk.names(FOLDER)}
    journal.close()
    assert "next.preparing" not in disk.names(FOLDER)


def test_preparation_that_finds_no_room_is_reported_and_the_journal_goes_on(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    disk.fail("preallocate", errno.ENOSPC)
    assert not journal.prepare_step(idle=True)
    assert [error.code for error in (journal.supply.error,) if error] == [Code.JOURNAL_DISK_FULL]
    assert not journal.prepare_step(idle=True), "no retry until a segment is needed"
    assert disk.names(FOLDER) == ["00000000000000000001.journal"]
    batches = write_some(journal, 40)
    assert not journal.supply.error
    assert read_all(disk) == batches


def test_a_second_writer_is_refused_and_told_who_holds_the_lock(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    with pytest.raises(
        JournalError, match=r"expected no other writer of /j, was locked by pid \d+"
    ) as caught:
        open_journal(disk)
    assert caught.value.code is Code.JOURNAL_LOCKED
    journal.close()
    journal.close()
    open_journal(disk).close()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, Code.JOURNAL_DISK_FULL),
        (errno.EDQUOT, Code.JOURNAL_DISK_FULL),
        (errno.EIO, Code.JOURNAL_WRITE_FAILED),
    ],
)
@pytest.mark.parametrize("call", ["pwritev", "fdatasync"])
def test_a_failed_write_or_sync_is_for_good(disk: FaultyDisk, call: str, number: int, code: Code) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 2)
    disk.fail(call, number)
    with pytest.raises(JournalWriteFailed) as caught:
        write_some(journal, 1)
    assert caught.value.code is code
    assert caught.value.outcome == "unknown"
    assert not caught.value.retryable
    assert journal.failed
    disk.calls.clear()
    for attempt in (lambda: append(journal), journal.sync, journal.flush):
        with pytest.raises(JournalWriteFailed, match="stopped for good") as caught:
            attempt()
        assert caught.value.code is code
    assert not journal.prepare_step(idle=True)
    journal.close()
    assert disk.calls == [], "nothing is written or synced after a failure"
    assert journal.durable_seq == batches[-1][1]
    disk.crash()
    assert read_all(disk)[:2] == batches
    open_journal(disk)


def test_a_write_that_is_taken_in_part_means_a_full_disk(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 2)
    disk.take_only(50)
    with pytest.raises(JournalWriteFailed) as caught:
        append(journal)
    assert caught.value.code is Code.JOURNAL_DISK_FULL
    journal.close()
    journal = open_journal(disk)
    assert journal.scan is not None
    assert journal.scan.cut is not None
    assert journal.last_seq == batches[-1][1]


@pytest.mark.parametrize("call", ["preallocate", "pwrite", "fdatasync", "rename", "fsync_folder"])
def test_a_segment_that_cannot_be_made_stops_the_journal(disk: FaultyDisk, call: str) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 10, size_bytes=300)
    disk.fail(call, errno.ENOSPC)
    with pytest.raises(JournalWriteFailed) as caught:
        append(journal, 1000)
    assert caught.value.code is Code.JOURNAL_DISK_FULL
    assert journal.failed
    journal.close()
    assert read_all(disk) == batches
    disk.kill()
    journal = open_journal(disk)
    assert journal.last_seq == batches[-1][1]
    assert read_all(disk) + write_some(journal, 20) == read_all(disk)


def test_a_disk_full_at_the_first_start_is_told(disk: FaultyDisk) -> None:
    disk.fail("preallocate", errno.ENOSPC)
    with pytest.raises(JournalWriteFailed) as caught:
        open_journal(disk)
    assert caught.value.code is Code.JOURNAL_DISK_FULL
    open_journal(disk)


def test_numbers_that_do_not_follow_are_the_engines_fault(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    for first_seq, last_seq in ((2, 2), (0, 1), (1, 0)):
        with pytest.raises(AssertionError):
            journal.append(b"", b"", first_seq=first_seq, last_seq=last_seq, now_ns=1, rules_version=1)
    assert not journal.failed
    write_some(journal, 1)


def test_the_chain_pins_order_content_and_time(disk: FaultyDisk) -> None:
    def chain(*records: tuple[bytes, bytes, int]) -> bytes:
        journal = open_journal(FaultyDisk())
        for commands, events, now_ns in records:
            seq = journal.last_seq + 1
            journal.append(commands, events, first_seq=seq, last_seq=seq, now_ns=now_ns, rules_version=1)
        return journal.position.chain

    first, second = (b"a", b"b", 1), (b"c", b"d", 1)
    chains = [
        chain(first, second),
        chain(second, first),
        chain(first, (b"c", b"d", 2)),
        chain(first, (b"", b"cd", 1)),
        chain(first),
        chain(),
    ]
    assert len(set(chains)) == len(chains)
    assert chain(first, second) == chains[0]


def test_opening_from_a_snapshots_position_reads_from_its_segment_on(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    positions: list[Position] = []
    for _ in range(60):
        write_some(journal, 1, size_bytes=300)
        positions.append(journal.position)
    journal.close()
    for position in positions:
        journal = open_journal(disk, resume=position)
        assert journal.position == positions[-1]
        journal.close()
    assert journal.scan is not None
    assert journal.scan.records < 12, "only the last segment was read"


@pytest.mark.parametrize("seed", range(10))
def test_records_of_a_killed_engine_count_and_are_synced_at_the_next_start(seed: int) -> None:
    disk = FaultyDisk()
    journal = open_journal(disk, sync="none")
    batches = [append(journal) for _ in range(3)]
    disk.kill()
    open_journal(disk)
    disk.crash(seed)
    assert read_all(disk) == batches


def test_the_reader_yields_as_batches(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 3)
    reader = JournalReader(disk, FOLDER)
    assert [as_batch(record) for record in reader.read_from(1, 1 << 20)] == batches
