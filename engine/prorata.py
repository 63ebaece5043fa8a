"""Pro-rata sharing: who gets what of a taker at one price.

Invariant: the shares sum up to the taker's lots, none is more than its order shows, and they depend on
nothing but the orders' shown lots and their order in time.
"""

from collections.abc import Sequence

_PPM = 1_000_000


def shares(shown: Sequence[int], lots: int, first_share_ppm: int) -> list[int]:
    """Return what each order of a level gets of ``lots``, given what they show, the oldest first; O(orders).

    The oldest first gets its share of ``first_share_ppm``; each gets its part of the rest, rounded down; what
    rounding left goes to the oldest first.

    Parameters
    ----------
    shown
        What the orders that may trade show: more than ``lots`` in all.
    lots
        What the taker takes here.
    first_share_ppm
        The share of the taker that the oldest order gets before the others.
    """
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
    return got
