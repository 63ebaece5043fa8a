"""Orders that wait for a price, and orders that end by time, as scenarios (``tests/engine/tables.py``)."""

import pytest

from tests.engine.waiting_scenes import Plays, player


@pytest.fixture(params=["real", "naive"])
def plays(request: pytest.FixtureRequest) -> Plays:
    """Play a scenario on a new exchange and compare."""
    return player(request.param)


def test_a_stop_waits_off_the_book_until_the_price_is_there(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 5 | b1 2 @ 7
        a2 3 @ 4 |
        > c1 sells 2 at market stop 4
        c1 accepted, holds 2 BTC
        c1 waits for TRIGGER at 4
        bids     | asks
        a1 3 @ 5 | b1 2 @ 7
        a2 3 @ 4 |
        ? cat
        USD 1000, BTC 998 + 2 held
        > b2 sells 3 at 5
        b2 accepted, holds 3 BTC
        b2 trades 3 @ 5 with a1
        > b3 sells 1 at 4
        b3 accepted, holds 1 BTC
        b3 trades 1 @ 4 with a2
        c1 waited for TRIGGER, goes on
        c1 trades 2 @ 4 with a2
        bids  | asks
              | b1 2 @ 7
        ? cat
        USD 1008, BTC 998
    """)


def test_a_stop_limit_order_rests_where_it_does_not_trade(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 5 | b1 2 @ 7
                 | b2 2 @ 8
        > c1 buys 5 at 8 stop 7
        c1 accepted, holds 40 USD
        c1 waits for TRIGGER at 7
        > a2 buys 1 at 7
        a2 accepted, holds 7 USD
        a2 trades 1 @ 7 with b1
        c1 waited for TRIGGER, goes on
        c1 trades 1 @ 7 with b1, 1 USD back
        c1 trades 2 @ 8 with b2
        c1 rests 2 @ 8
        bids     | asks
        c1 2 @ 8 |
        a1 3 @ 5 |
        ? cat
        USD 961 + 16 held, BTC 1003
    """)


def test_a_take_profit_waits_for_the_better_price(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 5 | b1 1 @ 7
        a2 3 @ 6 | b2 2 @ 9
        > c1 sells 2 at 5 take-profit 9
        c1 accepted, holds 2 BTC
        c1 waits for TRIGGER at 9
        > c2 buys 2 at 9 take-profit 3
        c2 accepted, holds 18 USD
        c2 waits for TRIGGER at 3
        > a3 buys 2 at 7 ioc
        a3 accepted, holds 14 USD
        a3 trades 1 @ 7 with b1
        a3 cancelled, 1 left: IOC, 7 USD back
        > a4 buys 1 at 9 ioc
        a4 accepted, holds 9 USD
        a4 trades 1 @ 9 with b2
        c1 waited for TRIGGER, goes on
        c1 trades 2 @ 6 with a2
        bids     | asks
        a2 1 @ 6 | b2 1 @ 9
        a1 3 @ 5 |
    """)


def test_a_price_that_is_there_already_is_refused(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 5 | b1 2 @ 7
        > c1 buys 1 at 9 trailing 2
        rejected: NO_LAST_PRICE
        > c2 buys 1 at 7
        c2 accepted, holds 7 USD
        c2 trades 1 @ 7 with b1
        > c3 buys 1 at 9 stop 7
        rejected: ALREADY_TRIGGERED
        > c4 sells 1 at 1 stop 7
        rejected: ALREADY_TRIGGERED
        > c5 sells 1 at 9 take-profit 7
        rejected: ALREADY_TRIGGERED
        > c6 buys 1 at 1 take-profit 7
        rejected: ALREADY_TRIGGERED
        > c7 buys 1 at 9 stop 8
        c7 accepted, holds 9 USD
        c7 waits for TRIGGER at 8
        > c8 sells 1 at 1 stop 6
        c8 accepted, holds 1 BTC
        c8 waits for TRIGGER at 6
    """)


