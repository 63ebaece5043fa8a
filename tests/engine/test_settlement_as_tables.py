"""How outcome markets end, and trades that are undone, as positions per outcome before and after."""

from typing import Any

from engine.state import Limits
from tests.engine.odds_tables import Scene, play


def plays(text: str, runners: str = "ABC", **terms: Any) -> None:
    """Play a scenario on a new exchange and compare."""
    expected, out = play(Scene(runners, terms.pop("house", False), **terms), text)
    assert out == expected


def test_one_winner_takes_its_outcome_less_commission() -> None:
    plays(
        """
        A lays       | backs
        a1 10 @ 3.00 |
        B lays       | backs
        a2 10 @ 4.00 |
        > b1 backs A 10 at 3
        b1 accepted, holds 10.00
        b1 trades 10 @ 3.00 on A with a1, 10.00 back for a1
        > c1 backs B 5 at 4
        c1 accepted, holds 5.00
        c1 trades 5 @ 4.00 on B with a2
        > operator settles for A
        rejected: MARKET_NOT_CLOSED
        > operator sets market CLOSING
        market CLOSING
        mass cancel begins: MARKET_CLOSING
        a2 cancelled, 5 left, 5 filled: MARKET_CLOSING, 5.00 back
        mass cancel done: 1 orders
        market CLOSED
        ? positions
            | A      | B      | C      | holds
        ann | -15.00 | -5.00  | 15.00  | 15.00
        bob | 20.00  | -10.00 | -10.00 | 10.00
        cat | -5.00  | 15.00  | -5.00  | 5.00
        > operator settles for no one
        rejected: NO_WINNER
        > operator settles for Z
        rejected: UNKNOWN_RUNNER
        > operator settles for A and A
        rejected: UNKNOWN_RUNNER
        > operator settles for A
        ann has 15.00 back and -15.00
        bob has 10.00 back and 20.00 less 1.00
        cat has 5.00 back and -5.00
        settled for A: 3 accounts
        market SETTLED
        ? ann
        985.00
        ? bob
        1019.00
        ? cat
        995.00
        ? fees
        1.00
        > operator settles for B
        rejected: MARKET_NOT_CLOSED
        > b9 backs A 1 at 2
        rejected: MARKET_CLOSED
        > operator opens market
        rejected: STATE_NOT_ALLOWED
        """,
        commission_ppm=50_000,
    )


def test_a_dead_heat_is_divided_and_what_rounding_leaves_is_the_fee_accounts() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 3.00 |
        B lays       | backs
        a2 1 @ 1.01  |
        > b1 backs A 10 at 3
        b1 accepted, holds 10.00
        b1 trades 10 @ 3.00 on A with a1
        > c1 backs B 1 at 1.01
        c1 accepted, holds 1.00
        c1 trades 1 @ 1.01 on B with a2, 1.00 back for a2
        > operator sets market CLOSING
        market CLOSING
        mass cancel begins: MARKET_CLOSING
        mass cancel done: 0 orders
        market CLOSED
        ? positions
            | A      | B      | C      | holds
        ann | -19.00 | 9.99   | 11.00  | 19.00
        bob | 20.00  | -10.00 | -10.00 | 10.00
        cat | -1.00  | 0.01   | -1.00  | 1.00
        > operator settles for A and B
        ann has 19.00 back and -4.51
        bob has 10.00 back and 5.00
        cat has 1.00 back and -0.50
        fees has 0.00 back and 0.01
        settled for A, B: 4 accounts, 0.01 left over
        market SETTLED
        > operator settles for B
        rejected: MARKET_NOT_CLOSED
    """)


def test_what_rounding_leaves_is_the_houses_where_there_is_one() -> None:
    plays(
        """
        A lays      | backs
        a1 1 @ 1.01 |
        > b1 backs A 1 at 1.01
        b1 accepted, holds 1.00
        b1 trades 1 @ 1.01 on A with a1
        > operator sets market CLOSING
        market CLOSING
        mass cancel begins: MARKET_CLOSING
        mass cancel done: 0 orders
        market CLOSED
        > operator settles for A and B and C
        ann has 0.01 back and 0.66
        bob has 1.00 back and -0.67
        house has 0.00 back and 0.01
        settled for A, B, C: 3 accounts, 0.01 left over
        market SETTLED
        ? house
        1000.01
        """,
        house=True,
    )


def test_a_void_market_gives_back_what_was_held() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 3.00 |
                     | d1 5 @ 5.00
        > b1 backs A 10 at 3
        b1 accepted, holds 10.00
        b1 trades 10 @ 3.00 on A with a1
        > operator sets market SUSPENDED
        market SUSPENDED
        > operator voids
        rejected: MARKET_NOT_CLOSED
        > operator sets market CLOSING
        market CLOSING
        mass cancel begins: MARKET_CLOSING
        d1 cancelled, 5 left, 0 filled: MARKET_CLOSING, 5.00 back
        mass cancel done: 1 orders
        market CLOSED
        > operator voids
        ann has 20.00 back and 0.00
        bob has 10.00 back and 0.00
        settled for none: 2 accounts
        market VOIDED
        ? ann
        1000.00
        ? bob
        1000.00
    """)


