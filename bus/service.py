"""The skeleton of every process: settings, logs, signals, metrics, the loop, an orderly stop.

Invariant: a component is either wholly up (announced by its run file and to systemd) or the process has
ended with one clear line and an exit code: 0 stopped in order, 1 a known failure, 2 wrong settings,
70 a defect of ours. No traceback reaches the terminal raw.
"""

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Protocol

import sdnotify
import zmq
from prometheus_client import CollectorRegistry
from zmq.auth.thread import ThreadAuthenticator

from . import logs, runfile, settings, sockets
from .errors import SettingsError, ZeropitError
from .monitor import Monitor
from .sections import INTERNAL

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_SETTINGS = 2
EXIT_DEFECT = 70

RECURSION_MAX = 5_000
"""MessagePack nests up to 1,024 deep: what a stranger sends must be shown in an error without one of ours."""

STEP_MS = 100
"""Longest time that a component waits in `step`; a stop is noticed by then."""


class Component(Protocol):
    """What a package's ``service.py`` gives to `run`."""

    def step(self, timeout_ms: int) -> None:
        """Wait at most ``timeout_ms`` for something to do, do a bounded amount of it, return."""

    def close(self) -> None:
        """Stop. Always called, also after `step` raised: then ``host.failing`` is true, and what only an
        orderly stop may do (a clean-stop snapshot) must be left out."""

    def health(self) -> dict[str, object]:
        """Return a few facts for ``/health``. Called from another thread: only read, never wait."""


class Host:
    """What a component is given: settings, log, metrics registry, sockets, and whether to stop.

    Attributes
    ----------
    component, instance
        The kind ("gateway") and the name of this one ("gateway-1").
    stopping
        True once a stop was asked for; a long start (recovery) should look at it.
    failing
        True when `Component.close` is called because of an error.
    """

    def __init__(self, component: str, found: settings.Settings) -> None:
        self.component = component
        self.instance: str = getattr(getattr(found, component), "name", component)
        self.settings = found
        self.log = logs.set_up(self.instance, found.logs.level, found.logs.format)
        self.hostile = logs.RateLimited(self.log, found.logs.hostile_per_s_max)
        self.registry = CollectorRegistry()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.endpoints: dict[str, str] = {}
        self.stopping = False
        self.failing = False
        self._authenticator: ThreadAuthenticator | None = None
        curve = found.curve
        self._curve = sockets.CurveKeys(**curve.model_dump()) if curve.allowed_dir else None

    def limits(
        self, *, sndhwm: int | None = None, rcvhwm: int | None = None, message_bytes_max: int = -1
    ) -> sockets.Limits:
        """Return socket bounds: the settings' defaults except where given."""
        venue = self.settings.venue
        return sockets.Limits(
            sndhwm or venue.sndhwm, rcvhwm or venue.rcvhwm, venue.linger_ms, message_bytes_max,
            venue.handshake_ms_max,
        )  # fmt: skip

    def bind(
        self, name: str, kind: str, limits: sockets.Limits | None = None, *, mandatory: bool = False
    ) -> "zmq.Socket[bytes]":
        """Return a socket bound to the endpoint that the setting ``endpoints.<name>`` gives.

        The endpoint really taken (port 0) stands in ``host.endpoints[name]`` and in the run file.
        """
        endpoint: str = getattr(self.settings.endpoints, name)
        curve = self._curve_for(name, endpoint)
        if curve is not None and self._authenticator is None:
            self._authenticator = sockets.authenticator(self.context, curve)
        socket, self.endpoints[name] = sockets.bind(
            self.context, kind, endpoint, limits or self.limits(), mandatory=mandatory, curve=curve
        )
        return socket

    def connect(
        self,
        name: str,
        kind: str,
        limits: sockets.Limits | None = None,
        *,
        topics: Sequence[bytes] = (),
        identity: bytes = b"",
        immediate: bool = False,
        conflate: bool = False,
    ) -> "zmq.Socket[bytes]":
        """Return a socket connected to the endpoint that the setting ``endpoints.<name>`` gives."""
        endpoint: str = getattr(self.settings.endpoints, name)
        return sockets.connect(
            self.context, kind, endpoint, limits or self.limits(), topics=topics, identity=identity,
            immediate=immediate, conflate=conflate, curve=self._curve_for(name, endpoint),
        )  # fmt: skip

    def close(self) -> None:
        """Close every socket that is left; waits at most ``venue.linger_ms``."""
        if self._authenticator is not None:
            self._authenticator.stop()
        self.context.destroy(linger=0 if self.failing else self.settings.venue.linger_ms)

    def _curve_for(self, name: str, endpoint: str) -> sockets.CurveKeys | None:
        """Return the keys when the endpoint is internal and over tcp."""
        return self._curve if name in INTERNAL and endpoint.startswith("tcp://") else None


