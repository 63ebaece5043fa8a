"""A start from images and history, each as of another seq, gives the state of the whole history."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import Code, StreamError, ZeropitError
from bus.events import TradeExecuted
from bus.query_frames import Answer
from engine.queries import Queries
from feed.markets import Markets
from feed.starting import Answers, HistoryLimits, Question, Source, begin
from tests.feed.naive import candles_of, ticker_of
from tests.feed.test_markets import BOUNDS, check, deals_of
from tests.feed.venue import MARKETS, Venue
from tests.recorder.venue import ENGINE
from tests.recorder.venue import Venue as AnyVenue

PAGE_ENTRIES_MAX = 3
FAR = HistoryLimits(5_000, 0)
"""No journal is short: images are taken."""


class Sources:
    """The engine's own queries, and history as the recorder tells it, while the venue goes on trading."""

    def __init__(self, venue: AnyVenue, *, has_recorder: bool = True) -> None:
        self.venue = venue
        self.has_recorder = has_recorder
        self._queries = Queries(venue.exchange, PAGE_ENTRIES_MAX, 1, 10**18, dict)

    def answers(self, questions: list[Question]) -> Answers:
        """Answer, trading on between the questions."""
        found = []
        for question in questions:
            self._go_on()
            found.append(self._engine(question) if question.source is Source.ENGINE else self._past(question))
        return found

    def _go_on(self) -> None:
        self.venue.trade(1)

    def _answer(self, result: Any, code: int = 0) -> Answer:
        venue = self.venue
        seq = venue.exchange.next_seq - 1
        return Answer(1, code, "", venue.venue_id, ENGINE, venue.epoch, seq, venue.now_ns, result)

    def _engine(self, question: Question) -> Answer:
        try:
            seq, result = self._queries.answer(question.query, question.args, self.venue.now_ns)
        except ZeropitError as error:
            return self._answer(None, int(error.code))
        return self._answer(result)._replace(seq=seq)

    def _past(self, question: Question) -> Answer | None:
        if not self.has_recorder:
            return None
        market, *rest, limit = question.args
        assert isinstance(market, str) and isinstance(limit, int)
        if question.query == "last_trades":
            rows: list[Any] = [
                (e.trade_id, seq, time_ns, e.price_ticks, e.qty_lots, e.taker_side, "", 0, "", 0, e.kind)
                for seq, time_ns, e in self.venue.events
                if isinstance(e, TradeExecuted) and e.market == market
            ]
            return self._answer(rows[-limit:])
        deals = deals_of(self.venue, market)
        rows = [
            (*row[:5], int(row.volume_lots), int(row.volume_atoms), row.trades)
            for row in candles_of(deals, str(rest[0]), self.venue.now_ns, 1)
            if row.trades
        ]
        unit = self.venue.exchange.state.markets[market].spec.unit_atoms
        return self._answer([(*row[:6], row[6] * unit, row[7]) for row in rows][-limit:])


def started(venue: AnyVenue, sources: Sources, limits: HistoryLimits) -> tuple[Markets, int]:
    """Run a start to its end; return the state and the seq to go on behind."""
    markets = Markets(BOUNDS)
    asking = begin(markets, venue.decoded()[-1].head, limits)
    try:
        questions = next(asking)
        while True:
            questions = asking.send(sources.answers(list(questions)))
    except StopIteration as done:
        return markets, done.value.seq


def follow(markets: Markets, venue: AnyVenue, after_seq: int) -> None:
    """Apply what follows a seq, as the stream would give it."""
    for frame in venue.decoded():
        if frame.head.last_seq > after_seq:
            markets.apply(frame, after_seq)


@given(st.integers(0, 2**32))
def test_images_and_history_of_different_seqs_give_the_whole_state(seed: int) -> None:
    venue = Venue(seed)
    venue.trade(20, pause_s_max=3.0)
    markets, after_seq = started(venue, Sources(venue), FAR)
    assert 0 < after_seq < venue.exchange.next_seq - 1
    venue.trade(5)
    follow(markets, venue, after_seq)
    check(markets, venue)


