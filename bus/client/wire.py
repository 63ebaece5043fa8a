"""The socket of a client: moves bytes between a `Session` and its gateway, and never waits.

Invariant: each log-on has a connection of its own: when one is lost, its socket is closed with all that
it still held, so nothing of an old session arrives in a new one.
"""

import secrets
from collections.abc import Callable
from random import Random
from typing import Any

import zmq

from ..errors import ServiceError
from ..sockets import Limits, connect
from .pending import Pending
from .session import Session, State
from .turns import ignore, is_readable

RECEIVED_MAX = 256
"""Messages taken in one turn."""
NONCE_BYTES = 18
LIMITS = Limits(sndhwm=20_000, rcvhwm=20_000, linger_ms=0, message_bytes_max=64 * 1024 * 1024)


class Wire:
    """The session of a client and its connection, as a `bus.client.turns.Port`.

    Parameters
    ----------
    endpoint
        The gateway's.
    key, secret
        What to log on with.
    window, queue_max, cancel_on_disconnect
        See `Session`.
    context
        Where the sockets are made; None: the process's own.
    """

    def __init__(
        self,
        endpoint: str,
        key: str,
        secret: str,
        window: int,
        queue_max: int,
        context: "zmq.Context[zmq.Socket[bytes]] | None",
        cancel_on_disconnect: bool = False,
    ) -> None:
        self.session = Session(
            key,
            secret,
            nonce=lambda: secrets.token_urlsafe(NONCE_BYTES),
            random=Random(),
            window=window,
            queue_max=queue_max,
            cancel_on_disconnect=cancel_on_disconnect,
        )
        self.on_open: Callable[[list[Any]], object] = ignore
        self.on_close: Callable[[list[Any]], object] = ignore
        self.in_callback = False
        self._endpoint = endpoint
        self._context = context or zmq.Context.instance()
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None

    @property
    def ended(self) -> bool:
        """Whether the session ended for good."""
        return self.session.state is State.ENDED

    @property
    def has_more(self) -> bool:
        """Whether something can be taken in at once."""
        return any(socket is not None and is_readable(socket) for socket in (self._socket, self._monitor))

    def turn(self, now_ns: int) -> int:
        """Do all that can be done without waiting; return how many messages were taken in."""
        session = self.session
        if session.wants_connection(now_ns):
            self.drop()
            self._open(now_ns)
        received = self._drain(now_ns)
        session.tick(now_ns)
        self.flush(now_ns)
        if self._socket is not None and not session.has_connection:
            self.drop()
        return received

    def next_due_ns(self) -> int:
        """Return when the session has something to do at the latest."""
        return self.session.next_due_ns()

    def flush(self, now_ns: int) -> None:
        """Send what may be sent."""
        socket, session = self._socket, self.session
        if socket is None:
            return
        while (message := session.next_message()) is not None:
            try:
                socket.send(message, zmq.NOBLOCK)
            except zmq.Again:
                session.lost(now_ns, "a gateway that takes nothing")
                return

    def give_up(self, pending: Pending) -> None:
        """Resolve a request that is not waited for any longer."""
        self.session.give_up(pending)

    def call_back(self) -> None:
        """Call the callbacks that are due. One that raises does so out of here; the others stay due."""
        pipeline = self.session.pipeline
        if self.in_callback or not pipeline.has_callbacks:
            return
        self.in_callback = True
        try:
            while (pending := pipeline.take_callback()) is not None:
                assert pending.callback is not None
                pending.callback(pending)
        finally:
            self.in_callback = False

    def drop(self) -> None:
        """Close the connection, if there is one, with all that it still holds."""
        if self._socket is None or self._monitor is None:
            return
        self.on_close([self._socket, self._monitor])
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
        self._socket = self._monitor = None

    def _open(self, now_ns: int) -> None:
        try:
            socket = connect(self._context, "DEALER", self._endpoint, LIMITS)
        except ServiceError as error:
            self.session.end(error)
            return
        self._socket = socket
        self._monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.on_open([self._socket, self._monitor])
        self.session.opened(now_ns)

    def _drain(self, now_ns: int) -> int:
        socket, session = self._socket, self.session
        received = 0
        if socket is None or self._monitor is None:
            return 0
        try:
            while received < RECEIVED_MAX:
                session.receive(socket.recv(zmq.NOBLOCK), now_ns)
                received += 1
        except zmq.Again:
            if is_readable(self._monitor):
                # Only now: what the gateway said before it went is taken in first.
                self._monitor.recv_multipart(zmq.NOBLOCK)
                session.lost(now_ns, "a connection that was cut")
        return received
