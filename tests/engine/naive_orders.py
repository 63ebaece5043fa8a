"""Orders alone and in pairs: accepted, brought to the book, changed.

It protects the invariant that an order that was accepted ends in one way: filled, resting, waiting or
cancelled.
"""

from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e
from bus.codec import decode_command
from bus.errors import Code

from .naive_checks import (
    Draft,
    advanced,
    book_for_trading,
    book_of,
    check,
    check_funds,
    check_position,
    check_price,
    check_size_and_band,
    check_state,
    may_cross,
)
from .naive_odds import required
from .naive_state import DAY_NS, Order, Pair, refuse_if
from .naive_walk import Walk

if TYPE_CHECKING:
    from .naive import Naive

YEAR_NS = 366 * DAY_NS
GTT, DAY, IOC, FOK = c.TimeInForce.GTT, c.TimeInForce.DAY, c.TimeInForce.IOC, c.TimeInForce.FOK


# ---- placing ----------------------------------------------------------------------------------


def accept(x: "Naive", draft: Draft, stood_for: Order | None = None, held: int = 0) -> Order:
    """Accept an order: hold its funds and tell it; it rests if it meets nothing, or waits.

    ``stood_for`` is what held its funds (``held``) while an atomic batch was checked.
    """
    p, book = draft.terms, draft.book
    order = Order(x.next_seq + len(x.out), p.market, p, p.price_ticks, p.qty_lots)
    order.expires_ns, order.trigger_ticks, order.plan = draft.expires_ns, draft.trigger_ticks, draft.plan
    order.waits = draft.waits
    order.group = x.accounts[p.account].groups.get(p.group) if p.group else None
    if order.waits == e.Waits.BET_DELAY and book.outcome is not None:
        order.due_ns = x.now + book.outcome.bet_delay_ns
    order.show()
    x.orders[order.order_id] = order
    if book.outcome is not None:
        x.name_account(book.outcome, p.account)
    if stood_for is not None:
        del x.orders[stood_for.order_id]
        order.held = stood_for.held
    elif book.outcome is None:
        held = draft.hold
        x.change_hold(order, held)
    else:
        held = x.rehold(book.outcome, p.account)
    if draft.untouched:
        book.resting.append(order)
    if draft.untouched or order.waits:
        x.opened(order)
    tail = x.tail(order, order.price, on_book=draft.untouched)
    size = (p.price_ticks, p.qty_lots, p.budget_atoms)
    terms = (p.side, p.order_type, p.time_in_force, p.post_only)
    x.emit(e.OrderAccepted(*x.head(order), p.client_order_id, *terms, *size, held, *tail))
    if draft.advanced or order.waits:
        trigger = (p.trigger, order.trigger_ticks, p.trail_ticks, order.expires_ns)
        rest = (p.prevention, p.group, p.persists, order.waits)
        x.emit(e.OrderTermsSet(*x.head(order), p.display_lots, p.min_lots, *trigger, *rest))
    return order


def place(x: "Naive", p: c.PlaceOrder | c.PlaceAdvanced) -> Order:
    """Place an order: check, hold, match, then rest or cancel what is left."""
    draft = check(x, p)
    order = accept(x, draft)
    if not draft.untouched and not order.waits:
        act(x, order)
    return order


def act(x: "Naive", order: Order, triggered: bool = False) -> None:
    """Bring an order to the book: it trades, and rests or is cancelled."""
    book, p = x.books[order.market], order.terms
    gathers = book.market.state == c.MarketState.PRE_OPEN
    facing = book.within(order.side, order.price) or x.implied_within(book, order.side, order.price)
    if p.post_only and facing and not gathers:
        x.cancel(order, e.CancelReason.POST_ONLY)
        return
    walk = Walk([]) if gathers else x.walk(order)
    reach = walk.hundredths_ahead()
    if p.time_in_force == FOK and reach < order.hundredths:
        x.cancel(order, e.CancelReason.FOK)
    elif p.min_lots and reach < p.min_lots * 100:
        x.cancel(order, e.CancelReason.MIN_QTY)
    else:
        finish(x, order, *x.carry_out(order, walk), fills=len(walk.meetings))