def test_a_trailing_stop_follows_the_best_price_at_its_distance(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 1 @ 5
        a2 2 @ 4 | b2 1 @ 6
                 | b3 1 @ 9
        > a3 buys 1 at 5
        a3 accepted, holds 5 USD
        a3 trades 1 @ 5 with b1
        > c1 sells 2 at market trailing 3
        c1 accepted, holds 2 BTC
        c1 waits for TRIGGER at 2
        > a4 buys 1 at 6
        a4 accepted, holds 6 USD
        a4 trades 1 @ 6 with b2
        > b4 sells 1 at 4
        b4 accepted, holds 1 BTC
        b4 trades 1 @ 4 with a2
        > a5 buys 1 at 9
        a5 accepted, holds 9 USD
        a5 trades 1 @ 9 with b3
        > b5 sells 1 at 4
        b5 accepted, holds 1 BTC
        b5 trades 1 @ 4 with a2
        c1 waited for TRIGGER, goes on
        c1 trades 2 @ 3 with a1
        bids     | asks
        a1 7 @ 3 |
    """)


def test_a_trailing_buy_follows_downwards(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 1 @ 8 | b1 9 @ 9
        a2 1 @ 5 |
        > b2 sells 1 at 8
        b2 accepted, holds 1 BTC
        b2 trades 1 @ 8 with a1
        > c1 buys 2 at 9 trailing 3
        c1 accepted, holds 18 USD
        c1 waits for TRIGGER at 11
        > b3 sells 1 at 5
        b3 accepted, holds 1 BTC
        b3 trades 1 @ 5 with a2
        > a3 buys 1 at 9
        a3 accepted, holds 9 USD
        a3 trades 1 @ 9 with b1
        c1 waited for TRIGGER, goes on
        c1 trades 2 @ 9 with b1
        bids  | asks
              | b1 6 @ 9
    """)


def test_only_so_many_trailing_orders_wait_in_a_market(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 5 | b1 2 @ 7
        > c1 buys 1 at 7
        c1 accepted, holds 7 USD
        c1 trades 1 @ 7 with b1
        > c2 sells 1 at 1 trailing 3
        c2 accepted, holds 1 BTC
        c2 waits for TRIGGER at 4
        > c3 sells 1 at 1 trailing 4
        c3 accepted, holds 1 BTC
        c3 waits for TRIGGER at 3
        > c4 sells 1 at 1 trailing 5
        rejected: TOO_MANY_OPEN_ORDERS
        > c3 cancelled
        c3 cancelled, 1 left: REQUESTED, 1 BTC back
        > c5 sells 1 at 1 trailing 5
        c5 accepted, holds 1 BTC
        c5 waits for TRIGGER at 2
    """)


def test_what_a_trade_triggers_goes_rises_first_then_falls_then_the_oldest(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 1 | b1 1 @ 5
                 | b2 1 @ 6
        > c1 buys 1 at 2 stop 6
        c1 accepted, holds 2 USD
        c1 waits for TRIGGER at 6
        > c2 buys 1 at 2 stop 5
        c2 accepted, holds 2 USD
        c2 waits for TRIGGER at 5
        > a2 buys 2 at 6 ioc
        a2 accepted, holds 12 USD
        a2 trades 1 @ 5 with b1, 1 USD back
        a2 trades 1 @ 6 with b2
        c2 waited for TRIGGER, goes on
        c2 rests 1 @ 2
        c1 waited for TRIGGER, goes on
        c1 rests 1 @ 2
        bids     | asks
        c2 1 @ 2 |
        c1 1 @ 2 |
        a1 9 @ 1 |
        > b3 sells 1 at 3
        b3 accepted, holds 1 BTC
        > c3 sells 1 at 9 stop 2
        c3 accepted, holds 1 BTC
        c3 waits for TRIGGER at 2
        > c4 sells 1 at 9 stop 1
        c4 accepted, holds 1 BTC
        c4 waits for TRIGGER at 1
        > c5 sells 1 at 8 stop 2
        c5 accepted, holds 1 BTC
        c5 waits for TRIGGER at 2
        > b4 sells 2 at 1 ioc
        b4 accepted, holds 2 BTC
        b4 trades 1 @ 2 with c2
        b4 trades 1 @ 2 with c1
        c3 waited for TRIGGER, goes on
        c3 rests 1 @ 9
        c5 waited for TRIGGER, goes on
        c5 rests 1 @ 8
        > the engine goes on
        rejected: INVALID_COMBINATION
        bids     | asks
        a1 9 @ 1 | b3 1 @ 3
                 | c5 1 @ 8
                 | c3 1 @ 9
    """)


