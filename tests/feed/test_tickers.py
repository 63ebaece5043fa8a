"""The 24 h window against the plainest computation: look through all trades."""

from hypothesis import given
from hypothesis import strategies as st

from feed.bars import MINUTE_NS, SECOND_NS, Bar
from feed.tickers import Tickers
from tests.feed.naive import Deal, ticker_of

UNIT = 3
START_NS = 1_700_000_000 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DEALS = st.lists(
    st.tuples(
        st.sampled_from(
            [0, 1, SECOND_NS, MINUTE_NS - 1, HOUR_NS, 7 * HOUR_NS, 23 * HOUR_NS + 59 * MINUTE_NS]
        ),
        st.integers(1, 9),
        st.integers(1, 2**40),
    ),
    max_size=25,
)


@given(DEALS, st.sampled_from([0, MINUTE_NS, 24 * HOUR_NS, 24 * HOUR_NS - MINUTE_NS]))
def test_the_window_is_that_of_all_trades(raw: list[tuple[int, int, int]], pause_ns: int) -> None:
    tickers = Tickers(UNIT)
    now_ns = START_NS
    deals: list[Deal] = []
    for number, (step_ns, price, lots) in enumerate(raw, start=1):
        now_ns += step_ns
        deals.append(Deal(now_ns, price, lots))
        tickers.add(Bar.of(price, lots), now_ns, number)
        assert tickers.changed
        assert tickers.row(now_ns) == ticker_of(deals, now_ns, UNIT)
    before = tickers.row(now_ns)
    tickers.changed = False
    now_ns += pause_ns
    after = tickers.row(now_ns)
    assert after == ticker_of(deals, now_ns, UNIT)
    assert len(tickers._buckets) <= 1_440
    if deals and after[:8] != before[:8]:
        assert tickers.changed, "what the pause did to the values is news"


@given(DEALS)
def test_history_gives_the_same_window(raw: list[tuple[int, int, int]]) -> None:
    now_ns = START_NS
    deals: list[Deal] = []
    minutes: dict[int, Bar] = {}
    for step_ns, price, lots in raw:
        now_ns += step_ns
        deals.append(Deal(now_ns, price, lots))
        start_ns = now_ns // MINUTE_NS * MINUTE_NS
        if start_ns in minutes:
            minutes[start_ns].add(price, lots)
        else:
            minutes[start_ns] = Bar.of(price, lots)
    tickers = Tickers(UNIT)
    tickers.seed(minutes.items(), len(deals))
    assert tickers.row(now_ns) == ticker_of(deals, now_ns, UNIT)


def test_a_bare_start_is_incomplete_for_a_day() -> None:
    tickers = Tickers(UNIT, last_ticks=5, last_trade_id=9, complete_from_ns=START_NS)
    row = tickers.row(START_NS)
    assert (row.complete, row.open_ticks, row.last_ticks, row.trades, row.last_trade_id) == (
        False,
        5,
        5,
        0,
        9,
    )
    assert not tickers.row(START_NS + 23 * HOUR_NS).complete
    tickers.changed = False
    assert tickers.row(START_NS + 24 * HOUR_NS + MINUTE_NS).complete
    assert tickers.changed
