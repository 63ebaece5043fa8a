"""What is on disk gives back the exchange that wrote it, or the start says why not."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from bus.codec import encode_command
from bus.commands import Command, StartEngine
from bus.errors import Code, JournalError
from bus.frames import CommandsFrame, encode_commands_frame
from engine import recovery
from engine.batch import Batch
from engine.disk import OsDisk
from engine.image import dump
from engine.recovery import Recovered, recover, write_clean_snapshot
from engine.state import RULES_VERSION, Limits
from tests.conftest import ALL
from tests.engine.venue import SECOND_NS, founding, random_command

LIMITS = Limits(events_per_transaction_max=8, fills_per_order_max=3)


def _recover(folder: Path, now_ns: int = 10**15, engine: str = "engine-1") -> Recovered:
    return recover(
        OsDisk(), str(folder), engine=engine, new_venue_id=b"v" * 16, now_ns=now_ns, clock_behind_s_max=5,
        sync="none", sync_interval_ns=10**9, segment_bytes=65_536,
    )  # fmt: skip


def _commit(found: Recovered, batch: Batch, rules_version: int = RULES_VERSION) -> None:
    found.journal.append(
        batch.commands_bytes(), batch.events_bytes(), first_seq=batch.first_seq, last_seq=batch.last_seq,
        now_ns=batch.now_ns, rules_version=rules_version,
    )  # fmt: skip
    found.journal.sync()


def _batch(found: Recovered, now_ns: int) -> Batch:
    return Batch(found.exchange, found.journal.venue_id, found.journal.engine, now_ns)


def _start_epoch(found: Recovered, now_ns: int = 1) -> None:
    batch = _batch(found, max(now_ns, found.exchange.state.now_ns))
    batch.take_internal(StartEngine(found.exchange.state.epoch + 1, RULES_VERSION, LIMITS.as_wire()))
    if found.exchange.next_seq == 2:
        for command in founding(SECOND_NS):
            batch.take_internal(command)
    _commit(found, batch)


def _send(found: Recovered, random: Random, first: int, count: int, link: int) -> None:
    """Send random commands over a link, in frames of several, gaps and bad forms included."""
    numbered = 2
    batch = _batch(found, found.exchange.state.now_ns)
    opening = CommandsFrame(5, 0, link, 1, [(0, 0, (40,))])
    batch.take(encode_commands_frame(opening), opening)
    for number in range(first, first + count):
        now_ns = max(number * SECOND_NS // 100, batch.now_ns)
        if random.random() < 0.3:
            _commit(found, batch)
            batch = _batch(found, now_ns)
        command: Command = random_command(random, number, batch.now_ns + random.randrange(3 * SECOND_NS))
        fields: tuple[object, ...] = encode_command(command)
        if random.random() < 0.02:
            fields = fields[:-1]
        at = numbered + (random.random() < 0.02)
        frame = CommandsFrame(5, 0, link, at, [(1, number, fields)])
        batch.take(encode_commands_frame(frame), frame)
        numbered += at == numbered
    _commit(found, batch)


@pytest.mark.parametrize("seed", range(20 if ALL else 4))
def test_the_recovered_state_is_the_state_that_wrote_the_journal(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    found = _recover(tmp_path)
    for life in range(3):
        _start_epoch(found)
        _send(found, random, 1 + life * 300, 300, link=life + 1)
        found.exchange._check()
        if life == 1:
            write_clean_snapshot(OsDisk(), str(tmp_path), found.journal, found.exchange, keep=2)
        wanted = list(dump(found.exchange.state))
        found.journal.close()
        found = _recover(tmp_path)
        assert list(dump(found.exchange.state)) == wanted
        assert (found.snapshot_seq > 0) == (life >= 1)
        assert (found.records_executed == 0) == (life == 1)
    found.journal.close()


def _written(folder: Path) -> Recovered:
    found = _recover(folder)
    _start_epoch(found)
    _send(found, Random(1), 1, 50, link=1)
    found.journal.close()
    return found


def _refused(folder: Path, **arguments: object) -> JournalError:
    with pytest.raises(JournalError) as caught:
        _recover(folder, **arguments)  # type: ignore[arg-type]
    return caught.value


def test_a_journal_that_other_code_wrote_differently_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _written(tmp_path)
    monkeypatch.setattr("engine.matching._PPM", 1_000)
    error = _refused(tmp_path)
    assert error.code is Code.JOURNAL_REPLAY_DIFFERS and "was executed as" in error.detail
    monkeypatch.undo()
    _recover(tmp_path).journal.close()


def test_records_of_other_rules_name_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _written(tmp_path)
    monkeypatch.setattr(recovery, "RULES_VERSION", 3)
    error = _refused(tmp_path)
    assert error.code is Code.JOURNAL_OTHER_RULES
    assert "start the release with rules version 2, stop it in order" in error.detail


def test_other_rules_start_from_a_clean_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _recover(tmp_path)
    _start_epoch(found)
    write_clean_snapshot(OsDisk(), str(tmp_path), found.journal, found.exchange, keep=1)
    found.journal.close()
    monkeypatch.setattr(recovery, "RULES_VERSION", 3)
    found = _recover(tmp_path)
    assert found.exchange.state.epoch == 1
    found.journal.close()


def test_a_clock_far_behind_the_journal_stops_the_start(tmp_path: Path) -> None:
    found = _recover(tmp_path)
    _start_epoch(found, now_ns=100 * SECOND_NS)
    found.journal.close()
    error = _refused(tmp_path, now_ns=90 * SECOND_NS)
    assert error.code is Code.CLOCK_BEHIND and "10.0 s behind" in error.detail
    _recover(tmp_path, now_ns=96 * SECOND_NS).journal.close()


def test_another_engine_s_journal_is_refused(tmp_path: Path) -> None:
    _written(tmp_path)
    assert _refused(tmp_path, engine="engine-2").code is Code.JOURNAL_WRONG_VENUE


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    found = _recover(tmp_path)
    _start_epoch(found)
    path = Path(write_clean_snapshot(OsDisk(), str(tmp_path), found.journal, found.exchange, keep=1))
    wanted = list(dump(found.exchange.state))
    found.journal.close()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    found = _recover(tmp_path)
    assert [problem.code for problem in found.problems] == [Code.SNAPSHOT_INVALID]
    assert found.snapshot_seq == 0 and list(dump(found.exchange.state)) == wanted
    found.journal.close()


def test_recovery_does_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    _written(tmp_path)
    code = (
        "import hashlib,sys;from pathlib import Path;from tests.engine.test_recovery import _recover;"
        "from engine.image import dump;"
        "print(hashlib.sha256(b''.join(dump(_recover(Path(sys.argv[1])).exchange.state))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(digests) == 1
