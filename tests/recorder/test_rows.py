"""Rows in both databases: what is recorded is what the exchange decided, however it was cut into batches."""

from collections.abc import Callable
from random import Random

import pytest

from recorder.database import Database
from recorder.rows import Rows
from tests.recorder.tables import HYPERTABLES, check_against, contents, markets_of
from tests.recorder.venue import MARKETS, Venue


def record(database: Database, venue: Venue, random: Random) -> None:
    """Write all that the venue has, in batches cut at random."""
    rows = Rows(database.markets())
    for frame in venue.decoded():
        after_seq = rows.batch.seq or (database.position.seq if database.position else 0)
        if frame.head.last_seq <= after_seq:
            continue
        rows.add_frame(frame, after_seq)
        if random.random() < 0.3:
            database.write(rows.take())
    if rows.batch.events:
        database.write(rows.take())


@pytest.mark.parametrize("seed", range(3))
def test_tables_hold_what_the_exchange_decided(database: Database, seed: int) -> None:
    venue = Venue(seed)
    venue.trade(60)
    record(database, venue, Random(seed))
    check_against(database, venue)


def test_the_cut_into_batches_changes_nothing(open_database: Callable[[str], Database], schema: str) -> None:
    venue = Venue(7)
    venue.trade(50, commands_max=20)
    database = open_database(schema)
    record(database, venue, Random(1))
    one = contents(database)
    database = open_database(schema + "_other")
    record(database, venue, Random(2))
    assert contents(database) == one


def test_recording_goes_on_after_a_new_start(open_database: Callable[[str], Database], schema: str) -> None:
    venue = Venue(8)
    for _ in range(4):
        venue.trade(10)
        record(open_database(schema), venue, Random(3))
    database = open_database(schema)
    assert database.position is not None and database.position.seq == venue.exchange.next_seq - 1
    check_against(database, venue)


def test_a_frame_known_in_part_adds_only_the_rest() -> None:
    venue = Venue(9)
    venue.trade(20)
    rows = Rows(dict.fromkeys(MARKETS, markets_of(venue)["BTC-USD"]))
    frame = max(venue.decoded(), key=lambda frame: frame.head.last_seq - frame.head.first_seq)
    known = (frame.head.first_seq + frame.head.last_seq) // 2
    rows.add_frame(frame, known)
    batch = rows.take()
    assert (batch.first_seq, batch.seq, batch.events) == (
        known + 1, frame.head.last_seq, frame.head.last_seq - known,
    )  # fmt: skip
    seqs = {row[1] for row in batch.order_events} | {row[2] for row in batch.balance_changes}
    assert min(seqs) > known
    assert rows.batch.events == 0


def test_timescale_has_hypertables(database: Database) -> None:
    if not database.has_timescale:
        assert database.fetch("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'", ()) == []
        return
    rows = database.fetch(
        "SELECT hypertable_name::text FROM timescaledb_information.hypertables "
        "WHERE hypertable_schema = current_schema() ORDER BY 1",
        (),
    )
    assert tuple(row[0] for row in rows) == HYPERTABLES
    venue = Venue(10)
    venue.trade(3)
    record(database, venue, Random(1))
    chunks = database.fetch(
        "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_schema = current_schema()", ()
    )
    assert chunks[0][0] > 0


def test_times_are_kept_to_the_nanosecond_and_cut_to_the_microsecond(database: Database) -> None:
    venue = Venue(11)
    record(database, venue, Random(1))
    rows = database.fetch("SELECT time_ns, (extract(epoch FROM time) * 1000000)::bigint FROM assets", ())
    assert rows and all(micros == time_ns // 1_000 for time_ns, micros in rows)
    assert rows[0][0] == venue.now_ns
