"""Followed from a real exchange with all kinds of markets: books, states, auctions and offers are its own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import events as e
from bus.commands import MarketModel, MarketState, Side
from bus.events import EVENT_NUMBERS, Event
from bus.frames import EventsFrame, Head
from bus.market_data import AUCTION, Auction, Offer, Trade
from engine.queries import Queries
from feed.markets import Markets
from tests.feed.naive import Deal, candles_of, ticker_of
from tests.feed.test_markets import BOUNDS
from tests.feed.test_starting import FAR, PAGE_ENTRIES_MAX, Sources, follow, started
from tests.recorder.wide import OUTCOME_MARKETS, WideVenue

SEEDS = st.integers(0, 2**32)


class WideSources(Sources):
    """As `Sources`, of a venue with all kinds of markets that lives on between the questions."""

    def __init__(self, venue: WideVenue) -> None:
        super().__init__(venue, has_recorder=False)
        self.wide = venue
        self._queries = Queries(venue.exchange, PAGE_ENTRIES_MAX, 1, 10**18, dict)

    def _go_on(self) -> None:
        self.wide.live(1, commands_max=4)


def trades_of(venue: WideVenue, market: str) -> list[Trade]:
    """Return a book's trades, of auctions too."""
    found = []
    for seq, now_ns, event in venue.events:
        if isinstance(event, e.TradeExecuted) and event.market == market:
            trade = Trade(
                event.trade_id, event.price_ticks, event.qty_lots, event.taker_side, seq, now_ns, event.kind
            )
            found.append(trade)
        elif isinstance(event, e.AuctionTraded) and event.market == market:
            found.append(Trade(event.trade_id, event.price_ticks, event.qty_lots, 0, seq, now_ns, AUCTION))
    return found


def check(markets: Markets, venue: WideVenue) -> None:
    """Compare books, states and what is told beyond them with the exchange."""
    state = venue.exchange.state
    assert set(markets.by_name) == set(state.markets)
    for name, real in state.markets.items():
        market = markets.market(name)
        bids, asks = market.depth.levels(10_000)
        assert [(Side.BUY, *level) for level in bids] + [(Side.SELL, *level) for level in asks] == [
            level[:3] for level in venue.exchange.book_levels(name)
        ]
        market.depth._check(may_be_crossed=real.state != MarketState.OPEN)
        row = market.row()
        assert (row.market_seq, row.last_trade_id, row.last_price_ticks) == (
            real.market_seq, real.last_trade_id, real.last_price_ticks,
        )  # fmt: skip
        assert (row.state, row.model, row.outcome_market) == (
            real.state,
            real.model,
            real.spec.outcome_market,
        )
        if real.state == MarketState.PRE_OPEN:
            assert market.auction == Auction(*real.indicated[:3], done=False)
        if real.outcome is not None:
            outcome = real.outcome
            assert (row.in_play, row.bet_delay_ns) == (outcome.in_play, outcome.bet_delay_ns)
            offered = {key[1]: offer for key, offer in outcome.offered.items() if key[0] == name and offer[1]}
            assert {offer.side: offer[2:] for offer in market.all_offers()} == offered


@given(SEEDS)
def test_what_is_followed_is_what_the_exchange_has(seed: int) -> None:
    venue = WideVenue(seed)
    venue.live(25)
    markets = Markets(BOUNDS)
    for frame in venue.decoded():
        markets.apply(frame, 0)
    check(markets, venue)
    for name, market in markets.by_name.items():
        trades = trades_of(venue, name)
        assert market.trades.after(-1, 1_000) == trades[-1_000:]
        deals = [Deal(trade.time_ns, trade.price_ticks, trade.qty_lots) for trade in trades]
        unit = market.terms.unit_atoms
        market.settle()
        assert market.tickers.row(markets.now_ns) == ticker_of(deals, markets.now_ns, unit)
        assert market.candles.rows("1m", -1, 50) == candles_of(deals, "1m", markets.now_ns, unit)[-50:]
    for market_name in OUTCOME_MARKETS:
        venue.end(market_name, ())
    for frame in venue.decoded():
        if frame.head.last_seq > markets.seq:
            markets.apply(frame, markets.seq)
    check(markets, venue)


@given(SEEDS)
def test_a_start_from_images_gives_the_same(seed: int) -> None:
    venue = WideVenue(seed)
    venue.live(15)
    markets, after_seq = started(venue, WideSources(venue), FAR)
    assert 0 < after_seq < venue.exchange.next_seq - 1
    venue.live(5)
    follow(markets, venue, after_seq)
    check(markets, venue)


RACE = e.OutcomeMarketCreated("race", MarketModel.ODDS, "USD", ("a", "b"), 100, 10**6, 0, 1, "", 0, 0)
BOOKS = tuple(
    e.MarketCreated(
        f"race:{name}", "USD", "USD", 1, 2, 100, 1, 100_000, 10**6, 0, 0, MarketModel.ODDS, "race", at
    )
    for at, name in enumerate("ab")
)
SPOT = e.MarketCreated("BTC-USD", "USD", "USD", 1, 0, 100, 10, 10**6, 10**6, 0, 0)


