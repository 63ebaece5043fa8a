"""Changes of a market's state, and what begins with one: an uncross at an opening, the emptying at a closing.

Invariant: all books of a market are always in the same state; one that opens is not crossed, or is busy until
its uncross has ended; one that is closed is empty.
"""

from typing import TYPE_CHECKING, Any, Final

from bus.commands import MarketState, SetMarketState
from bus.errors import Code
from bus.events import CancelReason, MarketStateChanged, MassCancelDone, MassCancelStarted

from . import auction, jobs, states
from .accounts import Account
from .auction import Uncross
from .book import Market, Order
from .jobs import Job
from .settling import OutcomeJob
from .state import Refusal, State

if TYPE_CHECKING:
    from .trading import Done, Trading

_NOTHING: Final = (0, 0, 0)
_OPEN: Final = int(MarketState.OPEN)
_PRE_OPEN: Final = int(MarketState.PRE_OPEN)
_CLOSING: Final = int(MarketState.CLOSING)
_CLOSED: Final = int(MarketState.CLOSED)


class Closing(Job):
    """The emptying of a market that closes: of bids, asks and waiting orders, book by book."""

    __slots__ = ("books", "command_id", "name", "orders")

    def __init__(self, name: str, command_id: str, books: list[Market]) -> None:
        self.name = name
        self.command_id = command_id
        self.books = books
        self.orders = 0

    def step(self, state: State, trading: "Trading") -> bool:
        """Cancel as many orders as fit into the transaction; close the market behind the last."""
        for book in self.books:
            while (order := _next_order(book)) is not None:
                paired = order.terms is not None and order.terms.pair is not None
                if len(state.events) + (4 if paired else 3) > state.limits.events_per_transaction_max:
                    return False
                trading.cancel_order(order, CancelReason.MARKET_CLOSING)
                self.orders += 1
        state.emit(MassCancelDone("", self.command_id, self.name, self.orders))
        for book in self.books:
            auction.enter(state, book, _CLOSED)
        state.emit(MarketStateChanged(self.name, _CLOSED))
        return True

    def mark(self, jobs: int) -> None:
        """Make nothing busy: the state alone refuses what could come in its way."""

    def holds_back(self, market: Market) -> bool:
        """Return whether it holds back a book's triggered orders: the state does already."""
        return False

    def row(self) -> tuple[Any, ...]:
        """Return it as plain data."""
        return (self.name, self.command_id, self.orders)


def restore_closing(state: State, row: tuple[Any, ...]) -> Closing:
    """Return the closing of a row; its books are there already."""
    name, command_id, orders = row
    closing = Closing(name, command_id, states.books(state, name))
    closing.orders = orders
    return closing


def _next_order(book: Market) -> Order | None:
    """Return the order of a book that is cancelled next: the best bid, ask, or the first that waits."""
    level = book.bids.best or book.asks.best
    if level is not None:
        return level.first
    if book.stops is not None:
        return next(iter(book.stops.orders.values()), None)
    return None


class Openings:
    """Carries out SetMarketState."""

    def __init__(self, state: State, trading: "Trading") -> None:
        self._state = state
        self._trading = trading

    def set_market_state(self, _: Account, command: SetMarketState) -> "Done":
        """Change a market's state; opening it may begin an uncross, closing it cancels all its orders."""
        state, name = self._state, command.market
        books = states.books(state, name)
        if any(isinstance(job, OutcomeJob) and job.outcome.name == name for job in state.jobs):
            raise Refusal(Code.MARKET_BUSY, f"expected a market without work under way, was {name}")
        before, after = books[0].state, command.state
        if before >= _CLOSING or after > _CLOSING:
            raise Refusal(
                Code.STATE_NOT_ALLOWED,
                "expected a change between states before CLOSED, was"
                f" {MarketState(before).name} to {MarketState(after).name}",
            )
        self._break_off(name)
        for book in books:
            auction.enter(state, book, after)
        state.emit(MarketStateChanged(name, after))
        if after == _OPEN:
            crossed = [book for book in books if before == _PRE_OPEN or states.crossed(book)]
            if crossed:
                jobs.begin(Uncross(name, books, crossed), state, self._trading)
        elif after == _CLOSING:
            state.emit(MassCancelStarted("", command.command_id, name, CancelReason.MARKET_CLOSING))
            jobs.begin(Closing(name, command.command_id, books), state, self._trading)
        return _NOTHING

    def _break_off(self, name: str) -> None:
        """End an uncross of a market that is under way."""
        waiting = self._state.jobs
        for index, job in enumerate(waiting):
            if isinstance(job, Uncross) and job.name == name:
                if job.price_ticks:
                    job.finish(self._state)
                job.mark(-1)
                del waiting[index]
                return
