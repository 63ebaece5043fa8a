"""Placing orders, alone, in pairs and in batches; and what changes and ends them.

It protects the invariant of entry: all is checked before anything changes, in the order of the rules.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus import commands as c
from bus import events as e
from bus.codec import decode_command
from bus.errors import Code

from .naive_odds import LADDER, plus, required, vector
from .naive_state import DAY_NS, Book, Market, Order, Pair, Refusal, refuse_if
from .naive_walk import Walk, Walker

if TYPE_CHECKING:
    from .naive import Naive

YEAR_NS = 366 * DAY_NS
GTT, DAY, IOC, FOK = c.TimeInForce.GTT, c.TimeInForce.DAY, c.TimeInForce.IOC, c.TimeInForce.FOK


@dataclass
class Draft:
    """An order that passed all checks: what it would meet, hold, and whether it waits."""

    book: Book
    terms: c.PlaceAdvanced
    walk: Walk
    waits: int
    hold: int
    plan: list[list[int]] | None
    expires_ns: int
    trigger_ticks: int
    untouched: bool
    advanced: bool
    reserve: list[int] | None


def advanced(p: c.PlaceOrder | c.PlaceAdvanced) -> c.PlaceAdvanced:
    """Return a place with all terms."""
    return p if isinstance(p, c.PlaceAdvanced) else c.PlaceAdvanced(*p)


# ---- checks -----------------------------------------------------------------------------------


def refused_in(state: int, *, places: bool, reduces: bool = False, cancels: bool = False) -> Code | None:
    """Return with which code a market in ``state`` refuses this."""
    s = c.MarketState
    if state == s.SUSPENDED:
        return Code.MARKET_SUSPENDED
    if state >= s.CLOSING:
        return Code.MARKET_CLOSED
    if state == s.HALTED and not cancels:
        return Code.MARKET_HALTED
    if state == s.CANCEL_ONLY and places:
        return Code.MARKET_CANCEL_ONLY
    return None


def check_state(market: Market, **what: bool) -> None:
    """Refuse what the market's state refuses."""
    code = refused_in(market.state, **what)
    if code is not None:
        refuse_if(True, code)


def book_of(x: "Naive", name: str) -> Book:
    """Return the book that an order names."""
    refuse_if(name not in x.books, Code.UNKNOWN_MARKET)
    book = x.books[name]
    removed = book.outcome is not None and book.made.runner in book.outcome.removed
    refuse_if(removed, Code.UNKNOWN_MARKET)
    return book


def book_for_trading(x: "Naive", name: str, account: str, places: bool) -> Book:
    """Return the book if it and the account take this now (``places``: new risk; else a reduce)."""
    book = book_of(x, name)
    check_state(book.market, places=places, reduces=not places)
    refuse_if(x.book_is_busy(book), Code.MARKET_BUSY)
    refuse_if(x.accounts[account].state == c.AccountState.BLOCKED, Code.ACCOUNT_BLOCKED)
    refuse_if(x.account_is_busy(account), Code.ACCOUNT_BUSY)
    refuse_if(places and x.owes(account), Code.SHORTFALL)
    return book


def check_combination(p: c.PlaceAdvanced, book: Book, second: bool) -> None:
    """Refuse what contradicts itself (``second``: of an OTO)."""
    is_market, spot = p.order_type == c.OrderType.MARKET, book.outcome is None
    short = p.time_in_force in (IOC, FOK)
    fixed = p.trigger in (c.Trigger.STOP, c.Trigger.TAKE_PROFIT)
    wrong = [
        (p.qty_lots > 0) == (p.budget_atoms > 0),
        p.budget_atoms > 0 and not (is_market and p.side == c.Side.BUY),
        is_market and (p.price_ticks > 0 or p.post_only or not short),
        p.post_only and short,
        p.time_in_force == FOK and p.budget_atoms > 0,
        p.display_lots > 0 and (is_market or short or p.display_lots >= p.qty_lots),
        p.min_lots > p.qty_lots,
        p.min_lots > 0 and (p.post_only or p.time_in_force == FOK or p.budget_atoms > 0 or p.trigger > 0),
        (p.expires_ns > 0) != (p.time_in_force == GTT),
        (p.trigger_ticks > 0) != fixed or p.trigger_ticks > book.made.price_ticks_max,
        (p.trail_ticks > 0) != (p.trigger == c.Trigger.TRAILING),
        p.trigger > 0 and (p.post_only or (is_market and p.time_in_force != IOC)),
        spot and is_market and p.side == c.Side.BUY and (p.trigger > 0 or second) and p.qty_lots > 0,
        not spot and p.budget_atoms > 0,
        spot and p.persists,
    ]
    refuse_if(any(wrong), Code.INVALID_COMBINATION)


