"""Cash out: what is traded to close a share of a position (``tests/engine/odds_tables.py``)."""

from tests.engine.odds_tables import Scene, play


def plays(text: str, runners: str = "ABC") -> None:
    """Play a scenario on a new market and compare."""
    expected, out = play(Scene(runners, house=False), text)
    assert out == expected


def test_half_of_a_position_is_laid_at_the_best_odds_there_are() -> None:
    plays("""
        A lays       | backs
        a1 60 @ 3.00 |
        B lays       | backs
        C lays       | backs
        > c1 backs A 60 at 3.0
        c1 accepted, holds 60.00
        c1 trades 60 @ 3.00 on A with a1
        > b1 backs A 5 at 1.9
        b1 accepted, holds 5.00
        > d1 backs A 70 at 2.0
        d1 accepted, holds 70.00
        ? results
        ann: A -120.00, B 60.00, C 60.00
        cat: A 120.00, B -60.00, C -60.00
        > cat cashes out 50%
        out1 accepted, holds 0.00
        out1 trades 5 @ 1.90 on A with b1, 5.00 back
        out1 trades 40 @ 2.00 on A with d1, 40.00 back
        cat cashed out: 120.00 / -60.00 / -60.00 is now 75.50 / -15.00 / -15.00
        A lays | backs
               | d1 30 @ 2.00
        B lays | backs
        C lays | backs
        ? results
        ann: A -120.00, B 60.00, C 60.00
        bob: A 4.50, B -5.00, C -5.00
        cat: A 75.50, B -15.00, C -15.00
        dan: A 40.00, B -40.00, C -40.00
        ? cat
        985.00 + 15.00 held
    """)


def test_all_of_a_position_leaves_the_same_result_whoever_wins() -> None:
    plays("""
        A lays        | backs
        a1 100 @ 3.00 |
        B lays        | backs
        C lays        | backs
        > c1 backs A 100 at 3.0
        c1 accepted, holds 100.00
        c1 trades 100 @ 3.00 on A with a1
        > b1 backs A 200 at 2.0
        b1 accepted, holds 200.00
        > cat cashes out 100%
        out1 accepted, holds 0.00
        out1 trades 150 @ 2.00 on A with b1, 100.00 back
        cat cashed out: 200.00 / -100.00 / -100.00 is now 50.00 / 50.00 / 50.00
        ? results
        ann: A -200.00, B 100.00, C 100.00
        bob: A 150.00, B -150.00, C -150.00
        cat: A 50.00, B 50.00, C 50.00
        ? cat
        1000.00
        > cat cashes out 100%
        rejected: NOTHING_TO_CASH_OUT
    """)


def test_the_worst_result_that_is_accepted_is_kept() -> None:
    plays("""
        A lays       | backs
        a1 60 @ 3.00 |
        B lays       | backs
        C lays       | backs
        > c1 backs A 60 at 3.0
        c1 accepted, holds 60.00
        c1 trades 60 @ 3.00 on A with a1
        > b1 backs A 200 at 2.0
        b1 accepted, holds 200.00
        > cat cashes out 50%, at worst -14.99
        rejected: CASH_OUT_UNFILLED
        > cat cashes out 50%, at worst -15.00
        out2 accepted, holds 0.00
        out2 trades 45 @ 2.00 on A with b1, 45.00 back
        cat cashed out: 120.00 / -60.00 / -60.00 is now 75.00 / -15.00 / -15.00
        ? cat
        985.00 + 15.00 held
    """)


def test_a_layer_closes_by_laying_the_others() -> None:
    plays("""
        A lays | backs
               | a1 100 @ 3.00
        B lays | backs
               | b1 500 @ 3.00
        C lays | backs
               | d1 500 @ 3.00
        > c1 lays A 100 at 3.0
        c1 accepted, holds 200.00
        c1 trades 100 @ 3.00 on A with a1
        ? results
        ann: A 200.00, B -100.00, C -100.00
        cat: A -200.00, B 100.00, C 100.00
        > cat cashes out 100%
        out1 accepted, holds 0.00
        out1 trades 100 @ 3.00 on B with b1, 100.00 back
        out1 accepted, holds 0.00
        out1 trades 100 @ 3.00 on C with d1, 100.00 back
        cat cashed out: -200.00 / 100.00 / 100.00 is now 0.00 / 0.00 / 0.00
        ? results
        ann: A 200.00, B -100.00, C -100.00
        bob: A -100.00, B 200.00, C -100.00
        dan: A -100.00, B -100.00, C 200.00
        ? cat
        1000.00
    """)


