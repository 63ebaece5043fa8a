"""What memory alone costs: touches of bare dictionaries and bare objects of a size, beside what is measured.

Invariant: nothing is in them that a venue needs; keys come decoded from bytes, as a command's do, so none is
the object that the dictionary has; the order of touches is random.

A command that is carried out among a million orders must touch some of them, and memory that is not in the
cache is slow, whoever asks for it. `TOUCHES` says how many look-ups in dictionaries, and how many reads of
cache lines of objects, a command of the mix of `tests.bench.core_crowd` does in what grows with each
dimension, counted by hand as below. What has the same size everywhere is not counted.
"""

import time
from collections import deque
from operator import attrgetter
from random import Random
from typing import NamedTuple

from bus.codec import pack, unpack


class Touches(NamedTuple):
    """Look-ups in dictionaries, and reads of cache lines of objects, of a command."""

    lookups: float
    reads: float


TOUCHES = {
    # Mix: 45 % place, 45 % cancel, 5 % maker, 5 % taker; a fifth of the orders has a level of its own.
    #
    # every    one id is forgotten: of a place, its order is looked up, which is open, and the id is put among
    #          those that linger: 2 look-ups; of another command it is taken out: 1.
    # place    look-ups: its id among its account's (as many as the account has orders), its price among the
    #          levels: 2. Reads: the level (two lines), the last order there: 3. Where it makes a level: the
    #          rows of prices on the way to its row (four that are not in the cache, three lines each), the
    #          places and prices on the way in it (5 and 8): 25.
    # cancel   look-ups: its id, the order's id, the order, the order's id among those that linger: 4. Reads:
    #          what is kept under the order's id (2), the order (3), the level (2), the order's neighbours
    #          there and among its account's (4), and what is freed: the command (2), its two names, time and
    #          price (4): 17. Where its level goes: 25 for the rows, less the 2 neighbours.
    # others   look-ups: its id: 1.
    "orders": Touches(
        1.45 + 0.45 * 2 + 0.45 * 4 + 0.1 * 1, 0.45 * (0.8 * 3 + 0.2 * 25) + 0.45 * (17 + 0.2 * (25 - 2))
    ),
    # Of a market: itself by name, and the account's orders in it: 2. Reads: the market (three cache lines of
    # it), its side, that side's ladder with its table, the level, the last order there, the account's chain
    # and its two counts: 10; as many again of the half of the orders that are cancelled: their neighbours, 2.
    "markets": Touches(2, 10 + 0.45 * 2),
    # Of an account: itself by name: 1. Reads: itself (two cache lines of it); its ids, balances, chains: each
    # a dictionary with its table: 6; the balance with its key, two numbers, the chain, its counts: 6; of the
    # id that is forgotten, its account, that one's ids with their table: 3. A taker touches its maker's, too,
    # and both their net lots: 0.05 times 15.
    "accounts": Touches(1, 2 + 6 + 6 + 3 + 0.05 * 15),
}
"""Touches of a command by what grows."""


class Bare:
    """Something with a number."""

    __slots__ = ("after", "before", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.before: Bare | None = None
        self.after: Bare | None = None


class Cost(NamedTuple):
    """Nanoseconds of a look-up and of a read."""

    lookup_ns: float
    read_ns: float

    def of(self, touches: Touches) -> float:
        """Return the nanoseconds of a command's touches."""
        return touches.lookups * self.lookup_ns + touches.reads * self.read_ns


class BareTable:
    """A dictionary of a size, and as many objects."""

    def __init__(self, size: int) -> None:
        self._random = Random(2)
        self._table = {f"6fd1c0aa-{number:x}": Bare(number) for number in range(size)}
        self._names = list(self._table)

    def cost(self, touches: int) -> Cost:
        """Return what a look-up in it costs now, and a read of one of its objects."""
        random, table = self._random, self._table
        keys = unpack(pack(random.choices(self._names, k=touches)))
        objects = [table[name] for name in random.choices(self._names, k=touches)]
        lookup_ns = _timed(map(table.__getitem__, keys)) / touches
        return Cost(lookup_ns, _timed(map(attrgetter("number"), objects)) / touches)


def _timed(touches: "map[Bare] | map[int]") -> float:
    """Return the nanoseconds that going through all of them takes."""
    began = time.process_time_ns()
    deque(touches, maxlen=0)
    return time.process_time_ns() - began
