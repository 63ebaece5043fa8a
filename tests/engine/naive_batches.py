"""Batches: commands carried out in order, each as if alone, or all or none.

It protects the invariant of the atomic ones: all is checked, and held for, before anything changes.
"""

from typing import TYPE_CHECKING, Any

from bus import commands as c
from bus import events as e
from bus.codec import decode_command
from bus.errors import Code

from .naive_checks import advanced, book_of, check, check_state, drafted, touched
from .naive_orders import accept, act, check_reduce, named_order, take_off
from .naive_state import DAY_NS, Order, Refusal, refuse_if

if TYPE_CHECKING:
    from .naive import Naive

YEAR_NS = 366 * DAY_NS
GTT, DAY, IOC, FOK = c.TimeInForce.GTT, c.TimeInForce.DAY, c.TimeInForce.IOC, c.TimeInForce.FOK


def submit_batch(x: "Naive", batch: c.SubmitBatch) -> None:
    """Carry out a batch's commands: each as if alone, or all or none."""
    commands: list[Any] = [decode_command(fields) for fields in batch.commands]
    room = x.limits.events_per_transaction_max
    for command in commands:
        alike = (command.account, command.valid_until_ns) == (batch.account, batch.valid_until_ns)
        refuse_if(not alike or x.id_of(command) == batch.command_id, Code.INVALID_COMBINATION)
    if batch.atomic:
        check_atomic_form(x, commands)
    refuse_if(4 * len(commands) + 10 > room, Code.BATCH_REFUSED)
    placed = check_atomic(x, commands) if batch.atomic else []
    x.emit(e.BatchStarted(batch.account, batch.command_id, batch.atomic, len(commands)))
    outcomes = []
    for index, command in enumerate(commands):
        behind = len(commands) - index - 1
        fills = (room - len(x.out) - 4 * behind - 8) // 4
        x.fills_max = min(x.limits.fills_per_order_max, fills)
        answer = carry_out_unchecked(x, command, placed) if batch.atomic else x.execute_known(command, 1)
        outcomes.append((answer.code, answer.order_id, answer.filled_lots, answer.left_lots, ""))
        x.touch()
    done = e.BatchDone(batch.account, batch.command_id, tuple(outcomes))
    x.accounts[batch.account].batches[batch.command_id] = done
    x.emit(done)


def check_atomic_form(x: "Naive", commands: list[Any]) -> None:
    """Refuse an atomic batch of the wrong make."""
    places = [isinstance(command, (c.PlaceOrder, c.PlaceAdvanced)) for command in commands]
    refuse_if(any(isinstance(command, c.ReplaceOrder) for command in commands), Code.INVALID_COMBINATION)
    refuse_if(places != sorted(places), Code.INVALID_COMBINATION)
    ids = [command[0] for command in commands]
    refuse_if(len(set(ids)) < len(ids), Code.INVALID_COMBINATION)
    markets = [
        command.order_type == 2 for command, is_place in zip(commands, places, strict=True) if is_place
    ]
    refuse_if(any(markets), Code.INVALID_COMBINATION)
    named = [names(x, command) for command, is_place in zip(commands, places, strict=True) if not is_place]
    for i, one in enumerate(named):
        for other in named[:i]:
            paired = one is not None and one.partner is other and x.in_pair(one)
            refuse_if(one is not None and (one is other or paired), Code.INVALID_COMBINATION)


def names(x: "Naive", command: Any) -> Order | None:
    """Return the open order whose id a cancel or reduce gives."""
    if (command.order_id > 0) == (command.client_order_id != ""):
        return None
    for order in x.orders.values():
        mine = order.account == command.account
        by_client_id = mine and order.terms.client_order_id == command.client_order_id
        if order.order_id == command.order_id or by_client_id:
            return order
    return None


def check_atomic(x: "Naive", commands: list[Any]) -> list[tuple[Order, int]]:
    """Check all commands of an atomic batch while nothing has changed.

    Return the orders that stand for its places, and what is held for each: they stay until it is accepted.
    """
    ids = x.accounts[commands[0].account].ids
    placed: list[tuple[Order, int]] = []
    try:
        for index, command in enumerate(commands):
            used = x.id_of(command) in ids or len(ids) + index + 1 >= x.limits.ids_per_account_max
            refuse_if(used, Code.BATCH_REFUSED)
            check_one(x, command, placed)
    except Refusal:
        for order, _ in placed:
            book = x.books[order.market]
            del x.orders[order.order_id]
            if book.outcome is None:
                x.change_hold(order, -order.held)
            else:
                x.rehold(book.outcome, order.account)
        raise Refusal(Code.BATCH_REFUSED) from None
    return placed


def check_one(x: "Naive", command: Any, placed: list[tuple[Order, int]]) -> None:
    """Check a command of an atomic batch; a place is held for at once."""
    if isinstance(command, c.CancelOrder):
        check_state(book_of(x, command.market).market, places=False, cancels=True)
        named_order(x, command)
    elif isinstance(command, c.ReduceOrder):
        check_reduce(x, command)
    else:
        draft = check(x, command)
        p, book = draft.terms, draft.book
        order = Order(10**15 + len(placed), p.market, p, p.price_ticks, p.qty_lots)
        order.waits = e.Waits.PAIR if draft.waits else e.Waits.NOTHING  # counts, and is not triggered
        x.orders[order.order_id] = order
        held = draft.hold
        if book.outcome is None:
            x.change_hold(order, held)
        else:
            held = x.rehold(book.outcome, p.account)
        placed.append((order, held))


def carry_out_unchecked(x: "Naive", command: Any, placed: list[tuple[Order, int]]) -> e.Answer:
    """Carry out a command of an atomic batch, all of which were checked."""
    seq = x.next_seq + len(x.out)
    if isinstance(command, (c.PlaceOrder, c.PlaceAdvanced)):
        p = advanced(command)
        book = x.books[p.market]
        facing = bool(book.within(p.side, p.price_ticks) or x.implied_within(book, p.side, p.price_ticks))
        draft = drafted(x, p, book, False)
        draft.advanced = isinstance(command, c.PlaceAdvanced)
        if p.post_only and facing:
            draft.untouched, draft.waits = False, 0
        stood_for, held = placed.pop(0)
        order = accept(x, draft, stood_for, held)
        last = book.last
        if order.waits == e.Waits.TRIGGER and last and touched(p, order.trigger_ticks, last, last):
            book.queue.append(order)
        if not draft.untouched and not order.waits:
            act(x, order)
    elif isinstance(command, c.CancelOrder):
        order = named_order(x, command)
        x.cancel(order, e.CancelReason.REQUESTED)
    else:
        order = named_order(x, command)
        if command.qty_lots <= order.filled:
            x.cancel(order, e.CancelReason.REDUCED_TO_FILLED)
        else:
            take_off(x, order, order.qty - command.qty_lots)
    answer = x.answer_of(order, seq)
    x.keep_id(command, answer)
    return answer
