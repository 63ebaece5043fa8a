"""Three and more runners: what an order on one meets on all the others through the house account.

Scenarios as in ``tests/engine/odds_tables.py``, with 100,000.00 for each. Backs of B at 2.50 and of C at 3.40
pay for one of A at 3.26923: 3.25 on the ladder.
"""

from tests.engine.odds_tables import Scene, play

FUNDS = 10_000_000


def plays(text: str, runners: str = "ABC", house_losses: tuple[int, int] = (0, 0)) -> None:
    """Play a scenario on a new market with a house and compare."""
    expected, out = play(Scene(runners, True, *house_losses, funds=FUNDS), text)
    assert out == expected


def test_backs_on_all_runners_meet_through_the_house() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 2000 @ 2.50
        C lays | backs
               | d1 1000 @ 3.40
        > c1 backs A 680 at 3.25
        c1 accepted, holds 680.00
        house trades 884 @ 2.50 on B with b1 (cross)
        house trades 650 @ 3.40 on C with d1 (cross)
        c1 trades 680 @ 3.25 on A with house (cross)
        A lays | backs
        B lays | backs
               | b1 1116 @ 2.50
        C lays | backs
               | d1 350 @ 3.40
        ? results
        bob: A -884.00, B 1326.00, C -884.00
        cat: A 1530.00, B -680.00, C -680.00
        dan: A -650.00, B -650.00, C 1560.00
        house: A 4.00, B 4.00, C 4.00
        ? cat
        99320.00 + 680.00 held
        ? bob
        98000.00 + 2000.00 held
        ? house
        100000.00
    """)


def test_legs_are_whole_lots_such_that_the_house_does_not_lose() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 2000 @ 2.50
        C lays | backs
               | d1 1000 @ 3.40
        > c1 backs A 1000 at 2.0
        c1 accepted, holds 1000.00
        house trades 1300 @ 2.50 on B with b1 (cross)
        house trades 955 @ 3.40 on C with d1 (cross)
        c1 trades 1000 @ 3.25 on A with house (cross)
        ? results
        bob: A -1300.00, B 1950.00, C -1300.00
        cat: A 2250.00, B -1000.00, C -1000.00
        dan: A -955.00, B -955.00, C 2292.00
        house: A 5.00, B 5.00, C 8.00
        ? house
        100000.00
    """)


def test_the_odds_are_the_best_of_the_ladder_that_the_others_pay_for() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 2000 @ 2.50
        C lays | backs
               | d1 1000 @ 3.40
        > c1 backs A 680 at 3.3
        c1 accepted, holds 680.00
        > c2 backs A 680 at 1.5
        c2 accepted, holds 680.00
        house trades 884 @ 2.50 on B with b1 (cross)
        house trades 650 @ 3.40 on C with d1 (cross)
        c2 trades 680 @ 3.25 on A with house (cross)
        A lays | backs
               | c1 680 @ 3.30
        B lays | backs
               | b1 1116 @ 2.50
        C lays | backs
               | d1 350 @ 3.40
    """)


def test_lays_on_all_runners_meet_through_the_house() -> None:
    plays("""
        A lays       | backs
        B lays       | backs
        a1 25 @ 4.00 |
        C lays       | backs
        b1 20 @ 4.00 |
        b2 30 @ 4.00 |
        > c1 lays A 60 at 1.98
        c1 accepted, holds 58.80
        > c1 cancelled
        c1 cancelled, 60 left, 0 filled: REQUESTED, 58.80 back
        > c2 lays A 60 at 2.2
        c2 accepted, holds 72.00
        house trades 25 @ 4.00 on B with a1 (cross)
        house trades 20 @ 4.00 on C with b1 (cross)
        house trades 5 @ 4.00 on C with b2 (cross)
        c2 trades 50 @ 2.00 on A with house (cross), 10.00 back
        c2 rests 10 @ 2.20
        A lays       | backs
        c2 10 @ 2.20 |
        B lays       | backs
        C lays       | backs
        b2 25 @ 4.00 |
        ? results
        ann: A 25.00, B -75.00, C 25.00
        bob: A 25.00, B 25.00, C -75.00
        cat: A -50.00, B 50.00, C 50.00
        ? cat
        99938.00 + 62.00 held
        ? ann
        99925.00 + 75.00 held
    """)


def test_no_more_is_used_than_is_shown_at_the_best_odds() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 1105 @ 2.50
               | b2 1000 @ 2.60
        C lays | backs
               | d1 5000 @ 3.40
        > c1 backs A 1000 at 3.2
        c1 accepted, holds 1000.00
        house trades 1105 @ 2.50 on B with b1 (cross)
        house trades 812 @ 3.40 on C with d1 (cross)
        c1 trades 850 @ 3.25 on A with house (cross)
        c1 rests 150 @ 3.20
        A lays | backs
               | c1 150 @ 3.20
        B lays | backs
               | b2 1000 @ 2.60
        C lays | backs
               | d1 4188 @ 3.40
    """)


