"""Batches as scenarios (``tests/engine/tables.py``): many commands in one, each for itself or all or none.

``2+3`` in what a batch tells is an order with 2 lots filled and 3 left.
"""

import pytest

from tests.engine.waiting_scenes import Plays, player


@pytest.fixture(params=["real", "naive"])
def plays(request: pytest.FixtureRequest) -> Plays:
    """Play a scenario on a new exchange and compare."""
    return player(request.param)


def test_each_command_of_a_batch_has_its_own_outcome(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 4 | b1 5 @ 6
        c1 2 @ 5 |
        > batch of cat: c2 buys 7 at 6; c3 sells 1 at 2000; c1 cancelled; c2 reduced to 6; c4 sells 1 at 4
        batch of 5 begins
        c2 accepted, holds 42 USD
        c2 trades 5 @ 6 with b1
        c2 rests 2 @ 6
        rejected: PRICE_OUT_OF_RANGE
        c1 cancelled, 2 left: REQUESTED, 10 USD back
        c2 reduced to 6, 1 left, 6 USD back
        c4 accepted, holds 1 BTC
        c4 trades 1 @ 6 with c2
        batch done: 5+2, PRICE_OUT_OF_RANGE, 0+0, 5+1, 1+0
        bids     | asks
        a1 3 @ 4 |
        ? cat
        USD 970, BTC 1005
    """)


def test_a_used_id_is_answered_or_refused_in_a_batch_as_alone(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 4 | b1 5 @ 6
        > c1 buys 1 at 5
        c1 accepted, holds 5 USD
        > batch of cat: c1 buys 1 at 5; c1 buys 2 at 5; c2 buys 1 at 5
        batch of 3 begins
        answered before: accepted, 0 filled, 1 left
        rejected: DUPLICATE_ID
        c2 accepted, holds 5 USD
        batch done: 0+1, DUPLICATE_ID, 0+1
    """)


def test_what_a_batch_triggers_comes_behind_it(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 4 | b1 5 @ 6
        > b2 buys 1 at 7 stop 6
        b2 accepted, holds 7 USD
        b2 waits for TRIGGER at 6
        > batch of cat: c1 buys 1 at 6; c2 sells 1 at 1 stop 5; c3 buys 1 at 3
        batch of 3 begins
        c1 accepted, holds 6 USD
        c1 trades 1 @ 6 with b1
        c2 accepted, holds 1 BTC
        c2 waits for TRIGGER at 5
        c3 accepted, holds 3 USD
        batch done: 1+0, 0+1, 0+1
        b2 waited for TRIGGER, goes on
        b2 trades 1 @ 6 with b1, 1 USD back
        bids     | asks
        a1 3 @ 4 | b1 3 @ 6
        c3 1 @ 3 |
    """)


def test_a_stop_is_not_triggered_by_trades_before_it_in_its_batch(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 4 | b1 1 @ 5
                 | b2 1 @ 7
        > batch of cat: c1 buys 2 at 7; c2 sells 1 at 1 stop 6
        batch of 2 begins
        c1 accepted, holds 14 USD
        c1 trades 1 @ 5 with b1, 2 USD back
        c1 trades 1 @ 7 with b2
        c2 accepted, holds 1 BTC
        c2 waits for TRIGGER at 6
        batch done: 2+0, 0+1
        bids     | asks
        a1 3 @ 4 |
    """)


def test_an_atomic_batch_is_carried_out_whole(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 4 | b1 5 @ 6
        c1 2 @ 5 |
        > atomic batch of cat: c1 cancelled; c2 buys 2 at 4; c3 sells 2 at 7
        batch of 3 begins
        c1 cancelled, 2 left: REQUESTED, 10 USD back
        c2 accepted, holds 8 USD
        c3 accepted, holds 2 BTC
        batch done: 0+0, 0+2, 0+2
        bids     | asks
        a1 3 @ 4 | b1 5 @ 6
        c2 2 @ 4 | c3 2 @ 7
    """)


def test_an_atomic_batch_is_refused_whole(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 4 | b1 5 @ 6
        c1 2 @ 5 |
        > atomic batch of cat: c1 cancelled; c2 buys 2 at 4; c3 sells 2 at 2000
        rejected: BATCH_REFUSED
        > atomic batch of cat: c9 cancelled; c2 buys 2 at 4
        rejected: BATCH_REFUSED
        > c2 buys 1 at 1
        c2 accepted, holds 1 USD
        bids     | asks
        c1 2 @ 5 | b1 5 @ 6
        a1 3 @ 4 |
        c2 1 @ 1 |
        ? cat
        USD 989 + 11 held, BTC 1000
    """)


