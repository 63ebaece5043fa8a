"""Bars (first, highest, lowest, last price and volume of some trades) and the intervals they are kept for.

Invariant: merging bars in order of time gives the bar of all their trades, to the last digit; an interval
begins where the one before it ends. No I/O, no clock.
"""

from datetime import date
from typing import NamedTuple

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
WEEK_NS = 7 * DAY_NS

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MONDAY_NS = 4 * DAY_NS
"""The first Monday of the epoch: 5 January 1970."""


class Bar:
    """What some trades in a row amount to.

    ``notional`` is the sum of price x quantity in ticks x lots; times the market's ``unit_atoms`` it is
    quote atoms.
    """

    __slots__ = ("close", "high", "lots", "low", "notional", "open", "trades")

    def __init__(
        self, open: int, high: int, low: int, close: int, lots: int = 0, notional: int = 0, trades: int = 0
    ) -> None:
        self.open, self.high, self.low, self.close = open, high, low, close
        self.lots, self.notional, self.trades = lots, notional, trades

    @classmethod
    def of(cls, price: int, lots: int) -> "Bar":
        """Return the bar of one trade."""
        return cls(price, price, price, price, lots, price * lots, 1)

    @classmethod
    def flat(cls, price: int) -> "Bar":
        """Return the bar of an interval without a trade."""
        return cls(price, price, price, price)

    def add(self, price: int, lots: int) -> None:
        """Add a later trade; O(1)."""
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.lots += lots
        self.notional += price * lots
        self.trades += 1

    def merge(self, later: "Bar") -> None:
        """Add the trades of a later bar; O(1)."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.lots += later.lots
        self.notional += later.notional
        self.trades += later.trades

    def copy(self) -> "Bar":
        """Return a bar of its own with the same values."""
        return Bar(self.open, self.high, self.low, self.close, self.lots, self.notional, self.trades)


class Interval(NamedTuple):
    """A length of time that candles are made for; ``step_ns`` 0 is a calendar month. All in UTC."""

    name: str
    step_ns: int
    first_ns: int = 0

    def start_of(self, time_ns: int) -> int:
        """Return the start of the interval that contains a time."""
        if self.step_ns:
            return time_ns - (time_ns - self.first_ns) % self.step_ns
        return _month_ns(_day_of(time_ns), 0)

    def next(self, start_ns: int) -> int:
        """Return the start of the interval after the one that begins at ``start_ns``."""
        return start_ns + self.step_ns if self.step_ns else _month_ns(_day_of(start_ns), 1)

    def earlier(self, start_ns: int, count: int) -> int:
        """Return the start of the interval ``count`` before the one that begins at ``start_ns``."""
        if self.step_ns:
            return start_ns - count * self.step_ns
        return _month_ns(_day_of(start_ns), -count)


def _day_of(time_ns: int) -> date:
    return date.fromordinal(_EPOCH_ORDINAL + time_ns // DAY_NS)


def _month_ns(day: date, later: int) -> int:
    """Return the start of the month that lies ``later`` months after that of ``day``; not before year 1."""
    month = max(12, day.year * 12 + day.month - 1 + later)
    return (date(month // 12, month % 12 + 1, 1).toordinal() - _EPOCH_ORDINAL) * DAY_NS


INTERVALS = {
    interval.name: interval
    for interval in (
        Interval("1s", SECOND_NS),
        Interval("5s", 5 * SECOND_NS),
        Interval("15s", 15 * SECOND_NS),
        Interval("1m", MINUTE_NS),
        Interval("5m", 5 * MINUTE_NS),
        Interval("15m", 15 * MINUTE_NS),
        Interval("30m", 30 * MINUTE_NS),
        Interval("1h", HOUR_NS),
        Interval("4h", 4 * HOUR_NS),
        Interval("1d", DAY_NS),
        Interval("1w", WEEK_NS, _MONDAY_NS),
        Interval("1M", 0),
    )
}
"""Every interval by its name; each begins at a whole second."""
