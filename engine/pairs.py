"""Pairs of orders: one cancels the other, or one triggers the other.

Invariant: of an OCO pair never both legs trade, and together they hold the larger leg alone.
"""


class Pair:
    """Two orders that belong together (`bus.commands.PairKind`)."""

    __slots__ = ("kind",)

    def __init__(self, kind: int) -> None:
        self.kind = kind
