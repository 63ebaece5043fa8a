"""The ladder of odds: its 350 rungs, and rounding to them."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from engine import ladder

RUNGS = ladder.rungs()
FRACTIONS = st.tuples(st.integers(1, 10**15), st.integers(1, 10**10))


def test_the_ladder_has_350_rungs() -> None:
    assert len(RUNGS) == 350
    assert (RUNGS[0], RUNGS[-1]) == (101, 100_000)
    assert sorted(set(RUNGS)) == RUNGS
    for odds in (200, 202, 300, 305, 400, 410, 600, 620, 1000, 1050, 2000, 2100, 3000, 3200, 5000, 5500):
        assert odds in RUNGS
    assert {201, 303, 405, 615, 1010, 2050, 3100, 5250, 10_500}.isdisjoint(RUNGS)


def test_on_ladder_is_being_one_of_the_rungs() -> None:
    rungs = set(RUNGS)
    assert all(ladder.on_ladder(odds) == (odds in rungs) for odds in range(-5, 101_500))


def test_only_17_odds_have_their_twin_on_the_ladder() -> None:
    twins = [Fraction(100 * odds, odds - 100) for odds in RUNGS]
    assert sum(twin.denominator == 1 and ladder.on_ladder(int(twin)) for twin in twins) == 17


@given(FRACTIONS)
def test_floor_is_the_highest_rung_not_above(fraction: tuple[int, int]) -> None:
    at_most = [odds for odds in RUNGS if odds * fraction[1] <= fraction[0]]
    assert ladder.floor(*fraction) == (at_most[-1] if at_most else ladder.NONE_TICKS)


@given(FRACTIONS)
def test_ceil_is_the_lowest_rung_not_below(fraction: tuple[int, int]) -> None:
    at_least = [odds for odds in RUNGS if odds * fraction[1] >= fraction[0]]
    assert ladder.ceil(*fraction) == (at_least[0] if at_least else ladder.NONE_TICKS)
