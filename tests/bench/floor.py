"""`scripts/bench floor`: a bare pipeline with the venue's hops, batches and syncs, and nothing of its logic.

Client DEALER → ROUTER → PUSH → PULL, journal synced, PUB → SUB → ROUTER → DEALER: a gateway and an engine
as processes beside the client, over the same kinds of endpoints as the venue's. Messages are MessagePack
arrays of the venue's sizes: real commands go in, an event repeats each command's fields (trades are canned
from a real flow), and replies have the form of real ones. Batched with the same bounds; one journal write and
one `fdatasync` a batch into a preallocated, zeroed file. There is no book, no account, no check, no session,
no checksum and no recovery: what this costs is the least that the venue can cost.

Invariant: every order handed over is answered once, in order; the client checks it.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import msgpack
import zmq

from bus.codec import encode_events
from bus.commands import PlaceOrder
from bus.errors import SettingsError
from tests.poll import until

from . import driver, report
from .flow import Flow, Step, founded

REQUESTS_PER_MESSAGE_MAX = 128
COMMANDS_PER_FRAME_MAX = 128
REPLIES_PER_MESSAGE_MAX = 1_024
BATCH_COMMANDS_MAX = 2_048
BATCH_FRAMES_MAX = 512
MESSAGES_PER_TURN_MAX = 256
JOURNAL_BYTES = 64 * 1024 * 1024
RECORD_HEADER = bytes(80)
CANNED = 1_000
ORDERS_FILLED = 2_000
VALID_NS = 5_000_000_000
TOKEN = bytes(16)
VENUE_ID = bytes(16)
_WAIT_MS = 100

_pack = msgpack.Packer(use_bin_type=True).pack


def _unpack(data: bytes) -> Any:
    return msgpack.unpackb(data, use_list=False)


def canned_events() -> list[list[tuple[object, ...]]]:
    """Return the event arrays of some transactions of a real flow, without the first event of each."""
    flow = Flow()
    filled, steps = flow.fill(ORDERS_FILLED), flow.steps(CANNED)
    exchange = founded(50)
    for step in filled:
        exchange.execute(step.command, flow.now_ns)
    return [encode_events(exchange.execute(step.command, flow.now_ns)[1:]) for step in steps]


def told(seq: int, fields: Any) -> tuple[object, ...]:
    """Return an event that tells of a command: its fields again, in the form of the venue's event."""
    if fields[0] == 1:
        _, order, account, _, market, side, kind, tif, post_only, price, qty, budget = fields
        return (20, account, seq, market, seq, order, side, kind, tif, post_only, price, qty, budget, price,
                seq, qty)  # fmt: skip
    _, _, account, _, market, order_id, client_order_id = fields
    return (23, account, seq, market, seq, client_order_id, 1, seq, seq, 1, seq, seq, seq, order_id)


class FloorEngine:
    """PULL, journal, PUB."""

    def __init__(self, folder: Path, journal: Path, sync: bool) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._pull = context.socket(zmq.PULL)
        self._pull.bind(f"ipc://{folder}/commands")
        self._pub = context.socket(zmq.XPUB)
        self._pub.sndhwm = 50_000
        self._pub.bind(f"ipc://{folder}/stream")
        # Nothing may be published before somebody listens: what nobody heard is never answered here.
        self._pub.recv()
        self._canned = canned_events()
        self._sync = sync
        self._seq = 1
        self._offset = 0
        self._journal = os.open(journal, os.O_RDWR | os.O_CREAT, 0o600)
        os.posix_fallocate(self._journal, 0, JOURNAL_BYTES)
        zeros = bytes(1024 * 1024)
        for at in range(0, JOURNAL_BYTES, len(zeros)):
            os.pwrite(self._journal, zeros, at)
        os.fdatasync(self._journal)

    def step(self) -> None:
        """Do one batch."""
        if not self._pull.poll(_WAIT_MS):
            return
        frames: list[bytes] = []
        transactions: list[tuple[int, int, int, int, Any]] = []
        canned, seq = self._canned, self._seq
        for _ in range(BATCH_FRAMES_MAX):
            if len(transactions) >= BATCH_COMMANDS_MAX:
                break
            try:
                data = self._pull.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            frames.append(data)
            _, _, gateway, _, _, _, items = _unpack(data)
            for session, request_id, fields in items:
                events = [told(seq, fields), *canned[request_id % CANNED]]
                transactions.append((seq, gateway, session, request_id, events))
                seq += len(events)
        events_bytes = _pack((1, 2, VENUE_ID, "engine", 1, self._seq, seq - 1, time.time_ns(), transactions))
        self._write(_pack(frames), events_bytes)
        self._seq = seq
        self._pub.send(events_bytes)

    def _write(self, commands: bytes, events: bytes) -> None:
        size = len(RECORD_HEADER) + len(commands) + len(events)
        if self._offset + size > JOURNAL_BYTES:
            self._offset = 0
        os.pwritev(self._journal, (RECORD_HEADER, commands, events), self._offset)
        self._offset += size
        if self._sync:
            os.fdatasync(self._journal)


