"""Cancel on disconnect: what becomes of the orders of a session that asked for it, once it has ended.

Invariant: every account that such a session placed orders for gets a mass cancel, executed behind everything
that the session had in flight, and sent again until the stream shows what became of it. The cancels are
commands like any other: they stand in the journal. A gateway that is stopped or killed sends none.

Memory: a session waits here only while it has commands in flight or its cancels do, and takes no new ones;
so there are never more than sessions and commands in flight together.
"""

from typing import Any

from bus.codec import encode_command
from bus.commands import CancelAll
from bus.errors import Code

from .flow import Flow
from .meters import CODES, GatewayMeters
from .sessions import Session

OWN_RUN = -1
"""The run under which a gateway's own commands are in flight."""
RETRY_NS = 250_000_000
VALIDITY_S = 20

_AGAIN = frozenset(
    {
        Code.LINK_GAP,
        Code.ENGINE_UNAVAILABLE,
        Code.OUTCOME_UNKNOWN,
        Code.ACCOUNT_BUSY,
        Code.EXPIRED,
        Code.TOO_MANY_IDS,
    }
)
"""After these a cancel is sent again, under a new id: to carry one out twice does no harm."""


class _Left:
    """What is left to do for one session that ended."""

    __slots__ = ("accounts", "not_before_ns", "sent")

    def __init__(self, accounts: list[str]) -> None:
        self.accounts = accounts
        self.sent: dict[int, str] = {}
        self.not_before_ns = 0


class Disconnects:
    """Sends the mass cancels of one gateway's ended sessions.

    Parameters
    ----------
    flow
        Through which they go, by the control lane.
    validity_s_max
        How long a command may be valid.
    """

    def __init__(self, flow: Flow, meters: GatewayMeters, validity_s_max: int) -> None:
        self._flow = flow
        self._meters = meters
        self._validity_ns = min(VALIDITY_S, validity_s_max) * 1_000_000_000
        self._left: dict[Session, _Left] = {}
        self._last = 0
        self._mono_ns = 0

    def __len__(self) -> int:
        return len(self._left)

    def ended(self, session: Session) -> None:
        """Note that a session ended."""
        if session.placed:
            self._left[session] = _Left(sorted(session.placed))

    def keep_time(self, mono_ns: int, now_ns: int) -> None:
        """Send what is due: for sessions of which nothing is in flight any more."""
        self._mono_ns = mono_ns
        for session, left in tuple(self._left.items()):
            if not session.in_flight and left.accounts and mono_ns >= left.not_before_ns:
                self._send(session, left, mono_ns, now_ns)

    def answered(self, session: Session, run: int, reply: tuple[Any, ...]) -> None:
        """Take in a reply to a session that ended: of its cancels, or of what it had asked for itself."""
        left = self._left.get(session)
        if left is None or run != OWN_RUN:
            return
        account = left.sent.pop(reply[0], None)
        if account is None:
            return
        code = reply[1]
        if code in _AGAIN:
            left.accounts.append(account)
            left.not_before_ns = self._mono_ns + RETRY_NS
            return
        self._meters.disconnects.add(CODES.get(code, "other"))
        if not left.accounts and not left.sent:
            del self._left[session]

    def _send(self, session: Session, left: _Left, mono_ns: int, now_ns: int) -> None:
        lane = self._flow.lanes[1]
        accounts, left.accounts = left.accounts, []
        for index, account in enumerate(accounts):
            self._last += 1
            command = CancelAll(
                f"cod{self._flow.gateway:x}-{self._last:x}", account, now_ns + self._validity_ns, ""
            )
            if not lane.add((session, OWN_RUN, self._last, mono_ns), encode_command(command)):
                left.accounts += accounts[index:]
                break
            session.in_flight += 1
            session.urgent += 1
            left.sent[self._last] = account
        self._flow.flush(lane)
