"""What a batch of rows is in SQL: one statement a table, one array a column.

Invariant: statements add to what is there or insert what must be new; nothing is skipped as a duplicate.
That a batch is written once is the position's matter (`recorder.database`), and a row that should not be
there yet stops the recorder instead of hiding a mistake.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bus.commands import MarketModel, MarketState, Side
from bus.events import Waits

from .arrays import BigintArray, TextArray, bigints, texts
from .batch import Batch, OrderChanges, Row
from .rows import OrderStatus


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
        "maker_account", "taker_account", "qty_sum", "quote_sum", "outcome_market", "house", "name", "book",
        "group_name", "prevention_group", "before_atoms", "after_atoms", "lots_sum", "value_sum",
    }
)  # fmt: skip
"""Columns of type text; all others are integers on their way in."""

_CASTS = {
    **dict.fromkeys(("post_only", "persists", "unfunded", "is_first"), "{} <> 0"),
    **dict.fromkeys(("before_atoms", "after_atoms"), "string_to_array({}, ',')::bigint[]"),
}
"""Columns that are something else in the table than on their way in."""

BALANCE_MARK_CHANGES = 512
"""A balance is marked once in so many changes (as the migration that made the table did)."""

TRADES = (
    "market", "trade_id", "seq", "time_ns", "price_ticks", "qty_lots", "taker_side", "maker_account",
    "maker_order_id", "maker_fee_atoms", "taker_account", "taker_order_id", "taker_fee_atoms", "refund_atoms",
    "kind", "maker_released_atoms", "value_ticks",
)  # fmt: skip
ORDER_EVENTS = (
    "order_id", "seq", "time_ns", "event", "account", "account_seq", "market", "price_ticks", "qty_lots",
    "left_lots", "trade_id", "fee_atoms", "reason",
)  # fmt: skip
BALANCE_CHANGES = (
    "account", "asset", "seq", "time_ns", "event", "available_atoms", "held_atoms", "order_id",
)  # fmt: skip
MARKETS = (
    "market", "base", "quote", "tick_mantissa", "tick_decimals", "lot_atoms", "unit_atoms",
    "price_ticks_max", "qty_lots_max", "maker_fee_ppm", "taker_fee_ppm", "model", "outcome_market", "runner",
    "state", "seq", "time_ns",
)  # fmt: skip
ORDERS = (
    "order_id", "account", "client_order_id", "market", "side", "order_type", "time_in_force", "post_only",
    "price_ticks", "qty_lots", "budget_atoms", "left_lots", "filled_lots", "filled_atoms", "fee_atoms",
    "rebate_atoms", "status", "reason", "created_ns", "updated_ns", "updated_seq",
)  # fmt: skip
ORDER_CHANGES = (
    "order_id", "price_ticks", "qty_lots", "left_lots", "less_lots", "filled_lots", "filled_atoms",
    "fee_atoms", "rebate_atoms", "status", "reason", "updated_ns", "updated_seq",
)  # fmt: skip

NEW: dict[str, tuple[str, ...]] = {
    "assets": ("asset", "decimals", "seq", "time_ns"),
    "outcome_markets": (
        "market", "model", "asset", "lot_atoms", "unit_atoms", "qty_lots_max", "commission_ppm",
        "removal_rule", "house", "match_loss_max_atoms", "house_loss_max_atoms", "state", "seq", "time_ns",
    ),
    "markets": MARKETS,
    "runners": ("market", "runner", "name", "book"),
    "accounts": ("account", "state", "seq", "time_ns"),
    "rejects": ("seq", "time_ns", "account", "command_id", "code", "detail"),
    "order_pairs": ("order_id", "other_order_id", "kind", "is_first", "command_id", "seq"),
    "settlements": (
        "account", "seq", "time_ns", "market", "released_atoms", "net_atoms", "commission_atoms",
    ),
    "exposure_changes": ("account", "seq", "time_ns", "market", "held_change_atoms", "shortfall_atoms"),
    "auctions": ("market", "seq", "time_ns", "event", "price_ticks", "qty_lots", "imbalance_lots"),
    "cash_outs": (
        "account", "seq", "time_ns", "market", "command_id", "share_ppm", "before_atoms", "after_atoms",
    ),
    "group_trips": ("account", "seq", "time_ns", "group_name", "lots"),
}  # fmt: skip
"""The columns of the rows in `Batch.new`, by table."""


def _rows_of(columns: Sequence[str]) -> str:
    """Return SQL for the rows that the parameters, one array a column, make up."""
    arrays = ", ".join("%b::text[]" if name in TEXT_COLUMNS else "%b::bigint[]" for name in columns)
    return f"unnest({arrays}) AS new ({', '.join(columns)})"


def _select(columns: Sequence[str], more: str = "") -> str:
    """Return SQL that selects rows as the table has them."""
    names = ", ".join(_CASTS.get(name, "{}").format(name) for name in columns)
    return f"SELECT {names}{more} FROM {_rows_of(columns)}"


def _insert(table: str, columns: Sequence[str]) -> str:
    """Return SQL that inserts rows; ``time`` is made of ``time_ns``, where there is one."""
    time, value = (", time", f", {time_of('time_ns')}") if "time_ns" in columns else ("", "")
    return f"INSERT INTO {table} ({', '.join(columns)}{time}) {_select(columns, value)}"


def _put(table: str, columns: Sequence[str], keys: int) -> str:
    """Return SQL that inserts rows or replaces those of the same first columns."""
    values = ", ".join(f"{name} = EXCLUDED.{name}" for name in columns[keys:])
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) {_select(columns)} "
        f"ON CONFLICT ({', '.join(columns[:keys])}) DO UPDATE SET {values}"
    )


def _change(table: str, values: str, columns: Sequence[str], where: str) -> str:
    return f"UPDATE {table} AS old SET {values} FROM {_rows_of(columns)} WHERE {where}"


_INSERT_ORDERS = (
    f"INSERT INTO orders ({', '.join(ORDERS)}, created, updated) "
    + _select(ORDERS, f", {time_of('created_ns')}, {time_of('updated_ns')}")
)  # fmt: skip

_QTY_LOTS = "(CASE WHEN new.qty_lots < 0 THEN old.qty_lots ELSE new.qty_lots END - new.less_lots)"
_LEFT_LOTS = "CASE WHEN new.left_lots < 0 THEN old.left_lots ELSE new.left_lots END"
# What is filled is what is not left: an implied trade fills other lots than it has.
_UPDATE_ORDERS = f"""
UPDATE orders AS old SET
    price_ticks = CASE WHEN new.price_ticks < 0 THEN old.price_ticks ELSE new.price_ticks END,
    qty_lots = {_QTY_LOTS},
    left_lots = {_LEFT_LOTS},
    filled_lots = CASE WHEN new.status = {OrderStatus.CANCELLED.value} THEN new.filled_lots
                       WHEN old.budget_atoms > 0 THEN old.filled_lots + new.filled_lots
                       ELSE {_QTY_LOTS} - {_LEFT_LOTS} END,
    filled_atoms = old.filled_atoms + new.filled_atoms,
    fee_atoms = old.fee_atoms + new.fee_atoms,
    rebate_atoms = old.rebate_atoms + new.rebate_atoms,
    status = CASE WHEN new.status = 0 THEN old.status ELSE new.status END,
    reason = CASE WHEN new.reason = 0 THEN old.reason ELSE new.reason END,
    updated = {time_of("new.updated_ns")},
    updated_ns = new.updated_ns,
    updated_seq = new.updated_seq
