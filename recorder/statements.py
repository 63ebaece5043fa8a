"""What a batch of rows is in SQL: one statement a table, one array a column.

Invariant: statements add to what is there or insert what must be new; nothing is skipped as a duplicate.
That a batch is written once is the position's matter (`recorder.database`), and a row that should not be
there yet stops the recorder instead of hiding a mistake.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .arrays import BigintArray, TextArray, bigints, texts
from .rows import Batch, OrderChanges, Row


class Statement(NamedTuple):
    """SQL and its parameters."""

    sql: str
    parameters: Sequence[BigintArray | TextArray]


def time_of(ns: str) -> str:
    """Return SQL for the timestamptz of a column of nanoseconds, cut to microseconds, without floats."""
    return f"timestamptz 'epoch' + {ns} / 1000 * interval '1 microsecond'"


TEXT_COLUMNS = frozenset(
    {
        "account", "asset", "market", "base", "quote", "client_order_id", "command_id", "detail",
        "maker_account", "taker_account", "qty_sum", "quote_sum",
    }
)  # fmt: skip
"""Columns of type text; all others are integers on their way in."""

TRADES = (
    "market", "trade_id", "seq", "time_ns", "price_ticks", "qty_lots", "taker_side", "maker_account",
    "maker_order_id", "maker_fee_atoms", "taker_account", "taker_order_id", "taker_fee_atoms", "refund_atoms",
)  # fmt: skip
ORDER_EVENTS = (
    "order_id", "seq", "time_ns", "event", "account", "account_seq", "market", "price_ticks", "qty_lots",
    "left_lots", "trade_id", "fee_atoms", "reason",
)  # fmt: skip
REJECTS = ("seq", "time_ns", "account", "command_id", "code", "detail")
BALANCE_CHANGES = ("account", "asset", "seq", "time_ns", "event", "available_atoms", "held_atoms")
ASSETS = ("asset", "decimals", "seq", "time_ns")
MARKETS = (
    "market", "base", "quote", "tick_mantissa", "tick_decimals", "lot_atoms", "unit_atoms",
    "price_ticks_max", "qty_lots_max", "maker_fee_ppm", "taker_fee_ppm", "state", "seq", "time_ns",
)  # fmt: skip
ACCOUNTS = ("account", "state", "seq", "time_ns")
ORDERS = (
    "order_id", "account", "client_order_id", "market", "side", "order_type", "time_in_force", "post_only",
    "price_ticks", "qty_lots", "budget_atoms", "left_lots", "filled_lots", "filled_atoms", "fee_atoms",
    "status", "reason", "created_ns", "updated_ns", "updated_seq",
)  # fmt: skip
ORDER_CHANGES = (
    "order_id", "price_ticks", "qty_lots", "left_lots", "filled_lots", "filled_atoms", "fee_atoms",
    "status", "reason", "updated_ns", "updated_seq",
)  # fmt: skip


def _rows_of(columns: Sequence[str]) -> str:
    """Return SQL for the rows that the parameters, one array a column, make up."""
    arrays = ", ".join("%b::text[]" if name in TEXT_COLUMNS else "%b::bigint[]" for name in columns)
    return f"unnest({arrays}) AS new ({', '.join(columns)})"


def _insert(table: str, columns: Sequence[str]) -> str:
    """Return SQL that inserts rows; ``time`` is made of ``time_ns``."""
    names = ", ".join(columns)
    return (
        f"INSERT INTO {table} ({names}, time) SELECT {names}, {time_of('time_ns')} FROM {_rows_of(columns)}"
    )


_INSERT_ORDERS = (
    f"INSERT INTO orders ({', '.join(ORDERS)}, created, updated) "
    f"SELECT {', '.join('post_only <> 0' if name == 'post_only' else name for name in ORDERS)}, "
    f"{time_of('created_ns')}, {time_of('updated_ns')} FROM {_rows_of(ORDERS)}"
)

_UPDATE_ORDERS = f"""
UPDATE orders AS old SET
    price_ticks = CASE WHEN new.price_ticks < 0 THEN old.price_ticks ELSE new.price_ticks END,
    qty_lots = CASE WHEN new.qty_lots < 0 THEN old.qty_lots ELSE new.qty_lots END,
    left_lots = CASE WHEN new.left_lots < 0 THEN old.left_lots ELSE new.left_lots END,
    filled_lots = old.filled_lots + new.filled_lots,
    filled_atoms = old.filled_atoms + new.filled_atoms,
    fee_atoms = old.fee_atoms + new.fee_atoms,
    status = CASE WHEN new.status = 0 THEN old.status ELSE new.status END,
    reason = CASE WHEN new.reason = 0 THEN old.reason ELSE new.reason END,
    updated = {time_of("new.updated_ns")},
    updated_ns = new.updated_ns,
    updated_seq = new.updated_seq
