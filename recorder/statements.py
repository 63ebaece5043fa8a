"""What a batch of rows is in SQL: one statement a table, one array a column.

Invariant: statements add to what is there or insert what must be new; nothing is skipped as a duplicate.
That a batch is written once is the position's matter (`recorder.database`), and a row that should not be
there yet stops the recorder instead of hiding a mistake.
"""

from collections.abc import Iterator, Sequence

from bus.commands import MarketState
from bus.events import Waits

from .batch import Batch, OrderChanges, Row
from .revisions import revisions_of
from .rows import OrderStatus
from .sql import Statement, assigned, change, insert, over, put, rows_of, select, time_of

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


_INSERT_ORDERS = (
    f"INSERT INTO orders ({', '.join(ORDERS)}, created, updated) "
    + select(ORDERS, f", {time_of('created_ns')}, {time_of('updated_ns')}")
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
FROM {rows_of(ORDER_CHANGES)} WHERE old.order_id = new.order_id"""

_BALANCES = ("account", "asset", "available_atoms", "held_atoms", "updated_seq", "changes")
_ADD_BALANCES = f"""
WITH new AS (SELECT * FROM {rows_of(_BALANCES)}), done AS (
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
FROM {rows_of(_POSITIONS)}
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
FROM {rows_of(_CANDLES)}
ON CONFLICT (market, interval_s, time) DO UPDATE SET
    high_ticks = greatest(old.high_ticks, EXCLUDED.high_ticks),
    low_ticks = least(old.low_ticks, EXCLUDED.low_ticks),
    close_ticks = EXCLUDED.close_ticks,
    qty_lots = old.qty_lots + EXCLUDED.qty_lots,
    quote_atoms = old.quote_atoms + EXCLUDED.quote_atoms,
    trades = old.trades + EXCLUDED.trades"""

_INSERTS = {table: (insert(table, columns), columns) for table, columns in NEW.items()}
_INSERT_TRADES = insert("trades", TRADES)
_INSERT_ORDER_EVENTS = insert("order_events", ORDER_EVENTS)
_INSERT_BALANCE_CHANGES = insert("balance_changes", BALANCE_CHANGES)

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
        "market_rules": ("markets", assigned(rules), ("market", *rules), _OF_MARKET),
        "account_state": ("accounts", "state = new.state", ("account", "state"), "old.account = new.account"),
        "account_terms": (
            "accounts", "unfunded = new.unfunded <> 0, " + assigned(terms), ("account", "unfunded", *terms),
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
        "settled": ("outcome_markets", assigned(settled), ("market", *settled), "old.market = new.market"),
    }  # fmt: skip
    return {
        **{name: (put(name, columns, keys), columns) for name, (columns, keys) in puts.items()},
        **{
            name: (change(table, values, columns, where), columns)
            for name, (table, values, columns, where) in changes.items()
        },
    }


LATEST = _latest()


def statements_of(batch: Batch) -> Iterator[Statement]:
    """Yield the statements that write a batch (without its position)."""
    for table, (sql, columns) in _INSERTS.items():
        yield from over(sql, columns, batch.new.get(table, ()))
    yield from over(_INSERT_TRADES, TRADES, batch.trades)
    yield from over(_INSERT_ORDER_EVENTS, ORDER_EVENTS, batch.order_events)
    yield from over(_INSERT_BALANCE_CHANGES, BALANCE_CHANGES, batch.balance_changes)
    for name, (sql, columns) in LATEST.items():
        yield from over(sql, columns, tuple(batch.latest.get(name, {}).values()))
    begun = [_order(changes) for changes in batch.orders.values() if changes.accepted is not None]
    yield from over(_INSERT_ORDERS, ORDERS, begun)
    changed = [_order_change(key, one) for key, one in batch.orders.items() if one.accepted is None]
    yield from over(_UPDATE_ORDERS, ORDER_CHANGES, changed)
    yield from over(_ADD_BALANCES, _BALANCES, [(*key, *sums) for key, sums in batch.balances.items()])
    yield from over(_ADD_POSITIONS, _POSITIONS, [_position(key, one) for key, one in batch.positions.items()])
    yield from revisions_of(batch)
    yield from over(_ADD_CANDLES, _CANDLES, [_candle(key, sums) for key, sums in batch.candles.items()])


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
