"""Orders: place, cancel, change.

Invariant: decimal strings become ticks, lots and atoms exactly here, or the call is refused before
anything is sent.
"""

from typing import Literal

from ..commands import INT_MAX, OrderType, Side, TimeInForce
from ..errors import Code, FormError
from ..units import MarketUnits
from .calls import CANCEL, Calls, call
from .rows import Order
from .turns import Steps

SideName = Literal["buy", "sell"] | Side
TimeInForceName = Literal["gtc", "ioc", "fok"] | TimeInForce

_SIDES: dict[object, int] = {"buy": 1, "sell": 2, Side.BUY: 1, Side.SELL: 2}
_TIMES: dict[object, int] = {"gtc": 1, "ioc": 2, "fok": 3, 1: 1, 2: 2, 3: 3}
_CANCEL_ALL, _REDUCE, _REPLACE = 3, 4, 5


class Trading(Calls):
    """The calls of a session with the role trader or broker.

    Everywhere: ``account`` is whose order it is (default: the key's first account), ``valid_for_s`` how
    long the command may wait to be executed, prices, quantities and amounts are decimal strings. An order
    is named by ``order_id`` or ``client_order_id``.
    """

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
            order_type=int(OrderType.LIMIT if price is not None else OrderType.MARKET),
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
        fields = (*self._head(CANCEL, account, valid_for_s), market, order_id, client_order_id)
        answer = yield from self._command(fields)
        return Order.of(answer, client_order_id, units, INT_MAX)

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
        return Order.of(answer, name[1], units, INT_MAX)

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
    number = numbers.get(value) if isinstance(value, str | int) else None
    if number is None:
        raise FormError(Code.OUT_OF_RANGE, f"expected {expected}, was {value!r:.40}")
    return number
