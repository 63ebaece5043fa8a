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

from bus.codec import decode_command, decode_event
from bus.commands import ADMIN, CONTROL, INT_MAX, OPERATOR, TRADING, Role
from bus.errors import Code, FormError, SessionError, ZeropitError
from bus.events import KeyCreated, KeyRevoked, LinkOpened
from bus.frames import Kind, open_frame, refuse

from .doors import Doors, Reply
from .flow import Flow
from .limits import Limits
from .logon import Logons
from .meters import CODES, REQUESTS, GatewayMeters
from .post import Post
from .private import WAITING, PrivateStreams
from .queries import Image, Queries, check_account
from .sessions import TOKEN_BYTES, Session, Sessions

LOGON_FIRST, LOGON_FINAL, LOGOFF, COMMAND, QUERY, SUBSCRIBE, UNSUBSCRIBE, HEARTBEAT = range(1, 9)

LOGON_TEXT_CHARS_MAX = 1_024
IMAGE_FETCHES_MAX = 4
_MAY_TRADE = int(Role.TRADER | Role.BROKER)

Request = tuple[Any, ...]


class Engine(Enum):
    """How the engine is, as the stream shows it."""

    STARTING = "starting"
    """The stream was never joined: nothing can be answered yet."""
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
        self._gateway = gateway
        self._limits = limits
        self._doors = doors
        self._meters = meters
        self._mono_ns = self._now_ns = 0

    def turn(self, mono_ns: int, now_ns: int) -> None:
        """Say what time it is: monotonic, and UTC."""
        self._mono_ns = self.post.now_ns = mono_ns
        self._now_ns = now_ns

    def receive(self, peer: bytes, data: bytes) -> None:
        """Take in a client's message and answer what can be answered at once."""
        self._meters.messages.value += 1
        session = self.sessions.at(peer)
        run = 0
        try:
            token, run, requests = self._opened(data)
        except FormError as error:
            reply = (0, int(error.code), error.detail, None)
            self._meters.refused.add(error.code.name)
            if session is None:
                self.post.to_stranger(peer, run, [reply])
            else:
                self.post.reply(session, session.run, [reply])
            return
        session = self.sessions.proven(peer, token)
        if session is None:
            self._serve_stranger(peer, run, requests)
            return
        session.heard_ns = self._mono_ns
        session.refill(self._mono_ns, self._limits.requests_per_s_max, self._limits.burst_max)
        replies = self._serve(session, run, requests)
        if replies:
            self.post.reply(session, run, replies)

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
        self.flow.keep_time(now_ns, self.engine is Engine.JOINED)
        self.logons.expire(now_ns)
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
            self._meters.ended.add(reason)

    def _opened(self, data: bytes) -> tuple[bytes, int, tuple[Any, ...]]:
        """Return token, run and requests of a REQUESTS message."""
        if len(data) > self._limits.message_bytes_max:
            refuse(Code.MESSAGE_TOO_LARGE, f"at most {self._limits.message_bytes_max} bytes", len(data))
        fields = open_frame(data, Kind.REQUESTS, 5)
        if len(fields) > 5:
            refuse(Code.UNSUPPORTED_FIELD, "a message of 5 fields", len(fields))
        _, _, token, run, requests = fields
        if type(token) is not bytes or len(token) not in (0, TOKEN_BYTES):
            refuse(Code.WRONG_TYPE, f"a token of {TOKEN_BYTES} bytes or none", type(token).__name__)
        if type(run) is not int or not 0 <= run <= INT_MAX:
            refuse(Code.WRONG_TYPE, "a run from 0", run)
        if type(requests) is not tuple:
            refuse(Code.WRONG_TYPE, "an array of requests", requests)
        most = self._limits.requests_per_message_max
        if not 1 <= len(requests) <= most:
            code = Code.MESSAGE_TOO_LARGE if requests else Code.MISSING_FIELD
            refuse(code, f"1 to {most} requests", len(requests))
        return token, run, requests

    def _serve(self, session: Session, run: int, requests: tuple[Any, ...]) -> list[Request]:
        """Serve a session's requests; return the replies that are known at once."""
        if run == session.run + 1:
            session.run, session.broken, session.expected = run, False, -1
        current = run == session.run
        replies: list[Request] = []
        expected, tokens = session.expected, session.tokens
        commands = 0
        for index, request in enumerate(requests):
            if not _is_request(request):
                replies.append(_refused_form(request))
                session.broken = True
                continue
            request_id, op, args = request
            if current:
                if request_id != expected and expected >= 0:
                    session.broken = True
                expected = request_id + 1
            if tokens <= 0:
                session.broken = session.broken or op == COMMAND
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
                    self._serve_stranger(session.peer, run, requests[index + 1 :])
                    return []
        session.expected, session.tokens = expected, tokens
        self._meters.requests.add("command", commands)
        return replies

    def _command(
        self, session: Session, run: int, request_id: int, args: Any, current: bool
    ) -> Request | None:
        """Put a command into its lane, or return the reply that refuses it."""
        if session.broken or not current:
            return self._not_now(session, request_id, Code.OUT_OF_ORDER, run)
        if self.engine is not Engine.JOINED:
            return self._not_now(session, request_id, Code.ENGINE_UNAVAILABLE, run)
        try:
            if type(args) is not tuple or len(args) != 1:
                refuse(Code.WRONG_TYPE, "[command]", args)
            fields = args[0]
            decode_command(fields)
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
        lane = self.flow.lanes[1 if kind in CONTROL else 0]
        if session.in_flight >= session.in_flight_max or not lane.takes:
            return self._not_now(session, request_id, Code.BUSY, run)
        session.in_flight += 1
        if lane.add((session, run, request_id, self._mono_ns), fields) >= self._limits.commands_per_frame_max:
            self.flow.flush(lane)
        return None

    def _not_now(self, session: Session, request_id: int, code: Code, run: int) -> Request:
        """Return the reply that refuses a command for now; nothing of its run may follow it."""
        self._meters.refused.add(code.name)
        if code is Code.OUT_OF_ORDER:
            detail = f"expected run {session.run + 1} after a refusal or a gap, was run {run}"
        else:
            session.broken = True
            detail = (
                f"expected fewer than {session.in_flight_max} commands in flight and an open link, "
                f"was {session.in_flight}"
                if code is Code.BUSY
                else f"expected the engine's stream, was {self.engine.value}"
            )
        return (request_id, int(code), detail, None)

    def _rate_detail(self) -> str:
        return f"expected at most {self._limits.requests_per_s_max} requests a second, was more"

    def _other(self, session: Session, run: int, request_id: int, op: int, args: Any) -> Request | None:
        """Serve a request that is no command; None when its reply comes later."""
        self._meters.requests.add(REQUESTS.get(op, "unknown"))
        try:
            if type(args) is not tuple:
                refuse(Code.WRONG_TYPE, "arguments as an array", args)
            if op == QUERY:
                if self.engine is Engine.STARTING:
                    raise SessionError(Code.NOT_READY, "expected the stream joined, was not yet")
                self.queries.ask(session, run, request_id, args, self._answered)
                return None
            if op == SUBSCRIBE:
                return self._subscribe(session, run, request_id, _counted(args, 2))
            if op == UNSUBSCRIBE:
                (account,) = _counted(args, 1)
                self.private.leave(session, check_account(session, account))
                return (request_id, 0, "", None)
            if op == HEARTBEAT:
                _counted(args, 0)
                return (request_id, 0, "", (self._now_ns, self.seq))
            if op == LOGOFF:
                _counted(args, 0)
                session.leaving = True
                return (request_id, 0, "", None)
            refuse(Code.UNSUPPORTED_TYPE, "an operation from 3 to 8 (to log on again: an empty token)", op)
        except ZeropitError as error:
            self._meters.refused.add(error.code.name)
            return (request_id, int(error.code), error.detail, None)

    def _serve_stranger(self, peer: bytes, run: int, requests: tuple[Any, ...]) -> None:
        """Serve a connection that has not proven a session: it may log on."""
        replies: list[Request] = []
        for request in requests:
            if not _is_request(request):
                replies.append(_refused_form(request))
                continue
            request_id, op, args = request
            self._meters.requests.add(REQUESTS.get(op, "unknown"))
            try:
                if op not in (LOGON_FIRST, LOGON_FINAL):
                    raise SessionError(
                        Code.NOT_LOGGED_ON, "expected the token of this connection's log-on, was not"
                    )
                reply = self._logon_step(peer, run, request_id, op, args)
                if reply is not None:
                    replies.append(reply)
            except ZeropitError as error:
                self._meters.refused.add(error.code.name)
                if error.code is Code.LOGON_FAILED:
                    self._meters.logons.add("failed")
                replies.append((request_id, int(error.code), error.detail, None))
        if replies:
            self.post.to_stranger(peer, run, replies)

    def _logon_step(self, peer: bytes, run: int, request_id: int, op: int, args: Any) -> Request | None:
        """Take one step of a log-on; the reply to its end goes out with the new session's budget."""
        if self.engine is Engine.STARTING:
            raise SessionError(Code.NOT_READY, "expected the stream joined, was not yet")
        if type(args) is not tuple:
            refuse(Code.WRONG_TYPE, "arguments as an array", args)
        (text,) = _counted(args, 1)
        if type(text) is not str or len(text) > LOGON_TEXT_CHARS_MAX:
            refuse(Code.WRONG_TYPE, f"a text of at most {LOGON_TEXT_CHARS_MAX} characters", text)
        if op == LOGON_FIRST:
            return (request_id, 0, "", (self.logons.first(peer, text, self._mono_ns),))
        server_final, key = self.logons.final(peer, text, self._mono_ns)
        earlier = self.sessions.at(peer)
        if earlier is not None:
            self.end(earlier, "replaced")
        if self.sessions.full:
            raise SessionError(
                Code.TOO_MANY_SESSIONS,
                f"expected fewer than {self._limits.sessions_max} sessions, was {len(self.sessions)}",
            )
        session = self._begin(peer, run, request_id, key)
        self._meters.logons.add("accepted")
        result = (
            server_final, session.token, session.number, key.roles, key.accounts, self._settings_told()
        )  # fmt: skip
        self.post.reply(session, run, [(request_id, 0, "", result)])
        return None

    def _begin(self, peer: bytes, run: int, request_id: int, key: KeyCreated) -> Session:
        token = self._doors.random_bytes(TOKEN_BYTES)
        session = self.sessions.begin(peer, token, key.key_id, key.roles, key.accounts)
        session.run, session.expected = run, request_id + 1
        session.in_flight_max = self._limits.session_in_flight_max
        session.tokens = self._limits.burst_max
        session.refilled_ns = session.heard_ns = session.spoke_ns = self._mono_ns
        return session

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

    def _subscribe(self, session: Session, run: int, request_id: int, args: Any) -> Request | None:
        """Let a session follow an account, from a number or from an image."""
        account = check_account(session, args[0])
        after = args[1]
        if type(after) is not int or not WAITING <= after <= INT_MAX:
            refuse(Code.WRONG_TYPE, "after_account_seq from -1", after)
        newest = self.private.follow(session, account, after)
        if after != WAITING:
            return (request_id, 0, "", (newest, None))
        try:
            self._fetch(session, run, request_id, account, 1)
        except SessionError:
            self.private.leave(session, account)
            raise
        return None

    def _fetch(self, session: Session, run: int, request_id: int, account: str, attempt: int) -> None:
        """Fetch the image behind which a session begins to follow an account."""

        def done(image: Image | Reply) -> None:
            if not session.alive or account not in session.followed:
                return
            if isinstance(image, Reply):
                self.private.leave(session, account)
                self.post.reply(session, run, [(request_id, image.code, image.detail, None)])
                return
            if self.private.begin_after(session, account, image.account_seq):
                whole = (image.seq, image.balances, image.orders)
                self.post.reply(session, run, [(request_id, 0, "", (image.account_seq, whole))])
            elif attempt < IMAGE_FETCHES_MAX:
                try:
                    self._fetch(session, run, request_id, account, attempt + 1)
                except SessionError as error:
                    done(Reply(int(error.code), error.detail, 0, 0, None))
            else:
                detail = "expected an image before its events were dropped, was too late: too much at once"
                done(Reply(int(Code.BUSY), detail, 0, 0, None))

        self.queries.fetch_account(account, done)

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
                    self.end(session, "revoked")


def _is_request(request: object) -> bool:
    """Whether something is ``[request_id, op, args]`` as far as routing a reply needs."""
    return (
        type(request) is tuple
        and len(request) == 3
        and type(request[0]) is int
        and 0 <= request[0] <= INT_MAX
        and type(request[1]) is int
    )


def _refused_form(request: object) -> Request:
    """Return the reply to something that is no request; its id is 0 when it has none."""
    request_id = 0
    code = Code.MALFORMED
    if type(request) is tuple and request and type(request[0]) is int and 0 <= request[0] <= INT_MAX:
        request_id = request[0]
        if len(request) != 3:
            code = Code.MISSING_FIELD if len(request) < 3 else Code.UNSUPPORTED_FIELD
    return (request_id, int(code), f"expected [request_id, op, args], was {request!r:.80}", None)


def _counted(args: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """Return the arguments if there are exactly so many."""
    if len(args) != count:
        code = Code.MISSING_FIELD if len(args) < count else Code.UNSUPPORTED_FIELD
        refuse(code, f"{count} arguments", len(args))
    return args
