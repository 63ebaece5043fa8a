"""`scripts/bench stages`: the CPU time of one order in each stage of its way, in one process, no sockets.

The SDK's session, the gateway's desk and the engine's batch are pure, so messages can be handed from one to
the next in memory: what is left is the venue's own work, free of the kernel, of waiting and mostly of what
else the machine does. `--profile STAGE` shows where a stage spends it.

Invariant: every order's answer arrives, and is the one that the flow's own exchange gave it.
"""

import argparse
import cProfile
import gc
import pstats
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from bus.client import Client
from bus.client.session import State
from bus.codec import decode_event
from bus.events import KeyCreated
from bus.frames import decode_commands_frame, decode_events_frame
from bus.metrics import Meters
from bus.settings import load
from engine.batch import Batch
from engine.queries import Queries
from gateway.desk import Desk, Engine
from gateway.doors import Asked, Delivery
from gateway.limits import limits_of
from gateway.meters import GatewayMeters

from . import report
from .flow import KEY_ID, SECRET, SHARES, Flow, founded
from .venue import VenueDoor

T = TypeVar("T")
STAGES = ("client out", "gateway in", "engine", "gateway out", "client in")
PER_TURN = 16 * 128
WINDOW = 4_096
VENUE_ID = bytes(16)
_PEER = b"peer"


class MemoryDoors:
    """The desk's doors, as lists."""

    def __init__(self) -> None:
        self.out: deque[bytes] = deque()
        self.pipes: tuple[deque[bytes], deque[bytes]] = (deque(), deque())

    def to_client(self, peer: bytes, data: bytes) -> Delivery:
        """Keep a message for the client."""
        self.out.append(data)
        return Delivery.SENT

    def to_engine(self, lane: int, data: bytes) -> bool:
        """Keep a frame for the engine."""
        self.pipes[lane].append(data)
        return True

    def new_pipe(self, lane: int) -> None:
        """Begin a new pipe."""
        self.pipes[lane].clear()

    def warn(self, kind: str, **fields: str) -> None:
        """Refuse: nothing strange happens here."""
        raise AssertionError(f"expected nothing to warn of, was {kind} {fields}")

    def ask(self, query: str, args: Sequence[object], done: Asked) -> None:
        """Refuse: nothing is asked here."""
        raise AssertionError(f"expected no query, was {query}")

    def random_bytes(self, count: int) -> bytes:
        """Return bytes for a token."""
        return bytes(range(1, count + 1))


