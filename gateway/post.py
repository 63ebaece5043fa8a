"""What goes out to clients: replies gathered a session, private events, heartbeats.

Invariant: a reply goes to the session that asked or to nobody. A session whose connection is gone, or that
does not read its replies until its queue is full, ends, because a reply to it can no longer be kept; a
private event that does not fit waits in its ring instead.
"""

from collections.abc import Callable
from typing import Any

from bus.codec import pack
from bus.frames import WIRE_VERSION, Kind

from .doors import Delivery, Doors
from .meters import GatewayMeters
from .private import PrivateStreams, Ring
from .sessions import Session, stranger_message

REPLIES_PER_MESSAGE_MAX = 1_024
"""Replies of one frame of the stream go out together, up to this many a message."""

_HEARTBEAT = pack((WIRE_VERSION, Kind.PRIVATE.value, "", ()))


class Post:
    """Sends to clients.

    Parameters
    ----------
    doors, meters
        Where to, and what is counted.
    end
        Called with a session and a reason when it must end.
    """

    def __init__(self, doors: Doors, meters: GatewayMeters, end: Callable[[Session, str], None]) -> None:
        self._doors = doors
        self._meters = meters
        self.end = end
        self.to_ended: Callable[[Session, int, tuple[Any, ...]], None] = _to_nobody
        """Called with the replies to sessions that ended."""
        self._gathered: dict[Session, None] = {}
        self.now_ns = 0

    def gather(self, session: Session, run: int, reply: tuple[Any, ...]) -> None:
        """Keep a reply for `flush`; replies of one session and run share a message."""
        replies = session.replies
        if not replies:
            if not session.alive:
                self.to_ended(session, run, reply)
                return
            session.replies_run = run
            self._gathered[session] = None
        elif session.replies_run != run or len(replies) >= REPLIES_PER_MESSAGE_MAX:
            self.send_gathered(session)
            session.replies_run = run
            self._gathered[session] = None
            replies = session.replies
        replies.append(reply)

    def flush(self) -> None:
        """Send what was gathered."""
        while self._gathered:
            gathered, self._gathered = self._gathered, {}
            for session in gathered:
                self.send_gathered(session)

    def reply(self, session: Session, run: int, replies: list[tuple[Any, ...]]) -> None:
        """Send replies now."""
        self._deliver(session, session.message(run, replies))

    def to_stranger(self, peer: bytes, run: int, replies: list[tuple[Any, ...]]) -> None:
        """Send replies to a connection without a session; if it does not take them, they are lost."""
        delivery = self._doors.to_client(peer, stranger_message(run, replies))
        if delivery is not Delivery.SENT:
            self._meters.undelivered.add(delivery.value)

    def send_private(self, streams: PrivateStreams) -> None:
        """Send every follower what it has not got."""
        for ring, behind in streams.due():
            shared: dict[int, list[tuple[int, bytes]]] = {}
            for session in behind:
                after = ring.followers.get(session)
                if after is None:
                    continue
                if not ring.reaches(after):
                    self.end(session, "slow")
                    continue
                if after not in shared:
                    shared[after] = list(ring.messages(after))
                self._send_events(streams, ring, session, shared[after])

    def heartbeat(self, session: Session) -> None:
        """Tell a session that the gateway lives."""
        self._deliver(session, _HEARTBEAT, keep=False)

    def _send_events(
        self, streams: PrivateStreams, ring: Ring, session: Session, messages: list[tuple[int, bytes]]
    ) -> None:
        for reached, data in messages:
            if not self._deliver(session, data, keep=False):
                if session.alive:
                    streams.stall(ring, session)
                return
            self._meters.private.value += 1
            ring.followers[session] = reached

    def send_gathered(self, session: Session) -> None:
        """Send what was gathered for one session."""
        replies = session.replies
        if replies and session.alive:
            session.replies = []
            self._deliver(session, session.message(session.replies_run, replies))

    def _deliver(self, session: Session, data: bytes, keep: bool = True) -> bool:
        """Send; ``keep``: the message cannot be sent again later, so not taking it ends the session."""
        if not session.alive:
            return False
        delivery = self._doors.to_client(session.peer, data)
        if delivery is Delivery.SENT:
            session.spoke_ns = self.now_ns
            return True
        self._meters.undelivered.add(delivery.value)
        if delivery is Delivery.GONE:
            self.end(session, "gone")
        elif keep:
            self.end(session, "slow")
        return False


def _to_nobody(session: Session, run: int, reply: tuple[Any, ...]) -> None:
    """Drop a reply."""
