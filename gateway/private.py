"""Private streams: an account's own events, to the sessions that follow it.

Invariants: a follower gets every event of its account above where it began, once, in the order of
``account_seq``, without a hole; nobody ever gets the other side of a trade. An event that could not be
sent stays due and is sent later from the ring; a follower further behind than the ring reaches is ended.

Memory: rings exist only for accounts that somebody followed since the gateway started, at most
``accounts_max`` of them with ``events_max`` events each, kept packed (some 150 bytes an event). A ring
outlives its followers, so that one who reconnects resumes; when room is needed, the one unfollowed for the
longest goes.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgpack

from bus.codec import pack
from bus.errors import Code, SessionError
from bus.frames import WIRE_VERSION, Kind

from .sessions import Session

EVENTS_PER_MESSAGE_MAX = 512
WAITING = -1
"""A follower's position while its image is fetched."""

_PREFIX = b"\x94" + pack(WIRE_VERSION) + pack(Kind.PRIVATE.value)
_array_header = msgpack.Packer().pack_array_header

_TRADE = 21
_PREVENTED = 31
_AUCTION_TRADE = 33
_OWN = frozenset({16, 17, 18, 20, 22, 23, 24, 25, 28, 29, 30, 37, 38, 39, 40, 41, 49, 50, 53})
"""Events whose first fields are the account and its account_seq."""


class Ring:
    """The newest events of one account.

    Attributes
    ----------
    last
        The newest ``account_seq`` seen; 0 as long as none was.
    followers
        Sessions and the ``account_seq`` up to which each has everything (`WAITING`: an image is on its way).
    stalled
        Those of them whose queue was full: tried again at `PrivateStreams.retry`, not for each event.
    """

    __slots__ = ("account", "events", "followers", "last", "stalled")

    def __init__(self, account: str, events_max: int) -> None:
        self.account = account
        self.events: deque[bytes] = deque(maxlen=events_max)
        self.last = 0
        self.followers: dict[Session, int] = {}
        self.stalled: set[Session] = set()

    def reaches(self, after: int) -> bool:
        """Whether every event above ``after``, up to the newest, is at hand."""
        return self.last - len(self.events) <= after <= self.last and self.last > 0

    def messages(self, after: int) -> Iterator[tuple[int, bytes]]:
        """Yield PRIVATE messages of the events above ``after``, each with the last number in it."""
        while after < self.last:
            start = len(self.events) - (self.last - after)
            count = min(self.last - after, EVENTS_PER_MESSAGE_MAX)
            body = b"".join(islice(self.events, start, start + count))
            after += count
            yield after, _PREFIX + pack(self.account) + _array_header(count) + body


