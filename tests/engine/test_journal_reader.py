"""The reader finds any seq, follows a live writer, and never returns what is not whole."""

import pytest

from bus.errors import Code
from engine.journal_reader import INDEX_EVERY_BYTES, JournalReader
from engine.records import JournalDamage
from tests.engine.disk_faults import FaultyDisk
from tests.engine.journals import (
    FOLDER,
    OTHER_VENUE,
    VENUE,
    append,
    as_batch,
    open_journal,
    places,
    segment_paths,
    write_some,
)


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


def test_any_seq_is_found_and_a_record_is_returned_whole(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 60, size_bytes=300)
    reader = JournalReader(disk, FOLDER, segments_open_max=2)
    for i, (first_seq, last_seq, _, _) in reversed(list(enumerate(batches))):
        for seq in (first_seq, last_seq):
            assert [as_batch(r) for r in reader.read_from(seq, 900)] == batches[i : i + 5]
    assert [as_batch(r) for r in reader.records(-5)] == batches
    assert reader.read_from(batches[-1][1] + 1, 900) == []
    assert reader.read_from(10**9, 900) == []


def test_at_least_one_record_is_returned_however_small_the_chunk(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 1, size_bytes=20_000) + write_some(journal, 2)
    reader = JournalReader(disk, FOLDER)
    assert [as_batch(r) for r in reader.read_from(1, 1)] == batches[:1]
    assert [as_batch(r) for r in reader.read_from(1, 20_000)] == batches


def test_nothing_beyond_the_given_seq_is_returned(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 5)
    reader = JournalReader(disk, FOLDER)
    assert [as_batch(r) for r in reader.read_from(1, 10**6, until_seq=6)] == batches[:2]
    assert [as_batch(r) for r in reader.read_from(1, 10**6, until_seq=8)] == batches[:2]
    assert reader.read_from(1, 10**6, until_seq=2) == []


def test_a_live_writer_is_followed_over_its_segments(disk: FaultyDisk) -> None:
    reader = JournalReader(disk, FOLDER)
    assert reader.read_from(1, 10**6) == [], "no journal yet"
    journal = open_journal(disk)
    assert reader.read_from(1, 10**6) == []
    seq = 1
    for number in range(100):
        batch = append(journal, 30 * number)
        if number % 3 == 0:
            continue
        for record in reader.read_from(seq, 10**6):
            assert record.first_seq == seq
            seq = record.last_seq + 1
        assert seq == batch[1] + 1
    assert len(segment_paths(disk)) > 10


def test_a_roll_between_two_looks_is_not_taken_for_a_hole(disk: FaultyDisk) -> None:
    """The reader stood at the end of a segment; since then it was filled and followed by others."""
    journal = open_journal(disk)
    batches = write_some(journal, 2)
    reader = JournalReader(disk, FOLDER)
    assert len(reader.read_from(1, 10**6)) == 2
    batches += write_some(journal, 60)
    assert [as_batch(r) for r in reader.read_from(batches[2][0], 10**9)] == batches[2:]


def test_an_empty_segment_replaced_by_a_larger_one_is_seen(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    reader = JournalReader(disk, FOLDER)
    assert reader.read_from(1, 10**6) == []
    batches = write_some(journal, 1, size_bytes=10_000)
    assert [as_batch(r) for r in reader.read_from(1, 10**6)] == batches
    assert len(segment_paths(disk)) == 1
    journal.close()
    assert open_journal(disk).last_seq == batches[-1][1]


def test_a_record_in_the_making_is_not_there_yet(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 3)
    reader = JournalReader(disk, FOLDER)
    path, offset, size = places(disk)[-1]
    whole = disk.content(path)[offset : offset + size]
    for count in range(size):
        disk.overwrite(path, offset, whole[:count].ljust(size, b"\0"))
        if whole[count:].strip(b"\0"):
            assert [as_batch(r) for r in reader.read_from(1, 10**6)] == batches[:2]
    disk.overwrite(path, offset, whole)
    assert [as_batch(r) for r in reader.read_from(batches[2][0], 10**6)] == batches[2:]


def test_a_broken_record_that_is_not_the_last_stops_the_reader(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 60)
    path, offset, _ = places(disk)[3]
    disk.flip(path, offset + 80)
    with pytest.raises(JournalDamage) as caught:
        JournalReader(disk, FOLDER).read_from(1, 10**6)
    assert caught.value.code is Code.JOURNAL_DAMAGED
    assert (caught.value.offset, caught.value.seq) == (offset, batches[3][0])


@pytest.mark.parametrize("number", [0, 2])
def test_a_missing_segment_stops_the_reader(disk: FaultyDisk, number: int) -> None:
    journal = open_journal(disk)
    write_some(journal, 60, size_bytes=300)
    path = segment_paths(disk)[number]
    disk.drop(path)
    with pytest.raises(JournalDamage, match=path.rpartition("/")[2]) as caught:
        list(JournalReader(disk, FOLDER).records())
    assert caught.value.code is Code.JOURNAL_SEGMENT_MISSING


def test_the_reader_of_another_venue_is_refused(disk: FaultyDisk) -> None:
    write_some(open_journal(disk), 1)
    assert len(JournalReader(disk, FOLDER, venue_id=VENUE, engine="engine").read_from(1, 1)) == 1
    for reader in (
        JournalReader(disk, FOLDER, venue_id=OTHER_VENUE),
        JournalReader(disk, FOLDER, engine="engine-2"),
    ):
        with pytest.raises(JournalDamage) as caught:
            reader.read_from(1, 1)
        assert caught.value.code is Code.JOURNAL_WRONG_VENUE


def test_a_walked_segment_is_not_walked_again(disk: FaultyDisk) -> None:
    journal = open_journal(disk, segment_bytes=64 * INDEX_EVERY_BYTES)
    batches = write_some(journal, 200, size_bytes=10_000)
    reader = JournalReader(disk, FOLDER)
    reader.read_from(batches[-1][0], 1)
    disk.calls.clear()
    for first_seq in (batches[150][0], batches[20][0], batches[90][0]):
        assert reader.read_from(first_seq, 1)[0].first_seq == first_seq
    assert disk.calls.count("pread") <= 3


def test_open_files_are_bounded(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    batches = write_some(journal, 100, size_bytes=300)
    before = disk.handles_open
    reader = JournalReader(disk, FOLDER, segments_open_max=3)
    assert [as_batch(r) for r in reader.records()] == batches
    assert disk.handles_open == before + 3
    reader.close()
    assert disk.handles_open == before
