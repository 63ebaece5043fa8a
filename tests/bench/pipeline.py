"""`scripts/bench pipeline`: orders/s and latency of the whole venue, beside the floor, in one run.

Invariant: every order is answered with the outcome that it must have, and the journal on the disk holds
every command and every event; otherwise there are no figures. Floor and venue take turns, short round by
short round, with the same orders from the same driver, so that a noisy machine treats them alike; figures
are medians.

Twice: engine and gateway alone, then with archive, recorder and feed running too. CPU time an order is shown
beside the rates: it hardly depends on what else the machine does.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bus.errors import SettingsError

from . import driver, report
from .floor import Floor
from .flow import SHARES, Flow, Step
from .venue import ALL, ALONE, Venue

FLOOR_TIMES = 4
"""The floor is given so many times the orders: on a shared machine a short burst is let through, so rounds
of about the same length are what can be compared."""


class Sizes(NamedTuple):
    """How much is measured."""

    orders: int
    rounds: int
    rate: int
    timed: int
    resting: int
    warm: int

    @property
    def steps(self) -> int:
        """Steps of the mix that a venue is given."""
        return self.warm + self.rounds * (self.orders + self.timed)


class Side:
    """What was measured of the floor or of the venue."""

    def __init__(self, pids: dict[str, int], door: driver.Door) -> None:
        self.rates: list[float] = []
        self.late: list[dict[str, float]] = []
        self.cpu_us: dict[str, list[float]] = {name: [] for name in ("client", "gateway", "engine")}
        self.door = door
        self._pids = pids | {"client": report.own_pid()}

    def throughput(self, first: int, count: int) -> None:
        """Measure one round as fast as it goes."""
        with driver.quiet():
            before = {name: report.cpu_s(self._pids[name]) for name in self.cpu_us}
            self.rates.append(driver.throughput(self.door, first, count))
            after = {name: report.cpu_s(self._pids[name]) for name in self.cpu_us}
        for name, taken in self.cpu_us.items():
            taken.append((after[name] - before[name]) * 1e6 / count)

    def at_rate(self, first: int, count: int, per_s: int) -> None:
        """Measure one round at a fixed rate."""
        with driver.quiet():
            self.late.append(driver.at_rate(self.door, first, count, per_s))

    def figures(self) -> dict[str, float]:
        """Return the medians."""
        found: dict[str, float] = {"orders_per_s": round(report.median(self.rates))}
        for name in self.late[0] if self.late else ():
            found[f"{name}_ms"] = report.median(one[name] for one in self.late)
        for name, taken in self.cpu_us.items():
            found[f"{name}_cpu_us"] = report.median(taken)
        return found


class Phase(NamedTuple):
    """One configuration beside the floor: figures of both, and what was checked."""

    floor: dict[str, float]
    venue: dict[str, float]
    checked: dict[str, int]
    settle_s: float


def run_phase(
    disk: Path, components: Sequence[str], filled: Sequence[Step], steps: Sequence[Step], sizes: Sizes
) -> Phase:
    """Measure one configuration of the venue and the floor, turn by turn."""
    given = [*filled, *steps]
    at = len(filled) + sizes.warm
    settle_s: list[float] = []
    with Floor(disk, steps) as floor, Venue(disk, components, given) as venue:
        floor_side = Side(floor.pids, floor.door)
        venue_side = Side(venue.pids, venue.door)
        driver.throughput(venue.door, 0, at)
        venue.door.check(0, at)
        for _ in range(sizes.rounds):
            venue.settle()
            floor_side.throughput(0, FLOOR_TIMES * sizes.orders)
            venue_side.throughput(at, sizes.orders)
            venue.door.check(at, sizes.orders)
            at += sizes.orders
            settle_s.append(venue.settle())
            floor_side.at_rate(0, sizes.timed, sizes.rate)
            venue_side.at_rate(at, sizes.timed, sizes.rate)
            venue.door.check(at, sizes.timed)
            at += sizes.timed
        venue.settle()
        checked = venue.check_journal(given[:at])
    return Phase(floor_side.figures(), venue_side.figures(), checked, report.median(settle_s))


def compared(name: str, phase: Phase) -> dict[str, float]:
    """Print one configuration beside the floor; return the ratios."""
    report.table(
        name,
        ["figure", "floor", "venue", "venue / floor"],
        [
            (key, phase.floor[key], value, value / phase.floor[key] if phase.floor[key] else 0.0)
            for key, value in phase.venue.items()
        ],
    )
    ratios = {"": phase.venue["orders_per_s"] / phase.floor["orders_per_s"]}
    for key in ("p50_ms", "p99_ms"):
        ratios[f"_{key.removesuffix('_ms')}"] = phase.venue[key] / max(phase.floor[key], 1e-9)
    return {key: round(value, 3) for key, value in ratios.items()}


def measure(disk: Path, sizes: Sizes, with_all: bool = True) -> dict[str, object]:
    """Return every figure."""
    kind = report.file_system(disk)
    flow = Flow()
    filled, steps = flow.fill(sizes.resting), flow.steps(sizes.steps)
    result: dict[str, object] = {}
    phases: list[tuple[str, str, Sequence[str]]] = [("", "engine and gateway alone", ALONE)]
    if with_all:
        phases.append(("_all", "with archive, recorder and feed", ALL))
    for suffix, name, components in phases:
        with tempfile.TemporaryDirectory(dir=disk, prefix="bench-") as folder:
            phase = run_phase(Path(folder), components, filled, steps, sizes)
        for key, ratio in compared(name, phase).items():
            result[f"ratio{key}{suffix}"] = ratio
        result |= {f"floor_{key}{suffix}": value for key, value in phase.floor.items()}
        result |= {f"{key}{suffix}": value for key, value in phase.venue.items()}
        result |= {f"journal_{key}{suffix}": value for key, value in phase.checked.items()}
        if suffix:
            result["catch_up_s_all"] = phase.settle_s
    return result | {
        "fs": kind, "sync": "always", "mix": SHARES, "in_flight": driver.IN_FLIGHT_MAX, "batch": 128,
        "rate_per_s": sizes.rate, "orders_per_round": sizes.orders, "rounds": sizes.rounds,
        "resting": sizes.resting,
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench pipeline", description=__doc__)
    parser.add_argument("--orders", type=int, default=60_000, help="orders of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=5_000, help="orders a second for the latencies")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long at that rate, a round")
    parser.add_argument("--resting", type=int, default=10_000, help="orders in the book")
    parser.add_argument("--warm", type=int, default=20_000, help="orders before the first round")
    parser.add_argument("--dir", type=Path, default=Path("var"), help="folder on the disk to measure")
    parser.add_argument("--alone", action="store_true", help="engine and gateway alone, nothing else")
    found = parser.parse_args(argv)
    found.dir.mkdir(parents=True, exist_ok=True)
    sizes = Sizes(
        found.orders, found.rounds, found.rate, int(found.rate * found.seconds), found.resting, found.warm
    )
    try:
        result = measure(found.dir, sizes, not found.alone)
    except SettingsError as error:
        print(f"{error.code.name}: {error.detail}", file=sys.stderr)
        return 2
    report.finish("pipeline", result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
