"""``zeropit replay`` against the real engine and gateway."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import zeropit
from bus.client import Client
from tests.processes import Processes

from . import captures


@pytest.fixture
def venue(short_dir: Path) -> Iterator[Processes]:
    with Processes(short_dir) as processes:
        processes.start_all(["engine", "archive", "gateway"])
        yield processes


def run(venue: Processes, *words: str) -> tuple[int, str, str]:
    settings = [word for assignment in venue.overrides for word in ("--set", assignment)]
    done = CliRunner().invoke(zeropit.cli, ["replay", *words, *settings])
    return done.exit_code, done.stdout, str(done.exception or "")


def test_plays_a_recording_and_leaves_nothing_behind(venue: Processes, tmp_path: Path) -> None:
    wheel = captures.write_wheel(tmp_path / "some.whl")
    # Twice: the accounts exist the second time, ids do not meet.
    for _ in range(2):
        code, out, error = run(venue, str(wheel), "--accounts", "3")
        assert code == 0, error
        assert "WOULD_CROSS" in out and "15 commands" in out and "hindsight" in out
    with Client(venue.settings().endpoints.gateway, "operator", "operator-secret") as admin:
        assert admin.query("status")["orders"] == 0
        assert admin.markets()["BTC-USD"].last_trade_id == 2 * captures.IDENTICAL
        assert "operator" in (keys := repr(admin.query("keys"))) and "replay-" not in keys


def test_a_part_is_cancelled_at_its_end(venue: Processes, tmp_path: Path) -> None:
    code, _out, error = run(venue, str(captures.write_wheel(tmp_path / "some.whl")), "--first", "3")
    assert code == 0, error
    with Client(venue.settings().endpoints.gateway, "operator", "operator-secret") as admin:
        assert admin.query("status")["orders"] == 0


def test_a_market_that_does_not_suit_is_refused(venue: Processes, tmp_path: Path) -> None:
    wheel = str(captures.write_wheel(tmp_path / "some.whl"))
    assert "UNKNOWN_MARKET" in run(venue, wheel, "--market", "X-Y")[2]
    assert "expected a market with ticks of 0.01" in run(venue, wheel, "--market", "ETH-BTC")[2]
