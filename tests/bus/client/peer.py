"""A gateway and engine in a few lines, for sessions without sockets.

It keeps the rules of the wire that order and identity rest on: a refused command breaks its run, an id is
executed once and answered the same again, a token is good on its connection only. What it shall refuse or
lose is said from outside.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from bus.client.pending import Pending
from bus.client.session import Session, State
from bus.codec import pack, unpack
from bus.errors import Code, ZeropitError
from bus.scram import ServerExchange, make_nonce, make_verifier, read_client_first

SECRET = "a secret"
VERIFIER = make_verifier(SECRET, bytes(16), 4096)
BREAKING = {Code.BUSY, Code.RATE_LIMITED, Code.ENGINE_UNAVAILABLE, Code.LINK_GAP, Code.OUT_OF_ORDER}
MS = 1_000_000

Refuse = Callable[[str], int]
"""Says for a command id what it is refused with; 0: executed."""


class Peer:
    """One venue, seen by one client at a time.

    Attributes
    ----------
    executed
        Ids in the order in which they were executed.
    refuse
        Decides about each command that is not out of order.
    expire
        Whether commands come too late (by rule before their id is looked at).
    forget
        Whether ids are forgotten.
    skipped
        How often a request id was not the one after the last (which breaks the run).
    """

    def __init__(self, **settings: object) -> None:
        self.executed: list[str] = []
        self.refuse: Refuse = lambda _: 0
        self.expire = False
        self.forget = False
        self.skipped = 0
        self.logon_code = 0
        self.subscribe: Callable[[str, int], tuple[int, str, Any]] = lambda account, after: (0, "", [0, None])
        self.messages: list[list[tuple[int, int, Any]]] = []
        self.settings = {
            "heartbeat_ms": 1_000,
            "session_idle_ms": 30_000,
            "in_flight_max": 64,
            "requests_per_message_max": 16,
            "message_bytes_max": 4_096,
            **settings,
        }
        self._answers: dict[str, tuple[object, ...]] = {}
        self._random = Random(1)
        self.connect()

    def connect(self) -> None:
        """Begin a fresh connection."""
        self.token = b""
        self.run, self.broken, self.expected = 0, False, -1
        self._exchange: ServerExchange | None = None

    def receive(self, data: bytes) -> bytes:
        """Take in a message and return the reply to it."""
        version, kind, token, run, requests = unpack(data)
        assert (version, kind) == (1, 7)
        assert 1 <= len(requests) <= int(str(self.settings["requests_per_message_max"]))
        self.messages.append(list(requests))
        if run > self.run:
            self.run, self.broken, self.expected = run, False, -1
        replies = []
        for request_id, op, args in requests:
            if self.expected not in (-1, request_id):
                self.skipped += 1
                self.broken = True
            self.expected = request_id + 1
            if op > 2 and (token != self.token or not token):
                replies.append((request_id, int(Code.NOT_LOGGED_ON), "expected a token", None))
            else:
                replies.append((request_id, *self._serve(op, args)))
        return pack((1, 8, run, replies, (0, 0)))

    def _serve(self, op: int, args: Sequence[Any]) -> tuple[int, str, Any]:
        if op == 1:
            if self.logon_code:
                return self.logon_code, "expected another time, was now", None
            nonce = make_nonce(self._random.randbytes(18))
            self._exchange = ServerExchange(read_client_first(args[0]), VERIFIER, nonce)
            return 0, "", (self._exchange.first_message,)
        if op == 2:
            assert self._exchange is not None
            try:
                final = self._exchange.final(args[0])
            except ZeropitError as error:
                return int(error.code), error.detail, None
            self.token = self._random.randbytes(16)
            return 0, "", (final, self.token, 7, 3, ("alice", "bob"), self.settings)
        if op == 4:
            return self._execute(args[0])
        if op == 5 and args[0] == "answer":
            kept = None if self.forget else self._answers.get(args[1][1])
            if kept is None:
                return int(Code.UNKNOWN_ORDER), "expected a known id", None
            return 0, "", (1, 1, kept[:6])
        if op == 6:
            return self.subscribe(args[0], args[1])
        return 0, "", None

    def _execute(self, command: Sequence[Any]) -> tuple[int, str, Any]:
        name = command[1]
        code = int(Code.OUT_OF_ORDER) if self.broken else self.refuse(name)
        if code in BREAKING:
            self.broken = True
            return code, "expected room, was none", None
        if self.expire:
            return (
                int(Code.EXPIRED),
                "expected an earlier time",
                (int(Code.EXPIRED), 5, 0, 0, 0, "late", False),
            )
        if code == Code.OUTCOME_UNKNOWN:
            self.execute(name)
            return code, "expected an outcome", None
        if code:
            return code, "expected otherwise", (code, 9, 0, 0, 0, "expected otherwise", False)
        repeated = name in self._answers
        return 0, "", (*self.execute(name), repeated)

    def execute(self, name: str) -> tuple[object, ...]:
        """Execute a command unless it was, and return its answer."""
        if name not in self._answers:
            self.executed.append(name)
            order_id = len(self.executed)
            self._answers[name] = (0, order_id, order_id, 0, 10, "")
        return self._answers[name]


def new_session(**options: Any) -> Session:
    """Return a session that knows the peer's secret."""
    random = Random(2)
    return Session("key-1", SECRET, nonce=lambda: make_nonce(random.randbytes(18)), random=random, **options)


def place(session: Session, name: str, size: int = 1) -> Pending:
    """Hand over a command with this id."""
    return session.pipeline.request(4, ((1, name, "alice", 10**18, "M" * size),))


class Exchange:
    """A session and its peer, with a clock."""

    def __init__(self, session: Session, peer: Peer) -> None:
        self.session = session
        self.peer = peer
        self.now_ns = 10**12

    def turn(self, ms: int = 0) -> None:
        """Let time pass, connect if wanted, and carry all messages both ways."""
        self.now_ns += ms * MS
        if self.session.wants_connection(self.now_ns):
            self.peer.connect()
            self.session.opened(self.now_ns)
        self.session.tick(self.now_ns)
        while (message := self.session.next_message()) is not None:
            self.session.receive(self.peer.receive(message), self.now_ns)
            self.session.tick(self.now_ns)

    def state(self) -> State:
        """Return where the session stands now."""
        return self.session.state

    def until_idle(self) -> None:
        """Turn until nothing is unresolved."""
        for _ in range(1_000):
            self.turn(50)
            if not self.session.pipeline.unresolved:
                return
        raise AssertionError(f"expected all resolved, was {self.session.pipeline.unresolved} left")
