"""The questions that history answers: their arguments, checked, and their SQL.

Invariant: every answer is a page of bounded size, read by an index, and continues where the last one
ended when its last key is given back. Pure: arguments in, SQL out.

The table is documented in ``docs/reference/history.md``; a test compares.
"""

from collections.abc import Callable, Container, Sequence
from typing import Any, NamedTuple, NoReturn

from bus.commands import INT_MAX
from bus.errors import Code, FormError, Rejected
from bus.market_data import AUCTION

from . import money
from .batch import Row
from .page import Page
from .rows import CANDLE_INTERVALS_S

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
INTERVALS_S = {
    "1s": 1, "5s": 5, "15s": 15, "1m": MINUTE_S, "3m": 3 * MINUTE_S, "5m": 5 * MINUTE_S, "15m": 15 * MINUTE_S,
    "30m": 30 * MINUTE_S, "1h": HOUR_S, "2h": 2 * HOUR_S, "4h": 4 * HOUR_S, "6h": 6 * HOUR_S,
    "8h": 8 * HOUR_S, "12h": 12 * HOUR_S,
    "1d": DAY_S, "3d": 3 * DAY_S, "1w": 7 * DAY_S, "1M": 31 * DAY_S,
}  # fmt: skip
"""Candle intervals by name; ``1M`` is a calendar month (UTC), ``1w`` begins on Monday."""

_MONDAY_NS = 4 * DAY_S * 1_000_000_000  # 1970-01-05, the first Monday


class Arguments(NamedTuple):
    """How a query's arguments are called, what each must be, and what makes the page of them."""

    names: tuple[str, ...]
    make: Callable[..., Page]


_TRADE = (
    "trade_id, seq, time_ns, price_ticks, qty_lots, taker_side, maker_account, maker_order_id, "
    "taker_account, taker_order_id, kind, void"
)
_ORDER = (
    "o.order_id, client_order_id, account, market, side, order_type, time_in_force, post_only, price_ticks, "
    "qty_lots, budget_atoms, filled_lots, filled_atoms, left_lots, fee_atoms, status, reason, created_ns, "
    "updated_ns, updated_seq, rebate_atoms, coalesce(display_lots, 0), coalesce(min_lots, 0), "
    "coalesce(trigger, 0), coalesce(trigger_ticks, 0), coalesce(trail_ticks, 0), coalesce(expires_ns, 0), "
    "coalesce(prevention, 0), coalesce(group_name, ''), coalesce(persists, false), coalesce(waits, 0), "
    "coalesce(kind, 0), coalesce(other_order_id, 0)"
)
_OF_ORDERS = (
    "AS o LEFT JOIN order_terms AS t ON t.order_id = o.order_id "
    "LEFT JOIN order_pairs AS p ON p.order_id = o.order_id ORDER BY o.order_id"
)
_ORDER_EVENT = "seq, time_ns, event, price_ticks, qty_lots, left_lots, trade_id, fee_atoms, reason"
_BEFORE_NS = "(%b = 0 OR time_ns < %b)"
# In an auction, which has no maker, the buyer is in the maker's place.
_IS_MAKER = "(t.maker_order_id = e.order_id)"


def _trades(market: str, from_ns: int, to_ns: int, after_trade_id: int, limit: int) -> Page:
    # The first page is found by time, the next by number: each by its own index.
    order = "trade_id" if after_trade_id else "time_ns, trade_id"
    return Page(
        f"SELECT {_TRADE} FROM trades WHERE market = %b AND time_ns >= %b AND {_BEFORE_NS} "
        f"AND trade_id > %b ORDER BY {order} LIMIT %b",
        (market, from_ns, to_ns, to_ns, after_trade_id, limit),
    )


def _last_trades(market: str, before_trade_id: int, limit: int) -> Page:
    return Page(
        f"SELECT {_TRADE} FROM trades WHERE market = %b AND trade_id < %b ORDER BY trade_id DESC LIMIT %b",
        (market, before_trade_id or INT_MAX, limit),
        newest_first=True,
    )


def _orders(account: str, market: str, from_ns: int, to_ns: int, after_order_id: int, limit: int) -> Page:
    return Page(
        f"SELECT {_ORDER} FROM (SELECT * FROM orders WHERE account = %b AND (%b = '' OR market = %b) "
        "AND order_id > %b AND created_ns >= %b AND (%b = 0 OR created_ns < %b) ORDER BY order_id LIMIT %b) "
        f"{_OF_ORDERS}",
        (account, market, market, after_order_id, from_ns, to_ns, to_ns, limit),
    )


