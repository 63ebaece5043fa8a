"""Pairs of orders: one cancels the other (OCO), or one triggers the other (OTO).

Invariants: of an OCO never both legs trade, and together they hold the larger leg alone; the second order of
an OTO is never on the book before the first is filled, and never open once the first has ended otherwise; a
pair is of two open orders, and dissolved with the first of them that goes.
"""

from typing import TYPE_CHECKING, Final

from bus.commands import OrderType, PairKind, PlacePair, Side, TimeInForce
from bus.errors import Code
from bus.events import CancelReason, PairPlaced

from . import risk, waiting
from .accounts import Account, Kept
from .book import Order
from .state import Array, Refusal, State, in_words

if TYPE_CHECKING:
    from .cancels import Cancels
    from .trading import Done, Trading

# What of a pair an order is to be, when it is checked (`engine.entry`).
ALONE: Final = 0
FIRST: Final = 1
SECOND: Final = 2
OCO_LEG: Final = 3

_OCO: Final = int(PairKind.OCO)
_OTO: Final = int(PairKind.OTO)
_BUY: Final = int(Side.BUY)
_LIMIT: Final = int(OrderType.LIMIT)
_IOC: Final = int(TimeInForce.IOC)
_FOK: Final = int(TimeInForce.FOK)

# Of the wire arrays of PlaceOrder and PlaceAdvanced.
_SIDE: Final = 5
_TYPE: Final = 6
_TIF: Final = 7
_QTY: Final = 10
_BUDGET: Final = 11
_MIN_LOTS: Final = 13
_TRIGGER: Final = 14


class Pair:
    """Two open orders that belong together (`bus.commands.PairKind`).

    ``shared_atoms``: what an OCO holds less than its legs would alone.
    """

    __slots__ = ("first", "kind", "second", "shared_atoms")

    def __init__(self, kind: int, first: Order, second: Order, shared_atoms: int) -> None:
        self.kind = kind
        self.first = first
        self.second = second
        self.shared_atoms = shared_atoms
        for order in (first, second):
            assert order.terms is not None
            order.terms.pair = self

    def dissolve(self) -> None:
        """Let the orders be alone from here on."""
        for order in (self.first, self.second):
            assert order.terms is not None
            order.terms.pair = None


def _dissolved(order: Order) -> Pair:
    assert order.terms is not None and order.terms.pair is not None
    pair = order.terms.pair
    pair.dissolve()
    return pair


def is_oco(order: Order) -> bool:
    """Return whether an order is a leg of an OCO."""
    return order.terms is not None and order.terms.pair is not None and order.terms.pair.kind == _OCO


def cancel(cancels: "Cancels", order: Order, reason: int) -> None:
    """Cancel an open order of a pair, and what goes with it (`Cancels.take_off` takes one off)."""
    pair = _dissolved(order)
    cancels.take_off(order, reason, pair.shared_atoms)
    if pair.kind == _OCO:
        cancels.take_off(pair.second if order is pair.first else pair.first, CancelReason.PAIRED, 0)
    elif order is pair.first:
        cancels.take_off(pair.second, CancelReason.PAIRED, 0)


def before_trade(cancels: "Cancels", order: Order) -> None:
    """Cancel the other leg of an OCO before a leg trades or is decremented, or when it is triggered."""
    if is_oco(order):
        pair = _dissolved(order)
        other = pair.second if order is pair.first else pair.first
        cancels.take_off(other, CancelReason.PAIRED, pair.shared_atoms)


def filled(state: State, order: Order) -> None:
    """Let the second order of an OTO go to the triggered ones when the first is filled."""
    pair = _dissolved(order)
    assert pair.kind == _OTO and order is pair.first
    waiting.put_in_queue(state, pair.second)


def ended(cancels: "Cancels", order: Order) -> None:
    """Cancel the second order of an OTO whose first ended without having been filled, and is not open."""
    pair = _dissolved(order)
    assert pair.kind == _OTO and order is pair.first
    cancels.take_off(pair.second, CancelReason.PAIRED, 0)


