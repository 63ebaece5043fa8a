"""Queries of clients, passed on to the engine; and the images that begin a private stream.

Invariant: a session sees the accounts of its key only (an administrator: all), also by way of an image's
number, which counts only in the session that began the image. Queries under way are bounded.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bus.commands import INT_MAX, Role
from bus.errors import Code, FormError, SessionError

from .doors import Doors, Reply
from .sessions import Session

IMAGE_ATTEMPTS_MAX = 4
TEXT_CHARS_MAX = 65

_FORMS: dict[str, tuple[type, ...]] = {
    "assets": (),
    "markets": (),
    "status": (),
    "balances": (str,),
    "order": (str, str, int, str),
    "answer": (str, str),
    "open_orders": (str, str, int, int),
    "positions": (str, str, int),
    "outcome_markets": (),
    "limits": (str,),
    "image": (str, str),
    "image_page": (int, int),
    "accounts": (str, int),
    "totals": (),
    "keys": (),
}
"""The queries that clients may ask, with the types of their arguments."""

_OF_ACCOUNT = frozenset({"balances", "order", "answer", "open_orders", "positions", "limits"})
_OF_ADMIN = frozenset({"accounts", "totals", "keys"})

Answered = Callable[[Session, int, int, Reply], None]
"""Called with session, run, request id and the answer."""


def may_see(session: Session, account: str) -> bool:
    """Whether a session may ask about an account and follow it."""
    return account in session.accounts or bool(session.roles & Role.ADMIN)


def check_account(session: Session, account: object) -> str:
    """Return the account if the session may see it.

    Raises
    ------
    FormError, SessionError
        WRONG_TYPE; NOT_AUTHORIZED, whether the account exists or not.
    """
    if type(account) is not str:
        raise FormError(Code.WRONG_TYPE, f"expected an account's name, was {account!r:.80}")
    if not may_see(session, account):
        raise SessionError(Code.NOT_AUTHORIZED, f"expected an account of this key, was {account!r:.40}")
    return account


class Image(NamedTuple):
    """An account as of ``seq``: everything in it up to ``account_seq``."""

    account_seq: int
    seq: int
    balances: Any
    orders: list[Any]


class Queries:
    """Passes queries on and brings back their answers.

    Parameters
    ----------
    doors
        To the engine.
    in_flight_max
        Queries under way.
    """

    def __init__(self, doors: Doors, in_flight_max: int) -> None:
        self._doors = doors
        self._in_flight_max = in_flight_max
        self.in_flight = 0

    def ask(self, session: Session, run: int, request_id: int, args: object, answered: Answered) -> None:
        """Pass on a client's QUERY.

        Raises
        ------
        FormError, SessionError
            When it is not asked rightly, not this session's to ask, or too many are under way (BUSY).
        """
        query, values = _checked(args)
        if query in _OF_ACCOUNT:
            check_account(session, values[0])
        elif query in _OF_ADMIN and not session.roles & Role.ADMIN:
            raise SessionError(Code.NOT_AUTHORIZED, f"expected the role admin for {query}, was without it")
        elif query == "image" and values[0] != "book":
            check_account(session, values[1])
        elif query == "image_page" and values[0] not in session.images:
            raise SessionError(Code.IMAGE_GONE, f"expected an image of this session, was {values[0]}")

        def done(reply: Reply) -> None:
            if query == "image" and reply.code == 0 and reply.result:
                session.remember_image(reply.result[0])
            if query == "keys" and reply.code == 0:
                reply = reply._replace(result=[_without_verifiers(row) for row in reply.result])
            answered(session, run, request_id, reply)

        self._ask(query, values, done)

    def fetch_account(self, account: str, done: Callable[[Image | Reply], None]) -> None:
        """Fetch an account's whole image; ``done`` gets it, or the reply that refused it.

        Raises
        ------
        SessionError
            BUSY when too many queries are under way.
        """
        _AccountImage(self._ask, account, done).begin()

    def _ask(self, query: str, args: Sequence[object], done: Callable[[Reply], None]) -> None:
        if self.in_flight >= self._in_flight_max:
            raise SessionError(
                Code.BUSY,
                f"expected fewer than {self._in_flight_max} queries under way, was {self.in_flight}",
            )

        def counted(reply: Reply) -> None:
            self.in_flight -= 1
            done(reply)

        self.in_flight += 1
        self._doors.ask(query, args, counted)


class _AccountImage:
    """One image on its way: its pages in turn, begun again when the engine has dropped it."""

    def __init__(
        self,
        ask: Callable[[str, Sequence[object], Callable[[Reply], None]], None],
        account: str,
        done: Callable[[Image | Reply], None],
    ) -> None:
        self._ask = ask
        self._account = account
        self._done = done
        self._attempts = 0
        self._image_id: object = None
        self._pages = 0
        self._image = Image(0, 0, (), [])

    def begin(self) -> None:
        """Ask for the first page."""
        self._attempts += 1
        self._ask("image", ("account", self._account), self._first)

    def _first(self, reply: Reply) -> None:
        if reply.code:
            self._done(reply)
            return
        self._image_id, self._pages, page = reply.result[:3]
        self._image = Image(page[0], reply.seq, page[1], list(page[2]))
        self._next(1)

    def _next(self, page: int) -> None:
        if page >= self._pages:
            self._done(self._image)
            return

        def took(reply: Reply) -> None:
            if reply.code == 0:
                self._image.orders.extend(reply.result[2])
                self._next(page + 1)
            elif reply.code == Code.IMAGE_GONE and self._attempts < IMAGE_ATTEMPTS_MAX:
                self._again()
            else:
                self._done(reply)

        self._guarded(lambda: self._ask("image_page", (self._image_id, page), took))

    def _again(self) -> None:
        self._guarded(self.begin)

    def _guarded(self, ask: Callable[[], None]) -> None:
        """Ask from inside an answer, where a refusal has nobody to be raised to."""
        try:
            ask()
        except SessionError as error:
            self._done(Reply(int(error.code), error.detail, 0, 0, None))


def _without_verifiers(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return key id, roles, accounts and iterations: who has the rest could pass for the venue."""
    _, key_id, roles, accounts, _, iterations, *_ = row
    return (key_id, roles, accounts, iterations)


