"""The reception: connections that have not proven a session may log on, and nothing else.

Invariant: what a stranger sends costs the gateway a bounded amount of memory in all, and its replies tell
nothing about which keys exist.
"""

from collections.abc import Callable
from typing import Any

from bus.errors import Code, SessionError, ZeropitError
from bus.events import KeyCreated
from bus.frames import refuse

from .doors import Doors
from .limits import Limits
from .logon import Logons
from .meters import REQUESTS, GatewayMeters
from .post import Post
from .requests import LOGON_FINAL, LOGON_FIRST, Reply, arguments, is_request, refused_form
from .sessions import TOKEN_BYTES, Session, Sessions

LOGON_TEXT_CHARS_MAX = 1_024


class Reception:
    """Log-ons of one gateway.

    Parameters
    ----------
    told
        Returns the settings that a client is told at log-on.
    """

    def __init__(
        self,
        limits: Limits,
        doors: Doors,
        sessions: Sessions,
        logons: Logons,
        post: Post,
        meters: GatewayMeters,
        told: Callable[[], dict[str, object]],
    ) -> None:
        self._limits = limits
        self._doors = doors
        self._sessions = sessions
        self._logons = logons
        self._post = post
        self._meters = meters
        self._told = told

    def serve(self, peer: bytes, run: int, requests: tuple[Any, ...], ready: bool) -> None:
        """Serve a connection's requests; not ``ready``: the stream is not joined yet."""
        replies: list[Reply] = []
        for request in requests:
            if not is_request(request):
                replies.append(refused_form(request))
                continue
            request_id, op, args = request
            key_id = self._logons.trying(peer)
            self._meters.requests.add(REQUESTS.get(op, "unknown"))
            try:
                if op not in (LOGON_FIRST, LOGON_FINAL):
                    raise SessionError(
                        Code.NOT_LOGGED_ON, "expected the token of this connection's log-on, was not"
                    )
                if not ready:
                    raise SessionError(
                        Code.NOT_READY, "expected the stream joined and links open, was not yet"
                    )
                reply = self._step(peer, run, request_id, op, args)
                if reply is not None:
                    replies.append(reply)
            except ZeropitError as error:
                self._meters.refused.add(error.code.name)
                if error.code is Code.LOGON_FAILED:
                    self._meters.logons.add("failed")
                    self._doors.warn("log-on failed", key=key_id, why=error.detail)
                replies.append((request_id, int(error.code), error.detail, None))
        if replies:
            self._post.to_stranger(peer, run, replies)

    def _step(self, peer: bytes, run: int, request_id: int, op: int, args: object) -> Reply | None:
        """Take one step of a log-on; the reply to its end goes out with the new session's budget."""
        cancels = False
        if op == LOGON_FINAL and type(args) is tuple and len(args) == 2:
            text, cancels = args
            if type(cancels) is not bool:
                refuse(Code.WRONG_TYPE, "cancel_on_disconnect as a boolean", cancels)
        else:
            (text,) = arguments(args, 1)
        if type(text) is not str or len(text) > LOGON_TEXT_CHARS_MAX:
            refuse(Code.WRONG_TYPE, f"a text of at most {LOGON_TEXT_CHARS_MAX} characters", text)
        now_ns = self._post.now_ns
        if op == LOGON_FIRST:
            return (request_id, 0, "", (self._logons.first(peer, text, now_ns),))
        server_final, key = self._logons.final(peer, text, now_ns)
        earlier = self._sessions.at(peer)
        if earlier is not None:
            self._post.end(earlier, "replaced")
        if self._sessions.full:
            raise SessionError(
                Code.TOO_MANY_SESSIONS,
                f"expected fewer than {self._limits.sessions_max} sessions, was {len(self._sessions)}",
            )
        session = self._begin(peer, run, request_id, key)
        session.cancels = cancels
        self._meters.logons.add("accepted")
        told = self._told()
        result = (server_final, session.token, session.number, key.roles, key.accounts, told)
        self._post.reply(session, run, [(request_id, 0, "", result)])
        return None

    def _begin(self, peer: bytes, run: int, request_id: int, key: KeyCreated) -> Session:
        token = self._doors.random_bytes(TOKEN_BYTES)
        session = self._sessions.begin(peer, token, key.key_id, key.roles, key.accounts)
        session.run, session.expected = run, request_id + 1
        session.in_flight_max = self._limits.session_in_flight_max
        session.tokens = self._limits.burst_max
        session.refilled_ns = session.heard_ns = session.spoke_ns = self._post.now_ns
        return session
