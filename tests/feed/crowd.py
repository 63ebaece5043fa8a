"""A crowd that trades with a real engine, straight over its PULL, and what anyone may ask."""

import time
from random import Random
from types import TracebackType
from typing import Any

import zmq

from bus.codec import encode_command
from bus.commands import CancelAll, Command, OpenLink, OutsideCommand, PlaceOrder
from bus.errors import Code, ZeropitError
from bus.frames import CommandsFrame, encode_commands_frame
from bus.market_data import TopicFrame, decode_topic_frame
from bus.query import Asker, ask
from bus.query_frames import Answer
from tests.poll import until
from tests.processes import Processes

MARKET = "BTC-USD"
ACCOUNTS = ("demo-1", "demo-2")
FRAME_COMMANDS = 50
ANSWER_MS_MAX = 10_000


class Crowd:
    """Sends orders under a link of its own and waits until the engine has done them.

    Parameters
    ----------
    processes
        Engine and archive run.
    """

    def __init__(self, processes: Processes, seed: int = 1) -> None:
        settings = processes.settings()
        self._endpoints = settings.endpoints
        self._stream = settings.stream
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets: list[zmq.Socket[bytes]] = []
        self._random = Random(seed)
        self._gateway = self._random.getrandbits(40) | 1
        self._push = self._socket(zmq.PUSH, self._endpoints.engine_commands)
        self._engine = Asker(self._socket(zmq.DEALER, self._endpoints.engine_query), self._stream)
        self._feed = Asker(self._socket(zmq.DEALER, self._endpoints.feed_query), self._stream)
        self._number = 1
        self._orders = 0
        self._send([OpenLink()])

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for socket in self._sockets:
            socket.close(linger=0)
        self._context.term()

    def trade(self, orders: int, *, clear: bool = False) -> int:
        """Send orders, at the end (``clear``) cancel all; return the engine's seq after they are done."""
        random = self._random
        until_ns = time.time_ns() + 50 * 10**9
        commands: list[Command] = []
        for _ in range(orders):
            self._orders += 1
            side, price = random.choice((1, 2)), random.randint(10_000, 10_060)
            account = random.choice(ACCOUNTS)
            head = (f"{self._gateway}-{self._orders}", account, until_ns, MARKET)
            commands.append(PlaceOrder(*head, side, 1, 1, False, price, random.randint(1, 90), 0))
        if clear:
            commands += [CancelAll(f"clear-{self._orders}-{a}", a, until_ns, "") for a in ACCOUNTS]
        self._send(commands)
        last = commands[-1]
        assert isinstance(last, PlaceOrder | CancelAll)
        until(lambda: self._is_answered(*last[1::-1]), what="the engine's last answer")
        return self.engine("status").seq

    def run(self, *commands: OutsideCommand) -> int:
        """Send commands; return the engine's seq after the last of them is answered."""
        self._send(list(commands))
        account, command_id = commands[-1].account, commands[-1][0]
        until(lambda: self._is_answered(account, command_id), what="the engine's last answer")
        return self.engine("status").seq

    def engine(self, query: str, *args: object) -> Answer:
        """Ask the engine."""
        return ask(self._engine, query, args, timeout_ms=ANSWER_MS_MAX)

    def feed(self, query: str, *args: object) -> Answer:
        """Ask the feed."""
        return ask(self._feed, query, args, timeout_ms=ANSWER_MS_MAX)

    def feed_at(self, seq: int) -> Answer:
        """Wait until the feed has joined and has everything up to ``seq``; return its status."""

        def there() -> Answer | None:
            answer = self.feed("status")
            return answer if answer.result["ready"] and answer.seq >= seq else None

        answer = until(there, what=f"the feed at seq {seq}")
        assert answer is not None
        return answer

    def engine_levels(self) -> tuple[int, list[Any], list[Any]]:
        """Return the engine's own book: market_seq, bids, asks."""
        _, pages, (market_seq, levels) = self.engine("image", "book", MARKET).result
        assert pages == 1
        bids, asks = ([(p, lots) for s, p, lots, _ in levels if s == side] for side in (1, 2))
        return market_seq, bids, asks

    def subscriber(self, *prefixes: str, hwm: int = 100_000) -> "Subscriber":
        """Return a subscriber of the feed."""
        return Subscriber(self._socket(zmq.SUB, self._endpoints.feed_stream, hwm), prefixes)

    def stranger(self, kind: int, endpoint: str, hwm: int = 100_000) -> "zmq.Socket[bytes]":
        """Return a raw socket to an endpoint by its name."""
        return self._socket(kind, getattr(self._endpoints, endpoint), hwm)

    def _socket(self, kind: int, endpoint: str, hwm: int = 100_000) -> "zmq.Socket[bytes]":
        socket = self._context.socket(kind)
        self._sockets.append(socket)
        socket.setsockopt(zmq.RCVHWM, hwm)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(endpoint)
        return socket

    def _is_answered(self, account: str, command_id: str) -> bool:
        try:
            self.engine("answer", account, command_id)
        except ZeropitError as error:
            assert error.code == Code.UNKNOWN_ORDER, error
            return False
        return not self.engine("status").result["jobs"]

    def _send(self, commands: list[Command]) -> None:
        for at in range(0, len(commands), FRAME_COMMANDS):
            items = [(1, 1, encode_command(command)) for command in commands[at : at + FRAME_COMMANDS]]
            self._push.send(encode_commands_frame(CommandsFrame(self._gateway, 0, 1, self._number, items)))
            self._number += len(items)


class Subscriber:
    """A SUB socket and what came over it."""

    def __init__(self, socket: "zmq.Socket[bytes]", prefixes: tuple[str, ...]) -> None:
        self._socket = socket
        self.frames: list[TopicFrame] = []
        self.subscribe(*prefixes)

    def subscribe(self, *prefixes: str) -> None:
        """Subscribe to more."""
        for prefix in prefixes:
            self._socket.subscribe(prefix.encode())

    def unsubscribe(self, *prefixes: str) -> None:
        """Subscribe to less."""
        for prefix in prefixes:
            self._socket.unsubscribe(prefix.encode())

    def receive(self) -> list[TopicFrame]:
        """Take what has come; return only the new ones."""
        new = []
        while self._socket.poll(0):
            topic, data = self._socket.recv_multipart()
            frame = decode_topic_frame(data)
            assert frame.topic == topic.decode()
            new.append(frame)
        self.frames += new
        return new

    def heard(self, topic: str) -> bool:
        """Whether anything came on a topic, a heartbeat at least."""
        self.receive()
        return any(frame.topic == topic for frame in self.frames)

    def of(self, topic: str) -> list[TopicFrame]:
        """Return the messages of a topic so far, without heartbeats."""
        self.receive()
        return [frame for frame in self.frames if frame.topic == topic and frame.body is not None]

    def last_number(self, topic: str) -> int:
        """Return the last number that a message of a topic covered; 0 when none came."""
        frames = self.of(topic)
        return frames[-1].last_number if frames else 0

    def last_body(self, topic: str) -> Any:
        """Return the body of a topic's last message; an empty tuple when none came."""
        frames = self.of(topic)
        return frames[-1].body if frames else ()
