"""The bytes on disk are those of docs/internals/journal.md, read here with nothing but that page."""

from hashlib import blake2b

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import JournalError
from engine.records import SegmentHeader, pack_segment_header, unpack_segment_header
from engine.snapshots import SnapshotHead, write_snapshot
from tests.engine.disk_faults import FaultyDisk
from tests.engine.journals import FOLDER, VENUE, open_journal, write_some


def number(data: bytes, offset: int, count: int) -> int:
    return int.from_bytes(data[offset : offset + count], "little")


def test_a_segment_as_documented() -> None:
    disk = FaultyDisk()
    journal = open_journal(disk)
    batches = write_some(journal, 3, size_bytes=101)
    data = disk.content(f"{FOLDER}/00000000000000000001.journal")
    assert data[:8] == b"ZEROPITJ"
    assert [number(data, at, 4) for at in (8, 12)] == [1, 128]
    assert [number(data, at, 8) for at in (16, 24, 32)] == [1, 0, 4096]
    assert data[40:56] == VENUE
    assert data[56:72] == bytes(16)
    assert data[72:124] == b"engine".ljust(52, b"\0")
    seed = number(data, 124, 4)
    assert seed == google_crc32c.value(data[:124])
    at, chain, durable_seq = 128, bytes(16), 0
    for first_seq, last_seq, commands, events in batches:
        end = at + 72 + len(commands) + len(events)
        assert data[at : at + 4] == b"ZREC"
        assert number(data, at + 4, 4) == google_crc32c.extend(seed, data[at + 8 : end])
        assert [number(data, at + i, 4) for i in (8, 12)] == [len(commands), len(events)]
        numbers = [first_seq, last_seq, durable_seq, first_seq * 1000]
        assert [number(data, at + i, 8) for i in (16, 24, 32, 40)] == numbers
        assert (number(data, at + 48, 2), data[at + 50], data[at + 51 : at + 56]) == (7, 1, bytes(5))
        chain = blake2b(chain + data[at + 8 : at + 56] + commands + events, digest_size=16).digest()
        assert data[at + 56 : at + 72] == chain
        assert data[at + 72 : end] == commands + events
        at, durable_seq = (end + 7) // 8 * 8, last_seq
    assert data[at:] == bytes(4096 - at)
    assert journal.position.chain == chain


def test_a_seal_as_documented() -> None:
    disk = FaultyDisk()
    journal = open_journal(disk)
    batches = write_some(journal, 20, size_bytes=300)
    first, second = (disk.content(f"{FOLDER}/{name}") for name in disk.names(FOLDER)[:2])
    at = first.rindex(b"ZREC")
    next_seq = number(second, 16, 8)
    assert next_seq in {batch[0] for batch in batches}
    assert [number(first, at + i, 8) for i in (16, 24, 32)] == [next_seq, next_seq - 1, next_seq - 1]
    assert (first[at + 50], first[at + 8 : at + 16]) == (2, bytes(8))
    assert number(second, 24, 8) == 1
    before = first.rindex(b"ZREC", 0, at)
    assert second[56:72] == first[before + 56 : before + 72]


def test_a_snapshot_as_documented() -> None:
    disk = FaultyDisk()
    write_snapshot(disk, "/s", SnapshotHead(9, b"c" * 16, VENUE, "engine", 3, 7, 5), [b"one", b"three"])
    data = disk.content("/s/00000000000000000009.snapshot")
    assert data[:8] == b"ZEROPITS"
    assert [number(data, at, 4) for at in (8, 12)] == [1, 132]
    assert [number(data, at, 8) for at in (16, 24, 32, 40)] == [9, 3, 5, 7]
    assert data[48:80] == b"c" * 16 + VENUE
    assert data[80:128] == b"engine".ljust(48, b"\0")
    seed = google_crc32c.value(data[:128])
    assert number(data, 128, 4) == seed
    at = 132
    for chunk in (b"one", b"three"):
        assert (number(data, at, 4), number(data, at + 4, 4)) == (
            len(chunk),
            google_crc32c.extend(seed, chunk),
        )
        assert data[at + 8 : at + 8 + len(chunk)] == chunk
        at += 8 + len(chunk)
    trailer = data[at + 8 :]
    assert (number(data, at, 4), number(data, at + 4, 4)) == (0, google_crc32c.extend(seed, trailer))
    digest = blake2b(data[:132] + b"onethree", digest_size=16).digest()
    assert trailer == (8).to_bytes(8, "little") + (2).to_bytes(8, "little") + digest


@given(st.binary(max_size=300))
def test_bytes_that_are_no_header_are_refused(data: bytes) -> None:
    with pytest.raises(JournalError, match="expected"):
        unpack_segment_header(data, "/j/x")


def test_an_engine_name_too_long_for_the_header_is_refused() -> None:
    with pytest.raises(JournalError, match="expected an engine name of at most 48 bytes, was 49"):
        pack_segment_header(SegmentHeader(1, 0, 4096, VENUE, bytes(16), "e" * 49))
