"""What a bench says: the machine, tables for people, and one JSON line for machines.

Invariant: the last line of standard output is one JSON object with every figure shown, and it names the
load of the machine, without which a figure means little.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

import engine.exchange
from bus.errors import SettingsError

MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs", "devtmpfs"})
ROOT = Path(__file__).resolve().parents[2]


def console() -> Console:
    """Return where tables go; wide enough not to fold figures when it is no terminal."""
    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 120)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; the first column is text, the others figures."""
    drawn = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        drawn.add_column(column, justify="right" if number else "left")
    for row in rows:
        drawn.add_row(*(shown(cell) for cell in row))
    console().print(drawn)


def shown(value: object) -> str:
    """Return a figure with the digits that mean something."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    return {
        "python": platform.python_version(),
        "core": "compiled" if engine.exchange.__file__.endswith(".so") else "python",
        "cores": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 2),
    }


def commit() -> str:
    """Return the commit that was measured ("" outside a repository)."""
    words = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def finish(bench: str, figures: dict[str, object]) -> None:
    """Print the JSON line."""
    print(json.dumps({"bench": bench, "commit": commit(), **machine(), **figures}), flush=True)


def own_pid() -> int:
    """Return this process' id."""
    return os.getpid()


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used, all its threads together."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text("utf-8").split()[0]) for task in tasks) / 1e9


def median(values: Iterable[float]) -> float:
    """Return the median, rounded to what a noisy machine can tell."""
    return round(statistics.median(values), 4)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p99, p99.9 and max of a sample."""
    ordered = sorted(values)
    last = len(ordered) - 1
    named = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}
    return {name: round(ordered[min(last, int(share * len(ordered)))], 4) for name, share in named.items()}


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds a folder.

    Raises
    ------
    SettingsError
        It is kept in memory: a sync would cost nothing, and the figures would be of no durable journal.
    """
    device = os.stat(folder).st_dev
    wanted, found = f"{os.major(device)}:{os.minor(device)}", "unknown"
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        fields = line.split()
        if fields[2] == wanted:
            found = fields[fields.index("-") + 1]
    if found in MEMORY_FILE_SYSTEMS:
        raise SettingsError(f"expected a folder on a disk, was {folder} on {found} (use --dir)")
    return found