def test_it_is_all_or_nothing() -> None:
    plays("""
        A lays       | backs
        a1 60 @ 3.00 |
        B lays       | backs
        C lays       | backs
        > c1 backs A 60 at 3.0
        c1 accepted, holds 60.00
        c1 trades 60 @ 3.00 on A with a1
        > b1 backs A 80 at 2.0
        b1 accepted, holds 80.00
        > cat cashes out 100%
        rejected: CASH_OUT_UNFILLED
        > b2 backs A 10 at 2.02
        b2 accepted, holds 10.00
        > cat cashes out 100%
        out2 accepted, holds 0.00
        out2 trades 80 @ 2.00 on A with b1, 60.00 back
        out2 trades 9 @ 2.02 on A with b2
        cat cashed out: 120.00 / -60.00 / -60.00 is now 30.82 / 29.00 / 29.00
        ? results
        ann: A -120.00, B 60.00, C 60.00
        bob: A 89.18, B -89.00, C -89.00
        cat: A 30.82, B 29.00, C 29.00
    """)


def test_own_orders_are_in_the_way() -> None:
    plays("""
        A lays       | backs
        a1 60 @ 3.00 |
        B lays       | backs
        C lays       | backs
        > c1 backs A 60 at 3.0
        c1 accepted, holds 60.00
        c1 trades 60 @ 3.00 on A with a1
        > c2 backs A 1 at 1.9
        c2 accepted, holds 1.00
        > b1 backs A 200 at 2.0
        b1 accepted, holds 200.00
        > cat cashes out 100%
        rejected: CASH_OUT_UNFILLED
        > c2 cancelled
        c2 cancelled, 1 left, 0 filled: REQUESTED, 1.00 back
        > cat cashes out 100%
        out2 accepted, holds 0.00
        out2 trades 90 @ 2.00 on A with b1, 60.00 back
        cat cashed out: 120.00 / -60.00 / -60.00 is now 30.00 / 30.00 / 30.00
        ? cat
        1000.00
    """)


def test_nothing_is_nothing_to_cash_out() -> None:
    plays("""
        A lays       | backs
        a1 60 @ 3.00 |
        B lays       | backs
                     | b1 60 @ 3.00
        C lays       | backs
        > cat cashes out 100%
        rejected: NOTHING_TO_CASH_OUT
        > ann cashes out 100%
        rejected: NOTHING_TO_CASH_OUT
        > c1 backs A 1 at 3.0
        c1 accepted, holds 1.00
        c1 trades 1 @ 3.00 on A with a1
        > b2 backs A 100 at 5.0
        b2 accepted, holds 100.00
        > cat cashes out 100%
        rejected: NOTHING_TO_CASH_OUT
    """)


def test_funds_must_cover_all_legs_at_once() -> None:
    plays("""
        A lays | backs
               | a1 100 @ 3.00
        B lays | backs
               | b1 500 @ 3.00
        C lays | backs
               | d1 500 @ 3.00
        > c1 lays A 100 at 3.0
        c1 accepted, holds 200.00
        c1 trades 100 @ 3.00 on A with a1
        > c2 lays B 200 at 2.0
        c2 accepted, holds 0.00
        > c3 lays C 150 at 2.0
        c3 accepted, holds 0.00
        > cat withdraws 700.01
        Withdrawn
        ? cat
        99.99 + 200.00 held
        > cat cashes out 100%
        rejected: INSUFFICIENT_FUNDS
        > c2 cancelled
        c2 cancelled, 200 left, 0 filled: REQUESTED
        > cat cashes out 100%
        out2 accepted, holds 0.00
        out2 trades 100 @ 3.00 on B with b1, 100.00 back
        out2 accepted, holds 50.00
        out2 trades 100 @ 3.00 on C with d1
        cat cashed out: -200.00 / 100.00 / 100.00 is now 0.00 / 0.00 / 0.00
        ? results
        ann: A 200.00, B -100.00, C -100.00
        bob: A -100.00, B 200.00, C -100.00
        dan: A -100.00, B -100.00, C 200.00
        ? cat
        149.99 + 150.00 held
    """)


def test_no_more_trades_than_an_order_may_have() -> None:
    plays("""
        A lays      | backs
        a1 8 @ 3.00 |
        B lays      | backs
        C lays      | backs
        > c1 backs A 8 at 3.0
        c1 accepted, holds 8.00
        c1 trades 8 @ 3.00 on A with a1
        > b1 backs A 1 at 2.0
        b1 accepted, holds 1.00
        > b2 backs A 1 at 2.0
        b2 accepted, holds 1.00
        > b3 backs A 1 at 2.0
        b3 accepted, holds 1.00
        > b4 backs A 1 at 2.0
        b4 accepted, holds 1.00
        > b5 backs A 1 at 2.0
        b5 accepted, holds 1.00
        > b6 backs A 1 at 2.0
        b6 accepted, holds 1.00
        > b7 backs A 9 at 2.0
        b7 accepted, holds 9.00
        > cat cashes out 100%
        rejected: CASH_OUT_UNFILLED
        > cat cashes out 50%
        out2 accepted, holds 0.00
        out2 trades 1 @ 2.00 on A with b1, 1.00 back
        out2 trades 1 @ 2.00 on A with b2, 1.00 back
        out2 trades 1 @ 2.00 on A with b3, 1.00 back
        out2 trades 1 @ 2.00 on A with b4, 1.00 back
        out2 trades 1 @ 2.00 on A with b5, 1.00 back
        out2 trades 1 @ 2.00 on A with b6, 1.00 back
        cat cashed out: 16.00 / -8.00 / -8.00 is now 10.00 / -2.00 / -2.00
        ? results
        ann: A -16.00, B 8.00, C 8.00
        bob: A 6.00, B -6.00, C -6.00
        cat: A 10.00, B -2.00, C -2.00
    """)


