"""What the engine does by itself and in which order, as scenarios (``tests/engine/tables.py``).

A transaction has room for six events here, so that mass cancels take several.
"""

import pytest

from engine.exchange import Limits
from tests.engine.waiting_scenes import Plays, player

LIMITS = Limits(events_per_transaction_max=6, fills_per_order_max=3, follow_ups_per_command_max=1)


@pytest.fixture(params=["real", "naive"])
def plays(request: pytest.FixtureRequest) -> Plays:
    """Play a scenario on a new exchange and compare."""
    return player(request.param, LIMITS)


def test_mass_cancels_take_turns(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 1 @ 1  | b1 1 @ 9
        a2 1 @ 1  | b2 1 @ 9
        a3 1 @ 1  | b3 1 @ 9
        a4 1 @ 1  | b4 1 @ 9
        a5 1 @ 1  | b5 1 @ 9
        a6 1 @ 1  | b6 1 @ 9
        a7 1 @ 1  | b7 1 @ 9
        a8 1 @ 1  | b8 1 @ 9
        a9 1 @ 1  | b9 1 @ 9
        a10 1 @ 1 |
        > ann cancels buys
        mass cancel begins: MASS_CANCEL
        a1 cancelled, 1 left: MASS_CANCEL, 1 USD back
        a2 cancelled, 1 left: MASS_CANCEL, 1 USD back
        a3 cancelled, 1 left: MASS_CANCEL, 1 USD back
        a4 cancelled, 1 left: MASS_CANCEL, 1 USD back
        > bob cancels orders
        mass cancel begins: MASS_CANCEL
        b1 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        b2 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        b3 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        b4 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        > ann cancels all
        rejected: ACCOUNT_BUSY
        > a11 buys 1 at 1
        rejected: ACCOUNT_BUSY
        > the engine goes on
        a5 cancelled, 1 left: MASS_CANCEL, 1 USD back
        a6 cancelled, 1 left: MASS_CANCEL, 1 USD back
        a7 cancelled, 1 left: MASS_CANCEL, 1 USD back
        a8 cancelled, 1 left: MASS_CANCEL, 1 USD back
        a9 cancelled, 1 left: MASS_CANCEL, 1 USD back
        > the engine goes on
        b5 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        b6 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        b7 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        b8 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        b9 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        mass cancel done: 9 orders
        > the engine goes on
        a10 cancelled, 1 left: MASS_CANCEL, 1 USD back
        mass cancel done: 10 orders
        bids  | asks
        > the engine goes on
        rejected: INVALID_COMBINATION
    """)


def test_a_large_mass_cancel_with_a_filter_leaves_the_others(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 1 @ 5 | b1 1 @ 9
        a2 1 @ 4 |
        a3 1 @ 5 |
        a4 1 @ 4 |
        a5 1 @ 5 |
        a6 1 @ 5 |
        a7 1 @ 4 |
        a8 1 @ 5 |
        a9 1 @ 5 |
        > ann cancels orders from 5
        mass cancel begins: MASS_CANCEL
        a1 cancelled, 1 left: MASS_CANCEL, 5 USD back
        a3 cancelled, 1 left: MASS_CANCEL, 5 USD back
        a5 cancelled, 1 left: MASS_CANCEL, 5 USD back
        a6 cancelled, 1 left: MASS_CANCEL, 5 USD back
        > the engine goes on
        a8 cancelled, 1 left: MASS_CANCEL, 5 USD back
        a9 cancelled, 1 left: MASS_CANCEL, 5 USD back
        mass cancel done: 6 orders
        bids     | asks
        a2 1 @ 4 | b1 1 @ 9
        a4 1 @ 4 |
        a7 1 @ 4 |
    """)


