"""What each part of the venue says, asked over its own door: the engine, the feed, the database.

Invariant: nothing here is worked out; it is what that part answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import zmq

from bus.client import Client
from bus.query import Asker, ask
from bus.settings import Settings
from bus.sockets import Limits, connect
from recorder.embedded import EmbeddedPostgres

ANSWER_MS = 15_000
CONNECT_S = 15
BOOK_LEVELS = 5_000
TABLES = ("trades", "orders", "order_events", "rejects", "balance_changes", "balances", "accounts", "markets")

Levels = dict[tuple[int, int], int]
"""``(side, price_ticks)`` to lots."""


@dataclass(slots=True)
class Book:
    """A book as of a ``market_seq``."""

    market_seq: int
    levels: Levels


@dataclass(slots=True)
class Database:
    """The recorder's tables: rows by table, and those compared one by one."""

    seq: int
    rows: dict[str, int]
    orders: dict[int, tuple[str, str, int, int, int, int]]
    trades: list[tuple[int, ...]]
    balances: dict[tuple[str, str], tuple[int, int]]


def engine_book(client: Client, market: str) -> Book:
    """Return the engine's book image, all pages of one seq."""
    image_id, pages, page = client.query("image", "book", market)
    rows = list(page[1])
    for number in range(1, pages):
        rows += client.query("image_page", image_id, number)[1]
    return Book(page[0], {(side, price_ticks): lots for side, price_ticks, lots, *_ in rows})


def engine_balances(client: Client, accounts: Sequence[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """Return ``(account, asset)`` to ``(available, held)`` of accounts that the client may see."""
    found = {}
    for account in accounts:
        for asset, available, held, *_ in client.query("balances", account)[1]:
            found[(account, asset)] = (available, held)
    return found


class FeedDoor:
    """Questions to the feed's ROUTER."""

    def __init__(self, endpoint: str, settings: Settings) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = connect(self._context, "DEALER", endpoint, Limits(), immediate=True)
        self._asker = Asker(socket, settings.stream)

    def ask(self, query: str, *args: object) -> Any:
        """Return the result of a query."""
        return ask(self._asker, query, args, timeout_ms=ANSWER_MS).result

    def seq(self) -> int:
        """Return how far the feed is; 0 before it has joined the stream."""
        status = self.ask("status")
        return int(status["seq"]) if status["ready"] else 0

    def book(self, market: str) -> Book:
        """Return the feed's depth snapshot."""
        market_seq, bids, asks, *_ = self.ask("depth", market, BOOK_LEVELS)
        levels = {(1, price_ticks): lots for price_ticks, lots, *_ in bids}
        levels |= {(2, price_ticks): lots for price_ticks, lots, *_ in asks}
        return Book(market_seq, levels)

    def close(self) -> None:
        """Close the socket."""
        self._asker.close()
        self._context.term()


def database_dsn(settings: Settings) -> str:
    """Return the connection string of the recorder's database."""
    return settings.recorder.database or EmbeddedPostgres(Path(settings.recorder.embedded_dir)).dsn


def recorded_seq(dsn: str) -> int:
    """Return how far the database is."""
    with psycopg.connect(dsn, connect_timeout=CONNECT_S) as connection:
        row = connection.execute("SELECT seq FROM position").fetchone()
    return int(row[0]) if row else 0


def read_database(dsn: str) -> Database:
    """Return what is recorded."""
    with psycopg.connect(dsn, connect_timeout=CONNECT_S) as connection:
        position = connection.execute("SELECT seq FROM position").fetchone()
        rows = {}
        for table in TABLES:
            counted = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            rows[table] = int(counted[0]) if counted else 0
        orders = connection.execute(
            "SELECT order_id, account, client_order_id, qty_lots, filled_lots, left_lots, status FROM orders"
        ).fetchall()
        trades = connection.execute(
            "SELECT trade_id, seq, price_ticks, qty_lots, taker_side, maker_order_id, maker_fee_atoms, "
            "taker_order_id, taker_fee_atoms, refund_atoms FROM trades ORDER BY market, trade_id"
        ).fetchall()
        balances = connection.execute(
            "SELECT account, asset, available_atoms, held_atoms FROM balances"
        ).fetchall()
    return Database(
        int(position[0]) if position else 0,
        rows,
        {row[0]: tuple(row[1:]) for row in orders},
        [tuple(row) for row in trades],
        {(row[0], row[1]): (int(row[2]), int(row[3])) for row in balances},
    )
