"""A gateway's desk before the real exchange, in one process, with pipes that the test moves and loses.

Nothing is mocked that decides anything: the commands run through the engine's own `Batch`; only sockets and
clock are stood in for, by lists and a number.
"""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from prometheus_client import CollectorRegistry

from bus.codec import decode_event, encode_command, pack, unpack
from bus.commands import (
    Command,
    Continue,
    CreateAccount,
    CreateAsset,
    CreateKey,
    CreateMarket,
    Deposit,
    StartEngine,
)
from bus.errors import ZeropitError
from bus.events import KeyCreated
from bus.frames import decode_commands_frame, decode_events_frame
from bus.metrics import Meters
from bus.scram import ClientExchange, make_verifier
from bus.settings import load
from engine.batch import Batch
from engine.exchange import Exchange
from engine.queries import Queries
from engine.state import RULES_VERSION
from engine.state import Limits as EngineLimits
from gateway.desk import Desk, Engine
from gateway.doors import Asked, Delivery, Reply
from gateway.limits import Limits, limits_of
from gateway.meters import GatewayMeters

VENUE = bytes(range(16))
START_NS = 1_700_000_000_000_000_000
S_NS = 1_000_000_000
LIMITS = limits_of(load())
ACCOUNTS = ("ann", "bob", "cat")
KEYS = {
    "trader": (3, ("ann",)),
    "other": (3, ("bob",)),
    "reader": (1, ("ann",)),
    "broker": (5, ("ann", "bob", "cat")),
    "admin": (15, ("operator",)),
}
"""Key, roles, accounts; the secret is the key's name and "-secret"."""

_numbers = count(1)


class FakeDoors:
    """Sockets as lists.

    Attributes
    ----------
    pipes
        What is on its way to the engine, a lane.
    connected
        Whether pipes take anything.
    gone, full
        Connections that are gone, or whose queue is full.
    """

    def __init__(self) -> None:
        self.out: dict[bytes, list[bytes]] = {}
        self.pipes: list[deque[bytes]] = [deque(), deque()]
        self.old_pipes: list[bytes] = []
        self.connected = True
        self.gone: set[bytes] = set()
        self.full: set[bytes] = set()
        self.warnings: list[tuple[str, dict[str, str]]] = []
        self.asked: deque[tuple[str, tuple[Any, ...], Asked]] = deque()

    def to_client(self, peer: bytes, data: bytes) -> Delivery:
        """Keep a message for a connection."""
        if peer in self.gone:
            return Delivery.GONE
        if peer in self.full:
            return Delivery.FULL
        self.out.setdefault(peer, []).append(data)
        return Delivery.SENT

    def to_engine(self, lane: int, data: bytes) -> bool:
        """Put a frame into a pipe."""
        if self.connected:
            self.pipes[lane].append(data)
        return self.connected

    def new_pipe(self, lane: int) -> None:
        """Lose what is in a pipe (it stays in ``old_pipes``, for a test to let it arrive late)."""
        self.old_pipes.extend(self.pipes[lane])
        self.pipes[lane].clear()

    def ask(self, query: str, args: Sequence[object], done: Asked) -> None:
        """Keep a question for the engine."""
        self.asked.append((query, tuple(args), done))

    def warn(self, kind: str, **fields: str) -> None:
        """Keep a warning."""
        self.warnings.append((kind, fields))

    def random_bytes(self, number: int) -> bytes:
        """Return bytes that differ each time."""
        return next(_numbers).to_bytes(number, "big")


