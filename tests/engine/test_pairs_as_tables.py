"""Pairs as scenarios (``tests/engine/tables.py``): one order cancels the other, or triggers the other."""

import pytest

from tests.engine.waiting_scenes import Plays, player


@pytest.fixture(params=["real", "naive"])
def plays(request: pytest.FixtureRequest) -> Plays:
    """Play a scenario on a new exchange and compare."""
    return player(request.param)


# ---- OCO ------------------------------------------------------------------------------------------------


def test_a_pair_holds_the_larger_leg_and_the_leg_that_trades_cancels_the_other_first(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 1 @ 9
        > OCO: c1 sells 4 at 7; c2 sells 3 at 3 stop 4
        c1 accepted, holds 4 BTC
        c2 accepted, holds 3 BTC
        c2 waits for TRIGGER at 4
        OCO of c1 and c2, 3 BTC back
        ? cat
        USD 1000, BTC 996 + 4 held
        bids     | asks
        a1 9 @ 3 | c1 4 @ 7
                 | b1 1 @ 9
        > a2 buys 2 at 7
        a2 accepted, holds 14 USD
        c2 cancelled, 3 left: PAIRED
        a2 trades 2 @ 7 with c1
        bids     | asks
        a1 9 @ 3 | c1 2 @ 7
                 | b1 1 @ 9
        ? cat
        USD 1014, BTC 996 + 2 held
    """)


def test_the_leg_that_is_triggered_cancels_the_other(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 4 | b1 1 @ 9
        > OCO: c1 sells 4 at 7; c2 sells 3 at 3 stop 4
        c1 accepted, holds 4 BTC
        c2 accepted, holds 3 BTC
        c2 waits for TRIGGER at 4
        OCO of c1 and c2, 3 BTC back
        > b2 sells 1 at 4
        b2 accepted, holds 1 BTC
        b2 trades 1 @ 4 with a1
        c2 waited for TRIGGER, goes on
        c1 cancelled, 4 left: PAIRED, 1 BTC back
        c2 trades 3 @ 4 with a1
        bids     | asks
        a1 5 @ 4 | b1 1 @ 9
        ? cat
        USD 1012, BTC 997
    """)


def test_a_leg_that_is_cancelled_takes_the_other_along(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 1 @ 9
        > OCO: c1 buys 4 at 5; c2 buys 3 at 4
        c1 accepted, holds 20 USD
        c2 accepted, holds 12 USD
        OCO of c1 and c2, 12 USD back
        > c2 cancelled
        c2 cancelled, 3 left: REQUESTED
        c1 cancelled, 4 left: PAIRED, 20 USD back
        ? cat
        USD 1000, BTC 1000
        > OCO: c3 buys 4 at 5; c4 buys 3 at 12 stop 10
        c3 accepted, holds 20 USD
        c4 accepted, holds 36 USD
        c4 waits for TRIGGER at 10
        OCO of c3 and c4, 20 USD back
        > c4 cancelled
        c4 cancelled, 3 left: REQUESTED, 16 USD back
        c3 cancelled, 4 left: PAIRED, 20 USD back
        > OCO: c5 buys 4 at 5 for 10 ms; c6 buys 3 at 4
        c5 accepted, holds 20 USD
        c6 accepted, holds 12 USD
        OCO of c5 and c6, 12 USD back
        > 10 ms later the engine goes on
        c5 cancelled, 4 left: EXPIRED, 8 USD back
        c6 cancelled, 3 left: PAIRED, 12 USD back
        ? cat
        USD 1000, BTC 1000
    """)


def test_both_legs_may_wait_for_a_price(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 1 @ 5
                 | b2 9 @ 6
        > OCO: c1 sells 2 at market take-profit 6; c2 sells 2 at market stop 3
        c1 accepted, holds 2 BTC
        c1 waits for TRIGGER at 6
        c2 accepted, holds 2 BTC
        c2 waits for TRIGGER at 3
        OCO of c1 and c2, 2 BTC back
        > a2 buys 2 at 6
        a2 accepted, holds 12 USD
        a2 trades 1 @ 5 with b1, 1 USD back
        a2 trades 1 @ 6 with b2
        c1 waited for TRIGGER, goes on
        c2 cancelled, 2 left: PAIRED
        c1 trades 2 @ 3 with a1
        ? cat
        USD 1006, BTC 998
    """)


