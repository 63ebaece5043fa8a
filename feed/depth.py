"""A market's book of price levels, kept from the totals that events carry.

Invariant: after every event the levels are the engine's own, and the numbers of the diffs taken from here
join without a hole (`Depth.change` refuses a number that leaves one). No I/O.

An event costs one dictionary entry; levels are sorted in when somebody looks. So many events at the same
few prices, the usual case near the best price, cost next to nothing.
"""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from sortedcontainers import SortedList

from bus.commands import Side
from bus.errors import Code, StreamError
from bus.market_data import CHECKSUM_LEVELS, Best, Level, checksum

_NO_LEVEL = (0, 0)


class Diff(NamedTuple):
    """What changed with the numbers ``first_number`` to ``last_number``; 0 lots: the level is gone."""

    first_number: int
    last_number: int
    bids: list[Level]
    asks: list[Level]

    def body(self, checksum_after: int) -> tuple[object, ...]:
        """Return the body of a depth message."""
        return (self.bids, self.asks, checksum_after)


class Half:
    """The levels of one side.

    Parameters
    ----------
    best_is_high
        True for bids.
    """

    __slots__ = ("best_is_high", "changed", "lots", "prices")

    def __init__(self, best_is_high: bool) -> None:
        self.best_is_high = best_is_high
        self.lots: dict[int, int] = {}
        self.prices: SortedList[int] = SortedList()
        self.changed: dict[int, int] = {}

    def settle(self, changed: dict[int, int]) -> None:
        """Bring totals into the levels; O(changed prices x log levels)."""
        lots, prices = self.lots, self.prices
        for price, total in changed.items():
            if total:
                if price not in lots:
                    prices.add(price)
                lots[price] = total
            elif price in lots:
                del lots[price]
                prices.remove(price)

    def best(self, count: int) -> list[Level]:
        """Return the best ``count`` levels, best first; O(count)."""
        lots = self.lots
        found = islice(reversed(self.prices) if self.best_is_high else iter(self.prices), count)
        return [(price, lots[price]) for price in found]

    def rows(self, changed: dict[int, int]) -> list[Level]:
        """Return changed totals as rows, best price first."""
        return sorted(changed.items(), reverse=self.best_is_high)


class Depth:
    """Levels of one market and what has changed since the last diff.

    Parameters
    ----------
    market_seq, bids, asks
        The state to begin with: an image as of ``market_seq``; by default an empty book.

    Attributes
    ----------
    market_seq
        Number of the last change taken in.
    told_seq
        Number of the last change that went into a diff.
    """

    __slots__ = ("_asks", "_bids", "_halves", "_unsettled", "market_seq", "told_seq")

    def __init__(self, market_seq: int = 0, bids: Iterable[Level] = (), asks: Iterable[Level] = ()) -> None:
        self._bids, self._asks = Half(True), Half(False)
        self._halves = {int(Side.BUY): self._bids, int(Side.SELL): self._asks}
        # What changed since levels were last sorted in; `Half.changed` since the last diff.
        self._unsettled: dict[int, dict[int, int]] = {side: {} for side in self._halves}
        self.market_seq = self.told_seq = market_seq
        self._bids.settle(dict(bids))
        self._asks.settle(dict(asks))

    def change(self, side: int, price_ticks: int, level_lots: int, market_seq: int) -> bool:
        """Take in that a level's total is now ``level_lots``; O(1).

        Returns
        -------
        bool
            False when this number was taken in before (an image was newer).

        Raises
        ------
        StreamError
            STREAM_UNREPAIRABLE when ``market_seq`` leaves a hole.
        """
        if market_seq != self.market_seq + 1:
            if market_seq <= self.market_seq:
                return False
            raise StreamError(
                Code.STREAM_UNREPAIRABLE, f"expected market_seq {self.market_seq + 1}, was {market_seq}"
            )
        self.market_seq = market_seq
        self._unsettled[side][price_ticks] = level_lots
        return True

    def change_both(
        self, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int, market_seq: int
    ) -> bool:
        """Take in that a level of each side has a new total by one change (of an auction); as `change`."""
        if not self.change(Side.BUY, bid_ticks, bid_lots, market_seq):
            return False
        self._unsettled[Side.SELL][ask_ticks] = ask_lots
        return True

    @property
    def pending(self) -> bool:
        """Whether `diff` would return something."""
        return self.market_seq != self.told_seq

    def diff(self) -> Diff | None:
        """Return what changed since the last call, None for nothing; O(changed prices x log levels)."""
        if self.market_seq == self.told_seq:
            return None
        self._settle()
        bids, asks = self._bids, self._asks
        diff = Diff(self.told_seq + 1, self.market_seq, bids.rows(bids.changed), asks.rows(asks.changed))
        self.forget()
        return diff

    def forget(self) -> None:
        """Count what changed as told, though nobody wanted it; O(changed prices x log levels)."""
        self._settle()
        self._bids.changed = {}
        self._asks.changed = {}
        self.told_seq = self.market_seq

    def checksum(self) -> int:
        """Return the checksum of the ten best levels of each side as they are now."""
        self._settle()
        return checksum(self._bids.best(CHECKSUM_LEVELS), self._asks.best(CHECKSUM_LEVELS))

    def best(self) -> Best:
        """Return the best level of each side."""
        self._settle()
        bid, ask = (next(iter(half.best(1)), _NO_LEVEL) for half in (self._bids, self._asks))
        return Best(*bid, *ask, self.market_seq)

    def levels(self, count: int) -> tuple[list[Level], list[Level]]:
        """Return at most ``count`` levels a side as they are now, best first: bids, asks."""
        self._settle()
        return self._bids.best(count), self._asks.best(count)

    def level_counts(self) -> tuple[int, int]:
        """Return how many levels bids and asks have."""
        self._settle()
        return len(self._bids.lots), len(self._asks.lots)

    def _settle(self) -> None:
        for side, changed in self._unsettled.items():
            if changed:
                half = self._halves[side]
                half.settle(changed)
                half.changed.update(changed)
                changed.clear()

    def _check(self, *, may_be_crossed: bool = False) -> None:
        """Verify that levels are positive and sorted once, and that the book is not crossed (as it may be
        before an auction)."""
        self._settle()
        for half in (self._bids, self._asks):
            assert list(half.prices) == sorted(half.lots), "prices and totals name the same levels"
            assert all(lots > 0 for lots in half.lots.values()), "a level has lots"
        if self._bids.prices and self._asks.prices and not may_be_crossed:
            assert self._bids.prices[-1] < self._asks.prices[0], "the book is not crossed"


__all__ = ["Depth", "Diff", "Half", "Level"]