class PrivateStreams:
    """The rings of one gateway.

    Parameters
    ----------
    accounts_max, events_max
        Bounds, see the module.
    """

    def __init__(self, accounts_max: int, events_max: int) -> None:
        self._accounts_max = accounts_max
        self._events_max = events_max
        self._rings: dict[str, Ring] = {}
        self._touched: dict[str, Ring] = {}
        self._stalled: dict[str, Ring] = {}

    def __len__(self) -> int:
        return len(self._rings)

    def take(self, seq: int, now_ns: int, events: Sequence[Sequence[Any]]) -> None:
        """Take in the raw events of a transaction whose first seq is ``seq``; O(events)."""
        rings = self._rings
        for event in events:
            kind = event[0]
            if kind == _TRADE:
                maker, taker = rings.get(event[6]), rings.get(event[11])
                if maker is not None:
                    self._keep(maker, event[7], seq, now_ns, for_maker(event))
                if taker is not None:
                    self._keep(taker, event[12], seq, now_ns, for_taker(event))
            elif kind in _OWN:
                if (ring := rings.get(event[1])) is not None:
                    self._keep(ring, event[2], seq, now_ns, event)
            elif kind == _PREVENTED:
                if (ring := rings.get(event[4])) is not None:
                    self._keep(ring, event[5], seq, now_ns, for_prevented(event))
            elif kind == _AUCTION_TRADE:
                if (ring := rings.get(event[5])) is not None:
                    self._keep(ring, event[6], seq, now_ns, for_buyer(event))
                if (ring := rings.get(event[13])) is not None:
                    self._keep(ring, event[14], seq, now_ns, for_seller(event))
            seq += 1

    def follow(self, session: Session, account: str, after: int) -> int:
        """Let a session follow an account from ``after`` on (`WAITING`: from an image); return the newest
        number. Send with `due` afterwards.

        Raises
        ------
        SessionError
            RESUME_TOO_OLD when not all events above ``after`` are at hand; BUSY when no ring is free.
        """
        ring = self._rings.get(account)
        if after != WAITING and (ring is None or not ring.reaches(after)):
            reach = f"{ring.last - len(ring.events)} to {ring.last}" if ring and ring.last else "none at hand"
            raise SessionError(
                Code.RESUME_TOO_OLD, f"expected an account_seq of {reach} to resume after, was {after}"
            )
        if ring is None:
            ring = self._new_ring(account)
        ring.followers[session] = after
        session.followed.add(account)
        self._touched[account] = ring
        return ring.last

    def begin_after(self, session: Session, account: str, after: int) -> bool:
        """Let a waiting session begin behind its image; False when events above it are gone already."""
        ring = self._rings.get(account)
        if ring is None or session not in ring.followers:
            return False
        if not ring.events:
            ring.last = max(ring.last, after)  # so that others can resume here before anything happens
        if ring.last > after and not ring.reaches(after):
            return False
        ring.followers[session] = after
        self._touched[account] = ring
        return True

    def leave(self, session: Session, account: str) -> None:
        """Let a session follow an account no more."""
        session.followed.discard(account)
        ring = self._rings.get(account)
        if ring is None:
            return
        ring.stalled.discard(session)
        if ring.followers.pop(session, None) is not None and not ring.followers:
            self._rings[account] = self._rings.pop(account)  # the newest among the unfollowed

    def leave_all(self, session: Session) -> None:
        """Let a session follow nothing any more."""
        for account in tuple(session.followed):
            self.leave(session, account)

    def due(self) -> list[tuple[Ring, list[Session]]]:
        """Return the rings with news and who has not got them; forget that there was news."""
        found = []
        for ring in self._touched.values():
            behind = [
                session
                for session, sent in ring.followers.items()
                if WAITING != sent < ring.last and session not in ring.stalled
            ]
            if behind:
                found.append((ring, behind))
        self._touched.clear()
        return found

    def stall(self, ring: Ring, session: Session) -> None:
        """Note that a follower's queue is full."""
        ring.stalled.add(session)
        self._stalled[ring.account] = ring

    def retry(self) -> None:
        """Let `due` return again who was stalled."""
        for ring in self._stalled.values():
            ring.stalled.clear()
            self._touched[ring.account] = ring
        self._stalled.clear()

    def _keep(self, ring: Ring, account_seq: int, seq: int, now_ns: int, event: Sequence[Any]) -> None:
        if account_seq <= ring.last:
            return
        ring.last = account_seq
        ring.events.append(pack((account_seq, seq, now_ns, event)))
        self._touched[ring.account] = ring

    def _new_ring(self, account: str) -> Ring:
        if len(self._rings) >= self._accounts_max:
            unfollowed = next((ring.account for ring in self._rings.values() if not ring.followers), None)
            if unfollowed is None:
                raise SessionError(
                    Code.BUSY,
                    f"expected fewer than {self._accounts_max} accounts followed here, was {len(self)}",
                )
            del self._rings[unfollowed]
            self._touched.pop(unfollowed, None)
            self._stalled.pop(unfollowed, None)
        ring = self._rings[account] = Ring(account, self._events_max)
        return ring


def for_maker(event: Sequence[Any]) -> tuple[Any, ...]:
    """Return a raw TradeExecuted as its maker may see it."""
    return (*event[:11], "", 0, 0, 0, 0, 0, *event[17:])


def for_taker(event: Sequence[Any]) -> tuple[Any, ...]:
    """Return a raw TradeExecuted as its taker may see it."""
    return (*event[:6], "", 0, 0, 0, 0, *event[11:19], 0, *event[20:])


def for_buyer(event: Sequence[Any]) -> tuple[Any, ...]:
    """Return a raw AuctionTraded as its buyer may see it."""
    return (*event[:13], "", 0, 0, 0, 0, 0, 0, 0, *event[21:])


def for_seller(event: Sequence[Any]) -> tuple[Any, ...]:
    """Return a raw AuctionTraded as its seller may see it."""
    return (*event[:5], "", 0, 0, 0, 0, 0, 0, 0, *event[13:])


def for_prevented(event: Sequence[Any]) -> tuple[Any, ...]:
    """Return a raw SelfTradePrevented as its taker may see it: another account of its group has no name."""
    return tuple(event) if event[2] == event[4] else (*event[:2], "", 0, *event[4:])
