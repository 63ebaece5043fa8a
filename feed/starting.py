"""How the feed begins: the whole history replayed, or images of the books and the recorder's history.

Invariant: whatever the sources are as of, each thing begins behind the seq that its own source names, and
the stream is joined behind the lowest of them: no event is missed, none counts twice. What cannot be had
(windows without a recorder) is marked incomplete, never guessed.

`begin` is a generator that yields the questions that it waits for and is sent their answers; no I/O in
here. A question to the engine is repeated until it is answered; one to the recorder may end with None.
"""

from collections.abc import Generator, Sequence
from enum import Enum
from typing import Any, NamedTuple

from bus.codec import decode_event
from bus.commands import MarketState, Side
from bus.errors import Code, StreamError
from bus.events import AssetCreated, MarketCreated, OutcomeMarketCreated
from bus.frames import Head
from bus.market_data import Auction, Offer, Trade
from bus.query_frames import Answer
from bus.stream import Position

from .bars import Bar
from .depth import Depth
from .market import Market
from .markets import Markets
from .tickers import MINUTES
from .trades import Trades


class Source(Enum):
    """Who is asked."""

    ENGINE = "engine_query"
    RECORDER = "recorder_query"


class Question(NamedTuple):
    """A query to one of the two."""

    source: Source
    query: str
    args: tuple[object, ...] = ()


class HistoryLimits(NamedTuple):
    """What is asked of history: at most so many rows a page, seqs behind, and trades."""

    rows_max: int
    seqs_behind_max: int


Questions = Sequence[Question]
Answers = Sequence[Answer | None]
Asking = Generator[Questions, Answers, Position]

MINUTE = "1m"


def begin(markets: Markets, head: Head, limits: HistoryLimits) -> Asking:
    """Fill ``markets``; return the position behind which the stream is to be followed.

    Parameters
    ----------
    markets
        Empty.
    head
        The newest head heard of the stream.
    limits
        A journal of at most ``seqs_behind_max`` events is replayed whole.
    """
    if head.last_seq <= limits.seqs_behind_max:
        return Position(head.venue_id, head.engine, 0, 0)
    (created,) = yield [Question(Source.ENGINE, "markets")]
    # Asked when the books are known: what changes in between is told again by events behind them.
    assets, outcomes = yield [Question(Source.ENGINE, "assets"), Question(Source.ENGINE, "outcome_markets")]
    for asset in _good(assets).result:
        event = decode_event(asset)
        assert isinstance(event, AssetCreated), f"expected an asset, was {event!r:.80}"
        markets.assets[event.asset] = event.decimals
    base = _good(created)
    oldest = _position(base)
    has_recorder = True
    for row in base.result:
        market = _market(markets, row, base)
        market.depth = yield from _book(market.name)
        answers = (yield _history_questions(market, markets, limits)) if has_recorder else [None]
        has_recorder = None not in answers
        found = _take_history(market, markets, base, limits, answers)
        if found is None:
            market.begin_without_history(base.now_ns, market.candles.series)
        elif found.seq < oldest.seq:
            oldest = found
        markets.add(market)
    _take_outcomes(markets, _good(outcomes))
    return oldest


def _market(markets: Markets, row: Sequence[Any], base: Answer) -> Market:
    """Return a market as of the engine's answer, its windows beginning there."""
    created, state, _, last_trade_id, last_ticks, _, _, _, indicated = row[:9]
    terms = decode_event(created)
    assert isinstance(terms, MarketCreated), f"expected a market, was {terms!r:.80}"
    decimals = (markets.assets[terms.base], markets.assets[terms.quote])
    # A market that never traded lacks nothing.
    complete_from_ns = base.now_ns if last_trade_id else 0
    market = Market(
        terms, decimals, markets.bounds, state=state, as_of_seq=base.seq, last_trade_id=last_trade_id,
        last_ticks=last_ticks, complete_from_ns=complete_from_ns,
    )  # fmt: skip
    if any(indicated) or state == MarketState.PRE_OPEN:
        price_ticks, lots, imbalance_lots = indicated
        market.indicate(Auction(price_ticks, lots, imbalance_lots, False))
    return market


