"""A market's last 24 hours, kept as one bucket a minute.

Invariant: the ticker is that of all trades in the 1,440 minutes (UTC) that end with the present one, to
the last digit; at most 1,440 buckets are kept. No I/O, no clock: time comes with trades and with
`Tickers.roll`.
"""

from collections import deque
from collections.abc import Callable, Iterable

from bus.market_data import Ticker

from .bars import MINUTE_NS, Bar

MINUTES = 1_440


class Extreme:
    """The highest (or lowest) price over buckets that leave at the front: O(1) each, amortised."""

    __slots__ = ("_beats", "_candidates")

    def __init__(self, beats: Callable[[int, int], bool]) -> None:
        self._beats = beats
        self._candidates: deque[tuple[int, int]] = deque()

    def add(self, minute: int, price: int) -> None:
        """Add a price of the newest minute."""
        candidates = self._candidates
        while candidates and not self._beats(candidates[-1][1], price):
            candidates.pop()
        if not candidates or candidates[-1][0] != minute:
            candidates.append((minute, price))

    def drop_before(self, minute: int) -> None:
        """Let prices of earlier minutes go."""
        while self._candidates and self._candidates[0][0] < minute:
            self._candidates.popleft()

    @property
    def price(self) -> int:
        """The extreme price; only with buckets."""
        return self._candidates[0][1]


class Tickers:
    """The 24 h window of one market.

    Parameters
    ----------
    unit_atoms
        Quote atoms of one tick times one lot.
    last_ticks, last_trade_id
        Last price and trade before what follows; 0: never traded.
    complete_from_ns
        From when on all trades are known; 0: all there were.

    Attributes
    ----------
    changed
        Set when the values change; whoever tells them resets it.
    begins_seq
        Trades up to this seq are in it already (history).
    """

    __slots__ = (
        "_buckets", "_high", "_lots", "_low", "_minute", "_notional", "_trades", "_was_complete",
        "begins_seq", "changed", "complete_from_ns", "last_ticks", "last_trade_id", "unit_atoms",
    )  # fmt: skip

    def __init__(
        self, unit_atoms: int, last_ticks: int = 0, last_trade_id: int = 0, complete_from_ns: int = 0
    ) -> None:
        self.unit_atoms = unit_atoms
        self.last_ticks = last_ticks
        self.last_trade_id = last_trade_id
        self.complete_from_ns = complete_from_ns
        self.changed = False
        self.begins_seq = 0
        self._minute = 0
        self._buckets: deque[tuple[int, Bar]] = deque()
        self._high = Extreme(lambda kept, new: kept > new)
        self._low = Extreme(lambda kept, new: kept < new)
        self._lots = self._notional = self._trades = 0
        self._was_complete = False

    def add(self, bar: Bar, time_ns: int, last_trade_id: int) -> None:
        """Take in trades of one minute (a bar that the caller may go on changing); O(1) amortised."""
        self.roll(time_ns)
        minute = self._minute
        if self._buckets and self._buckets[-1][0] == minute:
            self._buckets[-1][1].merge(bar)
        else:
            self._buckets.append((minute, bar.copy()))
        self._high.add(minute, bar.high)
        self._low.add(minute, bar.low)
        self._lots += bar.lots
        self._notional += bar.notional
        self._trades += bar.trades
        self.last_ticks = bar.close
        self.last_trade_id = last_trade_id
        self.changed = True

    def roll(self, now_ns: int) -> None:
        """Let go what has left the window; O(minutes that leave). Time never goes back."""
        minute = now_ns // MINUTE_NS
        if minute <= self._minute:
            return
        self._minute = minute
        first = minute - MINUTES + 1
        while self._buckets and self._buckets[0][0] < first:
            _, bar = self._buckets.popleft()
            self._lots -= bar.lots
            self._notional -= bar.notional
            self._trades -= bar.trades
            self.changed = True
        self._high.drop_before(first)
        self._low.drop_before(first)
        if self.complete_from_ns <= self.from_ns and not self._was_complete:
            self._was_complete = True
            self.changed = True

    def seed(self, past: Iterable[tuple[int, Bar]], last_trade_id: int) -> None:
        """Begin with earlier bars by the start of their minute, oldest first (from history)."""
        for start_ns, bar in past:
            self.add(bar, start_ns, last_trade_id)

    @property
    def from_ns(self) -> int:
        """Start of the window."""
        return max(0, self._minute - MINUTES + 1) * MINUTE_NS

    def row(self, now_ns: int) -> Ticker:
        """Return the ticker; O(1). ``now_ns`` is the time up to which trades were taken in."""
        self.roll(now_ns)
        last = self.last_ticks
        if self._buckets:
            first, high, low = self._buckets[0][1].open, self._high.price, self._low.price
        else:
            first = high = low = last
        return Ticker(
            first, high, low, last, last - first, str(self._lots), str(self._notional * self.unit_atoms),
            self._trades, self.from_ns, now_ns, self.complete_from_ns <= self.from_ns, self.last_trade_id,
        )  # fmt: skip