def _last_orders(account: str, market: str, before_order_id: int, limit: int) -> Page:
    return Page(
        f"SELECT {_ORDER} FROM (SELECT * FROM orders WHERE account = %b AND (%b = '' OR market = %b) "
        f"AND order_id < %b ORDER BY order_id DESC LIMIT %b) {_OF_ORDERS} DESC",
        (account, market, market, before_order_id or INT_MAX, limit),
        newest_first=True,
    )


def _order(account: str, order_id: int, client_order_id: str) -> Page:
    if (order_id > 0) == bool(client_order_id):
        _refuse(Code.OUT_OF_RANGE, "either order_id or client_order_id", (order_id, client_order_id))
    where = "order_id = %b" if order_id else "client_order_id = %b"
    return Page(
        f"SELECT {_ORDER} FROM (SELECT * FROM orders WHERE account = %b AND {where} "
        f"ORDER BY order_id DESC LIMIT 1) {_OF_ORDERS}",
        (account, order_id or client_order_id),
        one=True,
    )


def _order_events(account: str, order_id: int, after_seq: int, limit: int) -> Page:
    return Page(
        f"SELECT {_ORDER_EVENT} FROM order_events WHERE order_id = %b AND account = %b AND seq > %b "
        "ORDER BY seq LIMIT %b",
        (order_id, account, after_seq, limit),
    )


def _account_trades(account: str, market: str, from_ns: int, to_ns: int, after_seq: int, limit: int) -> Page:
    # An account that traded with itself has two rows of one seq: WITH TIES keeps them on one page.
    return Page(
        "SELECT e.seq, e.time_ns, e.market, e.trade_id, e.order_id, "
        f"CASE WHEN NOT {_IS_MAKER} THEN CASE t.kind WHEN {AUCTION} THEN 2 ELSE t.taker_side END "
        f"WHEN t.kind = {AUCTION} THEN 1 ELSE 3 - t.taker_side END, e.price_ticks, e.qty_lots, "
        f"e.fee_atoms, {_IS_MAKER} AND t.kind <> {AUCTION}, t.kind, t.void FROM ("
        "SELECT * FROM order_events WHERE event IN (21, 33) AND account = %b AND (%b = '' OR market = %b) "
        f"AND seq > %b AND time_ns >= %b AND {_BEFORE_NS} ORDER BY seq FETCH FIRST (%b) ROWS WITH TIES) AS e "
        "JOIN trades AS t ON t.market = e.market AND t.trade_id = e.trade_id AND t.time = e.time "
        "ORDER BY e.seq, e.order_id",
        (account, market, market, after_seq, from_ns, to_ns, to_ns, limit),
    )


def _auctions(market: str, from_ns: int, to_ns: int, after_seq: int, limit: int) -> Page:
    return Page(
        "SELECT seq, time_ns, event, price_ticks, qty_lots, imbalance_lots FROM auctions "
        f"WHERE market = %b AND seq > %b AND time_ns >= %b AND {_BEFORE_NS} ORDER BY seq LIMIT %b",
        (market, after_seq, from_ns, to_ns, to_ns, limit),
    )


def _candle(row: Row) -> Row:
    """Turn the sums, which are numeric in the database, into integers."""
    return (*row[:5], int(row[5]), int(row[6]), int(row[7]))


