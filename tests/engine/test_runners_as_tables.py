"""Runners added and removed and the turn in-play, as books and positions per outcome before and after."""

from typing import Any

from bus.commands import RemovalRule
from engine.state import Limits
from tests.engine.odds_tables import Scene, play


def plays(text: str, runners: str = "ABC", **terms: Any) -> None:
    """Play a scenario on a new exchange and compare."""
    expected, out = play(Scene(runners, terms.pop("house", False), **terms), text)
    assert out == expected


def test_a_removed_runners_bets_are_void_and_who_lacks_funds_for_it_is_short() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 3.15 |
        B lays       | backs
        a2 10 @ 2.52 |
        C lays       | backs
        a3 20 @ 2.00 |
        > b1 backs A 10 at 3.15
        b1 accepted, holds 10.00
        b1 trades 10 @ 3.15 on A with a1
        > b2 backs B 10 at 2.52
        b2 accepted, holds 10.00
        b2 trades 10 @ 2.52 on B with a2, 10.00 back for a2
        ? positions
            | A      | B     | C      | holds
        ann | -11.50 | -5.20 | 20.00  | 11.50
        bob | 11.50  | 5.20  | -20.00 | 20.00
        > ann withdraws 985
        Withdrawn
        ? ann
        3.50 + 11.50 held
        > operator halts market
        market HALTED
        > operator removes B
        B removed, reduction 0%
        a3 cancelled, 20 left, 0 filled: FUNDS
        ann holds 3.50 more, short of 6.50
        bob holds -10.00 more
        ? positions
            | A      | C      | holds
        ann | -21.50 | 10.00  | 15.00, short of 6.50
        bob | 21.50  | -10.00 | 10.00
        ? ann
        0.00 + 15.00 held
        > operator opens market
        market OPEN
        > a4 backs A 1 at 2
        rejected: SHORTFALL
        > ann withdraws 1
        rejected: SHORTFALL
        > ann deposits 1
        Deposited
        ann holds 1.00 more, short of 5.50
        > ann deposits 10
        Deposited
        ann holds 5.50 more
        ? ann
        4.50 + 21.50 held
        > a5 backs A 1 at 2
        a5 accepted, holds 0.00
    """)


def test_a_reduction_cancels_the_lays_on_the_others() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 4.00 | b3 5 @ 4.40
        B lays       | backs
        a2 10 @ 2.52 |
        > b1 backs A 6 at 4.00
        b1 accepted, holds 6.00
        b1 trades 6 @ 4.00 on A with a1
        ? positions
            | A      | B     | C     | holds
        ann | -18.00 | 6.00  | 6.00  | 30.00
        bob | 18.00  | -6.00 | -6.00 | 11.00
        > operator removes B with 30%
        rejected: STATE_NOT_ALLOWED
        > operator sets market SUSPENDED
        market SUSPENDED
        > operator removes B with 30%
        B removed, reduction 30%
        a2 cancelled, 10 left, 0 filled: RUNNER_REMOVED
        a1 cancelled, 4 left, 6 filled: RUNNER_REMOVED
        ann holds -17.40 more
        A lays | backs
               | b3 5 @ 4.40
        ? positions
            | A      | C     | holds
        ann | -12.60 | 6.00  | 12.60
        bob | 12.60  | -6.00 | 11.00
    """)


def test_or_reduces_their_odds_where_the_rule_says_so() -> None:
    plays(
        """
        A lays       | backs
        a1 10 @ 4.00 | b3 5 @ 4.40
        c1 4 @ 1.01  |
        B lays       | backs
        a2 10 @ 2.52 |
        C lays       | backs
        a3 20 @ 2.00 |
        > b1 backs A 6 at 4.00
        b1 accepted, holds 6.00
        b1 trades 6 @ 4.00 on A with a1
        > c2 lays C 1 at 3.00 stop 3.00
        c2 accepted, holds 1.96
        c2 waits: TRIGGER
        > operator sets market SUSPENDED
        market SUSPENDED
        > operator removes B with 30%
        B removed, reduction 30%
        a2 cancelled, 10 left, 0 filled: RUNNER_REMOVED
        a1 replaced by 10 @ 3.10, holds 0.00 more
        a1 rests 4 @ 3.10
        c1 replaced by 4 @ 1.01, holds 0.00 more
        c1 rests 4 @ 1.01
        a3 replaced by 20 @ 1.70, holds 0.00 more
        a3 rests 20 @ 1.70
        c2 cancelled, 1 left, 0 filled: RUNNER_REMOVED
        ann holds -9.00 more
        cat holds -1.96 more
        A lays       | backs
        a1 4 @ 3.10  | b3 5 @ 4.40
        c1 4 @ 1.01  |
        C lays       | backs
        a3 20 @ 1.70 |
        ? positions
            | A      | C     | D     | holds
        ann | -12.60 | 6.00  | 6.00  | 21.00
        bob | 12.60  | -6.00 | -6.00 | 11.00
        cat | 0.00   | 0.00  | 0.00  | 0.04
        ? ann
        979.00 + 21.00 held
        """,
        runners="ABCD",
        removal_rule=RemovalRule.REDUCE_ODDS,
    )


