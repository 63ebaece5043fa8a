"""Each way in which a journal can be wrong is told apart, with file, offset and seq."""

from collections.abc import Callable

import pytest

from bus.errors import Code
from engine.records import JournalDamage
from engine.segments import Position
from tests.engine.disk_faults import FaultyDisk
from tests.engine.journals import (
    FOLDER,
    OTHER_VENUE,
    Batch,
    append,
    open_journal,
    places,
    read_all,
    segment_paths,
    write_some,
)


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


def written(disk: FaultyDisk, count: int = 40) -> list[Batch]:
    """Write a journal of several segments and close it."""
    journal = open_journal(disk)
    batches = write_some(journal, count, size_bytes=300)
    journal.close()
    assert len(segment_paths(disk)) >= 4
    return batches


def refused(disk: FaultyDisk, code: Code, **options: bytes | str | Position) -> JournalDamage:
    """Open and return the error; a refused start changes nothing and can be repeated."""
    before = {name: disk.content(f"{FOLDER}/{name}") for name in disk.names(FOLDER)}
    for _ in range(2):
        with pytest.raises(JournalDamage) as caught:
            open_journal(disk, **options)  # type: ignore[arg-type]
        assert caught.value.code is code, caught.value
    assert {name: disk.content(f"{FOLDER}/{name}") for name in disk.names(FOLDER)} == before
    assert "expected" in caught.value.detail
    assert ", was " in caught.value.detail
    return caught.value


