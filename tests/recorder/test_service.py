"""The recorder's process beside a real engine and archive: exactly once, whatever is killed."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from bus import logs
from bus.errors import Code, HistoryError
from recorder.database import Database
from recorder.embedded import EmbeddedPostgres
from tests.poll import until
from tests.processes import Processes
from tests.recorder.conftest import Server
from tests.recorder.feeder import Feeder, database_settings
from tests.recorder.tables import contents
from tests.timescale.server import TimescaleServer

OpenDatabase = Callable[[str], Database]


@pytest.fixture
def venue(short_dir: Path) -> Iterator[Processes]:
    """An engine and an archive."""
    with Processes(short_dir) as processes:
        processes.start_all(("engine", "archive"))
        yield processes


def check(open_database: OpenDatabase, schema: str, feeder: Feeder) -> None:
    """Compare what a recorder wrote with the whole stream written at once."""
    recorded = contents(open_database(schema))
    expected = open_database(schema + "_expected")
    feeder.record_all(expected)
    assert recorded == contents(expected)
    assert len(recorded["trades"]) > 10
    assert recorded["order_terms"] and recorded["positions"]


def test_follows_the_stream(
    venue: Processes, server: Server, schema: str, open_database: OpenDatabase
) -> None:
    settings = database_settings(server.dsn, schema)
    venue.start("recorder", *settings)
    with Feeder(venue.settings(*settings), seed=1) as feeder:
        feeder.send(20)
        seq = feeder.settle()
        until(lambda: feeder.recorded(seq), 30, "everything recorded")
        status = feeder.history("status")
        assert status["lag_events"] == 0
        assert status["database"] == ("timescaledb" if isinstance(server, TimescaleServer) else "postgresql")
        trades = feeder.history("last_trades", ("BTC-USD", 0, 5))
        assert len(trades) == 5 and trades[0][0] < trades[-1][0]
        assert venue.stop("recorder") == 0
        check(open_database, schema, feeder)


def test_started_after_everything_happened(
    venue: Processes, server: Server, schema: str, open_database: OpenDatabase
) -> None:
    settings = database_settings(server.dsn, schema)
    with Feeder(venue.settings(*settings), seed=2) as feeder:
        feeder.send(30)
        seq = feeder.settle()
        venue.start("recorder", *settings)
        until(lambda: feeder.recorded(seq), 30, "everything recorded")
        assert venue.stop("recorder") == 0
        check(open_database, schema, feeder)


@pytest.mark.parametrize("seed", range(2))
def test_killed_in_the_middle(
    venue: Processes, server: Server, schema: str, open_database: OpenDatabase, seed: int
) -> None:
    random = Random(seed)
    settings = (*database_settings(server.dsn, schema), "recorder.flush_ms=1", "recorder.batch_rows_max=50")
    with Feeder(venue.settings(*settings), seed) as feeder:
        for _ in range(3):
            venue.start("recorder", *settings)
            feeder.send(30)
            some = feeder.frames[-1].head.last_seq if feeder.frames else 0
            wanted = some + random.randint(20, 400)
            until(lambda wanted=wanted: feeder.history("status")["recorded_seq"] >= wanted)  # type: ignore[misc]
            venue.kill("recorder")
        seq = feeder.settle()
        venue.start("recorder", *settings)
        until(lambda: feeder.recorded(seq), 30, "everything recorded")
        assert venue.stop("recorder") == 0
        check(open_database, schema, feeder)


@pytest.fixture(params=["postgresql", "timescaledb"])
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A database server that the test may stop."""
    folder = Path(tempfile.mkdtemp(prefix="zpdb"))
    kinds: dict[str, type[EmbeddedPostgres] | type[TimescaleServer]] = {
        "postgresql": EmbeddedPostgres,
        "timescaledb": TimescaleServer,
    }
    server = kinds[request.param](folder / "data")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


