"""Requests of one client in order: what waits, what is under way, what must go again.

Invariants:

- Commands reach the engine in the order in which they were handed over, each executed at most once. What
  was refused for a passing reason, or lost with its connection, is sent again before anything newer, in
  the original order and under the same ids (the engine executes an id once).
- An unknown outcome is never shown as a refusal: a command that may have been executed and whose resend
  came too late (`EXPIRED`) is looked up by its id; where that does not tell, it ends as `OUTCOME_UNKNOWN`.
- At most ``window`` requests are under way and ``queue_max`` wait.

After a passing refusal nothing of the queue is sent until every request under way has its reply, so it is
known which were refused; then a new run (wire: ``run``) begins with those, after a pause.
"""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NoReturn

from ..codec import pack
from ..errors import Code, FormError, SessionError, ZeropitError, error_for
from ..frames import WIRE_VERSION, Kind
from ..retry import Backoff
from .pending import DOUBTFUL, DOUBTFUL_SENT, QUEUED, SENT, Pending

LOGON_FIRST, LOGON_FINAL, LOGOFF, COMMAND, QUERY, SUBSCRIBE, UNSUBSCRIBE, HEARTBEAT = range(1, 9)
"""Operations of a request."""

PASSING = frozenset(
    {
        Code.RATE_LIMITED,
        Code.BUSY,
        Code.OUT_OF_ORDER,
        Code.ENGINE_UNAVAILABLE,
        Code.LINK_GAP,
        Code.OUTCOME_UNKNOWN,
        Code.NOT_READY,
    }
)
"""Replies after which the same request is sent again."""

REFUSED_MS = (2, 500)
"""First and longest pause before what was refused is sent again."""

_REQUESTS = Kind.REQUESTS.value

Callback = Callable[[Pending], object]


