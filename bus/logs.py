"""Structured logs: one line an event, to standard error, never a secret, never a flood.

Invariant: whatever a hostile peer sends, it causes at most ``logs.hostile_per_s_max`` lines a second a
kind; what was left out is counted in the next line.
"""

import logging
import sys
import time
from collections.abc import Callable
from typing import Literal

import structlog
from structlog.typing import FilteringBoundLogger, Processor

Logger = FilteringBoundLogger

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up(component: str, level: str = "info", style: Literal["console", "json"] = "console") -> Logger:
    """Return the logger of a process.

    Parameters
    ----------
    component
        Goes into every line.
    level
        Least severe level that is written: a key of `LEVELS`.
    style
        ``console`` for people, ``json`` for one object a line.
    """
    shown: list[Processor] = (
        [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
        if style == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)]
    )
    logger: Logger = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=True,
    )
    return logger.bind(component=component)


class RateLimited:
    """Logs at most some lines a second a kind, for what strangers can cause at will.

    Kinds must be ours and few (a code's name), never a peer's text: each is remembered.
    """

    def __init__(self, log: Logger, per_s_max: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._per_s_max = per_s_max
        self._clock_s = clock_s
        self._windows: dict[str, tuple[float, int]] = {}
        self._left_out: dict[str, int] = {}

    def warning(self, kind: str, **fields: object) -> bool:
        """Log a warning unless its kind had its share of this second; return whether it was logged."""
        now_s = self._clock_s()
        started_s, count = self._windows.get(kind, (now_s, 0))
        if now_s - started_s >= 1:
            started_s, count = now_s, 0
        self._windows[kind] = (started_s, count + 1)
        if count >= self._per_s_max:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        left_out = self._left_out.pop(kind, 0)
        if left_out:
            fields["left_out"] = left_out
        self._log.warning(kind, **fields)
        return True