def followed(*events: Event) -> Markets:
    """Return what is known after some events behind those that create the markets."""
    made: tuple[Any, ...] = (e.AssetCreated("USD", 6), SPOT, RACE, *BOOKS, *events)
    arrays = [(EVENT_NUMBERS[type(event)], *event) for event in made]
    markets = Markets(BOUNDS)
    frame = EventsFrame(Head(bytes(16), "engine", 1, 1, len(made), 10**18), [(1, 0, 0, 0, arrays)])
    markets.apply(frame, 0)
    return markets


def rested(side: int, price: int, lots: int, market_seq: int) -> e.OrderAccepted:
    """Return a resting order."""
    return e.OrderAccepted("ann", 1, "BTC-USD", 9, "", side, 1, 1, False, price, lots, 0, 0, market_seq, lots)


def test_a_trade_of_an_auction_changes_a_level_on_each_side_by_one_number() -> None:
    trade = e.AuctionTraded(
        "BTC-USD", 1, 100, 4, "ann", 1, 9, 3, 0, 105, 3, 0, "bob", 1, 10, 0, 0, 99, 0, 0, 3
    )
    markets = followed(rested(1, 105, 7, 1), rested(2, 99, 4, 2), trade)
    market = markets.market("BTC-USD")
    assert (market.depth.market_seq, *market.depth.levels(9)) == (3, [(105, 3)], [])
    assert market.trades.after(-1, 9) == [Trade(1, 100, 4, 0, 8, 10**18, AUCTION)]
    diff = market.depth.diff()
    assert diff is not None and diff[:2] == (1, 3)
    assert market.row().last_price_ticks == 100


def test_a_number_known_from_an_image_changes_neither_side() -> None:
    market = followed().market("BTC-USD")
    market.depth.change(Side.BUY, 105, 7, 1)
    assert not market.depth.change_both(105, 3, 99, 0, 1)
    assert market.depth.levels(9) == ([(105, 7)], [])


@pytest.mark.parametrize(
    "event",
    [
        e.OrderCancelled("ann", 2, "BTC-USD", 12, "", 1, 105, 7, 1, 0, 0, 0, 0),
        e.OrderReduced("ann", 2, "BTC-USD", 12, 1, 105, 3, 3, 0, 0, 0),
        e.TradeExecuted("BTC-USD", 1, 105, 2, 1, "house", 1, 0, 0, 0, "bob", 1, 8, 0, 0, 0, 0, 0, 0, 2),
    ],
)
def test_what_was_not_in_the_book_does_not_change_it(event: Event) -> None:
    market = followed(rested(1, 105, 7, 1), event).market("BTC-USD")
    assert (market.depth.market_seq, *market.depth.levels(9)) == (1, [(105, 7)], [])


def test_all_books_have_the_state_of_their_market_but_a_removed_runners() -> None:
    markets = followed(
        e.MarketStateChanged("race", MarketState.HALTED), e.InPlayTurned("race", 5),
        e.RunnerAdded("race", "c"), BOOKS[0]._replace(market="race:c", runner=2),
        e.RunnerRemoved("race", "b", 0), e.MarketStateChanged("race", MarketState.SUSPENDED),
    )  # fmt: skip
    rows = {name: market.row() for name, market in markets.by_name.items()}
    assert {name: row.state for name, row in rows.items()} == {
        "BTC-USD": MarketState.OPEN, "race:a": MarketState.SUSPENDED, "race:b": MarketState.VOIDED,
        "race:c": MarketState.SUSPENDED,
    }  # fmt: skip
    assert all(row.in_play and row.bet_delay_ns == 5 for row in rows.values() if row.outcome_market)


def test_offers_are_apart_from_the_book_and_end_with_no_lots() -> None:
    back, lay = (e.BestOffered("race:a", 1, side, odds, 5) for side, odds in ((2, 300), (1, 280)))
    market = followed(back, lay, back._replace(price_ticks=310)).market("race:a")
    assert market.all_offers() == [Offer(1, 1, 280, 5), Offer(1, 2, 310, 5)]
    assert market.depth.levels(9) == ([], []) and not market.offers_told
    market.offer(Offer(1, 1, 0, 0))
    assert market.all_offers() == [Offer(1, 2, 310, 5)]


def test_an_indication_holds_until_the_uncross_and_begins_anew() -> None:
    opened = e.MarketStateChanged("BTC-USD", MarketState.PRE_OPEN)
    told = (opened, e.AuctionIndicated("BTC-USD", 100, 5, -2))
    assert followed(*told).market("BTC-USD").auction == Auction(100, 5, -2, False)
    done = (*told, e.AuctionDone("BTC-USD", 101, 4))
    assert followed(*done).market("BTC-USD").auction == Auction(101, 4, 0, True)
    assert followed(*done, opened).market("BTC-USD").auction == Auction(0, 0, 0, False)