FROM {_rows_of(ORDER_CHANGES)} WHERE old.order_id = new.order_id"""

_BALANCES = ("account", "asset", "available_atoms", "held_atoms", "updated_seq")
_ADD_BALANCES = f"""
INSERT INTO balances AS old ({", ".join(_BALANCES)}) SELECT {", ".join(_BALANCES)} FROM {_rows_of(_BALANCES)}
ON CONFLICT (account, asset) DO UPDATE SET
    available_atoms = old.available_atoms + EXCLUDED.available_atoms,
    held_atoms = old.held_atoms + EXCLUDED.held_atoms,
    updated_seq = EXCLUDED.updated_seq"""

_CANDLES = (
    "market", "interval_s", "start_ns", "open_ticks", "high_ticks", "low_ticks", "close_ticks", "trades",
    "qty_sum", "quote_sum",
)  # fmt: skip
_ADD_CANDLES = f"""
INSERT INTO candles AS old ({", ".join(_CANDLES[:-2])}, qty_lots, quote_atoms, time)
SELECT {", ".join(_CANDLES[:-2])}, qty_sum::numeric, quote_sum::numeric, {time_of("start_ns")}
FROM {_rows_of(_CANDLES)}
ON CONFLICT (market, interval_s, time) DO UPDATE SET
    high_ticks = greatest(old.high_ticks, EXCLUDED.high_ticks),
    low_ticks = least(old.low_ticks, EXCLUDED.low_ticks),
    close_ticks = EXCLUDED.close_ticks,
    qty_lots = old.qty_lots + EXCLUDED.qty_lots,
    quote_atoms = old.quote_atoms + EXCLUDED.quote_atoms,
    trades = old.trades + EXCLUDED.trades"""

_STATES = ("market", "account")
_SET_STATE = {
    name: f"UPDATE {name}s AS old SET state = new.state FROM {_rows_of((name, 'state'))} "
    f"WHERE old.{name} = new.{name}"
    for name in _STATES
}

_INSERTS = {
    "assets": (_insert("assets", ASSETS), ASSETS),
    "markets": (_insert("markets", MARKETS), MARKETS),
    "accounts": (_insert("accounts", ACCOUNTS), ACCOUNTS),
    "trades": (_insert("trades", TRADES), TRADES),
    "order_events": (_insert("order_events", ORDER_EVENTS), ORDER_EVENTS),
    "rejects": (_insert("rejects", REJECTS), REJECTS),
    "balance_changes": (_insert("balance_changes", BALANCE_CHANGES), BALANCE_CHANGES),
}


def statements_of(batch: Batch) -> Iterator[Statement]:
    """Yield the statements that write a batch (without its position)."""
    for table, (sql, columns) in _INSERTS.items():
        yield from _over(sql, columns, getattr(batch, table))
    yield from _over(_SET_STATE["market"], ("market", "state"), list(batch.market_states.items()))
    yield from _over(_SET_STATE["account"], ("account", "state"), list(batch.account_states.items()))
    begun = [_order(changes) for changes in batch.orders.values() if changes.accepted is not None]
    yield from _over(_INSERT_ORDERS, ORDERS, begun)
    changed = [_change(key, changes) for key, changes in batch.orders.items() if changes.accepted is None]
    yield from _over(_UPDATE_ORDERS, ORDER_CHANGES, changed)
    yield from _over(_ADD_BALANCES, _BALANCES, [(*key, *sums) for key, sums in batch.balances.items()])
    yield from _over(_ADD_CANDLES, _CANDLES, [_candle(key, sums) for key, sums in batch.candles.items()])


def _over(sql: str, columns: Sequence[str], rows: Sequence[Row]) -> Iterator[Statement]:
    """Yield the statement with the rows turned into arrays of columns; no rows, no statement."""
    if rows:
        values: zip[Any] = zip(*rows, strict=True)
        yield Statement(
            sql,
            [
                texts(column) if name in TEXT_COLUMNS else bigints(column)
                for name, column in zip(columns, values, strict=True)
            ],
        )


def _order(changes: OrderChanges) -> Row:
    event = changes.accepted
    assert event is not None
    return (
        event.order_id, event.account, event.client_order_id, event.market, event.side, event.order_type,
        event.time_in_force, event.post_only, changes.price_ticks, changes.qty_lots, event.budget_atoms,
        changes.left_lots, changes.filled_lots, changes.filled_atoms, changes.fee_atoms, changes.status,
        changes.reason, changes.accepted_ns, changes.time_ns, changes.seq,
    )  # fmt: skip


def _change(order_id: int, changes: OrderChanges) -> Row:
    return (
        order_id, changes.price_ticks, changes.qty_lots, changes.left_lots, changes.filled_lots,
        changes.filled_atoms, changes.fee_atoms, changes.status, changes.reason, changes.time_ns, changes.seq,
    )  # fmt: skip


def _candle(key: tuple[str, int, int], candle: Sequence[int]) -> Row:
    """Return a candle's row; its sums as text, since they may be too large for a bigint."""
    *prices, qty_lots, quote_atoms, trades = candle
    return (*key, *prices, trades, str(qty_lots), str(quote_atoms))
