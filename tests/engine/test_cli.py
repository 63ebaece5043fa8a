"""The journal's commands print what is there, refuse in one line, and change nothing."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bus.commands import OPERATOR, CreateAsset, CreateKey, StartEngine
from engine.batch import Batch
from engine.cli import journal
from engine.disk import OsDisk
from engine.exchange import Exchange
from engine.journal import Journal
from engine.state import Limits
from tests.engine.journals import VENUE

NOW_NS = 1_700_000_000_123_456_789


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a journal of two batches: an asset and a key, and one that is no frame."""
    exchange = Exchange()
    writer = Journal.open(
        OsDisk(), str(tmp_path / "journal"), engine="engine", new_venue_id=VENUE, segment_bytes=4096
    )
    batch = Batch(exchange, VENUE, "engine", NOW_NS)
    batch.take_internal(StartEngine(1, 3, Limits().as_wire()))
    batch.take_internal(CreateAsset("a", OPERATOR, NOW_NS + 1, "BTC", 8))
    batch.take_internal(
        CreateKey("k", OPERATOR, NOW_NS + 1, "bot", 1, (OPERATOR,), b"n" * 16, 4096, b"s" * 32, b"k" * 32)
    )
    for commands, events, count in (
        (batch.commands_bytes(), batch.events_bytes(), batch.events),
        (b"?", b"?", 1),
    ):
        first_seq = writer.last_seq + 1
        writer.append(
            commands,
            events,
            first_seq=first_seq,
            last_seq=first_seq + count - 1,
            now_ns=NOW_NS,
            rules_version=3,
        )
        writer.sync()
    writer.close()
    return tmp_path / "journal"


def run(*words: str) -> Result:
    return CliRunner().invoke(journal, words, catch_exceptions=False)


def test_verify_of_a_sound_journal(folder: Path) -> None:
    done = run("verify", "--dir", str(folder))
    assert done.exit_code == 0, done.output
    assert f"venue {VENUE.hex()}, engine engine: 2 records up to seq 4, no problems" in done.output
    assert "00000000000000000001.journal" in done.output


def test_verify_takes_the_folder_from_the_settings(folder: Path) -> None:
    assert run("verify", "--set", f"journal.dir={folder}").exit_code == 0


def test_verify_of_a_damaged_journal_says_where_and_fails(folder: Path) -> None:
    path = folder / "00000000000000000001.journal"
    content = bytearray(path.read_bytes())
    content[140] ^= 1
    path.write_bytes(content)
    done = run("verify", "--dir", str(folder))
    assert done.exit_code == 1
    assert "1 problems" in done.output
    assert "JOURNAL_DAMAGED: expected an intact record, was a broken one" in done.output
    assert f"({path}, byte 128, seq 1)" in done.output
    assert path.read_bytes() == bytes(content)


def test_verify_of_nothing_fails(tmp_path: Path) -> None:
    done = run("verify", "--dir", str(tmp_path / "none"))
    assert done.exit_code == 1
    assert f"no journal in {tmp_path / 'none'}" in done.output
    assert list(tmp_path.iterdir()) == []


def test_inspect_counts_commands_and_events(folder: Path) -> None:
    done = run("inspect", "--dir", str(folder))
    assert done.exit_code == 0, done.output
    assert "2023-11-14 22:13:20.123456789" in done.output
    assert "1 StartEngine, 1 CreateAsset, 1 CreateKey" in done.output
    assert "1 EngineStarted, 1 AssetCreated, 1 KeyCreated" in done.output
    assert "1 no frame of events" in done.output


def test_inspect_in_full_shows_fields_but_no_keys(folder: Path) -> None:
    done = run("inspect", "--dir", str(folder), "--full", "--limit", "1")
    assert done.exit_code == 0, done.output
    assert "CreateAsset(" in done.output
    assert "2 AssetCreated(" in done.output
    assert "=<32 bytes>" in done.output
    assert "sssss" not in done.output


def test_inspect_says_where_the_records_end(folder: Path) -> None:
    assert "no record after seq" not in run("inspect", "--dir", str(folder), "--limit", "1").output
    assert (
        "no record after seq 99: the end, or damage"
        in run("inspect", "--dir", str(folder), "--from-seq", "100").output
    )


def test_inspect_from_a_seq(folder: Path) -> None:
    done = run("inspect", "--dir", str(folder), "--full", "--from-seq", "4")
    assert "AssetCreated" not in done.output
    assert "no frame of events" in done.output
