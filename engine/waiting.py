"""Orders that wait off the book: for a trigger price, for the first order of their pair, for a bet delay.

Invariants: an order that waits is in ``Stops.orders`` of its book and in exactly one of the places of what it
waits for; after each command no order waits whose trigger price the command's trades touched, apart from
those in the book's queue of triggered orders; a book without waiting orders has no `Stops`.

Entering and leaving is O(log trigger prices); what trades touch is found without looking at the others.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from sortedcontainers import SortedDict

from bus.commands import INT_MAX, MarketState, Side, Trigger
from bus.events import Waits

from .book import Market, Order, Terms
from .timers import BET_DELAY

if TYPE_CHECKING:
    from .state import State

_BUY: Final = int(Side.BUY)
_STOP: Final = int(Trigger.STOP)
_TRAILING: Final = int(Trigger.TRAILING)
_OPEN: Final = int(MarketState.OPEN)
_FOR_TRIGGER: Final = int(Waits.TRIGGER)
_FOR_DELAY: Final = int(Waits.BET_DELAY)

Touched = tuple[int, int, Order]
"""Sort key, order id, order."""


class Trail:
    """The trailing orders of one side of a book, their trigger prices and how far they are from moving.

    Parameters
    ----------
    buys
        Whether these are buys: their trigger price follows the lowest price, a sell's the highest.
    """

    __slots__ = ("_furthest", "_nearest", "buys", "orders")

    def __init__(self, buys: bool) -> None:
        self.buys = buys
        self.orders: dict[int, Order] = {}
        self._furthest = INT_MAX
        """A price up to which (of buys: down to which, negative) no order's best price has to follow."""
        self._nearest = -INT_MAX
        """A price down to which (of buys: up to which, negative) no order is touched."""

    def add(self, order: Order) -> None:
        """Add an order; O(1)."""
        terms = order.terms
        assert terms is not None
        self.orders[order.order_id] = order
        self._note(terms)

    def _note(self, terms: Terms) -> None:
        sign = -1 if self.buys else 1
        self._furthest = min(self._furthest, sign * terms.best_ticks)
        self._nearest = max(self._nearest, sign * terms.trigger_ticks)

    def follow(self, low_ticks: int, high_ticks: int) -> list[Order]:
        """Let the trigger prices follow a range of trade prices; return the orders that it then touches.

        O(1) while the range neither moves nor touches any, else O(orders).
        """
        if not self.orders:
            return []
        best, worst = (low_ticks, high_ticks) if self.buys else (high_ticks, low_ticks)
        sign = -1 if self.buys else 1
        if sign * best <= self._furthest and sign * worst > self._nearest:
            return []
        self._furthest, self._nearest = INT_MAX, -INT_MAX
        touched = []
        for order in self.orders.values():
            terms = order.terms
            assert terms is not None
            if sign * best > sign * terms.best_ticks:
                terms.best_ticks = best
                terms.trigger_ticks = best - sign * terms.trail_ticks
            if sign * worst <= sign * terms.trigger_ticks:
                touched.append(order)
            else:
                self._note(terms)
        return touched


class Stops:
    """The orders of one book that wait.

    Attributes
    ----------
    orders
        All of them, in order of acceptance.
    rises, falls
        Those that wait for a rise to (a fall to) a fixed price, by that price (falls: by its negative).
    queue
        Those that are triggered and come to the book next.
    next_rise, next_fall
        The first of those prices, the others are behind them; beyond every price when there is none.
    trailing
        How many of all have a trailing trigger.
    busy
        Whether the book is marked busy for its queue.
    """

    __slots__ = ("busy", "buy_trail", "falls", "next_fall", "next_rise", "orders", "queue", "rises",
                 "sell_trail", "trailing")  # fmt: skip

    def __init__(self) -> None:
        self.orders: SortedDict[int, Order] = SortedDict()
        self.rises: SortedDict[int, dict[int, Order]] = SortedDict()
        self.falls: SortedDict[int, dict[int, Order]] = SortedDict()
        self.next_rise = INT_MAX
        self.next_fall = -INT_MAX
        self.buy_trail = Trail(True)
        self.sell_trail = Trail(False)
        self.queue: OrderedDict[int, Order] = OrderedDict()
        self.trailing = 0
        self.busy = False

    def watch(self, order: Order, terms: Terms) -> None:
        """Let an order wait for its trigger price."""
        if terms.trigger == _TRAILING:
            (self.buy_trail if order.side == _BUY else self.sell_trail).add(order)
            return
        ladder, key = self._place(order, terms)
        at: dict[int, Order] | None = ladder.get(key)
        if at is None:
            at = ladder[key] = {}
            self._find_next()
        at[order.order_id] = order

    def unwatch(self, order: Order, terms: Terms) -> None:
        """Let an order wait for its trigger price no longer."""
        if terms.trigger == _TRAILING:
            del (self.buy_trail if order.side == _BUY else self.sell_trail).orders[order.order_id]
            return
        ladder, key = self._place(order, terms)
        at: dict[int, Order] = ladder[key]
        del at[order.order_id]
        if not at:
            del ladder[key]
            self._find_next()

    def _find_next(self) -> None:
        self.next_rise = self.rises.peekitem(0)[0] if self.rises else INT_MAX
        self.next_fall = -self.falls.peekitem(0)[0] if self.falls else -INT_MAX

    def _place(self, order: Order, terms: Terms) -> tuple["SortedDict[int, dict[int, Order]]", int]:
        if (terms.trigger == _STOP) == (order.side == _BUY):
            return self.rises, terms.trigger_ticks
        return self.falls, -terms.trigger_ticks

    def touched(self, low_ticks: int, high_ticks: int) -> list[Order]:
        """Return the orders that a range of trade prices touches, in the order in which they are triggered.

        O(touched), and the trailing ones where they follow or are touched.
        """
        rising: list[Touched] = []
        falling: list[Touched] = []
        if self.trailing:
            self._follow(low_ticks, high_ticks, rising, falling)
        if high_ticks >= self.next_rise or low_ticks <= self.next_fall:
            for ladder, until, found in ((self.rises, high_ticks, rising), (self.falls, -low_ticks, falling)):
                for key in ladder.irange(None, until):
                    found += [(key, order_id, order) for order_id, order in ladder[key].items()]
        rising.sort()
        falling.sort()
        return [order for _, _, order in rising + falling]

    def _follow(self, low_ticks: int, high_ticks: int, rising: list[Touched], falling: list[Touched]) -> None:
        """Let the trailing ones follow, and add what is touched."""
        for order in self.buy_trail.follow(low_ticks, high_ticks):
            assert order.terms is not None
            rising.append((order.terms.trigger_ticks, order.order_id, order))
        for order in self.sell_trail.follow(low_ticks, high_ticks):
            assert order.terms is not None
            falling.append((-order.terms.trigger_ticks, order.order_id, order))


