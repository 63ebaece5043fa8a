"""Snapshot files: the state of the engine as of a seq, so that recovery need not start at seq 1.

Invariant: a file that has the name of a snapshot was whole and synced before it got it; one that was
damaged since is found out by its checksums and passed over for the one before. A snapshot names the seq
that it covers and the journal's chain hash there, so that it can only be continued with the journal that
it was taken of. What the payload means is the engine's business.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

from google_crc32c import extend

from bus.errors import Code, JournalError
from engine.disk import Disk
from engine.records import ENGINE_BYTES_MAX
from engine.segments import Position
from engine.supply import code_of, write

SNAPSHOT_MAGIC: Final = b"ZEROPITS"
SNAPSHOT_VERSION: Final = 1
SUFFIX: Final = ".snapshot"
TEMPORARY_NAME: Final = "snapshot.writing"
CHUNK_BYTES_MAX: Final = 64 * 1024 * 1024
SNAPSHOTS_KEPT: Final = 3

_HEAD = struct.Struct("<8sIIQQQHHI16s16s48s")
_CRC = struct.Struct("<I")
_CHUNK = struct.Struct("<II")
_TRAILER = struct.Struct("<QQ16s")
HEADER_BYTES: Final = _HEAD.size + _CRC.size


class SnapshotHead(NamedTuple):
    """What a snapshot says of itself.

    ``seq`` and ``chain`` are the journal's position that it covers; ``now_ns`` is the time of the last
    record in it, ``epoch`` and ``rules_version`` those of the engine that wrote it.
    """

    seq: int
    chain: bytes
    venue_id: bytes
    engine: str
    epoch: int
    rules_version: int
    now_ns: int

    @property
    def position(self) -> Position:
        """Where the journal goes on behind it."""
        return Position(self.seq, self.chain)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that was checked from its first byte to its last."""

    disk: Disk
    path: str
    head: SnapshotHead
    payload_bytes: int

    def chunks(self) -> Iterator[bytes]:
        """Yield the payload in the chunks in which it was written, each checked again."""
        handle = _open(self.disk, self.path)
        try:
            yield from _Reading(self.disk, handle, self.path).chunks()
        finally:
            self.disk.close(handle)

    def payload(self) -> bytes:
        """Return the payload in one piece."""
        return b"".join(self.chunks())


@dataclass(frozen=True, slots=True)
class Search:
    """The newest valid snapshot, if any, and what was wrong with the newer ones."""

    found: Snapshot | None
    problems: tuple[JournalError, ...]


def snapshot_name(seq: int) -> str:
    """Return the file name of the snapshot that covers everything up to ``seq``."""
    return f"{seq:020d}{SUFFIX}"


def write_snapshot(
    disk: Disk, folder: str, head: SnapshotHead, chunks: Iterable[bytes], *, keep: int = SNAPSHOTS_KEPT
) -> str:
    """Write a snapshot durably and remove all but the ``keep`` newest; return its path.

    The journal must have been flushed up to ``head.seq`` before. The chunks are written one by one: a
    large state need not be in memory twice.

    Raises
    ------
    JournalError
        JOURNAL_DISK_FULL or JOURNAL_WRITE_FAILED: no snapshot was made, the older ones are untouched.
    """
    path, temporary = f"{folder}/{snapshot_name(head.seq)}", f"{folder}/{TEMPORARY_NAME}"
    try:
        disk.make_folder(folder)
        handle = disk.create(temporary)
        try:
            _write_all(disk, handle, head, chunks)
            disk.fdatasync(handle)
        finally:
            disk.close(handle)
        disk.rename(temporary, path)
        disk.fsync_folder(folder)
        for seq in snapshot_seqs(disk, folder)[: -max(keep, 1)]:
            disk.remove(f"{folder}/{snapshot_name(seq)}")
    except OSError as error:
        raise JournalError(code_of(error), f"expected to write the snapshot {path}, was {error}") from error
    return path


def snapshot_seqs(disk: Disk, folder: str) -> list[int]:
    """Return the seqs of the snapshots in ``folder``, ascending, from their names alone."""
    stems = (name.removesuffix(SUFFIX) for name in disk.names(folder) if name.endswith(SUFFIX))
    return [int(stem) for stem in stems if len(stem) == 20 and stem.isdecimal()]


def newest_valid(
    disk: Disk, folder: str, *, venue_id: bytes | None = None, engine: str | None = None
) -> Search:
    """Return the newest snapshot that checks out whole; skip others, with a report of each.

    Parameters
    ----------
    venue_id, engine
        Whose snapshot it must be; None: any.
    """
    problems: list[JournalError] = []
    for seq in reversed(snapshot_seqs(disk, folder)):
        try:
            snapshot = check_snapshot(disk, f"{folder}/{snapshot_name(seq)}")
            _check_owner(snapshot, seq, venue_id, engine)
        except JournalError as error:
            problems.append(error)
            continue
        return Search(snapshot, tuple(problems))
    return Search(None, tuple(problems))


def check_snapshot(disk: Disk, path: str) -> Snapshot:
    """Read a snapshot from its first byte to its last; O(its size), memory of one chunk.

    Raises
    ------
    JournalError
        SNAPSHOT_INVALID, saying which byte.
    """
    handle = _open(disk, path)
    try:
        reading = _Reading(disk, handle, path)
        payload_bytes = sum(len(chunk) for chunk in reading.chunks())
        return Snapshot(disk, path, reading.head, payload_bytes)
    finally:
        disk.close(handle)


