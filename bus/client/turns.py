"""How to wait: in the calling thread (`PollTurns`), or by an event loop (`LoopTurns`).

Invariant: a port (something with sockets that never waits itself) is given its turn when one of its
sockets has something, when its next time is due, and when its user asks; nothing else waits.

With an event loop, plain sockets and their file descriptors are used instead of ``zmq.asyncio``: one
callback then takes in all messages that have come, at the cost that the blocking way has.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

import zmq

from .pending import Pending

T = TypeVar("T")
Steps = Generator[Pending, None, T]
"""A call: it yields each request that it waits for, and returns what it is about."""

FOREVER_S = 1e9
"""Some thirty years."""


class Port(Protocol):
    """Sockets that are given turns."""

    on_open: Callable[[list[Any]], object]
    """Called with sockets that are there from now on."""
    on_close: Callable[[list[Any]], object]
    """Called with sockets right before they are closed."""

    @property
    def ended(self) -> bool:
        """Whether it needs no turns any longer."""

    @property
    def has_more(self) -> bool:
        """Whether something can be taken in at once."""

    def turn(self, now_ns: int) -> int:
        """Do all that can be done without waiting; return how many messages were taken in."""

    def next_due_ns(self) -> int:
        """Return when it has something to do at the latest."""

    def give_up(self, pending: Pending) -> None:
        """Resolve a request that is not waited for any longer."""

    def call_back(self) -> None:
        """Tell its user what happened; this may raise what the user raises."""

    def drop(self) -> None:
        """Close its sockets."""


class PollTurns:
    """Gives a port its turns inside the calls of one thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._poller = zmq.Poller()
        port.on_open, port.on_close = self._watch, self._leave

    def turn(self, until_ns: int = 0) -> int:
        """Do what can be done; with nothing taken in, wait for something until then at most."""
        port = self._port
        now_ns = time.monotonic_ns()
        received = port.turn(now_ns)
        port.call_back()
        if not received and now_ns < until_ns and not port.ended:
            wait_ns = min(until_ns, port.next_due_ns()) - now_ns
            self._poller.poll(max(0, -(-wait_ns // 1_000_000)))
            received = port.turn(time.monotonic_ns())
            port.call_back()
        return received

    def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Turn until a condition holds; return whether it does."""
        until_ns = time.monotonic_ns() + int(min(timeout_s, FOREVER_S) * 1e9)
        while not condition():
            if self._port.ended or time.monotonic_ns() >= until_ns:
                return condition()
            self.turn(until_ns)
        return True

    def run(self, steps: Steps[T], timeout_s: float) -> T:
        """Take the steps of a call, waiting for each; ``timeout_s`` is for all of them."""
        until_ns = time.monotonic_ns() + int(timeout_s * 1e9)
        try:
            while True:
                pending = next(steps)
                while pending.code < 0:
                    self.turn(until_ns)
                    if self._port.ended or time.monotonic_ns() >= until_ns:
                        self._port.give_up(pending)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def _watch(self, sockets: list[Any]) -> None:
        for socket in sockets:
            self._poller.register(socket, zmq.POLLIN)

    def _leave(self, sockets: list[Any]) -> None:
        for socket in sockets:
            self._poller.unregister(socket)


class LoopTurns:
    """Gives a port its turns by the running event loop."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.Handle | None = None
        self._news = asyncio.Event()
        port.on_open, port.on_close = self._watch, self._leave

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, from the first use on."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def soon(self) -> None:
        """See to it that a turn comes after what runs now."""
        if self._soon is None:
            self._soon = self.loop.call_soon(self._turn)

    async def until(self, condition: Callable[[], bool], timeout_s: float = FOREVER_S) -> bool:
        """Wait until a condition holds; return whether it does."""
        try:
            async with asyncio.timeout(min(timeout_s, FOREVER_S)):
                while not condition() and not self._port.ended:
                    if self._timer is None:
                        self.soon()
                    await self._news.wait()
        except TimeoutError:
            pass
        return condition()

    async def run(self, steps: Steps[T], timeout_s: float) -> T:
        """Take the steps of a call, waiting for each; ``timeout_s`` is for all of them."""
        until_s = time.monotonic() + timeout_s
        try:
            while True:
                pending = next(steps)
                if not pending.done:
                    await self._resolved(pending, until_s)
        except StopIteration as stop:
            value: T = stop.value
            return value

    async def _resolved(self, pending: Pending, until_s: float) -> None:
        future: asyncio.Future[None] = self.loop.create_future()
        pending.callback = lambda _: None if future.done() else future.set_result(None)
        self.soon()
        try:
            async with asyncio.timeout(until_s - time.monotonic()):
                await future
        except TimeoutError:
            self._port.give_up(pending)

    def stop(self) -> None:
        """Close the port's sockets and take no more turns."""
        self._port.drop()
        for handle in (self._timer, self._soon):
            if handle is not None:
                handle.cancel()
        self._timer = self._soon = None
        self._tell()

    def _turn(self) -> None:
        """Do what can be done now, and see to it that the next turn comes."""
        port = self._port
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_ns = time.monotonic_ns()
        port.turn(now_ns)
        if not port.ended:
            if port.has_more:
                # Descriptors of ZeroMQ tell of changes only: what is there already is not told again.
                self._soon = self.loop.call_soon(self._turn)
            else:
                delay_s = max(0.0, (port.next_due_ns() - now_ns) / 1e9)
                self._timer = self.loop.call_later(delay_s, self._turn)
        self._tell()
        port.call_back()

    def _tell(self) -> None:
        """Wake those who wait for something to happen."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _watch(self, sockets: list[Any]) -> None:
        for socket in sockets:
            self.loop.add_reader(int(socket.getsockopt(zmq.FD)), self._turn)

    def _leave(self, sockets: list[Any]) -> None:
        for socket in sockets:
            self.loop.remove_reader(int(socket.getsockopt(zmq.FD)))


def is_readable(socket: "zmq.Socket[bytes]") -> bool:
    """Whether something can be received at once."""
    return bool(int(socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)


def ignore(sockets: list[Any]) -> None:
    """Do nothing about sockets (of a port without turns)."""