FROM {_rows_of(ORDER_CHANGES)} WHERE old.order_id = new.order_id"""

_BALANCES = ("account", "asset", "available_atoms", "held_atoms", "updated_seq", "changes")
_ADD_BALANCES = f"""
WITH new AS (SELECT * FROM {_rows_of(_BALANCES)}), done AS (
    INSERT INTO balances AS old ({", ".join(_BALANCES)}) SELECT {", ".join(_BALANCES)} FROM new
    ON CONFLICT (account, asset) DO UPDATE SET
        available_atoms = old.available_atoms + EXCLUDED.available_atoms,
        held_atoms = old.held_atoms + EXCLUDED.held_atoms,
        updated_seq = EXCLUDED.updated_seq,
        changes = old.changes + EXCLUDED.changes
    RETURNING *)
INSERT INTO balance_marks
SELECT done.account, done.asset, done.updated_seq, done.available_atoms, done.held_atoms
FROM done JOIN new USING (account, asset)
WHERE done.changes / {BALANCE_MARK_CHANGES} <> (done.changes - new.changes) / {BALANCE_MARK_CHANGES}"""

_POSITIONS = ("account", "outcome_market", "market", "lots_sum", "value_sum", "updated_seq")
_ADD_POSITIONS = f"""
INSERT INTO positions AS old (account, outcome_market, market, lots, value_ticks, updated_seq)
SELECT account, outcome_market, market, lots_sum::numeric, value_sum::numeric, updated_seq
FROM {_rows_of(_POSITIONS)}
ON CONFLICT (account, outcome_market, market) DO UPDATE SET
    lots = old.lots + EXCLUDED.lots,
    value_ticks = old.value_ticks + EXCLUDED.value_ticks,
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