def test_below_the_threshold_only_the_removed_runner_is_touched() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 4.00 |
        B lays       | backs
        a2 10 @ 2.52 |
        > b1 backs A 6 at 4.00
        b1 accepted, holds 6.00
        b1 trades 6 @ 4.00 on A with a1
        > b2 backs B 4 at 2.50
        b2 accepted, holds 4.00
        b2 trades 4 @ 2.52 on B with a2, 4.00 back for a2
        > operator halts market
        market HALTED
        > operator removes B with 2%
        B removed, reduction 2%
        a2 cancelled, 6 left, 4 filled: RUNNER_REMOVED
        ann holds 4.00 more
        bob holds -4.00 more
        A lays      | backs
        a1 4 @ 4.00 |
        ? positions
            | A      | C     | holds
        ann | -18.00 | 6.00  | 30.00
        bob | 18.00  | -6.00 | 6.00
    """)


def test_two_runners_stay_at_least_and_no_name_comes_twice() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 4.00 |
        > operator halts market
        market HALTED
        > operator removes B
        B removed, reduction 0%
        > operator opens market
        market OPEN
        > c1 backs B 1 at 2
        rejected: UNKNOWN_MARKET
        > operator halts market
        market HALTED
        > operator removes B
        rejected: UNKNOWN_RUNNER
        > operator removes Z
        rejected: UNKNOWN_RUNNER
        > operator removes A
        rejected: WRONG_MARKET_MODEL
        > operator adds B
        rejected: ALREADY_EXISTS
        > operator settles for B
        rejected: MARKET_NOT_CLOSED
    """)


def test_a_market_created_with_two_runners_takes_no_third() -> None:
    expected, out = play(
        Scene("AB", house=False),
        """
        A lays       | backs
        > operator halts market
        market HALTED
        > operator adds C
        rejected: WRONG_MARKET_MODEL
        """,
    )
    assert out == expected


