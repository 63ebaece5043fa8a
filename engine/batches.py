"""Batches: many commands on orders in one transaction, each for itself, or (atomic) all or none.

Invariants: an atomic batch is refused before anything has changed, or none of its commands is; the events of
a batch fit into one transaction, because its orders stop trading in time.
"""

from typing import TYPE_CHECKING, Any, Final

from bus.commands import (
    COMMAND_NUMBERS,
    CancelOrder,
    OrderType,
    PlaceAdvanced,
    PlaceOrder,
    ReduceOrder,
    ReplaceOrder,
    SubmitBatch,
)
from bus.errors import Code
from bus.events import BatchDone, BatchStarted, CommandRejected, CommandRepeated

from . import states, waiting
from .accounts import Account, Chain, Kept
from .book import Order
from .state import Array, Refusal, State

if TYPE_CHECKING:
    from .trading import Done, Trading

_PLACE: Final = COMMAND_NUMBERS[PlaceOrder]
_ADVANCED: Final = COMMAND_NUMBERS[PlaceAdvanced]
_CANCEL: Final = COMMAND_NUMBERS[CancelOrder]
_REDUCE: Final = COMMAND_NUMBERS[ReduceOrder]
_REPLACE: Final = COMMAND_NUMBERS[ReplaceOrder]
_PLACES: Final = (_PLACE, _ADVANCED)
_MARKET: Final = int(OrderType.MARKET)

Outcome = tuple[int, int, int, int, str]
"""Code, order id, filled lots, left lots, detail."""


class Admitted:
    """A place of an atomic batch that was checked and whose funds are held, but that nobody knows of yet."""

    __slots__ = ("chain", "fields", "held_atoms", "loss_atoms", "made_chain", "order")

    def __init__(self, order: Order, fields: Array, held_atoms: int, loss_atoms: int) -> None:
        self.order = order
        self.fields = fields
        self.held_atoms = held_atoms
        self.loss_atoms = loss_atoms
        chains, name = order.account.chains, order.market.name
        chain = chains.get(name)
        self.made_chain = chain is None
        if chain is None:
            chain = chains[name] = Chain()
        self.chain = chain

    def count(self, orders: int) -> None:
        """Count it in (1) or out (-1) as an open order, for the limits of the places behind it."""
        order = self.order
        order.account.open_orders += orders
        self.chain.count += orders
        self.chain.change(order.side, orders * order.qty_lots)
        if orders < 0 and self.made_chain:
            del order.account.chains[order.market.name]


