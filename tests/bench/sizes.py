"""`scripts/bench sizes`: what a command costs among few and many orders, markets and accounts.

Invariant: sizes of a dimension are measured turn by turn in one process, and beside each, in the same round,
bare dictionaries of that size: memory that has left the cache is slow for everybody. What grows beyond that
is ours. What is executed is checked.

`flat`: a command's cost, less that of the touches of memory that it cannot do without
(`tests.bench.core_touches`), grows at most twofold from the smallest to the largest size. Raw figures are
there as well. `elsewhere`: what operations on a small market or account cost with few and many orders in
another market.
"""

import argparse
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

from . import report
from .core_crowd import CHUNK, Crowd, Shape
from .core_elsewhere import OPERATIONS, Elsewhere
from .core_touches import TOUCHES, BareTable

GROWTH_MAX = 2.0
WARM_COMMANDS = 80_000
_RESTING = 10_000
_ACCOUNTS = 50


def shapes(dimension: str, largest: int) -> list[tuple[int, Shape]]:
    """Return the sizes of a dimension, and the exchange of each."""
    if dimension == "orders":
        return [(size, Shape(size, 1, _ACCOUNTS)) for size in (10, min(1_000, largest), largest)]
    if dimension == "markets":
        return [(size, Shape(_RESTING, size, _ACCOUNTS)) for size in (1, largest)]
    return [(size, Shape(_RESTING, 1, size)) for size in (10, largest)]


def measure(dimension: str, largest: int, rounds: int, commands: int) -> dict[str, object]:
    """Return the figures of one dimension in this process."""
    gc.disable()
    sizes: list[int] = []
    crowds: list[Crowd] = []
    fill_s: list[float] = []
    for size, shape in shapes(dimension, largest):
        began = time.perf_counter()
        sizes.append(size)
        crowds.append(Crowd(shape))
        fill_s.append(round(time.perf_counter() - began, 1))
    tables = [BareTable(size) for size in sizes]
    gc.freeze()
    for crowd in crowds:
        _run(crowd, WARM_COMMANDS if rounds > 1 else CHUNK)
    found: list[list[tuple[float, float, float, float]]] = [[] for _ in sizes]
    for _ in range(rounds):
        for crowd, table, rows in zip(crowds, tables, found, strict=True):
            command_ns = _run(crowd, commands)
            cost = table.cost(commands)
            rows.append((command_ns, *cost, cost.of(TOUCHES[dimension])))
    for crowd in crowds:
        crowd.check()
    return {
        "sizes": {
            str(size): figures(rows, found[0]) | {"fill_s": taken_s}
            for size, rows, taken_s in zip(sizes, found, fill_s, strict=True)
        },
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _run(crowd: Crowd, commands: int) -> float:
    """Execute commands of the mix; return the nanoseconds of each."""
    taken_ns = 0
    for _ in range(commands // CHUNK):
        crowd.run(crowd.turns(CHUNK))
        taken_ns += crowd.cpu_ns
    return taken_ns / commands


def figures(
    rows: Sequence[tuple[float, float, float, float]], base: Sequence[tuple[float, float, float, float]]
) -> dict[str, float]:
    """Return the medians of a size's rounds, and how much it grows from the smallest, round by round."""
    return {
        "command_ns": report.median(row[0] for row in rows),
        "lookup_ns": report.median(row[1] for row in rows),
        "read_ns": report.median(row[2] for row in rows),
        "touches_ns": report.median(row[3] for row in rows),
        "rest_ns": report.median(row[0] - row[3] for row in rows),
        "growth_raw": report.median(row[0] / first[0] for row, first in zip(rows, base, strict=True)),
        "growth": report.median(
            (row[0] - row[3]) / (first[0] - first[3]) for row, first in zip(rows, base, strict=True)
        ),
    }


def measure_elsewhere(largest: int, rounds: int) -> dict[str, object]:
    """Return the median microseconds of each operation with few and many orders elsewhere."""
    gc.disable()
    worlds = {size: Elsewhere(size) for size in (10, largest)}
    gc.freeze()
    found: dict[str, dict[int, list[float]]] = {name: {size: [] for size in worlds} for name in OPERATIONS}
    for _ in range(rounds):
        for size, world in worlds.items():
            for name, operation in OPERATIONS.items():
                found[name][size].append(operation(world) / 1e3)
    for world in worlds.values():
        world.crowd.check()
    result: dict[str, object] = {}
    for name, taken in found.items():
        few, many = (report.median(taken[size]) for size in worlds)
        result[name] = {"few_us": few, "many_us": many, "growth": round(many / few, 2)}
    return {"operations": result, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def in_own_process(
    part: str, largest: int, rounds: int, commands: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures of a part, measured in a fresh process."""
    words = [sys.executable, "-m", "tests.bench.sizes", "--part", part, "--rounds", str(rounds)]
    words += ["--orders", str(largest), "--commands", str(commands)]
    output = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, cwd=report.ROOT).stdout
    found: dict[str, dict[str, dict[str, float]]] = json.loads(output)
    return found


def show(dimensions: dict[str, dict[str, dict[str, dict[str, float]]]]) -> None:
    """Print the tables of all dimensions."""
    for dimension, found in dimensions.items():
        sizes = found["sizes"]
        rows = [[name, *(of[name] for of in sizes.values())] for name in next(iter(sizes.values()))]
        touches = TOUCHES[dimension]
        title = f"{dimension} ({touches.lookups:.2f} look-ups, {touches.reads:.2f} reads)"
        report.table(title, ["figure", *sizes], rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench sizes", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000, help="most resting orders")
    parser.add_argument("--markets", type=int, default=1_000, help="most markets")
    parser.add_argument("--accounts", type=int, default=100_000, help="most accounts")
    parser.add_argument("--commands", type=int, default=10_000, help="of a round and size")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--part", choices=(*TOUCHES, "elsewhere"), help=argparse.SUPPRESS)
    words = parser.parse_args(argv)
    if words.part == "elsewhere":
        print(json.dumps(measure_elsewhere(words.orders, words.rounds)))
        return 0
    if words.part:
        print(json.dumps(measure(words.part, words.orders, words.rounds, words.commands)))
        return 0
    largest = {"orders": words.orders, "markets": words.markets, "accounts": words.accounts}
    dimensions = {name: in_own_process(name, largest[name], words.rounds, words.commands) for name in TOUCHES}
    show(dimensions)
    elsewhere = in_own_process("elsewhere", words.orders, 3 * words.rounds, words.commands)
    operations = elsewhere["operations"]
    report.table(
        "operations with few and many orders in another market", ["operation", "µs few", "µs many", "growth"],
        [[name, *of.values()] for name, of in operations.items()],
    )  # fmt: skip
    growth = {name: max(of["growth"] for of in found["sizes"].values()) for name, found in dimensions.items()}
    growth["elsewhere"] = max(of["growth"] for of in operations.values())
    flat = all(one <= GROWTH_MAX for one in growth.values())
    result = {"growth": growth, "growth_max": GROWTH_MAX, "flat": flat, "elsewhere": elsewhere}
    touches = {name: of._asdict() for name, of in TOUCHES.items()}
    report.finish("sizes", {**result, "dimensions": dimensions, "touches": touches})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
