"""`scripts/bench core`: the pure exchange alone, on the steady flow of all benches, for each market model.

Invariant: what is timed is checked: every command's outcome is the one that another exchange gave it, the
book is as large at the end as at the beginning (a tenth more or less), and the exchange's own check passes.

What is timed is `Exchange.execute_array`, which the engine runs; `typed_commands_per_s` is the typed
`Exchange.execute`, which makes records of what goes in and comes out. Commands come decoded from wire bytes,
as the engine gets them, so that no two share a string. Time goes on at a simulated pace, so ids are forgotten
at the rate at which they come, and what is due by time is done as the engine does it. The collector is frozen
and off, as in the engine's process. Beside it runs a fixed piece of plain
Python, so that figures from machines of different speed and load can be compared: `steps_per_command` is one
command in units of that work.
"""

import argparse
import cProfile
import gc
import pstats
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from bus.codec import check_command, decode_command, encode_command, encode_events, pack, unpack
from bus.commands import Continue
from bus.events import EVENT_NUMBERS, CommandRejected
from engine.exchange import Exchange
from engine.state import Array

from . import report
from .core_flows import GROUNDS
from .flow import SHARES, Flow, Step

_REJECTED = EVENT_NUMBERS[CommandRejected]
_CONTINUE = encode_command(Continue())
GOALS_PER_S = {
    "spot": 300_000,
    "spot_limits": 250_000,
    "binary": 100_000,
    "odds_2": 100_000,
    "odds_3": 100_000,
}
"""Commands a second to be reached, by model."""
ACCOUNTS = 50
CHUNK = 500
CALIBRATION_STEPS = 200_000
STEADY_TOLERANCE = 0.1


class Round(NamedTuple):
    """Wall and CPU seconds of one round: executing, checking forms, and the calibration beside it."""

    commands: int
    execute_s: float
    execute_cpu_s: float
    check_s: float
    step_ns: float


class Core:
    """An exchange that is led through the flow chunk by chunk.

    Parameters
    ----------
    exchange
        Where commands are executed.
    pace_ns
        Simulated time from one command to the next.
    """

    def __init__(self, exchange: Exchange, flow_start_ns: int, pace_ns: int) -> None:
        self.exchange = exchange
        self._now_ns = flow_start_ns
        self._pace_ns = pace_ns
        self._execute_s = self._execute_cpu_s = self._check_s = 0.0

    def run(self, steps: Sequence[Step], step_ns: float = 0.0) -> Round:
        """Execute steps; return what it took. Checks every outcome, outside the time that is measured."""
        self._execute_s = self._execute_cpu_s = self._check_s = 0.0
        for start in range(0, len(steps), CHUNK):
            self._chunk(steps[start : start + CHUNK])
        times = (self._execute_s, self._execute_cpu_s, self._check_s)
        return Round(len(steps), *times, step_ns)

    def _chunk(self, steps: Sequence[Step]) -> None:
        data = pack([encode_command(step.command) for step in steps])
        began = time.perf_counter()
        arrays = [check_command(fields) for fields in unpack(data)]
        self._check_s += time.perf_counter() - began
        for step, outcome in zip(steps, self._execute(arrays), strict=True):
            step_check(step, *outcome)

    def _execute(self, arrays: Sequence[Array]) -> list[tuple[int, int]]:
        """Execute and return code and number of events of each. As in the engine, which packs a command's
        events at once, they are gone before the next command: else the bench would measure its own heap."""
        execute = self.exchange.execute_array
        counts: list[int] = []
        refused: dict[int, int] = {}
        add = counts.append
        self._now_ns = now_ns = self._now_ns + self._pace_ns * len(arrays)
        began_cpu, began = time.process_time(), time.perf_counter()
        while 0 <= self.exchange.next_due_ns() <= now_ns:
            execute(_CONTINUE, now_ns)
        for fields in arrays:
            events = execute(fields, now_ns)
            if events[0][0] == _REJECTED:
                refused[len(counts)] = events[0][3]
            add(len(events))
        self._execute_s += time.perf_counter() - began
        self._execute_cpu_s += time.process_time() - began_cpu
        return [(refused.get(index, 0), count) for index, count in enumerate(counts)]

    def run_typed(self, steps: Sequence[Step]) -> float:
        """Execute steps through the typed `Exchange.execute`; return commands a second."""
        execute = self.exchange.execute
        taken_s = 0.0
        for start in range(0, len(steps), CHUNK):
            chunk = steps[start : start + CHUNK]
            commands = [decode_command(unpack(pack(encode_command(step.command)))) for step in chunk]
            self._now_ns += self._pace_ns * len(commands)
            began = time.perf_counter()
            results = [execute(command, self._now_ns) for command in commands]
            taken_s += time.perf_counter() - began
            for step, events in zip(chunk, results, strict=True):
                check(step, encode_events(events))
        return len(steps) / taken_s

    def run_each(self, steps: Sequence[Step]) -> dict[str, list[int]]:
        """Execute steps one by one; return the nanoseconds of each by its kind."""
        execute, clock = self.exchange.execute_array, time.perf_counter_ns
        taken: dict[str, list[int]] = {kind: [] for kind in SHARES}
        for step in steps:
            fields = check_command(unpack(pack(encode_command(step.command))))
            self._now_ns += self._pace_ns
            began = clock()
            events = execute(fields, self._now_ns)
            taken[step.kind].append(clock() - began)
            check(step, events)
        return taken


