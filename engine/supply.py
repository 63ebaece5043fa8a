"""Have the next segment file ready before it is needed.

Invariant: a file handed out is full of zeros and synced, so that a commit into it changes no metadata.
It is made in slices, each written and synced on its own: zeroing 64 MiB at once would hold up the
batches of a tenth of a second, and leave the next sync to pay for all of it.
"""

import errno
from typing import Final

from bus.errors import Code, JournalError
from engine.disk import Disk

PAGE_BYTES: Final = 4096
SLICE_BYTES: Final = 256 * 1024
STALLED_SLICE_BYTES: Final = 4 * 1024 * 1024
PREPARED_NAME: Final = "next.preparing"
LARGE_NAME: Final = "large.preparing"
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def code_of(error: OSError) -> Code:
    """Return JOURNAL_DISK_FULL if the error says so, otherwise JOURNAL_WRITE_FAILED."""
    return Code.JOURNAL_DISK_FULL if error.errno in _NO_ROOM else Code.JOURNAL_WRITE_FAILED


def check_taken(expected: int, written: int) -> None:
    """Raise unless the whole write was taken: a regular file takes less only when room runs out."""
    if written != expected:
        raise OSError(errno.ENOSPC, f"{written} of {expected} bytes taken")


def write(disk: Disk, handle: int, data: bytes, offset: int) -> None:
    """Write all of ``data`` at ``offset``, or raise OSError."""
    check_taken(len(data), disk.pwrite(handle, data, offset))


class BlankFile:
    """A segment file under a temporary name, being filled with zeros."""

    def __init__(self, disk: Disk, path: str, size_bytes: int) -> None:
        self._disk = disk
        self.path = path
        self.size_bytes = size_bytes
        self.filled_bytes = 0
        self.handle = disk.create(path)
        try:
            disk.preallocate(self.handle, size_bytes)
        except BaseException:
            self.drop()
            raise

    @property
    def ready(self) -> bool:
        """Whether it is full of zeros."""
        return self.filled_bytes == self.size_bytes

    def step(self, bytes_max: int) -> None:
        """Write and sync the next slice of zeros."""
        count = min(bytes_max, self.size_bytes - self.filled_bytes)
        write(self._disk, self.handle, bytes(count), self.filled_bytes)
        self._disk.fdatasync(self.handle)
        self.filled_bytes += count

    def drop(self) -> None:
        """Close and remove it."""
        self._disk.close(self.handle)
        self._disk.remove(self.path)


class Supply:
    """The blank segment files of one journal folder.

    Attributes
    ----------
    segment_bytes
        Size of a segment file, a multiple of 4,096.
    stalls
        How many files had to be filled while a batch waited.
    error
        Why the next file could not be prepared (None: it could); tried again when it is needed.
    """

    def __init__(self, disk: Disk, folder: str, segment_bytes: int) -> None:
        self._disk = disk
        self._folder = folder
        self.segment_bytes = _whole_pages(segment_bytes)
        self.stalls = 0
        self.error: JournalError | None = None
        self._next: BlankFile | None = None

    def clear(self) -> None:
        """Remove what an earlier writer had prepared."""
        names = self._disk.names(self._folder)
        for name in (PREPARED_NAME, LARGE_NAME):
            if name in names:
                self._disk.remove(f"{self._folder}/{name}")

    def step(self, used_bytes: int, *, idle: bool, bytes_max: int) -> bool:
        """Fill one slice if there is need; return whether one was filled.

        Unless ``idle``, only when the filling lags behind twice what the current segment has used: the
        next one is then ready when the current one is half full.
        """
        if self.error is not None:
            return False
        blank = self._next
        if blank is not None and (blank.ready or not (idle or blank.filled_bytes < 2 * used_bytes)):
            return False
        try:
            if blank is None:
                self._next = blank = BlankFile(
                    self._disk, f"{self._folder}/{PREPARED_NAME}", self.segment_bytes
                )
            blank.step(bytes_max)
        except OSError as error:
            # Nothing acknowledged hangs on this file: the journal goes on while its segment has room.
            detail = f"expected room for the next segment of {self.segment_bytes} bytes, was {error}"
            self.error = JournalError(code_of(error), detail)
            self.drop()
            return False
        return True

    def take(self, needed_bytes: int) -> BlankFile:
        """Return a full file with room for ``needed_bytes``: the prepared one if it will do."""
        self.error = None
        if needed_bytes > self.segment_bytes:
            file = BlankFile(self._disk, f"{self._folder}/{LARGE_NAME}", _whole_pages(needed_bytes))
        else:
            file = self._next or BlankFile(self._disk, f"{self._folder}/{PREPARED_NAME}", self.segment_bytes)
            self._next = None
        if not file.ready:
            self.stalls += 1
        try:
            while not file.ready:
                file.step(STALLED_SLICE_BYTES)
        except BaseException:
            file.drop()
            raise
        return file

    def drop(self) -> None:
        """Remove the file under preparation."""
        blank, self._next = self._next, None
        if blank is not None:
            try:
                blank.drop()
            except OSError as error:
                detail = f"expected to remove {blank.path}, was {error}"
                self.error = JournalError(code_of(error), detail)


def _whole_pages(size_bytes: int) -> int:
    return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES
