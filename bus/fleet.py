"""All components as child processes of one terminal, and what runs at the moment.

Invariant: `up` never leaves a child behind: when one ends or a stop is asked for, all get SIGTERM and,
after ``venue.stop_s_max``, SIGKILL.
"""

import json
import shlex
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click
import honcho.manager
from rich.console import Console
from rich.table import Table

from . import runfile
from .settings import Settings, load

MODULES = {
    "engine": "engine",
    "archive": "engine.archive",
    "gateway": "gateway",
    "recorder": "recorder",
    "feed": "feed",
}
"""Components in the order in which they are started."""

TABLE_S_MAX = 120.0
HEALTH_S_MAX = 2.0

_config = click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML).")
_set = click.option(
    "--set", "overrides", multiple=True, metavar="section.key=value", help="Override a setting."
)


class Fleet(honcho.manager.Manager):  # type: ignore[misc]
    """honcho's manager, safe against a stop that comes while children are still being started.

    Only the loop learns the children's ids, so such a stop waits until it knows them all; the loop asks
    `_all_started` in every turn.

    Parameters
    ----------
    announce
        Called in a thread with the children's ids once all are started, and not before: honcho forks, and a
        child must not inherit the lock of a run file that this thread is just trying.
    """

    _stop_wanted = False

    def __init__(self, announce: Callable[[set[int]], None]) -> None:
        super().__init__()
        self._announce: Callable[[set[int]], None] | None = announce

    def terminate(self) -> None:
        """Stop all children, as soon as all of them can be."""
        if super()._all_started():
            super().terminate()
        else:
            self._stop_wanted = True

    def _all_started(self) -> bool:
        started: bool = super()._all_started()
        if started and self._announce is not None:
            pids = {child["pid"] for child in self._processes.values()}
            threading.Thread(target=self._announce, args=(pids,), daemon=True).start()
            self._announce = None
        if started and self._stop_wanted:
            self._stop_wanted = False
            super().terminate()
        return started


@click.command()
@_config
@_set
@click.option("--only", multiple=True, type=click.Choice(list(MODULES)), help="Start these components alone.")
def up(config: Path | None, overrides: tuple[str, ...], only: tuple[str, ...]) -> None:
    """Start every component in this terminal; Ctrl-C stops them in order."""
    settings = load(config, overrides)
    components = [name for name in MODULES if not only or name in only]
    # honcho has this as a constant of its module; a stop that ends in kill -9 needs our own bound.
    honcho.manager.KILL_WAIT = settings.venue.stop_s_max
    instances = [_instance(settings, component) for component in components]
    fleet = Fleet(partial(_announce, settings, instances))
    for component in components:
        fleet.add_process(component, _command_line(component, config, overrides))
    fleet.loop()
    sys.exit(_exit_code(fleet.returncode))


@click.command()
@_config
@_set
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line instead of a table.")
def status(config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show what runs, how far it is and where it listens; exit 1 when nothing runs, or one is silent or
    gone."""
    settings = load(config, overrides)
    run_dir = settings.venue.run_dir
    found = [(running, health(running)) for running in runfile.read_all(run_dir)]
    found += [(left, _facts(left, "gone")) for left in runfile.read_gone(run_dir)]
    if as_json:
        for running, facts in found:
            click.echo(json.dumps({**facts, "metrics": running.metrics, "endpoints": running.endpoints}))
    elif found:
        _console().print(_status_table(found))
    if not found:
        click.echo(f"nothing runs in {run_dir}", err=True)
    if not found or any(facts.get("state") in ("silent", "gone") for _, facts in found):
        sys.exit(1)


def health(running: runfile.Running) -> dict[str, object]:
    """Return what a component's ``/health`` says; its state is ``silent`` when it does not answer."""
    try:
        with urllib.request.urlopen(f"{running.metrics}/health", timeout=HEALTH_S_MAX) as answer:
            facts = json.load(answer)
    except (OSError, urllib.error.URLError, ValueError):
        facts = _facts(running, "silent")
    return facts if isinstance(facts, dict) else {}


def _facts(running: runfile.Running, state: str) -> dict[str, object]:
    """Return what is said of a component that says nothing itself."""
    return {"component": running.component, "instance": running.instance, "state": state}


def _command_line(component: str, config: Path | None, overrides: Sequence[str]) -> str:
    """Return the shell command of a child (exec: the signal must reach Python, not a shell)."""
    words = [sys.executable, "-m", MODULES[component]]
    if config is not None:
        words += ["--config", str(config)]
    for override in overrides:
        words += ["--set", override]
    return "exec " + shlex.join(words)


def _instance(settings: Settings, component: str) -> str:
    """Return the name under which a component of these settings runs."""
    name: str = getattr(getattr(settings, component), "name", component)
    return name


def _announce(settings: Settings, instances: Sequence[str], pids: set[int]) -> None:
    """Print the table of endpoints once every one of our children is ready (a thread of `up`)."""
    deadline_s = time.monotonic() + TABLE_S_MAX
    while time.monotonic() < deadline_s:
        found = [runfile.read(settings.venue.run_dir, instance) for instance in instances]
        own = [running for running in found if running is not None and running.pid in pids]
        ready = [running for running in own if running.state == "ready"]
        if len(ready) == len(instances):
            _console().print(_endpoint_table(ready))
            return
        time.sleep(0.1)


def _endpoint_table(found: Sequence[runfile.Running]) -> Table:
    """Return who listens where."""
    table = Table(title="Zeropit is up", title_justify="left")
    for column in ("component", "socket", "endpoint"):
        table.add_column(column, overflow="fold")
    for running in found:
        for name, endpoint in running.endpoints.items():
            table.add_row(running.instance, name, endpoint)
        table.add_row(running.instance, "metrics, health", running.metrics)
    return table


def _status_table(found: Sequence[tuple[runfile.Running, dict[str, object]]]) -> Table:
    """Return what runs; facts beyond the common ones are shown as they are."""
    table = Table()
    for column in ("instance", "state", "pid", "facts", "metrics"):
        table.add_column(column, overflow="fold")
    common = {"component", "instance", "state", "pid"}
    for running, facts in found:
        own = " ".join(f"{key}={value}" for key, value in facts.items() if key not in common)
        table.add_row(running.instance, str(facts.get("state", "")), str(running.pid), own, running.metrics)
    return table


def _console() -> Console:
    """Return a console that takes text as it is (an IPv6 address is no markup)."""
    return Console(markup=False, highlight=False)


def _exit_code(code: int | None) -> int:
    """Return 0 for a stop that was asked for (130 Ctrl-C, 143 SIGTERM), else the first child's code."""
    if code in (None, 0, 130, 143):
        return 0
    return code if code > 0 else 1
