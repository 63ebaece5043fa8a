"""A lane to the engine: numbered commands, what is in flight, and what becomes of it when a pipe is lost.

Invariants: the engine sees the commands of a link as 1, 2, 3 … without a hole or not at all; a command
is called lost (LINK_GAP) only when the stream has shown a later link opened without having shown the
command, because from then on the engine can never execute it; until then it is in flight, and at
worst unknown. What is in flight is counted here, because no socket's mark bounds it.

Each command has a number of this gateway that stands as ``request_id`` in the stream: even in lane 0,
odd in lane 1, never used twice, so that a client may count its own requests as it likes.
"""

from enum import Enum
from typing import Any

from bus.codec import encode_command
from bus.commands import OpenLink
from bus.frames import CommandsFrame, encode_commands_frame

from .sessions import Session

Sent = tuple[Session, int, int, int]
"""A command in flight: session, run, the client's request id, when it was taken (monotonic ns)."""

_OPEN_LINK = encode_command(OpenLink())


class LinkState(Enum):
    """States of a lane's link."""

    CLOSED = "closed"
    """No link is wanted yet (the stream is not joined)."""
    WANTED = "wanted"
    """OpenLink waits for a pipe that takes it."""
    OPENING = "opening"
    """OpenLink was sent, and has not been seen in the stream."""
    OPEN = "open"
    """Commands are taken."""


_OPEN = LinkState.OPEN


class Lane:
    """One of the two lanes of a gateway.

    Parameters
    ----------
    lane
        0 orders, 1 control.
    gateway
        The gateway's instance number.
    in_flight_max
        Commands in flight in this lane; beyond it the desk refuses (BUSY).

    Attributes
    ----------
    pending
        Commands in flight by their number, oldest first.
    overdue
        Those of them whose client was told OUTCOME_UNKNOWN; they still take up room.
    outbox
        Items of the next COMMANDS frame; their commands are pending already.
    """

    __slots__ = (
        "_link_number", "_next", "_opening_ns", "gateway", "in_flight_max", "lane", "link", "outbox",
        "overdue", "pending", "sent_under", "state",
    )  # fmt: skip

    def __init__(self, lane: int, gateway: int, in_flight_max: int) -> None:
        self.lane = lane
        self.gateway = gateway
        self.in_flight_max = in_flight_max
        self.state = LinkState.CLOSED
        self.link = 0
        self.sent_under = 0
        self.pending: dict[int, Sent] = {}
        self.overdue: dict[int, Sent] = {}
        self.outbox: list[tuple[int, int, Any]] = []
        self._next = 2 + lane
        self._link_number = 1
        self._opening_ns = 0

    @property
    def in_flight(self) -> int:
        """Commands sent and not yet seen in the stream."""
        return len(self.pending) + len(self.overdue)

    @property
    def takes(self) -> bool:
        """Whether a command may be added."""
        return self.state is LinkState.OPEN and self.in_flight < self.in_flight_max

    def add(self, sent: Sent, command: tuple[Any, ...]) -> int:
        """Put a command into the outbox; return how many are in it, or 0 when it is not taken."""
        pending = self.pending
        if self.state is not _OPEN or len(pending) + len(self.overdue) >= self.in_flight_max:
            return 0
        number = self._next
        self._next = number + 2
        pending[number] = sent
        outbox = self.outbox
        outbox.append((sent[0].number, number, command))
        return len(outbox)

    def frame(self) -> bytes:
        """Return the COMMANDS frame of the outbox and begin a new one; `take_back` undoes it."""
        items = self.outbox
        data = encode_commands_frame(
            CommandsFrame(self.gateway, self.lane, self.link, self._link_number, items)
        )
        self._link_number += len(items)
        self.outbox = []
        return data

    def take_back(self, count: int) -> list[Sent]:
        """Forget the newest ``count`` commands, of which none was sent. The link cannot be used any more."""
        taken = [self.pending.popitem()[1] for _ in range(count)]
        taken.reverse()
        for sent in taken:
            self.settled(sent[0])
        return taken

    def settled(self, session: Session) -> None:
        """Give a command's room back to its session."""
        session.in_flight -= 1
        session.urgent -= self.lane

    def next_link(self) -> None:
        """Give up the link, if any, and want the next."""
        assert not self.outbox
        self.link += 1
        self._link_number = 1
        self.state = LinkState.WANTED

    def opening_frame(self) -> bytes:
        """Return the frame that opens the wanted link: OpenLink, its number 1."""
        return encode_commands_frame(
            CommandsFrame(self.gateway, self.lane, self.link, 1, [(0, self.lane, _OPEN_LINK)])
        )

    def opening(self, now_ns: int) -> None:
        """Note that OpenLink was sent."""
        self.state = LinkState.OPENING
        self._link_number = 2
        self._opening_ns = now_ns

    def is_stuck(self, now_ns: int, timeout_ns: int) -> bool:
        """Whether the link was not seen opened in time."""
        return self.state is LinkState.OPENING and now_ns - self._opening_ns >= timeout_ns

    def opened(self, link: int) -> list[Sent]:
        """Note that the stream showed a link opened; return what is lost for certain, oldest first.

        Commands in flight were all sent under an earlier link. Those in ``overdue`` were answered.
        """
        if link <= self.sent_under:
            return []
        lost = list(self.pending.values())
        for sent in (*lost, *self.overdue.values()):
            self.settled(sent[0])
        self.pending.clear()
        self.overdue.clear()
        self.sent_under = link
        if link == self.link and self.state is LinkState.OPENING:
            self.state = LinkState.OPEN
        return lost

    def overdue_since(self, before_ns: int) -> list[Sent]:
        """Move commands taken before a time to ``overdue`` and return them, oldest first."""
        found = []
        for number, sent in self.pending.items():
            if sent[3] >= before_ns:
                break
            found.append(number)
        moved = []
        for number in found:
            self.overdue[number] = sent = self.pending.pop(number)
            moved.append(sent)
        return moved