class FloorGateway:
    """ROUTER to PUSH, and SUB to ROUTER."""

    def __init__(self, folder: Path) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._clients = context.socket(zmq.ROUTER)
        self._clients.bind("tcp://127.0.0.1:*")
        self._push = context.socket(zmq.PUSH)
        self._push.connect(f"ipc://{folder}/commands")
        self._sub = context.socket(zmq.SUB)
        self._sub.subscribe(b"")
        self._sub.connect(f"ipc://{folder}/stream")
        self._poller = zmq.Poller()
        self._poller.register(self._clients, zmq.POLLIN)
        self._poller.register(self._sub, zmq.POLLIN)
        self._peer = b""
        self._number = 1
        (folder / "endpoint").write_text(self._clients.getsockopt_string(zmq.LAST_ENDPOINT), "utf-8")

    def step(self) -> None:
        """Pass on what has come, both ways."""
        ready = dict(self._poller.poll(_WAIT_MS))
        if self._sub in ready:
            self._answer()
        if self._clients in ready:
            self._take()

    def _take(self) -> None:
        items: list[tuple[int, int, Any]] = []
        for _ in range(MESSAGES_PER_TURN_MAX):
            try:
                self._peer, data = self._clients.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            for request_id, _, (command,) in _unpack(data)[4]:
                items.append((1, request_id, command))
                if len(items) == COMMANDS_PER_FRAME_MAX:
                    self._send(items)
                    items = []
        if items:
            self._send(items)

    def _send(self, items: list[tuple[int, int, Any]]) -> None:
        self._push.send(_pack((1, 1, 7, 0, 1, self._number, items)))
        self._number += len(items)

    def _answer(self) -> None:
        for _ in range(MESSAGES_PER_TURN_MAX):
            try:
                data = self._sub.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            replies = [
                (request_id, 0, "", (0, seq, seq, 0, 100_000, "", False))
                for seq, _, _, request_id, _ in _unpack(data)[8]
            ]
            for start in range(0, len(replies), REPLIES_PER_MESSAGE_MAX):
                part = replies[start : start + REPLIES_PER_MESSAGE_MAX]
                self._clients.send_multipart((self._peer, _pack((1, 8, 0, part, (4_000, 200_000)))))


class FloorDoor:
    """The client: a DEALER that keeps at most so many orders under way."""

    def __init__(self, endpoint: str, steps: Sequence[Step]) -> None:
        self.answered: list[int] = []
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._socket = context.socket(zmq.DEALER)
        self._socket.connect(endpoint)
        self._steps = steps
        self._waiting: list[tuple[int, int, Any]] = []
        self._under_way = 0
        self._next_answer = self._next_id = 1

    def hand_over(self, index: int) -> None:
        """Hand over an order (the list begins again behind its end).

        It is sent when nothing is under way, or when a whole message is ready and has room.
        """
        waiting = self._waiting
        command = self._steps[index % len(self._steps)].command
        # Even a bare client makes its message, with the time until which it holds.
        until_ns = time.time_ns() + VALID_NS
        kind = 1 if type(command) is PlaceOrder else 2
        fields = (kind, command[0], command[1], until_ns, *command[3:])
        waiting.append((self._next_id, 4, (fields,)))
        self._next_id += 1
        if not self._under_way:
            self._send()
        elif len(waiting) >= REQUESTS_PER_MESSAGE_MAX:
            while self._under_way + len(waiting) > driver.IN_FLIGHT_MAX:
                self._receive(0.1)
            self._send()

    def pump(self, timeout_s: float) -> int:
        """Send what waits and take in what has come."""
        received = self._receive(0.0)
        if self._waiting and self._under_way + len(self._waiting) <= driver.IN_FLIGHT_MAX:
            self._send()
        return received or (self._receive(timeout_s) if timeout_s else 0)

    def _send(self) -> None:
        waiting = self._waiting
        self._socket.send(_pack((1, 7, TOKEN, 0, waiting)))
        self._under_way += len(waiting)
        self._waiting = []

    def _receive(self, timeout_s: float) -> int:
        if timeout_s and not self._socket.poll(int(timeout_s * 1000)):
            return 0
        received = 0
        for _ in range(MESSAGES_PER_TURN_MAX):
            try:
                data = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            received += 1
            now_ns = time.perf_counter_ns()
            replies = _unpack(data)[3]
            for request_id, _, _, _ in replies:
                if request_id != self._next_answer:
                    raise AssertionError(f"expected the answer to {self._next_answer}, was {request_id}")
                self._next_answer += 1
                self.answered.append(now_ns)
            self._under_way -= len(replies)
        return received

    def close(self) -> None:
        """Close."""
        self._socket.close(linger=0)


