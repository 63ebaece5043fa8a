"""Intervals begin where a calendar says, and each where the one before it ends."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from feed.bars import DAY_NS, INTERVALS, SECOND_NS, Bar

TIMES_NS = st.integers(0, 4_000_000_000 * SECOND_NS)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(time_ns: int) -> datetime:
    """Return a time as the calendar has it."""
    return EPOCH + timedelta(microseconds=time_ns // 1_000)


@given(TIMES_NS, st.sampled_from(sorted(INTERVALS)))
def test_an_interval_holds_its_time_and_ends_where_the_next_begins(time_ns: int, name: str) -> None:
    interval = INTERVALS[name]
    start_ns = interval.start_of(time_ns)
    next_ns = interval.next(start_ns)
    assert start_ns <= time_ns < next_ns
    assert interval.start_of(next_ns) == next_ns
    assert interval.start_of(next_ns - 1) == start_ns
    assert interval.earlier(next_ns, 1) == start_ns
    assert interval.start_of(interval.earlier(start_ns, 3)) == interval.earlier(start_ns, 3)
    assert start_ns % SECOND_NS == 0


@given(TIMES_NS)
def test_months_weeks_and_days_are_those_of_the_calendar(time_ns: int) -> None:
    time = at(time_ns)
    day = time.replace(hour=0, minute=0, second=0, microsecond=0)
    assert at(INTERVALS["1M"].start_of(time_ns)) == day.replace(day=1)
    assert at(INTERVALS["1d"].start_of(time_ns)) == day
    week = INTERVALS["1w"].start_of(time_ns)
    assert at(week) == day - timedelta(days=day.weekday())
    assert at(INTERVALS["4h"].start_of(time_ns)).hour % 4 == 0


def test_a_month_is_not_a_minute() -> None:
    february_ns = INTERVALS["1M"].start_of(int(datetime(2024, 2, 29, tzinfo=UTC).timestamp()) * SECOND_NS)
    assert (INTERVALS["1M"].next(february_ns) - february_ns) == 29 * DAY_NS
    assert INTERVALS["1m"].step_ns == 60 * SECOND_NS


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 2**62)), min_size=2, max_size=30), st.data())
def test_merged_bars_are_the_bar_of_all_trades(trades: list[tuple[int, int]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(trades) - 1))
    bars = []
    for part in (trades[:cut], trades[cut:]):
        bar = Bar.of(*part[0])
        for price, lots in part[1:]:
            bar.add(price, lots)
        bars.append(bar)
    bars[0].merge(bars[1])
    prices = [price for price, _ in trades]
    bar = bars[0]
    assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
    assert bar.lots == sum(lots for _, lots in trades)
    assert bar.notional == sum(price * lots for price, lots in trades)
    assert bar.trades == len(trades)