@given(st.integers(0, 2**32))
def test_without_a_recorder_books_are_right_and_windows_say_incomplete(seed: int) -> None:
    venue = Venue(seed)
    venue.trade(20)
    markets, after_seq = started(venue, Sources(venue, has_recorder=False), FAR)
    venue.trade(5)
    follow(markets, venue, after_seq)
    for name in MARKETS:
        market = markets.market(name)
        bids, asks = market.depth.levels(10_000)
        assert [*bids, *asks] == [level[1:3] for level in venue.exchange.book_levels(name)]
        deals = deals_of(venue, name)
        first_new = [seq for seq, _, e in venue.events if isinstance(e, TradeExecuted) and e.market == name]
        market.settle()
        had_traded_before = bool(first_new) and first_new[0] <= after_seq
        row = market.tickers.row(markets.now_ns)
        assert row.complete is not had_traded_before
        assert row.last_ticks == (deals[-1].price if deals else 0)
        newest = market.candles.rows("1h", -1, 1)
        assert bool(newest) is bool(deals)
        assert not newest or newest[0].close_ticks == deals[-1].price


def test_a_short_journal_is_replayed_whole() -> None:
    venue = Venue(3)
    markets, after_seq = started(venue, Sources(venue), HistoryLimits(5_000, 10**6))
    assert after_seq == 0 and not markets.by_name


def test_history_that_is_far_behind_or_of_another_venue_is_not_taken() -> None:
    for change in ({"seq": 1}, {"venue_id": b"another venue..."}, {"code": int(Code.DATABASE_UNAVAILABLE)}):
        venue = Venue(4)
        venue.trade(40)

        class Bad(Sources):
            def _past(self, question: Question) -> Answer | None:
                answer = super()._past(question)
                return answer._replace(**change) if answer else None  # noqa: B023

        markets, after_seq = started(venue, Bad(venue), HistoryLimits(5_000, 20))
        assert after_seq > 1
        assert not all(market.candles.complete_from_ns == 0 for market in markets.by_name.values())


def test_an_interval_that_history_refuses_begins_without_it() -> None:
    venue = Venue(6)
    venue.trade(40, pause_s_max=3.0)

    class Refusing(Sources):
        def _past(self, question: Question) -> Answer | None:
            if question.args[1:2] == ("1M",):
                return self._answer(None, int(Code.OUT_OF_RANGE))
            return super()._past(question)

    markets, after_seq = started(venue, Refusing(venue), FAR)
    venue.trade(5)
    follow(markets, venue, after_seq)
    for name in MARKETS:
        market = markets.market(name)
        market.settle()
        deals = deals_of(venue, name)
        unit = market.terms.unit_atoms
        assert market.tickers.row(markets.now_ns) == ticker_of(deals, markets.now_ns, unit)
        for interval in ("1s", "1m", "1h"):
            rows = market.candles.rows(interval, -1, 50)
            assert rows == candles_of(deals, interval, markets.now_ns, unit)[-50:]
        (month,) = market.candles.rows("1M", -1, 1)
        assert not month.complete
        assert month.close_ticks == deals[-1].price


def test_an_image_that_the_engine_let_go_is_taken_again() -> None:
    venue = Venue(7)
    venue.trade(60)
    stolen: list[object] = []

    class Stealing(Sources):
        def _engine(self, question: Question) -> Answer:
            if question.query == "image_page" and len(stolen) < 5:
                stolen.append(self._queries.answer("image", ("book", MARKETS[0]), venue.now_ns))
            return super()._engine(question)

    markets, after_seq = started(venue, Stealing(venue), FAR)
    assert len(stolen) == 5
    follow(markets, venue, after_seq)
    check(markets, venue)


def test_an_engine_that_does_not_know_its_books_stops_the_start() -> None:
    venue = Venue(5)

    class Refusing(Sources):
        def _engine(self, question: Question) -> Answer:
            return self._answer(None, int(Code.UNSUPPORTED_TYPE))

    with pytest.raises(StreamError, match="expected an image of the engine"):
        started(venue, Refusing(venue), FAR)
