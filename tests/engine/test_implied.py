"""The arithmetic of implied matching: odds compared exactly, rests counted in hundredths of a lot."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bus.commands import Side
from engine import implied, ladder

ODDS = st.sampled_from(ladder.rungs())
SIDES = st.sampled_from([Side.BACK, Side.LAY])


def stands_for(other_ticks: int) -> Fraction:
    """Return the odds that an order in the other runner's book stands for."""
    return Fraction(100 * other_ticks, other_ticks - 100)


def results(side: int, odds_ticks: int, lots: Fraction) -> tuple[Fraction, Fraction]:
    """Return what a bet gives, in units, if its runner wins and if the other wins."""
    sign = 1 if side == Side.BACK else -1
    return sign * lots * (odds_ticks - 100), -sign * lots * 100


@given(SIDES, ODDS, ODDS)
def test_a_backer_never_gets_less_than_it_asked_and_a_layer_never_gives_more(
    side: Side, limit: int, other: int
) -> None:
    good = stands_for(other) <= limit if side == Side.LAY else stands_for(other) >= limit
    assert implied.acceptable(side, limit, other) == good


@given(SIDES, ODDS, ODDS)
def test_the_better_odds_go_first_and_direct_ones_when_equal(side: Side, other: int, direct: int) -> None:
    better = stands_for(other) < direct if side == Side.LAY else stands_for(other) > direct
    assert implied.goes_first(side, other, direct) == better


@given(SIDES, ODDS, st.integers(1, 10**6))
def test_a_bet_is_the_opposite_bet_on_the_other_runner(side: Side, other: int, lots: int) -> None:
    """The maker's results with the signs changed are the taker's bet at the odds that it stands for."""
    used = Fraction(lots * (other - 100), 100)
    won, lost = results(side, other, Fraction(lots))
    sign = 1 if side == Side.BACK else -1
    assert (-lost, -won) == (sign * used * (stands_for(other) - 100), -sign * used * 100)


@given(ODDS, st.integers(0, 10**9))
def test_a_taker_uses_no_more_than_it_has(other: int, hundredths: int) -> None:
    lots = implied.lots_that_fit(hundredths, other)
    assert lots * (other - 100) <= hundredths < (lots + 1) * (other - 100)


@given(SIDES, ODDS, ODDS, st.integers(1, 10**9), st.integers(1, 10**6), st.data())
def test_what_a_rest_holds_covers_every_trade(
    side: Side, limit: int, other: int, hundredths: int, unit: int, data: st.DataObject
) -> None:
    """What the trade loses and what is held for what is left are never more than was held before."""
    fit = implied.lots_that_fit(hundredths, other)
    if not implied.acceptable(side, limit, other) or not fit:
        return
    lots = data.draw(st.integers(1, fit))
    lost = unit * lots * (100 if side == Side.LAY else other - 100)
    before = implied.rest_loss_atoms(side, limit, hundredths, unit)
    after = implied.rest_loss_atoms(side, limit, hundredths - lots * (other - 100), unit)
    assert after + lost <= before


@given(SIDES, ODDS, st.integers(1, 10**9))
def test_an_offer_never_shows_better_than_it_gives(side: Side, other: int, lots: int) -> None:
    odds, offered = implied.offered(side, other, lots)
    if not offered:
        assert lots * (other - 100) < 100 or odds == 0
        return
    assert ladder.on_ladder(odds)
    assert odds <= stands_for(other) if side == Side.LAY else odds >= stands_for(other)
    assert offered * 100 <= lots * (other - 100) < (offered + 1) * 100


def test_even_odds_are_their_own_twin() -> None:
    assert implied.offered(Side.BACK, 200, 7) == implied.offered(Side.LAY, 200, 7) == (200, 7)


def test_an_offer_off_the_ladder_is_rounded_against_who_sees_it() -> None:
    """3 / (3 - 1) = 1.5 is on the ladder; 3.5 / 2.5 = 1.4 too; 3.2 / 2.2 = 1.4545 is not."""
    assert implied.offered(Side.BACK, 300, 10) == (150, 20)
    assert implied.offered(Side.BACK, 350, 10) == (140, 25)
    assert implied.offered(Side.BACK, 320, 10) == (146, 22)
    assert implied.offered(Side.LAY, 320, 10) == (145, 22)
    assert implied.offered(Side.LAY, 100_000, 10) == (0, 0)
