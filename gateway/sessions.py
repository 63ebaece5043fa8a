"""Sessions: who is logged on at which connection, and what is left to it.

Invariant: a request counts as a session's only when it comes from the connection that logged on *and*
carries the session's token; a session that ended gets nothing more, whatever was on its way for it.
Memory: at most ``sessions_max`` sessions, each bounded by its own limits.
"""

from collections.abc import Iterator
from hmac import compare_digest
from typing import Any

from bus.codec import pack
from bus.frames import WIRE_VERSION, Kind

TOKEN_BYTES = 16
IMAGES_KEPT_MAX = 16
"""Images that a session may page through at a time."""

_KIND = Kind.REPLIES.value


class Session:
    """One log-on.

    Attributes
    ----------
    run, expected
        The current run and the next request id in it (-1: any, a run begins).
    broken
        Whether commands of this run are refused as OUT_OF_ORDER from here on.
    in_flight
        Commands sent to the engine and not yet seen in the stream.
    urgent
        Those of them in the control lane.
    cancels
        Whether its accounts' orders are cancelled when it ends.
    owed
        Requests that a batch in the message at hand counts for beyond itself.
    placed
        The accounts that it placed orders for, where that matters.
    replies
        Replies collected for the next message, all of the run ``replies_run``.
    """

    __slots__ = (
        "accounts", "alive", "broken", "cancels", "expected", "followed", "heard_ns", "images", "in_flight",
        "in_flight_max", "key_id", "leaving", "number", "owed", "peer", "placed", "queries", "refilled_ns",
        "replies", "replies_run", "roles", "run", "spoke_ns", "token", "tokens", "urgent",
    )  # fmt: skip

    def __init__(
        self, number: int, peer: bytes, token: bytes, key_id: str, roles: int, accounts: tuple[str, ...]
    ) -> None:
        self.number = number
        self.peer = peer
        self.token = token
        self.key_id = key_id
        self.roles = roles
        self.accounts = frozenset(accounts)
        self.alive = True
        self.leaving = False
        self.cancels = False
        self.placed: set[str] = set()
        self.run = 0
        self.expected = -1
        self.broken = False
        self.in_flight = 0
        self.urgent = 0
        self.in_flight_max = 0
        self.tokens = 0
        self.owed = 0
        self.refilled_ns = 0
        self.heard_ns = 0
        self.spoke_ns = 0
        self.queries = 0
        self.images: list[object] = []
        self.followed: set[str] = set()
        self.replies: list[tuple[Any, ...]] = []
        self.replies_run = 0

    def refill(self, now_ns: int, per_s: int, burst: int) -> None:
        """Give back the requests that time has earned."""
        gained = (now_ns - self.refilled_ns) * per_s // 1_000_000_000
        if gained > 0:
            self.tokens += gained
            self.refilled_ns += gained * 1_000_000_000 // per_s
            if self.tokens >= burst:
                self.tokens, self.refilled_ns = burst, now_ns

    def remember_image(self, image_id: object) -> None:
        """Note an image that this session may page through; the oldest is forgotten."""
        self.images.append(image_id)
        del self.images[:-IMAGES_KEPT_MAX]

    def message(self, run: int, replies: list[tuple[Any, ...]]) -> bytes:
        """Return a REPLIES message with the session's remaining budget."""
        budget = (max(0, self.in_flight_max - self.in_flight), max(0, self.tokens))
        return pack((WIRE_VERSION, _KIND, run, replies, budget))


def stranger_message(run: int, replies: list[tuple[Any, ...]]) -> bytes:
    """Return a REPLIES message to a connection without a session."""
    return pack((WIRE_VERSION, _KIND, run, replies, (0, 0)))


class Sessions:
    """All sessions of one gateway.

    Parameters
    ----------
    sessions_max
        How many there may be.
    """

    def __init__(self, sessions_max: int) -> None:
        self._by_peer: dict[bytes, Session] = {}
        self._sessions_max = sessions_max
        self._last = 0

    def __len__(self) -> int:
        return len(self._by_peer)

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._by_peer.values()))

    @property
    def full(self) -> bool:
        """Whether no further session fits."""
        return len(self._by_peer) >= self._sessions_max

    def at(self, peer: bytes) -> Session | None:
        """Return the session of a connection, whoever may be talking now."""
        return self._by_peer.get(peer)

    def proven(self, peer: bytes, token: bytes) -> Session | None:
        """Return the session of a connection if the token is its own."""
        session = self._by_peer.get(peer)
        return session if session is not None and compare_digest(session.token, token) else None

    def begin(self, peer: bytes, token: bytes, key_id: str, roles: int, accounts: tuple[str, ...]) -> Session:
        """Add a session; the caller has checked `full` and ended the connection's earlier one."""
        assert not self.full and peer not in self._by_peer
        self._last += 1
        session = Session(self._last, peer, token, key_id, roles, accounts)
        self._by_peer[peer] = session
        return session

    def end(self, session: Session) -> None:
        """Take a session away."""
        if session.alive:
            session.alive = False
            session.replies.clear()
            del self._by_peer[session.peer]
