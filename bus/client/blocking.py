"""The blocking client: everything happens inside its calls, in the thread that calls.

Invariant: no call waits longer than its timeout, and none leaves the client unusable.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar

import zmq

from ..errors import Code, SessionError
from .administration import Administration
from .calls import Steps
from .pending import Pending
from .reports import Image, Report, Reports
from .session import Session, State
from .wire import Wire

T = TypeVar("T")
CLOSE_S_MAX = 2.0
NONCE_BYTES = 18


class Client(Administration):
    """A session with a gateway, for one thread.

    Heartbeats are sent and messages taken in only inside calls: a client that is left alone for longer than
    the gateway's ``session_idle_s_max`` logs on again by itself at its next call.

    Parameters
    ----------
    endpoint
        The gateway, such as ``tcp://127.0.0.1:7001``.
    key, secret
        What to log on with.
    account
        Whom calls act for unless they say otherwise; default: the key's first account.
    window, queue_max
        Most requests under way, and waiting; beyond, handing over one more waits.
    timeout_s
        How long a call waits.
    valid_for_s
        How long a command may wait to be executed (at most the venue's ``command_validity_s_max``).
    """

    def __init__(
        self,
        endpoint: str,
        key: str,
        secret: str,
        *,
        account: str | None = None,
        window: int = 4_096,
        queue_max: int = 10_000,
        timeout_s: float = 15.0,
        valid_for_s: float = 30.0,
        context: "zmq.Context[zmq.Socket[bytes]] | None" = None,
    ) -> None:
        session = Session(
            key,
            secret,
            nonce=lambda: secrets.token_urlsafe(NONCE_BYTES),
            random=Random(),
            window=window,
            queue_max=queue_max,
        )
        super().__init__(session, account, timeout_s, valid_for_s)
        self._pipeline = session.pipeline
        self._poller = zmq.Poller()
        self._wire = Wire(endpoint, session, context or zmq.Context.instance(), self._watch, self._leave)
        self._in_callback = False

    def __enter__(self) -> Self:
        try:
            self.connect()
        except BaseException:
            self.close(0.0)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(CLOSE_S_MAX if error is None else 0.0)

    # --- pipelined use

    def post(
        self, op: int, args: tuple[Any, ...], callback: Callable[[Pending], object] | None = None
    ) -> Pending:
        """Hand over a request. With nothing under way it is sent at once, else together with others.

        Raises
        ------
        SessionError
            BUSY when the queue stays full for ``timeout_s``, or is full inside a callback.
        """
        pipeline = self._pipeline
        if pipeline.is_full and not self._in_callback:
            self._await(lambda: not pipeline.is_full, self.timeout_s)
        pending = self.session.request(op, args, callback)
        if pipeline.is_worth_sending:
            self._wire.flush(time.monotonic_ns())
        return pending

    def pump(self, timeout_s: float = 0.0) -> int:
        """Send what waits and take in what has come; return how many messages came.

        With nothing to take in, wait at most ``timeout_s`` for something.
        """
        return self._turn(time.monotonic_ns() + int(timeout_s * 1e9))

    def wait(self, pendings: Iterable[Pending], timeout_s: float | None = None) -> bool:
        """Wait until all are resolved; return whether they are."""
        left = [pending for pending in pendings if not pending.done]
        left.reverse()

        def resolved() -> bool:
            while left and left[-1].code >= 0:
                left.pop()
            return not left

        return self._await(resolved, self.timeout_s if timeout_s is None else timeout_s)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Send all that waits and wait until all is resolved; return whether it is."""
        pipeline = self._pipeline
        return self._await(
            lambda: not pipeline.unresolved, self.timeout_s if timeout_s is None else timeout_s
        )

    def run(self, steps: Steps[T]) -> T:
        """Take the steps of a call, waiting for each; `timeout_s` is for all of them."""
        until_ns = time.monotonic_ns() + int(self.timeout_s * 1e9)
        try:
            while True:
                pending = next(steps)
                while pending.code < 0:
                    self._turn(until_ns)
                    if pending.code < 0 and time.monotonic_ns() >= until_ns:
                        self.session.give_up(pending)
        except StopIteration as stop:
            value: T = stop.value
            return value

    # --- own execution reports

    def follow(self, account: str | None = None, *, after: int | None = None) -> Reports:
        """Follow an account's private events; read them with `Reports.next` between `pump` calls."""
        reports = Reports(account or self.account, after)
        self.session.subscribe(reports)
        return reports

    def reports(
        self, account: str | None = None, *, after: int | None = None, timeout_s: float | None = None
    ) -> Iterator[Image | Report]:
        """Iterate over an account's private events: an `Image` first, then each `Report`.

        Parameters
        ----------
        after
            Resume after this ``account_seq``; an `Image` comes all the same when that is too long ago.
        timeout_s
            End when nothing came for so long; None: never.
        """
        reports = self.follow(account, after=after)
        return self._iterate(reports, timeout_s)

    def _iterate(self, reports: Reports, timeout_s: float | None) -> Iterator[Image | Report]:
        try:
            while True:
                found: list[Image | Report] = []

                def came(found: list[Image | Report] = found) -> bool:
                    item = reports.next()
                    if item is not None:
                        found.append(item)
                    return item is not None

                if not self._await(came, float("inf") if timeout_s is None else timeout_s):
                    return
                yield found[0]
        finally:
            self.session.unsubscribe(reports)

    # --- the end

    def close(self, timeout_s: float = CLOSE_S_MAX) -> None:
        """Wait for what is under way, log off and close; bounded by ``timeout_s``.

        What is not resolved by then ends as OUTCOME_UNKNOWN, or refused where it was never sent.
        """
        until_ns = time.monotonic_ns() + int(timeout_s * 1e9)
        session = self.session
        if session.state is not State.ENDED:
            self._await(lambda: not self._pipeline.unresolved, timeout_s)
            session.close()
            left_s = max(0.0, (until_ns - time.monotonic_ns()) / 1e9)
            self._await(lambda: session.state is State.ENDED, left_s)
            session.end(SessionError(Code.NOT_LOGGED_ON, "expected an open client, was a closed one"))
        self._call_back()
        self._wire.drop()

    # --- waiting

    def _await(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Turn until a condition holds; return whether it does."""
        until_ns = time.monotonic_ns() + int(min(timeout_s, 1e9) * 1e9)
        while not condition():
            if time.monotonic_ns() >= until_ns or self.session.state is State.ENDED:
                return condition()
            self._turn(until_ns)
        return True

    def _turn(self, until_ns: int) -> int:
        """Do what can be done; with nothing taken in, wait for something until then at most."""
        now_ns = time.monotonic_ns()
        received = self._wire.turn(now_ns)
        if not received and now_ns < until_ns and not self.session.pipeline.has_callbacks:
            due_ns = min(until_ns, self.session.next_due_ns())
            self._poller.poll(max(0, -(-(due_ns - now_ns) // 1_000_000)))
            received = self._wire.turn(time.monotonic_ns())
        self._call_back()
        return received

    def _call_back(self) -> None:
        """Call the callbacks that are due. One that raises does so out of here; the others stay due."""
        if self._in_callback or not self._pipeline.has_callbacks:
            return
        self._in_callback = True
        try:
            while (pending := self._pipeline.take_callback()) is not None:
                assert pending.callback is not None
                pending.callback(pending)
        finally:
            self._in_callback = False

    def _watch(self, sockets: list["zmq.Socket[bytes]"]) -> None:
        for socket in sockets:
            self._poller.register(socket, zmq.POLLIN)

    def _leave(self, sockets: list["zmq.Socket[bytes]"]) -> None:
        for socket in sockets:
            self._poller.unregister(socket)
