"""Limits of an account in a market, and the price band.

Invariant: an order that is accepted was within every limit of its account, its own part included.
"""


class AccountLimits:
    """An account's limits in one market; 0 is no limit."""

    __slots__ = ("open_orders_max", "order_atoms_max", "order_lots_max", "position_max")

    def __init__(
        self, order_lots_max: int, order_atoms_max: int, open_orders_max: int, position_max: int
    ) -> None:
        self.order_lots_max = order_lots_max
        self.order_atoms_max = order_atoms_max
        self.open_orders_max = open_orders_max
        self.position_max = position_max
