"""What a batch of events does to the tables: rows to add, values to set, differences to add up.

Invariant: everything in here is either new, the last value of something, or a difference; so batches cut
anywhere in the stream end in the same tables. What must see all trades before it and none after it
(`Revision`) carries its seq.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bus.events import OrderAccepted

Row = tuple[Any, ...]

UNCHANGED = -1
"""In an order's changes: the column keeps what it has."""


class OrderChanges:
    """What a batch does to one order; ``accepted`` when the order began in it.

    ``filled_lots`` is a difference (of an order by budget), or, once it is cancelled, what it had filled.
    ``less_lots`` is taken off the quantity.
    """

    __slots__ = (
        "accepted",
        "accepted_ns",
        "fee_atoms",
        "filled_atoms",
        "filled_lots",
        "left_lots",
        "less_lots",
        "price_ticks",
        "qty_lots",
        "reason",
        "rebate_atoms",
        "seq",
        "status",
        "time_ns",
    )

    def __init__(self) -> None:
        self.accepted: OrderAccepted | None = None
        self.accepted_ns = 0
        self.price_ticks = UNCHANGED
        self.qty_lots = UNCHANGED
        self.left_lots = UNCHANGED
        self.less_lots = 0
        self.filled_lots = 0
        self.filled_atoms = 0
        self.fee_atoms = 0
        self.rebate_atoms = 0
        self.status = 0
        self.reason = 0
        self.seq = 0
        self.time_ns = 0


class Revision(NamedTuple):
    """Trades of an outcome market before ``seq`` that count otherwise from here on.

    Those of the removed ``runner`` are void and the others' winnings are reduced by ``reduction_ppm``; or,
    with ``runner`` "", those from ``from_ns`` to before ``to_ns`` are void.
    """

    market: str
    seq: int
    runner: str = ""
    reduction_ppm: int = 0
    from_ns: int = 0
    to_ns: int = 0


@dataclass(slots=True)
class Batch:
    """Rows of the events ``first_seq`` to ``seq``, and what they add to what is there.

    Attributes
    ----------
    venue_id, engine, epoch, seq, time_ns
        The position after this batch.
    trades, order_events, balance_changes
        New rows of what most events are; columns as in `recorder.statements`.
    new
        New rows of every other table, by its name.
    latest
        Rows that replace or change what is there, by the name of the change and their key.
    orders
        Changes by order id.
    balances
        ``(account, asset)`` to ``[available change, held change, last seq, number of changes]``.
    candles
        ``(market, interval_s, start_ns)`` to ``[open, high, low, close, qty_lots, quote_atoms, trades]``.
    positions
        ``(account, outcome_market, market)`` to ``[lots change, value change, last seq]``.
    revisions
        In order; they are made when everything else is written.
    """

    venue_id: bytes = b""
    engine: str = ""
    epoch: int = 0
    first_seq: int = 0
    seq: int = 0
    time_ns: int = 0
    events: int = 0
    rows: int = 0
    trades: list[Row] = field(default_factory=list)
    order_events: list[Row] = field(default_factory=list)
    balance_changes: list[Row] = field(default_factory=list)
    new: dict[str, list[Row]] = field(default_factory=dict)
    latest: dict[str, dict[Row, Row]] = field(default_factory=dict)
    orders: dict[int, OrderChanges] = field(default_factory=dict)
    balances: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    candles: dict[tuple[str, int, int], list[int]] = field(default_factory=dict)
    positions: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)

    def add(self, table: str, row: Row) -> None:
        """Add a new row to a table of `new`."""
        self.new.setdefault(table, []).append(row)

    def set(self, change: str, row: Row, key_columns: int = 1) -> None:
        """Note the last value of what the first columns of the row name."""
        self.latest.setdefault(change, {})[row[:key_columns]] = row

    def count(self) -> int:
        """Return how many rows it has."""
        return (
            len(self.order_events) + len(self.balance_changes) + len(self.orders) + len(self.trades)
            + len(self.positions) + sum(map(len, self.new.values())) + sum(map(len, self.latest.values()))
        )  # fmt: skip
