"""The door to history: requests in, pages out, a few between two writes.

Invariant: every request that names itself gets exactly one answer, a page or a typed error, and the answer
names the seq that it is complete to; requests wait in a bounded queue and never hold up the recording for
longer than a few pages take.
"""

from collections import deque
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any

import zmq

from bus.errors import Code, FormError, HistoryError, Rejected, SessionError, ZeropitError
from bus.query_frames import Answer, Query, decode_query, encode_answer, peek_request_id

from .database import Database
from .queries import page_of

if TYPE_CHECKING:
    from bus.logs import RateLimited
    from bus.metrics import Meters

QUERIES_PER_TURN_MAX = 4
MESSAGES_PER_TURN_MAX = 256

NO_VENUE = bytes(16)
"""In answers before anything was recorded."""


class History:
    """Answers questions from the database.

    Parameters
    ----------
    socket
        A bound ROUTER (mandatory).
    database
        Asked over the recorder's own connection, so that an answer is as of its position.
    status
        Gives the answer to the query ``status``.
    queued_max, rows_max
        Requests waiting; rows of a page.
    """

    def __init__(
        self,
        socket: "zmq.Socket[bytes]",
        database: Database,
        status: Callable[[], dict[str, object]],
        *,
        queued_max: int,
        rows_max: int,
        meters: "Meters",
        hostile: "RateLimited",
    ) -> None:
        self.socket = socket
        self._database = database
        self._status = status
        self._queue: deque[tuple[bytes, bytes]] = deque()
        self._queued_max = queued_max
        self._rows_max = rows_max
        self._hostile = hostile
        self._asked = meters.counts("queries_total", "History requests answered, by code.", "code")
        self._unroutable = meters.counter("unroutable_total", "Answers whose asker was gone.")
        meters.gauge("queries_queued", "History requests waiting.", lambda: len(self._queue))

    @property
    def waiting(self) -> int:
        """Requests not answered yet."""
        return len(self._queue)

    def turn(self, markets: Container[str]) -> None:
        """Take in what has arrived and answer a few requests; never waits for a peer."""
        for _ in range(MESSAGES_PER_TURN_MAX):
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            if len(parts) != 2:
                self._hostile.warning("history request of wrong parts", parts=len(parts))
            elif len(self._queue) >= self._queued_max:
                busy = SessionError(
                    Code.BUSY, f"expected at most {self._queued_max} requests waiting, was more"
                )
                self._send(parts[0], self._answer(peek_request_id(parts[1]), busy))
            else:
                self._queue.append((parts[0], parts[1]))
        for _ in range(min(QUERIES_PER_TURN_MAX, len(self._queue))):
            peer, data = self._queue.popleft()
            self._send(peer, self._answered(data, markets))

    def _answered(self, data: bytes, markets: Container[str]) -> bytes:
        try:
            query = decode_query(data)
        except FormError as error:
            self._hostile.warning("history request malformed", code=error.code.name)
            return self._answer(peek_request_id(data), error)
        try:
            return self._answer(query.request_id, None, self._result(query, markets))
        except (FormError, Rejected, HistoryError) as error:
            return self._answer(query.request_id, error)

    def _result(self, query: Query, markets: Container[str]) -> Any:
        if query.query == "status" and not query.args:
            return self._status()
        page = page_of(query.query, query.args, markets, self._rows_max)
        rows = [page.shape(row) for row in self._database.fetch(page.sql, page.parameters)]
        if page.one:
            if not rows:
                raise Rejected(Code.UNKNOWN_ORDER, "expected an order of the account, was none recorded")
            return rows[0]
        return rows[::-1] if page.newest_first else rows

    def _answer(self, request_id: int, error: ZeropitError | None, result: Any = None) -> bytes:
        database = self._database
        at = database.position
        code, detail = (error.code, error.detail) if error else (Code.OK, "")
        self._asked.add(code.name)
        head = (at.venue_id, at.engine, at.epoch, at.seq) if at else (NO_VENUE, "", 0, 0)
        return encode_answer(Answer(request_id, int(code), detail, *head, database.time_ns, result))

    def _send(self, peer: bytes, answer: bytes) -> None:
        try:
            self.socket.send_multipart([peer, answer], zmq.NOBLOCK)
        except zmq.ZMQError:
            self._unroutable.value += 1  # gone, or does not read what it asked for
