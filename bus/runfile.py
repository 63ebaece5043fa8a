"""Who runs here: one small file and one lock an instance, in the private run folder.

Invariant: an instance runs at most once in a run folder. The lock dies with its process, so a file
left behind by ``kill -9`` never passes for a running component.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType

from .errors import Code, ServiceError
from .sockets import make_private

LOCK_ATTEMPTS_MAX = 20
LOCK_PAUSE_S = 0.02
"""A reader holds the lock for a moment to see whether it is free: a start tries more than once."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a component says of itself: ``state`` is ``starting`` or ``ready``.

    ``metrics`` is the base address of ``/metrics`` and ``/health``; ``endpoints`` the sockets that it has
    bound, by the name of their setting, with the ports really taken.
    """

    component: str
    instance: str
    pid: int
    state: str
    metrics: str
    endpoints: dict[str, str] = field(default_factory=dict)


class Claim:
    """The right to run as an instance, held while the process lives (a context manager).

    Raises
    ------
    ServiceError
        ADDRESS_IN_USE when the instance runs already.
    """

    def __init__(self, run_dir: Path, instance: str) -> None:
        make_private(run_dir)
        self._file = run_dir / f"{instance}.json"
        self._lock = os.open(run_dir / f"{instance}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(LOCK_ATTEMPTS_MAX):
            if _locked(self._lock):
                # What a killed predecessor left must not pass for what this process says.
                self._file.unlink(missing_ok=True)
                return
            time.sleep(LOCK_PAUSE_S)
        os.close(self._lock)
        raise ServiceError(
            Code.ADDRESS_IN_USE, f"expected {instance} not to run yet in {run_dir}, was running already"
        )

    def __enter__(self) -> "Claim":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.unlink(missing_ok=True)
        os.close(self._lock)

    def write(self, running: Running) -> None:
        """Publish the state; a reader sees the old file or the new one, never half."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(running)), "utf-8")
        draft.replace(self._file)


def read(run_dir: Path, instance: str) -> Running | None:
    """Return an instance that runs, or None."""
    try:
        content = json.loads((run_dir / f"{instance}.json").read_text("utf-8"))
        lock = os.open(run_dir / f"{instance}.lock", os.O_RDWR)
    except (OSError, ValueError):
        return None
    try:
        running = Running(**content)
        return None if _locked(lock) or not _alive(running.pid) else running
    except TypeError:
        return None
    finally:
        os.close(lock)


def read_all(run_dir: Path) -> Iterator[Running]:
    """Yield every instance that runs, by name."""
    for file in sorted(run_dir.glob("*.json")):
        running = read(run_dir, file.stem)
        if running is not None:
            yield running


def read_gone(run_dir: Path) -> Iterator[Running]:
    """Yield every instance that ended without saying so (killed), until it is started again; by name."""
    for file in sorted(run_dir.glob("*.json")):
        try:
            left = Running(**json.loads(file.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        # One that stopped in order meanwhile took its file along.
        if read(run_dir, file.stem) is None and file.exists():
            yield replace(left, state="gone")


def _alive(pid: int) -> bool:
    """Return whether a process lives (the lock may be its successor's already)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _locked(descriptor: int) -> bool:
    """Try to take the lock; return whether it was free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
