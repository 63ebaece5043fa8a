"""What the desk is given to reach the outside: client connections, pipes, queries, randomness.

Invariant: the desk touches the world through this one object, so that its rules can be tried without
sockets, and a simulator can stand in for the network.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol


class Delivery(Enum):
    """What became of a message to a client."""

    SENT = "sent"
    FULL = "full"
    GONE = "gone"


class Reply(NamedTuple):
    """What the engine answered to a query; ``code`` is not 0 when it did not answer in time either."""

    code: int
    detail: str
    seq: int
    now_ns: int
    result: Any


Asked = Callable[[Reply], None]
"""What is called, once, with the answer to a query."""


class Doors(Protocol):
    """The outside, as the desk sees it. Nothing here waits."""

    def to_client(self, peer: bytes, data: bytes) -> Delivery:
        """Send a message to a connection."""

    def to_engine(self, lane: int, data: bytes) -> bool:
        """Send a frame into a lane's pipe; False when it was definitely not sent."""

    def new_pipe(self, lane: int) -> None:
        """Drop a lane's pipe with all that is still in it, and begin a new one."""

    def ask(self, query: str, args: Sequence[object], done: Asked) -> None:
        """Ask the engine; ``done`` is called later, never from here."""

    def warn(self, kind: str, **fields: str) -> None:
        """Log what a stranger did, at most so many lines a second."""

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that nobody can guess."""
