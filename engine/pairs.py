"""Pairs of orders: one cancels the other, or one triggers the other.

Invariant: of an OCO pair never both legs trade, and together they hold the larger leg alone.
"""

from typing import TYPE_CHECKING

from .book import Order

if TYPE_CHECKING:
    from .cancels import Cancels
    from .state import State


class Pair:
    """Two orders that belong together (`bus.commands.PairKind`)."""

    __slots__ = ("kind",)

    def __init__(self, kind: int) -> None:
        self.kind = kind


def cancel(cancels: "Cancels", order: Order, reason: int) -> None:
    """Cancel an open order of a pair, and the other with it (`Cancels.take_off` takes one off)."""
    raise NotImplementedError


def before_trade(cancels: "Cancels", order: Order) -> None:
    """Cancel the other leg of an OCO before a leg trades, or when it is triggered."""
    raise NotImplementedError


def filled(state: "State", order: Order) -> None:
    """Let the second order of an OTO go to the triggered ones when the first is filled."""
    raise NotImplementedError


def ended(cancels: "Cancels", order: Order) -> None:
    """Cancel what goes with an order that ended without having been filled."""
    raise NotImplementedError
