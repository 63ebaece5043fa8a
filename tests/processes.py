"""The venue's real processes in a folder of their own, for tests that start, stop and kill them."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bus import runfile
from bus.fleet import MODULES
from bus.settings import Settings, load
from tests.poll import until

START_S_MAX = 60.0
STOP_S_MAX = 30.0


class Processes:
    """Components as child processes; leaving the context kills what still runs.

    All sockets are ipc in the folder (so a restarted component is found at the same place), metrics take
    free ports.

    Parameters
    ----------
    folder
        A short, private folder (fixture ``short_dir``).
    overrides
        Further ``section.key=value`` settings of all components.
    """

    detached = False
    """Whether a Ctrl-C in the terminal spares the components."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        self.folder = folder
        self.overrides = [
            f"venue.data_dir={folder}",
            f"venue.run_dir={folder}/run",
            *(
                f"endpoints.{name}=ipc://{{run_dir}}/{name}"
                for name in ("gateway", "feed_stream", "feed_query")
            ),
            *(f"metrics.{component}_port=0" for component in MODULES),
            "journal.segment_bytes=4194304",
            *overrides,
        ]
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()

    def settings(self, *overrides: str) -> Settings:
        """Return the settings that the components have."""
        return load(overrides=[*self.overrides, *overrides])

    def spawn(self, component: str, *overrides: str, name: str = "") -> subprocess.Popen[bytes]:
        """Start a component and do not wait; ``name`` tells several of one kind apart."""
        assignments = [*self.overrides, *overrides]
        words = [sys.executable, "-m", MODULES[component]]
        words += [word for assignment in assignments for word in ("--set", assignment)]
        with self.log_file(name or component).open("ab") as log:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=self.detached
            )
        self._running[name or component] = process
        return process

    def start(self, component: str, *overrides: str, name: str = "") -> runfile.Running:
        """Start a component and return once it is ready.

        Raises
        ------
        RuntimeError
            When it ended instead; shows its log.
        """
        process = self.spawn(component, *overrides, name=name)

        def ready() -> runfile.Running | None:
            if process.poll() is not None:
                log = self.log(name or component)
                raise RuntimeError(f"expected {component} to start, was exit {process.returncode}:\n{log}")
            return self.is_ready(component, *overrides, name=name)

        running = until(ready, START_S_MAX, f"{name or component} ready")
        assert running is not None
        return running

    def is_ready(self, component: str, *overrides: str, name: str = "") -> runfile.Running | None:
        """Return what a component that was spawned says of itself, once it is ready."""
        settings = self.settings(*overrides)
        instance: str = getattr(getattr(settings, component), "name", component)
        running = runfile.read(settings.venue.run_dir, instance)
        mine = running is not None and running.pid == self._running[name or component].pid
        return running if mine and running is not None and running.state == "ready" else None

    def start_all(self, components: Sequence[str] = tuple(MODULES)) -> None:
        """Start components one after the other."""
        for component in components:
            self.start(component)

    def start_info(self, component: str) -> runfile.Running:
        """Return what a running component says of itself."""
        settings = self.settings()
        running = runfile.read(
            settings.venue.run_dir, getattr(getattr(settings, component), "name", component)
        )
        assert running is not None, f"expected {component} to run"
        return running

    def wait(self, name: str) -> int:
        """Wait until a component ends by itself; return the exit code."""
        return self._running.pop(name).wait(STOP_S_MAX)

    def stop(self, name: str) -> int:
        """Stop in order (SIGTERM); return the exit code."""
        process = self._running.pop(name)
        process.terminate()
        return process.wait(STOP_S_MAX)

    def kill(self, name: str) -> None:
        """kill -9."""
        process = self._running.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(STOP_S_MAX)

    def ended(self) -> dict[str, int]:
        """Return the exit codes of components that ended by themselves."""
        codes = {name: process.poll() for name, process in self._running.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def pids(self) -> dict[str, int]:
        """Return the process ids by component."""
        return {name: process.pid for name, process in self._running.items()}

    def release(self) -> None:
        """Let the components live on when the context is left."""
        self._running.clear()

    def log_file(self, name: str) -> Path:
        """Return where a component's output goes (appended over restarts)."""
        return self.folder / f"{name}.log"

    def log(self, name: str) -> str:
        """Return a component's output so far."""
        return self.log_file(name).read_text("utf-8", "replace")
