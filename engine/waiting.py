"""Orders that wait for a trigger price, and how they come to the book.

Invariant: after each command, no order waits whose trigger price the command's trades touched.
"""

from .book import Order
from .state import State


class Stops:
    """The orders of one book that wait for a trigger price."""

    __slots__ = ("trailing",)

    def __init__(self) -> None:
        self.trailing = 0
        """How many of them trail."""


def enter(state: State, order: Order) -> None:
    """Let an order wait for what its terms say (`bus.events.Waits`)."""
    raise NotImplementedError


def leave(state: State, order: Order) -> None:
    """Take an order out of where it waits."""
    raise NotImplementedError
