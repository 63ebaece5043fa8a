"""Ask a ROUTER of the venue and get an answer, or say in bounded time that there was none.

Invariant: every question ends exactly once, in its answer or in an error; a question is sent again with
jitter while it is unanswered (asking changes nothing, so a repeat is safe), and the questions under way
are bounded.

`Asker` never blocks and goes into its owner's poller::

    asker = Asker(host.connect("engine_query", "DEALER", immediate=True), host.settings.stream)
    request_id = asker.query("markets", timeout_ms=5_000)
    poller.register(asker.socket, zmq.POLLIN)
    for reply in asker.poll():                       # every turn of the loop: it also keeps the time
        if reply.error is None: use(reply.answer)

`ask` blocks, for the command line::

    answer = ask(asker, "status", timeout_ms=2_000)  # raises the typed error of a refusal
"""

import time
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import zmq

from .errors import Code, FormError, ServiceError, SessionError, ZeropitError, error_for
from .query_frames import Answer, Query, Replay, Replayed, decode_reply, encode_query, encode_replay
from .retry import Backoff

if TYPE_CHECKING:
    from .sections import Stream as StreamSettings

MS_NS = 1_000_000
IN_FLIGHT_MAX = 1_024
MESSAGES_PER_POLL_MAX = 256


class Reply(NamedTuple):
    """How a question ended: an answer (its code may be a refusal), or an error when none came in time."""

    request_id: int
    answer: Answer | Replayed | None
    error: ZeropitError | None

    def unwrap(self) -> Answer | Replayed:
        """Return a good answer.

        Raises
        ------
        ZeropitError
            The error, or the typed error of a refusal.
        """
        if self.error is not None or self.answer is None:
            raise self.error or AssertionError("a reply has an answer or an error")
        if self.answer.code != Code.OK:
            raise error_for(self.answer.code, self.answer.detail)
        return self.answer


class _Pending:
    """A question under way."""

    __slots__ = ("backoff", "deadline_ns", "payload", "resend_ns", "timeout_ms")

    def __init__(self, payload: bytes, backoff: Backoff, timeout_ms: int | None, now_ns: int) -> None:
        self.payload = payload
        self.backoff = backoff
        self.timeout_ms = timeout_ms
        self.deadline_ns = now_ns + timeout_ms * MS_NS if timeout_ms is not None else None
        self.resend_ns = now_ns


