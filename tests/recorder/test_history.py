"""Every history query, in both databases, against what the events say."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bus import logs
from bus.errors import Code, ZeropitError
from bus.events import OrderAccepted, TradeExecuted
from recorder.database import Database
from recorder.queries import INTERVALS_S, QUERIES, page_of
from recorder.rows import Row
from tests.recorder.conftest import Server
from tests.recorder.tables import markets_of
from tests.recorder.test_rows import record
from tests.recorder.venue import MARKETS, START_NS, Venue

ROWS_MAX = 100
SCHEMA = "history"


@pytest.fixture(scope="module")
def venue(server: Server) -> Venue:
    """A venue whose stream is recorded: some hours, with gaps."""
    venue = Venue(5)
    venue.trade(150, pause_s_max=300)
    database = Database(lambda: server.dsn, SCHEMA, logs.set_up("recorder", "warning"))
    database.open()
    record(database, venue, Random(5))
    database.close()
    return venue


@pytest.fixture
def database(venue: Venue, open_database: Callable[[str], Database]) -> Database:
    """Where it is recorded; the tests of this module only read."""
    return open_database(SCHEMA)


def ask(database: Database, query: str, *args: object) -> list[Row]:
    """Return a query's rows as the recorder answers them."""
    page = page_of(query, args, MARKETS, ROWS_MAX)
    rows = [page.shape(row) for row in database.fetch(page.sql, page.parameters)]
    return rows[::-1] if page.newest_first else rows


def trades_of(venue: Venue, market: str) -> Iterator[tuple[int, int, TradeExecuted]]:
    """Yield ``(seq, time, trade)`` of a market."""
    for seq, now_ns, event in venue.events:
        if isinstance(event, TradeExecuted) and event.market == market:
            yield seq, now_ns, event


def test_trades_page_by_page(database: Database, venue: Venue) -> None:
    expected = [
        (e.trade_id, seq, ns, e.price_ticks, e.qty_lots, e.taker_side, e.maker_account, e.maker_order_id,
         e.taker_account, e.taker_order_id, e.kind, False)
        for seq, ns, e in trades_of(venue, "BTC-USD")
    ]  # fmt: skip
    assert len(expected) > 20
    found: list[Row] = []
    while page := ask(database, "trades", "BTC-USD", 0, 0, found[-1][0] if found else 0, 7):
        found += page
    assert found == expected
    assert ask(database, "last_trades", "BTC-USD", 0, 5) == expected[-5:]
    assert ask(database, "last_trades", "BTC-USD", expected[-5][0], 5) == expected[-10:-5]
    from_ns, to_ns = expected[5][2], expected[-5][2]
    between = [row for row in expected if from_ns <= row[2] < to_ns]
    assert ask(database, "trades", "BTC-USD", from_ns, to_ns, 0, ROWS_MAX) == between[:ROWS_MAX]


