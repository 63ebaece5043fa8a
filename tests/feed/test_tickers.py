"""The 24 h window against the plainest computation: look through all trades."""

from hypothesis import given
from hypothesis import strategies as st

from bus.market_data import Ticker
from feed.bars import MINUTE_NS, SECOND_NS, Bar
from feed.tickers import Tickers

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


def naive(deals: list[tuple[int, int, int]], now_ns: int) -> Ticker:
    """Return the ticker of the minutes of the last 24 hours, from the list of all trades."""
    from_ns = (now_ns // MINUTE_NS - 1_439) * MINUTE_NS
    inside = [deal for deal in deals if deal[0] >= from_ns]
    last = deals[-1][1] if deals else 0
    prices = [price for _, price, _ in inside] or [last]
    return Ticker(
        prices[0], max(prices), min(prices), last, last - prices[0], str(sum(lots for *_, lots in inside)),
        str(sum(price * lots * UNIT for _, price, lots in inside)), len(inside), from_ns, now_ns, True,
        len(deals),
    )  # fmt: skip


@given(DEALS, st.sampled_from([0, MINUTE_NS, 24 * HOUR_NS, 24 * HOUR_NS - MINUTE_NS]))
def test_the_window_is_that_of_all_trades(raw: list[tuple[int, int, int]], pause_ns: int) -> None:
    tickers = Tickers(UNIT)
    now_ns = START_NS
    deals: list[tuple[int, int, int]] = []
    for number, (step_ns, price, lots) in enumerate(raw, start=1):
        now_ns += step_ns
        deals.append((now_ns, price, lots))
        tickers.add(Bar.of(price, lots), now_ns, number)
        assert tickers.changed
        assert tickers.row(now_ns) == naive(deals, now_ns)
    before = tickers.row(now_ns)
    tickers.changed = False
    now_ns += pause_ns
    after = tickers.row(now_ns)
    assert after == naive(deals, now_ns)
    assert len(tickers._buckets) <= 1_440
    if deals and after[:8] != before[:8]:
        assert tickers.changed, "what the pause did to the values is news"


@given(DEALS)
def test_history_gives_the_same_window(raw: list[tuple[int, int, int]]) -> None:
    now_ns = START_NS
    deals: list[tuple[int, int, int]] = []
    minutes: dict[int, Bar] = {}
    for step_ns, price, lots in raw:
        now_ns += step_ns
        deals.append((now_ns, price, lots))
        start_ns = now_ns // MINUTE_NS * MINUTE_NS
        if start_ns in minutes:
            minutes[start_ns].add(price, lots)
        else:
            minutes[start_ns] = Bar.of(price, lots)
    tickers = Tickers(UNIT)
    tickers.seed(minutes.items(), len(deals))
    assert tickers.row(now_ns) == naive(deals, now_ns)


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
