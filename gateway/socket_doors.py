"""The desk's doors over real sockets: the clients' ROUTER, a PUSH a lane, a DEALER for queries.

Invariant: nothing here waits. Each PUSH is connected to exactly one endpoint and queues only for a connection
that is there (IMMEDIATE), so that a frame that it refuses was definitely not sent.
"""

import secrets
from collections.abc import Callable, Sequence

import zmq

from bus.errors import Code
from bus.query import Asker
from bus.query_frames import Answer
from bus.service import Host

from .doors import Asked, Delivery, Reply


class SocketDoors:
    """The desk's doors over real sockets.

    Attributes
    ----------
    clients
        The ROUTER.
    asker
        Questions to the engine.
    """

    def __init__(self, host: Host) -> None:
        settings = host.settings
        gateway = settings.gateway
        self._host = host
        # Commands in flight are bounded by counting; the pipes must hold that many frames of one command.
        self._pipe_limits = host.limits(sndhwm=gateway.pipe_in_flight_max + 16)
        self._pipes = [self._pipe(0), self._pipe(1)]
        self._timeout_ms = int(gateway.request_timeout_s * 1000)
        self.asker = Asker(
            host.connect("engine_query", "DEALER", immediate=True),
            settings.stream,
            in_flight_max=gateway.query_in_flight_max + 8,
        )
        self._asked: dict[int, Callable[[Answer | None], None]] = {}
        # Up to twice the size a message is answered MESSAGE_TOO_LARGE; beyond it the peer is cut off.
        client_limits = host.limits(
            sndhwm=gateway.client_messages_max, message_bytes_max=2 * gateway.message_bytes_max
        )
        self.clients = host.bind("gateway", "ROUTER", client_limits, mandatory=True)

    def to_client(self, peer: bytes, data: bytes) -> Delivery:
        """Send to a connection of the ROUTER."""
        try:
            self.clients.send_multipart((peer, data), zmq.NOBLOCK)
        except zmq.Again:
            return Delivery.FULL
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return Delivery.GONE
            raise
        return Delivery.SENT

    def to_engine(self, lane: int, data: bytes) -> bool:
        """Send into a lane's pipe; False when the engine is not connected."""
        try:
            self._pipes[lane].send(data, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def new_pipe(self, lane: int) -> None:
        """Replace a lane's PUSH socket, dropping what it still holds."""
        self._pipes[lane].close(linger=0)
        self._pipes[lane] = self._pipe(lane)

    def ask(self, query: str, args: Sequence[object], done: Asked) -> None:
        """Ask the engine; the desk bounds how many questions it has under way."""

        def answered(answer: Answer | None) -> None:
            if answer is None:
                detail = "expected the engine to answer in time, was silent"
                done(Reply(int(Code.ENGINE_UNAVAILABLE), detail, 0, 0, None))
            else:
                done(Reply(answer.code, answer.detail, answer.seq, answer.now_ns, answer.result))

        self.ask_whole(query, args, answered)

    def ask_whole(self, query: str, args: Sequence[object], done: Callable[[Answer | None], None]) -> None:
        """Ask the engine where the whole answer is wanted; None: there was none in time."""
        self._asked[self.asker.query(query, tuple(args), timeout_ms=self._timeout_ms)] = done

    def take_answers(self, mono_ns: int) -> None:
        """Call back those whose questions ended."""
        for ending in self.asker.poll(mono_ns):
            self._asked.pop(ending.request_id)(ending.answer if isinstance(ending.answer, Answer) else None)

    def warn(self, kind: str, **fields: str) -> None:
        """Log what a stranger did."""
        self._host.hostile.warning(kind, **fields)

    def random_bytes(self, count: int) -> bytes:
        """Return bytes of the system's generator."""
        return secrets.token_bytes(count)

    def close(self) -> None:
        """Close all sockets."""
        for pipe in self._pipes:
            pipe.close()
        self.asker.close()
        self.clients.close()

    def _pipe(self, lane: int) -> "zmq.Socket[bytes]":
        name = "engine_control" if lane else "engine_commands"
        return self._host.connect(name, "PUSH", self._pipe_limits, immediate=True)