def test_an_atomic_batch_needs_the_funds_of_all_its_orders_while_nothing_is_cancelled(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 3 @ 4  | b1 5 @ 6
        c1 99 @ 5 |
        > atomic batch of cat: c1 cancelled; c2 buys 50 at 5; c3 buys 60 at 5
        rejected: BATCH_REFUSED
        > atomic batch of cat: c1 cancelled; c2 buys 50 at 5; c3 buys 50 at 5
        batch of 3 begins
        c1 cancelled, 99 left: REQUESTED, 495 USD back
        c2 accepted, holds 250 USD
        c3 accepted, holds 250 USD
        batch done: 0+0, 0+50, 0+50
        bids      | asks
        c2 50 @ 5 | b1 5 @ 6
        c3 50 @ 5 |
        a1 3 @ 4  |
        ? cat
        USD 500 + 500 held, BTC 1000
    """)


def test_post_only_that_its_own_batch_made_crossing_is_cancelled(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 4 | b1 5 @ 8
        > atomic batch of cat: c1 buys 2 at 6; c2 sells 2 at 6 post-only
        batch of 2 begins
        c1 accepted, holds 12 USD
        c2 accepted, holds 2 BTC
        c2 cancelled, 2 left: POST_ONLY, 2 BTC back
        batch done: 0+2, 0+0
        bids     | asks
        c1 2 @ 6 | b1 5 @ 8
        a1 3 @ 4 |
    """)


def test_an_atomic_batch_of_the_wrong_make_is_refused(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 4 | b1 5 @ 6
        c1 2 @ 5 |
        > atomic batch of cat: c2 buys 1 at 3; c1 cancelled
        rejected: INVALID_COMBINATION
        > atomic batch of cat: c1 replaced by 1 at 3
        rejected: INVALID_COMBINATION
        > atomic batch of cat: c2 buys 1 at market
        rejected: INVALID_COMBINATION
        > atomic batch of cat: c1 reduced to 1; c1 cancelled
        rejected: INVALID_COMBINATION
        > atomic batch of cat: c2 buys 1 at 3; c2 buys 1 at 3
        rejected: INVALID_COMBINATION
        > OCO: c3 buys 1 at 3; c4 buys 1 at 2
        c3 accepted, holds 3 USD
        c4 accepted, holds 2 USD
        OCO of c3 and c4, 2 USD back
        > atomic batch of cat: c3 cancelled; c4 cancelled
        rejected: INVALID_COMBINATION
        bids     | asks
        c1 2 @ 5 | b1 5 @ 6
        a1 3 @ 4 |
        c3 1 @ 3 |
        c4 1 @ 2 |
    """)


def test_a_batch_is_refused_when_it_might_not_fit_into_a_transaction(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 4 | b1 5 @ 6
        > batch of cat: c1..8 buys 1 at 1
        rejected: BATCH_REFUSED
        > batch of cat: c1..7 buys 1 at 1
        batch of 7 begins
        c1 accepted, holds 1 USD
        c2 accepted, holds 1 USD
        c3 accepted, holds 1 USD
        c4 accepted, holds 1 USD
        c5 accepted, holds 1 USD
        c6 accepted, holds 1 USD
        c7 accepted, holds 1 USD
        batch done: 0+1, 0+1, 0+1, 0+1, 0+1, 0+1, 0+1
    """)


def test_an_order_of_a_batch_stops_when_the_transaction_has_no_room(plays: Plays) -> None:
    plays("""
        bids  | asks
              | b1 1 @ 6
              | b2 1 @ 6
              | b3 1 @ 6
              | b4 1 @ 6
              | b5 1 @ 6
        > batch of cat: c1 buys 5 at 6; c2 buys 1 at 1; c3 buys 1 at 1; c4 buys 1 at 1
        batch of 4 begins
        c1 accepted, holds 30 USD
        c1 trades 1 @ 6 with b1
        c1 trades 1 @ 6 with b2
        c1 trades 1 @ 6 with b3
        c1 trades 1 @ 6 with b4
        c1 cancelled, 1 left: FILLS_LIMIT, 6 USD back
        c2 accepted, holds 1 USD
        c3 accepted, holds 1 USD
        c4 accepted, holds 1 USD
        batch done: 4+0, 0+1, 0+1, 0+1
        > c5 buys 5 at 6
        c5 accepted, holds 30 USD
        c5 trades 1 @ 6 with b5
        c5 rests 4 @ 6
    """)