def test_a_leg_that_would_cross_or_cannot_rest_refuses_the_pair(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 1 @ 5
        > OCO: c1 buys 2 at 5; c2 buys 2 at 2
        rejected: WOULD_CROSS
        > OCO: c1 buys 2 at 4 ioc; c2 buys 2 at 2
        rejected: INVALID_COMBINATION
        > OCO: c1 buys 2 at 4; c2 sells 2 at 9
        rejected: INVALID_COMBINATION
        > OCO: c1 buys 2 at 4; c1 buys 2 at 2
        rejected: INVALID_COMBINATION
        > OCO: c1 buys 2 at 4; c2 buys 2000 at 2
        rejected: QTY_OUT_OF_RANGE
        > OCO: c1 buys 2 at 4; c2 buys 99 at 11 stop 9
        rejected: INSUFFICIENT_FUNDS
        > OCO: c1 buys 2 at 4; c2 buys 99 at 10 stop 9
        c1 accepted, holds 8 USD
        c2 accepted, holds 990 USD
        c2 waits for TRIGGER at 9
        OCO of c1 and c2, 8 USD back
        > OCO: c1 buys 1 at 1; c3 buys 1 at 1
        rejected: DUPLICATE_ID
        ? cat
        USD 10 + 990 held, BTC 1000
    """)


def test_legs_are_neither_reduced_nor_replaced(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 1 @ 5
        > OCO: c1 sells 4 at 7; c2 sells 3 at 3 stop 2
        c1 accepted, holds 4 BTC
        c2 accepted, holds 3 BTC
        c2 waits for TRIGGER at 2
        OCO of c1 and c2, 3 BTC back
        > c1 reduced to 2
        rejected: NOT_REPLACEABLE
        > c1 replaced by 4 at 8
        rejected: NOT_REPLACEABLE
        > c2 reduced to 1
        rejected: NOT_REPLACEABLE
    """)


def test_a_mass_cancel_takes_both_legs(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 1 @ 5
        > OCO: c1 sells 4 at 7; c2 sells 3 at 3 stop 2
        c1 accepted, holds 4 BTC
        c2 accepted, holds 3 BTC
        c2 waits for TRIGGER at 2
        OCO of c1 and c2, 3 BTC back
        > c3 sells 1 at 8
        c3 accepted, holds 1 BTC
        > cat cancels all
        mass cancel begins: MASS_CANCEL
        c1 cancelled, 4 left: MASS_CANCEL, 1 BTC back
        c2 cancelled, 3 left: PAIRED, 3 BTC back
        c3 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        mass cancel done: 2 orders
        ? cat
        USD 1000, BTC 1000
    """)


def test_of_the_two_legs_that_an_order_could_meet_only_the_first_counts(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 |
        > OCO: c1 sells 2 at 5; c2 sells 3 at 6
        c1 accepted, holds 2 BTC
        c2 accepted, holds 3 BTC
        OCO of c1 and c2, 2 BTC back
        > a2 buys 4 at 6 fok
        a2 accepted, holds 24 USD
        a2 cancelled, 4 left: FOK, 24 USD back
        > a3 buys 4 at 6 ioc
        a3 accepted, holds 24 USD
        c2 cancelled, 3 left: PAIRED, 1 BTC back
        a3 trades 2 @ 5 with c1, 2 USD back
        a3 cancelled, 2 left: IOC, 12 USD back
        bids     | asks
        a1 9 @ 3 |
    """)


# ---- OTO ------------------------------------------------------------------------------------------------


def test_the_second_order_waits_until_the_first_is_filled_completely(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 1 @ 9
        > OTO: c1 buys 4 at 5; c2 sells 4 at 7
        c1 accepted, holds 20 USD
        c2 accepted, holds 4 BTC
        c2 waits for PAIR
        OTO of c1 and c2
        ? cat
        USD 980 + 20 held, BTC 996 + 4 held
        > b2 sells 3 at 5
        b2 accepted, holds 3 BTC
        b2 trades 3 @ 5 with c1
        > b3 sells 1 at 5
        b3 accepted, holds 1 BTC
        b3 trades 1 @ 5 with c1
        c2 waited for PAIR, goes on
        c2 rests 4 @ 7
        bids     | asks
        a1 9 @ 3 | c2 4 @ 7
                 | b1 1 @ 9
        ? cat
        USD 980, BTC 1000 + 4 held
    """)


def test_a_first_order_that_trades_at_once_brings_the_second_right_behind(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 4 @ 5
        > OTO: c1 buys 4 at 5; c2 sells 4 at 7
        c1 accepted, holds 20 USD
        c2 accepted, holds 4 BTC
        c2 waits for PAIR
        OTO of c1 and c2
        c1 trades 4 @ 5 with b1
        c2 waited for PAIR, goes on
        c2 rests 4 @ 7
        bids     | asks
        a1 9 @ 3 | c2 4 @ 7
    """)


