"""Drives a door (the SDK's client, or the floor's bare one) through an order flow, and times the answers.

Invariant: venue and floor are driven by this same code. At a fixed rate an order's time runs from when it was
due, not from when it was sent: a stall counts for every order that it holds up (open loop). Measure inside
`quiet`: the collector of the measuring process is no part of either.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from . import report

IN_FLIGHT_MAX = 4_000
STALL_S_MAX = 60.0
_NAP_S = 20e-6


class Door(Protocol):
    """One client's way in.

    Attributes
    ----------
    answered
        When each order was answered (`time.perf_counter_ns`), in the order in which they were handed over.
    """

    answered: list[int]

    def hand_over(self, index: int) -> None:
        """Hand over the order with this index; it may wait while too many are under way."""

    def pump(self, timeout_s: float) -> int:
        """Send what waits, take in what has come; with nothing to take in, wait. Return messages taken."""


def throughput(door: Door, first: int, count: int) -> float:
    """Hand over orders as fast as they are taken; return answered orders a second."""
    door.answered.clear()
    began_ns = time.perf_counter_ns()
    for index in range(first, first + count):
        door.hand_over(index)
    _await_answers(door, count)
    return count * 1e9 / (door.answered[-1] - began_ns)


def at_rate(door: Door, first: int, count: int, per_s: int) -> dict[str, float]:
    """Hand over orders at a fixed rate; return p50, p99, p99.9 and max in ms from when each was due."""
    door.answered.clear()
    period_ns = 1_000_000_000 // per_s
    began_ns = time.perf_counter_ns()
    handed = 0
    while handed < count:
        due_ns = began_ns + handed * period_ns
        now_ns = time.perf_counter_ns()
        while due_ns <= now_ns and handed < count:
            door.hand_over(first + handed)
            handed += 1
            due_ns += period_ns
        if not door.pump(0.0) and due_ns - time.perf_counter_ns() > 2 * _NAP_S * 1e9:
            # Shorter than a poll of a whole millisecond, and the core is left to who answers.
            time.sleep(_NAP_S)
    _await_answers(door, count)
    late_ms = [(at_ns - began_ns - i * period_ns) / 1e6 for i, at_ns in enumerate(door.answered)]
    return report.percentiles(late_ms)


def one_by_one(door: Door, first: int, count: int) -> dict[str, float]:
    """Hand over each order when the one before is answered; return percentiles in ms."""
    taken: list[float] = []
    for index in range(first, first + count):
        door.answered.clear()
        began_ns = time.perf_counter_ns()
        door.hand_over(index)
        _await_answers(door, 1)
        taken.append((door.answered[0] - began_ns) / 1e6)
    return report.percentiles(taken)


def _await_answers(door: Door, count: int) -> None:
    deadline_s = time.monotonic() + STALL_S_MAX
    while len(door.answered) < count:
        if door.pump(0.1):
            deadline_s = time.monotonic() + STALL_S_MAX
        elif time.monotonic() > deadline_s:
            raise AssertionError(f"expected {count} answers, was {len(door.answered)}")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the collector of the measuring process out of the measurement, for venue and floor alike."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
