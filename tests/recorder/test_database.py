"""The position and what guards it; what the driver raises becomes errors of ours."""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import Code, HistoryError, ServiceError
from recorder import migrations
from recorder.arrays import bigints, register, texts
from recorder.database import Database
from recorder.rows import Rows
from tests.recorder.conftest import Server
from tests.recorder.tables import contents
from tests.recorder.test_rows import record
from tests.recorder.test_wide import check_money
from tests.recorder.venue import Venue

OpenDatabase = Callable[[str], Database]


def test_a_second_writer_is_found_out(open_database: OpenDatabase, schema: str) -> None:
    venue = Venue(1)
    database = open_database(schema)
    record(database, venue, Random(1))
    known = database.position
    venue.trade(3)
    record(database, venue, Random(1))
    before = contents(database)
    late = open_database(schema)
    late.position = known  # as a recorder that had opened it before the other one wrote
    rows = Rows(late.markets())
    assert known is not None
    for frame in venue.decoded():
        if frame.head.last_seq > known.seq:
            rows.add_frame(frame, rows.batch.seq or known.seq)
    with pytest.raises(ServiceError) as refused:
        late.write(rows.take())
    assert refused.value.code == Code.COMPONENT_FAILED
    assert contents(open_database(schema)) == before


def test_rows_that_should_not_be_there_stop_it(open_database: OpenDatabase, schema: str) -> None:
    venue = Venue(2)
    venue.trade(5)
    database = open_database(schema)
    record(database, venue, Random(1))
    database.fetch("DELETE FROM position RETURNING seq", ())
    before = contents(database)
    database = open_database(schema)
    assert database.position is None
    rows = Rows({})
    for frame in venue.decoded():
        rows.add_frame(frame, rows.batch.seq)
    with pytest.raises(ServiceError) as refused:
        database.write(rows.take())
    assert "duplicate key" in refused.value.detail
    assert contents(open_database(schema)) == before


def test_a_batch_is_written_whole_or_not_at_all(open_database: OpenDatabase, schema: str) -> None:
    venue = Venue(3)
    database = open_database(schema)
    record(database, venue, Random(1))
    before = contents(database)
    venue.trade(5)
    rows = Rows(database.markets())
    assert database.position is not None
    for frame in venue.decoded():
        if frame.head.last_seq > database.position.seq:
            rows.add_frame(frame, rows.batch.seq or database.position.seq)
    batch = rows.take()
    batch.candles[("BTC-USD", 60, 0)] = [1, 1, 1, 1, 1, 1, 2**63 - 1]
    batch.candles[("BTC-USD", 60, 1)] = [
        1,
        1,
        1,
        1,
        1,
        1,
        1,
    ]  # the last statement of all fails: same row twice
    with pytest.raises(ServiceError):
        database.write(batch)
    assert contents(open_database(schema)) == before


def test_a_connection_lost_is_unavailable_until_it_is_opened_again(
    server: Server, open_database: OpenDatabase, schema: str
) -> None:
    venue = Venue(4)
    database = open_database(schema)
    assert database._connection is not None
    database._connection.close()
    rows = Rows({})
    for frame in venue.decoded():
        rows.add_frame(frame, rows.batch.seq)
    batch = rows.take()
    for attempt in (lambda: database.write(batch), lambda: database.fetch("SELECT 1", ())):
        with pytest.raises(HistoryError) as refused:
            attempt()
        assert refused.value.code == Code.DATABASE_UNAVAILABLE and refused.value.retryable
        assert not database.is_open
    database.open()
    database.write(batch)
    assert database.fetch("SELECT count(*) FROM assets", ()) == [(3,)]


def test_migrations_run_once(open_database: OpenDatabase, schema: str) -> None:
    first = open_database(schema).fetch("SELECT name, applied FROM migrations ORDER BY name", ())
    again = open_database(schema).fetch("SELECT name, applied FROM migrations ORDER BY name", ())
    assert first == again and len(first) >= 2


def test_a_plain_database_gets_hypertables_when_the_extension_comes(
    open_database: OpenDatabase, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr("recorder.migrations._enable_timescale", lambda _: (False, "for a test"))
        database = open_database(schema)
        assert not database.has_timescale
        venue = Venue(5)
        venue.trade(10)
        record(database, venue, Random(1))
        before = contents(database)
    database = open_database(schema)
    assert contents(database) == before
    venue.trade(10)
    record(database, venue, Random(1))


def test_a_database_of_the_first_release_is_brought_up_to_date(
    open_database: OpenDatabase, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = Venue(6)
    venue.trade(150, commands_max=30)
    database = open_database(schema)
    record(database, venue, Random(1))
    new = contents(database)
    for file in migrations.FOLDER.glob("000[123]*.sql"):
        shutil.copy(file, tmp_path)
    with monkeypatch.context() as before:
        before.setattr("recorder.migrations.FOLDER", tmp_path)
        database = open_database(schema + "_old")
        for (table,) in database.fetch(
            "SELECT table_name::text FROM information_schema.tables "
            "WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' "
            "AND table_name <> 'migrations'",
            (),
        ):
            columns = database.fetch(
                "SELECT string_agg(column_name, ', ') FROM information_schema.columns "
                "WHERE table_schema = current_schema() AND table_name = %b",
                (table,),
            )[0][0]
            copied = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {schema}.{table}"
            database.fetch(f"{copied} ON CONFLICT DO NOTHING RETURNING 1", ())
    database = open_database(schema + "_old")
    old = contents(database)
    assert [row[:-1] for row in old.pop("balance_changes")] == [
        row[:-1] for row in new.pop("balance_changes")
    ]
    assert old == new
    check_money(database, venue, ("ann", "bob", "cat", "fees"))
    venue.trade(10)
    record(database, venue, Random(1))
    check_money(database, venue, ("ann", "bob", "cat", "fees"))


@given(
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    words=st.lists(st.text(st.characters(codec="utf-8")), min_size=1),
)
def test_arrays_arrive_as_they_are(server: Server, numbers: list[int], words: list[str]) -> None:
    with psycopg.connect(server.dsn) as connection:
        register(connection)
        row = connection.execute(
            "SELECT %b::bigint[], %b::text[]", (bigints(numbers), texts(words)), binary=True
        ).fetchone()
    assert row == (numbers, [word.replace("\0", "\ufffd") for word in words])