def _checked(args: object) -> tuple[str, tuple[Any, ...]]:
    """Return the query and its arguments, checked for form."""
    if type(args) is not tuple or len(args) != 2 or type(args[0]) is not str or type(args[1]) is not tuple:
        raise FormError(Code.WRONG_TYPE, f"expected [query, arguments], was {args!r:.80}")
    query, values = args
    form = _FORMS.get(query)
    if form is None:
        raise FormError(Code.UNSUPPORTED_TYPE, f"expected a query for clients, was {query!r:.40}")
    if len(values) != len(form):
        code = Code.MISSING_FIELD if len(values) < len(form) else Code.UNSUPPORTED_FIELD
        raise FormError(code, f"expected {len(form)} arguments of {query}, was {len(values)}")
    for value, kind in zip(values, form, strict=True):
        _check_value(query, value, kind)
    return query, values


def _check_value(query: str, value: object, kind: type) -> None:
    """Check one argument of a query: its type, and that it is not huge."""
    if type(value) is not kind:
        raise FormError(Code.WRONG_TYPE, f"expected {kind.__name__} in {query}, was {value!r:.80}")
    if isinstance(value, int) and not 0 <= value <= INT_MAX:
        raise FormError(Code.OUT_OF_RANGE, f"expected 0 to {INT_MAX} in {query}, was {value}")
    if isinstance(value, str) and len(value) > TEXT_CHARS_MAX:
        raise FormError(
            Code.OUT_OF_RANGE, f"expected a text of at most {TEXT_CHARS_MAX} characters, was {len(value)}"
        )
