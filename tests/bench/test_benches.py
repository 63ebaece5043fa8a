"""Each bench runs, small, checks its own result, and ends with a JSON line of the figures it promises.

No figure is judged here: the machine may be shared.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bus.errors import SettingsError
from bus.events import SelfTradePrevented, TradeExecuted, TradeKind
from tests.bench import driver, report
from tests.bench.core_flows import GROUNDS
from tests.bench.flow import CANCEL, MARKETABLE, PASSIVE, Flow
from tests.bench.memory import wire_orders

RUN_S_MAX = 240
MACHINE = {"bench", "commit", "python", "core", "cores", "load_average"}


def run(bench: str, *words: str) -> dict[str, Any]:
    """Run a bench as a user does; return its last line."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{bench}", *words],
        cwd=report.ROOT, capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["bench"] == bench and set(found) >= MACHINE
    return found


def test_core() -> None:
    found = run("core", "--orders", "300", "--warm", "500", "--commands", "500", "--rounds", "2")
    assert set(found["models"]) == set(GROUNDS)
    for figures in (found, *found["models"].values()):
        assert figures["commands_per_s"] > 0 and figures["steps_per_command"] > 0
        assert {f"{kind}_us" for kind in (PASSIVE, CANCEL, MARKETABLE)} <= set(figures)


def test_sizes() -> None:
    words = ("--orders", "600", "--markets", "5", "--accounts", "60", "--commands", "1000", "--rounds", "1")
    found = run("sizes", *words)
    for dimension, largest in (("orders", "600"), ("markets", "5"), ("accounts", "60")):
        sizes = found["dimensions"][dimension]["sizes"]
        assert largest in sizes and all(of["command_ns"] > 0 for of in sizes.values())
    operations = found["elsewhere"]["operations"]
    assert set(operations) == {"cancel_all", "cancel_range", "cancel_market", "expiry", "settle"}
    assert set(found["growth"]) == {"orders", "markets", "accounts", "elsewhere"}


def test_memory() -> None:
    found = run("memory", "--orders", "2000")
    assert 0 < found["bytes_per_order"] < 10 * found["goal_bytes"]
    assert found["where"]


def test_stages() -> None:
    found = run("stages", "--orders", "500", "--rounds", "2", "--resting", "300")
    assert found["total_us"] > 0


def test_floor(real_disk: Path) -> None:
    found = run("floor", "--orders", "500", "--rounds", "1", "--seconds", "0.1", "--dir", str(real_disk))
    assert found["floor_orders_per_s"] > 0 and found["floor_p99_ms"] > 0
    assert found["fs"] not in report.MEMORY_FILE_SYSTEMS


def test_pipeline(real_disk: Path) -> None:
    words = ("--orders", "600", "--rounds", "1", "--seconds", "0.1", "--resting", "200", "--warm", "100")
    found = run("pipeline", *words, "--dir", str(real_disk))
    assert found["journal_commands"] == found["journal_commands_all"] == 200 + 100 + 600 + 500
    for name in ("ratio", "ratio_p50", "ratio_p99"):
        assert found[name] > 0 and found[f"{name}_all"] > 0
    assert {"floor_orders_per_s", "orders_per_s", "p50_ms", "p99_ms", "mix", "sync", "batch"} <= set(found)
    assert not list(real_disk.iterdir()), "expected nothing left behind"


def test_a_disk_in_memory_is_refused() -> None:
    memory = Path("/dev/shm")
    with pytest.raises(SettingsError, match="expected a folder on a disk, was /dev/shm on tmpfs"):
        report.file_system(memory)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.pipeline", "--dir", str(memory)],
        cwd=report.ROOT, capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "expected a folder on a disk" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_flow_keeps_its_mix_and_its_book() -> None:
    flow = Flow()
    flow.fill(2_000)
    steps = flow.steps(20_000)
    shares = {kind: sum(step.kind == kind for step in steps) / 200 for kind in (PASSIVE, CANCEL, MARKETABLE)}
    assert shares == pytest.approx({PASSIVE: 55, CANCEL: 35, MARKETABLE: 10}, abs=2)
    assert not any(step.code for step in steps)
    assert all(step.filled_lots and not step.left_lots for step in steps if step.kind == MARKETABLE)
    assert all(step.left_lots and not step.trades for step in steps if step.kind == PASSIVE)
    assert 1_600 < flow.open_orders < 2_400
    flow.exchange._check()


@pytest.mark.parametrize("model", list(GROUNDS))
def test_each_model_is_at_work_in_its_flow(model: str) -> None:
    flow = Flow(ground=GROUNDS[model], accounts=20)
    found: list[object] = []
    flow.exchange.subscribe(lambda _, event: found.append(event))
    flow.fill(1_000)
    steps = flow.steps(4_000)
    assert not any(step.code for step in steps)
    assert 700 < flow.open_orders < 1_300
    kinds = {event.kind for event in found if isinstance(event, TradeExecuted)}
    implied, crossed = model == "odds_2", model == "odds_3"
    assert kinds == {TradeKind.DIRECT, *[TradeKind.IMPLIED] * implied, *[TradeKind.CROSS] * crossed}
    assert any(isinstance(event, SelfTradePrevented) for event in found) == (model == "spot_limits")
    flow.exchange._check()


def test_the_flow_is_the_same_each_time() -> None:
    one, two = Flow(seed=3), Flow(seed=3)
    assert one.fill(50) + one.steps(500) == two.fill(50) + two.steps(500)


def test_orders_for_memory_share_nothing() -> None:
    assert len(set(wire_orders(100, 5))) == 100


class Stalled:
    """A door that answers nothing until it was handed the last order, then all at once."""

    def __init__(self, last: int) -> None:
        self.answered: list[int] = []
        self._last = last
        self._held = 0

    def hand_over(self, index: int) -> None:
        self._held = index + 1

    def pump(self, timeout_s: float) -> int:
        if self._held <= self._last or self.answered:
            return 0
        self.answered += [time.perf_counter_ns()] * self._held
        return 1


def test_a_stall_counts_for_every_order_that_was_due() -> None:
    """Open loop: the last order is due 399 periods after the first, so the median waited half of that."""
    stalled = driver.at_rate(Stalled(last=399), 0, 400, 20_000)
    assert stalled["p50"] >= 199 * 0.05
    assert stalled["max"] >= 399 * 0.05
