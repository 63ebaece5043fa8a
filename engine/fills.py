"""What matching did with a taker, and why it ended.

Invariant: an outcome accounts for the taker to the last lot: filled, left, and what of its own hold went with
what is filled.
"""

from enum import Enum
from typing import NamedTuple


class Stop(Enum):
    """Why matching ended."""

    DONE = 1
    NO_MATCH = 2
    BUDGET = 3
    FILLS = 4
    SELF_TRADE = 5
    GROUP = 6


class Outcome(NamedTuple):
    """What matching did: why it ended, the taker's lots, and how much of its own hold was used or released.

    ``fills``: how many of the fills that it may have were used. ``dust``: whether a part of a lot is left
    beside the whole ones (implied matching); that lot has left the order's total already.
    """

    stop: Stop
    filled_lots: int
    held_used_atoms: int
    fills: int = 0
    dust: bool = False
