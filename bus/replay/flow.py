"""From a recorded market to orders and cancels that make an engine trade what the venue traded.

Invariant: a pure function of the capture: the same steps in the same order every time. The spread of the
orders over accounts is a fixed hash (CRC-32 of the order's number), never Python's own.

The rules. Some use hindsight, which a live venue does not have, and that must be said where a figure that
comes of them is shown:

1. The snapshot is entered sorted by order number, the order in which the orders had once arrived.
2. *Hindsight*: an order of the snapshot inside the range of prices at which trades happen, about which
   nothing is heard any more, was gone already: it is left out.
3. *Hindsight*: an order that never trades is entered post-only. Where it would have crossed the book the
   venue refused it too (it deletes it in the same millisecond, volume unchanged): a reject is expected.
4. ``deleted`` is a cancel; of an order that is filled by then it is answered UNKNOWN_ORDER.
5. ``changed`` says what fills did: the engine has to find that out itself.
6. A sell at price 0 and a buy at 999,999,999 is how the recording writes a market order. One by money has
   quantity 0 there (how much money is not told): it is refused, and its trades are missing.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zlib import crc32

from ..commands import Side
from .capture import Capture, Row, VenueTrade

HINDSIGHT = (
    "The rules use hindsight: dead orders of the snapshot are left out, and orders that never trade are "
    "entered post-only."
)
ACCOUNTS = 50
MARKET_BUY_TICKS = 999_999_999_00


class Step(NamedTuple):
    """One command: an order (``cancel`` false) or the cancel of one, by the account ``account``."""

    cancel: bool
    order_id: int
    account: int
    time_ms: int
    side: int
    price_ticks: int
    qty_lots: int
    market: bool
    post_only: bool


class Flow(NamedTuple):
    """Steps in order. From ``closing`` on they are the deletes that were added when the recording ended."""

    steps: list[Step]
    closing: int


class OurTrade(NamedTuple):
    """A trade of ours by the venue's order numbers."""

    buy_order_id: int
    sell_order_id: int
    price_ticks: int
    qty_lots: int


def flow_of(capture: Capture, accounts: int = ACCOUNTS) -> Flow:
    """Return the steps that play a capture; ``accounts`` is how many share the orders."""
    rows, snapshot_rows = capture.rows, capture.snapshot_rows
    end = len(rows) - capture.closing_rows
    left_out = _dead_orders(capture)
    traded = {number for trade in capture.trades for number in (trade.buy_order_id, trade.sell_order_id)}

    def steps_of(some: Iterable[Row]) -> list[Step]:
        return [
            Step(
                row.action == "deleted",
                row.order_id,
                account_of(row.order_id, accounts),
                row.time_ms,
                row.side,
                row.price_ticks,
                row.qty_lots,
                row.price_ticks == (MARKET_BUY_TICKS if row.side == Side.BUY else 0),
                row.order_id not in traded,
            )
            for row in some
            if row.action != "changed" and row.order_id not in left_out
        ]

    steps = steps_of(sorted(rows[:snapshot_rows], key=lambda row: row.order_id))
    steps += steps_of(rows[snapshot_rows:end])
    closing = len(steps)
    return Flow(steps + steps_of(rows[end:]), closing)


def account_of(order_id: int, accounts: int) -> int:
    """Return which account an order belongs to, 0 to ``accounts - 1``."""
    return crc32(order_id.to_bytes(8, "little")) % accounts


def differing(ours: Sequence[OurTrade], venue: Sequence[VenueTrade]) -> tuple[int, list[str]]:
    """Compare trades by buyer, seller, price and quantity.

    Returns
    -------
    tuple of int and list of str
        How many of the venue's trades we have identically, and a line for each one that only one has.
    """
    left = [tuple(trade) for trade in ours]
    identical, lines = 0, []
    for trade in venue:
        if tuple(trade) in left:
            left.remove(tuple(trade))
            identical += 1
        else:
            lines.append(f"venue only: {_shown(trade)}")
    return identical, lines + [f"ours only:  {_shown(trade)}" for trade in left]


def _shown(trade: Iterable[int]) -> str:
    buy, sell, price_ticks, qty_lots = trade
    price, qty = divmod(price_ticks, 100), divmod(qty_lots, 10**8)
    return f"buy {buy} sell {sell} {qty[0]}.{qty[1]:08} at {price[0]}.{price[1]:02}"


def _dead_orders(capture: Capture) -> set[int]:
    """Return the orders of the snapshot at prices that traded about which nothing is heard any more."""
    if not capture.trades:
        return set()
    end = len(capture.rows) - capture.closing_rows
    heard = {row.order_id for row in capture.rows[capture.snapshot_rows : end]}
    prices = [trade.price_ticks for trade in capture.trades]
    lowest, highest = min(prices), max(prices)
    return {
        row.order_id
        for row in capture.rows[: capture.snapshot_rows]
        if lowest <= row.price_ticks <= highest and row.order_id not in heard
    }