TEARS: dict[str, Callable[[FaultyDisk, str, int, int], None]] = {
    "flipped in the payload": lambda disk, path, at, size: disk.flip(path, at + size // 2),
    "flipped in the length": lambda disk, path, at, size: disk.flip(path, at + 9),
    "flipped in the magic": lambda disk, path, at, size: disk.flip(path, at),
    "flipped in the checksum": lambda disk, path, at, size: disk.flip(path, at + 4),
    "flipped in the chain": lambda disk, path, at, size: disk.flip(path, at + 60),
    "beginning lost": lambda disk, path, at, size: disk.overwrite(path, at, bytes(16)),
    "end lost": lambda disk, path, at, size: disk.overwrite(path, at + size // 2, bytes(size - size // 2)),
    "middle lost": lambda disk, path, at, size: disk.overwrite(path, at + 90, bytes(50)),
    "all but the end lost": lambda disk, path, at, size: disk.overwrite(path, at, bytes(size - 40)),
}


@pytest.mark.parametrize("tear", TEARS)
def test_a_broken_record_with_nothing_valid_behind_is_cut_and_reported(disk: FaultyDisk, tear: str) -> None:
    batches = written(disk)
    path, offset, size = places(disk)[-1]
    TEARS[tear](disk, path, offset, size)
    journal = open_journal(disk)
    assert journal.scan is not None
    cut = journal.scan.cut
    assert cut is not None
    assert (cut.file, cut.offset, cut.first_seq) == (path, offset, batches[-1][0])
    assert 0 < cut.size_bytes <= size
    assert read_all(disk) == batches[:-1]
    assert not any(disk.content(path)[offset:])
    again = write_some(journal, 20)
    journal.close()
    assert read_all(disk) == batches[:-1] + again
    assert open_journal(disk).scan is not None


@pytest.mark.parametrize("tear", TEARS)
def test_a_broken_record_with_a_valid_one_behind_is_damage(disk: FaultyDisk, tear: str) -> None:
    batches = written(disk)
    path, offset, size = places(disk)[-2]
    assert path == places(disk)[-1][0], "both in the last segment"
    TEARS[tear](disk, path, offset, size)
    error = refused(disk, Code.JOURNAL_DAMAGED)
    assert (error.file, error.offset, error.seq) == (path, offset, batches[-2][0])


@pytest.mark.parametrize("tear", TEARS)
def test_a_broken_record_in_an_earlier_segment_is_damage(disk: FaultyDisk, tear: str) -> None:
    batches = written(disk)
    found = places(disk)
    second = segment_paths(disk)[1]
    number = max(i for i, place in enumerate(found) if place[0] == second)
    path, offset, size = found[number]
    TEARS[tear](disk, path, offset, size)
    error = refused(disk, Code.JOURNAL_DAMAGED)
    assert (error.file, error.offset, error.seq) == (path, offset, batches[number][0])


@pytest.mark.parametrize("number", [0, 1, 2, -1])
def test_a_missing_segment_is_named(disk: FaultyDisk, number: int) -> None:
    batches = written(disk)
    path = segment_paths(disk)[number]
    disk.drop(path)
    error = refused(disk, Code.JOURNAL_SEGMENT_MISSING)
    assert path.removeprefix(f"{FOLDER}/") in error.detail
    assert error.seq in {first for first, *_ in batches}


def test_a_missing_last_segment_shows_by_the_seal_even_if_it_was_empty(disk: FaultyDisk) -> None:
    written(disk)
    journal = open_journal(disk)
    while len(segment_paths(disk)) < 6:
        write_some(journal, 1)
    journal.close()
    disk.drop(segment_paths(disk)[-1])
    refused(disk, Code.JOURNAL_SEGMENT_MISSING)


def test_a_segment_of_another_history_of_the_same_venue_breaks_the_chain(disk: FaultyDisk) -> None:
    written(disk)
    other = FaultyDisk()
    journal = open_journal(other)
    for _ in range(40):
        append(journal, 299)
        journal.sync()
    journal.close()
    assert segment_paths(other) == segment_paths(disk)
    path = segment_paths(disk)[2]
    disk.put(path, other.content(path))
    error = refused(disk, Code.JOURNAL_CHAIN_BROKEN)
    assert error.file == path


def test_a_record_of_another_place_does_not_count(disk: FaultyDisk) -> None:
    """A record copied over another one checks out, but does not follow."""
    written(disk)
    found = [place for place in places(disk) if place[0] == segment_paths(disk)[-1]]
    (path, first, size), (_, second, _) = found[0], found[1]
    disk.overwrite(path, second, disk.content(path)[first : first + size])
    error = refused(disk, Code.JOURNAL_CHAIN_BROKEN)
    assert error.offset == second


def test_a_record_of_another_segment_does_not_even_check_out(disk: FaultyDisk) -> None:
    batches = written(disk)
    path, offset, _size = places(disk)[-1]
    donor, start, size = places(disk)[0]
    disk.overwrite(path, offset, disk.content(donor)[start : start + size])
    journal = open_journal(disk)
    assert journal.scan is not None
    assert journal.scan.cut is not None
    assert read_all(disk) == batches[:-1]


def test_a_journal_of_another_venue_is_refused(disk: FaultyDisk) -> None:
    written(disk)
    error = refused(disk, Code.JOURNAL_WRONG_VENUE, venue_id=OTHER_VENUE)
    assert OTHER_VENUE.hex() in error.detail
    refused(disk, Code.JOURNAL_WRONG_VENUE, engine="engine-2")


def test_one_segment_of_another_venue_is_refused_and_named(disk: FaultyDisk) -> None:
    written(disk)
    other = FaultyDisk()
    journal = open_journal(other, new_venue_id=OTHER_VENUE)
    write_some(journal, 40, size_bytes=300)
    journal.close()
    path = segment_paths(disk)[2]
    disk.put(path, other.content(path))
    error = refused(disk, Code.JOURNAL_WRONG_VENUE)
    assert error.file == path


def test_a_broken_header_is_damage(disk: FaultyDisk) -> None:
    written(disk)
    path = segment_paths(disk)[-1]
    for offset in (0, 8, 20, 44, 60, 80, 125):
        disk.flip(path, offset)
        error = refused(disk, Code.JOURNAL_DAMAGED)
        assert error.file == path
        disk.flip(path, offset)
    open_journal(disk)


def test_a_later_format_is_refused_by_name(disk: FaultyDisk) -> None:
    written(disk)
    disk.flip(segment_paths(disk)[0], 8, mask=3)
    assert "journal format 1, was 2" in refused(disk, Code.JOURNAL_DAMAGED).detail


def test_a_shortened_file_is_damage_since_no_crash_shortens_one(disk: FaultyDisk) -> None:
    written(disk)
    for path in (segment_paths(disk)[1], segment_paths(disk)[-1]):
        content = disk.content(path)
        for size in (0, 100, 2000, 4095):
            disk.shorten(path, size)
            error = refused(disk, Code.JOURNAL_DAMAGED)
            assert error.file == path
            disk.put(path, content)
    open_journal(disk)


def test_a_renamed_segment_is_damage(disk: FaultyDisk) -> None:
    written(disk)
    path = segment_paths(disk)[-1]
    disk.put(f"{FOLDER}/{10**6:020d}.journal", disk.content(path))
    disk.drop(path)
    refused(disk, Code.JOURNAL_DAMAGED)


def test_a_snapshot_position_that_the_journal_does_not_have_is_refused(disk: FaultyDisk) -> None:
    journal = open_journal(disk)
    write_some(journal, 10)
    middle = journal.position
    write_some(journal, 10)
    end = journal.position
    journal.close()
    refused(disk, Code.JOURNAL_CHAIN_BROKEN, resume=Position(middle.seq, end.chain))
    refused(disk, Code.JOURNAL_CHAIN_BROKEN, resume=Position(middle.seq - 1, middle.chain))
    refused(disk, Code.JOURNAL_SEGMENT_MISSING, resume=Position(end.seq + 1, end.chain))
    path, offset, size = places(disk)[-1]
    disk.flip(path, offset + size // 2)
    error = refused(disk, Code.JOURNAL_DAMAGED, resume=end)
    assert error.offset == offset, "a tail that a snapshot covers was not an unsynced one"
    open_journal(disk)


def test_a_lost_journal_beside_a_snapshot_is_not_begun_anew(disk: FaultyDisk) -> None:
    refused(disk, Code.JOURNAL_SEGMENT_MISSING, resume=Position(5, bytes(16)))
    assert segment_paths(disk) == []


def test_an_unreadable_sector_is_damage(disk: FaultyDisk) -> None:
    written(disk)
    disk.fail("pread", 5, times=1)
    with pytest.raises(JournalDamage, match="Input/output error"):
        open_journal(disk)


def test_holes_that_a_lazy_policy_left_are_an_unsynced_tail(disk: FaultyDisk) -> None:
    """Without a sync between them a later record can reach the device and an earlier one not."""
    journal = open_journal(disk, sync="none")
    batches = write_some(journal, 5)
    journal.flush()
    write_some(journal, 5)
    path, offset, size = places(disk)[6]
    disk.kill()
    disk.overwrite(path, offset, bytes(size))
    journal = open_journal(disk)
    assert journal.scan is not None
    assert journal.scan.cut is not None
    assert journal.scan.cut.offset == offset
    assert read_all(disk)[:5] == batches
    assert len(read_all(disk)) == 6


def test_the_same_hole_below_what_was_synced_is_damage(disk: FaultyDisk) -> None:
    journal = open_journal(disk, sync="none")
    write_some(journal, 5)
    journal.flush()
    write_some(journal, 5)
    path, offset, size = places(disk)[3]
    disk.kill()
    disk.overwrite(path, offset, bytes(size))
    assert refused(disk, Code.JOURNAL_DAMAGED).offset == offset


def test_a_payload_that_looks_like_a_record_is_none(disk: FaultyDisk) -> None:
    """A client cannot plant a record: the checksum begins with that of the segment's header."""
    other = FaultyDisk()
    forged = open_journal(other, new_venue_id=OTHER_VENUE)
    write_some(forged, 12, size_bytes=64)
    planted = other.content(segment_paths(other)[0])[128:]
    journal = open_journal(disk, segment_bytes=16384)
    batches = write_some(journal, 2)
    journal.append(planted, planted, first_seq=7, last_seq=7, now_ns=1, rules_version=1)
    journal.sync()
    path, offset, _ = places(disk)[-1]
    journal.close()
    disk.flip(path, offset + 8)
    journal = open_journal(disk)
    assert read_all(disk) == batches
