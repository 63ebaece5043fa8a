"""The blocking client: everything happens inside its calls, in the thread that calls.

Invariant: no call waits longer than its timeout, and none leaves the client unusable.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

import zmq

from ..errors import Code, SessionError
from .administration import Administration
from .pending import Pending, Unresolved
from .questions import Questions
from .reports import Image, Report, Reports
from .session import closed
from .trading import Trading
from .turns import FOREVER_S, PollTurns, Steps
from .wire import Wire

T = TypeVar("T")
CLOSE_S_MAX = 2.0
LOGOFF_S = 0.1
"""How long a log-off may take when there is no time left at all."""


class Client(Trading, Questions, Administration):
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
    cancel_on_disconnect
        Whether the gateway cancels all orders of the accounts that this client placed orders for when its
        session ends, also by `close`. (A new connection begins a new session.)
    context
        ZeroMQ context to use; default: the process's own.
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
        valid_for_s: float = 15.0,
        cancel_on_disconnect: bool = False,
        context: "zmq.Context[zmq.Socket[bytes]] | None" = None,
    ) -> None:
        self._wire = Wire(endpoint, key, secret, window, queue_max, context, cancel_on_disconnect)
        super().__init__(self._wire.session, account, timeout_s, valid_for_s)
        self._turns = PollTurns(self._wire)
        self._pipeline = self.session.pipeline

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
        try:
            pending = pipeline.request(op, args, callback)
        except SessionError as error:
            if error.code is not Code.BUSY or self._wire.in_callback:
                raise
            self._turns.until(lambda: not pipeline.is_full, self.timeout_s)
            pending = pipeline.request(op, args, callback)
        if not pipeline.in_flight or pipeline.has_batch:
            self._wire.flush(time.monotonic_ns())
        return pending

    def pump(self, timeout_s: float = 0.0) -> int:
        """Send what waits and take in what has come; return how many messages came.

        With nothing to take in, wait at most ``timeout_s`` for something. Call it often while requests are
        under way or reports are followed.
        """
        return self._turns.turn(time.monotonic_ns() + int(timeout_s * 1e9) if timeout_s else 0)

    def wait(self, pendings: Iterable[Pending], timeout_s: float | None = None) -> bool:
        """Wait until all are resolved; return whether they are."""
        unresolved = Unresolved(pendings)
        return self._turns.until(unresolved.is_empty, self.timeout_s if timeout_s is None else timeout_s)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Send all that waits and wait until all is resolved; return whether it is."""
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        return self._turns.until(self.session.pipeline.is_idle, limit_s)

    def run(self, steps: Steps[T]) -> T:
        """Take the steps of a call, waiting for each; ``timeout_s`` is for all of them."""
        return self._turns.run(steps, self.timeout_s)

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
        return self._each(reports, FOREVER_S if timeout_s is None else timeout_s)

    def _each(self, reports: Reports, timeout_s: float) -> Iterator[Image | Report]:
        try:
            while self._turns.until(reports.has_news, timeout_s):
                if (item := reports.next()) is not None:
                    yield item
        finally:
            self.session.unsubscribe(reports)

    # --- the end

    def close(self, timeout_s: float = CLOSE_S_MAX) -> None:
        """Wait for what is under way, at most ``timeout_s``, log off and close.

        What is not resolved by then ends as OUTCOME_UNKNOWN, or refused where it was never sent.
        """
        until_ns = time.monotonic_ns() + int(timeout_s * 1e9)
        self._turns.until(self.session.pipeline.is_idle, timeout_s)
        self.session.close()
        left_s = (until_ns - time.monotonic_ns()) / 1e9
        self._turns.until(lambda: self._wire.ended, max(LOGOFF_S, left_s))
        self.session.end(closed())
        self._wire.call_back()
        self._wire.drop()
