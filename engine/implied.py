"""Two runners: a taker also meets the orders of its own side in the other runner's book.

Invariants: a backer never gets odds below its limit, a layer never above; a taker uses up what it asked to
the hundredth of a lot and never more; what it holds for its rest covers every trade that it may still make;
an implied trade is the maker's own bet with the signs changed, so nothing is rounded in anybody's result.

BACK A of stake s at o is LAY B of stake s(o - 1) at o / (o - 1). Odds are integers (ticks, times 100), a
taker's rest is counted in hundredths of a lot, and odds are compared by cross-multiplication alone.
"""

from typing import TYPE_CHECKING

from bus.commands import Side

from . import ladder

if TYPE_CHECKING:
    from .accounts import Account
    from .book import Market, Order
    from .fills import Outcome
    from .matching import Matching
    from .state import State

_LAY = int(Side.LAY)
LOT_HUNDREDTHS = 100


def acceptable(side: int, limit_ticks: int, other_ticks: int) -> bool:
    """Return whether an order at ``other_ticks`` in the other book stands for odds that a taker accepts."""
    if side == _LAY:
        return 100 * other_ticks <= limit_ticks * (other_ticks - 100)
    return 100 * other_ticks >= limit_ticks * (other_ticks - 100)


def goes_first(side: int, other_ticks: int, direct_ticks: int) -> bool:
    """Return whether the order in the other book is better for a taker than a direct one (not when equal)."""
    if side == _LAY:
        return 100 * other_ticks < direct_ticks * (other_ticks - 100)
    return 100 * other_ticks > direct_ticks * (other_ticks - 100)


def lots_that_fit(hundredths: int, other_ticks: int) -> int:
    """Return how many whole lots of an order in the other book a taker's rest has hundredths for."""
    return hundredths // (other_ticks - 100)


def rest_loss_atoms(side: int, limit_ticks: int, hundredths: int, unit_atoms: int) -> int:
    """Return what a taker's rest holds: what it would lose at its limit, rounded up to a whole atom."""
    if side == _LAY:
        return -(-(limit_ticks - 100) * hundredths * unit_atoms // 100)
    return hundredths * unit_atoms


def offered(side: int, other_ticks: int, lots: int) -> tuple[int, int]:
    """Return what ``lots`` at ``other_ticks`` in the other book offer as orders of ``side`` in this one.

    ``(odds, lots)``: the odds rounded to the ladder so that nobody who takes them gets worse, the lots
    rounded down; ``(0, 0)`` when nothing is left of it.
    """
    fraction = (100 * other_ticks, other_ticks - 100)
    odds = ladder.floor(*fraction) if side == _LAY else ladder.ceil(*fraction)
    lots = lots * (other_ticks - 100) // LOT_HUNDREDTHS
    return (odds, lots) if odds and lots else (0, 0)


class Implied:
    """Matches takers of a two-runner market with both books."""

    def __init__(self, state: "State", matching: "Matching") -> None:
        self._state = state
        self._matching = matching

    def crossing(self, market: "Market", side: int, price_ticks: int) -> int:
        """Return the price of a resting order, direct or implied, that a limit order would meet, or 0."""
        raise NotImplementedError

    def meets(self, market: "Market", side: int, price_ticks: int, lots: int) -> bool:
        """Return whether a limit order would have a fill, direct or implied."""
        raise NotImplementedError

    def cost(self, account: "Account", market: "Market", side: int, qty_lots: int, prevention: int) -> int:
        """Return what a market order would hold for what it would trade now."""
        raise NotImplementedError

    def can_fill(self, taker: "Order", limit_ticks: int, qty_lots: int) -> bool:
        """Return whether ``qty_lots`` of a taker can trade at the limit."""
        raise NotImplementedError

    def fill(self, taker: "Order", limit_ticks: int, hold_ticks: int) -> "Outcome":
        """Trade a taker down as far as the limit allows, as `Matching.fill` does."""
        raise NotImplementedError
