"""Brings a database to the schema that this code expects.

Invariant: each file of ``recorder/schema`` is applied once, in order of name, in a transaction together
with the note that it was. Files named ``*.timescaledb.sql`` are applied where that extension is; a
database that gets it later has them applied then.
"""

from pathlib import Path
from typing import Any

import psycopg

from bus.logs import Logger

FOLDER = Path(__file__).parent / "schema"
ONLY_TIMESCALE = ".timescaledb.sql"


def migrate(connection: psycopg.Connection[Any], log: Logger) -> bool:
    """Apply what is missing; return whether the database is a TimescaleDB.

    The connection must be in autocommit mode, its search path set.
    """
    has_timescale, why_not = _enable_timescale(connection)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations "
        "(name text PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
    )
    for file in sorted(FOLDER.glob("*.sql")):
        if file.name.endswith(ONLY_TIMESCALE) and not has_timescale:
            continue
        with connection.transaction():
            connection.execute("LOCK TABLE migrations")
            found = connection.execute("SELECT 1 FROM migrations WHERE name = %s", (file.name,)).fetchone()
            if found is None:
                connection.execute(file.read_bytes())
                connection.execute("INSERT INTO migrations (name) VALUES (%s)", (file.name,))
                log.info("schema changed", file=file.name)
    if not has_timescale:
        log.info("plain tables", reason=why_not)
    return has_timescale


def _enable_timescale(connection: psycopg.Connection[Any]) -> tuple[bool, str]:
    """Make sure of the extension where the server has it; else say why not."""
    query = "SELECT count(*) FROM {} WHERE {} = 'timescaledb'"
    if _count(connection, query.format("pg_extension", "extname")):
        return True, ""
    if not _count(connection, query.format("pg_available_extensions", "name")):
        return False, "the server has no TimescaleDB extension"
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb SCHEMA public")
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        return False, f"the TimescaleDB extension cannot be enabled: {error}"
    return True, ""


def _count(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])