def finish(x: "Naive", order: Order, stopped: int, more: bool, fills: int, rests: bool = False) -> None:
    """Rest or cancel what an order has left (``rests``: it was replaced)."""
    if order.order_id not in x.orders:
        return
    book, reason = x.books[order.market], stopped
    if stopped:
        x.cancel(order, stopped)
        return
    if x.is_filled(order):
        x.ended(order, filled=True)
        return
    if more:
        x.cancel(order, e.CancelReason.FILLS_LIMIT)
        return
    gathers = book.market.state == c.MarketState.PRE_OPEN
    if order.left and may_cross(order.terms) and not gathers:
        reason = x.cross_all(order, fills)
        if order.order_id not in x.orders:
            return
        if reason:
            x.cancel(order, reason)
            return
    if order.budget:
        ended = not book.within(order.side, 0)
        x.cancel(order, e.CancelReason.NO_LIQUIDITY if ended else e.CancelReason.BUDGET_SPENT)
    elif not order.left:
        x.cancel(order, e.CancelReason.DUST)
    elif order.is_market:
        x.cancel(order, e.CancelReason.NO_LIQUIDITY)
    elif not order.may_rest and not rests:
        x.cancel(order, e.CancelReason.IOC)
    else:
        if order.used % 100:
            order.qty -= 1
            order.used -= order.used % 100
            released = -x.rehold_order(order)
            what = (order.side, order.price, order.qty, order.left, released, 0, 0)
            x.emit(e.OrderReduced(*x.head(order), *what))
        rest(x, order)


def rest(x: "Naive", order: Order) -> None:
    """Put an order at the back of the book."""
    order.show()
    x.books[order.market].resting.append(order)
    x.opened(order)
    tail = x.tail(order, order.price)
    x.emit(e.OrderRested(*x.head(order), order.side, order.price, order.left, *tail))


# ---- pairs ------------------------------------------------------------------------------------


def place_pair(x: "Naive", pair: c.PlacePair) -> Order:
    """Place two orders that belong together, or none."""
    legs = [decode_command(pair.first), decode_command(pair.second)]
    places = [leg for leg in legs if isinstance(leg, (c.PlaceOrder, c.PlaceAdvanced))]
    refuse_if(len(places) < 2, Code.INVALID_COMBINATION)
    first, second = advanced(places[0]), advanced(places[1])
    head = (pair.account, pair.valid_until_ns, first.market)
    oco = pair.kind == c.PairKind.OCO
    wrong = [
        any((leg.account, leg.valid_until_ns, leg.market) != head for leg in (first, second)),
        len({pair.command_id, first.client_order_id, second.client_order_id}) < 3,
        oco and first.side != second.side,
        oco and any(not leg.trigger and (not stays(leg) or leg.min_lots) for leg in (first, second)),
        not oco and (first.trigger or not stays(first)),
    ]
    refuse_if(any(wrong), Code.INVALID_COMBINATION)
    ids = x.accounts[pair.account].ids
    used = any(leg.client_order_id in ids for leg in (first, second))
    refuse_if(used, Code.DUPLICATE_ID)
    refuse_if(len(ids) + 3 > x.limits.ids_per_account_max, Code.TOO_MANY_IDS)
    drafts = [
        check(x, places[0], crosses_ok=not oco or first.trigger > 0, funds=False),
        check(x, places[1], second=not oco, crosses_ok=not oco or second.trigger > 0, funds=False),
    ]
    check_funds(x, drafts, funds=True, oco=oco)
    orders = [accept(x, draft) for draft in drafts]
    joined = orders[0].pair = orders[1].pair = Pair(pair.kind, orders[0], orders[1])
    book, released = drafts[0].book, 0
    if oco and book.outcome is None:
        released = joined.saved = min(order.held for order in orders)
        x.move(pair.account, book.asset_held(first.side), released, -released)
    elif oco and book.outcome is not None:
        released = -x.rehold(book.outcome, pair.account)
    ids_and_side = (pair.kind, orders[0].order_id, orders[1].order_id, first.side, released)
    seq = x.account_seq(pair.account)
    x.emit(e.PairPlaced(pair.account, seq, book.name, pair.command_id, *ids_and_side))
    for order, draft in zip(orders, drafts, strict=True):
        if not draft.untouched and not order.waits and order.order_id in x.orders:
            act(x, order)
    for order, leg in zip(orders, places, strict=True):
        x.keep_id(leg, x.answer_of(order, order.order_id))
    return orders[0]


def stays(p: c.PlaceAdvanced) -> bool:
    """Return whether what is left of a limit order rests."""
    return p.order_type == c.OrderType.LIMIT and p.time_in_force not in (IOC, FOK)


