"""Answers of the snapshot ROUTER: questions about the public state, checked and bounded.

Invariant: a question changes nothing, its answer has at most the rows that the settings allow, and
whatever is wrong with it becomes a typed error. No I/O.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, NamedTuple

from bus.commands import INT_MAX
from bus.errors import Code, FormError
from bus.market_data import Candle, Trade
from bus.query_frames import Query

from .market import Market
from .markets import Markets
from .telling import Teller

LAST_CANDLES = 2
"""Candles in the newest value of a candle topic: the last closed one and the one under way."""


class QueryLimits(NamedTuple):
    """Most rows of an answer, and most levels a side."""

    rows_max: int
    levels_max: int


class Queries:
    """Answers questions about markets.

    Parameters
    ----------
    markets, teller
        The state, and the numbers it was told under.
    feed_instance
        This run's number.
    limits
        Bounds of answers.
    status
        Gives the answer to ``status``.
    """

    def __init__(
        self,
        markets: Markets,
        teller: Teller,
        feed_instance: int,
        limits: QueryLimits,
        status: Callable[[], dict[str, object]],
    ) -> None:
        self._markets = markets
        self._teller = teller
        self._feed_instance = feed_instance
        self._limits = limits
        self._queries: dict[str, tuple[Callable[..., Any], tuple[type, ...]]] = {
            "status": (status, ()),
            "markets": (self._market_rows, (str, int)),
            "depth": (self._depth, (str, int)),
            "trades": (self._trades, (str, int, int)),
            "book": (self._book, (str,)),
            "auction": (self._auction, (str,)),
            "offers": (self._offers, (str,)),
            "ticker": (self._ticker, (str,)),
            "tickers": (self._tickers, (str, int)),
            "candles": (self._candles, (str, str, int, int)),
            "last": (self._last, (str,)),
        }

    def answer(self, query: Query) -> Any:
        """Return the result of a query.

        Raises
        ------
        FormError, Rejected
            UNSUPPORTED_TYPE, MISSING_FIELD, UNSUPPORTED_FIELD, WRONG_TYPE, OUT_OF_RANGE, UNKNOWN_MARKET.
        """
        known = self._queries.get(query.query)
        if known is None:
            expected = ", ".join(self._queries)
            raise FormError(Code.UNSUPPORTED_TYPE, f"expected a query of {expected}, was {query.query!r:.60}")
        answer, kinds = known
        args = query.args
        if len(args) != len(kinds):
            code = Code.MISSING_FIELD if len(args) < len(kinds) else Code.UNSUPPORTED_FIELD
            raise FormError(code, f"expected {len(kinds)} arguments of {query.query}, was {len(args)}")
        for value, kind in zip(args, kinds, strict=True):
            if type(value) is not kind:
                raise FormError(
                    Code.WRONG_TYPE, f"expected {query.query} with {kind.__name__}, was {value!r:.60}"
                )
        return answer(*args)

    def _market_rows(self, after: str, limit: int) -> list[Any]:
        return [market.row() for market in self._page(after, limit)]

    def _depth(self, name: str, levels: int) -> tuple[object, ...]:
        _check_range("levels", levels, 1, self._limits.levels_max)
        market = self._markets.market(name)
        depth = market.depth
        bids, asks = depth.levels(levels)
        return (depth.market_seq, bids, asks, depth.checksum(), *depth.level_counts(), market.state)

    def _trades(self, name: str, after_trade_id: int, limit: int) -> tuple[int, int, list[Trade]]:
        self._check_rows(limit)
        _check_range("after_trade_id", after_trade_id, -1, INT_MAX)
        trades = self._markets.market(name).trades
        return (trades.oldest_trade_id, trades.last_trade_id, trades.after(after_trade_id, limit))

    def _book(self, name: str) -> Any:
        return self._markets.market(name).depth.best()

    def _auction(self, name: str) -> Any:
        return self._markets.market(name).auction

    def _offers(self, name: str) -> Any:
        return self._markets.market(name).all_offers()

    def _ticker(self, name: str) -> Any:
        return self._ticker_of(self._markets.market(name))

    def _tickers(self, after: str, limit: int) -> list[Any]:
        return [(market.name, self._ticker_of(market)) for market in self._page(after, limit)]

    def _candles(self, name: str, interval: str, from_ns: int, limit: int) -> list[Candle]:
        self._check_rows(limit)
        _check_range("from_ns", from_ns, -1, INT_MAX)
        market = self._markets.market(name)
        if interval not in market.candles.series:
            expected = " ".join(market.candles.series)
            raise FormError(Code.OUT_OF_RANGE, f"expected an interval of {expected}, was {interval!r:.20}")
        market.settle()
        return market.candles.rows(interval, from_ns, limit)

    def _last(self, topic: str) -> tuple[object, ...]:
        kind, _, rest = topic.partition(".")
        name, interval = rest, ""
        if kind == "candle":
            name, _, interval = rest.rpartition(".")
        elif kind not in ("trade", "depth", "book", "ticker", "market", "auction", "offers"):
            raise FormError(
                Code.OUT_OF_RANGE,
                "expected a topic: trade.M depth.M book.M ticker.M market.M auction.M offers.M candle.M.1m, "
                f"was {topic!r:.60}",
            )
        market = self._markets.market(name)
        first = last = self._teller.number(topic)
        body: Any
        if kind == "trade":
            body = market.trades.after(-1, 1)
            first = last = market.trades.last_trade_id
        elif kind == "depth":
            body = (*market.depth.levels(self._limits.levels_max), market.depth.checksum())
            first, last = 1, market.depth.market_seq
        elif kind == "candle":
            body = self._candles(name, interval, -1, LAST_CANDLES)
        elif kind == "offers":
            body = market.all_offers()
        else:
            body = self._newest_row(kind, market)
        markets = self._markets
        none = body is None or (kind in ("trade", "candle") and not body)
        return (
            self._feed_instance, first, last, markets.seq, markets.now_ns, None if none else body,
        )  # fmt: skip

    def _newest_row(self, kind: str, market: Market) -> Any:
        if kind == "book":
            return market.depth.best()
        if kind == "auction":
            return market.auction
        return self._ticker_of(market) if kind == "ticker" else market.row()

    def _ticker_of(self, market: Market) -> Any:
        market.settle()
        return market.tickers.row(self._markets.now_ns)

    def _page(self, after: str, limit: int) -> Iterable[Market]:
        self._check_rows(limit)
        by_name = self._markets.by_name
        return [by_name[name] for name in islice(sorted(n for n in by_name if n > after), limit)]

    def _check_rows(self, limit: int) -> None:
        _check_range("limit", limit, 1, self._limits.rows_max)


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise FormError(Code.OUT_OF_RANGE, f"expected {name} from {low} to {high}, was {value}")
