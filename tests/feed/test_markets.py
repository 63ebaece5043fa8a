"""The feed's whole state, followed from a real exchange's frames, is that exchange's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.commands import OPERATOR, MarketState, SetMarketState, Side
from bus.errors import Code, Rejected, StreamError
from bus.events import TradeExecuted
from bus.frames import EventsFrame
from feed.market import Bounds, Market
from feed.markets import Markets
from tests.feed.naive import Deal, candles_of, ticker_of
from tests.feed.venue import MARKETS, Venue
from tests.recorder.venue import Venue as AnyVenue

BOUNDS = Bounds(("1s", "1m", "1h", "1M"), 1_000, 1_000)
SEEDS = st.integers(0, 2**32)


def deals_of(venue: AnyVenue, market: str) -> list[Deal]:
    """Return the trades of a market that the exchange made."""
    return [
        Deal(time_ns, event.price_ticks, event.qty_lots)
        for _, time_ns, event in venue.events
        if isinstance(event, TradeExecuted) and event.market == market
    ]


def check(markets: Markets, venue: Venue) -> None:
    """Compare everything with what the exchange has and its events say."""
    for name in MARKETS:
        market = markets.market(name)
        levels = venue.exchange.book_levels(name)
        bids, asks = market.depth.levels(10_000)
        assert [(Side.BUY, *level) for level in bids] + [(Side.SELL, *level) for level in asks] == [
            level[:3] for level in levels
        ]
        market.depth._check()
        state = venue.exchange.state.markets[name]
        row = market.row()
        assert (row.market_seq, row.last_trade_id, row.last_price_ticks) == (
            state.market_seq,
            state.last_trade_id,
            state.last_price_ticks,
        )
        check_windows(market, deals_of(venue, name), markets.now_ns)


def check_windows(market: Market, deals: list[Deal], now_ns: int) -> None:
    """Compare trades, ticker and candles with the plain computation."""
    unit = market.terms.unit_atoms
    market.settle()
    found = [Deal(t.time_ns, t.price_ticks, t.qty_lots) for t in market.trades.after(-1, 1_000)]
    assert found == deals[-1_000:]
    assert market.tickers.row(now_ns) == ticker_of(deals, now_ns, unit)
    for interval in BOUNDS.intervals:
        rows = market.candles.rows(interval, -1, 50)
        assert rows == candles_of(deals, interval, now_ns, unit)[-50:], interval


@given(SEEDS, st.sampled_from([0.0, 3.0, 200.0]))
def test_what_is_followed_is_what_the_exchange_has(seed: int, pause_s_max: float) -> None:
    venue = Venue(seed)
    venue.trade(30, pause_s_max=pause_s_max)
    markets = Markets(BOUNDS)
    for frame in venue.decoded():
        markets.apply(frame, 0)
    check(markets, venue)
    markets.pass_time(venue.now_ns + 3_600 * 10**9)
    for name in MARKETS:
        check_windows(markets.market(name), deals_of(venue, name), markets.now_ns)


@given(SEEDS)
def test_of_an_overlapping_frame_only_what_is_new_counts(seed: int) -> None:
    venue = Venue(seed)
    venue.trade(15)
    markets = Markets(BOUNDS)
    frames = venue.decoded()
    for frame in frames[:-1]:
        markets.apply(frame, 0)
    position = markets.seq
    whole = EventsFrame(
        frames[-2].head._replace(last_seq=frames[-1].head.last_seq, now_ns=frames[-1].head.now_ns),
        [*frames[-2].transactions, *frames[-1].transactions],
    )
    markets.apply(whole, position)
    check(markets, venue)


def test_states_are_followed_and_told() -> None:
    venue = Venue(1)
    markets = Markets(BOUNDS)
    until_ns = venue.now_ns + 10**9
    venue.run([SetMarketState("halt", OPERATOR, until_ns, "BTC-USD", int(MarketState.HALTED))])
    for frame in venue.decoded():
        markets.apply(frame, 0)
    assert markets.market("BTC-USD").row().state == MarketState.HALTED
    assert markets.market("ETH-USD").row().state == MarketState.OPEN
    assert set(markets.touched) == set(MARKETS)
    with pytest.raises(Rejected) as caught:
        markets.market("XRP-USD")
    assert caught.value.code == Code.UNKNOWN_MARKET


def test_events_of_a_market_that_was_never_created_stop() -> None:
    venue = Venue(1)
    venue.trade(10)
    with pytest.raises(StreamError, match="expected events of markets that were created"):
        for frame in venue.decoded()[2:]:
            Markets(BOUNDS).apply(frame, 0)