def test_it_repeats_at_the_next_odds_while_it_goes() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 1105 @ 2.50
               | b2 1000 @ 2.60
        C lays | backs
               | d1 5000 @ 3.40
        > c1 backs A 1000 at 3.0
        c1 accepted, holds 1000.00
        house trades 1105 @ 2.50 on B with b1 (cross)
        house trades 812 @ 3.40 on C with d1 (cross)
        c1 trades 850 @ 3.25 on A with house (cross)
        house trades 179 @ 2.60 on B with b2 (cross)
        house trades 137 @ 3.40 on C with d1 (cross)
        c1 trades 150 @ 3.10 on A with house (cross)
        A lays | backs
        B lays | backs
               | b2 821 @ 2.60
        C lays | backs
               | d1 4051 @ 3.40
        ? results
        bob: A -1284.00, B 1943.90, C -1284.00
        cat: A 2227.50, B -1000.00, C -1000.00
        dan: A -949.00, B -949.00, C 2277.60
        house: A 5.50, B 5.10, C 6.40
    """)


def test_direct_orders_go_first_whatever_their_odds() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 2.00 |
        B lays       | backs
                     | b1 2000 @ 2.50
        C lays       | backs
                     | d1 1000 @ 3.40
        > c1 backs A 690 at 2.0
        c1 accepted, holds 690.00
        c1 trades 10 @ 2.00 on A with a1
        house trades 884 @ 2.50 on B with b1 (cross)
        house trades 650 @ 3.40 on C with d1 (cross)
        c1 trades 680 @ 3.25 on A with house (cross)
        A lays | backs
        B lays | backs
               | b1 1116 @ 2.50
        C lays | backs
               | d1 350 @ 3.40
    """)


def test_every_other_runner_must_have_an_order_on_the_takers_side() -> None:
    plays("""
        A lays        | backs
        B lays        | backs
                      | b1 2000 @ 2.50
        C lays        | backs
        d1 100 @ 3.40 |
        > c1 backs A 1000 at 1.5
        c1 accepted, holds 1000.00
        A lays        | backs
                      | c1 1000 @ 1.50
        B lays        | backs
                      | b1 2000 @ 2.50
        C lays        | backs
        d1 100 @ 3.40 |
    """)


