"""The asyncio client: driven by the loop, so heartbeats, resends and reports go on between calls.

Invariant: the loop is never blocked; sockets are only touched when readable, when something is handed over,
or when a timer says that something is due.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

import zmq

from .administration import Administration
from .blocking import CLOSE_S_MAX, LOGOFF_S
from .pending import Pending, Unresolved
from .questions import Questions
from .reports import Image, Report, Reports
from .session import closed
from .trading import Trading
from .turns import LoopTurns, Steps
from .wire import Wire

T = TypeVar("T")


class AsyncClient(Trading, Questions, Administration):
    """A session with a gateway, for the tasks of one event loop.

    Parameters are those of `bus.client.blocking.Client`; its calls are coroutines here. Handing over with
    `post`, `send`, `place_ticks` or `cancel_id` never waits: beyond ``queue_max`` it raises BUSY; `room`
    waits until there is some.
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
        self._turns = LoopTurns(self._wire)
        self._pipeline = self.session.pipeline

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.close(0.0)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(CLOSE_S_MAX if error is None else 0.0)

    # --- pipelined use

    def post(
        self, op: int, args: tuple[Any, ...], callback: Callable[[Pending], object] | None = None
    ) -> Pending:
        """Hand over a request. With nothing under way it is sent at once, else soon, with others.

        Raises
        ------
        SessionError
            BUSY when the queue is full.
        """
        pipeline = self._pipeline
        pending = pipeline.request(op, args, callback)
        if not pipeline.in_flight or pipeline.has_batch:
            self._wire.flush(time.monotonic_ns())
        # Sending may use up the readiness of the socket's descriptor: look again in any case.
        self._turns.soon()
        return pending

    async def room(self) -> None:
        """Wait until one more request can be handed over."""
        pipeline = self.session.pipeline
        if pipeline.is_full:
            await self._turns.until(lambda: not pipeline.is_full)

    async def wait(self, pendings: Iterable[Pending], timeout_s: float | None = None) -> bool:
        """Wait until all are resolved; return whether they are."""
        unresolved = Unresolved(pendings)
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        return await self._turns.until(unresolved.is_empty, limit_s)

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all that was handed over is resolved; return whether it is."""
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        return await self._turns.until(self.session.pipeline.is_idle, limit_s)

    async def run(self, steps: Steps[T]) -> T:
        """Take the steps of a call, waiting for each; ``timeout_s`` is for all of them."""
        return await self._turns.run(steps, self.timeout_s)

    # --- own execution reports

    def follow(self, account: str | None = None, *, after: int | None = None) -> Reports:
        """Follow an account's private events; read them with `Reports.next`."""
        reports = Reports(account or self.account, after)
        self.session.subscribe(reports)
        self._turns.soon()
        return reports

    async def reports(
        self, account: str | None = None, *, after: int | None = None
    ) -> AsyncIterator[Image | Report]:
        """Iterate over an account's private events: an `Image` first, then each `Report`.

        ``after``: resume after this ``account_seq`` instead; an `Image` comes all the same when that is too
        long ago.
        """
        reports = self.follow(account, after=after)
        try:
            while await self._turns.until(reports.has_news):
                if (item := reports.next()) is not None:
                    yield item
        finally:
            self.session.unsubscribe(reports)
            self._turns.soon()

    # --- the end

    async def close(self, timeout_s: float = CLOSE_S_MAX) -> None:
        """Wait for what is under way, at most ``timeout_s``, log off and close.

        What is not resolved by then ends as OUTCOME_UNKNOWN, or refused where it was never sent.
        """
        until_s = time.monotonic() + timeout_s
        await self._turns.until(self.session.pipeline.is_idle, timeout_s)
        self.session.close()
        self._turns.soon()
        await self._turns.until(lambda: self._wire.ended, max(LOGOFF_S, until_s - time.monotonic()))
        self.session.end(closed())
        self._wire.call_back()
        self._turns.stop()
