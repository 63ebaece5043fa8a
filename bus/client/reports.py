"""The private events of one account, in order: an image first, then every report after it.

Invariant: what comes out is dense in ``account_seq``: each report is the next one, or an `Image` says
where the account stands and from where on reports follow. Nothing is passed twice, nothing is left out
in silence, and no more than ``reports_max`` are held: a reader that falls behind makes the stream stop
taking and resume from its position later.

Pure: what is to be sent and what has come are arguments and results.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..codec import decode_event
from ..errors import Code, StreamError, ZeropitError, error_for
from ..events import Event
from .rows import OrderRow

IMAGE = -1
"""What to subscribe after when an image is wanted."""


class Report(NamedTuple):
    """One private event: its number in the account, its seq and time, and the event (None: unknown kind)."""

    account: str
    account_seq: int
    seq: int
    now_ns: int
    event: Event | None


class Image(NamedTuple):
    """An account as of ``account_seq``: ``(asset, available_atoms, held_atoms)`` and the open orders."""

    account: str
    account_seq: int
    seq: int
    balances: tuple[tuple[str, int, int], ...]
    orders: tuple[OrderRow, ...]


class Reports:
    """One account's private stream.

    Parameters
    ----------
    account
        Whose.
    after
        The last ``account_seq`` already known; None for an image first.
    reports_max
        Reports held for the reader; beyond it the stream stops taking until half are read.

    Attributes
    ----------
    position
        The last ``account_seq`` taken in; None before the first image.
    asked
        Whether a subscription is under way.
    error
        Why the stream ended, or None.
    gaps
        How often something was missing and asked for again.
    """

    __slots__ = ("_items", "_live", "_reports_max", "account", "asked", "error", "gaps", "position")

    def __init__(self, account: str, after: int | None = None, reports_max: int = 100_000) -> None:
        self.account = account
        self.position = after
        self.asked = False
        self.error: ZeropitError | None = None
        self.gaps = 0
        self._live = False
        self._items: deque[Report | Image] = deque()
        self._reports_max = reports_max

    @property
    def wanted(self) -> bool:
        """Whether a subscription should be sent now."""
        return (
            not self._live
            and not self.asked
            and self.error is None
            and len(self._items) <= self._reports_max // 2
        )

    @property
    def after(self) -> int:
        """After which number to subscribe."""
        return IMAGE if self.position is None else self.position

    def lost(self) -> None:
        """The session is gone: subscribe again on the next one."""
        self._live = self.asked = False

    def answered(self, code: int, detail: str, result: Any) -> None:
        """Take in the reply to a subscription."""
        self.asked = False
        if code == Code.RESUME_TOO_OLD:
            self.position = None
        elif code:
            error = error_for(code, detail)
            if not error.retryable:
                self.error = error
        elif result[1] is None:
            self._live = True
        else:
            self._take_image(result[0], result[1])

    def take(self, events: Sequence[Sequence[Any]]) -> None:
        """Take in ``[account_seq, seq, now_ns, event]`` items."""
        if not self._live or self.position is None:
            return
        position = self.position
        for account_seq, seq, now_ns, event, *_ in events:
            if account_seq <= position:
                continue
            if account_seq != position + 1:
                self.gaps += 1
                self._live = False
                break
            if len(self._items) >= self._reports_max:
                self._live = False
                break
            self._items.append(Report(self.account, account_seq, seq, now_ns, decode_event(event)))
            position = account_seq
        self.position = position

    def has_news(self) -> bool:
        """Return whether `next` would return or raise something."""
        return bool(self._items) or self.error is not None

    def next(self) -> Report | Image | None:
        """Return the next image or report in order, or None when there is none at the moment.

        Raises
        ------
        ZeropitError
            Why the stream ended, once all that came before is read.
        """
        if self._items:
            return self._items.popleft()
        if self.error is not None:
            raise error_for(self.error.code, self.error.detail)
        return None

    def _take_image(self, account_seq: int, image: Sequence[Any]) -> None:
        seq, balances, orders = image[:3]
        if self.position is not None and account_seq < self.position:
            self.error = StreamError(
                Code.STREAM_REWOUND,
                f"expected account_seq {self.position} or later of {self.account}, was {account_seq}",
            )
            return
        rows = tuple(OrderRow.of(row) for row in orders)
        amounts = tuple((row[0], row[1], row[2]) for row in balances)
        self._items.append(Image(self.account, account_seq, seq, amounts, rows))
        self.position = account_seq
        self._live = True