class Pipeline:
    """The requests of one client.

    Parameters
    ----------
    random
        Where jitter comes from.
    window_max, queue_max
        Most requests under way, and waiting.

    Attributes
    ----------
    queue
        Requests that wait to be sent.
    in_flight
        Requests sent and not answered, by request id, oldest first.
    resent
        Requests that were sent again.
    token
        The session's token; empty before log-on.
    batch_max, bytes_max
        Most requests and bytes in one message.
    """

    def __init__(self, random: Random, window_max: int, queue_max: int) -> None:
        self.queue: deque[Pending] = deque()
        self.in_flight: dict[int, Pending] = {}
        self.resent = 0
        self.token = b""
        self.batch_max = self.bytes_max = 1
        self.window = self._window_max = window_max
        self._queue_max = self._queue_room = queue_max
        self._run = 0
        self._next_id = 1
        self._last_number = 0
        self._refused: list[Pending] = []
        self._service: deque[Pending] = deque()
        self._service_in_flight: dict[int, Pending] = {}
        self._callbacks: deque[Pending] = deque()
        self._error: ZeropitError | None = None
        self._pause = Backoff(*REFUSED_MS, random)
        self.resume_ns: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether `request` would be refused for lack of room."""
        return len(self.queue) >= self._queue_max

    @property
    def has_batch(self) -> bool:
        """Whether a whole message waits and has room in the window."""
        return self.batch_max <= len(self.queue) and len(self.in_flight) + self.batch_max <= self.window

    @property
    def unresolved(self) -> int:
        """Requests that are not resolved."""
        return len(self.queue) + len(self.in_flight) + len(self._refused)

    def is_idle(self) -> bool:
        """Return whether everything is resolved."""
        return not self.unresolved

    # --- what is asked for

    def request(self, op: int, args: tuple[Any, ...], callback: Callback | None = None) -> Pending:
        """Hand over a command or query.

        Raises
        ------
        SessionError
            BUSY when ``queue_max`` wait.
        ZeropitError
            What ended the session.
        """
        queue = self.queue
        if len(queue) >= self._queue_room:
            self._refuse()
        self._last_number = number = self._last_number + 1
        pending = Pending(number, op, args, callback)
        queue.append(pending)
        return pending

    def _refuse(self) -> NoReturn:
        if self._error is not None:
            raise error_for(self._error.code, self._error.detail)
        raise SessionError(Code.BUSY, f"expected fewer than {self._queue_max} requests waiting, was full")

    def serve(self, op: int, args: tuple[Any, ...], callback: Callback | None = None) -> None:
        """Queue a request of the session itself: it goes before all others and is never sent again."""
        self._service.append(Pending(0, op, args, callback))

    def give_up(self, pending: Pending, why: str) -> None:
        """Resolve a request that is not waited for any longer; it is not sent (again) from here on."""
        if pending.done:
            return
        if pending.may_be_executed:
            self._resolve(pending, Code.OUTCOME_UNKNOWN, f"expected an answer in time, was {why}")
        else:
            self._resolve(
                pending, Code.NOT_READY, f"expected a gateway that takes it in time, was {why}; not sent"
            )

    def end(self, error: ZeropitError) -> None:
        """Resolve everything: what may have been executed as OUTCOME_UNKNOWN, the rest with ``error``.

        Nothing is taken any more.
        """
        self._error, self._queue_room = error, 0
        self.lost()
        while self.queue:
            pending = self.queue.popleft()
            if pending.done:
                continue
            if pending.may_be_executed:
                self._resolve(pending, Code.OUTCOME_UNKNOWN, f"expected an answer, was {error}")
            else:
                self._resolve(pending, error.code, error.detail)

    @property
    def has_callbacks(self) -> bool:
        """Whether `take_callback` would return something."""
        return bool(self._callbacks)

    def take_callback(self) -> Pending | None:
        """Return the next resolved request whose callback is due."""
        return self._callbacks.popleft() if self._callbacks else None

    # --- connections

    def begin(self) -> None:
        """A fresh connection: no token, run 0."""
        self.token = b""
        self.batch_max, self.bytes_max = 1, 1 << 20
        self._run = 0

    def lost(self) -> None:
        """The connection is gone: everything under way may or may not have been executed, and goes again."""
        self._service.clear()
        self._service_in_flight.clear()
        for pending in self.in_flight.values():
            if pending.code < 0:
                pending.code = DOUBTFUL
        self._requeue([*self._refused, *self.in_flight.values()])
        self.in_flight.clear()

    def resume_when_due(self, now_ns: int) -> None:
        """Once nothing is under way, begin a new run with what was refused, after a pause."""
        if not self._refused or self.in_flight:
            return
        if self.resume_ns is None:
            self.resume_ns = now_ns + self._pause.next_ns()
        if now_ns >= self.resume_ns:
            self._run += 1
            self._requeue(self._refused)

    # --- sending

    def next_service_message(self) -> bytes | None:
        """Return the next message with requests of the session itself, or None."""
        requests: list[tuple[int, int, tuple[Any, ...]]] = []
        while self._service and len(requests) < self.batch_max:
            pending = self._service.popleft()
            requests.append((self._next_id, pending.op, pending.args))
            self._service_in_flight[self._next_id] = pending
            self._next_id += 1
        if not requests:
            return None
        return pack((WIRE_VERSION, _REQUESTS, self.token, self._run, requests))

    def next_message(self) -> bytes | None:
        """Return the next message of the queue, or None when nothing may be sent now."""
        queue = self.queue
        if not queue or self._refused:
            return None
        room = min(len(queue), self.window - len(self.in_flight), self.batch_max)
        while room > 0 and queue:
            requests = self._take(room)
            message = self._packed(requests)
            if message is not None:
                return message
            room = max(1, len(requests) // 2)
        return None

    def _take(self, count: int) -> list[tuple[int, int, tuple[Any, ...]]]:
        """Move at most ``count`` from the queue to what is under way."""
        queue, in_flight = self.queue, self.in_flight
        request_id = self._next_id
        requests: list[tuple[int, int, tuple[Any, ...]]] = []
        while count and queue:
            pending = queue.popleft()
            if pending.code < 0:
                pending.code = SENT if pending.code == QUEUED else DOUBTFUL_SENT
                requests.append((request_id, pending.op, pending.args))
                in_flight[request_id] = pending
                request_id += 1
                count -= 1
        self._next_id = request_id
        return requests

    def _packed(self, requests: list[tuple[int, int, tuple[Any, ...]]]) -> bytes | None:
        """Return requests as a message. Where they make none they go back; a single one ends."""
        if not requests:
            return None
        try:
            message = pack((WIRE_VERSION, _REQUESTS, self.token, self._run, requests))
            if len(message) <= self.bytes_max:
                return message
            error = FormError(
                Code.MESSAGE_TOO_LARGE,
                f"expected a message of at most {self.bytes_max} bytes, was {len(message)}",
            )
        except FormError as unpackable:
            error = unpackable
        self._next_id = requests[0][0]
        for request_id, _, _ in reversed(requests):
            pending = self.in_flight.pop(request_id)
            pending.code = QUEUED if pending.code == SENT else DOUBTFUL
            if len(requests) == 1:
                self._resolve(pending, error.code, error.detail)
            else:
                self.queue.appendleft(pending)
        return None

    def _requeue(self, again: Sequence[Pending]) -> None:
        """Put requests back before all others, in their original order."""
        again = sorted((pending for pending in again if not pending.done), key=_by_number)
        self.resent += len(again)
        self.queue.extendleft(reversed(again))
        self._refused.clear()
        self.resume_ns = None

    # --- receiving

    def take_replies(self, replies: Sequence[Sequence[Any]]) -> bool:
        """Take in replies; return whether the gateway still knows the session."""
        in_flight = self.in_flight
        known = True
        for reply in replies:
            request_id, code, detail, result = reply[:4]
            pending = in_flight.pop(request_id, None)
            if pending is None:
                known = self._take_service_reply(request_id, code, detail, result) and known
            elif code == 0:
                if pending.code >= 0:
                    continue
                pending.code = 0
                pending.result = result
                if pending.callback is not None:
                    self._callbacks.append(pending)
            elif pending.code < 0:
                self._take_refusal(pending, code, detail, result)
                known = known and code != Code.NOT_LOGGED_ON
        if not self._refused:
            self._pause.reset()
        return known

    def _take_service_reply(self, request_id: int, code: int, detail: str, result: Any) -> bool:
        pending = self._service_in_flight.pop(request_id, None)
        if code == Code.NOT_LOGGED_ON and (pending is None or pending.op not in (LOGON_FIRST, LOGON_FINAL)):
            return False
        if pending is not None:
            pending.code, pending.result = code, detail if code else result
            if pending.callback is not None:
                pending.callback(pending)
        return True

    def _take_refusal(self, pending: Pending, code: int, detail: str, result: Any) -> None:
        if code in PASSING or code == Code.NOT_LOGGED_ON:
            definite = code != Code.OUTCOME_UNKNOWN and pending.code == SENT
            pending.code = QUEUED if definite else DOUBTFUL
            self._refused.append(pending)
        elif code == Code.EXPIRED and pending.code == DOUBTFUL_SENT and pending.op == COMMAND:
            self._ask_by_id(pending)
        else:
            self._resolve(pending, code, detail, result)

    def _ask_by_id(self, pending: Pending) -> None:
        """Find out whether a command had been executed whose resend came too late."""

        def told(asked: Pending) -> None:
            if asked.code == 0:
                kept = asked.result[2]
                self._resolve(pending, kept[0], kept[5], (*kept[:6], True))
            else:
                why = "expected an answer before valid_until, was none and the id is forgotten"
                self._resolve(pending, Code.OUTCOME_UNKNOWN, why)

        command = pending.args[0]
        self.queue.appendleft(Pending(pending.number, QUERY, ("answer", (command[2], command[1])), told))

    def _resolve(self, pending: Pending, code: int, detail: str, result: Any = None) -> None:
        if pending.code >= 0:
            return
        pending.code, pending.result = int(code), detail if result is None else result
        if pending.callback is not None:
            self._callbacks.append(pending)


def _by_number(pending: Pending) -> int:
    return pending.number