def test_if_the_first_ends_otherwise_the_second_is_cancelled(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 2 @ 5
        > OTO: c1 buys 4 at 5; c2 sells 4 at 7
        c1 accepted, holds 20 USD
        c2 accepted, holds 4 BTC
        c2 waits for PAIR
        OTO of c1 and c2
        c1 trades 2 @ 5 with b1
        c1 rests 2 @ 5
        > c1 cancelled
        c1 cancelled, 2 left: REQUESTED, 10 USD back
        c2 cancelled, 4 left: PAIRED, 4 BTC back
        > OTO: c3 buys 4 at 4 for 10 ms; c4 buys for 20 USD at market
        c3 accepted, holds 16 USD
        c4 accepted, holds 20 USD
        c4 waits for PAIR
        OTO of c3 and c4
        > 10 ms later the engine goes on
        c3 cancelled, 4 left: EXPIRED, 16 USD back
        c4 cancelled, 0 left: PAIRED, 20 USD back
        > OTO: c5 buys 4 at 9 at least 2; c6 sells 4 at 7
        c5 accepted, holds 36 USD
        c6 accepted, holds 4 BTC
        c6 waits for PAIR
        OTO of c5 and c6
        c5 cancelled, 4 left: MIN_QTY, 36 USD back
        c6 cancelled, 4 left: PAIRED, 4 BTC back
        ? cat
        USD 990, BTC 1002
    """)


def test_if_the_second_is_cancelled_the_first_stays_and_is_free(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 2 @ 6
        > OTO: c1 buys 4 at 5; c2 sells 4 at 7
        c1 accepted, holds 20 USD
        c2 accepted, holds 4 BTC
        c2 waits for PAIR
        OTO of c1 and c2
        > c2 cancelled
        c2 cancelled, 4 left: REQUESTED, 4 BTC back
        > c1 reduced to 3
        c1 reduced to 3, 3 left, 5 USD back
        > b2 sells 3 at 5
        b2 accepted, holds 3 BTC
        b2 trades 3 @ 5 with c1
        ? cat
        USD 985, BTC 1003
    """)


def test_a_second_order_with_a_trigger_then_waits_for_that(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 4 | b1 2 @ 6
        > OTO: c1 buys 2 at 5; c2 sells 2 at market stop 4
        c1 accepted, holds 10 USD
        c2 accepted, holds 2 BTC
        c2 waits for PAIR
        OTO of c1 and c2
        > b2 sells 2 at 5
        b2 accepted, holds 2 BTC
        b2 trades 2 @ 5 with c1
        c2 waited for PAIR, goes on
        ? cat
        USD 990, BTC 1000 + 2 held
        > b3 sells 1 at 4
        b3 accepted, holds 1 BTC
        b3 trades 1 @ 4 with a1
        c2 waited for TRIGGER, goes on
        c2 trades 2 @ 4 with a1
        ? cat
        USD 998, BTC 1000
    """)


def test_a_second_order_whose_trigger_is_there_by_then_goes_to_the_book_at_once(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 2 @ 6
        > OTO: c1 buys 2 at 4; c2 sells 2 at market stop 4
        c1 accepted, holds 8 USD
        c2 accepted, holds 2 BTC
        c2 waits for PAIR
        OTO of c1 and c2
        > b2 sells 2 at 4
        b2 accepted, holds 2 BTC
        b2 trades 2 @ 4 with c1
        c2 waited for PAIR, goes on
        c2 waited for TRIGGER, goes on
        c2 trades 2 @ 3 with a1
        ? cat
        USD 998, BTC 1000
    """)


def test_the_first_must_be_able_to_rest_and_the_second_to_hold_its_funds(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 2 @ 6
        > OTO: c1 buys 2 at 4 ioc; c2 sells 2 at 9
        rejected: INVALID_COMBINATION
        > OTO: c1 buys 2 at 4 stop 9; c2 sells 2 at 9
        rejected: INVALID_COMBINATION
        > OTO: c1 buys 99 at 6; c2 buys 99 at 6
        rejected: INSUFFICIENT_FUNDS
        > OTO: c1 buys 2 at 4; c2 buys 2 at market
        rejected: INVALID_COMBINATION
        > OTO: c1 buys 2 at 4; c2 buys for 20 USD at market
        c1 accepted, holds 8 USD
        c2 accepted, holds 20 USD
        c2 waits for PAIR
        OTO of c1 and c2
        ? cat
        USD 972 + 28 held, BTC 1000
    """)
