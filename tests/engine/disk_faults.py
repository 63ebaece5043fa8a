"""A simulated disk that forgets, tears, refuses and damages.

Invariant: after `FaultyDisk.crash`, a file holds every byte that was synced, and of each 512-byte sector
of an unsynced write either all or nothing, as the seed decides; names made, changed or removed since the
folder was synced are there up to some point in time. A failed sync loses the writes that it was to save,
while reads go on showing them: that is how Linux behaves.
"""

import errno
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.disk import Disk, LockHeldError

SECTOR_BYTES = 512
Names = dict[str, "SimulatedFile"]


class PowerLoss(BaseException):
    """The machine went dark in the middle of a call; no except clause of the product may swallow it."""


@dataclass
class SimulatedFile:
    """A file as reads see it, as the device holds it, and the writes between the two."""

    seen: bytearray = field(default_factory=bytearray)
    stored: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, data: bytes, offset: int) -> None:
        """Write into what reads see."""
        _put(self.seen, data, offset)
        self.unsynced.append((offset, data))

    def sync(self) -> None:
        """Bring all writes to the device."""
        for offset, data in self.unsynced:
            _put(self.stored, data, offset)
        self.unsynced.clear()

    def crash(self, chance: random.Random) -> None:
        """Keep what was synced and, of the rest, whatever the chance keeps."""
        keep = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for offset, data in self.unsynced:
            at = 0
            while at < len(data):
                # A device writes whole sectors: a piece ends where a sector of the file ends.
                piece = min(len(data) - at, SECTOR_BYTES - (offset + at) % SECTOR_BYTES)
                if chance.random() < keep:
                    _put(self.stored, data[at : at + piece], offset + at)
                at += piece
        self.unsynced.clear()
        self.seen = bytearray(self.stored)


