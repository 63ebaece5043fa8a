"""The socket of a client: moves bytes between a `Session` and its gateway, and never waits.

Invariant: each log-on has a connection of its own: when one is lost, its socket is closed with all that
it still held, so nothing of an old session arrives in a new one.
"""

from collections.abc import Callable

import zmq

from ..sockets import Limits, connect
from .session import Session

RECEIVED_MAX = 256
"""Messages taken in one turn."""
LIMITS = Limits(sndhwm=20_000, rcvhwm=20_000, linger_ms=0, message_bytes_max=64 * 1024 * 1024)


class Wire:
    """The connection of one session.

    Parameters
    ----------
    endpoint
        The gateway's.
    session
        What is said.
    context
        Where the sockets are made.
    opened, closing
        Called with the sockets to wait for, once they are there and before they go.
    """

    def __init__(
        self,
        endpoint: str,
        session: Session,
        context: "zmq.Context[zmq.Socket[bytes]]",
        opened: Callable[[list["zmq.Socket[bytes]"]], object],
        closing: Callable[[list["zmq.Socket[bytes]"]], object],
    ) -> None:
        self._endpoint = endpoint
        self._session = session
        self._context = context
        self._opened = opened
        self._closing = closing
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None

    def turn(self, now_ns: int) -> int:
        """Do all that can be done without waiting; return how many messages were taken in."""
        session = self._session
        if session.wants_connection(now_ns):
            self.drop()
            self._open()
            session.opened(now_ns)
        received = self._drain(now_ns)
        session.tick(now_ns)
        self.flush(now_ns)
        if self._socket is not None and not session.has_connection:
            self.drop()
        return received

    def flush(self, now_ns: int) -> None:
        """Send what may be sent."""
        socket, session = self._socket, self._session
        if socket is None:
            return
        while (message := session.next_message()) is not None:
            try:
                socket.send(message, zmq.NOBLOCK)
            except zmq.Again:
                session.lost(now_ns, "a gateway that takes nothing")
                return

    def drop(self) -> None:
        """Close the connection, if there is one, with all that it still holds."""
        if self._socket is None or self._monitor is None:
            return
        self._closing([self._socket, self._monitor])
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
        self._socket = self._monitor = None

    @property
    def has_more(self) -> bool:
        """Whether something can be taken in at once."""
        return any(socket is not None and _is_readable(socket) for socket in (self._socket, self._monitor))

    def _open(self) -> None:
        socket = connect(self._context, "DEALER", self._endpoint, LIMITS)
        self._socket = socket
        self._monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._opened([self._socket, self._monitor])

    def _drain(self, now_ns: int) -> int:
        socket, session = self._socket, self._session
        received = 0
        if socket is None or self._monitor is None:
            return 0
        try:
            while received < RECEIVED_MAX:
                session.receive(socket.recv(zmq.NOBLOCK), now_ns)
                received += 1
        except zmq.Again:
            if _is_readable(self._monitor):
                # Only now: what the gateway said before it went is taken in first.
                self._monitor.recv_multipart(zmq.NOBLOCK)
                session.lost(now_ns, "a connection that was cut")
        return received


def _is_readable(socket: "zmq.Socket[bytes]") -> bool:
    return bool(int(socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)
