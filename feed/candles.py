"""A market's candles of several intervals.

Invariant: from the first trade on there is exactly one candle for every interval; one without trades
repeats the close before it. A closed candle never changes. At most ``kept_max`` candles *with trades* are
kept an interval; the others are made when asked for. No I/O, no clock: time comes with trades and with
`Candles.roll`.
"""

from collections import deque
from collections.abc import Iterable

from bus.market_data import Candle

from .bars import INTERVALS, SECOND_NS, Bar, Interval


class Series:
    """Candles of one interval.

    Attributes
    ----------
    start_ns, end_ns
        The interval under way; 0 before the first trade.
    changed
        Whether `take_changes` has something.
    begins_seq
        Trades up to this seq are in it already (history).
    complete_from_ns
        From when on all trades are in it; 0: all there were.
    """

    __slots__ = (
        "_bar", "_close", "_kept", "_kept_max", "_told_ns", "begins_seq", "changed", "complete_from_ns",
        "end_ns", "interval", "start_ns",
    )  # fmt: skip

    def __init__(self, interval: Interval, kept_max: int, complete_from_ns: int = 0) -> None:
        self.interval = interval
        self.complete_from_ns = complete_from_ns
        self.start_ns = self.end_ns = 0
        self.begins_seq = 0
        self.changed = False
        self._kept_max = kept_max
        self._kept: deque[tuple[int, Bar]] = deque(maxlen=kept_max)
        self._bar: Bar | None = None
        self._close = 0
        self._told_ns = 0

    def add(self, bar: Bar, time_ns: int) -> None:
        """Take in trades of one second (a bar that the caller may go on changing); O(1)."""
        if not self.end_ns:
            self._begin(time_ns)
        elif time_ns >= self.end_ns:
            self.roll(time_ns)
        if self._bar is None:
            self._bar = bar.copy()
        else:
            self._bar.merge(bar)
        self._close = bar.close
        self.changed = True

    def roll(self, now_ns: int) -> None:
        """Close what is over at ``now_ns``; O(1)."""
        if not self.end_ns or now_ns < self.end_ns:
            return
        if self._bar is not None:
            self._kept.append((self.start_ns, self._bar))
            self._bar = None
        self._begin(now_ns)
        self.changed = True

    def seed(self, past: Iterable[tuple[int, Bar]], now_ns: int) -> None:
        """Begin with earlier bars by their start, oldest first (from history), as of ``now_ns``.

        The last may be under way. Nothing of it is told as a change.
        """
        for start_ns, bar in past:
            if self.end_ns:
                self.roll(start_ns)
            self.add(bar, start_ns)
        self.roll(now_ns)
        self.forget()

    def newest(self, limit: int, since_ns: int = 0) -> list[tuple[int, Bar, bool]]:
        """Return the newest ``limit`` at or after ``since_ns``, oldest first: (start, bar, closed)."""
        if not self.end_ns:
            return []
        back = self.interval.earlier(self.start_ns, limit - 1)
        return self.since(max(back, since_ns, self.oldest_ns), limit)

    def since(self, from_ns: int, limit: int) -> list[tuple[int, Bar, bool]]:
        """Return at most ``limit`` candles from the one that contains ``from_ns`` on; O(kept + limit)."""
        if not self.end_ns:
            return []
        start_ns = max(self.interval.start_of(from_ns), self.oldest_ns)
        bars = dict(self._kept)
        close = self._close_before(start_ns)
        rows: list[tuple[int, Bar, bool]] = []
        while start_ns <= self.start_ns and len(rows) < limit:
            bar = self._bar if start_ns == self.start_ns else bars.get(start_ns)
            if bar is None:
                bar = Bar.flat(close)
            close = bar.close
            rows.append((start_ns, bar, start_ns < self.start_ns))
            start_ns = self.interval.next(start_ns)
        return rows

    def take_changes(self) -> list[tuple[int, Bar, bool]]:
        """Return what changed since the last call: candles closed meanwhile and the one under way."""
        rows = self.newest(self._kept_max + 1, self._told_ns)
        self.forget()
        return rows

    def forget(self) -> None:
        """Count what changed as told, though nobody wanted it; O(1)."""
        self._told_ns = self.start_ns
        self.changed = False

    @property
    def oldest_ns(self) -> int:
        """Start of the oldest candle at hand."""
        return self._kept[0][0] if self._kept else self.start_ns

    def _begin(self, time_ns: int) -> None:
        self.start_ns = self.interval.start_of(time_ns)
        self.end_ns = self.interval.next(self.start_ns)

    def _close_before(self, start_ns: int) -> int:
        """Return the last close before an interval at hand (of the oldest at hand: its own open)."""
        for kept_ns, bar in reversed(self._kept):
            if kept_ns < start_ns:
                return bar.close
        first = self._kept[0][1] if self._kept else self._bar
        return first.open if first is not None else self._close


class Candles:
    """All candles of one market.

    Parameters
    ----------
    intervals
        Names out of `INTERVALS`.
    kept_max
        Candles with trades kept an interval.
    unit_atoms
        Quote atoms of one tick times one lot.
    complete_from_ns
        From when on all trades are known; 0: all there were.
    """

    def __init__(
        self, intervals: Iterable[str], kept_max: int, unit_atoms: int, complete_from_ns: int = 0
    ) -> None:
        self.series = {name: Series(INTERVALS[name], kept_max, complete_from_ns) for name in intervals}
        self.unit_atoms = unit_atoms
        self._kept_max = kept_max
        self._next_second_ns = 0

    def add(self, bar: Bar, time_ns: int) -> None:
        """Take in the trades of one second; O(intervals)."""
        for series in self.series.values():
            series.add(bar, time_ns)

    def roll(self, now_ns: int) -> None:
        """Close what is over; O(intervals), once a second."""
        if now_ns < self._next_second_ns:
            return
        self._next_second_ns = now_ns - now_ns % SECOND_NS + SECOND_NS
        for series in self.series.values():
            series.roll(now_ns)

    @property
    def complete_from_ns(self) -> int:
        """From when on all trades are in all intervals; 0: all there were."""
        return max((series.complete_from_ns for series in self.series.values()), default=0)

    @property
    def changed(self) -> bool:
        """Whether candles of any interval changed since they were told."""
        return any(series.changed for series in self.series.values())

    def changes(self, interval: str) -> list[Candle]:
        """Return the candles of an interval that changed since the last call, oldest first."""
        series = self.series[interval]
        return [self._row(series, *row) for row in series.take_changes()]

    def rows(self, interval: str, from_ns: int, limit: int) -> list[Candle]:
        """Return at most ``limit`` candles from the one that contains ``from_ns`` on; -1: the newest."""
        series = self.series[interval]
        found = series.newest(limit) if from_ns < 0 else series.since(from_ns, limit)
        return [self._row(series, *row) for row in found]

    def _row(self, series: Series, start_ns: int, bar: Bar, closed: bool) -> Candle:
        return Candle(
            start_ns, bar.open, bar.high, bar.low, bar.close, str(bar.lots),
            str(bar.notional * self.unit_atoms), bar.trades, closed,
            start_ns >= series.complete_from_ns,
        )  # fmt: skip
