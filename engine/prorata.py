"""Pro-rata sharing: who gets what of a taker at one price.

Invariant: the shares sum up to the taker's lots, none is more than its order shows, and they depend on
nothing but the orders' shown lots and their order in time.
"""

from collections.abc import Sequence

from .book import Order

_PPM = 1_000_000


def share(orders: Sequence[Order], lots: int, first_share_ppm: int) -> list[tuple[Order, int]]:
    """Return what each order of a level gets of ``lots``, in time order, those that get nothing left out.

    The oldest first gets its share of ``first_share_ppm``; each gets its part of the rest, rounded down; what
    rounding left goes to the oldest first. O(orders).

    Parameters
    ----------
    orders
        The orders of the level that may trade, the oldest first, showing more than ``lots`` in all.
    lots
        What the taker takes here.
    first_share_ppm
        The share of the taker that the oldest order gets before the others.
    """
    shown = [order.left_lots for order in orders]
    got = [0] * len(shown)
    got[0] = min(shown[0], lots * first_share_ppm // _PPM)
    shared, total = lots - got[0], sum(shown) - got[0]
    left = shared
    for index in range(len(shown)):
        part = (shown[index] - got[index]) * shared // total
        got[index] += part
        left -= part
    index = 0
    while left:
        more = min(shown[index] - got[index], left)
        got[index] += more
        left -= more
        index += 1
    return [(order, part) for order, part in zip(orders, got, strict=True) if part]


def reach(orders: Sequence[Order], lots: int, first_share_ppm: int, fills: int) -> int:
    """Return how many of ``lots`` trade when the sharing ends after ``fills`` trades; O(orders)."""
    return sum(part for _, part in share(orders, lots, first_share_ppm)[:fills])