def test_a_triggered_order_may_trigger_the_next(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 2 @ 5 | b1 9 @ 9
        a2 2 @ 4 |
        a3 2 @ 3 |
        > c1 sells 2 at market stop 5
        c1 accepted, holds 2 BTC
        c1 waits for TRIGGER at 5
        > c2 sells 2 at market stop 4
        c2 accepted, holds 2 BTC
        c2 waits for TRIGGER at 4
        > b2 sells 1 at 5
        b2 accepted, holds 1 BTC
        b2 trades 1 @ 5 with a1
        c1 waited for TRIGGER, goes on
        c1 trades 1 @ 5 with a1
        c1 trades 1 @ 4 with a2
        c2 waited for TRIGGER, goes on
        c2 trades 1 @ 4 with a2
        c2 trades 1 @ 3 with a3
        bids     | asks
        a3 1 @ 3 | b1 9 @ 9
    """)


def test_what_is_too_much_behind_one_command_is_left_and_keeps_the_market_busy(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 4 | b1 9 @ 9
        > c1 sells 1 at 8 stop 4
        c1 accepted, holds 1 BTC
        c1 waits for TRIGGER at 4
        > c2 sells 1 at 8 stop 4
        c2 accepted, holds 1 BTC
        c2 waits for TRIGGER at 4
        > c3 sells 1 at 8 stop 4
        c3 accepted, holds 1 BTC
        c3 waits for TRIGGER at 4
        > c4 sells 1 at 8 stop 4
        c4 accepted, holds 1 BTC
        c4 waits for TRIGGER at 4
        > c5 sells 1 at 8 stop 4
        c5 accepted, holds 1 BTC
        c5 waits for TRIGGER at 4
        > c6 sells 1 at 8 stop 4
        c6 accepted, holds 1 BTC
        c6 waits for TRIGGER at 4
        > b2 sells 1 at 4
        b2 accepted, holds 1 BTC
        b2 trades 1 @ 4 with a1
        c1 waited for TRIGGER, goes on
        c1 rests 1 @ 8
        c2 waited for TRIGGER, goes on
        c2 rests 1 @ 8
        > the engine goes on
        c3 waited for TRIGGER, goes on
        c3 rests 1 @ 8
        > c5 cancelled
        c5 cancelled, 1 left: REQUESTED, 1 BTC back
        c4 waited for TRIGGER, goes on
        c4 rests 1 @ 8
        c6 waited for TRIGGER, goes on
        c6 rests 1 @ 8
        > a3 buys 1 at 4
        a3 accepted, holds 4 USD
        bids     | asks
        a1 8 @ 4 | c1 1 @ 8
        a3 1 @ 4 | c2 1 @ 8
                 | c3 1 @ 8
                 | c4 1 @ 8
                 | c6 1 @ 8
                 | b1 9 @ 9
    """)


def test_triggered_orders_wait_while_the_market_is_not_open(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 4 | b1 9 @ 9
        > c1 sells 1 at 8 stop 4
        c1 accepted, holds 1 BTC
        c1 waits for TRIGGER at 4
        > c2 sells 1 at 8 stop 4
        c2 accepted, holds 1 BTC
        c2 waits for TRIGGER at 4
        > c3 sells 1 at 8 stop 4
        c3 accepted, holds 1 BTC
        c3 waits for TRIGGER at 4
        > b2 sells 1 at 4
        b2 accepted, holds 1 BTC
        b2 trades 1 @ 4 with a1
        c1 waited for TRIGGER, goes on
        c1 rests 1 @ 8
        c2 waited for TRIGGER, goes on
        c2 rests 1 @ 8
        > operator halts market
        market HALTED
        > the engine goes on
        rejected: INVALID_COMBINATION
        > operator opens market
        market OPEN
        c3 waited for TRIGGER, goes on
        c3 rests 1 @ 8
        bids     | asks
        a1 8 @ 4 | c1 1 @ 8
                 | c2 1 @ 8
                 | c3 1 @ 8
                 | b1 9 @ 9
    """)


def test_a_waiting_order_holds_its_funds_and_can_be_cancelled_and_reduced(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 5 | b1 2 @ 7
        > c1 buys 100 at 10 stop 9
        c1 accepted, holds 1000 USD
        c1 waits for TRIGGER at 9
        > c2 buys 1 at 10 stop 9
        rejected: INSUFFICIENT_FUNDS
        > c1 reduced to 40
        c1 reduced to 40, 40 left, 600 USD back
        > c1 replaced by 40 at 9
        rejected: NOT_REPLACEABLE
        > c2 buys for 600 USD at market stop 9
        rejected: DUPLICATE_ID
        ? cat
        USD 600 + 400 held, BTC 1000
        > c2 reduced to 1
        rejected: UNKNOWN_ORDER
        > c1 cancelled
        c1 cancelled, 40 left: REQUESTED, 400 USD back
        > c2 cancelled
        rejected: UNKNOWN_ORDER
        ? cat
        USD 1000, BTC 1000
    """)


