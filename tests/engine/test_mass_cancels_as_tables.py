"""Mass cancels by a filter, dead-man timers and order groups, as scenarios (``tests/engine/tables.py``)."""

import pytest

from tests.engine.waiting_scenes import Plays, player


@pytest.fixture(params=["real", "naive"])
def plays(request: pytest.FixtureRequest) -> Plays:
    """Play a scenario on a new exchange and compare."""
    return player(request.param)


def test_a_trader_cancels_one_side_within_a_range_of_prices(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 1 @ 3 | b1 2 @ 8
        a2 1 @ 4 | a5 1 @ 9
        a3 1 @ 5 |
        b2 1 @ 4 |
        > a6 buys 1 at 4 stop 9
        a6 accepted, holds 4 USD
        a6 waits for TRIGGER at 9
        > ann cancels buys from 4 to 4
        mass cancel begins: MASS_CANCEL
        a2 cancelled, 1 left: MASS_CANCEL, 4 USD back
        a6 cancelled, 1 left: MASS_CANCEL, 4 USD back
        mass cancel done: 2 orders
        bids     | asks
        a3 1 @ 5 | b1 2 @ 8
        b2 1 @ 4 | a5 1 @ 9
        a1 1 @ 3 |
        > ann cancels sells to 8
        mass cancel begins: MASS_CANCEL
        mass cancel done: 0 orders
        > ann cancels orders from 9 to 3
        rejected: INVALID_COMBINATION
        > ann cancels orders from 5
        mass cancel begins: MASS_CANCEL
        a5 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        a3 cancelled, 1 left: MASS_CANCEL, 5 USD back
        mass cancel done: 2 orders
        > ann cancels orders
        mass cancel begins: MASS_CANCEL
        a1 cancelled, 1 left: MASS_CANCEL, 3 USD back
        mass cancel done: 1 orders
        bids     | asks
        b2 1 @ 4 | b1 2 @ 8
    """)


def test_a_waiting_order_matches_by_its_limit_or_else_by_its_trigger_price(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 1 @ 3 | b1 2 @ 8
        > a2 sells 1 at 6 stop 2
        a2 accepted, holds 1 BTC
        a2 waits for TRIGGER at 2
        > a3 sells 1 at market stop 2
        a3 accepted, holds 1 BTC
        a3 waits for TRIGGER at 2
        > OTO: a4 buys 1 at 2; a5 sells 1 at market
        a4 accepted, holds 2 USD
        a5 accepted, holds 1 BTC
        a5 waits for PAIR
        OTO of a4 and a5
        > ann cancels sells from 6 to 6
        mass cancel begins: MASS_CANCEL
        a2 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        mass cancel done: 1 orders
        > ann cancels sells from 1 to 2
        mass cancel begins: MASS_CANCEL
        a3 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        mass cancel done: 1 orders
        > ann cancels sells
        mass cancel begins: MASS_CANCEL
        a5 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        mass cancel done: 1 orders
    """)


def test_the_operator_cancels_of_one_account_or_of_all(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 1 @ 3 | b1 2 @ 8
        b2 1 @ 4 | a2 1 @ 7
        > c1 sells 1 at 5 stop 2
        c1 accepted, holds 1 BTC
        c1 waits for TRIGGER at 2
        > operator cancels sells of ann
        mass cancel begins: MASS_CANCEL
        a2 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        mass cancel done: 1 orders
        > operator cancels orders from 4
        mass cancel begins: MASS_CANCEL
        b2 cancelled, 1 left: MASS_CANCEL, 4 USD back
        b1 cancelled, 2 left: MASS_CANCEL, 2 BTC back
        c1 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        mass cancel done: 3 orders
        > operator cancels orders of dan
        rejected: UNKNOWN_ACCOUNT
        bids     | asks
        a1 1 @ 3 |
    """)


def test_a_market_is_cancelled_from_the_best_prices_on_then_what_waits(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 1 @ 3 | b1 2 @ 8
        b2 1 @ 4 | a2 1 @ 7
        > c1 sells 1 at 5 stop 2
        c1 accepted, holds 1 BTC
        c1 waits for TRIGGER at 2
        > a3 buys 1 at 4
        a3 accepted, holds 4 USD
        > c2 buys 1 at 9 stop 9
        c2 accepted, holds 9 USD
        c2 waits for TRIGGER at 9
        > operator cancels market
        mass cancel begins: MARKET_CANCELLED
        b2 cancelled, 1 left: MARKET_CANCELLED, 4 USD back
        a3 cancelled, 1 left: MARKET_CANCELLED, 4 USD back
        a1 cancelled, 1 left: MARKET_CANCELLED, 3 USD back
        a2 cancelled, 1 left: MARKET_CANCELLED, 1 BTC back
        b1 cancelled, 2 left: MARKET_CANCELLED, 2 BTC back
        c1 cancelled, 1 left: MARKET_CANCELLED, 1 BTC back
        c2 cancelled, 1 left: MARKET_CANCELLED, 9 USD back
        mass cancel done: 7 orders
    """)


