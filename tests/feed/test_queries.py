"""Questions about market data: answered as documented, bounded, refused with a typed error."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bus.errors import Code, ZeropitError
from bus.market_data import Auction, Best, Candle, MarketRow, Offer, Ticker, Trade
from bus.query_frames import Query
from feed.bars import INTERVALS
from feed.market import Bounds
from feed.markets import Markets
from feed.publisher import Publisher
from feed.queries import Queries, QueryLimits
from feed.telling import Pace, Teller
from tests.feed.venue import Venue

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "market-data.md"
ROWS_MAX, LEVELS_MAX = 7, 5


@pytest.fixture
def queries() -> Iterator[Queries]:
    """Questions about a market that was traded on."""
    venue = Venue(11)
    venue.trade(60, pause_s_max=2.0)
    markets = Markets(Bounds(("1s", "1m"), 20, 100))
    for frame in venue.decoded():
        markets.apply(frame, 0)
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        teller = Teller(markets, Publisher(socket, 77, 10), Pace(1, 1, 1))
        teller.begin()
        yield Queries(markets, teller, 77, QueryLimits(ROWS_MAX, LEVELS_MAX), lambda: {"ready": True})


def ask(queries: Queries, query: str, *args: object) -> object:
    """Ask one question."""
    return queries.answer(Query(1, query, args))


def test_each_query_answers_within_its_bounds(queries: Queries) -> None:
    rows = ask(queries, "markets", "", ROWS_MAX)
    assert isinstance(rows, list) and all(type(row) is MarketRow for row in rows)
    assert [row.market for row in rows] == ["BTC-USD", "ETH-USD"]
    assert ask(queries, "markets", "BTC-USD", 1) == rows[1:]
    depth = ask(queries, "depth", "BTC-USD", 2)
    assert isinstance(depth, tuple)
    market_seq, bids, asks, _, bid_levels, ask_levels, state = depth
    assert market_seq == rows[0].market_seq and state == rows[0].state
    assert (len(bids), len(asks)) == (min(2, bid_levels), min(2, ask_levels))
    trades = ask(queries, "trades", "BTC-USD", -1, 3)
    assert isinstance(trades, tuple)
    oldest, last, newest = trades
    assert last == rows[0].last_trade_id and oldest == max(1, last - 19)
    assert [trade.trade_id for trade in newest] == [last - 2, last - 1, last]
    assert type(newest[0]) is Trade
    assert ask(queries, "trades", "BTC-USD", last - 1, 3) == (oldest, last, newest[-1:])
    ticker = ask(queries, "ticker", "BTC-USD")
    assert type(ticker) is Ticker and ticker.last_trade_id == last
    assert ask(queries, "tickers", "", 1) == [("BTC-USD", ticker)]
    candles = ask(queries, "candles", "BTC-USD", "1m", -1, 2)
    assert isinstance(candles, list) and type(candles[-1]) is Candle
    assert candles[-1].close_ticks == ticker.last_ticks
    assert ask(queries, "status") == {"ready": True}


def test_last_gives_each_topics_newest_value(queries: Queries) -> None:
    best = ask(queries, "book", "BTC-USD")
    assert type(best) is Best
    bodies = {}
    for kind in ("trade", "depth", "book", "ticker", "market", "candle"):
        topic = f"{kind}.BTC-USD" + (".1m" if kind == "candle" else "")
        answer = ask(queries, "last", topic)
        assert isinstance(answer, tuple)
        instance, *numbers, _, _, bodies[kind] = answer
        assert instance == 77
        if kind == "depth":
            assert numbers == [1, best.market_seq]
        elif kind == "trade":
            assert numbers == [ask(queries, "ticker", "BTC-USD")[-1]] * 2  # type: ignore[index]
        else:
            assert numbers == [0, 0], "nothing was sent yet"
    assert bodies["book"] == best
    assert bodies["trade"][0].price_ticks == bodies["ticker"].last_ticks
    bids, _asks, _ = bodies["depth"]
    assert bids[0] == best[:2]
    assert bodies["candle"] == ask(queries, "candles", "BTC-USD", "1m", -1, 2)


REFUSED: list[tuple[Code, str, tuple[object, ...]]] = [
    (Code.UNSUPPORTED_TYPE, "balances", ("ann",)),
    (Code.MISSING_FIELD, "depth", ("BTC-USD",)),
    (Code.UNSUPPORTED_FIELD, "ticker", ("BTC-USD", 1)),
    (Code.WRONG_TYPE, "depth", (1, 1)),
    (Code.WRONG_TYPE, "depth", ("BTC-USD", True)),
    (Code.WRONG_TYPE, "depth", ("BTC-USD", "1")),
    (Code.WRONG_TYPE, "depth", ("BTC-USD", None)),
    (Code.UNKNOWN_MARKET, "depth", ("BTC-EUR", 1)),
    (Code.UNKNOWN_MARKET, "last", ("trade.BTC-EUR",)),
    (Code.UNKNOWN_MARKET, "last", ("candle.1m",)),
    (Code.OUT_OF_RANGE, "depth", ("BTC-USD", 0)),
    (Code.OUT_OF_RANGE, "depth", ("BTC-USD", LEVELS_MAX + 1)),
    (Code.OUT_OF_RANGE, "trades", ("BTC-USD", -2, 1)),
    (Code.OUT_OF_RANGE, "trades", ("BTC-USD", 0, ROWS_MAX + 1)),
    (Code.OUT_OF_RANGE, "candles", ("BTC-USD", "2m", 0, 1)),
    (Code.OUT_OF_RANGE, "candles", ("BTC-USD", "1m", 0, 0)),
    (Code.OUT_OF_RANGE, "candles", ("BTC-USD", "1m", 2**63, 1)),
    (Code.OUT_OF_RANGE, "markets", ("", 0)),
    (Code.OUT_OF_RANGE, "last", ("orders.BTC-USD",)),
    (Code.OUT_OF_RANGE, "last", ("candle.BTC-USD.2m",)),
]


@pytest.mark.parametrize(("code", "query", "args"), REFUSED)
def test_what_is_wrong_is_refused_by_its_code(
    queries: Queries, code: Code, query: str, args: tuple[object, ...]
) -> None:
    with pytest.raises(ZeropitError, match=r"expected .*was") as caught:
        ask(queries, query, *args)
    assert caught.value.code == code


def test_the_reference_names_every_query_row_and_interval(queries: Queries) -> None:
    text = PAGE.read_text("utf-8")
    documented = re.findall(r"^\| `([a-z]+)` \| `\[", text, re.MULTILINE)
    assert documented == list(queries._queries)
    for name, row in (
        ("trade", Trade), ("ticker", Ticker), ("candle", Candle), ("auction", Auction), ("offer", Offer),
        ("market row", MarketRow),
    ):  # fmt: skip
        found = re.search(rf"^- \*\*{name}\*\*: `\[(.*?)\]`", text, re.MULTILINE | re.DOTALL)
        assert found, name
        assert re.split(r",\s+", found[1]) == list(row._fields)
    intervals = re.search(r"^Intervals: `(.*?)`", text, re.MULTILINE)
    assert intervals and intervals[1].split() == list(INTERVALS)