def _open(disk: Disk, path: str) -> int:
    try:
        return disk.open_read(path)
    except OSError as error:
        raise _invalid(path, 0, f"expected a readable file, was {error}") from error


def _invalid(path: str, offset: int, detail: str) -> JournalError:
    return JournalError(Code.SNAPSHOT_INVALID, f"{detail} ({path}, byte {offset})")


def _check_owner(snapshot: Snapshot, seq: int, venue_id: bytes | None, engine: str | None) -> None:
    head, path = snapshot.head, snapshot.path
    if head.seq != seq:
        raise _invalid(path, 0, f"expected the name {snapshot_name(head.seq)}, was {snapshot_name(seq)}")
    if (venue_id or head.venue_id) != head.venue_id or (engine or head.engine) != head.engine:
        expected = f"venue {(venue_id or head.venue_id).hex()}, engine {engine or head.engine!r}"
        detail = (
            f"expected a snapshot of {expected}, was of venue {head.venue_id.hex()}, engine {head.engine!r}"
        )
        raise JournalError(Code.JOURNAL_WRONG_VENUE, f"{detail} ({path})")


def _write_all(disk: Disk, handle: int, head: SnapshotHead, chunks: Iterable[bytes]) -> None:
    engine = head.engine.encode()
    if len(engine) > ENGINE_BYTES_MAX:
        raise AssertionError(
            f"expected an engine name of at most {ENGINE_BYTES_MAX} bytes, was {len(engine)}"
        )
    packed = _HEAD.pack(
        SNAPSHOT_MAGIC,
        SNAPSHOT_VERSION,
        HEADER_BYTES,
        head.seq,
        head.epoch,
        head.now_ns,
        head.rules_version,
        0,
        0,
        head.chain,
        head.venue_id,
        engine,
    )
    seed = extend(0, packed)
    packed += _CRC.pack(seed)
    digest = blake2b(packed, digest_size=16)
    write(disk, handle, packed, 0)
    offset, payload_bytes, count = len(packed), 0, 0
    for chunk in chunks:
        if not chunk:
            continue
        if len(chunk) > CHUNK_BYTES_MAX:
            raise AssertionError(f"expected a chunk of at most {CHUNK_BYTES_MAX} bytes, was {len(chunk)}")
        digest.update(chunk)
        write(disk, handle, _CHUNK.pack(len(chunk), extend(seed, chunk)), offset)
        write(disk, handle, chunk, offset + _CHUNK.size)
        offset += _CHUNK.size + len(chunk)
        payload_bytes += len(chunk)
        count += 1
    trailer = _TRAILER.pack(payload_bytes, count, digest.digest())
    write(disk, handle, _CHUNK.pack(0, extend(seed, trailer)) + trailer, offset)


class _Reading:
    """One pass over a snapshot file; raises SNAPSHOT_INVALID at the first byte that does not fit."""

    def __init__(self, disk: Disk, handle: int, path: str) -> None:
        self._disk = disk
        self._handle = handle
        self._path = path
        self._offset = 0
        packed = self._read(HEADER_BYTES)
        magic, version, _, seq, epoch, now_ns, rules, _, _, chain, venue, engine = _HEAD.unpack_from(packed)
        if magic != SNAPSHOT_MAGIC:
            raise _invalid(path, 0, f"expected a snapshot to begin with {SNAPSHOT_MAGIC!r}, was {magic!r}")
        if version != SNAPSHOT_VERSION:
            raise _invalid(path, 8, f"expected snapshot format {SNAPSHOT_VERSION}, was {version}")
        self._seed = extend(0, packed[: _HEAD.size])
        self._check_sum(self._seed, _CRC.unpack_from(packed, _HEAD.size)[0])
        self._digest = blake2b(packed, digest_size=16)
        name = engine.rstrip(b"\0").decode(errors="replace")
        self.head = SnapshotHead(seq, chain, venue, name, epoch, rules, now_ns)

    def chunks(self) -> Iterator[bytes]:
        """Yield the chunks; the last step checks the trailer."""
        payload_bytes = count = 0
        while True:
            length, crc = _CHUNK.unpack(self._read(_CHUNK.size))
            if length == 0:
                break
            if length > CHUNK_BYTES_MAX:
                detail = f"expected a chunk of at most {CHUNK_BYTES_MAX} bytes, was {length}"
                raise _invalid(self._path, self._offset, detail)
            chunk = self._read(length)
            self._check_sum(extend(self._seed, chunk), crc)
            self._digest.update(chunk)
            payload_bytes += length
            count += 1
            yield chunk
        trailer = self._read(_TRAILER.size)
        self._check_sum(extend(self._seed, trailer), crc)
        found = (payload_bytes, count, self._digest.digest())
        stated = _TRAILER.unpack(trailer)
        if stated != found:
            detail = f"expected {stated[0]} bytes in {stated[1]} chunks with the stated hash, was {found[:2]}"
            raise _invalid(self._path, self._offset, detail)

    def _check_sum(self, found: int, stated: int) -> None:
        if found != stated:
            detail = f"expected the checksum {stated:08x}, was {found:08x}"
            raise _invalid(self._path, self._offset, detail)

    def _read(self, length: int) -> bytes:
        try:
            data = self._disk.pread(self._handle, length, self._offset)
        except OSError as error:
            raise _invalid(self._path, self._offset, f"expected {length} bytes, was {error}") from error
        if len(data) < length:
            raise _invalid(self._path, self._offset, f"expected {length} bytes, was {len(data)}")
        self._offset += length
        return data
