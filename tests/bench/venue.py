"""The real venue for the benches: its processes on a real disk, and a broker's session of the SDK.

Invariant: nothing is spared: default settings, the journal synced before anything is answered, and every
answer is compared with what the order flow's own exchange said.
"""

import json
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from bus.client import Client
from bus.client.pending import Pending
from bus.codec import unpack
from bus.commands import PlaceOrder
from bus.frames import decode_commands_frame, decode_events_frame
from engine.disk import OsDisk
from engine.journal_reader import JournalReader
from tests.poll import until
from tests.processes import Processes

from . import driver
from .flow import KEY_ID, SECRET, Step, seed_of, write_seed

ALONE = ("engine", "gateway")
ALL = ("engine", "archive", "gateway", "recorder", "feed")
VALID_S = 5.0
QUEUE_MAX = 1_024
_TRADING_EVENTS_MIN = 20
_FRAME_COMMANDS_MAX = 1 << 40


class VenueDoor:
    """The SDK's client, pipelined, with at most so many orders under way."""

    def __init__(self, client: Client, steps: Sequence[Step]) -> None:
        self.answered: list[int] = []
        # Only what is compared is kept of an answered request: the rest is memory for the next one.
        self.told: list[tuple[int, tuple[Any, ...]]] = []
        self._client = client
        self._steps = steps

    def hand_over(self, index: int) -> None:
        """Hand over an order."""
        command = self._steps[index][1]
        if isinstance(command, PlaceOrder):
            order, account, _, market, side, order_type, tif, _, price, qty, _ = command
            self._client.place_ticks(
                market, side, price, qty, client_order_id=order, account=account, order_type=order_type,
                time_in_force=tif, callback=self._tell,
            )  # fmt: skip
        else:
            _, account, _, market, _, order = command
            self._client.cancel_id(market, client_order_id=order, account=account, callback=self._tell)

    def pump(self, timeout_s: float) -> int:
        """Send what waits and take in what has come."""
        return self._client.pump(timeout_s)

    def _tell(self, pending: Pending) -> None:
        self.answered.append(time.perf_counter_ns())
        self.told.append((pending.code, pending.result))

    def check(self, first: int, count: int) -> None:
        """Compare the answers since the last check with what they must be, in order."""
        told, self.told = self.told, []
        if len(told) != count:
            raise AssertionError(f"expected {count} answers, was {len(told)}")
        last_seq = 0
        for step, (code, answer) in zip(self._steps[first : first + count], told, strict=True):
            if code != step.code or answer[3:5] != (step.filled_lots, step.left_lots):
                raise AssertionError(f"expected {step}, was {code} {answer}")
            if answer[1] <= last_seq:
                raise AssertionError(f"expected answers in the order of execution, was {answer}")
            last_seq = answer[1]


class Venue:
    """A fresh venue; leaving the context ends its processes and removes its data.

    Parameters
    ----------
    disk
        A folder on a disk, for journal and database.
    components
        What runs.
    steps
        The flow that its client will hand over, from the first step on.
    accounts
        As many as the flow has.
    """

    def __init__(
        self, disk: Path, components: Sequence[str], steps: Sequence[Step], accounts: int = 50
    ) -> None:
        self._data = tempfile.TemporaryDirectory(dir=disk, prefix="venue-")
        self._run = tempfile.TemporaryDirectory(prefix="zpb")
        data, folder = Path(self._data.name).resolve(), Path(self._run.name)
        write_seed(seed_of(accounts), data / "seed.toml")
        self._processes = Processes(
            folder,
            f"venue.data_dir={data}",
            f"seed.file={data}/seed.toml",
            "endpoints.gateway=tcp://127.0.0.1:0",
            "journal.segment_bytes=67108864",
            "logs.level=warning",
        )
        self.pids: dict[str, int] = {}
        self._metrics: dict[str, str] = {}
        self._stopped = False
        try:
            for component in components:
                running = self._processes.start(component)
                self.pids[component] = running.pid
                self._metrics[component] = running.metrics
                if component == "gateway":
                    endpoint = running.endpoints["gateway"]
            self.client = Client(
                endpoint, KEY_ID, SECRET, window=driver.IN_FLIGHT_MAX, queue_max=QUEUE_MAX,
                valid_for_s=VALID_S, timeout_s=30.0,
            )  # fmt: skip
            self.client.connect()
        except BaseException:
            self._end()
            raise
        self.door = VenueDoor(self.client, steps)

    def __enter__(self) -> "Venue":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close(0.0)
        self._end()

    def health(self, component: str) -> dict[str, Any]:
        """Return what a component's ``/health`` says."""
        with urllib.request.urlopen(f"{self._metrics[component]}/health", timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def settle(self, timeout_s: float = 300.0) -> float:
        """Wait until recorder and feed have every event; return the seconds that it took."""
        began_s = time.monotonic()
        followers = {"recorder": "recorded_seq", "feed": "seq"}
        for component, name in followers.items():
            if component in self.pids:
                last = self.health("engine")["seq"]

                def caught_up(component: str = component, name: str = name, last: int = last) -> bool:
                    return int(self.health(component)[name]) >= last

                until(caught_up, timeout_s, f"{component} at seq {last}")
        return time.monotonic() - began_s

    def check_journal(self, steps: Sequence[Step]) -> dict[str, int]:
        """Stop the venue in order and compare its journal with the steps that it was given.

        Raises
        ------
        AssertionError
            A command or an event is missing, or there is one too many.
        """
        self.client.close()
        for component in reversed(list(self.pids)):
            code = self._processes.stop(component)
            if code:
                raise AssertionError(f"expected {component} to stop with 0, was {code}")
        self._stopped = True
        found = journal_counts(Path(self._data.name) / "journal")
        expected = {
            "commands": len(steps),
            "events": sum(step.events for step in steps),
            "trades": sum(step.trades for step in steps),
        }
        if found != expected:
            raise AssertionError(f"expected the journal to hold {expected}, was {found}")
        return found

    def _end(self) -> None:
        with self._processes:
            pass
        self._run.cleanup()
        self._data.cleanup()


def journal_counts(folder: Path) -> dict[str, int]:
    """Return the numbers of trading commands, their events, and trades in a journal."""
    counts = {"commands": 0, "events": 0, "trades": 0}
    reader = JournalReader(OsDisk(), str(folder))
    for record in reader.records(1):
        for data in unpack(record.commands):
            frame = decode_commands_frame(data, _FRAME_COMMANDS_MAX)
            counts["commands"] += sum(1 for _, _, fields in frame.items if fields[0] in (1, 2))
        for transaction in decode_events_frame(record.events).transactions:
            for event in transaction[4]:
                counts["events"] += event[0] >= _TRADING_EVENTS_MIN
                counts["trades"] += event[0] == 21
    reader.close()
    return counts
