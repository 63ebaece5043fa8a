"""What a client can be asked: each call written once, for the blocking client and for the asyncio one.

Invariant: a call either returns what the venue decided or raises a typed error of `bus.errors`; decimal
strings become integers exactly here, or the call is refused before anything is sent.

A call is a generator that yields each request that it waits for; the drivers (`bus.client.blocking`,
`bus.client.aio`) only decide how to wait. `call` shows it as a plain method of the one and as a coroutine
method of the other.
"""

import functools
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from ..commands import COMMAND_NUMBERS, Command
from ..errors import Code, FormError, Rejected, SessionError
from ..events import MarketCreated
from ..units import MarketUnits
from .pending import CommandAnswer, Pending
from .pipeline import COMMAND, QUERY
from .rows import OrderRow, OutcomeMarket, Position
from .session import Session
from .terms import CANCEL, PLACE, SideName, side_number
from .turns import Steps

if TYPE_CHECKING:
    from .aio import AsyncClient
    from .blocking import Client
    from .market_data import AsyncMarketData, MarketData

P = ParamSpec("P")
T = TypeVar("T")

PAGE_POSITIONS = 1_000
VALID_FOR_S_MAX = 86_400
"""Longest validity that a call takes; the venue's own maximum (`validity_s_max`) is lower."""