class Venue:
    """One desk and one exchange with two assets, a market, three accounts and the keys above."""

    def __init__(self, limits: Limits = LIMITS, gateway: int = 77) -> None:
        self.now_ns = START_NS
        self.exchange = Exchange()
        self.queries = Queries(self.exchange, 5, 4, 60 * S_NS, dict)
        self.frames: list[bytes] = []
        self._make(StartEngine(1, RULES_VERSION, EngineLimits().as_wire()))
        self._setup()
        self.doors = FakeDoors()
        self.meters = GatewayMeters(Meters(CollectorRegistry(), "gateway"))
        self.desk = Desk(gateway, limits, self.doors, self.meters)
        self.desk.flow.epoch = 1
        events = [decode_event(raw) for raw in self.queries.answer("keys", (), 0)[1]]
        self.desk.logons.set_keys(event for event in events if isinstance(event, KeyCreated))
        self.position = self.exchange.next_seq - 1
        self.frames.clear()
        self.desk.engine = Engine.LINKING
        self.turn()
        self.settle()
        self.desk.engine = Engine.JOINED

    def _setup(self) -> None:
        until = self.now_ns + S_NS
        for asset in ("BTC", "USD"):
            self._make(CreateAsset(f"{next(_numbers)}", "operator", until, asset, 2))
        self._make(CreateMarket("m", "operator", until, "BTC-USD", "BTC", "USD", 1, 0, 1, 10**6, 10**6, 0, 0))
        for account in ACCOUNTS:
            self._make(CreateAccount(f"{next(_numbers)}", "operator", until, account))
            for asset in ("BTC", "USD"):
                self._make(Deposit(f"{next(_numbers)}", "operator", until, account, asset, 10**11))
        for key, (roles, accounts) in KEYS.items():
            verifier = make_verifier(f"{key}-secret", b"salt" * 4, 4096)
            self._make(CreateKey(f"{next(_numbers)}", "operator", until, key, roles, accounts, *verifier))

    def _make(self, command: Command) -> None:
        batch = self._batch()
        batch.take_internal(command)
        assert not batch.rejects, (command, batch.rejects)
        self.frames.append(batch.events_bytes())

    def _batch(self) -> Batch:
        return Batch(self.exchange, VENUE, "engine-1", self.now_ns)

    def turn(self, later_ns: int = 1_000_000) -> None:
        """Let time pass, and do what is due."""
        self.now_ns += later_ns
        self.desk.turn(self.now_ns - START_NS, self.now_ns)
        self.desk.keep_time()
        self.desk.end_of_drain()

    def execute(self, frames_max: int = 1_000, lanes: Sequence[int] = (1, 0)) -> None:
        """Let the engine take frames out of the pipes and publish what came of them."""
        batch = self._batch()
        for lane in lanes:
            pipe = self.doors.pipes[lane]
            while pipe and frames_max:
                frames_max -= 1
                self.take(batch, pipe.popleft())
        if batch.commands:
            self.frames.append(batch.events_bytes())

    def take(self, batch: Batch, data: bytes) -> None:
        """Let the engine execute one frame."""
        batch.take(data, decode_commands_frame(data, LIMITS.commands_per_frame_max))

    def arrive_late(self) -> None:
        """Let what was left in pipes that were given up reach the engine after all."""
        batch = self._batch()
        for data in self.doors.old_pipes:
            self.take(batch, data)
        self.doors.old_pipes.clear()
        if batch.commands:
            self.frames.append(batch.events_bytes())

    def restart_engine(self) -> None:
        """Begin a new epoch."""
        self._make(StartEngine(self.exchange.state.epoch + 1, RULES_VERSION, EngineLimits().as_wire()))

    def continue_work(self) -> None:
        """Let the engine go on with mass cancels."""
        while self.exchange.has_work:
            self._make(Continue())

    def publish(self) -> None:
        """Let the desk see what was published."""
        for data in self.frames:
            frame = decode_events_frame(data)
            head = frame.head
            self.desk.turn(self.now_ns - START_NS, self.now_ns)
            self.desk.apply(frame.transactions, self.position, head.last_seq, head.epoch, head.now_ns)
            self.position = head.last_seq
            self.desk.end_of_drain()
        self.frames.clear()

    def answer_queries(self, meanwhile: Callable[[], None] | None = None) -> None:
        """Let the engine answer what it was asked; ``meanwhile`` happens before the first answer arrives."""
        while self.doors.asked:
            query, args, done = self.doors.asked.popleft()
            try:
                seq, result = self.queries.answer(query, args, self.now_ns)
                reply = Reply(0, "", seq, self.now_ns, unpack(pack(result)))
            except ZeropitError as error:
                reply = Reply(int(error.code), error.detail, self.exchange.next_seq - 1, self.now_ns, None)
            if meanwhile is not None:
                meanwhile()
                meanwhile = None
            done(reply)
        self.desk.end_of_drain()

    def settle(self) -> None:
        """Let everything happen that is under way."""
        for _ in range(100):
            self.execute()
            if not self.frames and not self.doors.asked:
                break
            self.publish()
            self.answer_queries()
            self.turn()


