"""What a book of an odds market offers beyond its direct orders: implied by the other runner, or crossed.

Invariant: what was told last of each book and side is in ``OutcomeMarket.offered``; whenever a book of the
market has changed since, a timer is set, so what is offered is told at most an interval late.
"""

from typing import TYPE_CHECKING, Final

from bus.commands import Side
from bus.events import BestOffered, TradeKind

from . import implied
from .timers import OFFERS

if TYPE_CHECKING:
    from .book import Market
    from .crossing import Crossing
    from .outcomes import OutcomeMarket
    from .state import State

_LAY: Final = int(Side.LAY)
_BACK: Final = int(Side.BACK)
_IMPLIED: Final = int(TradeKind.IMPLIED)
_CROSS: Final = int(TradeKind.CROSS)
NOTHING: Final = (0, 0)
"""What is offered where nothing is: odds and lots."""


def changed(state: "State", market: "Market") -> None:
    """See to it that a change of a book is told, by and by, if it may change an offer; O(log timers)."""
    outcome = market.outcome
    if outcome is None or not (outcome.has_implied or outcome.has_crossing):
        return
    number = outcome.books[0].number
    if not state.timers.is_set(OFFERS, number):
        state.timers.set(state.now_ns + state.limits.indication_interval_ns, OFFERS, number)


def tell(state: "State", crossing: "Crossing", market: "Market", due_ns: int) -> None:
    """Tell what has changed of all offers of a market, runner by runner, LAY before BACK; its timer is due.

    What does not fit into the transaction stays due.
    """
    outcome = market.outcome
    assert outcome is not None
    events_max = state.limits.events_per_transaction_max
    for book in outcome.books:
        for side in (_LAY, _BACK):
            offer = _offer(crossing, outcome, book, side)
            if offer == outcome.offered.get((book.name, side), NOTHING):
                continue
            if len(state.events) >= events_max:
                state.timers.set(due_ns, OFFERS, market.number)
                return
            outcome.offered[(book.name, side)] = offer
            kind = _IMPLIED if outcome.has_implied else _CROSS
            state.emit(BestOffered(book.name, kind, side, *offer))


def _offer(crossing: "Crossing", outcome: "OutcomeMarket", book: "Market", side: int) -> tuple[int, int]:
    """Return the best that a book offers as orders of a side: odds and lots."""
    if book.runner not in outcome.live:
        return NOTHING
    if not outcome.has_implied:
        return crossing.offered(book, side)
    other = implied.other_book(book)
    best = (other.asks if side == _LAY else other.bids).best
    return implied.offered(side, best.price_ticks, best.lots) if best is not None else NOTHING