_INSERTS = {table: (_insert(table, columns), columns) for table, columns in NEW.items()}
_INSERT_TRADES = _insert("trades", TRADES)
_INSERT_ORDER_EVENTS = _insert("order_events", ORDER_EVENTS)
_INSERT_BALANCE_CHANGES = _insert("balance_changes", BALANCE_CHANGES)

_OF_MARKET = "old.market = new.market OR (old.outcome_market <> '' AND old.outcome_market = new.market)"

# The book of a removed runner is void until the market is settled.
_LIVE = f"(old.state <> {MarketState.VOIDED.value} OR new.state >= {MarketState.SETTLED.value})"


def _latest() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return SQL and columns of the rows in `Batch.latest`, in the order in which they are written."""
    puts = {
        "order_terms": (
            ("order_id", "display_lots", "min_lots", "trigger", "trigger_ticks", "trail_ticks", "expires_ns",
             "prevention", "group_name", "persists", "waits"),
            1,
        ),
        "account_limits": (
            ("account", "market", "order_lots_max", "order_atoms_max", "open_orders_max", "position_max",
             "updated_seq"),
            2,
        ),
        "fee_tiers": (("market", "tier", "maker_fee_ppm", "taker_fee_ppm", "updated_seq"), 2),
        "order_groups": (("account", "group_name", "lots_max", "window_ns", "updated_seq"), 2),
    }  # fmt: skip
    rules = ("matching", "first_share_ppm", "band_ppm")
    terms = ("fee_tier", "prevention", "prevention_group")
    settled = ("settled_seq", "settled_ns", "settled_accounts", "dust_atoms")
    runner = "old.market = new.market AND old.name = new.name"
    changes = {
        # The second order of a pair may have a trigger of its own, which it waits for from then on.
        "triggered": (
            "order_terms",
            f"waits = CASE WHEN new.waited = {Waits.PAIR.value} AND old.trigger <> 0 "
            f"THEN {Waits.TRIGGER.value} ELSE 0 END",
            ("order_id", "waited"),
            "old.order_id = new.order_id",
        ),
        "book_voided": (
            "markets", f"state = {MarketState.VOIDED.value}", ("market",), "old.market = new.market",
        ),
        "market_state": ("markets", "state = new.state", ("market", "state"), f"({_OF_MARKET}) AND {_LIVE}"),
        "outcome_market_state": (
            "outcome_markets", "state = new.state", ("market", "state"), "old.market = new.market",
        ),
        # A runner may be added later: its book is in the state of the others.
        "book_added": (
            "markets", "state = (SELECT state FROM outcome_markets AS o WHERE o.market = new.market)",
            ("market",), f"old.outcome_market = new.market AND old.state <> {MarketState.VOIDED.value}",
        ),
        "market_rules": ("markets", _set(rules), ("market", *rules), _OF_MARKET),
        "account_state": ("accounts", "state = new.state", ("account", "state"), "old.account = new.account"),
        "account_terms": (
            "accounts", "unfunded = new.unfunded <> 0, " + _set(terms), ("account", "unfunded", *terms),
            "old.account = new.account",
        ),
        "in_play": (
            "outcome_markets", "in_play = true, bet_delay_ns = new.bet_delay_ns", ("market", "bet_delay_ns"),
            "old.market = new.market",
        ),
        "runner_removed": (
            "runners", "removed = true, reduction_ppm = new.reduction_ppm",
            ("market", "name", "reduction_ppm"), runner,
        ),
        "winner": ("runners", "winner = true", ("market", "name"), runner),
        "settled": ("outcome_markets", _set(settled), ("market", *settled), "old.market = new.market"),
    }  # fmt: skip
    return {
        **{name: (_put(name, columns, keys), columns) for name, (columns, keys) in puts.items()},
        **{
            name: (_change(table, values, columns, where), columns)
            for name, (table, values, columns, where) in changes.items()
        },
    }


def _set(columns: Sequence[str]) -> str:
    return ", ".join(f"{name} = new.{name}" for name in columns)


LATEST = _latest()

_VOID_RUNNER = """
UPDATE trades SET void = true FROM unnest(%b::text[], %b::text[], %b::bigint[]) AS new (market, name, seq)
WHERE trades.market = new.market || ':' || new.name AND trades.seq < new.seq"""
# Winnings are a lot's odds less 1.00; they are cut to whole ones trade by trade.
_REDUCE = """
UPDATE trades SET value_ticks = 100 * qty_lots
    + div((value_ticks - 100 * qty_lots)::numeric * (1000000 - new.reduction_ppm), 1000000)::bigint