class Floor:
    """The two processes of the floor; leaving the context ends them.

    Parameters
    ----------
    disk
        A folder on a disk, for the journal.
    steps
        The commands that the client has.
    """

    def __init__(self, disk: Path, steps: Sequence[Step], sync: bool = True) -> None:
        self._run = tempfile.TemporaryDirectory(prefix="zpf")
        folder = Path(self._run.name)
        words = [sys.executable, "-m", "tests.bench.floor", "--run", str(folder), "--part"]
        engine = [*words, "engine", "--journal", str(disk / "floor.journal"), "--sync", str(int(sync))]
        self._running = [
            subprocess.Popen(engine, cwd=report.ROOT),
            subprocess.Popen([*words, "gateway"], cwd=report.ROOT),
        ]
        self.pids = {"engine": self._running[0].pid, "gateway": self._running[1].pid}
        endpoint = folder / "endpoint"
        until(lambda: endpoint.exists() and (folder / "ready").exists(), 30.0, "the floor ready")
        self.door = FloorDoor(until(lambda: endpoint.read_text("utf-8"), 5.0, "its endpoint"), steps)
        driver.one_by_one(self.door, 0, 1)

    def __enter__(self) -> "Floor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.door.close()
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(30)
        self._run.cleanup()


class _Stopped(Exception):
    """The parent asked this process to end."""


def run_part(part: str, folder: Path, journal: Path | None, sync: bool) -> None:
    """Be one of the two processes until told to end."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Stopped

    signal.signal(signal.SIGTERM, stop)
    try:
        if part == "gateway":
            step = FloorGateway(folder).step
        else:
            assert journal is not None
            step = FloorEngine(folder, journal, sync).step
            (folder / "ready").touch()
        while True:
            step()
    except (_Stopped, KeyboardInterrupt):
        zmq.Context.instance().destroy(linger=0)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the floor alone."""
    parser = argparse.ArgumentParser(prog="scripts/bench floor", description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000, help="orders of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=5_000, help="orders a second for the latencies")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long at that rate, a round")
    parser.add_argument("--dir", type=Path, default=Path("var"), help="folder on the disk to measure")
    parser.add_argument("--part", choices=("engine", "gateway"), help=argparse.SUPPRESS)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--journal", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sync", type=int, default=1, help=argparse.SUPPRESS)
    found = parser.parse_args(argv)
    if found.part:
        run_part(found.part, found.run, found.journal, bool(found.sync))
        return 0
    found.dir.mkdir(parents=True, exist_ok=True)
    try:
        kind = report.file_system(found.dir)
    except SettingsError as error:
        print(f"{error.code.name}: {error.detail}", file=sys.stderr)
        return 2
    timed = int(found.rate * found.seconds)
    steps = Flow().steps(max(found.orders, timed, 1_000))
    with (
        tempfile.TemporaryDirectory(dir=found.dir, prefix="floor-") as folder,
        Floor(Path(folder), steps) as floor,
        driver.quiet(),
    ):
        rates = [driver.throughput(floor.door, 0, found.orders) for _ in range(found.rounds)]
        late = [driver.at_rate(floor.door, 0, timed, found.rate) for _ in range(found.rounds)]
        single = driver.one_by_one(floor.door, 0, min(1_000, found.orders))
    result: dict[str, object] = {"floor_orders_per_s": round(report.median(rates))}
    for name in late[0]:
        result[f"floor_{name}_ms"] = report.median(one[name] for one in late)
    result["floor_single_p50_ms"] = single["p50"]
    result |= {"fs": kind, "sync": "always", "rate_per_s": found.rate, "rounds": found.rounds}
    report.table("floor: the hops without logic", ["figure", "value"], result.items())
    report.finish("floor", result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
