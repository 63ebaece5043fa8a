"""The ladder of odds: which prices exist, and the nearest ones to any fraction.

Invariant: rounding never leaves the ladder and never goes the wrong way: what `floor` gives is not above its
argument, what `ceil` gives is not below. Integers only; odds are in ticks, decimal odds times 100.

Every step divides the odds where its range begins and those where it ends, so each range is a plain grid.
"""

from typing import Final

LOWEST_TICKS: Final = 101
HIGHEST_TICKS: Final = 100_000
NONE_TICKS: Final = 0
"""No odds: beyond the end of the ladder."""


def step_ticks(odds_ticks: int) -> int:
    """Return the distance from odds to the next higher ones (from odds just below, at the end of a range)."""
    if odds_ticks < 1000:
        if odds_ticks < 200:
            return 1
        if odds_ticks < 300:
            return 2
        if odds_ticks < 400:
            return 5
        return 10 if odds_ticks < 600 else 20
    if odds_ticks < 2000:
        return 50
    if odds_ticks < 3000:
        return 100
    if odds_ticks < 5000:
        return 200
    return 500 if odds_ticks < 10_000 else 1000


def on_ladder(odds_ticks: int) -> bool:
    """Return whether there are such odds."""
    return LOWEST_TICKS <= odds_ticks <= HIGHEST_TICKS and odds_ticks % step_ticks(odds_ticks) == 0


def floor(numerator: int, denominator: int) -> int:
    """Return the highest odds not above a positive fraction of ticks, or `NONE_TICKS`."""
    odds = numerator // denominator
    if odds < LOWEST_TICKS:
        return NONE_TICKS
    if odds >= HIGHEST_TICKS:
        return HIGHEST_TICKS
    return odds - odds % step_ticks(odds)


def ceil(numerator: int, denominator: int) -> int:
    """Return the lowest odds not below a positive fraction of ticks, or `NONE_TICKS`."""
    odds = -(-numerator // denominator)
    if odds > HIGHEST_TICKS:
        return NONE_TICKS
    if odds <= LOWEST_TICKS:
        return LOWEST_TICKS
    over = odds % step_ticks(odds)
    return odds + step_ticks(odds) - over if over else odds


def rungs() -> list[int]:
    """Return all odds, the lowest first."""
    odds, all_odds = LOWEST_TICKS, []
    while odds < HIGHEST_TICKS:
        all_odds.append(odds)
        odds += step_ticks(odds)
    return [*all_odds, HIGHEST_TICKS]