def test_stakes_so_small_that_the_house_would_lose_by_rounding_do_not_match() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 4 @ 2.50
        C lays | backs
               | d1 7 @ 3.40
        > c1 backs A 3 at 2.0
        c1 accepted, holds 3.00
        A lays | backs
               | c1 3 @ 2.00
        B lays | backs
               | b1 4 @ 2.50
        C lays | backs
               | d1 7 @ 3.40
    """)


def test_with_a_loss_allowed_they_do() -> None:
    plays(
        """
        A lays | backs
        B lays | backs
               | b1 4 @ 2.50
        C lays | backs
               | d1 7 @ 3.40
        > c1 backs A 3 at 2.0
        c1 accepted, holds 3.00
        house trades 4 @ 2.50 on B with b1 (cross)
        house trades 3 @ 3.40 on C with d1 (cross)
        c1 trades 3 @ 3.25 on A with house (cross), -0.20 back for house
        A lays | backs
        B lays | backs
        C lays | backs
               | d1 4 @ 3.40
        ? results
        bob: A -4.00, B 6.00, C -4.00
        cat: A 6.75, B -3.00, C -3.00
        dan: A -3.00, B -3.00, C 7.20
        house: A 0.25, B 0.00, C -0.20
        ? house
        99999.80 + 0.20 held
    """,
        house_losses=(20, 20),
    )


def test_the_loss_in_the_market_is_limited_as_well() -> None:
    plays(
        """
        A lays | backs
        B lays | backs
               | b1 4 @ 2.50
        C lays | backs
               | d1 7 @ 3.40
        > c1 backs A 3 at 2.0
        c1 accepted, holds 3.00
        house trades 4 @ 2.50 on B with b1 (cross)
        house trades 3 @ 3.40 on C with d1 (cross)
        c1 trades 3 @ 3.25 on A with house (cross), -0.20 back for house
        > b2 backs B 4 at 2.5
        b2 accepted, holds 4.00
        > c2 backs A 3 at 2.0
        c2 accepted, holds 3.00
        ? results
        bob: A -4.00, B 6.00, C -4.00
        cat: A 6.75, B -3.00, C -3.00
        dan: A -3.00, B -3.00, C 7.20
        house: A 0.25, B 0.00, C -0.20
    """,
        house_losses=(20, 30),
    )


def test_the_house_must_be_able_to_hold_what_it_takes() -> None:
    plays(
        """
        A lays | backs
        B lays | backs
               | b1 4 @ 2.50
        C lays | backs
               | d1 7 @ 3.40
        > house withdraws 99999.90
        Withdrawn
        > c1 backs A 3 at 2.0
        c1 accepted, holds 3.00
        > c1 cancelled
        c1 cancelled, 3 left, 0 filled: REQUESTED, 3.00 back
        > house gets 0.10
        Deposited
        > c2 backs A 3 at 2.0
        c2 accepted, holds 3.00
        house trades 4 @ 2.50 on B with b1 (cross)
        house trades 3 @ 3.40 on C with d1 (cross)
        c2 trades 3 @ 3.25 on A with house (cross), -0.20 back for house
        ? house
        0.00 + 0.20 held
    """,
        house_losses=(20, 20),
    )


def test_the_takers_own_orders_are_not_used() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | c1 100 @ 2.50
               | b1 2000 @ 2.50
        C lays | backs
               | d1 1000 @ 3.40
        > c2 backs A 680 at 3.0
        c2 accepted, holds 680.00
        > c1 cancelled
        c1 cancelled, 100 left, 0 filled: REQUESTED, 100.00 back
        > c2 replaced by 680 at 2.98
        c2 replaced by 680 @ 2.98, holds 0.00 more
        house trades 884 @ 2.50 on B with b1 (cross)
        house trades 650 @ 3.40 on C with d1 (cross)
        c2 trades 680 @ 3.25 on A with house (cross)
        A lays | backs
        B lays | backs
               | b1 1116 @ 2.50
        C lays | backs
               | d1 350 @ 3.40
    """)


def test_the_houses_own_orders_are_not_used_and_do_not_cross() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | h1 100 @ 2.50
               | b1 2000 @ 2.50
        C lays | backs
               | d1 1000 @ 3.40
        > c1 backs A 680 at 3.0
        c1 accepted, holds 680.00
        > h1 cancelled
        h1 cancelled, 100 left, 0 filled: REQUESTED, 100.00 back
        > h2 backs A 680 at 2.98
        h2 accepted, holds 680.00
        A lays | backs
               | h2 680 @ 2.98
               | c1 680 @ 3.00
        B lays | backs
               | b1 2000 @ 2.50
        C lays | backs
               | d1 1000 @ 3.40
    """)


def test_a_blocked_house_takes_nothing() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 2000 @ 2.50
        C lays | backs
               | d1 1000 @ 3.40
        > operator blocks house
        AccountStateChanged
        mass cancel begins: ACCOUNT_BLOCKED
        mass cancel done: 0 orders
        > c1 backs A 680 at 3.0
        c1 accepted, holds 680.00
        > operator activates house
        AccountStateChanged
        > c1 replaced by 680 at 3.0
        c1 replaced by 680 @ 3.00, holds 0.00 more
        house trades 884 @ 2.50 on B with b1 (cross)
        house trades 650 @ 3.40 on C with d1 (cross)
        c1 trades 680 @ 3.25 on A with house (cross)
    """)


