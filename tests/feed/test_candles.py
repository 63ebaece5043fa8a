"""Candles against the plainest computation: for each interval, look through all trades."""

from hypothesis import given
from hypothesis import strategies as st

from bus.market_data import Candle
from feed.bars import INTERVALS, SECOND_NS, Bar
from feed.candles import Candles
from tests.feed.naive import Deal, candles_of

UNIT = 7
START_NS = 1_709_251_140 * SECOND_NS
"""A minute before a month ends, on a Thursday: 2024-02-29 23:59."""


DEALS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, SECOND_NS - 1, SECOND_NS, 3 * SECOND_NS, 61 * SECOND_NS, 400 * SECOND_NS]),
        st.integers(1, 9),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=25,
)
"""(pause before it, price, lots)."""


def deals_of(raw: list[tuple[int, int, int]]) -> list[Deal]:
    """Give the trades their times."""
    time_ns, deals = START_NS, []
    for pause_ns, price, lots in raw:
        time_ns += pause_ns
        deals.append(Deal(time_ns, price, lots))
    return deals


def naive(deals: list[Deal], name: str, now_ns: int) -> list[Candle]:
    """Return the candles that are right."""
    return candles_of(deals, name, now_ns, UNIT)


@given(DEALS, st.sampled_from(sorted(INTERVALS)), st.sampled_from([0, SECOND_NS, 90 * SECOND_NS]), st.data())
def test_candles_are_those_of_all_trades(
    raw: list[tuple[int, int, int]], name: str, pause_ns: int, data: st.DataObject
) -> None:
    candles = Candles([name], 1_000, UNIT)
    deals = deals_of(raw)
    told: dict[int, Candle] = {}
    for deal in deals:
        candles.add(Bar.of(deal.price, deal.lots), deal.time_ns)
        if data.draw(st.booleans()):
            told.update((row.start_ns, row) for row in candles.changes(name))
    now_ns = deals[-1].time_ns + pause_ns
    candles.roll(now_ns)
    told.update((row.start_ns, row) for row in candles.changes(name))
    expected = naive(deals, name, now_ns)
    assert candles.rows(name, 0, 10_000) == expected
    assert candles.rows(name, -1, 10_000) == expected
    assert candles.rows(name, -1, 3) == expected[-3:]
    middle = expected[len(expected) // 2]
    found = candles.rows(name, middle.start_ns + 1, 2)
    assert found == expected[len(expected) // 2 :][:2]
    # Whoever follows the topic from the first message on has the same candles in the end.
    assert [told[start_ns] for start_ns in sorted(told)] == expected
    assert not candles.changed


@given(DEALS, st.integers(1, 4))
def test_at_most_so_many_are_kept_and_they_are_right(raw: list[tuple[int, int, int]], kept_max: int) -> None:
    candles = Candles(["1s"], kept_max, UNIT)
    deals = deals_of(raw)
    for deal in deals:
        candles.add(Bar.of(deal.price, deal.lots), deal.time_ns)
    rows = candles.rows("1s", 0, 10_000)
    assert rows == naive(deals, "1s", deals[-1].time_ns)[-len(rows) :]
    assert sum(row.trades > 0 for row in rows) <= kept_max + 1


@given(DEALS, st.data())
def test_history_and_what_follows_it_give_the_same(
    raw: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    deals = deals_of(raw)
    cut = data.draw(st.integers(1, len(deals)))
    name = data.draw(st.sampled_from(["1s", "15s", "1m", "1M"]))
    past = [
        (row.start_ns, Bar(*row[1:5], int(row.volume_lots), int(row.volume_atoms) // UNIT, row.trades))
        for row in naive(deals[:cut], name, deals[cut - 1].time_ns)
        if row.trades
    ]
    candles = Candles([name], 1_000, UNIT)
    candles.series[name].seed(past, deals[cut - 1].time_ns)
    assert not candles.changed
    for deal in deals[cut:]:
        candles.add(Bar.of(deal.price, deal.lots), deal.time_ns)
    assert candles.rows(name, 0, 10_000) == naive(deals, name, deals[-1].time_ns)


def test_nothing_before_the_first_trade_and_incomplete_after_a_bare_start() -> None:
    candles = Candles(["1s", "1m"], 10, UNIT, complete_from_ns=START_NS + 5 * SECOND_NS)
    candles.roll(START_NS)
    assert candles.rows("1s", -1, 5) == [] and not candles.changed
    candles.add(Bar.of(3, 1), START_NS + 4 * SECOND_NS)
    candles.roll(START_NS + 5 * SECOND_NS)
    assert [row.complete for row in candles.rows("1s", -1, 5)] == [False, True]
    assert [row.complete for row in candles.rows("1m", -1, 5)] == [False]


def test_a_long_pause_is_told_within_bounds() -> None:
    candles = Candles(["1s"], 5, UNIT)
    candles.add(Bar.of(3, 1), START_NS)
    candles.changes("1s")
    candles.roll(START_NS + 1_000_000 * SECOND_NS)
    rows = candles.changes("1s")
    assert len(rows) == 6
    assert all(row[1:5] == (3, 3, 3, 3) and row.trades == 0 for row in rows)
