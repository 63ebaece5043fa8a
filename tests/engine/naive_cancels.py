"""Mass cancels: whose orders they take, in which order, one step after the other.

A job's steps are a generator that yields when the transaction has no more room: that protects its bound.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e

from .naive_state import Group, Job, Market, Order
from .naive_trades import cancel

if TYPE_CHECKING:
    from .naive import Naive

Matches = Callable[[Order], bool]


def of_account(x: "Naive", account: str, books: list[str] | None) -> list[Order]:
    """Return an account's orders as a mass cancel takes them."""
    names = x.accounts[account].markets_opened if books is None else books
    return [o for name in names for o in x.orders.values() if o.market == name and o.account == account]


def of_books(x: "Naive", books: list[str]) -> list[Order]:
    """Return the orders of books as a mass cancel takes them: bids, asks, then those that wait."""
    found: list[Order] = []
    for name in books:
        book = x.books[name]
        waiting = [o for o in x.orders.values() if o.market == name and o.waits]
        found += book.side(c.Side.BUY) + book.side(c.Side.SELL) + waiting
    return found


def filtered(side: int, low: int, high: int) -> Matches:
    """Return whether an order is of the side (0: any) and within the prices (0: no bound)."""

    def matches(order: Order) -> bool:
        if (low or high) and not order.price and not order.terms.trigger:
            return False
        price = order.price or order.trigger_ticks
        return (not side or order.side == side) and (not low or price >= low) and (not high or price <= high)

    return matches


def mass_cancel(
    x: "Naive", job: Job, left: Callable[[], list[Order]], matches: Matches, closing: Market | None = None
) -> Iterator[None]:
    """Cancel orders until none is left."""
    first_seq = x.next_seq + len(x.out)
    x.emit(e.MassCancelStarted(job.account, job.command_id, job.market, job.reason))
    end = 1 if closing is None else 2
    while True:
        orders = [o for o in left() if o.order_id < first_seq and matches(o)]
        if not orders:
            break
        if not x.room(cost_of(x, orders[0]) + end):
            yield
            continue
        cancel(x, orders[0], job.reason)
        job.cancelled += 1
    x.emit(e.MassCancelDone(job.account, job.command_id, job.market, job.cancelled))
    if closing is not None:
        closing.state = c.MarketState.CLOSED
        x.emit(e.MarketStateChanged(closing.name, closing.state))


def cost_of(x: "Naive", order: Order) -> int:
    """Return the events that a cancel of the order may make."""
    return 2 if x.in_pair(order) else 1


def every(order: Order) -> bool:
    """Match any order."""
    return True


def begin_mass_cancel(
    x: "Naive",
    named: tuple[str, str, str, int],
    books: list[str] | None,
    matches: Matches = every,
    closing: Market | None = None,
    of: str = "",
    busy: bool = True,
) -> None:
    """Begin a mass cancel; ``named``: account, market, id and reason of its events.

    ``of`` is the account whose orders it takes ("": all); ``books`` None: all.
    """
    account, market, command_id, reason = named
    job = Job("cancel", account=account, market=market, command_id=command_id, reason=reason)
    if busy:
        job.busy_account, job.busy_books = of, [] if of else (books or [])
    every_book = [book.name for book in x.books.values()]

    def left() -> list[Order]:
        return of_account(x, of, books) if of else of_books(x, every_book if books is None else books)

    job.steps = mass_cancel(x, job, left, matches, closing)
    x.begin(job)


def begin_trip(x: "Naive", group: Group) -> None:
    """Begin the mass cancel of a group that tripped."""
    named = (group.account, "", "", e.CancelReason.GROUP_TRIPPED)
    of_group: Matches = lambda order: order.group is group and not group.removed  # noqa: E731
    begin_mass_cancel(x, named, None, of_group, of=group.account, busy=False)