def test_only_limit_orders_without_conditions_cross() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 2000 @ 2.50
        C lays | backs
               | d1 1000 @ 3.40
        > c1 backs A 680 at 3.0 fok
        c1 accepted, holds 680.00
        c1 cancelled, 680 left, 0 filled: FOK, 680.00 back
        > c2 backs A 680 at 3.0 min 5
        c2 accepted, holds 680.00
        c2 cancelled, 680 left, 0 filled: MIN_QTY, 680.00 back
        > c3 backs A 680 at market
        c3 accepted, holds 0.00
        c3 cancelled, 680 left, 0 filled: NO_LIQUIDITY
        > c4 backs A 680 at 3.0 post-only
        c4 accepted, holds 680.00
        > c5 backs A 690 at 2.98 ioc
        c5 accepted, holds 690.00
        house trades 897 @ 2.50 on B with b1 (cross)
        house trades 659 @ 3.40 on C with d1 (cross)
        c5 trades 690 @ 3.25 on A with house (cross)
        A lays | backs
               | c4 680 @ 3.00
        B lays | backs
               | b1 1103 @ 2.50
        C lays | backs
               | d1 341 @ 3.40
    """)


def test_a_match_of_more_trades_than_the_order_may_have_is_none() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 200 @ 2.50
               | b2 200 @ 2.50
               | b3 200 @ 2.50
               | b4 200 @ 2.50
               | b5 900 @ 2.50
        C lays | backs
               | d1 1000 @ 3.40
        > c1 backs A 680 at 3.0
        c1 accepted, holds 680.00
        > c1 cancelled
        c1 cancelled, 680 left, 0 filled: REQUESTED, 680.00 back
        > c2 backs A 600 at 3.0
        c2 accepted, holds 600.00
        house trades 200 @ 2.50 on B with b1 (cross)
        house trades 200 @ 2.50 on B with b2 (cross)
        house trades 200 @ 2.50 on B with b3 (cross)
        house trades 180 @ 2.50 on B with b4 (cross)
        house trades 573 @ 3.40 on C with d1 (cross)
        c2 trades 600 @ 3.25 on A with house (cross)
        A lays | backs
        B lays | backs
               | b4 20 @ 2.50
               | b5 900 @ 2.50
        C lays | backs
               | d1 427 @ 3.40
    """)


def test_an_iceberg_gives_what_it_shows_at_a_time() -> None:
    plays("""
        A lays | backs
        B lays | backs
        C lays | backs
               | d1 5000 @ 3.40
        > b1 backs B 3000 at 2.5 showing 884
        b1 accepted, holds 3000.00
        > c1 backs A 1500 at 3.0
        c1 accepted, holds 1500.00
        house trades 884 @ 2.50 on B with b1 (cross)
        house trades 650 @ 3.40 on C with d1 (cross)
        c1 trades 680 @ 3.25 on A with house (cross)
        house trades 884 @ 2.50 on B with b1 (cross)
        house trades 650 @ 3.40 on C with d1 (cross)
        c1 trades 680 @ 3.25 on A with house (cross)
        c1 rests 140 @ 3.00
        A lays | backs
               | c1 140 @ 3.00
        B lays | backs
               | b1 1232 @ 2.50
        C lays | backs
               | d1 3700 @ 3.40
    """)


def test_a_removed_runner_is_none() -> None:
    plays(
        """
        A lays | backs
        B lays | backs
               | b1 2000 @ 3.00
        C lays | backs
               | d1 2000 @ 3.00
        D lays | backs
               | d2 2000 @ 5.00
        > operator halts market
        market HALTED
        > operator removes D
        D removed, reduction 0%
        d2 cancelled, 2000 left, 0 filled: RUNNER_REMOVED
        dan holds -2000.00 more
        > operator opens market
        market OPEN
        > c1 backs A 300 at 2.9
        c1 accepted, holds 300.00
        house trades 300 @ 3.00 on B with b1 (cross)
        house trades 300 @ 3.00 on C with d1 (cross)
        c1 trades 300 @ 3.00 on A with house (cross)
        A lays | backs
        B lays | backs
               | b1 1700 @ 3.00
        C lays | backs
               | d1 1700 @ 3.00
        D lays | backs
    """,
        runners="ABCD",
    )


def test_four_runners() -> None:
    plays(
        """
        A lays | backs
               | a1 1000 @ 4.00
        B lays | backs
               | b1 1000 @ 5.00
        C lays | backs
        D lays | backs
               | d1 1000 @ 6.00
        > c1 backs C 400 at 2.5
        c1 accepted, holds 400.00
        house trades 260 @ 4.00 on A with a1 (cross)
        house trades 208 @ 5.00 on B with b1 (cross)
        house trades 173 @ 6.00 on D with d1 (cross)
        c1 trades 400 @ 2.60 on C with house (cross)
        A lays | backs
               | a1 740 @ 4.00
        B lays | backs
               | b1 792 @ 5.00
        C lays | backs
        D lays | backs
               | d1 827 @ 6.00
        ? results
        ann: A 780.00, B -260.00, C -260.00, D -260.00
        bob: A -208.00, B 832.00, C -208.00, D -208.00
        cat: A -400.00, B -400.00, C 640.00, D -400.00
        dan: A -173.00, B -173.00, C -173.00, D 865.00
        house: A 1.00, B 1.00, C 1.00, D 3.00
        ? house
        100000.00
    """,
        runners="ABCD",
    )