# ---- entering and leaving -------------------------------------------------------------------------------


def enter(state: "State", order: Order) -> None:
    """Let an order wait for what its terms say (`bus.events.Waits`).

    A second order of a pair enters again when it waits on for its trigger. An order of an atomic batch may be
    touched already, by an earlier one.
    """
    market, terms = order.market, order.terms
    assert terms is not None
    stops = _join(market, order, terms)
    if terms.waits == _FOR_DELAY:
        assert market.outcome is not None
        state.timers.set(state.now_ns + market.outcome.bet_delay_ns, BET_DELAY, order.order_id)
    elif terms.waits == _FOR_TRIGGER:
        if is_there(order, terms):
            put_in_queue(state, order)
        else:
            stops.watch(order, terms)


def restart_trail(order: Order, terms: Terms) -> None:
    """Let a trailing order follow from the last trade price on."""
    if terms.trigger == _TRAILING:
        terms.best_ticks = last = order.market.last_price_ticks
        terms.trigger_ticks = last + (terms.trail_ticks if order.side == _BUY else -terms.trail_ticks)


def is_there(order: Order, terms: Terms) -> bool:
    """Return whether the last trade price is at or beyond a fixed trigger price."""
    price_ticks = order.market.last_price_ticks
    if not price_ticks or terms.trigger == _TRAILING:
        return False
    if (terms.trigger == _STOP) == (order.side == _BUY):
        return price_ticks >= terms.trigger_ticks
    return price_ticks <= terms.trigger_ticks


def _join(market: Market, order: Order, terms: Terms) -> Stops:
    stops = market.stops
    if stops is None:
        stops = market.stops = Stops()
        market.low_ticks = market.high_ticks = 0
        market.watch()
    stops.orders[order.order_id] = order
    stops.trailing += terms.trigger == _TRAILING
    return stops


def leave(state: "State", order: Order) -> None:
    """Take an order out of wherever it waits."""
    market, terms = order.market, order.terms
    stops = market.stops
    assert stops is not None and terms is not None
    del stops.orders[order.order_id]
    stops.trailing -= terms.trigger == _TRAILING
    if order.order_id in stops.queue:
        _leave_queue(state, market, stops, order)
    elif terms.waits == _FOR_TRIGGER:
        stops.unwatch(order, terms)
    elif terms.waits == _FOR_DELAY:
        state.timers.clear(BET_DELAY, order.order_id)
        overdue = state.overdue.get(market.number)
        if overdue is not None and overdue.pop(order.order_id, None) is not None and not overdue:
            del state.overdue[market.number]
    if not stops.orders:
        market.stops = None
        market.watch()


# ---- triggered orders -----------------------------------------------------------------------------------


def put_in_queue(state: "State", order: Order) -> None:
    """Put a waiting order to the end of its book's triggered ones."""
    market = order.market
    assert market.stops is not None
    market.stops.queue[order.order_id] = order
    state.triggered[market.number] = market


def _leave_queue(state: "State", market: Market, stops: Stops, order: Order) -> None:
    del stops.queue[order.order_id]
    if not stops.queue:
        del state.triggered[market.number]
        if stops.busy:
            stops.busy = False
            market.mark(busy=market.busy - 1)