def test_left_over_follow_ups_come_before_timers(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 4 | b1 1 @ 9
        > b2 buys 1 at 1 for 5 ms
        b2 accepted, holds 1 USD
        > c1 sells 1 at 8 stop 4
        c1 accepted, holds 1 BTC
        c1 waits for TRIGGER at 4
        > c2 sells 1 at 8 stop 4
        c2 accepted, holds 1 BTC
        c2 waits for TRIGGER at 4
        > c3 sells 1 at 8 stop 4
        c3 accepted, holds 1 BTC
        c3 waits for TRIGGER at 4
        > b3 sells 1 at 4
        b3 accepted, holds 1 BTC
        b3 trades 1 @ 4 with a1
        c1 waited for TRIGGER, goes on
        c1 rests 1 @ 8
        > 5 ms later the engine goes on
        c2 waited for TRIGGER, goes on
        c2 rests 1 @ 8
        > the engine goes on
        c3 waited for TRIGGER, goes on
        c3 rests 1 @ 8
        > the engine goes on
        b2 cancelled, 1 left: EXPIRED, 1 USD back
        > the engine goes on
        rejected: INVALID_COMBINATION
    """)


def test_expiries_of_one_time_go_together_as_far_as_they_fit(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 4 | b1 1 @ 9
        > c1 buys 1 at 1 for 5 ms
        c1 accepted, holds 1 USD
        > c2 buys 1 at 1 for 5 ms
        c2 accepted, holds 1 USD
        > c3 buys 1 at 1 for 4 ms
        c3 accepted, holds 1 USD
        > c4 buys 1 at 1 for 5 ms
        c4 accepted, holds 1 USD
        > b2 buys 1 at 1 for 5 ms
        b2 accepted, holds 1 USD
        > b3 buys 1 at 1 for 5 ms
        b3 accepted, holds 1 USD
        > 6 ms later the engine goes on
        c3 cancelled, 1 left: EXPIRED, 1 USD back
        c1 cancelled, 1 left: EXPIRED, 1 USD back
        c2 cancelled, 1 left: EXPIRED, 1 USD back
        c4 cancelled, 1 left: EXPIRED, 1 USD back
        b2 cancelled, 1 left: EXPIRED, 1 USD back
        > the engine goes on
        b3 cancelled, 1 left: EXPIRED, 1 USD back
        > the engine goes on
        rejected: INVALID_COMBINATION
    """)


def test_a_triggered_order_waits_for_the_end_of_a_mass_cancel_of_its_market(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 4 | b1 1 @ 9
        a2 1 @ 1 | b2 1 @ 9
        a3 1 @ 1 | b3 1 @ 9
        a4 1 @ 1 |
        > c1 sells 1 at 8 stop 4
        c1 accepted, holds 1 BTC
        c1 waits for TRIGGER at 4
        > c2 sells 1 at 8 stop 4
        c2 accepted, holds 1 BTC
        c2 waits for TRIGGER at 4
        > c3 sells 1 at 8 stop 4
        c3 accepted, holds 1 BTC
        c3 waits for TRIGGER at 4
        > b4 sells 1 at 4
        b4 accepted, holds 1 BTC
        b4 trades 1 @ 4 with a1
        c1 waited for TRIGGER, goes on
        c1 rests 1 @ 8
        > operator cancels market
        mass cancel begins: MARKET_CANCELLED
        a1 cancelled, 8 left: MARKET_CANCELLED, 32 USD back
        a2 cancelled, 1 left: MARKET_CANCELLED, 1 USD back
        a3 cancelled, 1 left: MARKET_CANCELLED, 1 USD back
        a4 cancelled, 1 left: MARKET_CANCELLED, 1 USD back
        > the engine goes on
        c1 cancelled, 1 left: MARKET_CANCELLED, 1 BTC back
        b1 cancelled, 1 left: MARKET_CANCELLED, 1 BTC back
        b2 cancelled, 1 left: MARKET_CANCELLED, 1 BTC back
        b3 cancelled, 1 left: MARKET_CANCELLED, 1 BTC back
        c2 cancelled, 1 left: MARKET_CANCELLED, 1 BTC back
        > the engine goes on
        c3 cancelled, 1 left: MARKET_CANCELLED, 1 BTC back
        mass cancel done: 10 orders
        > the engine goes on
        rejected: INVALID_COMBINATION
        bids  | asks
    """)