def test_database_gone_for_a_while(venue: Processes, own_server: Server, schema: str) -> None:
    settings = (*database_settings(own_server.dsn, schema), "recorder.retry_s_max=0.2")
    venue.start("recorder", *settings)
    with Feeder(venue.settings(*settings), seed=3) as feeder:
        feeder.send(10)
        seq = feeder.settle()
        until(lambda: feeder.recorded(seq), 30, "everything recorded")
        own_server.stop()
        feeder.send(10)
        later_seq = feeder.settle()
        until(lambda: feeder.history("status")["database"] == "gone", 30, "the loss noticed")
        until(lambda: feeder.history("status")["lag_events"] == later_seq - seq, 30, "the lag told")
        with pytest.raises(HistoryError) as refused:
            feeder.history("last_trades", ("BTC-USD", 0, 5))
        assert refused.value.code == Code.DATABASE_UNAVAILABLE and refused.value.retryable
        own_server.start()
        until(lambda: feeder.recorded(later_seq), 30, "the rest recorded")
        assert venue.stop("recorder") == 0
        databases = [_opened(own_server, schema)]
        recorded = contents(databases[0])
        databases[0].close()
        expected = _opened(own_server, schema + "_expected")
        feeder.record_all(expected)
        assert recorded == contents(expected)
        expected.close()


def _opened(server: Server, schema: str) -> Database:
    database = Database(lambda: server.dsn, schema, logs.set_up("recorder", "warning"))
    database.open()
    return database


def test_embedded_by_default_and_gone_with_the_recorder(venue: Processes) -> None:
    venue.start("recorder")
    with Feeder(venue.settings(), seed=4) as feeder:
        feeder.send(10)
        seq = feeder.settle()
        until(lambda: feeder.recorded(seq), 30, "everything recorded")
        venue.kill("recorder")
        lock = venue.folder / "postgres" / "postmaster.pid"
        until(lambda: not lock.exists(), 30, "the server's end")
        venue.start("recorder")
        feeder.send(10)
        seq = feeder.settle()
        until(lambda: feeder.recorded(seq), 30, "everything recorded")
        assert venue.stop("recorder") == 0
        assert not lock.exists()


def test_another_venue_is_refused(
    venue: Processes, server: Server, schema: str, open_database: OpenDatabase
) -> None:
    settings = database_settings(server.dsn, schema)
    venue.start("recorder", *settings)
    with Feeder(venue.settings(*settings), seed=5) as feeder:
        feeder.send(2)
        seq = feeder.settle()
        until(lambda: feeder.recorded(seq), 30, "everything recorded")
    for component in ("recorder", "archive", "engine"):
        assert venue.stop(component) == 0
    before = contents(open_database(schema))
    open_database(schema).close()
    shutil.rmtree(venue.folder / "journal")
    venue.start_all(("engine", "archive"))
    stranger = venue.spawn("recorder", *settings)
    assert stranger.wait(60) == 1
    assert "STREAM_OTHER_VENUE" in venue.log("recorder")
    assert contents(open_database(schema)) == before


def test_a_journal_put_back_is_refused(
    venue: Processes, server: Server, schema: str, open_database: OpenDatabase
) -> None:
    settings = database_settings(server.dsn, schema)
    assert venue.stop("engine") == 0
    shutil.copytree(venue.folder / "journal", venue.folder / "older")
    venue.start("engine")
    venue.start("recorder", *settings)
    with Feeder(venue.settings(*settings), seed=6) as feeder:
        feeder.send(5)
        seq = feeder.settle()
        until(lambda: feeder.recorded(seq), 30, "everything recorded")
    for component in ("recorder", "archive", "engine"):
        assert venue.stop(component) == 0
    before = contents(open_database(schema))
    open_database(schema).close()
    shutil.rmtree(venue.folder / "journal")
    (venue.folder / "older").rename(venue.folder / "journal")
    venue.start_all(("engine", "archive"))
    recorder = venue.spawn("recorder", *settings)
    assert recorder.wait(60) == 1
    assert "STREAM_REWOUND" in venue.log("recorder")
    assert contents(open_database(schema)) == before
