"""What is due by time: expiries, dead-man timers, bet delays, auction indications, best offers.

Invariant: what is due comes in order of due time, then kind, then key, whatever the order in which it was
set; a kind and key is set at most once.
"""

from heapq import heapify, heappop, heappush
from typing import Final

from bus.commands import INT_MAX

EXPIRY: Final = 1
"""Key: the order's id."""
CANCEL_AFTER: Final = 2
"""Key: the account's name."""
BET_DELAY: Final = 3
"""Key: the order's id."""
INDICATION: Final = 4
"""Key: the book's number."""
OFFERS: Final = 5
"""Key: the number of the outcome market's first book."""

Key = int | str
Due = tuple[int, int, Key]
"""Due time in UTC ns, kind, key."""

_SPARE_MAX = 64


class Timers:
    """Due times in a heap; what is cleared stays in it until it comes up or is half of it."""

    __slots__ = ("_heap", "_set")

    def __init__(self) -> None:
        self._heap: list[Due] = []
        self._set: dict[tuple[int, Key], int] = {}

    def set(self, due_ns: int, kind: int, key: Key) -> None:
        """Set when something is due, whatever it was set to before; O(log timers)."""
        self._set[(kind, key)] = due_ns
        heappush(self._heap, (due_ns, kind, key))
        self._tidy()

    def clear(self, kind: int, key: Key) -> None:
        """Let something not be due, if it was set; O(1)."""
        if self._set.pop((kind, key), None) is not None:
            self._tidy()

    def is_set(self, kind: int, key: Key) -> bool:
        """Return whether something is set."""
        return (kind, key) in self._set

    def first(self) -> Due | None:
        """Return what is due first."""
        heap = self._heap
        while heap:
            first = heap[0]
            if self._set.get((first[1], first[2]), -1) == first[0]:
                return first
            heappop(heap)
        return None

    def first_due_ns(self) -> int:
        """Return the earliest due time, or `INT_MAX`."""
        first = self.first()
        return first[0] if first is not None else INT_MAX

    def pop(self) -> None:
        """Take out what is due first."""
        _, kind, key = heappop(self._heap)
        del self._set[(kind, key)]

    def rows(self) -> list[Due]:
        """Return all that is set, in order."""
        return sorted((due_ns, kind, key) for (kind, key), due_ns in self._set.items())

    def check(self) -> None:
        """Verify that everything set is in the heap."""
        assert set(self._heap) >= set(self.rows())

    def _tidy(self) -> None:
        """Drop what is not meant any more once it is more than half of the heap."""
        if len(self._heap) > 2 * len(self._set) + _SPARE_MAX:
            self._heap = self.rows()
            heapify(self._heap)
