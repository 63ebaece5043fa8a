"""The snapshot ROUTER: questions of anyone in, bounded answers out.

Invariant: whatever a stranger sends costs at most one bounded answer; nobody is waited for; a peer that
does not read its answers loses them and holds nobody up.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import zmq

from bus.errors import Code, FormError, SessionError, ZeropitError
from bus.query_frames import Answer, Query, decode_query, encode_answer, peek_request_id
from bus.stream import Position

if TYPE_CHECKING:
    from bus.logs import RateLimited
    from bus.metrics import Meters

NO_VENUE = Position(bytes(16), "", 0, 0)
"""In answers before the stream was heard."""


class Door:
    """Answers questions from a ROUTER.

    Parameters
    ----------
    socket
        A bound ROUTER (mandatory).
    answer
        Gives a query's result or raises what goes back to its asker.
    as_of
        Gives the position and the time that an answer is as of.
    per_turn_max
        Questions answered in one turn.
    """

    def __init__(
        self,
        socket: "zmq.Socket[bytes]",
        answer: Callable[[Query], Any],
        as_of: Callable[[], tuple[Position, int]],
        per_turn_max: int,
        meters: "Meters",
        hostile: "RateLimited",
    ) -> None:
        self.socket = socket
        self._answer = answer
        self._as_of = as_of
        self._per_turn_max = per_turn_max
        self._hostile = hostile
        self._asked = meters.counts("queries_total", "Questions answered, by code.", "code")
        self._undelivered = meters.counter(
            "undelivered_total", "Answers whose asker was gone or did not read."
        )

    def turn(self) -> bool:
        """Answer a few questions; never waits. Return whether there may be more."""
        for _ in range(self._per_turn_max):
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return False
            if len(parts) != 2:
                self._hostile.warning("question of wrong parts", parts=len(parts))
                continue
            try:
                self.socket.send_multipart((parts[0], self._answered(parts[1])), zmq.NOBLOCK)
            except zmq.ZMQError:
                self._undelivered.value += 1
        return True

    def _answered(self, data: bytes) -> bytes:
        try:
            query = decode_query(data)
        except FormError as error:
            self._hostile.warning("question malformed", error=str(error))
            return self._encoded(peek_request_id(data), error, None)
        try:
            return self._encoded(query.request_id, None, self._answer(query))
        except ZeropitError as error:
            return self._encoded(query.request_id, error, None)

    def _encoded(self, request_id: int, error: ZeropitError | None, result: Any) -> bytes:
        code, detail = (error.code, error.detail) if error else (Code.OK, "")
        self._asked.add(code.name)
        position, now_ns = self._as_of()
        return encode_answer(Answer(request_id, int(code), detail, *position, now_ns, result))


def not_ready() -> SessionError:
    """Return the refusal of a feed that has not joined the stream."""
    return SessionError(
        Code.NOT_READY, "expected a feed that has joined the stream, was one that is starting"
    )
