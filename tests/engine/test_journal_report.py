"""The report names every problem, not only the first, and says nothing wrong of a live journal."""

from collections.abc import Callable

import pytest

from bus.errors import Code
from engine.journal_report import inspect, verify
from engine.snapshots import SnapshotHead, write_snapshot
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

SNAPSHOTS = "/j/snapshots"


@pytest.fixture
def disk() -> FaultyDisk:
    """Return a disk with a journal of some segments, closed, and two snapshots of it."""
    disk = FaultyDisk()
    journal = open_journal(disk)
    for _ in range(2):
        write_some(journal, 20, size_bytes=300)
        head = SnapshotHead(*journal.position, VENUE, "engine", 1, 7, 5)
        write_snapshot(disk, SNAPSHOTS, head, [b"state"])
    write_some(journal, 5)
    journal.close()
    return disk


def codes(disk: FaultyDisk) -> list[Code]:
    return [problem.code for problem in verify(disk, FOLDER, SNAPSHOTS).problems]


def test_a_sound_journal_has_no_problems(disk: FaultyDisk) -> None:
    report = verify(disk, FOLDER, SNAPSHOTS)
    assert report.problems == []
    assert (report.venue_id, report.engine, report.tail) == (VENUE, "engine", None)
    assert (report.records, report.last_seq) == (45, 135)
    assert len(report.segments) == len(segment_paths(disk))
    assert [s.end.sealed for s in report.segments if s.end] == [True] * (len(report.segments) - 1) + [False]
    assert [s.position.seq for s in report.snapshots if s.position] == [60, 120]


def test_no_folder_no_segments() -> None:
    report = verify(FaultyDisk(), FOLDER, SNAPSHOTS)
    assert (report.segments, report.snapshots, report.problems) == ((), (), [])


def test_every_problem_is_named(disk: FaultyDisk) -> None:
    paths = segment_paths(disk)
    disk.flip(paths[0], 300)
    disk.flip(paths[2], 3)
    disk.flip(f"{SNAPSHOTS}/{60:020d}.snapshot", 20)
    assert codes(disk) == [Code.JOURNAL_DAMAGED, Code.JOURNAL_DAMAGED, Code.SNAPSHOT_INVALID]


DAMAGES: dict[str, tuple[Callable[[FaultyDisk, list[str]], None], Code]] = {
    "first segment": (lambda disk, paths: disk.drop(paths[0]), Code.JOURNAL_SEGMENT_MISSING),
    "middle segment": (lambda disk, paths: disk.drop(paths[1]), Code.JOURNAL_SEGMENT_MISSING),
    "last segment": (lambda disk, paths: disk.drop(paths[-1]), Code.JOURNAL_SEGMENT_MISSING),
    "short file": (lambda disk, paths: disk.shorten(paths[1], 700), Code.JOURNAL_DAMAGED),
    "broken record": (lambda disk, paths: disk.flip(paths[1], 1000), Code.JOURNAL_DAMAGED),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_verdict_is_that_of_a_start(disk: FaultyDisk, damage: str) -> None:
    do, code = DAMAGES[damage]
    do(disk, segment_paths(disk))
    assert codes(disk)[0] is code
    assert code in codes(disk)


def test_a_segment_of_another_venue_is_named(disk: FaultyDisk) -> None:
    other = FaultyDisk()
    journal = open_journal(other, new_venue_id=OTHER_VENUE)
    write_some(journal, 40, size_bytes=300)
    path = segment_paths(disk)[1]
    disk.put(path, other.content(path))
    assert codes(disk)[0] is Code.JOURNAL_WRONG_VENUE


def test_a_torn_tail_is_no_problem_but_shown(disk: FaultyDisk) -> None:
    path, offset, _ = places(disk)[-1]
    disk.flip(path, offset + 100)
    report = verify(disk, FOLDER, SNAPSHOTS)
    assert report.problems == []
    assert report.tail is not None
    assert (report.tail.file, report.tail.offset, report.tail.first_seq) == (path, offset, 133)


def test_a_snapshot_of_another_history_is_named(disk: FaultyDisk) -> None:
    for position in ((61, bytes(16)), (63, bytes(16)), (999, bytes(16))):
        write_snapshot(disk, SNAPSHOTS, SnapshotHead(*position, VENUE, "engine", 1, 7, 5), [], keep=9)
    assert codes(disk) == [Code.JOURNAL_CHAIN_BROKEN] * 3


def test_a_live_journal_is_no_damaged_one() -> None:
    """The writer goes on while the report is made, at every read that the report does."""
    disk = FaultyDisk()
    journal = open_journal(disk)
    write_some(journal, 20)
    read = disk.pread

    def pread(handle: int, length: int, offset: int) -> bytes:
        data = read(handle, length, offset)
        if journal.last_seq < 600:
            append(journal, 200)
            journal.sync()
        return data

    disk.pread = pread  # type: ignore[method-assign]
    report = verify(disk, FOLDER)
    assert report.problems == []
    assert report.last_seq > 60
    assert len(report.segments) > 1


def test_inspect_yields_records_from_a_seq_on(disk: FaultyDisk) -> None:
    found = list(inspect(disk, FOLDER, from_seq=62, limit=3))
    assert [located.record.first_seq for located in found] == [61, 64, 67]
    path, offset, _ = places(disk)[20]
    assert (f"{FOLDER}/{found[0].segment}", found[0].offset) == (path, offset)
    assert as_batch(found[0].record)[3].startswith(b"E61 ")
    assert list(inspect(disk, FOLDER, from_seq=10_000)) == []
    assert list(inspect(disk, FOLDER, limit=0)) == []