def _take_outcomes(markets: Markets, outcomes: Answer) -> None:
    """Take what the books of outcome markets have in common, and what is offered beyond them."""
    for spec, _, in_play, bet_delay_ns, removed, _, offers in (row[:7] for row in outcomes.result):
        created = decode_event(spec)
        assert isinstance(created, OutcomeMarketCreated), f"expected an outcome market, was {created!r:.80}"
        for market in markets.by_outcome_market.get(created.market, ()):
            market.in_play, market.bet_delay_ns = in_play, bet_delay_ns
            if market.name.partition(":")[2] in removed and market.state < MarketState.SETTLED:
                market.state = int(MarketState.VOIDED)  # the engine may be about to
        for book, *offer in offers:
            if book in markets.by_name:  # else it is newer than the books
                markets.by_name[book].offer(Offer(*offer))


def _book(name: str) -> Generator[Questions, Answers, Depth]:
    """Return the book of an image, begun again when the engine let it go."""
    while True:
        (first,) = yield [Question(Source.ENGINE, "image", ("book", name))]
        image_id, page_count, page = _good(first).result
        pages = [page]
        for number in range(1, page_count):
            (answer,) = yield [Question(Source.ENGINE, "image_page", (image_id, number))]
            if answer is None or answer.code == Code.IMAGE_GONE:
                break
            pages.append(_good(answer).result)
        if len(pages) == page_count:
            levels = [level for _, block in pages for level in block]
            bids, asks = ([(p, lots) for s, p, lots, _ in levels if s == side] for side in Side)
            return Depth(page[0], bids, asks)


def _history_questions(market: Market, markets: Markets, limits: HistoryLimits) -> list[Question]:
    """Return what is asked of the recorder: newest trades, the window's minutes, candles."""
    name, rows_max, bounds = market.name, limits.rows_max, markets.bounds
    candles = [
        (MINUTE, MINUTES),
        *((interval, bounds.candles_kept_max) for interval in market.candles.series),
    ]
    return [
        Question(Source.RECORDER, "last_trades", (name, 0, min(rows_max, bounds.trades_kept_max))),
        *(
            Question(Source.RECORDER, "last_candles", (name, interval, 0, min(rows_max, wanted)))
            for interval, wanted in candles
        ),
    ]


def _take_history(
    market: Market, markets: Markets, base: Answer, limits: HistoryLimits, found: Answers
) -> Position | None:
    """Take what the recorder answered; None (and nothing done) when it did not, or is far behind.

    What it refused alone (a sum too large for the wire's integers) begins without history.
    """
    answers = [answer for answer in found if answer is not None]
    far = base.seq - limits.seqs_behind_max
    if len(answers) < len(found) or any(a.venue_id != base.venue_id or a.seq < far for a in answers):
        return None
    trades, minutes, *candles = answers
    if trades.code != Code.OK or minutes.code != Code.OK:
        return None
    past = [Trade(row[0], row[3], row[4], row[5], row[1], row[2], row[10]) for row in trades.result]
    last_trade_id = past[-1].trade_id if past else 0
    market.trades = Trades(markets.bounds.trades_kept_max, last_trade_id, past)
    tickers, unit = market.tickers, market.terms.unit_atoms
    last_ticks, tickers.last_ticks = tickers.last_ticks, 0
    tickers.complete_from_ns = 0
    tickers.begins_seq = minutes.seq
    tickers.seed(_bars(minutes, unit), last_trade_id)
    bare = []
    for series, answer in zip(market.candles.series.values(), candles, strict=True):
        if answer.code == Code.OK:
            series.begins_seq, series.complete_from_ns = answer.seq, 0
            series.seed(_bars(answer, unit), answer.now_ns)
        else:
            bare.append(series.interval.name)
    tickers.last_ticks = tickers.last_ticks or last_ticks
    market.begin_without_history(base.now_ns, bare)
    market.bars_seq = max(base.seq, *(answer.seq for answer in answers))
    return _position(min(answers, key=lambda answer: answer.seq))


def _bars(answer: Answer, unit_atoms: int) -> list[tuple[int, Bar]]:
    """Return history's candles as bars by their start, oldest first."""
    return [
        (start_ns, Bar(first, high, low, last, lots, atoms // unit_atoms, trades))
        for start_ns, first, high, low, last, lots, atoms, trades in (row[:8] for row in answer.result)
    ]


def _position(answer: Answer) -> Position:
    return Position(answer.venue_id, answer.engine, answer.epoch, answer.seq)


def _good(answer: Answer | None) -> Answer:
    """Return an answer of the engine.

    Raises
    ------
    StreamError
        STREAM_UNREPAIRABLE when it refused what it must know.
    """
    if answer is None or answer.code != Code.OK:
        raise StreamError(Code.STREAM_UNREPAIRABLE, f"expected an image of the engine, was {answer!r:.120}")
    return answer
