"""What the client hands out: orders, balances and markets, with integers inside and strings for people."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Self

from ..units import MarketUnits
from .pending import CommandAnswer


class OrderRow(NamedTuple):
    """An open order in integers, as the engine keeps it (fields of the wire's order row)."""

    order_id: int
    client_order_id: str
    account: str
    market: str
    side: int
    order_type: int
    time_in_force: int
    post_only: bool
    price_ticks: int
    qty_lots: int
    filled_lots: int
    left_lots: int
    held_atoms: int
    accepted_ns: int

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """Return the order in a wire row; trailing fields are ignored."""
        return cls(*row[: len(cls._fields)])


class Status(StrEnum):
    """Where an order stands after a command."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"


class Order(NamedTuple):
    """An order as a command left it.

    ``filled`` and ``left`` (still resting) are base quantities as decimal strings. ``repeated``: the
    command had been executed before; this is the answer that it had then.
    """

    order_id: int
    client_order_id: str
    market: str
    status: Status
    filled: str
    left: str
    filled_lots: int
    left_lots: int
    seq: int
    repeated: bool

    @classmethod
    def of(
        cls, answer: CommandAnswer, client_order_id: str, units: MarketUnits, qty_lots: int | None = None
    ) -> Self:
        """Return the order that an accepted command's answer speaks of.

        ``qty_lots``: from how many filled lots on it counts as filled when nothing is left; None (a budget):
        from the first.
        """
        if answer.left_lots:
            status = Status.OPEN
        elif answer.filled_lots and (qty_lots is None or answer.filled_lots >= qty_lots):
            status = Status.FILLED
        else:
            status = Status.CANCELLED
        return cls(
            answer.order_id,
            client_order_id,
            units.market.market,
            status,
            units.qty(answer.filled_lots),
            units.qty(answer.left_lots),
            answer.filled_lots,
            answer.left_lots,
            answer.seq,
            answer.repeated,
        )


class OpenOrder(NamedTuple):
    """An open order; ``row`` has its integers."""

    order_id: int
    client_order_id: str
    account: str
    market: str
    side: str
    price: str
    qty: str
    filled: str
    left: str
    row: OrderRow

    @classmethod
    def of(cls, row: OrderRow, units: MarketUnits) -> Self:
        """Return the order of a row with its numbers as decimal strings."""
        return cls(
            row.order_id,
            row.client_order_id,
            row.account,
            row.market,
            "buy" if row.side == 1 else "sell",
            units.price(row.price_ticks),
            units.qty(row.qty_lots),
            units.qty(row.filled_lots),
            units.qty(row.left_lots),
            row,
        )


class Balance(NamedTuple):
    """An account's balance in one asset, as decimal strings and in atoms."""

    asset: str
    available: str
    held: str
    available_atoms: int
    held_atoms: int


class Market(NamedTuple):
    """A market as of the last look; ``units`` converts its numbers and holds what it was created with."""

    market: str
    base: str
    quote: str
    tick_size: str
    lot_size: str
    is_open: bool
    market_seq: int
    last_trade_id: int
    last_price: str | None
    units: MarketUnits
