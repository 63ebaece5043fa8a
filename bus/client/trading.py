"""Orders: place, cancel, change.

Invariant: decimal strings become ticks, lots and atoms exactly here, or the call is refused before
anything is sent.
"""

from collections.abc import Sequence
from typing import Any

from ..commands import INT_MAX, PairKind
from ..errors import Code, FormError, Rejected
from ..units import MarketUnits, atoms_from, parse_decimal
from .calls import Calls, call
from .pending import CommandAnswer
from .rows import Order, Outcome, Pair, Position, Status
from .terms import (
    CANCEL,
    REDUCE,
    REPLACE,
    Cancel,
    NewOrder,
    PreventionName,
    Reduce,
    Replace,
    SideName,
    Time,
    TimeInForceName,
    number_of,
    placing,
)
from .turns import Steps

_CANCEL_ALL, _PAIR, _BATCH, _CANCEL_MATCHING, _CANCEL_AFTER, _SET_GROUP, _CASH_OUT = 3, 7, 8, 9, 10, 11, 12
_PAIRS: dict[object, int] = {kind.name.lower(): int(kind) for kind in PairKind}
_PPM_DECIMALS = 6


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
        display: str | None = None,
        min_qty: str | None = None,
        stop: str | None = None,
        take_profit: str | None = None,
        trail: str | None = None,
        expires: Time | None = None,
        prevention: PreventionName | None = None,
        group: str = "",
        persists: bool = False,
        client_order_id: str | None = None,
        account: str | None = None,
        valid_for_s: float | None = None,
    ) -> Steps[Order]:
        """Place an order: a limit order with ``price``, else a market order; see `NewOrder` for its terms.

        A market order is by ``qty``, or (buys) by ``budget`` in quote units. A limit order is GTC unless
        said otherwise, a market order IOC. With ``stop``, ``take_profit`` or ``trail`` it waits.

        Raises
        ------
        Rejected
            The engine refused it.
        OutcomeUnknown
            No answer in time: it may have been executed; see `answer_of`.
        FormError
            A number that is not a whole number of ticks, lots or atoms; nothing was sent.
        """
        order = NewOrder(
            market, side, price, qty, budget, time_in_force, post_only, display, min_qty, stop, take_profit,
            trail, expires, prevention, group, persists, client_order_id,
        )  # fmt: skip
        return (yield from self._place(order, account, valid_for_s))

    @call
    def back(
        self, market: str, *, odds: str, stake: str, persists: bool = False, account: str | None = None
    ) -> Steps[Order]:
        """Back a runner (``market`` is its book, ``market:runner``) at these decimal odds or higher."""
        order = NewOrder(market, "back", odds, stake, persists=persists)
        return (yield from self._place(order, account, None))

    @call
    def lay(
        self, market: str, *, odds: str, stake: str, persists: bool = False, account: str | None = None
    ) -> Steps[Order]:
        """Lay a runner (``market`` is its book, ``market:runner``) at these decimal odds or lower."""
        order = NewOrder(market, "lay", odds, stake, persists=persists)
        return (yield from self._place(order, account, None))

    def _place(self, order: NewOrder, account: str | None, valid_for_s: float | None) -> Steps[Order]:
        units = yield from self._units(order.market)
        order_id = order.client_order_id or self.next_id()
        until_ns = self.valid_until_ns(valid_for_s)
        command = placing(order, units, order_id, account or self.account, until_ns)
        answer = yield from self._command(command)
        return _placed(answer, order, order_id, units)

    @call
    def place_pair(
        self,
        kind: str,
        first: NewOrder,
        second: NewOrder,
        *,
        account: str | None = None,
        valid_for_s: float | None = None,
    ) -> Steps[Pair]:
        """Place two orders of one market that belong together: both are accepted, or none.

        ``kind`` "oco": when one trades, is triggered or ends, the other is cancelled. "oto": the second waits
        until the first is filled.
        """
        units = yield from self._units(first.market)
        head = self._head(_PAIR, account, valid_for_s)
        owner, until_ns = head[2:]
        ids = (first.client_order_id or self.next_id(), second.client_order_id or self.next_id())
        legs = (
            placing(first, units, ids[0], owner, until_ns),
            placing(second, (yield from self._units(second.market)), ids[1], owner, until_ns),
        )
        answer = yield from self._command((*head, number_of(kind, _PAIRS, "a kind of pair"), *legs))
        kept = yield from self._query("answer", (owner, ids[1]))
        code, seq, order_id, filled_lots, left_lots, detail = kept[:6]
        other = CommandAnswer(code, seq, order_id, filled_lots, left_lots, detail, answer.repeated)
        placed = _placed(other, second, ids[1], units)._replace(status=Status.OPEN)
        return Pair(head[1], _placed(answer, first, ids[0], units), placed)

    @call
    def batch(
        self,
        commands: Sequence[NewOrder | Cancel | Reduce | Replace],
        *,
        atomic: bool = False,
        account: str | None = None,
        valid_for_s: float | None = None,
    ) -> Steps[list[Outcome]]:
        """Carry out 1 to 100 commands in order, in one transaction; return the outcome of each.

        Each has its own outcome: see `Outcome.error`. With ``atomic`` all are carried out or none
        (`Rejected`, BATCH_REFUSED); then cancels and reduces come first, and there are no replaces.
        """
        head = self._head(_BATCH, account, valid_for_s)
        owner, until_ns = head[2:]
        arrays: list[tuple[Any, ...]] = []
        known: list[MarketUnits] = []
        for command in commands:
            units = yield from self._units(command.market)
            known.append(units)
            arrays.append(self._inner(command, units, owner, until_ns))
        pending = self._post_command((*head, atomic, tuple(arrays)))
        yield pending
        answer = pending.value()
        # Looked up by the batch's id, after its resend came too late, the answer is without them.
        outcomes: Sequence[Sequence[Any]] = (
            answer[7] if len(answer) > 7 else (yield from self._kept_outcomes(arrays))
        )
        return [
            Outcome.of(row, str(array[1]), units)
            for row, array, units in zip(outcomes, arrays, known, strict=True)
        ]

    def _kept_outcomes(self, arrays: Sequence[tuple[Any, ...]]) -> Steps[list[tuple[Any, ...]]]:
        """Look the outcomes of a batch's commands up by their ids."""
        outcomes = []
        for _, command_id, owner, *_ in arrays:
            try:
                code, _, order_id, filled, left, detail = (
                    yield from self._query("answer", (owner, command_id))
                )[:6]
            except Rejected:
                detail = "expected an answer that is kept, was forgotten; the batch was carried out"
                code, order_id, filled, left = int(Code.OUTCOME_UNKNOWN), 0, 0, 0
            outcomes.append((code, order_id, filled, left, detail))
        return outcomes

    def _inner(
        self, command: NewOrder | Cancel | Reduce | Replace, units: MarketUnits, owner: str, until_ns: int
    ) -> tuple[Any, ...]:
        """Return the wire array of a command in a batch."""
        if isinstance(command, NewOrder):
            order_id = command.client_order_id or self.next_id()
            return placing(command, units, order_id, owner, until_ns)
        head = (self.next_id(), owner, until_ns, command.market, command.order_id, command.client_order_id)
        if isinstance(command, Cancel):
            return (CANCEL, *head)
        if isinstance(command, Reduce):
            return (REDUCE, *head, units.qty_lots(command.qty))
        return (REPLACE, *head, units.price_ticks(command.price), units.qty_lots(command.qty))

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
    def cancel_matching(
        self,
        market: str = "",
        *,
        side: SideName | None = None,
        price_low: str | None = None,
        price_high: str | None = None,
        account: str | None = None,
        valid_for_s: float | None = None,
    ) -> Steps[None]:
        """Cancel the account's open orders that match all that is given; prices need a ``market``."""
        filters = yield from self._filters(market, side, price_low, price_high)
        yield from self._command((*self._head(_CANCEL_MATCHING, account, valid_for_s), *filters))

    @call
    def cancel_after(self, timeout_s: float, *, account: str | None = None) -> Steps[None]:
        """Cancel all orders of the account ``timeout_s`` (0.1 to 86,400) from now unless called again; 0: do
        not.

        The engine keeps the time: it is there when client and gateway are not.
        """
        if type(timeout_s) not in (int, float) or not 0 <= timeout_s <= 86_400:
            raise FormError(Code.OUT_OF_RANGE, f"expected 0 to 86400 seconds, was {timeout_s!r:.40}")
        yield from self._command((*self._head(_CANCEL_AFTER, account, None), round(timeout_s * 1e9)))

    @call
    def set_group(
        self, group: str, *, lots_max: int, window_s: float = 1.0, account: str | None = None
    ) -> Steps[None]:
        """Make or reset an order group: it trips once its orders traded ``lots_max`` within ``window_s``.

        Tripped, its orders are cancelled and new ones refused until it is set again. ``lots_max`` 0 removes
        it.
        """
        if type(window_s) not in (int, float) or not 0 <= window_s <= 3_600:
            raise FormError(Code.OUT_OF_RANGE, f"expected a window of 0.001 to 3600 s, was {window_s!r:.40}")
        fields = (*self._head(_SET_GROUP, account, None), group, lots_max, round(window_s * 1e9))
        yield from self._command(fields)

    @call
    def cash_out(
        self, market: str, *, share: str = "1", worst: str | None = None, account: str | None = None
    ) -> Steps[Position | None]:
        """Close a share (up to "1") of the position in an outcome market against the books, all or nothing.

        ``worst``: the least result in any outcome that is acceptable afterwards, in the asset (it may be
        negative). Returns the position that is left.
        """
        share_ppm = atoms_from(share, _PPM_DECIMALS, "share")
        worst_atoms = -INT_MAX
        if worst is not None:
            decimals = (yield from self._outcome_market(market)).asset_decimals
            sign, digits = (-1, worst[1:]) if worst.startswith("-") else (1, worst)
            parse_decimal(digits, "worst")
            worst_atoms = sign * atoms_from(digits, decimals, "worst")
        fields = (*self._head(_CASH_OUT, account, None), market, share_ppm, worst_atoms)
        yield from self._command(fields)
        for position in (yield from self._positions(account)):
            if position.market == market:
                return position
        return None

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
        fields = (*self._head(REDUCE, account, valid_for_s), units.market.market, *name, lots)
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
        fields = (*self._head(REPLACE, account, valid_for_s), units.market.market, *name, ticks, lots)
        answer = yield from self._command(fields)
        return Order.of(answer, name[1], units, lots)


def _placed(answer: CommandAnswer, order: NewOrder, order_id: str, units: MarketUnits) -> Order:
    """Return the order that was just placed; one that waits is open, also if it has no quantity."""
    lots = units.qty_lots(order.qty) if order.qty is not None else None
    placed = Order.of(answer, order_id, units, lots)
    return placed._replace(status=Status.OPEN) if order.waits else placed
