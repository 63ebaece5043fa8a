"""What accounts hold in outcome markets, as positions per outcome (``tests/engine/odds_tables.py``)."""

from typing import Any

from tests.engine.odds_tables import Scene, play


def plays(text: str, runners: str = "ABC", **terms: Any) -> None:
    """Play a scenario on a new exchange and compare."""
    expected, out = play(Scene(runners, terms.pop("house", False), **terms), text)
    assert out == expected


def test_what_is_held_is_the_worst_case_over_outcomes_and_fills() -> None:
    plays(
        """
        A lays | backs
               | a1 500 @ 2.00
        > a2 backs B 300 at 3
        a2 accepted, holds 0.00
        ? ann
        500.00 + 500.00 held
        > b1 lays B 300 at 3
        b1 accepted, holds 600.00
        b1 trades 300 @ 3.00 on B with a2, 200.00 back for a2
        ? positions
            | A       | B       | holds
        ann | -300.00 | 600.00  | 300.00
        bob | 300.00  | -600.00 | 600.00
        ? ann
        700.00 + 300.00 held
        """,
        runners="AB",
    )


def test_a_bet_filled_better_than_its_limit_holds_what_it_can_lose() -> None:
    plays("""
        A lays | backs
               | a1 10 @ 2.00
        > b1 lays A 10 at 3
        b1 accepted, holds 20.00
        b1 trades 10 @ 2.00 on A with a1, 10.00 back
        ? positions
            | A      | B      | C      | holds
        ann | 10.00  | -10.00 | -10.00 | 10.00
        bob | -10.00 | 10.00  | 10.00  | 10.00
        ? bob
        990.00 + 10.00 held
    """)


