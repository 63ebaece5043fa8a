"""Both databases, for real: an embedded PostgreSQL and a TimescaleDB, one server each for all tests.

A test gets a SQL schema of its own, so that the servers are started once. The TimescaleDB serves one
connection at a time: a test closes one before it opens the next.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from bus import logs
from recorder.database import Database
from recorder.embedded import EmbeddedPostgres
from tests.timescale.server import TimescaleServer

Server = EmbeddedPostgres | TimescaleServer

_schemas = count(1)


@pytest.fixture(scope="session", params=["postgresql", "timescaledb"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running database server."""
    folder = Path(tempfile.mkdtemp(prefix="zpdb"))
    made: Server = (
        TimescaleServer(folder / "data")
        if request.param == "timescaledb"
        else EmbeddedPostgres(folder / "data")
    )
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder)


@pytest.fixture
def schema() -> str:
    """A name that no other test has."""
    return f"test_{next(_schemas)}"


@pytest.fixture
def open_database(server: Server) -> Iterator[Callable[[str], Database]]:
    """Opens databases by schema; the one before is closed."""
    opened: list[Database] = []

    def open_one(schema: str) -> Database:
        while opened:
            opened.pop().close()
        opened.append(Database(lambda: server.dsn, schema, logs.set_up("recorder", "warning")))
        opened[0].open()
        return opened[0]

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database: Callable[[str], Database], schema: str) -> Database:
    """An open, empty database."""
    return open_database(schema)