# ---- changes ----------------------------------------------------------------------------------


def named_order(x: "Naive", command: c.CancelOrder | c.ReduceOrder | c.ReplaceOrder) -> Order:
    """Return the open order that a command names."""
    by_id, by_client_id = command.order_id > 0, command.client_order_id != ""
    refuse_if(by_id == by_client_id, Code.INVALID_COMBINATION)
    for order in x.orders.values():
        if order.market != command.market:
            continue
        if by_id and order.order_id == command.order_id:
            refuse_if(order.account != command.account, Code.NOT_OWNER)
            return order
        mine = order.account == command.account
        if by_client_id and mine and order.terms.client_order_id == command.client_order_id:
            return order
    refuse_if(True, Code.UNKNOWN_ORDER)
    raise AssertionError


def cancel_named(x: "Naive", command: c.CancelOrder) -> Order:
    """Cancel an order."""
    check_state(book_of(x, command.market).market, places=False, cancels=True)
    order = named_order(x, command)
    x.cancel(order, e.CancelReason.REQUESTED)
    return order


def check_reduce(x: "Naive", command: c.ReduceOrder) -> Order:
    """Check a reduce."""
    book_for_trading(x, command.market, command.account, places=False)
    order = named_order(x, command)
    refuse_if(x.in_pair(order) or order.budget, Code.NOT_REPLACEABLE)
    refuse_if(command.qty_lots >= order.qty, Code.QTY_NOT_REDUCED)
    return order


def reduce(x: "Naive", command: c.ReduceOrder) -> Order:
    """Lower an order's total quantity; it keeps its place."""
    order = check_reduce(x, command)
    if command.qty_lots <= order.filled:
        x.cancel(order, e.CancelReason.REDUCED_TO_FILLED)
    else:
        take_off(x, order, order.qty - command.qty_lots)
    return order


def take_off(x: "Naive", order: Order, lots: int) -> None:
    """Take lots off an open order's total, of its hidden part first."""
    order.qty -= lots
    order.shown = min(order.shown, order.left)
    released = -x.rehold_order(order)
    what = (order.side, order.price, order.qty, order.left, released)
    tail = x.tail(order, order.price, on_book=not order.waits)
    x.emit(e.OrderReduced(*x.head(order), *what, *tail))


def replace(x: "Naive", command: c.ReplaceOrder) -> Order:
    """Give an order a new price and total; it goes to the back, and may trade at once."""
    book = book_for_trading(x, command.market, command.account, places=True)
    order = named_order(x, command)
    delayed = book.outcome is not None and book.outcome.bet_delay_ns > 0
    refuse_if(x.in_pair(order) or order.waits or delayed, Code.NOT_REPLACEABLE)
    price, qty = command.price_ticks, command.qty_lots
    check_price(book, price)
    refuse_if(not 1 <= qty <= book.made.qty_lots_max, Code.QTY_OUT_OF_RANGE)
    if qty <= order.filled:
        x.cancel(order, e.CancelReason.REDUCED_TO_FILLED)
        return order
    check_size_and_band(x, order.account, book, order.side, price, qty, 0)
    facing = bool(book.within(order.side, price) or x.implied_within(book, order.side, price))
    gathers = book.market.state == c.MarketState.PRE_OPEN
    refuse_if(order.terms.post_only and facing and not gathers, Code.WOULD_CROSS)
    old_price, old_qty = order.price, order.qty
    order.price, order.qty = price, qty
    hold = 0
    if book.outcome is None:
        change = x.spot_hold_of(order) - order.held
        covered = x.covers(order.account, book.asset_held(order.side), change)
    else:
        hold = required(x, book.outcome, order.account)
        covered = x.covers(
            order.account, book.outcome.made.asset, hold - book.outcome.held.get(order.account, 0)
        )
    try:
        refuse_if(not covered, Code.INSUFFICIENT_FUNDS)
        check_position(x, order.account, book, order.side, order.left, hold, order)
    except Exception:
        order.price, order.qty = old_price, old_qty
        raise
    book.resting.remove(order)
    order.show()
    held_change = x.rehold_order(order)
    what = (order.side, old_price, price, qty, order.left, held_change)
    x.emit(e.OrderReplaced(*x.head(order), *what, *x.tail(order, old_price)))
    if gathers:
        rest(x, order)
    else:
        walk = x.walk(order)
        finish(x, order, *x.carry_out(order, walk), fills=len(walk.meetings), rests=True)
    return order
