"""Pauses between attempts: they double up to a bound, with jitter.

Invariant: many who lost the same peer at the same moment do not come back at the same moment.
"""

from random import Random


class Backoff:
    """The pauses of one retried thing.

    Parameters
    ----------
    ms_min, ms_max
        The first pause and the longest one, before jitter.
    random
        Where the jitter comes from.
    """

    __slots__ = ("_ms_max", "_ms_min", "_next_ms", "_random")

    def __init__(self, ms_min: int, ms_max: int, random: Random) -> None:
        self._ms_min = self._next_ms = ms_min
        self._ms_max = max(ms_min, ms_max)
        self._random = random

    def next_ns(self) -> int:
        """Return the next pause in nanoseconds: between half of it and the whole."""
        pause_ms = self._next_ms
        self._next_ms = min(2 * pause_ms, self._ms_max)
        return int(self._random.uniform(0.5, 1.0) * pause_ms * 1_000_000)

    def reset(self) -> None:
        """Begin again with the first pause (something succeeded)."""
        self._next_ms = self._ms_min