def run(name: str, make: Callable[[Host], Component], argv: Sequence[str] | None = None) -> int:
    """Run a component until it is told to stop; return the exit code.

    Parameters
    ----------
    name
        ``engine``, ``archive``, ``gateway``, ``recorder`` or ``feed``: the settings section.
    make
        Builds the component: binds its sockets, recovers, joins streams.
    argv
        ``--config FILE`` and ``--set section.key=value``; the process' own when None.
    """
    parser = argparse.ArgumentParser(prog=f"zeropit {name}", description=f"Run the {name} until stopped.")
    parser.add_argument("--config", type=Path, help="settings file (TOML)")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="section.key=value")
    options = parser.parse_args(argv)
    sys.setrecursionlimit(max(RECURSION_MAX, sys.getrecursionlimit()))
    try:
        host = Host(name, settings.load(options.config, options.overrides))
    except SettingsError as error:
        logs.set_up(name).error("wrong settings", error=str(error))
        return EXIT_SETTINGS
    _take_signals(host)
    os.nice(getattr(getattr(host.settings, name), "nice", 0))
    return _guarded(host, lambda: _live(host, make))


def _live(host: Host, make: Callable[[Host], Component]) -> None:
    """Start, loop, stop."""
    found = host.settings
    with runfile.Claim(found.venue.run_dir, host.instance) as claim:
        started: list[Component] = []
        monitor = Monitor(
            found.metrics.host, _metrics_port(host), host.registry, lambda: _health(host, started)
        )
        try:
            announce = _announcer(host, claim, monitor)
            announce("starting")
            started.append(make(host))
            announce("ready")
            _notify("READY=1")
            host.log.info("ready", metrics=f"http://{monitor.host}:{monitor.port}", **host.endpoints)
            _loop(host, started[0])
            host.log.info("stopping")
        except BaseException:
            host.failing = True
            raise
        finally:
            _notify("STOPPING=1")
            try:
                if started:
                    started[0].close()
            finally:
                monitor.close()
                host.close()
    host.log.info("stopped")


def _loop(host: Host, component: Component) -> None:
    """Step until a stop is asked for; tell systemd's watchdog, when there is one, that we still do."""
    watchdog_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 3_000_000
    told_s = 0.0
    while not host.stopping:
        component.step(STEP_MS)
        if watchdog_s:
            now_s = time.monotonic()
            if now_s - told_s >= watchdog_s:
                told_s = now_s
                _notify("WATCHDOG=1")


def _guarded(host: Host, live: Callable[[], None]) -> int:
    """Run ``live`` and turn whatever it raises into one log line and an exit code."""
    try:
        live()
    except SettingsError as error:
        host.log.error("wrong settings", error=str(error))
        return EXIT_SETTINGS
    except ZeropitError as error:
        host.log.error("failed", code=error.code.name, error=error.detail)
        return EXIT_FAILED
    except Exception as error:
        host.log.error("internal error", error=repr(error), traceback=traceback.format_exc())
        return EXIT_DEFECT
    return EXIT_OK


def _take_signals(host: Host) -> None:
    """Turn SIGTERM and SIGINT into a wish to stop; the loop sees it within `STEP_MS`."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        host.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _announcer(host: Host, claim: runfile.Claim, monitor: Monitor) -> Callable[[str], None]:
    """Return a function that writes the run file in a given state."""

    def announce(state: str) -> None:
        claim.write(
            runfile.Running(
                component=host.component, instance=host.instance, pid=os.getpid(), state=state,
                metrics=f"http://{monitor.host}:{monitor.port}", endpoints=dict(host.endpoints),
            )
        )  # fmt: skip

    return announce


def _health(host: Host, started: Sequence[Component]) -> dict[str, object]:
    """Return what ``/health`` says; a component that is still starting has nothing to add."""
    state = "stopping" if host.stopping else ("ready" if started else "starting")
    own = started[0].health() if started else {}
    return {"component": host.component, "instance": host.instance, "state": state, "pid": os.getpid(), **own}


def _metrics_port(host: Host) -> int:
    """Return the port that the settings give to this kind of component."""
    port: int = getattr(host.settings.metrics, f"{host.component}_port")
    return port


def _notify(message: str) -> None:
    """Tell systemd, when it is there."""
    sdnotify.SystemdNotifier().notify(message)
