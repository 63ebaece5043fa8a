"""Waiting in tests: for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_S = 0.01


def until(condition: Callable[[], T], timeout_s: float = 20.0, what: str = "") -> T:
    """Return the condition's first true value.

    Raises
    ------
    TimeoutError
        When it was not true within ``timeout_s``; names what was waited for and what was seen last.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() >= deadline_s:
            name = what or getattr(condition, "__name__", "the condition")
            raise TimeoutError(f"expected {name} within {timeout_s} s, was {seen!r}")
        time.sleep(PAUSE_S)