class Way:
    """Client, gateway and engine in one process, and the CPU nanoseconds spent in each stage."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.steps = flow.fill(0)
        self.taken = dict.fromkeys(STAGES, 0)
        self.profiled = ""
        self.profiler = cProfile.Profile()
        self.exchange = founded(50, flow.now_ns)
        self.doors = MemoryDoors()
        meters = GatewayMeters(Meters(CollectorRegistry(), "gateway"))
        self.desk = Desk(7, limits_of(load()), self.doors, meters)
        keys = Queries(self.exchange, 5, 4, 1_000_000_000, dict).answer("keys", (), 0)[1]
        events = [decode_event(raw) for raw in keys]
        self.desk.logons.set_keys(event for event in events if isinstance(event, KeyCreated))
        self._position = self.exchange.next_seq - 1
        self._limit = limits_of(load()).commands_per_frame_max
        self.client = Client("ipc:///nowhere", KEY_ID, SECRET, window=WINDOW, queue_max=2 * PER_TURN)
        self.door = VenueDoor(self.client, self.steps)
        self._begin()

    def _begin(self) -> None:
        """Open the links and log on."""
        self.desk.flow.epoch = self.exchange.state.epoch
        self.desk.engine = Engine.LINKING
        self._now()
        self.desk.keep_time()
        self._engine()
        self.desk.engine = Engine.JOINED
        session = self.client.session
        session.opened(time.monotonic_ns())
        while session.state is not State.UP:
            while (message := session.next_message()) is not None:
                self.desk.receive(_PEER, message)
            self.desk.end_of_drain()
            self._client_in()

    def run(self, count: int) -> None:
        """Lead the next orders through, and check their answers."""
        first = len(self.steps)
        self.steps += self.flow.steps(count)
        self.lead(first)

    def lead(self, first: int) -> None:
        """Lead the orders from an index on through."""
        for start in range(first, len(self.steps), PER_TURN):
            end = min(start + PER_TURN, len(self.steps))
            messages = self._in("client out", partial(self._client_out, start, end))
            self._in("gateway in", partial(self._gateway_in, messages))
            self._engine()
            self._in("client in", self._client_in)
            self.door.check(start, end - start)

    def _client_out(self, start: int, end: int) -> list[bytes]:
        session = self.client.session
        messages: list[bytes] = []
        for index in range(start, end):
            self.door.hand_over(index)
            if index % 128 == 127 and (message := session.next_message()) is not None:
                messages.append(message)
        while (message := session.next_message()) is not None:
            messages.append(message)
        return messages

    def _gateway_in(self, messages: list[bytes]) -> None:
        self._now()
        for message in messages:
            self.desk.receive(_PEER, message)
        self.desk.end_of_drain()

    def _engine(self) -> None:
        data = self._in("engine", self._batch)
        self._in("gateway out", partial(self._gateway_out, data))

    def _batch(self) -> bytes:
        now_ns = max(time.time_ns(), self.exchange.state.now_ns)
        batch = Batch(self.exchange, VENUE_ID, "engine-1", now_ns)
        for pipe in reversed(self.doors.pipes):
            while pipe:
                data = pipe.popleft()
                batch.take(data, decode_commands_frame(data, self._limit))
        batch.commands_bytes()
        return batch.events_bytes()

    def _gateway_out(self, data: bytes) -> None:
        self._now()
        frame = decode_events_frame(data)
        head = frame.head
        self.desk.apply(frame.transactions, self._position, head.last_seq, head.epoch, head.now_ns)
        self._position = head.last_seq
        self.desk.end_of_drain()

    def _client_in(self) -> None:
        now_ns = time.monotonic_ns()
        while self.doors.out:
            self.client.session.receive(self.doors.out.popleft(), now_ns)
        self.client.pump()

    def _now(self) -> None:
        self.desk.turn(time.monotonic_ns(), time.time_ns())

    def _in(self, stage: str, work: Callable[[], T]) -> T:
        """Do a stage's work and add up its time."""
        if stage == self.profiled:
            self.profiler.enable()
        began_ns = time.process_time_ns()
        result = work()
        self.taken[stage] += time.process_time_ns() - began_ns
        self.profiler.disable()
        return result


def measure(orders: int, rounds: int, resting: int, profile: str = "") -> dict[str, Any]:
    """Return the median CPU microseconds of one order in each stage."""
    way = Way(Flow())
    first = len(way.steps)
    way.steps += way.flow.fill(resting)
    way.lead(first)
    way.run(orders)
    gc.collect()
    gc.freeze()
    gc.disable()
    found: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for _ in range(rounds):
        way.taken = dict.fromkeys(STAGES, 0)
        way.run(orders)
        for stage in STAGES:
            found[stage].append(way.taken[stage] / 1e3 / orders)
    if profile:
        way.profiled = profile
        way.run(orders)
        pstats.Stats(way.profiler).sort_stats("tottime").print_stats(25)
    gc.enable()
    gc.unfreeze()
    result: dict[str, Any] = {
        f"{stage.replace(' ', '_')}_us": report.median(taken) for stage, taken in found.items()
    }
    return result | {"total_us": round(sum(result.values()), 4), "orders_per_round": orders}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench stages", description=__doc__)
    parser.add_argument("--orders", type=int, default=20_480, help="orders of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--resting", type=int, default=10_240, help="orders in the book")
    parser.add_argument("--profile", choices=STAGES, default="", help="show where a stage's time goes")
    found = parser.parse_args(argv)
    result = measure(found.orders, found.rounds, found.resting, found.profile)
    report.table("stages: CPU time of one order", ["stage", "µs"], result.items())
    report.finish("stages", result | {"mix": SHARES})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