def check_numbers(x: "Naive", p: c.PlaceAdvanced, book: Book) -> None:
    """Refuse what is out of range, or of no group."""
    if p.order_type == c.OrderType.LIMIT:
        check_price(book, p.price_ticks)
    refuse_if(p.qty_lots > book.made.qty_lots_max, Code.QTY_OUT_OF_RANGE)
    refuse_if(p.budget_atoms > c.INT_MAX, Code.AMOUNT_OUT_OF_RANGE)
    timed = p.time_in_force == GTT
    refuse_if(timed and not x.now < p.expires_ns <= x.now + YEAR_NS, Code.EXPIRY_OUT_OF_RANGE)
    groups = x.accounts[p.account].groups
    refuse_if(p.group and p.group not in groups, Code.UNKNOWN_GROUP)
    refuse_if(p.group and groups[p.group].tripped, Code.GROUP_TRIPPED)


def check_price(book: Book, price: int) -> None:
    """Refuse a limit price that the book does not have."""
    in_range = book.price_min <= price <= book.made.price_ticks_max
    refuse_if(not in_range, Code.PRICE_OUT_OF_RANGE)
    odds = book.made.model == c.MarketModel.ODDS
    refuse_if(odds and price not in LADDER, Code.OFF_LADDER)


def check_counts(x: "Naive", p: c.PlaceAdvanced, book: Book, second: bool) -> None:
    """Refuse one more order than allowed."""
    stays = p.order_type == c.OrderType.LIMIT and p.time_in_force not in (IOC, FOK)
    if stays or p.trigger or second:
        mine = [o for o in x.orders.values() if o.account == p.account]
        refuse_if(len(mine) >= x.limits.open_orders_per_account_max, Code.TOO_MANY_OPEN_ORDERS)
        limits = x.limits_of(p.account, book)
        here = sum(x.books[o.market].market is book.market for o in mine)
        refuse_if(
            limits and limits.open_orders_max and here >= limits.open_orders_max, Code.TOO_MANY_OPEN_ORDERS
        )
    if p.trigger == c.Trigger.TRAILING:
        trailing = [o for o in x.orders.values() if o.market == book.name and o.waits and o.terms.trail_ticks]
        refuse_if(len(trailing) >= x.limits.trailing_per_market_max, Code.TOO_MANY_OPEN_ORDERS)


def check_size_and_band(
    x: "Naive", account: str, book: Book, side: int, price: int, lots: int, budget: int
) -> None:
    """Refuse an order above its account's limits, or too far from the last trade."""
    limits = x.limits_of(account, book)
    if limits is not None:
        refuse_if(limits.order_lots_max and lots > limits.order_lots_max, Code.ORDER_TOO_LARGE)
        atoms = budget
        if price and book.outcome is None:
            atoms = price * lots * book.made.unit_atoms
        elif price and book.outcome is not None:
            atoms = -min(vector(book.outcome, book.made.runner, side, price, lots * 100)) // 100
        refuse_if(limits.order_atoms_max and atoms > limits.order_atoms_max, Code.ORDER_TOO_LARGE)
    band, last = book.market.band_ppm, book.last
    far = price and band and last and abs(price - last) * 1_000_000 > last * band
    refuse_if(far, Code.PRICE_OUTSIDE_BAND)