def _candles_page(
    market: str, interval: str, limit: int, where: str, bounds: Sequence[int], order: str
) -> Page:
    width_s = INTERVALS_S[interval]
    base_s = max(kept for kept in CANDLE_INTERVALS_S if width_s % kept == 0)
    if interval == "1M":
        begin = "(extract(epoch FROM date_trunc('month', time, 'UTC')) * 1000000000)::bigint"
    else:
        width_ns, offset_ns = width_s * 1_000_000_000, _MONDAY_NS if interval == "1w" else 0
        begin = f"start_ns - (start_ns - {offset_ns}) %% {width_ns}"
    # As many kept candles as the page can need: whatever the gaps, its intervals are whole.
    return Page(
        "SELECT begin_ns, (array_agg(open_ticks ORDER BY start_ns))[1], max(high_ticks), min(low_ticks), "
        "(array_agg(close_ticks ORDER BY start_ns DESC))[1], sum(qty_lots), sum(quote_atoms), sum(trades) "
        f"FROM (SELECT *, {begin} AS begin_ns FROM candles WHERE market = %b AND interval_s = %b AND {where} "
        f"ORDER BY time {order} LIMIT %b) AS kept GROUP BY begin_ns ORDER BY begin_ns {order} LIMIT %b",
        (market, base_s, *bounds, limit * (width_s // base_s), limit),
        _candle,
        order == "DESC",
    )


_TIME = "timestamptz 'epoch' + %b / 1000 * interval '1 microsecond'"


def _candles(market: str, interval: str, from_ns: int, to_ns: int, limit: int) -> Page:
    where = f"time >= {_TIME} AND (%b = 0 OR time < {_TIME})"
    return _candles_page(market, interval, limit, where, (from_ns, to_ns, to_ns), "ASC")


def _last_candles(market: str, interval: str, before_ns: int, limit: int) -> Page:
    where = f"(%b = 0 OR time < {_TIME})"
    return _candles_page(market, interval, limit, where, (before_ns, before_ns), "DESC")


QUERIES: dict[str, Arguments] = {
    make.__name__.removeprefix("_"): Arguments(tuple(make.__annotations__)[:-1], make)
    for make in (
        _trades, _last_trades, _orders, _last_orders, _order, _order_events, _account_trades,
        money.balances, money.balance_changes, money.statement, money.last_statement, money.positions,
        money.settlements, money.cash_outs, money.outcome_markets, _auctions, _candles, _last_candles,
    )
}  # fmt: skip
"""Every query by name."""

_TEXTS = frozenset(
    {"market", "account", "asset", "interval", "client_order_id", "after_asset", "after_market"}
)
_MAY_BE_EMPTY = frozenset({("orders", "market"), ("last_orders", "market"), ("account_trades", "market"),
                           ("order", "client_order_id"), ("balances", "after_asset"),
                           ("positions", "after_market"), ("outcome_markets", "after_market")})  # fmt: skip
_TEXT_CHARS_MAX = 64


def page_of(query: str, args: Sequence[object], markets: Container[str], rows_max: int) -> Page:
    """Return the page that is asked for.

    Parameters
    ----------
    query, args
        As they came.
    markets
        The markets that exist.
    rows_max
        Rows of a page.

    Raises
    ------
    FormError, Rejected
        Saying what was expected.
    """
    spec = QUERIES.get(query)
    if spec is None:
        _refuse(Code.UNSUPPORTED_TYPE, f"a query of {', '.join(QUERIES)}", query)
    if len(args) != len(spec.names):
        code = Code.MISSING_FIELD if len(args) < len(spec.names) else Code.UNSUPPORTED_FIELD
        _refuse(code, f"the arguments [{', '.join(spec.names)}]", f"{len(args)} arguments")
    for name, value in zip(spec.names, args, strict=True):
        _check(query, name, value, markets, rows_max)
    return spec.make(*args)


def _check(query: str, name: str, value: object, markets: Container[str], rows_max: int) -> None:
    kind: type = str if name in _TEXTS else int
    if type(value) is not kind:
        _refuse(Code.WRONG_TYPE, f"{name} as {kind.__name__}", value)
    if isinstance(value, str):
        empty_is_good = (query, name) in _MAY_BE_EMPTY
        if not (1 - empty_is_good <= len(value) <= _TEXT_CHARS_MAX and value.isprintable()):
            _refuse(Code.OUT_OF_RANGE, f"{name} of at most {_TEXT_CHARS_MAX} printable characters", value)
        if name == "interval" and value not in INTERVALS_S:
            _refuse(Code.OUT_OF_RANGE, f"an interval of {', '.join(INTERVALS_S)}", value)
        if name == "market" and value and value not in markets:
            raise Rejected(Code.UNKNOWN_MARKET, f"expected a market that exists, was {value!r:.80}")
    elif isinstance(value, int):
        low, high = (1, rows_max) if name == "limit" else (0, INT_MAX)
        if not low <= value <= high:
            _refuse(Code.OUT_OF_RANGE, f"{name} from {low} to {high}", value)


def _refuse(code: Code, expected: str, was: Any) -> NoReturn:
    raise FormError(code, f"expected {expected}, was {was!r:.80}")