def test_a_market_buy_that_waits_carries_a_budget(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 5 | b1 2 @ 7
                 | b2 2 @ 9
        > c1 buys 3 at market stop 7
        rejected: INVALID_COMBINATION
        > c2 buys for 30 USD at market stop 7
        c2 accepted, holds 30 USD
        c2 waits for TRIGGER at 7
        > a2 buys 1 at 7
        a2 accepted, holds 7 USD
        a2 trades 1 @ 7 with b1
        c2 waited for TRIGGER, goes on
        c2 trades 1 @ 7 with b1
        c2 trades 2 @ 9 with b2
        c2 cancelled, 0 left: NO_LIQUIDITY, 5 USD back
        ? cat
        USD 975, BTC 1003
    """)


def test_the_lowest_and_highest_price_of_one_taker_count_not_their_order(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 9 @ 3 | b1 1 @ 5
                 | b2 1 @ 6
                 | b3 1 @ 9
        > a2 buys 1 at 5
        a2 accepted, holds 5 USD
        a2 trades 1 @ 5 with b1
        > c1 sells 2 at market trailing 3
        c1 accepted, holds 2 BTC
        c1 waits for TRIGGER at 2
        > a3 buys 2 at 9
        a3 accepted, holds 18 USD
        a3 trades 1 @ 6 with b2, 3 USD back
        a3 trades 1 @ 9 with b3
        c1 waited for TRIGGER, goes on
        c1 trades 2 @ 3 with a1
        bids     | asks
        a1 7 @ 3 |
    """)


def test_an_order_ends_at_its_time(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 5 | b1 2 @ 7
        > c1 buys 2 at 6 for 100 ms
        c1 accepted, holds 12 USD
        > c2 sells 2 at 2 stop 4 for 50 ms
        c2 accepted, holds 2 BTC
        c2 waits for TRIGGER at 4
        > c3 buys 2 at 4 today
        c3 accepted, holds 8 USD
        > c4 buys 2 at 3 for 100 ms
        c4 accepted, holds 6 USD
        > 49 ms later the engine goes on
        rejected: INVALID_COMBINATION
        > 1 ms later the engine goes on
        c2 cancelled, 2 left: EXPIRED, 2 BTC back
        > a2 sells 1 at 6
        a2 accepted, holds 1 BTC
        a2 trades 1 @ 6 with c1
        > 50 ms later the engine goes on
        c1 cancelled, 1 left: EXPIRED, 6 USD back
        c4 cancelled, 2 left: EXPIRED, 6 USD back
        bids     | asks
        a1 3 @ 5 | b1 2 @ 7
        c3 2 @ 4 |
        > c5 buys 2 at 3 for 0 ms
        rejected: EXPIRY_OUT_OF_RANGE
        > 80000000 ms later the engine goes on
        c3 cancelled, 2 left: EXPIRED, 8 USD back
        bids     | asks
        a1 3 @ 5 | b1 2 @ 7
    """)


def test_an_order_that_is_gone_has_no_time_any_more(plays: Plays) -> None:
    plays("""
        bids     | asks
        a1 3 @ 5 | b1 2 @ 7
        > c1 buys 2 at 6 for 100 ms
        c1 accepted, holds 12 USD
        > c2 buys 2 at 7 for 100 ms
        c2 accepted, holds 14 USD
        c2 trades 2 @ 7 with b1
        > c1 cancelled
        c1 cancelled, 2 left: REQUESTED, 12 USD back
        > 200 ms later the engine goes on
        rejected: INVALID_COMBINATION
    """)
