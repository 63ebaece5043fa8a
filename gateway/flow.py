"""Commands on their way to the engine, and their answers on the way back.

Invariants: every command taken is answered exactly once, by what the stream shows of it, by LINK_GAP once
the stream has shown that it can never be executed, by ENGINE_UNAVAILABLE when it never left, or by
OUTCOME_UNKNOWN in time; nothing unknown is called refused. Commands of a session enter a lane in the order in
which they were asked, and after one that was refused here nothing of the same run follows.
"""

from collections.abc import Callable, Sequence
from typing import Any

from bus.answers import wire_answer
from bus.errors import Code

from .doors import Doors
from .limits import Limits
from .links import Lane, LinkState, Sent
from .meters import CODES, GatewayMeters
from .post import REPLIES_PER_MESSAGE_MAX, Post
from .private import PrivateStreams
from .sessions import Session

LANES = ("orders", "control")

_LINK_GAP = int(Code.LINK_GAP)
_LOST = "expected the engine to receive it, was lost with its link: not executed"
_NOT_SENT = "expected a connection to the engine, was none: not sent"
_UNSEEN = "expected the outcome in time, was none: ask by id or send it again under the same id"


class Flow:
    """The two lanes and what is in flight in them.

    Parameters
    ----------
    gateway
        This gateway's instance number.
    notice
        Called with each raw event that is neither an answer nor trading (keys, links, engine starts).

    Attributes
    ----------
    epoch
        The engine's epoch, of the newest frame applied.
    """

    def __init__(
        self,
        gateway: int,
        limits: Limits,
        doors: Doors,
        post: Post,
        private: PrivateStreams,
        meters: GatewayMeters,
        notice: Callable[[Sequence[Any]], None],
    ) -> None:
        self.gateway = gateway
        self.lanes = (
            Lane(0, gateway, limits.pipe_in_flight_max),
            Lane(1, gateway, limits.pipe_in_flight_max),
        )
        self.epoch = 0
        self._limits = limits
        self._doors = doors
        self._post = post
        self._private = private
        self._meters = meters
        self._notice = notice

    @property
    def in_flight(self) -> int:
        """Commands sent and not yet seen in the stream, both lanes."""
        return self.lanes[0].in_flight + self.lanes[1].in_flight

    def flush(self, lane: Lane) -> None:
        """Send what is in a lane's outbox as one frame; answer it when there is no connection."""
        count = len(lane.outbox)
        if not count:
            return
        if self._doors.to_engine(lane.lane, lane.frame()):
            self._meters.commands.value += count
            self._meters.frames.value += 1
            self._meters.frame_commands.observe(count)
            return
        self._refuse(lane.take_back(count), Code.ENGINE_UNAVAILABLE, _NOT_SENT)
        self._next_link(lane)

    def apply(
        self, transactions: Sequence[Sequence[Any]], after_seq: int, epoch: int, mono_ns: int, now_ns: int
    ) -> None:
        """Take in a frame of the stream: answer our commands, keep private events, notice the rest."""
        mine = self.gateway
        orders, control = self.lanes[0].pending, self.lanes[1].pending
        gather = self._post.gather
        private = self._private if len(self._private) else None
        answered, taken_ns = 0, 0
        # Replies in a row mostly go to one session: then they are appended without a call.
        last: Session | None = None
        last_run = 0
        replies: list[tuple[Any, ...]] = []
        for transaction in transactions:
            first_seq = transaction[0]
            if first_seq <= after_seq:
                continue
            events = transaction[4]
            if transaction[1] == mine:
                number = transaction[3]
                sent = (control if number & 1 else orders).pop(number, None)
                if sent is not None:
                    session, run, request_id, taken = sent
                    session.in_flight -= 1
                    session.urgent -= number & 1
                    answer = wire_answer(first_seq, events)
                    code = answer[0]
                    reply = (request_id, code, answer[5], answer)
                    if session is last and run == last_run and 0 < len(replies) < REPLIES_PER_MESSAGE_MAX:
                        replies.append(reply)
                    else:
                        gather(session, run, reply)
                        last, last_run, replies = session, run, session.replies
                    answered += 1
                    taken_ns = taken_ns or taken
                    if code:
                        self._rejected(code, sent, self.lanes[number & 1])
                        last = None
                else:
                    self._late(self.lanes[number & 1], number)
            kind = events[0][0]
            if kind < 20 and kind != 3 and kind != 4:
                self._notice_all(events)
                last = None
            if private is not None:
                private.take(first_seq, now_ns, events)
        if answered:
            self._meters.answers.value += answered
            self._meters.round_trip.observe((mono_ns - taken_ns) / 1e9)
        if epoch != self.epoch:
            self.epoch = epoch
            self.give_up_links()

    def keep_time(self, mono_ns: int, joined: bool) -> None:
        """Answer what is overdue, open links that are wanted, give up those that do not open."""
        for lane in self.lanes:
            overdue = lane.overdue_since(mono_ns - self._limits.request_timeout_ns)
            self._meters.unknown.value += len(overdue)
            if overdue and lane.state is LinkState.OPEN:
                # Lost without a trace, perhaps: a new link makes certain, and frees their room.
                self._next_link(lane)
            for session, run, request_id, _ in overdue:
                self._post.gather(session, run, (request_id, int(Code.OUTCOME_UNKNOWN), _UNSEEN, None))
            if joined:
                self._keep_link(lane, mono_ns)

    @property
    def opening(self) -> bool:
        """Whether a link waits for its pipe."""
        return any(lane.state is LinkState.WANTED for lane in self.lanes)

    @property
    def open(self) -> bool:
        """Whether both lanes take commands."""
        return all(lane.state is LinkState.OPEN for lane in self.lanes)

    def give_up_links(self) -> None:
        """Begin new links: the engine started anew, and what was on its way may be lost."""
        for lane in self.lanes:
            if lane.state is not LinkState.CLOSED:
                self._next_link(lane)

    def link_opened(self, gateway: int, lane_number: int, link: int) -> None:
        """Take in a LinkOpened: of ours, what was in flight on earlier links is lost for certain."""
        if gateway != self.gateway or lane_number not in (0, 1):
            return
        lane = self.lanes[lane_number]
        lost = lane.opened(link)
        self._meters.links.add(LANES[lane_number])
        self._meters.lost.value += len(lost)
        self._refuse(lost, Code.LINK_GAP, _LOST)

    def _keep_link(self, lane: Lane, mono_ns: int) -> None:
        if lane.state is LinkState.CLOSED or lane.is_stuck(mono_ns, self._limits.link_timeout_ns):
            self._next_link(lane)
        if lane.state is LinkState.WANTED and self._doors.to_engine(lane.lane, lane.opening_frame()):
            lane.opening(mono_ns)

    def _next_link(self, lane: Lane) -> None:
        self._refuse(lane.take_back(len(lane.outbox)), Code.ENGINE_UNAVAILABLE, _NOT_SENT)
        lane.outbox.clear()
        lane.next_link()
        self._doors.new_pipe(lane.lane)

    def _refuse(self, commands: Sequence[Sent], code: Code, detail: str) -> None:
        """Answer commands that were definitely not executed; nothing of their runs may follow."""
        for session, run, request_id, _ in commands:
            if session.run == run:
                session.broken = True
            self._meters.refused.add(code.name)
            self._post.gather(session, run, (request_id, int(code), detail, None))

    def _rejected(self, code: int, sent: Sent, lane: Lane) -> None:
        self._meters.rejected.add(CODES.get(code, "other"))
        if code != _LINK_GAP:
            return
        if sent[0].run == sent[1]:
            sent[0].broken = True
        if lane.state is LinkState.OPEN:
            self._next_link(lane)

    def _late(self, lane: Lane, number: int) -> None:
        """Free the room of a command whose client was told OUTCOME_UNKNOWN."""
        sent = lane.overdue.pop(number, None)
        if sent is not None:
            lane.settled(sent[0])

    def _notice_all(self, events: Sequence[Sequence[Any]]) -> None:
        for event in events:
            if event[0] < 20:
                self._notice(event)