def test_yes_or_no_of_a_binary_market() -> None:
    plays(
        """
        buys        | sells
        a1 5 @ 0.60 |
        > b1 sells 3 at 0.60
        b1 accepted, holds 120.00
        b1 trades 3 @ 0.60 with a1
        > operator sets market CLOSING
        market CLOSING
        mass cancel begins: MARKET_CLOSING
        a1 cancelled, 2 left, 3 filled: MARKET_CLOSING, 120.00 back
        mass cancel done: 1 orders
        market CLOSED
        > operator settles for MAYBE
        rejected: UNKNOWN_RUNNER
        > operator settles for NO
        ann has 180.00 back and -180.00
        bob has 120.00 back and 180.00
        settled for NO: 2 accounts
        market SETTLED
        ? ann
        820.00
        ? bob
        1180.00
        """,
        runners="",
    )


def test_a_settlement_takes_steps_of_bounded_transactions() -> None:
    plays(
        """
        A lays       | backs
        a1 10 @ 3.00 |
        > b1 backs A 2 at 3
        b1 accepted, holds 2.00
        b1 trades 2 @ 3.00 on A with a1
        > c1 backs A 2 at 3
        c1 accepted, holds 2.00
        c1 trades 2 @ 3.00 on A with a1
        > d1 backs A 2 at 3
        d1 accepted, holds 2.00
        d1 trades 2 @ 3.00 on A with a1
        > h1 backs A 2 at 3
        h1 accepted, holds 2.00
        h1 trades 2 @ 3.00 on A with a1
        > operator sets market CLOSING
        market CLOSING
        mass cancel begins: MARKET_CLOSING
        a1 cancelled, 2 left, 8 filled: MARKET_CLOSING, 4.00 back
        mass cancel done: 1 orders
        market CLOSED
        > operator settles for A
        ann has 16.00 back and -16.00
        bob has 2.00 back and 4.00
        cat has 2.00 back and 4.00
        dan has 2.00 back and 4.00
        > operator settles for A
        rejected: MARKET_BUSY
        > operator opens market
        rejected: MARKET_BUSY
        > the engine goes on
        house has 2.00 back and 4.00
        settled for A: 5 accounts
        market SETTLED
        > the engine goes on
        rejected: INVALID_COMBINATION
        """,
        limits=Limits(events_per_transaction_max=6, fills_per_order_max=1),
    )


