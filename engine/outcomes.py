"""Outcome markets: positions, and the funds that they and open orders hold.

Invariant: held funds of an account in an outcome market are exactly its worst case over the outcomes and over
which of its open orders get filled.
"""


class Position:
    """An account's position in one outcome market."""

    __slots__ = ()


class OutcomeMarket:
    """A market of n outcomes and its books."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name
