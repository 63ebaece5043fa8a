"""What is checked before an order is accepted: all of it, in the order of the rules, and nothing changes.

It protects the invariant that a refused order leaves no trace.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e
from bus.errors import Code

from .naive_odds import LADDER, plus, required, vector
from .naive_state import DAY_NS, Book, Market, Order, refuse_if
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
