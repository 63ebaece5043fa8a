"""The skeleton of a process: ready, found, stopped in order; every end has its line and its exit code."""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bus import runfile
from tests.poll import until

STOP_S_MAX = 20.0


class Echoes:
    """Starts echo components in one run folder and ends what is left."""

    def __init__(self, folder: Path) -> None:
        self.run_dir = folder / "run"
        self._all: list[subprocess.Popen[str]] = []

    def spawn(self, behaviour: str = "echoes", *overrides: str, **environment: str) -> subprocess.Popen[str]:
        """Start one."""
        words = [sys.executable, "-m", "tests.bus.echo", behaviour]
        fixed = [
            f"venue.run_dir={self.run_dir}",
            "metrics.feed_port=0",
            "endpoints.feed_query=tcp://127.0.0.1:0",
        ]
        for override in [*fixed, "logs.format=json", *overrides]:
            words += ["--set", override]
        process = subprocess.Popen(
            words,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self._all.append(process)
        return process

    def ready(self) -> runfile.Running:
        """Return the component once it is ready."""

        def found() -> runfile.Running | None:
            running = runfile.read(self.run_dir, "feed")
            return running if running is not None and running.state == "ready" else None

        running = until(found)
        assert running is not None
        return running

    def kill_all(self) -> None:
        """Leave nothing behind."""
        for process in self._all:
            process.kill()
            process.communicate()


@pytest.fixture
def echoes(short_dir: Path) -> Iterator[Echoes]:
    made = Echoes(short_dir)
    yield made
    made.kill_all()


def ended(process: subprocess.Popen[str]) -> tuple[int, list[dict[str, object]]]:
    """Return the exit code and the log lines; everything on the terminal must be a log line."""
    out, err = process.communicate(timeout=STOP_S_MAX)
    assert out == ""
    return process.returncode, [json.loads(line) for line in err.splitlines()]


def get(url: str) -> str:
    """Return what a component's HTTP port says."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


def send(running: runfile.Running, text: bytes) -> bytes:
    """Send to the component; return the echo, or b"" when it ended instead."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.setsockopt(zmq.LINGER, 0)
        client.connect(running.endpoints["feed_query"])
        client.send(text)
        return client.recv() if client.poll(2_000) else b""


def test_runs_is_found_and_stops_in_order(echoes: Echoes) -> None:
    process = echoes.spawn()
    running = echoes.ready()
    assert (running.component, running.pid) == ("feed", process.pid)
    assert send(running, b"hello") == b"hello"
    health = json.loads(get(f"{running.metrics}/health"))
    assert (health["state"], health["pid"], health["component"]) == ("ready", process.pid, "feed")
    assert health["steps"] >= 1
    asked = urllib.request.Request(f"{running.metrics}/health", method="HEAD")
    with urllib.request.urlopen(asked, timeout=10) as head:
        assert head.headers["Content-Type"] == "application/json"
        assert int(head.headers["Content-Length"]) > 10 and head.read() == b""
    assert "zeropit_feed_steps_total" in get(f"{running.metrics}/metrics")
    process.terminate()
    code, lines = ended(process)
    assert code == 0
    assert [line["event"] for line in lines] == ["ready", "stopping", "closed", "stopped"]
    assert lines[2]["failing"] is False
    assert runfile.read(echoes.run_dir, "feed") is None
    assert not (echoes.run_dir / "feed.json").exists()


def test_known_failure_is_one_line_and_exit_1(echoes: Echoes) -> None:
    process = echoes.spawn()
    send(echoes.ready(), b"known")
    code, lines = ended(process)
    assert code == 1
    assert [line["event"] for line in lines] == ["ready", "closed", "failed"]
    assert lines[1]["failing"] is True
    assert lines[2]["code"] == "JOURNAL_WRITE_FAILED"


def test_defect_is_one_line_and_exit_70(echoes: Echoes) -> None:
    process = echoes.spawn()
    send(echoes.ready(), b"defect")
    code, lines = ended(process)
    assert code == 70
    assert lines[-1]["event"] == "internal error"
    assert "boom" in str(lines[-1]["traceback"])


def test_refused_start_is_exit_1(echoes: Echoes) -> None:
    code, lines = ended(echoes.spawn("refuses"))
    assert (code, lines[-1]["code"]) == (1, "JOURNAL_DAMAGED")


def test_wrong_settings_are_exit_2(echoes: Echoes) -> None:
    process = echoes.spawn("echoes", "feed.flush_ms=never")
    _, err = process.communicate(timeout=STOP_S_MAX)
    assert process.returncode == 2
    assert len(err.splitlines()) == 1
    assert "feed.flush_ms: expected a valid integer" in err


def test_an_instance_runs_once(echoes: Echoes) -> None:
    first = echoes.spawn()
    running = echoes.ready()
    code, lines = ended(echoes.spawn())
    assert (code, lines[-1]["code"]) == (1, "ADDRESS_IN_USE")
    assert runfile.read(echoes.run_dir, "feed") == running
    first.kill()
    first.wait()
    assert runfile.read(echoes.run_dir, "feed") is None, "a killed process still passes for running"
    echoes.spawn()
    assert echoes.ready().pid != running.pid


def test_taken_port_is_a_typed_error(echoes: Echoes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for override in (f"metrics.feed_port={port}", f"endpoints.feed_query=tcp://127.0.0.1:{port}"):
            code, lines = ended(echoes.spawn("echoes", override))
            assert (code, lines[-1]["code"]) == (1, "ADDRESS_IN_USE")


def test_systemd_is_told(echoes: Echoes, short_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(STOP_S_MAX)
        listener.bind(str(short_dir / "notify"))
        process = echoes.spawn(NOTIFY_SOCKET=str(short_dir / "notify"), WATCHDOG_USEC="300000")
        assert listener.recv(100) == b"READY=1"
        assert listener.recv(100) == b"WATCHDOG=1"
        process.terminate()
        while (told := listener.recv(100)) == b"WATCHDOG=1":
            pass
        assert told == b"STOPPING=1"
        assert ended(process)[0] == 0


def test_strangers_on_the_metrics_port_change_nothing(echoes: Echoes) -> None:
    echoes.spawn()
    running = echoes.ready()
    host, _, port = running.metrics.removeprefix("http://").partition(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(40)]
    try:
        assert send(running, b"still here") == b"still here"
    finally:
        for connection in silent:
            connection.close()
    for garbage in (
        b"\x00" * 100,
        b"GET /metrics\r\n\r\n" + b"x" * 100_000,
        b"POST /health HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=10) as stranger:
            stranger.sendall(garbage)

    def answers() -> bool:
        try:
            return bool(json.loads(get(f"{running.metrics}/health"))["steps"])
        except OSError:
            return False

    assert until(answers)
    with pytest.raises(urllib.error.HTTPError, match="expected /metrics or /health") as caught:
        get(f"{running.metrics}/other")
    with caught.value as error:
        assert json.load(error) == {"error": "expected /metrics or /health", "number": 404}