class FaultyDisk:
    """The simulated disk; `engine.disk.Disk` says what the calls do."""

    def __init__(self) -> None:
        self._names: Names = {}
        self._stored_names: Names = {}
        self._name_changes: list[Callable[[Names], None]] = []
        self._handles: dict[int, SimulatedFile] = {}
        self._locks: dict[str, tuple[int, str]] = {}
        self._next_handle = 100
        self._faults: dict[str, list[int]] = {}
        self._short_bytes: int | None = None
        self._calls_left: int | None = None
        self.calls: list[str] = []

    # What a test does to it.

    def crash(self, seed: int = 0) -> None:
        """Lose power: handles and locks are gone, and so is some of what was not synced."""
        chance = random.Random(seed)
        kept = chance.randint(0, len(self._name_changes))
        for change in self._name_changes[:kept]:
            change(self._stored_names)
        self._name_changes.clear()
        self._names = dict(self._stored_names)
        for file in {id(file): file for file in self._names.values()}.values():
            file.crash(chance)
        self.kill()

    def kill(self) -> None:
        """Let the process die while the machine goes on: nothing written is lost."""
        self._handles.clear()
        self._locks.clear()
        self._faults.clear()
        self._short_bytes = self._calls_left = None

    def power_loss_after(self, calls: int) -> None:
        """Raise `PowerLoss` at the call that changes something after ``calls`` more of them."""
        self._calls_left = calls

    def fail(self, call: str, number: int, times: int = 1) -> None:
        """Let the next ``times`` calls named ``call`` fail with this errno."""
        self._faults[call] = [number] * times

    def take_only(self, count: int) -> None:
        """Let the next write take ``count`` bytes and no more."""
        self._short_bytes = count

    def flip(self, path: str, offset: int, mask: int = 1) -> None:
        """Flip bits of one byte, on the device and in the cache."""
        file = self._names[path]
        for content in (file.seen, file.stored):
            content[offset] ^= mask

    def overwrite(self, path: str, offset: int, data: bytes) -> None:
        """Replace bytes, on the device and in the cache."""
        file = self._names[path]
        file.seen[offset : offset + len(data)] = data
        file.stored[offset : offset + len(data)] = data

    def shorten(self, path: str, size_bytes: int) -> None:
        """Cut the end off a file."""
        file = self._names[path]
        del file.seen[size_bytes:], file.stored[size_bytes:]

    def drop(self, path: str) -> None:
        """Lose a file."""
        del self._names[path]
        self._stored_names.pop(path, None)

    def put(self, path: str, content: bytes) -> None:
        """Put a file there, durably."""
        self._names[path] = self._stored_names[path] = SimulatedFile(bytearray(content), bytearray(content))

    def content(self, path: str) -> bytes:
        """Return what reads see of a file."""
        return bytes(self._names[path].seen)

    @property
    def handles_open(self) -> int:
        """How many files are open."""
        return len(self._handles)

    # What the product asks of it.

    def make_folder(self, folder: str) -> None:
        """Folders exist by being named."""

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in ``folder``."""
        return sorted(os.path.basename(path) for path in self._names if os.path.dirname(path) == folder)

    def create(self, path: str) -> int:
        """Open an empty file."""
        self._change("create")
        file = SimulatedFile()
        self._rename_in_cache(lambda names: names.__setitem__(path, file))
        return self._handle(file)

    def open_read(self, path: str) -> int:
        """Open a file."""
        self._check("open_read")
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        return self._handle(self._names[path])

    def open_write(self, path: str) -> int:
        """Open a file."""
        return self.open_read(path)

    def close(self, handle: int) -> None:
        """Forget the handle; free the lock that it stands for."""
        self._handles.pop(handle, None)
        for path, (holder, _) in list(self._locks.items()):
            if holder == handle:
                del self._locks[path]

    def preallocate(self, handle: int, size_bytes: int) -> None:
        """Make the file that long."""
        self._change("preallocate")
        file = self._handles[handle]
        file.write(bytes(max(0, size_bytes - len(file.seen))), len(file.seen))

    def pwrite(self, handle: int, data: bytes, offset: int) -> int:
        """Write into the cache."""
        return self._write("pwrite", handle, data, offset)

    def pwritev(self, handle: int, buffers: Sequence[bytes], offset: int) -> int:
        """Write into the cache."""
        return self._write("pwritev", handle, b"".join(buffers), offset)

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        """Read from the cache."""
        self._check("pread")
        return bytes(self._handles[handle].seen[offset : offset + length])

    def fdatasync(self, handle: int) -> None:
        """Bring the file's writes to the device, or lose them."""
        try:
            self._change("fdatasync")
        except OSError:
            self._handles[handle].unsynced.clear()
            raise
        self._handles[handle].sync()

    def fsync_folder(self, folder: str) -> None:
        """Bring the names to the device."""
        self._change("fsync_folder")
        for change in self._name_changes:
            change(self._stored_names)
        self._name_changes.clear()

    def rename(self, old: str, new: str) -> None:
        """Rename in the cache."""
        self._change("rename")
        self._rename_in_cache(lambda names: names.__setitem__(new, names.pop(old)))

    def remove(self, path: str) -> None:
        """Remove in the cache."""
        self._change("remove")
        self._rename_in_cache(lambda names: names.__delitem__(path))

    def size(self, handle: int) -> int:
        """Return the size that reads see."""
        return len(self._handles[handle].seen)

    def lock(self, path: str, holder: str) -> int:
        """Lock a path."""
        self._check("lock")
        if path in self._locks:
            raise LockHeldError(self._locks[path][1].strip())
        handle = self._handle(SimulatedFile())
        self._locks[path] = (handle, holder)
        return handle

    def _write(self, call: str, handle: int, data: bytes, offset: int) -> int:
        dark = False
        try:
            self._change(call)
        except PowerLoss:
            dark = True
        if self._short_bytes is not None:
            data, self._short_bytes = data[: self._short_bytes], None
        self._handles[handle].write(bytes(data), offset)
        if dark:
            raise PowerLoss
        return len(data)

    def _rename_in_cache(self, change: Callable[[Names], None]) -> None:
        change(self._names)
        self._name_changes.append(change)

    def _handle(self, file: SimulatedFile) -> int:
        self._next_handle += 1
        self._handles[self._next_handle] = file
        return self._next_handle

    def _change(self, call: str) -> None:
        if self._calls_left is not None:
            if self._calls_left <= 0:
                raise PowerLoss
            self._calls_left -= 1
        self._check(call)

    def _check(self, call: str) -> None:
        self.calls.append(call)
        faults = self._faults.get(call)
        if faults:
            number = faults.pop(0)
            raise OSError(number, os.strerror(number))


def _put(content: bytearray, data: bytes, offset: int) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def as_disk(disk: FaultyDisk) -> Disk:
    """Return the simulated disk as what the product takes (mypy compares the two here)."""
    return disk
