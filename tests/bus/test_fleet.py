"""``zeropit up`` and ``zeropit status`` with the real components."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus import runfile
from bus.fleet import MODULES
from tests.poll import until
from tests.processes import Processes

STOP_S_MAX = 60.0


class Up:
    """``zeropit up`` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.venue = Processes(folder)
        self.flags = [word for override in self.venue.overrides for word in ("--set", override)]
        self.out = folder / "up.log"
        self.status_code = -1
        with self.out.open("wb") as out:
            words = [sys.executable, "-m", "zeropit", "up", *self.flags]
            self.process = subprocess.Popen(words, stdout=out, stderr=out, start_new_session=True)

    def running(self) -> list[runfile.Running]:
        """Return the components that are ready."""
        assert self.process.poll() is None, self.out.read_text()
        return [r for r in runfile.read_all(self.venue.settings().venue.run_dir) if r.state == "ready"]

    def status(self) -> list[dict[str, object]]:
        """Return what ``zeropit status --json`` says."""
        words = [sys.executable, "-m", "zeropit", "status", "--json", *self.flags]
        done = subprocess.run(words, capture_output=True, text=True, timeout=STOP_S_MAX)
        self.status_code = done.returncode
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def up(short_dir: Path) -> Iterator[Up]:
    started = Up(short_dir)
    yield started
    for running in runfile.read_all(started.venue.settings().venue.run_dir):
        os.kill(running.pid, signal.SIGKILL)
    started.process.kill()
    started.process.wait()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_all_components_start_are_shown_and_stop_in_order(up: Up, stop: signal.Signals) -> None:
    until(lambda: len(up.running()) == len(MODULES), 120, "every component ready")
    until(lambda: "Zeropit is up" in up.out.read_text(), what="the table of endpoints")
    shown = up.status()
    assert {line["component"] for line in shown} == set(MODULES)
    assert {line["state"] for line in shown} == {"ready"}
    up.process.send_signal(stop)
    assert up.process.wait(STOP_S_MAX) == 0
    text = up.out.read_text()
    assert "Traceback" not in text
    assert "SIGKILL" not in text
    for name in MODULES:
        assert f"{name} stopped (rc=0)" in text
    assert up.status() == []


def test_one_that_ends_stops_all(up: Up) -> None:
    until(lambda: len(up.running()) == len(MODULES), 120, "every component ready")
    victim = next(running for running in up.running() if running.component == "feed")
    os.kill(victim.pid, signal.SIGKILL)
    assert up.process.wait(STOP_S_MAX) != 0
    assert [(line["component"], line["state"]) for line in up.status()] == [("feed", "gone")]
    assert up.status_code == 1


def test_a_stop_while_starting_leaves_nothing_behind(up: Up) -> None:
    until(lambda: "started (pid=" in up.out.read_text(), what="the first child")
    up.process.terminate()
    assert up.process.wait(STOP_S_MAX) == 0
    assert "Traceback" not in up.out.read_text()
    assert up.status() == []


def test_a_second_one_is_refused_and_does_not_say_that_it_is_up(up: Up, tmp_path: Path) -> None:
    until(lambda: len(up.running()) == len(MODULES), 120, "every component ready")
    words = [sys.executable, "-m", "zeropit", "up", *up.flags]
    second = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=STOP_S_MAX)
    assert second.returncode == 1
    assert "ADDRESS_IN_USE" in second.stdout
    assert "Zeropit is up" not in second.stdout
    assert len(up.running()) == len(MODULES)


def test_consumers_give_way_to_engine_and_gateway(up: Up) -> None:
    until(lambda: len(up.running()) == len(MODULES), 120, "every component ready")
    nice = {one.component: os.getpriority(os.PRIO_PROCESS, one.pid) for one in up.running()}
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert nice["engine"] == nice["gateway"] == own
    assert min(nice["feed"], nice["recorder"], nice["archive"]) > own