def test_void_trades_count_no_more_for_either_side() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 3.15 |
        B lays       | backs
        a2 10 @ 2.52 |
        > b1 backs A 10 at 3.15
        b1 accepted, holds 10.00
        b1 trades 10 @ 3.15 on A with a1
        > 10 ms go by
        > c1 backs B 10 at 2.52
        c1 accepted, holds 10.00
        c1 trades 10 @ 2.52 on B with a2, 10.00 back for a2
        ? positions
            | A      | B      | C      | holds
        ann | -11.50 | -5.20  | 20.00  | 11.50
        bob | 21.50  | -10.00 | -10.00 | 10.00
        cat | -10.00 | 15.20  | -10.00 | 10.00
        > operator voids trades from 10 ms to before 20 ms
        rejected: STATE_NOT_ALLOWED
        > operator halts market
        market HALTED
        > operator voids trades from 11 ms to before 20 ms
        0 trades void
        > operator voids trades from 10 ms to before 11 ms
        1 trades void
        ann holds 10.00 more
        cat holds -10.00 more
        ? positions
            | A      | B      | C      | holds
        ann | -21.50 | 10.00  | 10.00  | 21.50
        bob | 21.50  | -10.00 | -10.00 | 10.00
        cat | 0.00   | 0.00   | 0.00   | 0.00
        > operator voids trades from 0 ms to before 11 ms
        1 trades void
        ann holds -21.50 more
        bob holds -10.00 more
        ? positions
            | A    | B    | C    | holds
        ann | 0.00 | 0.00 | 0.00 | 0.00
        bob | 0.00 | 0.00 | 0.00 | 0.00
        cat | 0.00 | 0.00 | 0.00 | 0.00
        ? ann
        1000.00
    """)


def test_who_cannot_cover_a_void_is_short_and_owes_what_settlement_costs_beyond() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 3.00 |
        B lays       | backs
        a2 10 @ 3.00 |
        > b1 backs A 10 at 3
        b1 accepted, holds 10.00
        b1 trades 10 @ 3.00 on A with a1
        > 1 ms go by
        > b2 backs B 10 at 3
        b2 accepted, holds 10.00
        b2 trades 10 @ 3.00 on B with a2, 10.00 back for a2
        > ann withdraws 990
        Withdrawn
        > operator halts market
        market HALTED
        > operator voids trades from 1 ms to before 2 ms
        1 trades void
        ann holds 0.00 more, short of 10.00
        bob holds -10.00 more
        ? ann
        0.00 + 10.00 held
        > operator sets market CLOSING
        market CLOSING
        mass cancel begins: MARKET_CLOSING
        mass cancel done: 0 orders
        market CLOSED
        > operator settles for A
        ann has 10.00 back and -20.00
        bob has 10.00 back and 20.00
        settled for A: 2 accounts
        market SETTLED
        ? ann
        -10.00
        ? bob
        1020.00
        > ann deposits 5
        Deposited
        > ann withdraws 1
        rejected: SHORTFALL
        > ann deposits 5
        Deposited
        ? ann
        0.00
        > ann withdraws 1
        rejected: INSUFFICIENT_FUNDS
    """)


def test_void_trades_take_steps_and_the_market_is_busy_until_held_funds_are_set_anew() -> None:
    plays(
        """
        A lays      | backs
        a1 9 @ 3.00 |
        > b1 backs A 2 at 3
        b1 accepted, holds 2.00
        b1 trades 2 @ 3.00 on A with a1
        > c1 backs A 2 at 3
        c1 accepted, holds 2.00
        c1 trades 2 @ 3.00 on A with a1
        > d1 backs A 2 at 3
        d1 accepted, holds 2.00
        d1 trades 2 @ 3.00 on A with a1
        > operator halts market
        market HALTED
        > operator voids trades from 0 ms to before 1 ms
        3 trades void
        ann holds -12.00 more
        bob holds -2.00 more
        cat holds -2.00 more
        ? positions
            | A    | B    | C    | holds
        ann | 0.00 | 0.00 | 0.00 | 6.00
        bob | 0.00 | 0.00 | 0.00 | 0.00
        cat | 0.00 | 0.00 | 0.00 | 0.00
        dan | 0.00 | 0.00 | 0.00 | 2.00
        > operator opens market
        rejected: MARKET_BUSY
        > operator removes A
        rejected: MARKET_BUSY
        > a1 cancelled
        a1 cancelled, 3 left, 6 filled: REQUESTED, 6.00 back
        > the engine goes on
        dan holds -2.00 more
        ? positions
            | A    | B    | C    | holds
        ann | 0.00 | 0.00 | 0.00 | 0.00
        bob | 0.00 | 0.00 | 0.00 | 0.00
        cat | 0.00 | 0.00 | 0.00 | 0.00
        dan | 0.00 | 0.00 | 0.00 | 0.00
        > operator opens market
        market OPEN
        > b2 backs A 1 at 2
        b2 accepted, holds 1.00
        """,
        limits=Limits(events_per_transaction_max=6, fills_per_order_max=1),
    )
