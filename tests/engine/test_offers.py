"""What books offer beyond their direct orders, told by and by (``tests/engine/odds_tables.py``)."""

from tests.engine.odds_tables import Scene, play


def plays(text: str, runners: str = "AB", house: bool = False) -> None:
    """Play a scenario on a new market and compare; the interval is 100 ms."""
    expected, out = play(Scene(runners, house, funds=10_000_000), text)
    assert out == expected


def test_two_runners_offer_each_others_orders() -> None:
    plays("""
        A lays       | backs
        B lays       | backs
        a1 10 @ 1.80 | b1 10 @ 1.95
        > 100 ms later
        offered as lay of A: 9 @ 2.04 (implied)
        offered as back of A: 8 @ 2.26 (implied)
        > 100 ms later
        rejected: INVALID_COMBINATION
    """)


def test_odds_are_rounded_so_that_nobody_gets_worse_and_lots_down() -> None:
    plays("""
        A lays      | backs
        B lays      | backs
        a1 9 @ 1.34 | b1 9 @ 1.35
        > 100 ms later
        offered as lay of A: 3 @ 3.85 (implied)
        offered as back of A: 3 @ 3.95 (implied)
        > c1 backs A 3 at 3.85
        c1 accepted, holds 3.00
        c1 trades 8 @ 1.35 on B with b1 (implied)
        c1 cancelled, 0 left, 2 filled: DUST, 0.20 back
        > d1 lays A 3 at 3.95
        d1 accepted, holds 8.85
        d1 trades 8 @ 1.34 on B with a1 (implied), 0.02 back
        d1 cancelled, 0 left, 2 filled: DUST, 0.83 back
        > 100 ms later
        offered as lay of A: nothing (implied)
        offered as back of A: nothing (implied)
    """)


def test_what_is_too_small_for_a_lot_is_not_offered() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 2 @ 1.35
        > 100 ms later
        rejected: INVALID_COMBINATION
        > b2 backs B 1 at 1.35
        b2 accepted, holds 1.00
        > 100 ms later
        offered as lay of A: 1 @ 3.85 (implied)
    """)


def test_only_what_changed_is_told_an_interval_after_the_first_change() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 10 @ 1.50
        > 60 ms later
        rejected: INVALID_COMBINATION
        > b2 backs B 10 at 1.50
        b2 accepted, holds 10.00
        > 40 ms later
        offered as lay of A: 10 @ 3.00 (implied)
        > b3 backs B 10 at 1.60
        b3 accepted, holds 10.00
        > 100 ms later
        rejected: INVALID_COMBINATION
        > a1 lays A 5 at 1.20
        a1 accepted, holds 1.00
        > 100 ms later
        offered as back of B: 1 @ 6.00 (implied)
        > b1 cancelled
        b1 cancelled, 10 left, 0 filled: REQUESTED, 10.00 back
        > b2 cancelled
        b2 cancelled, 10 left, 0 filled: REQUESTED, 10.00 back
        > b3 cancelled
        b3 cancelled, 10 left, 0 filled: REQUESTED, 10.00 back
        > 100 ms later
        offered as lay of A: nothing (implied)
    """)


def test_three_runners_offer_what_a_taker_without_limit_would_cross_at() -> None:
    plays(
        """
        A lays | backs
        B lays | backs
               | b1 2000 @ 2.50
        C lays | backs
               | d1 1000 @ 3.40
        > 100 ms later
        offered as lay of A: 1046 @ 3.25 (cross)
        > c1 backs A 680 at 3.25
        c1 accepted, holds 680.00
        house trades 884 @ 2.50 on B with b1 (cross)
        house trades 650 @ 3.40 on C with d1 (cross)
        c1 trades 680 @ 3.25 on A with house (cross)
        > 100 ms later
        offered as lay of A: 366 @ 3.25 (cross)
        > a1 lays B 100 at 2.0
        a1 accepted, holds 100.00
        > a2 lays C 100 at 4.0
        a2 accepted, holds 200.00
        a2 trades 100 @ 3.40 on C with d1, 60.00 back
        > 100 ms later
        offered as lay of A: 261 @ 3.25 (cross)
        > d1 cancelled
        d1 cancelled, 250 left, 750 filled: REQUESTED, 250.00 back
        > 100 ms later
        offered as lay of A: nothing (cross)
    """,
        runners="ABC",
        house=True,
    )


def test_without_a_house_three_runners_offer_nothing() -> None:
    plays(
        """
        A lays | backs
        B lays | backs
               | b1 2000 @ 2.50
        C lays | backs
               | d1 1000 @ 3.40
        > 100 ms later
        rejected: INVALID_COMBINATION
    """,
        runners="ABC",
    )


def test_a_removed_runner_offers_nothing() -> None:
    plays(
        """
        A lays | backs
        B lays | backs
               | b1 2000 @ 3.00
        C lays | backs
               | d1 2000 @ 3.00
        D lays | backs
               | d2 1000 @ 6.00
        > 100 ms later
        offered as lay of A: 1000 @ 6.00 (cross)
        > operator halts market
        market HALTED
        > operator removes A
        A removed, reduction 0%
        > operator opens market
        market OPEN
        > 100 ms later
        offered as lay of A: nothing (cross)
        offered as lay of B: 3000 @ 2.00 (cross)
        offered as lay of C: 3000 @ 2.00 (cross)
        offered as lay of D: 2000 @ 3.00 (cross)
    """,
        runners="ABCD",
        house=True,
    )