def check(step: Step, events: Sequence[Array]) -> None:
    """Raise unless a command had the outcome that it must have."""
    step_check(step, events[0][3] if events[0][0] == _REJECTED else 0, len(events))


def step_check(step: Step, code: int, events: int) -> None:
    """Raise unless a command had the code and the number of events that it must have."""
    if code != step.code or events != step.events:
        raise AssertionError(f"expected {step}, was code {code} with {events} events")


def calibrate(steps: int = CALIBRATION_STEPS) -> float:
    """Return the nanoseconds of one step of plain Python work: dicts, attributes, tuples, integers."""

    class Thing:
        __slots__ = ("count", "name")

        def __init__(self, name: str) -> None:
            self.name = name
            self.count = 0

    things = {f"thing-{number}": Thing(f"thing-{number}") for number in range(1024)}
    names = list(things)
    kept: list[Any] = [None] * 4096
    began = time.process_time_ns()
    for number in range(steps):
        thing = things[names[number & 1023]]
        thing.count += number & 7
        if thing.count > 0:
            kept[number & 4095] = (thing.name, number, thing.count, number * 3 // 7)
    return (time.process_time_ns() - began) / steps


def measure(
    *, model: str, orders: int, warm: int, commands: int, rounds: int, pace_per_s: int, valid_s: float,
    profile: bool = False,
) -> dict[str, object]:  # fmt: skip
    """Return the figures of several rounds on one exchange in a steady state."""
    pace_ns, ground = 1_000_000_000 // pace_per_s, GROUNDS[model]
    flow = Flow(pace_ns=pace_ns, valid_ns=int(valid_s * 1e9), ground=ground)
    core = Core(ground.found(ACCOUNTS), flow.now_ns, pace_ns)
    core.run(flow.fill(orders))
    core.run(flow.steps(warm))
    open_before = len(core.exchange.state.orders)
    found: list[Round] = []
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for _ in range(rounds):
            steps = flow.steps(commands)
            found.append(core.run(steps, calibrate()))
            gc.freeze()
        kinds = core.run_each(flow.steps(commands))
        typed = report.median(core.run_typed(flow.steps(commands)) for _ in range(min(3, rounds)))
        if profile:
            show_profile(core, flow.steps(commands))
    finally:
        gc.enable()
        gc.unfreeze()
    open_after = len(core.exchange.state.orders)
    if open_after != flow.open_orders or abs(open_after - open_before) > STEADY_TOLERANCE * open_before + 50:
        raise AssertionError(f"expected a steady book of {open_before} orders, was {open_after}")
    core.exchange._check()
    ids = sum(len(account.ids) for account in core.exchange.state.accounts.values())
    return figures(found, kinds) | {
        "typed_commands_per_s": round(typed),
        "open_orders": open_after,
        "ids_kept": ids,
    }


def figures(found: Sequence[Round], kinds: dict[str, list[int]]) -> dict[str, object]:
    """Return medians over the rounds, and of each kind of command."""
    per_s = [one.commands / one.execute_s for one in found]
    per_cpu_s = [one.commands / max(one.execute_cpu_s, 1e-9) for one in found]
    in_steps = [one.execute_cpu_s * 1e9 / one.commands / one.step_ns for one in found]
    result: dict[str, object] = {
        "commands_per_s": round(report.median(per_s)),
        "commands_per_s_best": round(max(per_s)),
        "commands_per_cpu_s": round(report.median(per_cpu_s)),
        "us_per_command": report.median(1e6 / rate for rate in per_s),
        "calibration_step_ns": report.median(one.step_ns for one in found),
        "steps_per_command": report.median(in_steps),
        "check_us": report.median(one.check_s * 1e6 / one.commands for one in found),
        "rounds": len(found),
        "commands_per_round": found[0].commands,
    }
    for kind, taken in kinds.items():
        result[f"{kind}_us"] = report.median(ns / 1e3 for ns in taken or [0])
        result[f"{kind}_mean_us"] = round(sum(taken) / 1e3 / max(1, len(taken)), 4)
    return result


def show_profile(core: Core, steps: Sequence[Step]) -> None:
    """Print where the time of `execute` goes (the profiler makes small functions look dearer)."""
    profiler = cProfile.Profile()
    arrays = [check_command(unpack(pack(encode_command(step.command)))) for step in steps]
    profiler.enable()
    core._execute(arrays)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench core", description=__doc__)
    parser.add_argument("--model", choices=list(GROUNDS), action="append", help="this one (default: all)")
    parser.add_argument("--orders", type=int, default=10_000, help="resting orders")
    parser.add_argument("--warm", type=int, default=400_000, help="commands before the first round")
    parser.add_argument("--commands", type=int, default=100_000, help="commands of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pace", type=int, default=300_000, help="simulated commands a second")
    parser.add_argument("--valid-s", type=float, default=1.0, help="validity of each command, simulated")
    parser.add_argument("--profile", action="store_true", help="show where the time goes, too")
    found = parser.parse_args(argv)
    models: dict[str, dict[str, object]] = {}
    for model in found.model or GROUNDS:
        models[model] = measure(
            model=model, orders=found.orders, warm=found.warm, commands=found.commands, rounds=found.rounds,
            pace_per_s=found.pace, valid_s=found.valid_s, profile=found.profile,
        ) | {"goal_per_s": GOALS_PER_S[model]}  # fmt: skip
    first = next(iter(models.values()))
    rows = [[name, *(figures[name] for figures in models.values())] for name in first]
    report.table("core: Exchange.execute alone, accounts on", ["figure", *models], rows)
    report.finish("core", first | {"models": models, "mix": SHARES})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
