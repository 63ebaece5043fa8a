"""The disk as the journal sees it: a dozen calls that a test can tear.

Invariant: the journal and the snapshots touch files through a `Disk` alone, so that a simulated disk
(`tests/engine/disk_faults.py`) can lose, tear, damage and refuse every write that they make. Nothing
here retries and nothing hides an `OSError`: what a failed write means is the journal's to decide.
"""

import fcntl
import os
from collections.abc import Sequence
from typing import Protocol


class LockHeldError(Exception):
    """Another process holds the lock; ``holder`` is what that process wrote into the lock file."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class Disk(Protocol):
    """What the journal and the snapshots need of a disk; handles are small integers."""

    def make_folder(self, folder: str) -> None:
        """Make ``folder`` and its parents where missing, durably."""

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in ``folder``; none if it does not exist."""

    def create(self, path: str) -> int:
        """Open ``path`` for reading and writing, empty (an old file of that name is emptied)."""

    def open_read(self, path: str) -> int:
        """Open ``path`` for reading."""

    def open_write(self, path: str) -> int:
        """Open the existing ``path`` for reading and writing."""

    def close(self, handle: int) -> None:
        """Close ``handle``; unsynced bytes stay unsynced."""

    def preallocate(self, handle: int, size_bytes: int) -> None:
        """Reserve ``size_bytes`` from the start of the file, so that a full disk shows now."""

    def pwrite(self, handle: int, data: bytes, offset: int) -> int:
        """Write at ``offset``; return how many bytes were taken."""

    def pwritev(self, handle: int, buffers: Sequence[bytes], offset: int) -> int:
        """Write the buffers one behind the other at ``offset``; return how many bytes were taken."""

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``; fewer at the end of the file."""

    def fdatasync(self, handle: int) -> None:
        """Return once every byte written to the file is on the device."""

    def fsync_folder(self, folder: str) -> None:
        """Return once every name made, changed or removed in ``folder`` is on the device."""

    def rename(self, old: str, new: str) -> None:
        """Give ``old`` the name ``new``, replacing a file of that name."""

    def remove(self, path: str) -> None:
        """Remove the file."""

    def size(self, handle: int) -> int:
        """Return the size of the file in bytes."""

    def lock(self, path: str, holder: str) -> int:
        """Lock ``path`` for this process until `close` and write ``holder`` into it.

        Raises
        ------
        LockHeldError
            Another process holds it.
        """


class OsDisk:
    """The real disk."""

    # The hot calls are the system's own functions: no Python frame between journal and kernel.
    pwrite = staticmethod(os.pwrite)
    pwritev = staticmethod(os.pwritev)
    pread = staticmethod(os.pread)
    fdatasync = staticmethod(os.fdatasync)
    close = staticmethod(os.close)
    rename = staticmethod(os.rename)
    remove = staticmethod(os.unlink)

    def make_folder(self, folder: str) -> None:
        """Make ``folder`` and its parents where missing, durably."""
        if os.path.isdir(folder):
            return
        parent = os.path.dirname(os.path.abspath(folder))
        self.make_folder(parent)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.fsync_folder(parent)

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in ``folder``; none if it does not exist."""
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def create(self, path: str) -> int:
        """Open ``path`` for reading and writing, empty."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)

    def open_read(self, path: str) -> int:
        """Open ``path`` for reading."""
        return os.open(path, os.O_RDONLY)

    def open_write(self, path: str) -> int:
        """Open the existing ``path`` for reading and writing."""
        return os.open(path, os.O_RDWR)

    def preallocate(self, handle: int, size_bytes: int) -> None:
        """Reserve ``size_bytes`` from the start of the file."""
        os.posix_fallocate(handle, 0, size_bytes)

    def fsync_folder(self, folder: str) -> None:
        """Sync the names in ``folder``."""
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def size(self, handle: int) -> int:
        """Return the size of the file in bytes."""
        return os.fstat(handle).st_size

    def lock(self, path: str, holder: str) -> int:
        """Lock ``path`` with ``flock``: the kernel frees it when the process dies, however it dies."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = os.pread(handle, 200, 0).decode(errors="replace").strip()
            os.close(handle)
            raise LockHeldError(found or "an unnamed process") from None
        except BaseException:
            os.close(handle)
            raise
        os.ftruncate(handle, 0)
        os.pwrite(handle, holder.encode(), 0)
        return handle