def test_lays_on_several_runners_hold_the_worst_of_them() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 3.15 |
        B lays       | backs
        a2 10 @ 2.52 |
        > c1 backs A 10 at 3.15
        c1 accepted, holds 10.00
        c1 trades 10 @ 3.15 on A with a1
        > c2 backs B 10 at 2.52
        c2 accepted, holds 10.00
        c2 trades 10 @ 2.52 on B with a2, 10.00 back for a2
        ? results
        ann: A -11.50, B -5.20, C 20.00
        cat: A 11.50, B 5.20, C -20.00
        ? positions
            | A      | B     | C      | holds
        ann | -11.50 | -5.20 | 20.00  | 11.50
        cat | 11.50  | 5.20  | -20.00 | 20.00
    """)


def test_a_bet_that_only_closes_another_holds_nothing_more() -> None:
    plays("""
        A lays | backs
               | a1 10 @ 3.00
        > b1 lays A 10 at 3.5
        b1 accepted, holds 25.00
        b1 trades 10 @ 3.00 on A with a1, 5.00 back
        ? positions
            | A      | B      | C      | holds
        ann | 20.00  | -10.00 | -10.00 | 10.00
        bob | -20.00 | 10.00  | 10.00  | 20.00
        > b2 backs A 10 at 2.5
        b2 accepted, holds 0.00
        > a2 lays A 10 at 2.5
        a2 accepted, holds 0.00
        a2 trades 10 @ 2.50 on A with b2, 10.00 back, 15.00 back for b2
        ? positions
            | A     | B    | C    | holds
        ann | 5.00  | 0.00 | 0.00 | 0.00
        bob | -5.00 | 0.00 | 0.00 | 5.00
        ? ann
        1000.00
        ? bob
        995.00 + 5.00 held
    """)


def test_a_trade_with_oneself_gives_the_taker_all_back() -> None:
    plays("""
        A lays | backs
               | a1 1 @ 2.02
        > a2 lays A 1 at 1000
        a2 accepted, holds 998.00
        a2 trades 1 @ 2.02 on A with a1, 999.00 back
        ? ann
        1000.00
    """)


def test_an_order_that_could_cost_more_than_the_funds_is_refused() -> None:
    plays("""
        A lays | backs
               | a1 600 @ 2.00
        > a2 backs B 401 at 2
        rejected: INSUFFICIENT_FUNDS
        > a3 backs A 401 at 2
        rejected: INSUFFICIENT_FUNDS
        > a4 lays A 1000 at 2
        a4 accepted, holds 400.00
        a4 trades 600 @ 2.00 on A with a1, 600.00 back
        a4 rests 400 @ 2.00
        > a5 lays A 401 at 2
        a5 accepted, holds 401.00
        ? ann
        199.00 + 801.00 held
    """)


def test_odds_are_of_the_ladder() -> None:
    plays("""
        A lays | backs
        > a1 backs A 1 at 2.01
        rejected: OFF_LADDER
        > a2 backs A 1 at 2.02
        a2 accepted, holds 1.00
        > a3 backs A 1 at 1.00
        rejected: PRICE_OUT_OF_RANGE
        > a4 lays A 1 at 1.01
        a4 accepted, holds 0.00
        > a5 lays A 1 at 1000
        a5 accepted, holds 998.01
        a5 trades 1 @ 2.02 on A with a2, 999.00 back
        > a6 lays A 1 at 1001
        rejected: PRICE_OUT_OF_RANGE
        > a7 lays Z 1 at 2
        rejected: UNKNOWN_MARKET
    """)


def test_a_buyer_of_a_binary_contract_risks_the_price_and_a_seller_the_rest() -> None:
    plays(
        """
        buys        | sells
        a1 5 @ 0.60 |
        > b1 sells 3 at 0.60
        b1 accepted, holds 120.00
        b1 trades 3 @ 0.60 with a1
        ? positions
            | YES     | NO      | holds
        ann | 120.00  | -180.00 | 300.00
        bob | -120.00 | 180.00  | 120.00
        ? ann
        700.00 + 300.00 held
        > a2 sells 2 at 0.70
        a2 accepted, holds 0.00
        > a1 cancelled
        a1 cancelled, 2 left, 3 filled: REQUESTED, 120.00 back
        > b2 buys 2 at 0.75
        b2 accepted, holds 0.00
        b2 trades 2 @ 0.70 with a2, 60.00 back, 140.00 back for a2
        ? results
        ann: YES 60.00, NO -40.00
        bob: YES -60.00, NO 40.00
        ? positions
            | YES    | NO     | holds
        ann | 60.00  | -40.00 | 40.00
        bob | -60.00 | 40.00  | 60.00
        buys | sells
        """,
        runners="",
    )


def test_a_market_order_holds_what_it_will_trade_at_and_a_waiting_one_its_worst_price() -> None:
    plays(
        """
        buys        | sells
        a1 5 @ 0.60 | b1 2 @ 0.65
                    | b2 2 @ 0.70
        > c1 buys 3 at market
        c1 accepted, holds 200.00
        c1 trades 2 @ 0.65 with b1
        c1 trades 1 @ 0.70 with b2
        ? positions
            | YES     | NO      | holds
        ann | 0.00    | 0.00    | 300.00
        bob | -100.00 | 200.00  | 130.00
        cat | 100.00  | -200.00 | 200.00
        > c2 sells 1 at 0.50 stop 0.6
        c2 accepted, holds 0.00
        c2 waits: TRIGGER
        > d1 sells 2 at market stop 0.62
        d1 accepted, holds 199.98
        d1 waits: TRIGGER
        ? dan
        800.02 + 199.98 held
        > c3 sells 9 at market
        c3 accepted, holds 0.00
        c3 trades 5 @ 0.60 with a1, 50.00 back
        c3 cancelled, 4 left, 5 filled: NO_LIQUIDITY
        d1 goes to the book
        d1 cancelled, 2 left, 0 filled: NO_LIQUIDITY, 199.98 back
        c2 goes to the book
        c2 rests 1 @ 0.50
        """,
        runners="",
    )
