"""The recorder's tables as the tests read and expect them."""

from collections.abc import Iterable

from bus.commands import FEES, OPERATOR
from bus.effects import balance_changes
from bus.events import CommandRejected, MarketCreated, TradeExecuted
from recorder.database import Database
from recorder.rows import Row
from tests.recorder.venue import Venue

TABLES = {
    "position": "seq",
    "assets": "asset",
    "markets": "market",
    "accounts": "account",
    "trades": "market, trade_id",
    "orders": "order_id",
    "order_events": "seq, order_id",
    "rejects": "seq",
    "balance_changes": "seq, account, asset",
    "balances": "account, asset",
    "candles": "market, interval_s, start_ns",
    "order_terms": "order_id",
    "order_pairs": "order_id",
    "outcome_markets": "market",
    "runners": "market, runner",
    "positions": "account, market",
    "settlements": "seq",
    "exposure_changes": "seq",
    "auctions": "seq",
    "cash_outs": "seq",
    "account_limits": "account, market",
    "fee_tiers": "market, tier",
    "order_groups": "account, group_name",
    "group_trips": "seq",
}
"""Every table and what puts its rows in order, but for balance_marks, which the cut into batches makes."""

HYPERTABLES = ("balance_changes", "candles", "order_events", "rejects", "trades")


def contents(database: Database) -> dict[str, list[Row]]:
    """Return everything in the tables."""
    return {
        table: database.fetch(f"SELECT * FROM {table} ORDER BY {order}", ())
        for table, order in TABLES.items()
    }


def markets_of(venue: Venue) -> dict[str, MarketCreated]:
    """Return the venue's markets by name."""
    return {event.market: event for _, _, event in venue.events if isinstance(event, MarketCreated)}


def balances_of(database: Database, accounts: Iterable[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the balances of some accounts that are not nothing: ``(account, asset)`` to available, held."""
    rows = database.fetch("SELECT account, asset, available_atoms, held_atoms FROM balances", ())
    wanted = set(accounts)
    return {
        (account, asset): (int(available), int(held))
        for account, asset, available, held in rows
        if account in wanted and (available or held)
    }


def check_against(database: Database, venue: Venue) -> None:
    """Compare the tables with the exchange that made the events."""
    exchange = venue.exchange
    at = database.position
    assert at is not None
    assert (at.venue_id, at.engine, at.epoch, at.seq) == (
        venue.venue_id, "engine", venue.epoch, exchange.next_seq - 1,
    )  # fmt: skip
    _check_balances(database, venue)
    _check_orders(database, venue)
    trades = [(seq, now_ns, event) for seq, now_ns, event in venue.events if isinstance(event, TradeExecuted)]
    rows = database.fetch("SELECT seq, time_ns, market, trade_id, qty_lots FROM trades ORDER BY seq", ())
    assert rows == [(seq, ns, event.market, event.trade_id, event.qty_lots) for seq, ns, event in trades]
    refused = [seq for seq, _, event in venue.events if isinstance(event, CommandRejected)]
    assert [row[0] for row in database.fetch("SELECT seq FROM rejects ORDER BY seq", ())] == refused
    _check_candles(database, trades, venue)


def _check_balances(database: Database, venue: Venue) -> None:
    recorded = {
        (account, asset): (int(available), int(held))
        for account, asset, available, held in database.fetch(
            "SELECT account, asset, available_atoms, held_atoms FROM balances", ()
        )
    }
    accounts = [row[0] for row in database.fetch("SELECT account FROM accounts", ())]
    assert {OPERATOR, FEES} <= set(accounts)
    real = {
        (account, asset): balance
        for account in accounts
        for asset, balance in venue.exchange.balances(account).items()
    }
    assert {key: value for key, value in recorded.items() if any(value)} == {
        key: value for key, value in real.items() if any(value)
    }
    summed = database.fetch(
        "SELECT account, asset, sum(available_atoms), sum(held_atoms) FROM balance_changes GROUP BY 1, 2", ()
    )
    assert {row[:2]: (int(row[2]), int(row[3])) for row in summed} == recorded
    markets = markets_of(venue)
    changing = [s for s, _, e in venue.events if balance_changes(e, markets.get(getattr(e, "market", "")))]
    rows = database.fetch("SELECT DISTINCT seq FROM balance_changes ORDER BY seq", ())
    assert [row[0] for row in rows] == changing


def _check_orders(database: Database, venue: Venue) -> None:
    rows = database.fetch(
        "SELECT order_id, client_order_id, market, side, price_ticks, qty_lots, left_lots, account "
        "FROM orders WHERE status = 1 ORDER BY order_id",
        (),
    )
    for account in ("ann", "bob", "cat"):
        assert [row[:7] for row in rows if row[7] == account] == venue.exchange.open_orders(account)
    wrong = "SELECT * FROM orders WHERE budget_atoms = 0 AND filled_lots + left_lots <> qty_lots"
    assert database.fetch(wrong, ()) == []
    filled = database.fetch(
        "SELECT o.order_id FROM orders o LEFT JOIN "
        "(SELECT order_id, sum(qty_lots) AS lots, sum(fee_atoms) AS fee "
        "FROM order_events WHERE event = 21 GROUP BY order_id) e ON e.order_id = o.order_id "
        "WHERE coalesce(e.lots, 0) <> o.filled_lots OR coalesce(e.fee, 0) <> o.fee_atoms",
        (),
    )
    assert filled == []


def _check_candles(database: Database, trades: list[tuple[int, int, TradeExecuted]], venue: Venue) -> None:
    units = {
        event.market: event.unit_atoms for _, _, event in venue.events if isinstance(event, MarketCreated)
    }
    expected: dict[tuple[str, int, int], list[int]] = {}
    for _, now_ns, trade in trades:
        for interval_s in (1, 60, 3_600, 86_400):
            key = (trade.market, interval_s, now_ns // (interval_s * 10**9) * interval_s * 10**9)
            expected.setdefault(key, []).append(trade.price_ticks)
    rows = database.fetch(
        "SELECT market, interval_s, start_ns, open_ticks, high_ticks, low_ticks, close_ticks, trades "
        "FROM candles",
        (),
    )
    assert {row[:3]: row[3:] for row in rows} == {
        key: (prices[0], max(prices), min(prices), prices[-1], len(prices))
        for key, prices in expected.items()
    }
    quote = sum(event.price_ticks * event.qty_lots * units[event.market] for _, _, event in trades)
    summed = database.fetch("SELECT sum(quote_atoms) FROM candles WHERE interval_s = 60", ())
    assert int(summed[0][0] or 0) == quote
