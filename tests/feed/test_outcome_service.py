"""The feed as a process beside a real engine, on a market of two runners: an auction, offers, states."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bus.commands import (
    OPERATOR,
    CreateOutcomeMarket,
    MarketModel,
    MarketState,
    PlaceOrder,
    SetMarketState,
    Side,
)
from bus.events import TradeKind
from bus.market_data import AUCTION, Auction, MarketRow, Offer, Ticker, Trade
from tests.feed.crowd import Crowd
from tests.feed.subscriber import Book
from tests.feed.test_service import NO_REPLAY, recorded_seq
from tests.feed.test_terminal import command
from tests.poll import until
from tests.processes import Processes

A, B = "match:a", "match:b"


@pytest.fixture
def crowd(short_dir: Path) -> Iterator[tuple[Crowd, Processes]]:
    """Engine, archive, recorder and feed, and who trades with them."""
    with Processes(short_dir, "feed.heartbeat_ms=100", "engine.indication_interval_ms=1") as processes:
        processes.start_all(["engine", "archive", "recorder", "feed"])
        with Crowd(processes) as crowd:
            yield crowd, processes


def placed(name: str, book: str, side: int, odds: int, stake: int, account: str = "demo-1") -> PlaceOrder:
    """Return an order that may rest."""
    return PlaceOrder(name, account, time.time_ns() + 50 * 10**9, book, side, 1, 1, False, odds, stake, 0)


def state(name: str, wanted: MarketState) -> SetMarketState:
    """Return a change of the market's state."""
    return SetMarketState(name, OPERATOR, time.time_ns() + 50 * 10**9, "match", wanted)


def test_a_market_of_two_runners_is_told_with_its_auction_and_offers(
    crowd: tuple[Crowd, Processes],
) -> None:
    venue, processes = crowd
    sub = venue.subscriber("")
    until(lambda: sub.heard("depth.BTC-USD"), what="a heartbeat")
    until_ns = time.time_ns() + 50 * 10**9
    created = CreateOutcomeMarket(
        "match",
        OPERATOR,
        until_ns,
        "match",
        MarketModel.ODDS,
        "USD",
        ("a", "b"),
        10_000,
        10**6,
        0,
        1,
        "",
        0,
        0,
    )
    venue.run(created, placed("1", A, Side.LAY, 300, 10))
    until(lambda: sub.last_body(f"offers.{B}"), what="an implied offer")
    # Who lays a at 3.00 with 10 backs b at 1.50 with 20.
    offer = Offer(TradeKind.IMPLIED, Side.BACK, 150, 20)
    assert [Offer(*row) for row in sub.last_body(f"offers.{B}")] == [offer]
    book = Book()
    book.snapshot(venue.feed("depth", A, 100).result[:6])
    venue.run(state("gather", MarketState.PRE_OPEN), placed("2", A, Side.BACK, 290, 4, "demo-2"))
    until(lambda: sub.last_body(f"auction.{A}")[1:2] == (4,), what="an indication")
    indicated = Auction(*sub.last_body(f"auction.{A}"))
    assert (indicated.lots, indicated.imbalance_lots, indicated.done) == (4, 6, False)
    assert MarketRow(*sub.last_body(f"market.{B}")).state == MarketState.PRE_OPEN
    venue.feed_at(venue.run(state("open", MarketState.OPEN)))
    until(lambda: sub.last_body(f"trade.{A}"), what="the auction's trade")
    trade = Trade(*sub.last_body(f"trade.{A}")[0])
    assert (trade.price_ticks, trade.qty_lots, trade.taker_side, trade.kind) == (
        indicated.price_ticks, 4, 0, AUCTION,
    )  # fmt: skip
    until(lambda: sub.last_body(f"auction.{A}")[3:] == (True,), what="the end of the auction")
    assert Auction(*sub.last_body(f"auction.{A}")) == Auction(indicated.price_ticks, 4, 0, True)
    market_seq = venue.engine("image", "book", A).result[2][0]
    until(lambda: sub.last_number(f"depth.{A}") == market_seq, what="the last diff")
    assert all(book.take(frame) for frame in sub.of(f"depth.{A}"))
    assert (book.bids, book.asks) == ({300: 6}, {})
    drawn = command(processes, A, "--once")
    assert drawn.returncode == 0, drawn.stderr
    for part in ("odds", "stake USD", "3.00", "auction: traded"):
        assert part in drawn.stdout
    left = (tuple(offer._replace(lots=12)),)
    until(lambda: venue.feed("offers", B).result == left, what="the offer of what is left")
    processes.kill("feed")
    history = venue.stranger(zmq.DEALER, "recorder_query")
    seq = venue.engine("status").seq
    until(lambda: recorded_seq(history) >= seq, what="the recorder at the same seq")
    processes.start("feed", NO_REPLAY)
    assert venue.feed_at(seq).result["complete"]
    assert [Trade(*row) for row in venue.feed("trades", A, -1, 9).result[2]] == [trade]
    ticker = Ticker(*venue.feed("ticker", A).result)
    assert (ticker.last_ticks, ticker.volume_lots, ticker.trades) == (trade.price_ticks, "4", 1)
    assert venue.feed("offers", B).result == left
    row = MarketRow(*venue.feed("last", f"market.{A}").result[5])
    assert (row.state, row.model, row.outcome_market, row.last_trade_id) == (1, MarketModel.ODDS, "match", 1)
    assert venue.feed("depth", A, 10).result[1:3] == (((300, 6),), ())