def check_position(
    x: "Naive", account: str, book: Book, side: int, lots: int, hold: int, but: Order | None
) -> None:
    """Refuse an order beyond the position limit; ``hold``: what the account would hold in the market."""
    limits = x.limits_of(account, book)
    if limits is None or not limits.position_max:
        return
    if book.made.model == c.MarketModel.ODDS:
        refuse_if(hold > limits.position_max, Code.POSITION_LIMIT)
        return
    net = book.net.get(account, 0) * (1 if side == c.Side.BUY else -1)
    for order in x.orders.values():
        if order.account == account and order.market == book.name and order.side == side and order is not but:
            net += order.left
    refuse_if(net + lots > limits.position_max, Code.POSITION_LIMIT)


def first_trigger(p: c.PlaceAdvanced, book: Book) -> int:
    """Return the price that triggers the order from here on."""
    if p.trigger != c.Trigger.TRAILING:
        return p.trigger_ticks
    return book.last + (p.trail_ticks if p.side == c.Side.BUY else -p.trail_ticks)


def rises(p: c.PlaceAdvanced) -> bool:
    """Return whether the order waits for a rise."""
    return (p.side == c.Side.BUY) != (p.trigger == c.Trigger.TAKE_PROFIT)


def touched(p: c.PlaceAdvanced, trigger_ticks: int, low: int, high: int) -> bool:
    """Return whether trades from ``low`` to ``high`` trigger the order."""
    return high >= trigger_ticks if rises(p) else low <= trigger_ticks


def check(
    x: "Naive",
    place: c.PlaceOrder | c.PlaceAdvanced,
    second: bool = False,
    crosses_ok: bool = True,
    funds: bool = True,
) -> Draft:
    """Check a place by all rules of an order.

    ``second``: it will wait for the first of its pair. ``crosses_ok``: False for a leg of an OCO, which must
    rest. ``funds``: whether its funds are checked here (those of a pair are checked together).
    """
    p = advanced(place)
    book = book_for_trading(x, p.market, p.account, places=True)
    check_combination(p, book, second)
    gathers = book.market.state == c.MarketState.PRE_OPEN
    at_once = p.time_in_force in (IOC, FOK) or p.post_only or p.min_lots
    refuse_if(gathers and at_once and not p.trigger, Code.NOT_WHILE_GATHERING)
    check_numbers(x, p, book)
    check_counts(x, p, book, second)
    check_size_and_band(x, p.account, book, p.side, p.price_ticks, p.qty_lots, p.budget_atoms)
    if p.trigger == c.Trigger.TRAILING:
        refuse_if(not book.last, Code.NO_LAST_PRICE)
    elif p.trigger and book.last:
        refuse_if(touched(p, p.trigger_ticks, book.last, book.last), Code.ALREADY_TRIGGERED)
    facing = bool(book.within(p.side, p.price_ticks) or x.implied_within(book, p.side, p.price_ticks))
    refuse_if(facing and (p.post_only or not crosses_ok), Code.WOULD_CROSS)
    draft = drafted(x, p, book, second)
    if not (crosses_ok or p.trigger):
        draft.untouched, draft.waits = True, int(e.Waits.NOTHING)  # An OCO leg tries no cross match.
    draft.advanced = isinstance(place, c.PlaceAdvanced)
    check_funds(x, [draft], funds)
    return draft


