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
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, overload

from ..commands import COMMAND_NUMBERS, Command, OrderType, Side, TimeInForce
from ..errors import Code, FormError, Rejected, SessionError
from ..events import MarketCreated
from ..units import MarketUnits, format_units
from .pending import CommandAnswer, Pending
from .pipeline import COMMAND, QUERY
from .rows import Balance, Market, OpenOrder, Order, OrderRow
from .session import Session

if TYPE_CHECKING:
    from .aio import AsyncClient
    from .blocking import Client

P = ParamSpec("P")
T = TypeVar("T")
Steps = Generator[Pending, None, T]

SideName = Literal["buy", "sell"] | Side
TimeInForceName = Literal["gtc", "ioc", "fok"] | TimeInForce

PAGE_ORDERS = 1_000

_SIDES: dict[object, int] = {"buy": 1, "sell": 2, Side.BUY: 1, Side.SELL: 2}
_TIMES: dict[object, int] = {"gtc": 1, "ioc": 2, "fok": 3, 1: 1, 2: 2, 3: 3}
_PLACE, _CANCEL, _CANCEL_ALL, _REDUCE, _REPLACE = 1, 2, 3, 4, 5


class call(Generic[P, T]):
    """Make a generator of requests a method: it waits on `Client`, and is to be awaited on `AsyncClient`."""

    def __init__(self, steps: "Callable[Concatenate[Any, P], Steps[T]]") -> None:
        self._steps = steps
        functools.update_wrapper(self, steps)  # type: ignore[arg-type]

    @overload
    def __get__(self, client: "Client", owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: "AsyncClient", owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, client: None, owner: type) -> "call[P, T]": ...
    def __get__(self, client: Any, owner: type) -> Any:
        if client is None:
            return self

        @functools.wraps(self._steps)
        def bound(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.run(self._steps(client, *args, **kwargs))

        return bound


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
        return time.time_ns() + (self._valid_for_ns if valid_for_s is None else int(valid_for_s * 1e9))

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
        """Hand over any command of `bus.commands`; `Pending.answer` tells what became of it."""
        return self.post(COMMAND, ((COMMAND_NUMBERS[type(command)], *command),), callback)

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
        valid_ns = self._valid_for_ns if valid_for_s is None else int(valid_for_s * 1e9)
        command = (
            _PLACE,
            client_order_id,
            account or self._account or self.account,
            time.time_ns() + valid_ns,
            market,
            int(side),
            int(order_type),
            int(time_in_force),
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
        head = self._head(_CANCEL, account, valid_for_s)
        return self.post(COMMAND, ((*head, market, order_id, client_order_id),), callback)

    # --- trading

    @call
    def connect(self) -> Steps[None]:
        """Log on and load the markets.

        Raises
        ------
        SessionError
            LOGON_FAILED; NOT_READY when no gateway answered in time.
        """
        yield from self._load_markets()

    @call
    def place(
        self,
        market: str,
        side: SideName,
        *,
        price: str | None = None,
        qty: str | None = None,
        budget: str | None = None,
        time_in_force: TimeInForceName | None = None,
        post_only: bool = False,
        client_order_id: str | None = None,
        account: str | None = None,
        valid_for_s: float | None = None,
    ) -> Steps[Order]:
        """Place an order: a limit order with ``price``, else a market order.

        A market order is by ``qty``, or (buys) by ``budget`` in quote units. A limit order is GTC unless
        said otherwise, a market order IOC.

        Raises
        ------
        Rejected
            The engine refused it.
        OutcomeUnknown
            No answer in time: it may have been executed; see `answer_of`.
        FormError
            A number that is not a whole number of ticks, lots or atoms; nothing was sent.
        """
        units = yield from self._units(market)
        qty_lots = units.qty_lots(qty) if qty is not None else 0
        default = TimeInForce.GTC if price is not None else TimeInForce.IOC
        pending = self.place_ticks(
            market,
            _number_of(side, _SIDES, "side 'buy' or 'sell'"),
            units.price_ticks(price) if price is not None else 0,
            qty_lots,
            client_order_id=client_order_id,
            account=account,
            order_type=OrderType.LIMIT if price is not None else OrderType.MARKET,
            time_in_force=_number_of(time_in_force or default, _TIMES, "'gtc', 'ioc' or 'fok'"),
            post_only=post_only,
            budget_atoms=units.budget_atoms(budget) if budget is not None else 0,
            valid_for_s=valid_for_s,
        )
        yield pending
        pending.value()
        return Order.of(pending.answer, pending.id, units, qty_lots or None)

    @call
    def cancel(
        self,
        market: str,
        *,
        order_id: int = 0,
        client_order_id: str = "",
        account: str | None = None,
        valid_for_s: float | None = None,
    ) -> Steps[Order]:
        """Cancel an order."""
        units = yield from self._units(market)
        fields = (*self._head(_CANCEL, account, valid_for_s), market, order_id, client_order_id)
        answer = yield from self._command(fields)
        return Order.of(answer, client_order_id, units, -1)

    @call
    def cancel_all(
        self, market: str = "", *, account: str | None = None, valid_for_s: float | None = None
    ) -> Steps[None]:
        """Cancel all open orders of the account, in one market or in all.

        It may overtake orders that are still under way (control commands go first): wait for their answers
        before if they are to be cancelled too.
        """
        yield from self._command((*self._head(_CANCEL_ALL, account, valid_for_s), market))

    @call
    def reduce(
        self,
        market: str,
        *,
        qty: str,
        order_id: int = 0,
        client_order_id: str = "",
        account: str | None = None,
        valid_for_s: float | None = None,
    ) -> Steps[Order]:
        """Lower an order's total quantity (filled part included) to ``qty``; it keeps its place."""
        units = yield from self._units(market)
        return (yield from self._reduce(units, qty, (order_id, client_order_id), account, valid_for_s))

    @call
    def replace(
        self,
        market: str,
        *,
        price: str,
        qty: str,
        order_id: int = 0,
        client_order_id: str = "",
        account: str | None = None,
        valid_for_s: float | None = None,
    ) -> Steps[Order]:
        """Give an order a new price and total quantity (filled part included); it loses its place."""
        units = yield from self._units(market)
        return (
            yield from self._replace(units, price, qty, (order_id, client_order_id), account, valid_for_s)
        )

    @call
    def amend(
        self,
        market: str,
        *,
        price: str | None = None,
        qty: str | None = None,
        order_id: int = 0,
        client_order_id: str = "",
        account: str | None = None,
        valid_for_s: float | None = None,
    ) -> Steps[Order]:
        """Change an order: with ``price`` it is replaced (its total kept without ``qty``), else reduced.

        Quantities are totals, the filled part included.
        """
        units = yield from self._units(market)
        name = (order_id, client_order_id)
        if price is not None:
            if qty is None:
                row = yield from self._order_row(market, name, account)
                qty = units.qty(row.qty_lots)
            return (yield from self._replace(units, price, qty, name, account, valid_for_s))
        if qty is None:
            raise FormError(Code.MISSING_FIELD, "expected a new price or a new quantity, was neither")
        return (yield from self._reduce(units, qty, name, account, valid_for_s))

    # --- questions

    @call
    def order(
        self, market: str, *, order_id: int = 0, client_order_id: str = "", account: str | None = None
    ) -> Steps[OpenOrder]:
        """Return an open order.

        Raises
        ------
        Rejected
            UNKNOWN_ORDER when it is not open (any longer); `answer_of` may still tell what became of it.
        """
        units = yield from self._units(market)
        row = yield from self._order_row(market, (order_id, client_order_id), account)
        return OpenOrder.of(row, units)

    @call
    def answer_of(self, command_id: str, *, account: str | None = None) -> Steps[CommandAnswer]:
        """Return the answer kept under an id (``client_order_id`` or ``command_id``).

        Ids are kept until their ``valid_until``, and while the order is open. UNKNOWN_ORDER: not executed
        so far, or forgotten.
        """
        kept = yield from self._query("answer", (account or self.account, command_id))
        code, seq, order_id, filled_lots, left_lots, detail = kept[:6]
        return CommandAnswer(code, seq, order_id, filled_lots, left_lots, detail, True)

    @call
    def open_orders(self, market: str = "", *, account: str | None = None) -> Steps[list[OpenOrder]]:
        """Return the account's open orders by order id (fetched in pages)."""
        found: list[OpenOrder] = []
        after = 0
        while True:
            args = (account or self.account, market, after, PAGE_ORDERS)
            result = yield from self._query("open_orders", args)
            for wire_row in result[1]:
                row = OrderRow.of(wire_row)
                found.append(OpenOrder.of(row, (yield from self._units(row.market))))
                after = row.order_id
            if not result[1]:
                return found

    @call
    def balances(self, account: str | None = None) -> Steps[dict[str, Balance]]:
        """Return the account's balances by asset."""
        result = yield from self._query("balances", (account or self.account,))
        found = {}
        for asset, available, held, *_ in result[1]:
            if asset not in self._decimals:
                yield from self._load_markets()
            decimals = self._decimals[asset]
            texts = (format_units(available, decimals), format_units(held, decimals))
            found[asset] = Balance(asset, *texts, available, held)
        return found

    @call
    def markets(self) -> Steps[dict[str, Market]]:
        """Return all markets by name, as they are now."""
        rows = yield from self._load_markets()
        found = {}
        for created, state, market_seq, last_trade_id, last_ticks, *_ in rows:
            units = self.units[created[1]]
            price = units.price(last_ticks) if last_trade_id else None
            found[created[1]] = Market(
                created[1],
                created[2],
                created[3],
                units.tick_size,
                units.lot_size,
                state == 1,
                market_seq,
                last_trade_id,
                price,
                units,
            )
        return found

    @call
    def query(self, name: str, *args: object) -> Steps[Any]:
        """Ask one of the engine's queries (wire: QUERY) and return its raw result."""
        return (yield from self._query(name, args))

    # --- steps that calls share

    def _head(self, kind: int, account: str | None, valid_for_s: float | None) -> tuple[int, str, str, int]:
        return kind, self.next_id(), account or self.account, self.valid_until_ns(valid_for_s)

    def _command(self, fields: tuple[Any, ...]) -> Steps[CommandAnswer]:
        pending = self.post(COMMAND, (fields,))
        yield pending
        pending.value()
        return pending.answer

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
        """Learn assets and markets; return the market rows."""
        for _, asset, decimals, *_ in (yield from self._query("assets", ())):
            self._decimals[asset] = decimals
        rows: Sequence[Any] = yield from self._query("markets", ())
        for row in rows:
            created = MarketCreated(*row[0][1 : len(MarketCreated._fields) + 1])
            decimals = (self._decimals[created.base], self._decimals[created.quote])
            self.units[created.market] = MarketUnits(created, *decimals)
        return rows

    def _order_row(self, market: str, name: tuple[int, str], account: str | None) -> Steps[OrderRow]:
        row = yield from self._query("order", (account or self.account, market, *name))
        return OrderRow.of(row)

    def _reduce(
        self,
        units: MarketUnits,
        qty: str,
        name: tuple[int, str],
        account: str | None,
        valid_for_s: float | None,
    ) -> Steps[Order]:
        lots = units.qty_lots(qty)
        fields = (*self._head(_REDUCE, account, valid_for_s), units.market.market, *name, lots)
        answer = yield from self._command(fields)
        return Order.of(answer, name[1], units, -1)

    def _replace(
        self,
        units: MarketUnits,
        price: str,
        qty: str,
        name: tuple[int, str],
        account: str | None,
        valid_for_s: float | None,
    ) -> Steps[Order]:
        ticks, lots = units.price_ticks(price), units.qty_lots(qty)
        fields = (*self._head(_REPLACE, account, valid_for_s), units.market.market, *name, ticks, lots)
        answer = yield from self._command(fields)
        return Order.of(answer, name[1], units, lots)


def _number_of(value: object, numbers: dict[object, int], expected: str) -> int:
    number = numbers.get(value)
    if number is None:
        raise FormError(Code.OUT_OF_RANGE, f"expected {expected}, was {value!r:.40}")
    return number
