"""Three and more runners: an order on one meets orders on all the others, through the house account.

Invariants: a match is carried out whole or not at all; its taker gets the best odds of the ladder that the
others pay for, never worse than its limit; a leg trades at its resting order's own odds and never more than
is shown; the house account loses at most what the market's rules allow, in no outcome more.

If all outcomes are backed at odds whose inverses sum to 1 or more, who lays them all loses nothing; if all
are laid at odds whose inverses sum to 1 or less, who backs them all loses nothing. Integers only: the sum
of inverses is one fraction of integers, however large.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from bus.commands import Side

from . import ladder

if TYPE_CHECKING:
    from .book import Order
    from .fills import Outcome
    from .matching import Matching
    from .state import State

_LAY = int(Side.LAY)
DOWN: Final = 0
NEAREST: Final = 1
UP: Final = 2
ROUNDINGS: Final = (DOWN, NEAREST, UP)
"""How the stakes of legs are rounded to whole lots, in the order in which it is tried."""


class Offer(NamedTuple):
    """The best resting odds of a runner on the taker's side, and the lots shown there."""

    odds_ticks: int
    lots: int


class Match(NamedTuple):
    """A cross match: the taker's odds and stake, and the stakes of the legs in the order of the offers."""

    odds_ticks: int
    stake_lots: int
    legs_lots: tuple[int, ...]


def taker_odds_ticks(side: int, others: Sequence[Offer]) -> int:
    """Return the best odds that the others pay for, on the ladder, or `ladder.NONE_TICKS`.

    ``1 / odds = 1 - sum(1 / others)``, rounded down for who backs and up for who lays.
    """
    top, bottom = 1, 1
    for odds, _ in others:
        top, bottom = top * odds - 100 * bottom, bottom * odds
    if side == _LAY:
        return ladder.ceil(100 * bottom, top) if top > 0 else ladder.NONE_TICKS
    return ladder.floor(100 * bottom, top) if top > 0 else ladder.HIGHEST_TICKS


def largest_stake_lots(odds_ticks: int, left_lots: int, others: Sequence[Offer]) -> int:
    """Return the largest stake for which every leg, unrounded, is at most what is shown."""
    stake = left_lots
    for odds, lots in others:
        stake = min(stake, lots * odds // odds_ticks)
    return stake


def leg_lots(payout: int, odds_ticks: int, rounding: int) -> int:
    """Return the stake whose payout at ``odds_ticks`` is ``payout`` (lots times ticks); at least 1."""
    if rounding == DOWN:
        lots = payout // odds_ticks
    elif rounding == NEAREST:
        lots = (2 * payout + odds_ticks) // (2 * odds_ticks)
    else:
        lots = -(-payout // odds_ticks)
    return lots if lots else 1


def find(side: int, limit_ticks: int, left_lots: int, others: Sequence[Offer], rounding: int) -> Match | None:
    """Return the match that a taker with ``left_lots`` would make, its legs rounded so, if there is any."""
    odds = taker_odds_ticks(side, others)
    if odds == ladder.NONE_TICKS or (odds > limit_ticks if side == _LAY else odds < limit_ticks):
        return None
    stake = largest_stake_lots(odds, left_lots, others)
    if not stake:
        return None
    legs = tuple(leg_lots(stake * odds, offer.odds_ticks, rounding) for offer in others)
    return Match(odds, stake, legs)


def house_results(side: int, match: Match, others: Sequence[Offer]) -> tuple[int, tuple[int, ...]]:
    """Return the house's results in units: in the taker's outcome, and in those of the legs."""
    sign = -1 if side == _LAY else 1
    stakes = 100 * (match.stake_lots + sum(match.legs_lots))
    taker = sign * (stakes - match.stake_lots * match.odds_ticks)
    legs = zip(match.legs_lots, others, strict=True)
    return taker, tuple(sign * (stakes - lots * offer.odds_ticks) for lots, offer in legs)


class Crossing:
    """Crosses what direct matching left of a taker with the other runners' orders."""

    def __init__(self, state: "State", matching: "Matching") -> None:
        self._state = state
        self._matching = matching

    def finds(self, order: "Order", limit_ticks: int) -> bool:
        """Return whether an order would cross now."""
        return False

    def cross(self, order: "Order", limit_ticks: int, outcome: "Outcome") -> "Outcome":
        """Return the outcome of direct matching with that of crossing added."""
        raise NotImplementedError
