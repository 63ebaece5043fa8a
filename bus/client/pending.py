"""One request under way, and what became of it.

Invariant: a pending request is resolved exactly once: with an answer, with a definite refusal, or with an
outcome that is named unknown; it never changes afterwards.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..errors import Code, SessionError, ZeropitError, error_for

QUEUED, SENT, DOUBTFUL, DOUBTFUL_SENT = -1, -2, -3, -4
"""The `Pending.code` of a request that is not resolved: it waits to be sent; a copy is under way; it waits,
and a copy that was sent may have been executed; both a copy is under way and an earlier one in doubt."""


class CommandAnswer(NamedTuple):
    """What became of a command; ``repeated``: it had been executed before, this is the answer it had then."""

    code: int
    seq: int
    order_id: int
    filled_lots: int
    left_lots: int
    detail: str
    repeated: bool


Callback = Callable[["Pending"], object]
"""Called with a request that was resolved."""


class Pending:
    """A request that was handed to the client and is answered later.

    Attributes
    ----------
    number
        Its place in the order in which requests were handed over; resends keep it.
    op, args
        What goes on the wire.
    callback
        Called with this object once it is resolved, inside `pump` or a waiting call; or None.
    code
        Negative until resolved; then the result code, 0 for success.
    result
        The raw result; of a refusal its explanation, or the `CommandAnswer` fields that hold it.
    """

    __slots__ = ("args", "callback", "code", "number", "op", "result")

    result: Any

    def __init__(
        self,
        number: int,
        op: int,
        args: tuple[Any, ...],
        callback: "Callable[[Pending], object] | None" = None,
    ) -> None:
        # Made once for every order: each further attribute set here costs some percent of an order.
        self.number = number
        self.op = op
        self.args = args
        self.callback = callback
        self.code = QUEUED

    @property
    def done(self) -> bool:
        """Whether it is resolved."""
        return self.code >= 0

    @property
    def id(self) -> str:
        """The command's id (``client_order_id`` or ``command_id``); "" for other requests."""
        return str(self.args[0][1]) if self.args and type(self.args[0]) is tuple else ""

    @property
    def may_be_executed(self) -> bool:
        """Whether a copy was sent whose outcome is not known."""
        return self.code < QUEUED

    @property
    def detail(self) -> str:
        """Why it was refused; "" otherwise."""
        if self.code <= 0:
            return ""
        return self.result if type(self.result) is str else str(self.result[5])

    @property
    def answer(self) -> CommandAnswer:
        """The answer to a command; of a refusal that never reached the engine only code and detail."""
        if self.code >= 0 and type(self.result) is tuple and len(self.result) >= 7:
            return CommandAnswer(*self.result[:7])
        return CommandAnswer(self.code, 0, 0, 0, 0, self.detail, False)

    @property
    def error(self) -> ZeropitError | None:
        """The typed error when it was refused or its outcome is unknown, else None."""
        return error_for(self.code, self.detail) if self.code > 0 else None

    def value(self) -> Any:
        """Return the raw result.

        Raises
        ------
        ZeropitError
            The typed error of a refusal; OutcomeUnknown when nobody can say; SessionError NOT_READY while
            it is not resolved.
        """
        if self.code == 0:
            return self.result
        if self.code < 0:
            raise SessionError(Code.NOT_READY, "expected a request that was answered, was one under way")
        raise error_for(self.code, self.detail)

    def __repr__(self) -> str:
        state = "waiting" if self.code < 0 else f"code {self.code} {self.detail}".strip()
        return f"<Pending {self.number} op {self.op} {self.args!r:.60}: {state}>"


class Unresolved:
    """Those of some requests that are not resolved; looking at them often costs next to nothing."""

    def __init__(self, pendings: Iterable[Pending]) -> None:
        self._left = [pending for pending in pendings if pending.code < 0]
        self._left.reverse()

    def is_empty(self) -> bool:
        """Whether all are resolved; amortised O(1)."""
        left = self._left
        while left and left[-1].code >= 0:
            left.pop()
        return not left