def test_an_added_runner_is_an_outcome_of_all_positions() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 3.00 |
        B lays       | backs
        a2 10 @ 3.00 |
        C lays       | backs
        a3 10 @ 3.00 |
        > b1 backs A 10 at 3
        b1 accepted, holds 10.00
        b1 trades 10 @ 3.00 on A with a1
        > b2 backs B 10 at 3
        b2 accepted, holds 10.00
        b2 trades 10 @ 3.00 on B with a2, 10.00 back for a2
        > b3 backs C 10 at 3
        b3 accepted, holds 0.00
        b3 trades 10 @ 3.00 on C with a3, 20.00 back, 10.00 back for a3
        ? positions
            | A    | B    | C    | holds
        ann | 0.00 | 0.00 | 0.00 | 0.00
        bob | 0.00 | 0.00 | 0.00 | 0.00
        > operator adds D
        rejected: STATE_NOT_ALLOWED
        > operator halts market
        market HALTED
        > bob withdraws 995
        Withdrawn
        > operator adds D
        D added
        MarketCreated
        bob holds 5.00 more, short of 25.00
        ? positions
            | A    | B    | C    | D      | holds
        ann | 0.00 | 0.00 | 0.00 | 30.00  | 0.00
        bob | 0.00 | 0.00 | 0.00 | -30.00 | 5.00, short of 25.00
        > bob deposits 25
        Deposited
        bob holds 25.00 more
        ? bob
        0.00 + 30.00 held
        > operator opens market
        market OPEN
        > c1 backs D 1 at 9
        c1 accepted, holds 1.00
        D lays | backs
               | c1 1 @ 9.00
    """)


def test_a_removal_takes_steps_and_nothing_is_released_until_held_funds_are_set_anew() -> None:
    plays(
        """
        A lays      | backs
        a1 4 @ 3.00 |
        B lays      | backs
        a2 2 @ 3.00 |
        b1 2 @ 2.50 |
        c1 2 @ 2.00 |
        d1 2 @ 1.50 |
        d2 2 @ 1.40 |
        > d3 backs A 2 at 3
        d3 accepted, holds 2.00
        d3 trades 2 @ 3.00 on A with a1
        > operator halts market
        market HALTED
        > operator removes B
        B removed, reduction 0%
        a2 cancelled, 2 left, 0 filled: RUNNER_REMOVED
        b1 cancelled, 2 left, 0 filled: RUNNER_REMOVED
        c1 cancelled, 2 left, 0 filled: RUNNER_REMOVED
        d1 cancelled, 2 left, 0 filled: RUNNER_REMOVED
        > operator adds D
        rejected: MARKET_BUSY
        > operator opens market
        rejected: MARKET_BUSY
        > d2 cancelled
        rejected: UNKNOWN_MARKET
        > a1 cancelled
        a1 cancelled, 2 left, 2 filled: REQUESTED
        > the engine goes on
        d2 cancelled, 2 left, 0 filled: RUNNER_REMOVED
        ann holds -4.00 more
        bob holds -3.00 more
        cat holds -2.00 more
        dan holds -1.80 more
        > the engine goes on
        rejected: INVALID_COMBINATION
        ? positions
            | A     | C     | D     | holds
        ann | -4.00 | 2.00  | 2.00  | 4.00
        bob | 0.00  | 0.00  | 0.00  | 0.00
        cat | 0.00  | 0.00  | 0.00  | 0.00
        dan | 4.00  | -2.00 | -2.00 | 2.00
        ? dan
        998.00 + 2.00 held
        > operator removes C
        C removed, reduction 0%
        """,
        runners="ABCD",
        limits=Limits(events_per_transaction_max=6, fills_per_order_max=1),
    )


def test_turned_in_play_what_does_not_persist_lapses_and_what_could_match_waits() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 3.00 |
        > a2 lays A 5 at 2.9 persisting
        a2 accepted, holds 9.50
        > b1 backs B 5 at 4 stop 3.5 persisting
        b1 accepted, holds 5.00
        b1 waits: TRIGGER
        > b2 backs B 5 at 4 stop 3.5
        b2 accepted, holds 5.00
        b2 waits: TRIGGER
        > operator turns in-play, 5000 ms
        in-play, bet delay 5000 ms
        mass cancel begins: LAPSED
        a1 cancelled, 10 left, 0 filled: LAPSED, 20.00 back
        b2 cancelled, 5 left, 0 filled: LAPSED, 5.00 back
        mass cancel done: 2 orders
        > operator turns in-play, 5000 ms
        rejected: IN_PLAY_ALREADY
        > c1 backs A 3 at 2.9
        c1 accepted, holds 3.00
        c1 waits: BET_DELAY
        > c2 backs A 1 at 2.96
        c2 accepted, holds 1.00
        > c4 lays A 1 at 2.96 post-only
        rejected: WOULD_CROSS
        > c5 backs A 2 at market
        c5 accepted, holds 2.00
        c5 waits: BET_DELAY
        A lays      | backs
        a2 5 @ 2.90 | c2 1 @ 2.96
        > 5000 ms later
        c1 goes to the book
        c1 trades 3 @ 2.90 on A with a2
        > the engine goes on
        c5 goes to the book
        c5 trades 2 @ 2.90 on A with a2
        A lays | backs
               | c2 1 @ 2.96
        ? cat
        994.00 + 6.00 held
        > c2 replaced by 2 at 3
        rejected: NOT_REPLACEABLE
        > operator sets market CLOSING
        market CLOSING
        mass cancel begins: MARKET_CLOSING
        c2 cancelled, 1 left, 0 filled: MARKET_CLOSING, 1.00 back
        b1 cancelled, 5 left, 0 filled: MARKET_CLOSING, 5.00 back
        mass cancel done: 2 orders
        market CLOSED
        > operator turns in-play, 5000 ms
        rejected: STATE_NOT_ALLOWED
    """)


def test_a_bet_delay_that_ends_while_the_market_is_not_open_ends_when_it_is() -> None:
    plays("""
        A lays       | backs
        a1 10 @ 3.00 |
        > operator turns in-play, 1000 ms
        in-play, bet delay 1000 ms
        mass cancel begins: LAPSED
        a1 cancelled, 10 left, 0 filled: LAPSED, 20.00 back
        mass cancel done: 1 orders
        > a2 lays A 5 at 2.9
        a2 accepted, holds 9.50
        > c1 backs A 3 at 2.9
        c1 accepted, holds 3.00
        c1 waits: BET_DELAY
        > c2 backs A 2 at 2.9
        c2 accepted, holds 2.00
        c2 waits: BET_DELAY
        > operator halts market
        market HALTED
        > 2000 ms later
        rejected: INVALID_COMBINATION
        > c2 cancelled
        c2 cancelled, 2 left, 0 filled: REQUESTED, 2.00 back
        > operator opens market
        market OPEN
        > the engine goes on
        c1 goes to the book
        c1 trades 3 @ 2.90 on A with a2
        A lays      | backs
        a2 2 @ 2.90 |
    """)
