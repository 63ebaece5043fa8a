"""The desk: everything a gateway decides, without sockets, clock or chance.

Invariants: each request gets one reply, to the session that asked; a command reaches the engine only if it
is well formed, proven to be of its session, allowed by its key, within every limit, and not out of order:
when one was refused for now, or a request id was skipped, every later command of that run is refused too.
What a client sends can cost it its session, and nobody else anything.

Use: `turn` gives the time; `receive` each message; `end_of_drain` sends what came together; `apply` each
frame of the stream; `keep_time` now and then.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any

from bus.codec import check_command, decode_event
from bus.commands import (
    ADMIN,
    COMMAND_NUMBERS,
    CONTROL,
    OPERATOR,
    TRADING,
    CancelAll,
    CancelMatching,
    PlaceAdvanced,
    PlaceOrder,
    PlacePair,
    Role,
    SubmitBatch,
)
from bus.errors import Code, FormError, SessionError, ZeropitError
from bus.events import KeyCreated, KeyRevoked, LinkOpened
from bus.frames import refuse

from .disconnects import Disconnects
from .doors import Doors, Reply
from .flow import Flow
from .following import Following
from .limits import Limits
from .logon import Logons
from .meters import CODES, REQUESTS, GatewayMeters
from .post import Post
from .private import PrivateStreams
from .queries import Queries
from .reception import Reception
from .requests import (
    COMMAND,
    HEARTBEAT,
    LOGOFF,
    QUERY,
    SUBSCRIBE,
    UNSUBSCRIBE,
    arguments,
    is_request,
    open_message,
    refused_form,
)
from .requests import Reply as Answered
from .sessions import Session, Sessions

_MAY_TRADE = int(Role.TRADER | Role.BROKER)
_OWN_CANCELS = frozenset({COMMAND_NUMBERS[CancelAll], COMMAND_NUMBERS[CancelMatching]})
_BATCH = COMMAND_NUMBERS[SubmitBatch]
_PLACES = frozenset({*(COMMAND_NUMBERS[cls] for cls in (PlaceOrder, PlaceAdvanced, PlacePair)), _BATCH})


class Engine(Enum):
    """How the engine is, as the stream shows it."""

    STARTING = "starting"
    """The stream was never joined: nothing can be answered yet."""
    LINKING = "linking"
    """The stream is joined, and the first links are being opened."""
    JOINED = "joined"
    SILENT = "silent"
    """Nothing was heard for too long, or a gap stays open."""


class Desk:
    """One gateway.

    Parameters
    ----------
    gateway
        Its random instance number, 1 to 2^62−1.
    limits, doors, meters
        Its bounds, the outside, its counters.

    Attributes
    ----------
    engine
        Set by the owner as the stream shows it.
    journal_sync
        The engine's sync policy, told at log-on.
    """

    def __init__(self, gateway: int, limits: Limits, doors: Doors, meters: GatewayMeters) -> None:
        self.engine = Engine.STARTING
        self.journal_sync = ""
        self.seq = 0
        self.sessions = Sessions(limits.sessions_max)
        self.logons = Logons(doors, limits.logons_pending_max, limits.logon_ns_max, limits.scram_iterations)
        self.private = PrivateStreams(limits.private_accounts_max, limits.private_events_max)
        self.post = Post(doors, meters, self.end)
        self.queries = Queries(doors, limits.queries_max)
        self.flow = Flow(gateway, limits, doors, self.post, self.private, meters, self._notice)
        self.disconnects = Disconnects(self.flow, meters, limits.validity_s_max)
        self.post.to_ended = self.disconnects.answered
        self._reception = Reception(
            limits, doors, self.sessions, self.logons, self.post, meters, self._settings_told
        )
        self._following = Following(self.private, self.queries, self.post)
        self._gateway = gateway
        self._limits = limits
        self._frame_max = limits.commands_per_frame_max
        self._meters = meters
        self._mono_ns = self._now_ns = 0

    def turn(self, mono_ns: int, now_ns: int) -> None:
        """Say what time it is: monotonic, and UTC."""
        self._mono_ns = self.post.now_ns = mono_ns
        self._now_ns = now_ns

    def receive(self, peer: bytes, data: bytes) -> int:
        """Take in a client's message and answer what can be answered at once; return how many requests it
        held (a measure of the work done)."""
        self._meters.messages.value += 1
        try:
            token, run, requests = open_message(data, self._limits)
        except FormError as error:
            self._refuse_message(peer, error)
            return 1
        session = self.sessions.proven(peer, token)
        if session is None:
            self._reception.serve(peer, run, requests, self._ready)
            return len(requests)
        session.heard_ns = self._mono_ns
        session.refill(self._mono_ns, self._limits.requests_per_s_max, self._limits.burst_max)
        replies = self._serve(session, run, requests)
        if replies:
            self.post.reply(session, run, replies)
        return len(requests)

    def end_of_drain(self) -> None:
        """Send the commands, replies and private events that came together."""
        for lane in self.flow.lanes:
            self.flow.flush(lane)
        self.post.flush()
        self.post.send_private(self.private)

    def apply(
        self, transactions: Sequence[Sequence[Any]], after_seq: int, last_seq: int, epoch: int, now_ns: int
    ) -> None:
        """Take in a frame of the stream, of which only what is above ``after_seq`` is new."""
        self.flow.apply(transactions, after_seq, epoch, self._mono_ns, now_ns)
        self.seq = last_seq

    def keep_time(self) -> None:
        """Do what is due: links, late answers, heartbeats, sessions that fell silent."""
        now_ns = self._mono_ns
        self.flow.keep_time(now_ns, self.engine in (Engine.LINKING, Engine.JOINED))
        self.logons.expire(now_ns)
        self.disconnects.keep_time(now_ns, self._now_ns)
        self.private.retry()
        for session in self.sessions:
            if now_ns - session.heard_ns > self._limits.idle_ns_max:
                self.end(session, "idle")
            elif now_ns - session.spoke_ns >= self._limits.heartbeat_ns:
                self.post.heartbeat(session)

    def end(self, session: Session, reason: str) -> None:
        """End a session; what is in flight for it stays in flight, and is answered to nobody."""
        if session.alive:
            self.sessions.end(session)
            self.private.leave_all(session)
            self.disconnects.ended(session)
            self._meters.ended.add(reason)

    def _refuse_message(self, peer: bytes, error: FormError) -> None:
        """Answer a message that has not the form of one, under request id 0."""
        self._meters.refused.add(error.code.name)
        reply = (0, int(error.code), error.detail, None)
        session = self.sessions.at(peer)
        if session is None:
            self.post.to_stranger(peer, 0, [reply])
        else:
            self.post.reply(session, session.run, [reply])

    def _serve(self, session: Session, run: int, requests: tuple[Any, ...]) -> list[Answered]:
        """Serve a session's requests; return the replies that are known at once."""
        if run == session.run + 1:
            session.run, session.broken, session.expected = run, False, -1
        current = run == session.run
        replies: list[Answered] = []
        expected, tokens = session.expected, session.tokens
        commands = 0
        for index, request in enumerate(requests):
            if not is_request(request):
                replies.append(refused_form(request))
                session.broken = session.broken or current
                continue
            request_id, op, args = request
            if current:
                if request_id != expected and expected >= 0:
                    session.broken = True
                expected = request_id + 1
            if tokens <= 0:
                session.broken = session.broken or (current and op == COMMAND)
                replies.append((request_id, int(Code.RATE_LIMITED), self._rate_detail(), None))
                self._meters.refused.add("RATE_LIMITED")
                continue
            tokens -= 1
            if op == COMMAND:
                commands += 1
                refused = self._command(session, run, request_id, args, current)
                if refused is not None:
                    replies.append(refused)
            else:
                session.tokens = tokens
                reply = self._other(session, run, request_id, op, args)
                if reply is not None:
                    replies.append(reply)
                if session.leaving:
                    self.post.reply(session, run, replies)
                    self.end(session, "logoff")
                    self._reception.serve(session.peer, run, requests[index + 1 :], self._ready)
                    return []
        session.expected, session.tokens = expected, tokens - session.owed
        session.owed = 0
        self._meters.requests.add("command", commands)
        return replies

    def _command(
        self, session: Session, run: int, request_id: int, args: Any, current: bool
    ) -> Answered | None:
        """Put a command into its lane, or return the reply that refuses it."""
        if session.broken or not current:
            return self._not_now(session, request_id, Code.OUT_OF_ORDER, run)
        if self.engine is not Engine.JOINED:
            return self._not_now(session, request_id, Code.ENGINE_UNAVAILABLE, run)
        try:
            if type(args) is not tuple or len(args) != 1:
                refuse(Code.WRONG_TYPE, "[command]", args)
            fields = args[0]
            check_command(fields)
            kind, account = fields[0], fields[2] if len(fields) > 2 else ""
            if kind in TRADING:
                allowed = session.roles & _MAY_TRADE and account in session.accounts
            elif kind in ADMIN:
                allowed = session.roles & Role.ADMIN and account == OPERATOR
            else:
                refuse(Code.UNSUPPORTED_TYPE, "a command that clients may send", kind)
            if not allowed:
                raise SessionError(
                    Code.NOT_AUTHORIZED,
                    f"expected an account and a role of this key, was {account} and roles {session.roles}",
                )
        except (FormError, SessionError) as error:
            self._meters.refused.add(error.code.name)
            return (request_id, int(error.code), error.detail, None)
        # An account's own mass cancel must not overtake orders that this session has on their way.
        urgent = kind in CONTROL and not (kind in _OWN_CANCELS and session.in_flight)
        lane = self.flow.lanes[1 if urgent else 0]
        # Nor may what follows it overtake it in the other lane: that waits until it was seen.
        if session.in_flight >= session.in_flight_max or (session.urgent and not urgent):
            return self._not_now(session, request_id, Code.BUSY, run)
        count = lane.add((session, run, request_id, self._mono_ns), fields)
        if not count:
            return self._not_now(session, request_id, Code.BUSY, run)
        session.in_flight += 1
        session.urgent += urgent
        if session.cancels and kind in _PLACES:
            session.placed.add(account)
        if kind == _BATCH:
            session.owed += len(fields[5]) - 1
        # A batch is as large as a hundred others: a frame of many could be more than the engine takes.
        if count >= self._frame_max or kind == _BATCH:
            self.flow.flush(lane)
        return None

    def _not_now(self, session: Session, request_id: int, code: Code, run: int) -> Answered:
        """Return the reply that refuses a command for now; nothing of its run may follow it."""
        self._meters.refused.add(code.name)
        if code is Code.OUT_OF_ORDER:
            detail = f"expected run {session.run + 1} after a refusal or a gap, was run {run}"
        else:
            session.broken = True
            detail = (
                f"expected fewer than {session.in_flight_max} commands in flight, none of them in the "
                f"control lane, and an open link, was {session.in_flight} in flight"
                if code is Code.BUSY
                else f"expected the engine's stream, was {self.engine.value}"
            )
        return (request_id, int(code), detail, None)

    def _rate_detail(self) -> str:
        return f"expected at most {self._limits.requests_per_s_max} requests a second, was more"

    def _other(self, session: Session, run: int, request_id: int, op: int, args: Any) -> Answered | None:
        """Serve a request that is no command; None when its reply comes later."""
        self._meters.requests.add(REQUESTS.get(op, "unknown"))
        try:
            if op == QUERY:
                self.queries.ask(session, run, request_id, args, self._answered)
                return None
            if op == SUBSCRIBE:
                return self._following.subscribe(session, run, request_id, args)
            if op == UNSUBSCRIBE:
                return self._following.unsubscribe(session, request_id, args)
            if op == HEARTBEAT:
                arguments(args, 0)
                return (request_id, 0, "", (self._now_ns, self.seq))
            if op == LOGOFF:
                arguments(args, 0)
                session.leaving = True
                return (request_id, 0, "", None)
            refuse(Code.UNSUPPORTED_TYPE, "an operation from 3 to 8 (to log on again: an empty token)", op)
        except ZeropitError as error:
            self._meters.refused.add(error.code.name)
            return (request_id, int(error.code), error.detail, None)

    @property
    def _ready(self) -> bool:
        return self.engine not in (Engine.STARTING, Engine.LINKING)

    def _settings_told(self) -> dict[str, object]:
        """Return the settings that a client is told at log-on."""
        limits = self._limits
        return {
            "journal_sync": self.journal_sync,
            "heartbeat_ms": limits.heartbeat_ns // 1_000_000,
            "session_idle_ms": limits.idle_ns_max // 1_000_000,
            "in_flight_max": limits.session_in_flight_max,
            "requests_per_s_max": limits.requests_per_s_max,
            "requests_per_message_max": limits.requests_per_message_max,
            "message_bytes_max": limits.message_bytes_max,
            "validity_s_max": limits.validity_s_max,
            "epoch": self.flow.epoch,
            "gateway": self._gateway,
        }

    def _answered(self, session: Session, run: int, request_id: int, reply: Reply) -> None:
        """Pass the engine's answer to a query on to who asked."""
        result = (reply.seq, reply.now_ns, reply.result) if reply.code == 0 else None
        self._meters.refused.add(CODES.get(reply.code, "other")) if reply.code else None
        self.post.gather(session, run, (request_id, reply.code, reply.detail, result))

    def _notice(self, raw: Sequence[Any]) -> None:
        """Take in an event about keys or links."""
        event = decode_event(raw)
        if isinstance(event, LinkOpened):
            self.flow.link_opened(event.gateway, event.lane, event.link)
        elif isinstance(event, KeyCreated):
            self.logons.add_key(event)
        elif isinstance(event, KeyRevoked):
            self.logons.remove_key(event.key_id)
            for session in self.sessions:
                if session.key_id == event.key_id:
                    # What it asked for before counts, the revocation itself perhaps.
                    self.post.send_gathered(session)
                    self.end(session, "revoked")
