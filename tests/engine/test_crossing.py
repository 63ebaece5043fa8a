"""The arithmetic of cross-matching: the taker's odds, the stakes, and what the house is left with."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bus.commands import Side
from engine import crossing, ladder
from engine.crossing import DOWN, ROUNDINGS, UP, Match, Offer

SIDES = st.sampled_from([Side.BACK, Side.LAY])
ODDS = st.sampled_from(ladder.rungs())
OTHERS = st.lists(st.builds(Offer, ODDS, st.integers(1, 10**6)), min_size=2, max_size=63)
LIKELY = st.lists(
    st.builds(Offer, st.sampled_from([odds for odds in ladder.rungs() if odds < 1500]), st.integers(1, 500)),
    min_size=2,
    max_size=6,
)


def odds_of(others: list[Offer]) -> list[int]:
    """Return the odds alone."""
    return [offer.odds_ticks for offer in others]


def find(side: int, limit: int, left: int, others: list[Offer], rounding: int) -> Match | None:
    """Return the match of a taker whose legs are rounded so, whatever the house is left with."""
    odds = crossing.taker_odds_ticks(side, odds_of(others))
    if not odds or (odds > limit if side == Side.LAY else odds < limit):
        return None
    assert crossing.may_cross(side, limit, odds_of(others))
    stake = crossing.largest_stake_lots(odds, left, others)
    return crossing.match_of(odds, stake, others, rounding) if stake else None


def virtual(others: list[Offer]) -> Fraction | None:
    """Return the odds that the others pay for, as the rule is written; None: none."""
    rest = 1 - sum((Fraction(100, offer.odds_ticks) for offer in others), Fraction(0))
    return 100 / rest if rest > 0 else None


def bet(side: int, odds: int, lots: int, runner: int, runners: int) -> list[int]:
    """Return what a bet gives, in units, in each outcome."""
    sign = 1 if side == Side.BACK else -1
    return [sign * lots * (odds - 100 if outcome == runner else -100) for outcome in range(runners)]


def test_the_worked_example_of_three_runners() -> None:
    """Backs at 2.5 and 3.4 pay for 3.26923, which is 3.25 on the ladder."""
    others = [Offer(250, 1_000), Offer(340, 1_000)]
    assert virtual(others) == Fraction(100) * Fraction(85, 26)
    assert crossing.taker_odds_ticks(Side.BACK, odds_of(others)) == 325
    match = find(Side.BACK, 325, 100, others, DOWN)
    assert match == Match(325, 100, (130, 95))
    assert crossing.house_results(Side.BACK, match, others) == (0, (0, 200))
    assert find(Side.BACK, 330, 100, others, DOWN) is None


def test_the_worked_example_with_the_exact_odds_needs_no_rounding_of_the_stakes() -> None:
    """Stakes of 100, 130.77 and 96.15, in hundredths of what is asked for."""
    others = [Offer(250, 10**6), Offer(340, 10**6)]
    exact = [Fraction(100) * virtual_odds(others) / offer.odds_ticks for offer in others]
    assert [round(float(stake), 2) for stake in exact] == [130.77, 96.15]


def virtual_odds(others: list[Offer]) -> Fraction:
    """Return the odds of others that leave some."""
    odds = virtual(others)
    assert odds is not None
    return odds


def test_lays_cross_when_their_inverse_odds_leave_something() -> None:
    others = [Offer(400, 100), Offer(400, 100)]
    assert crossing.taker_odds_ticks(Side.LAY, odds_of(others)) == 200
    match = find(Side.LAY, 200, 50, others, DOWN)
    assert match == Match(200, 50, (25, 25))
    assert crossing.house_results(Side.LAY, match, others) == (0, (0, 0))
    assert crossing.taker_odds_ticks(Side.LAY, [200, 200]) == ladder.NONE_TICKS
    assert crossing.taker_odds_ticks(Side.BACK, [200, 200]) == 100_000


@given(SIDES, OTHERS)
def test_the_taker_gets_the_best_odds_that_the_others_pay_for(side: Side, others: list[Offer]) -> None:
    odds, pays = crossing.taker_odds_ticks(side, odds_of(others)), virtual(others)
    if side == Side.BACK:
        at_most = [rung for rung in ladder.rungs() if pays is None or rung <= pays]
        assert odds == (at_most[-1] if at_most else 0)
    else:
        at_least = [rung for rung in ladder.rungs() if pays is not None and rung >= pays]
        assert odds == (at_least[0] if at_least else 0)


@given(SIDES, ODDS, st.integers(1, 10**4), LIKELY, st.sampled_from(ROUNDINGS))
def test_no_leg_takes_more_than_is_shown_and_no_taker_gets_worse_than_asked(
    side: Side, limit: int, left: int, others: list[Offer], rounding: int
) -> None:
    match = find(side, limit, left, others, rounding)
    if match is None:
        return
    assert match.odds_ticks <= limit if side == Side.LAY else match.odds_ticks >= limit
    assert 1 <= match.stake_lots <= left
    assert all(1 <= lots <= offer.lots for lots, offer in zip(match.legs_lots, others, strict=True))
    more = match.stake_lots + 1
    assert more > left or any(more * match.odds_ticks > o.lots * o.odds_ticks for o in others)


@given(SIDES, st.integers(1, 10**4), LIKELY, st.sampled_from(ROUNDINGS))
def test_the_house_takes_the_other_side_of_all(
    side: Side, left: int, others: list[Offer], rounding: int
) -> None:
    """In each outcome the results of the taker, the makers and the house sum to 0."""
    limit = 100_000 if side == Side.LAY else 101
    match = find(side, limit, left, others, rounding)
    if match is None:
        return
    runners = len(others) + 1
    bets = [bet(side, match.odds_ticks, match.stake_lots, 0, runners)]
    for number, (lots, offer) in enumerate(zip(match.legs_lots, others, strict=True), 1):
        bets.append(bet(side, offer.odds_ticks, lots, number, runners))
    taker, legs = crossing.house_results(side, match, others)
    assert [sum(outcome) for outcome in zip(*bets, strict=True)] == [-taker, *(-leg for leg in legs)]


@given(SIDES, st.integers(1, 10**4), LIKELY)
def test_unrounded_the_house_never_loses(side: Side, left: int, others: list[Offer]) -> None:
    """So rounding the legs costs it less than a lot on each of them."""
    limit = 100_000 if side == Side.LAY else 101
    for rounding in ROUNDINGS:
        match = find(side, limit, left, others, rounding)
        if match is None:
            return
        taker, legs = crossing.house_results(side, match, others)
        highest = max(offer.odds_ticks for offer in others)
        assert min(taker, *legs) > -(100 * len(others) + highest)


@given(st.integers(1, 10**9), ODDS)
def test_legs_are_rounded_down_to_the_nearest_and_up(payout: int, odds: int) -> None:
    exact = Fraction(payout, odds)
    down, nearest, up = (crossing.leg_lots(payout, odds, rounding) for rounding in ROUNDINGS)
    assert down == max(1, payout // odds) and up == max(1, -(-payout // odds)) and up <= max(1, down + 1)
    assert nearest == 1 or -Fraction(1, 2) < nearest - exact <= Fraction(1, 2)
    assert crossing.leg_lots(5 * odds, odds, UP) == 5