class Asker:
    """Questions to one ROUTER.

    Parameters
    ----------
    socket
        A DEALER, best connected with ``immediate``: repeats for a peer that is gone then do not pile up.
        It belongs to the asker from here on.
    settings
        ``request_timeout_ms`` (until a repeat), ``retry_ms_min``, ``retry_ms_max``.
    in_flight_max
        Questions under way; one more is refused as BUSY.

    Attributes
    ----------
    resent, strays
        Repeats sent; messages that were no answer to a question under way (late, doubled or garbage).
    """

    def __init__(
        self,
        socket: "zmq.Socket[bytes]",
        settings: "StreamSettings",
        *,
        in_flight_max: int = IN_FLIGHT_MAX,
        random: Random | None = None,
    ) -> None:
        self.socket = socket
        self.resent = self.strays = 0
        self._settings = settings
        self._in_flight_max = in_flight_max
        self._random = random or Random()
        self._last_id = self._random.getrandbits(32)
        self._pending: dict[int, _Pending] = {}
        self._next_due_ns: int | None = None

    @property
    def waiting(self) -> int:
        """Questions under way."""
        return len(self._pending)

    def close(self) -> None:
        """Forget every question and close the socket."""
        self._pending.clear()
        self.socket.close(linger=0)

    def query(
        self, query: str, args: Sequence[Any] = (), *, timeout_ms: int | None, now_ns: int | None = None
    ) -> int:
        """Ask a query; return the request id that its reply will carry.

        Parameters
        ----------
        timeout_ms
            After this the question ends with PEER_UNREACHABLE; None: it is repeated for ever.
        now_ns
            Monotonic time; the clock's when None.

        Raises
        ------
        SessionError
            BUSY when ``in_flight_max`` questions are under way.
        """
        request_id = self._new_id()
        return self._ask(request_id, encode_query(Query(request_id, query, args)), timeout_ms, now_ns)

    def replay(
        self,
        venue_id: bytes,
        from_seq: int,
        bytes_max: int,
        *,
        timeout_ms: int | None = None,
        now_ns: int | None = None,
    ) -> int:
        """Ask for a replay, like `query`."""
        request_id = self._new_id()
        payload = encode_replay(Replay(request_id, venue_id, from_seq, bytes_max))
        return self._ask(request_id, payload, timeout_ms, now_ns)

    def forget(self, request_id: int) -> None:
        """Give up a question: no reply will come of it."""
        self._pending.pop(request_id, None)

    def poll(self, now_ns: int | None = None) -> list[Reply]:
        """Take in answers, repeat what is due, end what is out of time; never blocks, bounded work."""
        now_ns = time.monotonic_ns() if now_ns is None else now_ns
        replies = self._receive()
        if self._pending and self._next_due_ns is not None and now_ns >= self._next_due_ns:
            self._keep_time(now_ns, replies)
        return replies

    def _receive(self) -> list[Reply]:
        replies: list[Reply] = []
        for _ in range(MESSAGES_PER_POLL_MAX):
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            try:
                answer = decode_reply(parts[-1])
            except FormError:
                self.strays += 1
                continue
            if self._pending.pop(answer.request_id, None) is None:
                self.strays += 1
                continue
            replies.append(Reply(answer.request_id, answer, None))
        return replies

    def _keep_time(self, now_ns: int, replies: list[Reply]) -> None:
        for request_id, pending in tuple(self._pending.items()):
            if pending.deadline_ns is not None and now_ns >= pending.deadline_ns:
                del self._pending[request_id]
                detail = f"expected an answer within {pending.timeout_ms} ms, was none"
                replies.append(Reply(request_id, None, ServiceError(Code.PEER_UNREACHABLE, detail)))
            elif now_ns >= pending.resend_ns:
                self.resent += 1
                self._send(pending, now_ns)
        self._next_due_ns = min(map(_due_ns, self._pending.values()), default=None)

    def _new_id(self) -> int:
        if len(self._pending) >= self._in_flight_max:
            raise SessionError(
                Code.BUSY,
                f"expected fewer than {self._in_flight_max} questions under way, was {self.waiting}",
            )
        self._last_id += 1
        return self._last_id

    def _ask(self, request_id: int, payload: bytes, timeout_ms: int | None, now_ns: int | None) -> int:
        now_ns = time.monotonic_ns() if now_ns is None else now_ns
        settings = self._settings
        backoff = Backoff(settings.retry_ms_min, settings.retry_ms_max, self._random)
        pending = self._pending[request_id] = _Pending(payload, backoff, timeout_ms, now_ns)
        self._send(pending, now_ns)
        due_ns = _due_ns(pending)
        if self._next_due_ns is None or due_ns < self._next_due_ns:
            self._next_due_ns = due_ns
        return request_id

    def _send(self, pending: _Pending, now_ns: int) -> None:
        pending.resend_ns = now_ns + pending.backoff.next_ns()
        try:
            self.socket.send(pending.payload, zmq.NOBLOCK)
        except zmq.Again:
            return
        pending.resend_ns += self._settings.request_timeout_ms * MS_NS


def ask(asker: Asker, query: str, args: Sequence[Any] = (), *, timeout_ms: int) -> Answer:
    """Ask one query and wait for its answer; for callers that have nothing else to do.

    Raises
    ------
    ServiceError
        PEER_UNREACHABLE when no answer came in time.
    ZeropitError
        The typed error of a refusal.
    """
    request_id = asker.query(query, args, timeout_ms=timeout_ms)
    while True:
        asker.socket.poll(asker._settings.retry_ms_min)
        for reply in asker.poll():
            if reply.request_id == request_id:
                answer = reply.unwrap()
                assert isinstance(answer, Answer)
                return answer


def _due_ns(pending: _Pending) -> int:
    deadline_ns = pending.deadline_ns
    return pending.resend_ns if deadline_ns is None else min(pending.resend_ns, deadline_ns)
