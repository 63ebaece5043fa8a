"""Follow-ups, what trades trigger, and what is due by time.

It protects the order of steps: the same after every command, whatever came before.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e

from .naive_auctions import uncross_price
from .naive_cancels import begin_mass_cancel, begin_trip
from .naive_checks import first_trigger, rises, touched
from .naive_odds import offer
from .naive_orders import act
from .naive_state import Book, Order, Outcome
from .naive_trades import break_pair, cancel

if TYPE_CHECKING:
    from .naive import Naive


def queue_waits(x: "Naive", book: Book) -> bool:
    """Return whether a book's triggered orders must wait."""
    return book.market.state != c.MarketState.OPEN or any(book.name in job.busy_books for job in x.jobs)


def follow_up(x: "Naive") -> Callable[[], None] | None:
    """Return what does the next follow-up."""
    if x.trips:
        return lambda: begin_trip(x, x.trips.pop(0))
    for book in x.books.values():
        if book.queue and not queue_waits(x, book):
            return lambda book=book: trigger(x, book.queue[0])  # type: ignore[misc]
    return None


def trigger(x: "Naive", order: Order) -> None:
    """Bring an order that waited to the book."""
    book, waited = x.books[order.market], order.waits
    if order in book.queue:
        book.queue.remove(order)
    p = order.terms
    if waited == e.Waits.PAIR and p.trigger:
        x.emit(e.OrderTriggered(*x.head(order), waited))
        if p.trail_ticks:
            order.trigger_ticks = first_trigger(p, book)
        if not (book.last and touched(p, order.trigger_ticks, book.last, book.last)):
            order.waits = e.Waits.TRIGGER
            return
        waited = e.Waits.TRIGGER
    order.waits = e.Waits.NOTHING
    x.emit(e.OrderTriggered(*x.head(order), waited))
    break_pair(x, order)
    act(x, order)


def touch(x: "Naive") -> None:
    """Let trailing prices follow the trades of a transaction, and queue what they trigger."""
    for (_, name), (low, high) in x.ranges.items():
        book = x.books[name]
        waiting = [o for o in x.orders.values() if o.market == name and o.waits == e.Waits.TRIGGER]
        waiting = [o for o in waiting if o not in book.queue]
        for order in waiting:
            p = order.terms
            if p.trail_ticks and p.side == c.Side.BUY:
                order.trigger_ticks = min(order.trigger_ticks, low + p.trail_ticks)
            elif p.trail_ticks:
                order.trigger_ticks = max(order.trigger_ticks, high - p.trail_ticks)
        reached = [o for o in waiting if touched(o.terms, o.trigger_ticks, low, high)]
        up = [o for o in reached if rises(o.terms)]
        down = [o for o in reached if o not in up]
        book.queue += sorted(up, key=lambda o: (o.trigger_ticks, o.order_id))
        book.queue += sorted(down, key=lambda o: (-o.trigger_ticks, o.order_id))
    x.ranges = {}


def timers(x: "Naive") -> list[tuple[tuple[int, int, int, str], Callable[[], None], str]]:
    """Return all timers that run: (due, kind, number, name), what they do, what kind of step."""
    found: list[tuple[tuple[int, int, int, str], Callable[[], None], str]] = []
    for o in x.orders.values():
        book = x.books[o.market]
        if o.expires_ns:
            found.append(((o.expires_ns, 1, o.order_id, ""), lambda o=o: expire(x, o), "expiry"))  # type: ignore[misc]
        if o.waits == e.Waits.BET_DELAY and not (o.late and queue_waits(x, book)):
            found.append(((o.due_ns, 3, o.order_id, ""), lambda o=o: end_delay(x, o), "alone"))  # type: ignore[misc]
    for name, account in x.accounts.items():
        if account.cancel_after_ns:
            due = (account.cancel_after_ns, 2, 0, name)
            found.append((due, lambda name=name: cancel_after(x, name), "alone"))  # type: ignore[misc]
    for book in x.books.values():
        if book.indication_due_ns:
            due = (book.indication_due_ns, 4, book.number, "")
            found.append((due, lambda book=book: indicate(x, book), "indicate"))  # type: ignore[misc]
    for market in x.markets.values():
        outcome = market.outcome
        if outcome is not None and outcome.offers_due_ns:
            due = (outcome.offers_due_ns, 5, market.books[0].number, "")
            found.append((due, lambda outcome=outcome: tell_offers(x, outcome), "offer"))  # type: ignore[misc]
    return sorted(found, key=lambda timer: timer[0])


def do_timers(x: "Naive") -> None:
    """Do what is due, as much as fits in one step."""
    for order in x.orders.values():
        order.late = order.late and queue_waits(x, x.books[order.market])
    done = ""
    for (due_ns, which, number, _), action, kind in timers(x):
        if which in (1, 3) and number not in x.orders:
            continue  # Its other timer ended it.
        if due_ns > x.now or (done and kind != done):
            return
        before = len(x.out)
        if done and not x.room(2):
            return
        action()
        if len(x.out) > before:
            done = kind
        if done == "alone":
            return


def expire(x: "Naive", order: Order) -> None:
    """End an order's time."""
    if order.order_id in x.orders:
        cancel(x, order, e.CancelReason.EXPIRED)


def end_delay(x: "Naive", order: Order) -> None:
    """End an order's bet delay, unless its book does not take it yet."""
    order.late = queue_waits(x, x.books[order.market])
    if not order.late:
        trigger(x, order)


def cancel_after(x: "Naive", account: str) -> None:
    """Begin the mass cancel of a dead-man timer."""
    x.accounts[account].cancel_after_ns = 0
    begin_mass_cancel(x, (account, "", "", e.CancelReason.CANCEL_AFTER), None, of=account)


def indicate(x: "Naive", book: Book) -> None:
    """Tell what an uncross would do, if it is news."""
    book.indication_due_ns = 0
    now = uncross_price(book)
    if now != book.indicated:
        book.indicated = now
        x.emit(e.AuctionIndicated(book.name, *now))


def tell_offers(x: "Naive", market: Outcome) -> None:
    """Tell which offers have changed, as long as there is room."""
    kind = e.TradeKind.IMPLIED if market.two else e.TradeKind.CROSS
    for book in market.books:
        for side in (c.Side.BUY, c.Side.SELL):
            now = offer(x, book, side)
            if now != market.offers.get((book.name, side), (0, 0)):
                if not x.room(1):
                    return
                market.offers[book.name, side] = now
                x.emit(e.BestOffered(book.name, kind, side, *now))
    market.offers_due_ns = 0
