"""The asyncio client: driven by the loop, so heartbeats, resends and reports go on between calls.

Invariant: the loop is never blocked; sockets are only touched when readable, when something is handed over,
or when a timer says that something is due.

Plain sockets and their file descriptors instead of ``zmq.asyncio``: one callback then takes in all
messages that have come, at the cost that the blocking client has.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
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


class AsyncClient(Administration):
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
        self._wire = Wire(endpoint, session, context or zmq.Context.instance(), self._watch, self._leave)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.Handle | None = None
        self._news: asyncio.Event = asyncio.Event()

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
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        pipeline = self._pipeline
        pending = self.session.request(op, args, callback)
        if pipeline.is_worth_sending:
            self._wire.flush(time.monotonic_ns())
        if self._soon is None:
            # Sending may use up the readiness of the socket's descriptor: look again in any case.
            self._soon = self._loop.call_soon(self._turn)
        return pending

    async def room(self) -> None:
        """Wait until one more request can be handed over."""
        while self._pipeline.is_full:
            await self._wait_for_news()

    async def wait(self, pendings: Iterable[Pending], timeout_s: float | None = None) -> bool:
        """Wait until all are resolved; return whether they are."""
        left = [pending for pending in pendings if not pending.done]
        left.reverse()

        def resolved() -> bool:
            while left and left[-1].code >= 0:
                left.pop()
            return not left

        return await self._await(resolved, self.timeout_s if timeout_s is None else timeout_s)

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all that was handed over is resolved; return whether it is."""
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        return await self._await(lambda: not self._pipeline.unresolved, limit_s)

    async def run(self, steps: Steps[T]) -> T:
        """Take the steps of a call, waiting for each; `timeout_s` is for all of them."""
        until_s = time.monotonic() + self.timeout_s
        try:
            while True:
                pending = next(steps)
                await self._resolved(pending, until_s)
        except StopIteration as stop:
            value: T = stop.value
            return value

    # --- own execution reports

    def follow(self, account: str | None = None, *, after: int | None = None) -> Reports:
        """Follow an account's private events; read them with `Reports.next`."""
        reports = Reports(account or self.account, after)
        self.session.subscribe(reports)
        self._turn_soon()
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
            while True:
                item = reports.next()
                if item is None:
                    await self._wait_for_news()
                else:
                    yield item
        finally:
            self.session.unsubscribe(reports)
            self._turn_soon()

    # --- the end

    async def close(self, timeout_s: float = CLOSE_S_MAX) -> None:
        """Wait for what is under way, log off and close; bounded by ``timeout_s``.

        What is not resolved by then ends as OUTCOME_UNKNOWN, or refused where it was never sent.
        """
        until_s = time.monotonic() + timeout_s
        session = self.session
        if session.state is not State.ENDED:
            await self.flush(timeout_s)
            session.close()
            self._turn_soon()
            await self._await(lambda: session.state is State.ENDED, max(0.0, until_s - time.monotonic()))
            session.end(SessionError(Code.NOT_LOGGED_ON, "expected an open client, was a closed one"))
        self._call_back()
        self._wire.drop()
        for handle in (self._timer, self._soon):
            if handle is not None:
                handle.cancel()
        self._timer = self._soon = None
        self._tell()

    # --- the loop

    def _turn_soon(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        if self._soon is None:
            self._soon = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Do what can be done now, and see to it that the next turn comes."""
        assert self._loop is not None
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        now_ns = time.monotonic_ns()
        self._wire.turn(now_ns)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.session.state is not State.ENDED:
            if self._wire.has_more:
                # Descriptors of ZeroMQ tell of changes only: what is there now is not told again.
                self._soon = self._loop.call_soon(self._turn)
            else:
                delay_s = max(0.0, (self.session.next_due_ns() - now_ns) / 1e9)
                self._timer = self._loop.call_later(delay_s, self._turn)
        self._tell()
        self._call_back()

    def _tell(self) -> None:
        """Wake those who wait for something to happen."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _wait_for_news(self) -> None:
        if self.session.state is State.ENDED:
            assert self.session.error is not None
            raise self.session.error
        if self._timer is None:
            self._turn_soon()
        await self._news.wait()

    async def _await(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition holds; return whether it does."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition() and self.session.state is not State.ENDED:
                    await self._wait_for_news()
        except TimeoutError:
            pass
        return condition()

    async def _resolved(self, pending: Pending, until_s: float) -> None:
        if pending.done:
            return
        assert self._loop is not None
        future: asyncio.Future[None] = self._loop.create_future()
        pending.callback = lambda _: None if future.done() else future.set_result(None)
        try:
            async with asyncio.timeout(until_s - time.monotonic()):
                await future
        except TimeoutError:
            self.session.give_up(pending)

    def _call_back(self) -> None:
        while (pending := self._pipeline.take_callback()) is not None:
            assert pending.callback is not None
            pending.callback(pending)

    def _watch(self, sockets: list["zmq.Socket[bytes]"]) -> None:
        assert self._loop is not None
        for socket in sockets:
            self._loop.add_reader(int(socket.getsockopt(zmq.FD)), self._turn)

    def _leave(self, sockets: list["zmq.Socket[bytes]"]) -> None:
        assert self._loop is not None
        for socket in sockets:
            self._loop.remove_reader(int(socket.getsockopt(zmq.FD)))
