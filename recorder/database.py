"""The one connection to the database: what is written, and up to where.

Invariant: the position moves in the same transaction as the rows, and only from where this connection
last saw it. A commit whose outcome is unknown, a second recorder or a restored backup therefore shows as a
position other than expected; nothing is ever written twice or left out.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from bus.errors import Code, HistoryError, ServiceError
from bus.events import MarketCreated, OutcomeMarketCreated
from bus.logs import Logger
from bus.stream import Position

from .arrays import register
from .batch import Batch, Row
from .migrations import migrate
from .statements import MARKETS, statements_of

CONNECT_S_MAX = 5
STATEMENT_MS_MAX = 30_000
NETWORK: dict[str, Any] = {
    "connect_timeout": CONNECT_S_MAX,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class Database:
    """A database that may be gone and come back.

    Parameters
    ----------
    find
        Returns the connection string (and sees to it that an embedded server runs).
    schema
        SQL schema of the tables; made when missing.
    log
        Where migrations are told.

    Attributes
    ----------
    position
        As of the last `open` or `write`; None when nothing was recorded yet.
    time_ns
        When the event at the position happened (0: nothing was recorded yet).
    has_timescale
        Whether the tables are hypertables.
    """

    def __init__(self, find: Callable[[], str], schema: str, log: Logger) -> None:
        self._find = find
        self._schema = schema
        self._log = log
        self._connection: psycopg.Connection[Any] | None = None
        self.position: Position | None = None
        self.time_ns = 0
        self.has_timescale = False

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None

    def open(self) -> None:
        """Connect, bring the schema up to date and read the position.

        Raises
        ------
        HistoryError
            DATABASE_UNAVAILABLE; try again later.
        """
        self.close()
        with self._guarded("connect"):
            connection = psycopg.connect(
                self._find(), autocommit=True, application_name="zeropit recorder", **NETWORK
            )
            self._connection = connection
            register(connection)
            connection.execute("SET timezone = 'UTC'")
            name = sql.Identifier(self._schema)
            if self._schema != "public":
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
            connection.execute(sql.SQL("SET search_path = {}, public").format(name))
            self.has_timescale = migrate(connection, self._log)
            # Not before: turning a large table into a hypertable may take its time.
            connection.execute(f"SET statement_timeout = {STATEMENT_MS_MAX}")
            self._read_position(connection)

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def write(self, batch: Batch) -> None:
        """Write a batch and move the position, both or neither.

        Raises
        ------
        HistoryError
            DATABASE_UNAVAILABLE: the outcome is unknown until the next `open` shows the position.
        ServiceError
            COMPONENT_FAILED when the database holds something that this recorder did not write.
        """
        position = Position(batch.venue_id, batch.engine, batch.epoch, batch.seq)
        with self._guarded("write") as connection, connection.transaction():
            moved = self._move(connection, position, batch.time_ns)
            if moved.rowcount != 1:
                raise ServiceError(
                    Code.COMPONENT_FAILED,
                    f"expected the database at {self.position}, was elsewhere (a second recorder?)",
                )
            if batch.revisions:
                # They change all trades of a market: better late than given up again and again.
                connection.execute("SET LOCAL statement_timeout = 0")
            for statement in statements_of(batch):
                connection.execute(statement.sql.encode(), statement.parameters, prepare=True)
        self.position, self.time_ns = position, batch.time_ns

    def fetch(self, query: str, parameters: Sequence[object]) -> list[Row]:
        """Return the rows of a query, as of `position`.

        Raises
        ------
        HistoryError
            DATABASE_UNAVAILABLE.
        """
        with self._guarded("query") as connection:
            rows: list[Row] = connection.execute(query.encode(), parameters, binary=True).fetchall()
            return rows

    def markets(self) -> dict[str, MarketCreated | OutcomeMarketCreated]:
        """Return what created the books and outcome markets recorded so far, by name."""
        outcome = self.fetch(
            "SELECT market, model, asset, "
            "(SELECT array_agg(name ORDER BY runner) FROM runners AS r WHERE r.market = o.market), "
            "lot_atoms, qty_lots_max, commission_ppm, removal_rule, house, match_loss_max_atoms, "
            "house_loss_max_atoms "
            "FROM outcome_markets AS o",
            (),
        )
        books = self.fetch(f"SELECT {', '.join(MARKETS[: len(MarketCreated._fields)])} FROM markets", ())
        return {
            **{
                row[0]: OutcomeMarketCreated._make((*row[:3], tuple(row[3] or ()), *row[4:]))
                for row in outcome
            },
            **{row[0]: MarketCreated(*row) for row in books},
        }

    def _move(self, connection: psycopg.Connection[Any], new: Position, time_ns: int) -> psycopg.Cursor[Any]:
        """Move the position; the cursor's row count is 1 when it was where it should be."""
        old = self.position
        if old is None:
            return connection.execute(
                "INSERT INTO position (venue_id, engine, epoch, seq, time_ns) VALUES (%b, %b, %b, %b, %b) "
                "ON CONFLICT DO NOTHING",
                (*new, time_ns),
            )
        return connection.execute(
            "UPDATE position SET epoch = %b, seq = %b, time_ns = %b "
            "WHERE venue_id = %b AND engine = %b AND epoch = %b AND seq = %b",
            (new.epoch, new.seq, time_ns, *old),
            prepare=True,
        )

    def _read_position(self, connection: psycopg.Connection[Any]) -> None:
        row = connection.execute("SELECT venue_id, engine, epoch, seq, time_ns FROM position").fetchone()
        self.position = Position(bytes(row[0]), *row[1:4]) if row else None
        self.time_ns = row[4] if row else 0

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[Any]:
        """Give the connection; turn what the driver raises into errors of ours."""
        if self._connection is None and doing != "connect":
            raise HistoryError(Code.DATABASE_UNAVAILABLE, "expected a database, was not connected")
        try:
            yield self._connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            raise HistoryError(
                Code.DATABASE_UNAVAILABLE,
                f"expected a database that answers, was ({doing}) {_first_line(error)}",
            ) from None
        except psycopg.Error as error:
            self.close()
            raise ServiceError(
                Code.COMPONENT_FAILED, f"expected the database to take a {doing}, was {_first_line(error)}"
            ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
