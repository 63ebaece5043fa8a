"""What matching did with a taker, and why it ended.

Invariant: an outcome accounts for the taker to the last lot: filled, left, and what of its own hold went with
what is filled.
"""

from typing import Final

DONE: Final = 1
"""Why matching ended: this and the following."""
NO_MATCH: Final = 2
BUDGET_SPENT: Final = 3
FILLS_LIMIT: Final = 4
SELF_TRADE: Final = 5
GROUP_TRIPPED: Final = 6


class Outcome:
    """What matching did: why it ended, the taker's lots, and how much of its own hold was used or released.

    ``fills``: how many of the fills that it may have were used. ``dust``: whether a part of a lot is left
    beside the whole ones (implied matching); that lot has left the order's total already.
    """

    __slots__ = ("dust", "filled_lots", "fills", "held_used_atoms", "stop")

    def __init__(
        self, stop: int, filled_lots: int, held_used_atoms: int, fills: int = 0, dust: bool = False
    ) -> None:
        self.stop = stop
        self.filled_lots = filled_lots
        self.held_used_atoms = held_used_atoms
        self.fills = fills
        self.dust = dust