def test_all_orders_go_when_the_dead_man_timer_is_due(plays: Plays) -> None:
    plays("""
        bids     | asks
        c1 1 @ 3 | b1 2 @ 8
        > cat cancels all after 500 ms
        timer set
        > c2 sells 1 at 5 stop 2
        c2 accepted, holds 1 BTC
        c2 waits for TRIGGER at 2
        > 400 ms later the engine goes on
        rejected: INVALID_COMBINATION
        > cat cancels all after 500 ms
        timer set
        > 400 ms later the engine goes on
        rejected: INVALID_COMBINATION
        > 100 ms later the engine goes on
        mass cancel begins: CANCEL_AFTER
        c1 cancelled, 1 left: CANCEL_AFTER, 3 USD back
        c2 cancelled, 1 left: CANCEL_AFTER, 1 BTC back
        mass cancel done: 2 orders
        > c3 buys 1 at 3
        c3 accepted, holds 3 USD
        > cat cancels all after 500 ms
        timer set
        > cat cancels all after 0 ms
        timer off
        > 500 ms later the engine goes on
        rejected: INVALID_COMBINATION
        bids     | asks
        c3 1 @ 3 | b1 2 @ 8
    """)


def test_a_group_that_has_traded_too_much_in_its_window_trips(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 9 @ 8
        > cat sets group g: 3 lots in 100 ms
        group g set
        > c1 buys 2 at 4 in group g
        c1 accepted, holds 8 USD
        > c2 sells 2 at 7 in group g
        c2 accepted, holds 2 BTC
        > c3 sells 2 at 7 in group h
        rejected: UNKNOWN_GROUP
        > c4 buys 1 at 4
        c4 accepted, holds 4 USD
        > b2 sells 2 at 4
        b2 accepted, holds 2 BTC
        b2 trades 2 @ 4 with c1
        > 101 ms later the engine goes on
        rejected: INVALID_COMBINATION
        > a2 buys 1 at 7
        a2 accepted, holds 7 USD
        a2 trades 1 @ 7 with c2
        > c5 buys 4 at 8 in group g
        c5 accepted, holds 32 USD
        c5 trades 1 @ 7 with c2, 1 USD back
        group g trips after 3 lots
        c5 cancelled, 3 left: GROUP_TRIPPED, 24 USD back
        mass cancel begins: GROUP_TRIPPED
        mass cancel done: 0 orders
        bids     | asks
        c4 1 @ 4 | b1 9 @ 8
        a1 9 @ 3 |
        > c6 buys 1 at 4 in group g
        rejected: GROUP_TRIPPED
        > cat sets group g: 3 lots in 100 ms
        group g set
        > c7 buys 1 at 4 in group g
        c7 accepted, holds 4 USD
    """)


def test_a_trade_exactly_as_old_as_the_window_still_counts(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 9 @ 8
        > cat sets group g: 3 lots in 100 ms
        group g set
        > c1 buys 2 at 8 in group g
        c1 accepted, holds 16 USD
        c1 trades 2 @ 8 with b1
        > 100 ms later the engine goes on
        rejected: INVALID_COMBINATION
        > c2 buys 2 at 8 in group g
        c2 accepted, holds 16 USD
        c2 trades 2 @ 8 with b1
        group g trips after 4 lots
        mass cancel begins: GROUP_TRIPPED
        mass cancel done: 0 orders
    """)


def test_a_makers_group_trips_behind_the_trade_and_its_orders_go_behind_the_command(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 |
        > bob sets group m: 2 lots in 100 ms
        group m set
        > b1 sells 2 at 6 in group m
        b1 accepted, holds 2 BTC
        > b2 sells 1 at 7 in group m
        b2 accepted, holds 1 BTC
        > b3 sells 1 at 8 in group m
        b3 accepted, holds 1 BTC
        > b4 sells 1 at 9
        b4 accepted, holds 1 BTC
        > c1 buys 3 at 7
        c1 accepted, holds 21 USD
        c1 trades 2 @ 6 with b1, 2 USD back
        group m trips after 2 lots
        c1 trades 1 @ 7 with b2
        mass cancel begins: GROUP_TRIPPED
        b3 cancelled, 1 left: GROUP_TRIPPED, 1 BTC back
        mass cancel done: 1 orders
        bids     | asks
        a1 9 @ 3 | b4 1 @ 9
    """)


def test_an_order_whose_group_was_removed_has_none(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 9 @ 8
        > cat sets group g: 3 lots in 100 ms
        group g set
        > c1 buys 5 at 4 in group g
        c1 accepted, holds 20 USD
        > cat removes group g
        group g removed
        > cat removes group g
        rejected: UNKNOWN_GROUP
        > cat sets group g: 3 lots in 100 ms
        group g set
        > b2 sells 5 at 4
        b2 accepted, holds 5 BTC
        b2 trades 5 @ 4 with c1
    """)