def look(state: "State") -> None:
    """Trigger what the trades since the last look touch; O(books traded in + touched)."""
    for market in state.touched.values():
        low_ticks, high_ticks = market.low_ticks, market.high_ticks
        market.low_ticks = market.high_ticks = 0
        stops = market.stops
        if stops is not None and low_ticks:
            for order in stops.touched(low_ticks, high_ticks):
                terms = order.terms
                assert terms is not None
                stops.unwatch(order, terms)
                put_in_queue(state, order)
    state.touched.clear()


def mark_busy(state: "State") -> None:
    """Mark the books busy whose queue of triggered orders is not empty; at the end of a command."""
    for market in state.triggered.values():
        stops = market.stops
        assert stops is not None
        if not stops.busy:
            stops.busy = True
            market.mark(busy=market.busy + 1)


def may_go(state: "State", market: Market) -> bool:
    """Return whether orders that waited may come to a book now; O(jobs)."""
    if market.state != _OPEN:
        return False
    return not any(job.holds_back(market) for job in state.jobs)


def put_off(state: "State", order: Order, due_ns: int) -> None:
    """Let an order whose bet delay is over wait until it may go to its book."""
    state.overdue.setdefault(order.market.number, {})[order.order_id] = due_ns


def has_late(state: "State") -> bool:
    """Return whether an order that was put off may go now; O(books with such orders)."""
    return any(may_go(state, state.books[number]) for number in state.overdue)


def recall_late(state: "State") -> None:
    """Let the orders that were put off and may go now be due as they were."""
    for number in [n for n in state.overdue if may_go(state, state.books[n])]:
        for order_id, due_ns in state.overdue.pop(number).items():
            state.timers.set(due_ns, BET_DELAY, order_id)


def next_triggered(state: "State") -> Order | None:
    """Return the triggered order that comes to its book next: of the first book, the first of its queue."""
    for market in state.triggered.values():
        if may_go(state, market):
            assert market.stops is not None
            order: Order = next(iter(market.stops.queue.values()))
            return order
    return None


# ---- images and checks ----------------------------------------------------------------------------------


def restore_order(state: "State", order: Order) -> None:
    """Let an order of an image wait as its terms say; in order of their ids."""
    terms = order.terms
    assert terms is not None
    stops = _join(order.market, order, terms)
    if terms.waits == _FOR_TRIGGER:
        stops.watch(order, terms)


def queue_row(market: Market) -> tuple[str, bool, tuple[int, ...]]:
    """Return a book's queue of triggered orders as plain data."""
    assert market.stops is not None
    return (market.name, market.stops.busy, tuple(market.stops.queue))


def restore_queue(state: "State", row: tuple[str, bool, tuple[int, ...]]) -> None:
    """Put a book's triggered orders into its queue; they wait already."""
    name, busy, order_ids = row
    stops = state.markets[name].stops
    assert stops is not None
    stops.busy = busy
    for order_id in order_ids:
        order = state.orders[order_id]
        assert order.terms is not None
        if order.terms.waits == _FOR_TRIGGER:
            stops.unwatch(order, order.terms)
        put_in_queue(state, order)


def check(state: "State") -> None:
    """Verify that every waiting order is where it belongs; O(orders)."""
    waiting = {order_id: order for order_id, order in state.orders.items() if order.waits}
    for market in state.markets.values():
        if market.stops is not None:
            _check_stops(state, market, market.stops, waiting)
        assert (market.number in state.triggered) == (market.stops is not None and bool(market.stops.queue))
    assert not waiting, "every waiting order is in its book's stops"
    for number, overdue in state.overdue.items():
        assert overdue
        for order_id in overdue:
            order = state.orders[order_id]
            assert order.waits == _FOR_DELAY and order.market.number == number
            assert not state.timers.is_set(BET_DELAY, order_id)


def _check_stops(state: "State", market: Market, stops: Stops, waiting: dict[int, Order]) -> None:
    assert stops.orders and stops.busy == bool(stops.queue)
    assert list(stops.orders) == sorted(stops.orders)
    assert stops.next_rise == (stops.rises.peekitem(0)[0] if stops.rises else INT_MAX)
    assert stops.next_fall == (-stops.falls.peekitem(0)[0] if stops.falls else -INT_MAX)
    watched: dict[int, Order] = {**stops.buy_trail.orders, **stops.sell_trail.orders}
    for ladder in (stops.rises, stops.falls):
        for key, at in ladder.items():
            assert at
            for order in at.values():
                assert order.terms is not None and order.terms.trigger_ticks == abs(key)
            watched.update(at)
    trailing = 0
    for order_id, order in stops.orders.items():
        assert waiting.pop(order_id) is order and order.market is market
        terms = order.terms
        assert terms is not None
        trailing += terms.trigger == _TRAILING
        if order_id in stops.queue:
            assert order_id not in watched
        elif terms.waits == _FOR_TRIGGER:
            assert watched.pop(order_id) is order
            assert not is_there(order, terms), "an order is left behind"
        elif terms.waits == _FOR_DELAY:
            overdue = state.overdue.get(market.number, {})
            assert state.timers.is_set(BET_DELAY, order_id) or order_id in overdue
    assert stops.trailing == trailing and not watched