class Peer:
    """A client's connection to a `Venue`."""

    def __init__(self, venue: Venue, name: str) -> None:
        self.venue = venue
        self.peer = name.encode()
        self.token = b""
        self.run = 0
        self.next_id = 1
        self.settings: dict[str, Any] = {}

    def log_on(
        self, key: str = "trader", secret: str = "", cancel_on_disconnect: bool = False
    ) -> tuple[Any, ...]:
        """Log on; return the last reply."""
        exchange = ClientExchange(key, secret or f"{key}-secret", f"n{next(_numbers)}")
        first = self.request(1, exchange.first())
        if first[1]:
            return first
        option = (True,) if cancel_on_disconnect else ()
        final = self.request(2, exchange.final(first[3][0]), *option)
        if final[1] == 0:
            exchange.check(final[3][0])
            self.token, self.settings = final[3][1], final[3][5]
        return final

    def send(self, *requests: tuple[int, tuple[Any, ...]]) -> list[int]:
        """Send requests ``(op, args)`` in one message; return their ids."""
        first = self.next_id
        self.next_id += len(requests)
        items = [(first + i, op, args) for i, (op, args) in enumerate(requests)]
        self.raw(pack((1, 7, self.token, self.run, items)))
        return [item[0] for item in items]

    def commands(self, *commands: Command) -> list[int]:
        """Send commands in one message."""
        return self.send(*((4, (encode_command(command),)) for command in commands))

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        venue = self.venue
        venue.desk.turn(venue.now_ns - START_NS, venue.now_ns)
        venue.desk.receive(self.peer, data)
        venue.desk.end_of_drain()

    def request(self, op: int, *args: Any) -> tuple[Any, ...]:
        """Send one request that is answered at once; return its reply."""
        (request_id,) = self.send((op, args))
        return self.replies()[request_id]

    def messages(self) -> list[tuple[Any, ...]]:
        """Return the messages that have come, once."""
        return [unpack(data) for data in self.venue.doors.out.pop(self.peer, [])]

    def replies(self) -> dict[int, tuple[Any, ...]]:
        """Return the replies that have come by request id, each exactly once."""
        found: dict[int, tuple[Any, ...]] = {}
        for message in self.messages():
            if message[1] == 8:
                for reply in message[3]:
                    assert reply[0] not in found, f"expected one reply to {reply[0]}, was another: {reply}"
                    found[reply[0]] = reply
        return found

    def codes(self) -> dict[int, int]:
        """Return the codes of the replies that have come."""
        return {request_id: reply[1] for request_id, reply in self.replies().items()}

    def private(self) -> list[tuple[Any, ...]]:
        """Return the private events that have come as ``(account, account_seq, seq, event)``."""
        return [
            (message[2], event[0], event[1], event[3])
            for message in self.messages()
            if message[1] == 9
            for event in message[3]
        ]


def logged_on(venue: Venue, key: str = "trader", name: str = "") -> Peer:
    """Return a connection that has logged on."""
    peer = Peer(venue, name or key)
    assert peer.log_on(key)[1] == 0
    return peer