def test_orders_of_an_account(database: Database, venue: Venue) -> None:
    ids = [e.order_id for _, _, e in venue.events if isinstance(e, OrderAccepted) and e.account == "ann"]
    found: list[Row] = []
    while page := ask(database, "orders", "ann", "", 0, 0, found[-1][0] if found else 0, 9):
        found += page
    assert [row[0] for row in found] == ids
    assert {row[2] for row in found} == {"ann"}
    assert [row[0] for row in ask(database, "last_orders", "ann", "", 0, 4)] == ids[-4:]
    of_market = [row for row in found if row[3] == "ETH-USD"][:ROWS_MAX]
    assert ask(database, "orders", "ann", "ETH-USD", 0, 0, 0, ROWS_MAX) == of_market
    middle_ns = found[len(found) // 2][17]
    later = [row for row in found if row[17] >= middle_ns][:ROWS_MAX]
    assert ask(database, "orders", "ann", "", middle_ns, 0, 0, ROWS_MAX) == later
    assert ask(database, "order", "ann", found[3][0], "") == [found[3]]
    assert ask(database, "order", "ann", 0, found[3][1]) == [found[3]]
    assert ask(database, "order", "bob", found[3][0], "") == []


def test_events_of_an_order_tell_its_story(database: Database, venue: Venue) -> None:
    traded = next(e.maker_order_id for _, _, e in trades_of(venue, "BTC-USD") if e.maker_account == "ann")
    rows = ask(database, "order_events", "ann", traded, 0, ROWS_MAX)
    about = [
        seq
        for seq, _, event in venue.events
        if traded in (getattr(event, name, 0) for name in ("order_id", "maker_order_id", "taker_order_id"))
        and type(event).__name__.startswith(("Order", "Trade"))
    ]
    assert [row[0] for row in rows] == about
    assert rows[0][2] == 20 and 21 in {row[2] for row in rows}
    assert ask(database, "order_events", "ann", traded, about[0], 1) == rows[1:2]
    assert ask(database, "order_events", "bob", traded, 0, ROWS_MAX) == []


def test_trades_of_an_account_even_with_itself(database: Database, venue: Venue) -> None:
    expected = []
    for seq, _, e in [one for market in MARKETS for one in trades_of(venue, market)]:
        sides = [(e.maker_account, e.maker_order_id, True), (e.taker_account, e.taker_order_id, False)]
        expected += [(seq, order_id, is_maker) for account, order_id, is_maker in sides if account == "ann"]
    expected.sort()
    assert any(one[0] == two[0] for one, two in pairwise(expected)), "expected ann to meet herself"
    found: list[Row] = []
    while page := ask(database, "account_trades", "ann", "", 0, 0, found[-1][0] if found else 0, 1):
        found += page
    assert [(row[0], row[4], row[9]) for row in found] == expected


def test_balance_changes_add_up(database: Database, venue: Venue) -> None:
    found: list[Row] = []
    while page := ask(database, "balance_changes", "ann", "USD", found[-1][0] if found else 0, 50):
        found += page
    available, held = venue.exchange.balances("ann")["USD"]
    assert (sum(row[4] for row in found), sum(row[5] for row in found)) == (available, held)


@pytest.mark.parametrize("interval", INTERVALS_S)
def test_candles_of_every_interval(database: Database, venue: Venue, interval: str) -> None:
    unit_atoms = markets_of(venue)["BTC-USD"].unit_atoms
    expected: dict[int, list[Any]] = {}
    for _, now_ns, trade in trades_of(venue, "BTC-USD"):
        begin_ns, price, qty = _begin(now_ns, interval), trade.price_ticks, trade.qty_lots
        old = expected.setdefault(begin_ns, [begin_ns, price, price, price, price, 0, 0, 0])
        old[2:5] = max(old[2], price), min(old[3], price), price
        old[5:] = old[5] + qty, old[6] + price * qty * unit_atoms, old[7] + 1
    rows = [tuple(candle) for candle in expected.values()]
    found: list[Row] = []
    width_ns = INTERVALS_S[interval] * 10**9
    while page := ask(
        database, "candles", "BTC-USD", interval, found[-1][0] + width_ns if found else 0, 0, 3
    ):
        found += page
    assert found == rows
    assert ask(database, "last_candles", "BTC-USD", interval, 0, 2) == rows[-2:]
    assert ask(database, "last_candles", "BTC-USD", interval, rows[-1][0], 2) == rows[-3:-1]
    assert ask(database, "candles", "BTC-USD", interval, rows[0][0], rows[-1][0], 2) == rows[:-1][:2]


def _begin(now_ns: int, interval: str) -> int:
    """Return when the candle begins: 2023-11-14 was a Tuesday of a month that began on a Wednesday."""
    day_ns = 86_400 * 10**9
    assert START_NS // day_ns == 19_675
    if interval == "1M":
        return 19_662 * day_ns
    if interval == "1w":
        return 19_674 * day_ns
    width_ns = INTERVALS_S[interval] * 10**9
    return now_ns // width_ns * width_ns


def test_views_show_decimals(database: Database, venue: Venue) -> None:
    market = markets_of(venue)["BTC-USD"]
    seq, _, trade = next(trades_of(venue, "BTC-USD"))
    rows = database.fetch(
        "SELECT price::text, quantity::text, quote_quantity::text FROM trades_decimal WHERE seq = %b", (seq,)
    )
    price = trade.price_ticks * market.tick_mantissa
    assert [float(text) for text in rows[0]] == [
        price / 100, trade.qty_lots * 10_000 / 10**8, trade.price_ticks * trade.qty_lots / 10**6,
    ]  # fmt: skip
    for view in ("markets", "orders", "balances", "balance_changes", "candles", "trades"):
        count = database.fetch(f"SELECT count(*) FROM {view}_decimal", ())
        assert count == database.fetch(f"SELECT count(*) FROM {view}", ())
    assert database.fetch("SELECT decimal_of(12345678901234567890, 18)::text", ()) == [
        ("12.34567890123456789",)
    ]


@pytest.mark.parametrize(
    ("query", "args", "code"),
    [
        ("nothing", (), Code.UNSUPPORTED_TYPE),
        ("trades", ("BTC-USD", 0, 0, 0), Code.MISSING_FIELD),
        ("trades", ("BTC-USD", 0, 0, 0, 1, 1), Code.UNSUPPORTED_FIELD),
        ("trades", ("BTC-USD", 0, 0, 0, 0), Code.OUT_OF_RANGE),
        ("trades", ("BTC-USD", 0, 0, 0, ROWS_MAX + 1), Code.OUT_OF_RANGE),
        ("trades", ("BTC-USD", -1, 0, 0, 1), Code.OUT_OF_RANGE),
        ("trades", ("BTC-USD", 2**63, 0, 0, 1), Code.OUT_OF_RANGE),
        ("trades", ("BTC-USD", True, 0, 0, 1), Code.WRONG_TYPE),
        ("trades", (b"BTC-USD", 0, 0, 0, 1), Code.WRONG_TYPE),
        ("trades", ("BTC-EUR", 0, 0, 0, 1), Code.UNKNOWN_MARKET),
        ("trades", ("", 0, 0, 0, 1), Code.OUT_OF_RANGE),
        ("orders", ("a\0b", "", 0, 0, 0, 1), Code.OUT_OF_RANGE),
        ("orders", ("a" * 65, "", 0, 0, 0, 1), Code.OUT_OF_RANGE),
        ("order", ("ann", 0, ""), Code.OUT_OF_RANGE),
        ("order", ("ann", 1, "x"), Code.OUT_OF_RANGE),
        ("candles", ("BTC-USD", "2m", 0, 0, 1), Code.OUT_OF_RANGE),
    ],
)
def test_bad_arguments(query: str, args: tuple[object, ...], code: Code) -> None:
    with pytest.raises(ZeropitError) as refused:
        page_of(query, args, MARKETS, ROWS_MAX)
    assert refused.value.code == code
    assert "expected" in refused.value.detail and "was" in refused.value.detail


def test_every_query_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "history.md").read_text()
    for name, spec in QUERIES.items():
        args = ", ".join(spec.names)
        assert f"| `{name}` | `[{args}]` |" in page
    for interval in INTERVALS_S:
        assert f"`{interval}`" in page