class Pairs:
    """Carries out PlacePair."""

    def __init__(self, state: State, trading: "Trading") -> None:
        self._state = state
        self._trading = trading

    def place_pair(self, account: Account, command: PlacePair) -> "Done":
        """Place two orders, or none; O(1) and what the first does in the book."""
        state, trading, kind = self._state, self._trading, command.kind
        first_fields: Array = command.first
        second_fields: Array = command.second
        self._check_form(account, command)
        first, second, held_atoms, losses = self._admit(account, kind, first_fields, second_fields)
        market, shared = first.market, min(losses) if kind == _OCO else 0
        released = trading.cancels.give_back(account, market, first.side, shared) if shared else 0
        self._check_funds(account, (first, second), losses, shared, sum(held_atoms) - released)
        pair = Pair(kind, first, second, shared)
        settled = trading.accept(first, first_fields, held_atoms[0])
        trading.accept(second, second_fields, held_atoms[1])
        account.seq += 1
        state.emit(
            PairPlaced(
                account.name, account.seq, market.name, command.command_id, kind, first.order_id,
                second.order_id, first.side, released,
            )
        )  # fmt: skip
        done = (first.order_id, 0, first.total_left)
        if not settled:
            assert pair.kind == _OTO
            done = trading.carry_out(first, first_fields[_TYPE], first_fields[_TIF], 0, losses[0])
        self._keep(account, first_fields, done)
        left = second.total_left if second.order_id in state.orders else 0
        self._keep(account, second_fields, (second.order_id, 0, left))
        return done

    def _check_form(self, account: Account, command: PlacePair) -> None:
        """Refuse legs that do not go together, and ids that are used."""
        first, second, ids = command.first, command.second, account.ids
        expected = _wrong_legs(command)
        if expected:
            was = " and ".join(in_words(leg) for leg in (first, second))
            raise Refusal(Code.INVALID_COMBINATION, f"expected {expected}, was {was}")
        for leg in (first, second):
            if leg[1] in ids:
                raise Refusal(Code.DUPLICATE_ID, f"expected new ids, was {leg[1]} which a command had")
        ids_max = self._state.limits.ids_per_account_max
        if len(ids) + 3 > ids_max:
            raise Refusal(Code.TOO_MANY_IDS, f"expected at most {ids_max} ids kept, was {len(ids) + 3}")

    def _admit(
        self, account: Account, kind: int, first_fields: Array, second_fields: Array
    ) -> tuple[Order, Order, tuple[int, int], tuple[int, int]]:
        """Check both legs and take their funds unchecked; return what they hold together and alone."""
        entry = self._trading.entry
        first = entry.check(account, first_fields, OCO_LEG if kind == _OCO else FIRST)
        held, loss = entry.held_atoms, entry.loss_atoms
        try:
            second = entry.check(account, second_fields, OCO_LEG if kind == _OCO else SECOND)
        except Refusal:
            entry.undo(account, first.market, first.side, loss)
            raise
        return first, second, (held, entry.held_atoms), (loss, entry.loss_atoms)

    def _check_funds(
        self, account: Account, legs: tuple[Order, Order], losses: tuple[int, int], shared: int, rise: int
    ) -> None:
        """Refuse a pair whose funds, taken already, do not suffice, or are beyond a limit; give them back."""
        market, first = legs[0].market, legs[0]
        short = ""
        sides = (first.side,) if first.side == legs[1].side else (first.side, legs[1].side)
        for side in sides:
            asset = market.quote if side == _BUY else market.base
            if account.balance(asset).available < 0 and rise > 0 and not account.unfunded:
                short = asset
        try:
            if short:
                raise Refusal(
                    Code.INSUFFICIENT_FUNDS,
                    f"expected {-account.balance(short).available} atoms of {short} more, was short of them",
                )
            if account.limits is not None:
                for order in legs:
                    terms = order.terms
                    budget = terms.budget_atoms if terms is not None else 0
                    lots = order.qty_lots or risk.budget_lots(market, budget)
                    risk.check_added(account, market, order.side, lots)
        except Refusal:
            self._trading.entry.undo(account, market, first.side, losses[0] - shared)
            self._trading.entry.undo(account, market, legs[1].side, losses[1])
            raise

    def _keep(self, account: Account, fields: Array, done: "Done") -> None:
        """Keep the answer of a leg under its own id."""
        order_id, filled, left = done
        kept = Kept(account, fields, 0, order_id, order_id, filled, left, "")
        account.ids[fields[1]] = kept
        self._state.due_ids.add(kept, fields[3])


def _wrong_legs(command: PlacePair) -> str:
    """Return what was expected of the legs of a pair, or "" if they are as expected."""
    first, second = command.first, command.second
    for leg in (first, second):
        if leg[2] != command.account or leg[3] != command.valid_until_ns:
            return "legs of the pair's account and valid_until_ns"
    if first[4] != second[4]:
        return "legs in one market"
    if len({command.command_id, first[1], second[1]}) < 3:
        return "ids of their own"
    if command.kind == _OCO:
        if first[_SIDE] != second[_SIDE]:
            return "legs of one side"
        for leg in (first, second):
            if not _triggers(leg) and not (_may_rest(leg) and not (len(leg) > _MIN_LOTS and leg[_MIN_LOTS])):
                return "legs with a trigger, or limit orders that may rest without minimum quantity"
        return ""
    if _triggers(first) or not _may_rest(first):
        return "a first order without trigger that may rest"
    return ""


def _triggers(leg: Array) -> bool:
    return len(leg) > _TRIGGER and leg[_TRIGGER] != 0


def _may_rest(leg: Array) -> bool:
    return leg[_TYPE] == _LIMIT and leg[_TIF] not in (_IOC, _FOK)


# ---- images and checks ----------------------------------------------------------------------------------


def pair_row(pair: Pair) -> tuple[int, int, int, int]:
    """Return a pair as plain data."""
    return (pair.kind, pair.first.order_id, pair.second.order_id, pair.shared_atoms)


def restore_pair(state: State, row: tuple[int, int, int, int]) -> None:
    """Join the two orders of a row, which are there already."""
    kind, first, second, shared_atoms = row
    Pair(kind, state.orders[first], state.orders[second], shared_atoms)


def check(state: State) -> None:
    """Verify that every pair is of two open orders of one account and book."""
    for order in state.orders.values():
        if order.terms is None or order.terms.pair is None:
            continue
        pair = order.terms.pair
        assert order is pair.first or order is pair.second
        for leg in (pair.first, pair.second):
            assert state.orders[leg.order_id] is leg and leg.terms is not None and leg.terms.pair is pair
            assert leg.account is order.account and leg.market is order.market
        if pair.kind == _OCO:
            assert pair.shared_atoms == min(pair.first.held_atoms, pair.second.held_atoms)
        else:
            assert pair.shared_atoms == 0 and pair.second.waits == 2
