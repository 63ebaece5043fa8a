"""The price levels of one side of a book, by key and in the order of their keys.

Invariant: a key is in exactly one row; rows and the keys in them ascend; no row is empty, unless there is no
level at all.

Levels come and go with every tenth command or so: among up to a few hundred that is a search and a move in
one list, among hundreds of thousands in one of many.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .book import Level

ROW_MAX: Final = 512
"""Keys in a row before it is divided."""


class Levels:
    """Levels by key, in ascending order."""

    __slots__ = ("_by_key", "_rows")

    def __init__(self) -> None:
        self._by_key: dict[int, Level] = {}
        self._rows: list[list[int]] = [[]]

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: int) -> "Level | None":
        """Return the level of a key, if there is one; O(1)."""
        return self._by_key.get(key)

    def add(self, key: int, level: "Level") -> None:
        """Add a level under a key that is not there; O(log levels)."""
        rows = self._rows
        self._by_key[key] = level
        at = self._row_of(key) if len(rows) > 1 else 0
        row = rows[at]
        insort(row, key)
        if len(row) > ROW_MAX:
            rows.insert(at + 1, row[ROW_MAX // 2 :])
            del row[ROW_MAX // 2 :]

    def remove(self, key: int) -> None:
        """Take out the level of a key; O(log levels)."""
        rows = self._rows
        del self._by_key[key]
        at = self._row_of(key) if len(rows) > 1 else 0
        row = rows[at]
        del row[bisect_left(row, key)]
        if not row and len(rows) > 1:
            del rows[at]

    def first(self) -> "Level | None":
        """Return the level of the lowest key, if there is any; O(1)."""
        row = self._rows[0]
        return self._by_key[row[0]] if row else None

    def next_key(self, least: int) -> int | None:
        """Return the lowest key that is not below ``least``, if there is one; O(log levels)."""
        rows = self._rows
        row = rows[self._row_of(least)]
        at = bisect_left(row, least)
        return row[at] if at < len(row) else None

    def __iter__(self) -> Iterator["Level"]:
        """Yield the levels in order; none may come or go meanwhile."""
        for row in self._rows:
            for key in row:
                yield self._by_key[key]

    def _row_of(self, key: int) -> int:
        """Return the index of the first row that ends at or beyond a key, or that of the last row."""
        rows = self._rows
        low, high = 0, len(rows) - 1
        while low < high:
            middle = (low + high) // 2
            if rows[middle][-1] < key:
                low = middle + 1
            else:
                high = middle
        return low

    def check(self) -> None:
        """Verify the invariant; O(levels)."""
        keys = [key for row in self._rows for key in row]
        assert keys == sorted(self._by_key)
        assert all(0 < len(row) <= ROW_MAX for row in self._rows) or self._rows == [[]]