def test_icebergs_count_with_what_they_hide() -> None:
    plays("""
        A lays       | backs
        a1 60 @ 3.00 |
        B lays       | backs
        C lays       | backs
        > c1 backs A 60 at 3.0
        c1 accepted, holds 60.00
        c1 trades 60 @ 3.00 on A with a1
        > b1 backs A 200 at 2.0 showing 50
        b1 accepted, holds 200.00
        > cat cashes out 100%
        out1 accepted, holds 0.00
        out1 trades 50 @ 2.00 on A with b1, 50.00 back
        out1 trades 40 @ 2.00 on A with b1, 10.00 back
        cat cashed out: 120.00 / -60.00 / -60.00 is now 30.00 / 30.00 / 30.00
        A lays | backs
               | b1 110 @ 2.00
        B lays | backs
        C lays | backs
        ? results
        ann: A -120.00, B 60.00, C 60.00
        bob: A 90.00, B -90.00, C -90.00
        cat: A 30.00, B 30.00, C 30.00
    """)


def test_of_two_runners_only_the_own_book_counts() -> None:
    plays(
        """
        A lays       | backs
        a1 50 @ 3.00 |
        B lays       | backs
        > c1 backs A 50 at 3.0
        c1 accepted, holds 50.00
        c1 trades 50 @ 3.00 on A with a1
        > b1 lays B 200 at 1.8
        b1 accepted, holds 160.00
        > cat cashes out 100%
        rejected: CASH_OUT_UNFILLED
        > b2 backs A 100 at 2.5
        b2 accepted, holds 100.00
        > cat cashes out 100%
        out2 accepted, holds 0.00
        out2 trades 60 @ 2.50 on A with b2, 50.00 back
        cat cashed out: 100.00 / -50.00 is now 10.00 / 10.00
        ? results
        ann: A -100.00, B 50.00
        bob: A 90.00, B -60.00
        cat: A 10.00, B 10.00
    """,
        runners="AB",
    )


def test_states_are_as_for_a_place() -> None:
    plays("""
        A lays       | backs
        a1 50 @ 3.00 |
        B lays       | backs
        C lays       | backs
        > c1 backs A 50 at 3.0
        c1 accepted, holds 50.00
        c1 trades 50 @ 3.00 on A with a1
        > b2 backs A 100 at 2.5
        b2 accepted, holds 100.00
        > operator halts market
        market HALTED
        > cat cashes out 100%
        rejected: MARKET_HALTED
        > operator gathers
        market PRE_OPEN
        > cat cashes out 100%
        rejected: NOT_WHILE_GATHERING
        > operator opens market
        market OPEN
        auction of A done: nothing
        auction of B done: nothing
        auction of C done: nothing
        > operator blocks cat
        AccountStateChanged
        mass cancel begins: ACCOUNT_BLOCKED
        mass cancel done: 0 orders
        > cat cashes out 100%
        rejected: ACCOUNT_BLOCKED
        > operator activates cat
        AccountStateChanged
        > cat cashes out 100%
        out4 accepted, holds 0.00
        out4 trades 60 @ 2.50 on A with b2, 50.00 back
        cat cashed out: 100.00 / -50.00 / -50.00 is now 10.00 / 10.00 / 10.00
    """)


def test_a_binary_position_is_sold_or_bought_back() -> None:
    plays(
        """
        buys         | sells
        a1 10 @ 0.60 | b1 10 @ 0.70
        > c1 buys 10 at 0.70
        c1 accepted, holds 700.00
        c1 trades 10 @ 0.70 with b1
        ? results
        bob: YES -300.00, NO 700.00
        cat: YES 300.00, NO -700.00
        > cat cashes out 50%
        out1 accepted, holds 0.00
        out1 trades 5 @ 0.60 with a1, 300.00 back
        cat cashed out: 300.00 / -700.00 is now 100.00 / -400.00
        > d1 sells 9 at 0.65
        d1 accepted, holds 315.00
        > bob cashes out 9%
        rejected: NOTHING_TO_CASH_OUT
        > bob cashes out 50%
        out3 accepted, holds 0.00
        out3 trades 5 @ 0.65 with d1, 175.00 back
        bob cashed out: -300.00 / 700.00 is now -125.00 / 375.00
        buys        | sells
        a1 5 @ 0.60 | d1 4 @ 0.65
        ? results
        ann: YES 200.00, NO -300.00
        bob: YES -125.00, NO 375.00
        cat: YES 100.00, NO -400.00
        dan: YES -175.00, NO 325.00
        ? cat
        600.00 + 400.00 held
    """,
        runners="",
    )