def drafted(x: "Naive", p: c.PlaceAdvanced, book: Book, second: bool) -> Draft:
    """Find what the order would meet, whether it waits, and what it holds."""
    gathers = book.market.state == c.MarketState.PRE_OPEN
    walker = Walker(x, book, p, p.price_ticks, p.qty_lots * 100, p.budget_atoms, x.fills_max, x.direct_only)
    walk = Walk([]) if gathers else walker.walk()
    is_market = p.order_type == c.OrderType.MARKET
    crosses = not gathers and not walk.meetings and may_cross(p) and x.cross(book, p, p.qty_lots) is not None
    waits = int(e.Waits.NOTHING)
    if second:
        waits = e.Waits.PAIR
    elif p.trigger:
        waits = e.Waits.TRIGGER
    elif book.outcome is not None and book.outcome.bet_delay_ns and (walk.meetings or crosses):
        waits = e.Waits.BET_DELAY
    expires = {GTT: p.expires_ns, DAY: (x.now // DAY_NS + 1) * DAY_NS}.get(c.TimeInForce(p.time_in_force), 0)
    stays = not is_market and p.time_in_force not in (IOC, FOK)
    untouched = not waits and stays and not walk.meetings and not crosses and (gathers or not p.min_lots)
    hold, plan, losses = 0, None, None
    if book.outcome is None:
        hold = spot_hold(book, p, walk)
    else:
        market = book.outcome
        if is_market and not waits:
            plan = [
                [min(0, r) for r in meeting_vector(market_book, p.side, m.maker.price, m.lots, m.kind)]
                for m in walk.ahead()
                for market_book in [m.book]
            ]
            losses = [0] * len(market.runners)
            for each in plan:
                losses = plus(losses, each)
        else:
            price = p.price_ticks or x.worst_price(book, p.side)
            losses = [min(0, r) for r in vector(market, book.made.runner, p.side, price, p.qty_lots * 100)]
    return Draft(book, p, walk, waits, hold, plan, expires, first_trigger(p, book), untouched, False, losses)


def meeting_vector(book: Book, taker_side: int, price: int, lots: int, kind: int) -> list[int]:
    """Return the taker's result of a trade in the maker's book, in hundredths of an atom."""
    assert book.outcome is not None
    side = taker_side if kind != e.TradeKind.IMPLIED else c.Side.BUY + c.Side.SELL - taker_side
    return vector(book.outcome, book.made.runner, side, price, lots * 100)


def may_cross(p: c.PlaceAdvanced) -> bool:
    """Return whether an order with these terms tries to cross other runners' orders."""
    return not (p.order_type == c.OrderType.MARKET or p.post_only or p.time_in_force == FOK or p.min_lots)


def spot_hold(book: Book, p: c.PlaceAdvanced, walk: Walk) -> int:
    """Return the atoms that an order holds on acceptance."""
    if p.budget_atoms:
        return p.budget_atoms
    if p.side == c.Side.SELL:
        return p.qty_lots * book.made.lot_atoms
    if p.price_ticks:
        return p.price_ticks * p.qty_lots * book.made.unit_atoms
    return sum(m.lots * m.maker.price for m in walk.ahead()) * book.made.unit_atoms


def check_funds(x: "Naive", drafts: list[Draft], funds: bool, oco: bool = False) -> None:
    """Check that the account can hold for these orders together, and then the position limits of each."""
    if not funds:
        return
    draft = drafts[0]
    book, account = draft.book, draft.terms.account
    hold = 0
    if book.outcome is None:
        needs: dict[str, int] = {}
        for each in drafts:
            asset = book.asset_held(each.terms.side)
            needs[asset] = max(needs.get(asset, 0), each.hold) if oco else needs.get(asset, 0) + each.hold
        covered = all(x.covers(account, asset, need) for asset, need in needs.items())
    else:
        reserves = [each.reserve for each in drafts if each.reserve is not None]
        if oco:
            reserves = [[min(a, b) for a, b in zip(*reserves, strict=True)]]
        hold = required(x, book.outcome, account, reserves)
        held = book.outcome.held.get(account, 0)
        covered = x.covers(account, book.outcome.made.asset, hold - held)
    refuse_if(not covered, Code.INSUFFICIENT_FUNDS)
    for each in drafts:
        p = each.terms
        lots = p.qty_lots
        if p.budget_atoms:
            asks = book.side(c.Side.SELL)
            price = asks[0].price if asks else book.last
            lots = p.budget_atoms // (price * book.made.unit_atoms) if price else 0
        check_position(x, account, book, p.side, lots, hold, None)


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


# ---- batches ----------------------------------------------------------------------------------


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