class Batches:
    """Carries out SubmitBatch."""

    def __init__(self, state: State, trading: "Trading") -> None:
        self._state = state
        self._trading = trading

    def submit(self, account: Account, command: SubmitBatch) -> "Done":
        """Carry out a batch; the sum of what its commands cost."""
        state, commands = self._state, command.commands
        _check_owner(command)
        if command.atomic:
            self._check_atomic(account, command)
        needed, events_max = 4 * len(commands) + 10, state.limits.events_per_transaction_max
        if needed > events_max:
            raise Refusal(
                Code.BATCH_REFUSED, f"expected a batch of at most {events_max} events, was up to {needed}"
            )
        admitted = self._admit_all(account, commands) if command.atomic else []
        started = BatchStarted(account.name, command.command_id, command.atomic, len(commands))
        state.emit(started)
        outcomes: list[Outcome] = []
        for number, fields in enumerate(commands):
            self._bound_fills(len(commands) - number - 1)
            if command.atomic:
                outcomes.append(self._carry_out_admitted(account, fields, admitted))
            else:
                outcomes.append(self._carry_out(account, fields))
            if state.touched:
                waiting.look(state)
        state.fills_max = state.limits.fills_per_order_max
        told = tuple(outcomes)
        state.batch_outcomes[account.name, command.command_id] = told
        state.emit(BatchDone(account.name, command.command_id, told))
        return (0, 0, 0)

    def _bound_fills(self, commands_behind: int) -> None:
        """Let an order stop in time for the commands behind it to have room in the transaction."""
        limits = self._state.limits
        room = limits.events_per_transaction_max - len(self._state.events) - 4 * commands_behind - 8
        self._state.fills_max = max(0, min(limits.fills_per_order_max, room // 4))

    def _carry_out(self, account: Account, fields: Array) -> Outcome:
        """Carry out a command as if it had come alone."""
        state, command_id = self._state, fields[1]
        kept = account.ids.get(command_id)
        if kept is not None:
            if kept.fields != fields:
                return self._reject(
                    fields,
                    Code.DUPLICATE_ID,
                    f"expected a new id, was {command_id} which another command had",
                )
            state.emit(CommandRepeated(account.name, command_id, *kept.answer))
            return (kept.code, kept.order_id, kept.filled_lots, kept.left_lots, kept.detail)
        ids_max = state.limits.ids_per_account_max
        if len(account.ids) + 1 >= ids_max:
            return self._reject(
                fields, Code.TOO_MANY_IDS, f"expected fewer than {ids_max} ids kept, was {ids_max}"
            )
        seq = state.next_seq + len(state.events)
        try:
            done = self._handle(account, fields)
        except Refusal as refusal:
            outcome = self._reject(fields, refusal.code, refusal.detail)
        else:
            outcome = (0, *done, "")
        self._keep(account, fields, seq, outcome)
        return outcome

    def _handle(self, account: Account, fields: Array) -> "Done":
        trading, number = self._trading, fields[0]
        if number in _PLACES:
            return trading.place(account, fields)
        if number == _CANCEL:
            return trading.cancel(account, fields)
        if number == _REDUCE:
            return trading.reduce(account, ReduceOrder(*fields[1:]))
        return trading.replace(account, ReplaceOrder(*fields[1:]))

    def _reject(self, fields: Array, code: Code, detail: str) -> Outcome:
        self._state.emit(CommandRejected(fields[2], fields[1], int(code), detail))
        return (int(code), 0, 0, 0, detail)

    def _keep(self, account: Account, fields: Array, seq: int, outcome: Outcome) -> None:
        code, order_id, filled, left, detail = outcome
        kept = Kept(account, fields, code, seq, order_id, filled, left, detail)
        account.ids[fields[1]] = kept
        self._state.due_ids.add(kept, fields[3])

    # ---- atomic -------------------------------------------------------------------------------------

    def _check_atomic(self, account: Account, command: SubmitBatch) -> None:
        """Refuse commands that do not go together in an atomic batch."""
        expected, placing = "", False
        ids: dict[str, None] = {}
        named: dict[int, None] = {}
        for fields in command.commands:
            fields_: Array = fields
            number = fields_[0]
            places = number in _PLACES
            if number == _REPLACE or (placing and not places):
                expected = "cancels and reduces first, then places, no replaces"
            elif places and fields_[6] == _MARKET:
                expected = "limit orders"
            elif fields_[1] in ids:
                expected = "commands with different ids"
            elif not places:
                order = self._named(account, fields_)
                if order and order in named:
                    expected = "commands on different orders, and of different pairs"
                named[order] = None
            if expected:
                raise Refusal(Code.INVALID_COMBINATION, f"expected {expected} (atomic), was {fields_[1]}")
            ids[fields_[1]] = None
            placing = placing or places

    def _named(self, account: Account, fields: Array) -> int:
        """Return the open order that a cancel or reduce names, or the first of its pair; 0: none."""
        order_id: int = fields[5]
        if not order_id:
            kept = account.ids.get(fields[6])
            if kept is None or kept.fields[0] not in _PLACES:
                return 0
            order_id = kept.order_id
        order = self._state.orders.get(order_id)
        if order is not None and order.terms is not None and order.terms.pair is not None:
            return order.terms.pair.first.order_id
        return order_id if order is not None else 0

    def _admit_all(self, account: Account, commands: tuple[Array, ...]) -> list[Admitted]:
        """Check every command and hold the places' funds; refuse the batch if one fails, nothing changed."""
        admitted: list[Admitted] = []
        refused = ""
        for number, fields in enumerate(commands):
            try:
                self._admit(account, fields, len(commands), admitted)
            except Refusal as refusal:
                refused = f"expected {len(commands)} commands that are all accepted, was command {number + 1}"
                refused += f" ({fields[1]}) refused: {refusal.code.name}: {refusal.detail}"
                break
        for place in reversed(admitted):
            place.count(-1)
            if refused:
                order = place.order
                self._trading.entry.undo(account, order.market, order.side, place.loss_atoms)
        if refused:
            raise Refusal(Code.BATCH_REFUSED, refused)
        return admitted

    def _admit(self, account: Account, fields: Array, commands: int, admitted: list[Admitted]) -> None:
        """Check one command; of a place hold the funds, and add it."""
        state, trading, command_id = self._state, self._trading, fields[1]
        if command_id in account.ids:
            raise Refusal(Code.DUPLICATE_ID, f"expected a new id, was {command_id} which a command had")
        ids, ids_max = len(account.ids) + 1 + commands, state.limits.ids_per_account_max
        if ids > ids_max:
            raise Refusal(Code.TOO_MANY_IDS, f"expected at most {ids_max} ids kept, was {ids}")
        if fields[0] in _PLACES:
            entry = trading.entry
            order = entry.check(account, fields)
            place = Admitted(order, fields, entry.held_atoms, entry.loss_atoms)
            place.count(1)
            admitted.append(place)
        elif fields[0] == _CANCEL:
            market = state.market(fields[4])
            if market.shut:
                states.check_cancel(market)
            trading.find(account, market, fields[5], fields[6])
        else:
            trading.find_to_reduce(account, ReduceOrder(*fields[1:]))

    def _carry_out_admitted(self, account: Account, fields: Array, admitted: list[Admitted]) -> Outcome:
        """Carry out a command that was checked."""
        seq = self._state.next_seq + len(self._state.events)
        done = self._place(admitted.pop(0)) if fields[0] in _PLACES else self._handle(account, fields)
        outcome: Outcome = (0, *done, "")
        self._keep(account, fields, seq, outcome)
        return outcome

    def _place(self, place: Admitted) -> "Done":
        trading, order, fields = self._trading, place.order, place.fields
        trading.entry.decide_delay(order, fields)
        if order.terms is not None:
            waiting.restart_trail(order, order.terms)
        if trading.accept(order, fields, place.held_atoms):
            return (order.order_id, 0, order.total_left)
        return trading.carry_out(order, fields[6], fields[7], fields[11], place.loss_atoms)


def _check_owner(command: SubmitBatch) -> None:
    """Refuse commands of another account or validity than the batch's, or with its id."""
    for fields in command.commands:
        if (fields[2], fields[3]) != (command.account, command.valid_until_ns):
            raise Refusal(
                Code.INVALID_COMBINATION,
                "expected commands of the batch's account and valid_until_ns,"
                f" was {fields[2]} and {fields[3]}",
            )
        if fields[1] == command.command_id:
            raise Refusal(
                Code.INVALID_COMBINATION, f"expected another id than the batch's, was {command.command_id}"
            )


# ---- images and checks ----------------------------------------------------------------------------------


def outcomes_rows(state: State) -> list[tuple[Any, ...]]:
    """Return the outcomes of all batches that are kept as plain data."""
    return [(*key, outcomes) for key, outcomes in state.batch_outcomes.items()]


def restore_outcomes(state: State, row: tuple[Any, ...]) -> None:
    """Add the outcomes of a row."""
    account, command_id, outcomes = row
    state.batch_outcomes[account, command_id] = tuple(
        (code, order_id, filled, left, detail) for code, order_id, filled, left, detail in outcomes
    )


def check(state: State) -> None:
    """Verify that outcomes are kept exactly of the batches whose ids are."""
    for account, command_id in state.batch_outcomes:
        kept = state.accounts[account].ids[command_id]
        assert kept.fields[0] == COMMAND_NUMBERS[SubmitBatch] and not kept.code