FROM unnest(%b::text[], %b::bigint[], %b::bigint[]) AS new (market, seq, reduction_ppm)
WHERE trades.market IN (SELECT market FROM markets WHERE outcome_market = new.market)
AND trades.seq < new.seq AND NOT trades.void"""
_VOID_TIME = """
UPDATE trades SET void = true
FROM unnest(%b::text[], %b::bigint[], %b::bigint[], %b::bigint[]) AS new (market, seq, from_ns, to_ns)
WHERE trades.market IN (SELECT market FROM markets WHERE outcome_market = new.market)
AND trades.seq < new.seq AND trades.time_ns >= new.from_ns AND trades.time_ns < new.to_ns"""
_DROP_POSITIONS = "DELETE FROM positions WHERE outcome_market = ANY (%b::text[])"
# The buyer is the taker or, where the taker sells and in an auction, in the maker's place. Who backs sells.
_MAKE_POSITIONS = f"""
INSERT INTO positions (account, outcome_market, market, lots, value_ticks, updated_seq)
SELECT account, outcome_market, market, sum(sign * qty_lots), sum(sign * value_ticks), max(seq)
FROM (
    SELECT t.*, m.outcome_market, side.account,
           CASE WHEN (side.buys = (m.model = {MarketModel.BINARY.value})) THEN 1 ELSE -1 END AS sign
    FROM markets AS m JOIN trades AS t ON t.market = m.market AND NOT t.void
    CROSS JOIN LATERAL (VALUES (t.taker_account, t.taker_side = {Side.BUY.value}),
                               (t.maker_account, t.taker_side <> {Side.BUY.value})) AS side (account, buys)
    WHERE m.outcome_market = ANY (%b::text[])
) AS bets GROUP BY account, outcome_market, market"""


def statements_of(batch: Batch) -> Iterator[Statement]:
    """Yield the statements that write a batch (without its position)."""
    for table, (sql, columns) in _INSERTS.items():
        yield from _over(sql, columns, batch.new.get(table, ()))
    yield from _over(_INSERT_TRADES, TRADES, batch.trades)
    yield from _over(_INSERT_ORDER_EVENTS, ORDER_EVENTS, batch.order_events)
    yield from _over(_INSERT_BALANCE_CHANGES, BALANCE_CHANGES, batch.balance_changes)
    for name, (sql, columns) in LATEST.items():
        yield from _over(sql, columns, tuple(batch.latest.get(name, {}).values()))
    begun = [_order(changes) for changes in batch.orders.values() if changes.accepted is not None]
    yield from _over(_INSERT_ORDERS, ORDERS, begun)
    changed = [_order_change(key, one) for key, one in batch.orders.items() if one.accepted is None]
    yield from _over(_UPDATE_ORDERS, ORDER_CHANGES, changed)
    yield from _over(_ADD_BALANCES, _BALANCES, [(*key, *sums) for key, sums in batch.balances.items()])
    yield from _over(
        _ADD_POSITIONS, _POSITIONS, [_position(key, one) for key, one in batch.positions.items()]
    )
    yield from _revisions(batch)
    yield from _over(_ADD_CANDLES, _CANDLES, [_candle(key, sums) for key, sums in batch.candles.items()])


def _revisions(batch: Batch) -> Iterator[Statement]:
    """Yield what makes trades count otherwise, in order, and the positions of their markets anew."""
    if not batch.revisions:
        return
    for one in batch.revisions:
        market, seq = texts([one.market]), bigints([one.seq])
        if not one.runner:
            times = (bigints([one.from_ns]), bigints([one.to_ns]))
            yield Statement(_VOID_TIME, (market, seq, *times))
            continue
        yield Statement(_VOID_RUNNER, (market, texts([one.runner]), seq))
        if one.reduction_ppm:
            yield Statement(_REDUCE, (market, seq, bigints([one.reduction_ppm])))
    revised = texts(list(dict.fromkeys(one.market for one in batch.revisions)))
    yield Statement(_DROP_POSITIONS, (revised,))
    yield Statement(_MAKE_POSITIONS, (revised,))


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
    qty_lots = changes.qty_lots - changes.less_lots
    by_sum = event.budget_atoms > 0 or changes.status == OrderStatus.CANCELLED
    return (
        event.order_id, event.account, event.client_order_id, event.market, event.side, event.order_type,
        event.time_in_force, event.post_only, changes.price_ticks, qty_lots, event.budget_atoms,
        changes.left_lots, changes.filled_lots if by_sum else qty_lots - changes.left_lots,
        changes.filled_atoms, changes.fee_atoms, changes.rebate_atoms, changes.status, changes.reason,
        changes.accepted_ns, changes.time_ns, changes.seq,
    )  # fmt: skip


def _order_change(order_id: int, changes: OrderChanges) -> Row:
    return (
        order_id, changes.price_ticks, changes.qty_lots, changes.left_lots, changes.less_lots,
        changes.filled_lots, changes.filled_atoms, changes.fee_atoms, changes.rebate_atoms, changes.status,
        changes.reason, changes.time_ns, changes.seq,
    )  # fmt: skip


def _position(key: tuple[str, str, str], sums: Sequence[int]) -> Row:
    """Return a position's row; its sums as text, since they may be too large for a bigint."""
    return (*key, str(sums[0]), str(sums[1]), sums[2])


def _candle(key: tuple[str, int, int], candle: Sequence[int]) -> Row:
    """Return a candle's row; its sums as text, since they may be too large for a bigint."""
    *prices, qty_lots, quote_atoms, trades = candle
    return (*key, *prices, trades, str(qty_lots), str(quote_atoms))