class call(Generic[P, T]):
    """Make a generator of requests a method: it waits on `Client`, and is to be awaited on `AsyncClient`."""

    def __init__(self, steps: "Callable[Concatenate[Any, P], Steps[T]]") -> None:
        self._steps = steps
        functools.update_wrapper(self, steps)  # type: ignore[arg-type]

    @overload
    def __get__(self, client: "Client | MarketData", owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, client: "AsyncClient | AsyncMarketData", owner: type
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, client: None, owner: type) -> "call[P, T]": ...
    def __get__(self, client: Any, owner: type) -> Any:
        if client is None:
            return self

        @functools.wraps(self._steps)
        def bound(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.run(self._steps(client, *args, **kwargs))

        return bound


def _validity_ns(valid_for_s: float) -> int:
    """Return a validity in nanoseconds.

    Raises
    ------
    FormError
        WRONG_TYPE or OUT_OF_RANGE when it is no time up to a day. (One that is past already is sent: the
        venue refuses the command as EXPIRED.)
    """
    if type(valid_for_s) not in (int, float):
        raise FormError(Code.WRONG_TYPE, f"expected valid_for_s in seconds, was {valid_for_s!r:.40}")
    if not -VALID_FOR_S_MAX <= valid_for_s <= VALID_FOR_S_MAX:
        raise FormError(
            Code.OUT_OF_RANGE, f"expected valid_for_s of at most {VALID_FOR_S_MAX}, was {valid_for_s}"
        )
    return int(valid_for_s * 1e9)


class Calls:
    """The calls of a client; see `bus.client.blocking.Client` and `bus.client.aio.AsyncClient`.

    Everywhere: ``account`` is whose order it is (default: the key's first account), ``valid_for_s`` how
    long the command may wait to be executed, prices, quantities and amounts are decimal strings. An order
    is named by ``order_id`` or ``client_order_id``.
    """

    def __init__(self, session: Session, account: str | None, timeout_s: float, valid_for_s: float) -> None:
        self.session = session
        self.timeout_s = timeout_s
        self.units: dict[str, MarketUnits] = {}
        self._account = account
        self._valid_for_ns = int(valid_for_s * 1e9)
        self._decimals: dict[str, int] = {}
        self._outcomes: dict[str, OutcomeMarket] = {}
        self._id_prefix = secrets.token_hex(6) + "-"
        self._ids = 0

    def post(
        self, op: int, args: tuple[Any, ...], callback: Callable[[Pending], object] | None = None
    ) -> Pending:
        """Hand over a request and send it if nothing is under way (of the drivers)."""
        raise NotImplementedError

    # --- pipelined: nothing of this waits for an answer

    def next_id(self) -> str:
        """Return an id that this client and no other uses."""
        self._ids += 1
        return f"{self._id_prefix}{self._ids:x}"

    def valid_until_ns(self, valid_for_s: float | None = None) -> int:
        """Return the time until which a command handed over now may be executed."""
        return time.time_ns() + (self._valid_for_ns if valid_for_s is None else _validity_ns(valid_for_s))

    @property
    def account(self) -> str:
        """The account that calls act for unless they name another.

        Raises
        ------
        SessionError
            NOT_READY before the first log-on, when none was given.
        """
        if self._account is None:
            if self.session.granted is None:
                raise SessionError(
                    Code.NOT_READY, "expected an account or a client that is connected, was neither"
                )
            self._account = self.session.granted.accounts[0]
        return self._account

    def send(self, command: Command, callback: Callable[[Pending], object] | None = None) -> Pending:
        """Hand over any command of `bus.commands`; `Pending.answer` tells what became of it.

        Raises
        ------
        FormError
            UNSUPPORTED_TYPE when it is none.
        """
        number = COMMAND_NUMBERS.get(type(command))
        if number is None:
            raise FormError(
                Code.UNSUPPORTED_TYPE, f"expected a command of commands.py, was {type(command).__name__}"
            )
        return self.post(COMMAND, ((number, *command),), callback)

    def place_ticks(
        self,
        market: str,
        side: int,
        price_ticks: int,
        qty_lots: int,
        *,
        client_order_id: str | None = None,
        account: str | None = None,
        order_type: int = 1,
        time_in_force: int = 1,
        post_only: bool = False,
        budget_atoms: int = 0,
        valid_for_s: float | None = None,
        callback: Callable[[Pending], object] | None = None,
    ) -> Pending:
        """Hand over an order in ticks and lots (the fast way); ``side`` 1 buy, 2 sell."""
        if client_order_id is None:
            self._ids += 1
            client_order_id = f"{self._id_prefix}{self._ids:x}"
        valid_ns = self._valid_for_ns if valid_for_s is None else _validity_ns(valid_for_s)
        command = (
            PLACE,
            client_order_id,
            account or self._account or self.account,
            time.time_ns() + valid_ns,
            market,
            side,
            order_type,
            time_in_force,
            post_only,
            price_ticks,
            qty_lots,
            budget_atoms,
        )
        return self.post(COMMAND, (command,), callback)

    def cancel_id(
        self,
        market: str,
        *,
        order_id: int = 0,
        client_order_id: str = "",
        account: str | None = None,
        valid_for_s: float | None = None,
        callback: Callable[[Pending], object] | None = None,
    ) -> Pending:
        """Hand over the cancel of one order."""
        head = self._head(CANCEL, account, valid_for_s)
        return self.post(COMMAND, ((*head, market, order_id, client_order_id),), callback)

    @call
    def connect(self) -> Steps[None]:
        """Log on and load the markets.

        Raises
        ------
        SessionError
            LOGON_FAILED; NOT_READY when no gateway answered in time; NOT_AUTHORIZED when the key may not act
            for the client's account.
        """
        yield from self._load_markets()
        granted = self.session.granted
        if self._account is not None and granted is not None and self._account not in granted.accounts:
            raise SessionError(
                Code.NOT_AUTHORIZED,
                f"expected an account of this key ({', '.join(granted.accounts)}), was {self._account!r:.40}",
            )

    # --- steps that calls share

    def _head(self, kind: int, account: str | None, valid_for_s: float | None) -> tuple[int, str, str, int]:
        return kind, self.next_id(), account or self.account, self.valid_until_ns(valid_for_s)

    def _command(self, fields: tuple[Any, ...]) -> Steps[CommandAnswer]:
        pending = self._post_command(fields)
        yield pending
        pending.value()
        return pending.answer

    def _post_command(self, fields: tuple[Any, ...]) -> Pending:
        """Hand over a command's wire array."""
        return self.post(COMMAND, (fields,))

    def _query(self, name: str, args: tuple[object, ...]) -> Steps[Any]:
        pending = self.post(QUERY, (name, args))
        yield pending
        return pending.value()[2]

    def _units(self, market: str) -> Steps[MarketUnits]:
        if market not in self.units:
            yield from self._load_markets()
            if market not in self.units:
                raise Rejected(Code.UNKNOWN_MARKET, f"expected a market of this venue, was {market!r:.40}")
        return self.units[market]

    def _decimals_of(self, asset: str) -> Steps[int]:
        if asset not in self._decimals:
            yield from self._load_markets()
            if asset not in self._decimals:
                raise Rejected(Code.UNKNOWN_ASSET, f"expected an asset of this venue, was {asset!r:.40}")
        return self._decimals[asset]

    def _load_markets(self) -> Steps[Sequence[Any]]:
        """Learn assets, markets and how far ahead commands may be valid; return the market rows."""
        for _, asset, decimals, *_ in (yield from self._query("assets", ())):
            self._decimals[asset] = decimals
        rows: Sequence[Any] = yield from self._query("markets", ())
        for row in rows:
            created = MarketCreated(*row[0][1 : len(MarketCreated._fields) + 1])
            decimals = (self._decimals[created.base], self._decimals[created.quote])
            self.units[created.market] = MarketUnits(created, *decimals)
        if self.session.granted is not None:
            # A second less than allowed: the clocks of venue and client are not the same one.
            allowed_ns = self.session.granted.validity_s_max * 1_000_000_000
            self._valid_for_ns = min(self._valid_for_ns, max(allowed_ns // 2, allowed_ns - 1_000_000_000))
        return rows

    def _filters(
        self, market: str, side: SideName | None, price_low: str | None, price_high: str | None
    ) -> Steps[tuple[str, int, int, int]]:
        """Return what a mass cancel by filters names: market, side and price range."""
        if (price_low is not None or price_high is not None) and not market:
            raise FormError(Code.MISSING_FIELD, "expected the market that the prices are of, was none")
        low = high = 0
        if market:
            units = yield from self._units(market)
            low = units.price_ticks(price_low) if price_low is not None else 0
            high = units.price_ticks(price_high) if price_high is not None else 0
        return market, side_number(side) if side is not None else 0, low, high

    def _outcome_markets(self) -> Steps[dict[str, OutcomeMarket]]:
        """Ask for all outcome markets."""
        found = {}
        for row in (yield from self._query("outcome_markets", ())):
            decimals = yield from self._decimals_of(row[0][3])
            market = OutcomeMarket.of(row, decimals)
            found[market.market] = self._outcomes[market.market] = market
        return found

    def _outcome_market(self, market: str) -> Steps[OutcomeMarket]:
        if market not in self._outcomes:
            yield from self._outcome_markets()
            if market not in self._outcomes:
                expected = "expected an outcome market of this venue"
                raise Rejected(Code.UNKNOWN_MARKET, f"{expected}, was {market!r:.40}")
        return self._outcomes[market]

    def _positions(self, account: str | None) -> Steps[list[Position]]:
        """Ask for an account's positions, in pages."""
        found: list[Position] = []
        after = ""
        while True:
            result = yield from self._query("positions", (account or self.account, after, PAGE_POSITIONS))
            for row in result[1]:
                market = yield from self._outcome_market(row[0])
                if len(row[3]) > len(market.outcomes):
                    market = (yield from self._outcome_markets())[row[0]]
                found.append(Position.of(row, market))
                after = row[0]
            if not result[1]:
                return found

    def _order_row(self, market: str, name: tuple[int, str], account: str | None) -> Steps[OrderRow]:
        row = yield from self._query("order", (account or self.account, market, *name))
        return OrderRow.of(row)
