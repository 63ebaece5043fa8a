"""Each rule of trading as a book before, a command, and what became of it (``tests/engine/tables.py``)."""

from collections.abc import Callable

import pytest

from engine.exchange import Exchange
from tests.engine.naive import Naive
from tests.engine.tables import LIMITS, Scene, Venue, play

Plays = Callable[..., None]


@pytest.fixture(params=["real", "naive"])
def plays(request: pytest.FixtureRequest) -> Plays:
    """Play a scenario on a new exchange and compare."""

    def run(text: str, maker_fee_ppm: int = 0, taker_fee_ppm: int = 0) -> None:
        venue: Venue = Exchange(LIMITS) if request.param == "real" else Naive(LIMITS)
        expected, out = play(Scene(venue, maker_fee_ppm, taker_fee_ppm), text)
        assert out == expected

    return run


def test_orders_rest_best_price_first_and_at_a_price_the_oldest_first(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 3 @ 4  | b1 2 @ 6
        > c1 buys 1 at 4
        c1 accepted, holds 4 USD
        > c2 buys 5 at 5
        c2 accepted, holds 25 USD
        > a2 sells 1 at 7
        a2 accepted, holds 1 BTC
        bids      | asks
        c2 5 @ 5  | b1 2 @ 6
        a1 3 @ 4  | a2 1 @ 7
        c1 1 @ 4  |
        ? cat
        USD 971 + 29 held, BTC 1000
    """)


def test_trades_at_the_makers_price_and_gives_the_improvement_back(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 2 @ 5
                  | a1 2 @ 6
                  | b2 2 @ 6
        > c1 buys 5 at 7
        c1 accepted, holds 35 USD
        c1 trades 2 @ 5 with b1, 4 USD back
        c1 trades 2 @ 6 with a1, 2 USD back
        c1 trades 1 @ 6 with b2, 1 USD back
        bids      | asks
                  | b2 1 @ 6
        ? cat
        USD 972, BTC 1005
        ? bob
        USD 1016, BTC 996 + 1 held
    """)


def test_what_is_left_of_a_limit_order_rests(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 3 @ 4  | b1 2 @ 6
        > c1 sells 5 at 4
        c1 accepted, holds 5 BTC
        c1 trades 3 @ 4 with a1
        c1 rests 2 @ 4
        bids      | asks
                  | c1 2 @ 4
                  | b1 2 @ 6
        ? cat
        USD 1012, BTC 995 + 2 held
    """)


def test_immediate_or_cancel_never_rests(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 2 @ 6
        > c1 buys 3 at 6 ioc
        c1 accepted, holds 18 USD
        c1 trades 2 @ 6 with b1
        c1 cancelled, 1 left: IOC, 6 USD back
        > c2 buys 3 at 6 ioc
        c2 accepted, holds 18 USD
        c2 cancelled, 3 left: IOC, 18 USD back
        bids      | asks
    """)


def test_fill_or_kill_trades_all_or_nothing(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 2 @ 5
                  | b2 2 @ 6
        > c1 buys 3 at 5 fok
        c1 accepted, holds 15 USD
        c1 cancelled, 3 left: FOK, 15 USD back
        > c2 buys 5 at market fok
        c2 accepted, holds 22 USD
        c2 cancelled, 5 left: FOK, 22 USD back
        > c3 buys 3 at 6 fok
        c3 accepted, holds 18 USD
        c3 trades 2 @ 5 with b1, 2 USD back
        c3 trades 1 @ 6 with b2
        bids      | asks
                  | b2 1 @ 6
    """)


def test_fill_or_kill_counts_only_what_the_limit_of_fills_reaches(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 1 @ 5
                  | b2 1 @ 5
                  | b3 1 @ 5
                  | b4 1 @ 5
        > c1 buys 4 at 5 fok
        c1 accepted, holds 20 USD
        c1 cancelled, 4 left: FOK, 20 USD back
        > c2 buys 3 at 5 fok
        c2 accepted, holds 15 USD
        c2 trades 1 @ 5 with b1
        c2 trades 1 @ 5 with b2
        c2 trades 1 @ 5 with b3
    """)


def test_post_only_that_would_cross_is_rejected(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 3 @ 4  | b1 2 @ 6
        > c1 buys 1 at 6 post-only
        rejected: WOULD_CROSS
        > c2 sells 1 at 3 post-only
        rejected: WOULD_CROSS
        > c3 buys 1 at 5 post-only
        c3 accepted, holds 5 USD
        > c3 replaced by 1 at 6
        rejected: WOULD_CROSS
        bids      | asks
        c3 1 @ 5  | b1 2 @ 6
        a1 3 @ 4  |
    """)


def test_market_order_by_quantity_holds_its_exact_cost(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 2 @ 5
                  | b2 2 @ 9
        > c1 buys 3 at market
        c1 accepted, holds 19 USD
        c1 trades 2 @ 5 with b1
        c1 trades 1 @ 9 with b2
        > c2 buys 2 at market
        c2 accepted, holds 9 USD
        c2 trades 1 @ 9 with b2
        c2 cancelled, 1 left: NO_LIQUIDITY
        > c3 buys 2 at market
        c3 accepted, holds 0 USD
        c3 cancelled, 2 left: NO_LIQUIDITY
        > c4 sells 2 at market
        c4 accepted, holds 2 BTC
        c4 cancelled, 2 left: NO_LIQUIDITY, 2 BTC back
        ? cat
        USD 972, BTC 1004
    """)


def test_market_order_without_the_funds_is_rejected_whole(plays: Plays) -> None:
    plays("""
        bids        | asks
                    | b1 2 @ 400
                    | b2 2 @ 500
        > c1 buys 3 at market
        rejected: INSUFFICIENT_FUNDS
        > c2 buys 2 at market
        c2 accepted, holds 800 USD
        c2 trades 2 @ 400 with b1
        ? cat
        USD 200, BTC 1002
    """)


def test_market_order_by_budget_buys_whole_lots(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 2 @ 5
                  | b2 9 @ 6
        > c1 buys for 30 USD at market
        c1 accepted, holds 30 USD
        c1 trades 2 @ 5 with b1
        c1 trades 3 @ 6 with b2
        c1 cancelled, 0 left: BUDGET_SPENT, 2 USD back
        > c2 buys for 6 USD at market
        c2 accepted, holds 6 USD
        c2 trades 1 @ 6 with b2
        > c3 buys for 100 USD at market
        c3 accepted, holds 100 USD
        c3 trades 5 @ 6 with b2
        c3 cancelled, 0 left: NO_LIQUIDITY, 70 USD back
        > c4 buys for 1001 USD at market
        rejected: INSUFFICIENT_FUNDS
        > c5 sells for 10 USD at market
        rejected: INVALID_COMBINATION
        ? cat
        USD 936, BTC 1011
    """)


def test_an_order_stops_at_the_limit_of_fills(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 1 @ 5
                  | b2 1 @ 5
                  | b3 1 @ 5
                  | b4 1 @ 6
        > c1 buys 5 at 6
        c1 accepted, holds 30 USD
        c1 trades 1 @ 5 with b1, 1 USD back
        c1 trades 1 @ 5 with b2, 1 USD back
        c1 trades 1 @ 5 with b3, 1 USD back
        c1 cancelled, 2 left: FILLS_LIMIT, 12 USD back
        bids      | asks
                  | b4 1 @ 6
    """)


def test_an_order_at_the_limit_of_fills_rests_when_it_could_not_trade_more(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 1 @ 5
                  | b2 1 @ 5
                  | b3 1 @ 5
                  | b4 1 @ 6
        > c1 buys 5 at 5
        c1 accepted, holds 25 USD
        c1 trades 1 @ 5 with b1
        c1 trades 1 @ 5 with b2
        c1 trades 1 @ 5 with b3
        c1 rests 2 @ 5
        bids      | asks
        c1 2 @ 5  | b4 1 @ 6
    """)


def test_fees_are_taken_from_what_each_receives_rounded_down(plays: Plays) -> None:
    plays(
        """
        bids       | asks
                   | b1 50 @ 9
        > c1 buys 50 at 9
        c1 accepted, holds 450 USD
        c1 trades 50 @ 9 with b1, fees: maker 4, taker 1
        ? cat
        USD 550, BTC 1049
        ? bob
        USD 1446, BTC 950
        ? fees
        USD 4, BTC 1
        """,
        maker_fee_ppm=10_000,
        taker_fee_ppm=30_000,
    )


def test_an_account_may_trade_with_itself(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | a1 2 @ 5
        > a2 buys 2 at 6
        a2 accepted, holds 12 USD
        a2 trades 2 @ 5 with a1, 2 USD back
        ? ann
        USD 1000, BTC 1000
    """)


def test_funds_must_cover_the_hold(plays: Plays) -> None:
    plays("""
        bids         | asks
        c1 1 @ 600   |
        > c2 buys 1 at 401
        rejected: INSUFFICIENT_FUNDS
        > c3 buys 1 at 400
        c3 accepted, holds 400 USD
        > cat withdraws 1 USD
        rejected: INSUFFICIENT_FUNDS
        > c1 cancelled
        c1 cancelled, 1 left: REQUESTED, 600 USD back
        > cat withdraws 1 USD
        cat withdrawn 1 USD
        ? cat
        USD 599 + 400 held, BTC 1000
    """)


def test_too_many_open_orders(plays: Plays) -> None:
    plays("""
        bids      | asks
        c1 1 @ 1  |
        c2 1 @ 1  |
        c3 1 @ 1  |
        c4 1 @ 1  |
        c5 1 @ 1  |
        > c6 buys 1 at 1
        rejected: TOO_MANY_OPEN_ORDERS
        > c7 buys 1 at 1 ioc
        c7 accepted, holds 1 USD
        c7 cancelled, 1 left: IOC, 1 USD back
    """)


def test_numbers_out_of_range(plays: Plays) -> None:
    plays("""
        bids      | asks
        > c1 buys 1 at 0
        rejected: PRICE_OUT_OF_RANGE
        > c2 buys 1 at 1001
        rejected: PRICE_OUT_OF_RANGE
        > c3 buys 101 at 1
        rejected: QTY_OUT_OF_RANGE
        > c4 buys 0 at 1
        rejected: INVALID_COMBINATION
        > c5 buys 1 at market post-only
        rejected: INVALID_COMBINATION
        > c6 buys for 10 USD at market fok
        rejected: INVALID_COMBINATION
    """)


def test_a_cancel_is_the_owners_alone(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 3 @ 4  | b1 2 @ 6
        > a1 cancelled by bob
        rejected: NOT_OWNER
        > a1 cancelled
        a1 cancelled, 3 left: REQUESTED, 12 USD back
        > a1 cancelled
        rejected: UNKNOWN_ORDER
        bids      | asks
                  | b1 2 @ 6
    """)


def test_a_reduced_order_keeps_its_place(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 5 @ 4  |
        b1 5 @ 4  |
        > c1 sells 1 at 4
        c1 accepted, holds 1 BTC
        c1 trades 1 @ 4 with a1
        > a1 reduced to 5
        rejected: QTY_NOT_REDUCED
        > a1 reduced to 3
        a1 reduced to 3, 2 left, 8 USD back
        bids      | asks
        a1 2 @ 4  |
        b1 5 @ 4  |
        > a1 reduced to 1
        a1 cancelled, 2 left: REDUCED_TO_FILLED, 8 USD back
        > b1 reduced to 0
        b1 cancelled, 5 left: REDUCED_TO_FILLED, 20 USD back
        bids      | asks
    """)


def test_a_replaced_order_goes_to_the_back_even_at_its_price(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 5 @ 4  |
        b1 5 @ 4  |
        > a1 replaced by 5 at 4
        a1 replaced by 5 @ 4, 5 left, +0 USD held
        a1 rests 5 @ 4
        bids      | asks
        b1 5 @ 4  |
        a1 5 @ 4  |
    """)


def test_a_replaced_order_counts_its_filled_part_and_trades_at_once(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 5 @ 4  | b1 1 @ 6
        > c1 sells 2 at 4
        c1 accepted, holds 2 BTC
        c1 trades 2 @ 4 with a1
        > a1 replaced by 6 at 7
        a1 replaced by 6 @ 7, 4 left, +16 USD held
        a1 trades 1 @ 6 with b1, 1 USD back
        a1 rests 3 @ 7
        bids      | asks
        a1 3 @ 7  |
        > a1 replaced by 3 at 9
        a1 cancelled, 3 left: REDUCED_TO_FILLED, 21 USD back
        ? ann
        USD 986, BTC 1003
    """)


def test_a_failed_replace_leaves_the_order_untouched(plays: Plays) -> None:
    plays("""
        bids         | asks
        a1 2 @ 400   |
        b1 2 @ 400   |
        > a1 replaced by 3 at 400
        rejected: INSUFFICIENT_FUNDS
        > a1 replaced by 2 at 1001
        rejected: PRICE_OUT_OF_RANGE
        > a1 replaced by 0 at 400
        rejected: QTY_OUT_OF_RANGE
        > a1 replaced by 101 at 400
        rejected: QTY_OUT_OF_RANGE
        bids         | asks
        a1 2 @ 400   |
        b1 2 @ 400   |
        > a1 replaced by 2 at 500
        a1 replaced by 2 @ 500, 2 left, +200 USD held
        a1 rests 2 @ 500
    """)


def test_a_replace_stops_at_the_limit_of_fills(plays: Plays) -> None:
    plays("""
        bids      | asks
        c1 5 @ 4  | b1 1 @ 5
                  | b2 1 @ 5
                  | b3 1 @ 5
                  | b4 1 @ 5
        > c1 replaced by 5 at 5
        c1 replaced by 5 @ 5, 5 left, +5 USD held
        c1 trades 1 @ 5 with b1
        c1 trades 1 @ 5 with b2
        c1 trades 1 @ 5 with b3
        c1 cancelled, 2 left: FILLS_LIMIT, 10 USD back
    """)


def test_cancel_all_takes_the_account_alone_in_order_of_acceptance(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 1 @ 4  | a2 1 @ 8
        b1 1 @ 4  |
        a3 1 @ 5  |
        > ann cancels all
        mass cancel begins: MASS_CANCEL
        a1 cancelled, 1 left: MASS_CANCEL, 4 USD back
        a2 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        a3 cancelled, 1 left: MASS_CANCEL, 5 USD back
        mass cancel done: 3 orders
        bids      | asks
        b1 1 @ 4  |
    """)


def test_a_large_mass_cancel_goes_on_in_steps_and_nothing_comes_between(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 1 @ 4  | a4 1 @ 8
        a2 1 @ 4  | a5 1 @ 8
        a3 1 @ 4  |
        > ann cancels all
        mass cancel begins: MASS_CANCEL
        a1 cancelled, 1 left: MASS_CANCEL, 4 USD back
        a4 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        a2 cancelled, 1 left: MASS_CANCEL, 4 USD back
        a5 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        > a6 buys 1 at 1
        rejected: ACCOUNT_BUSY
        > a3 reduced to 0
        rejected: ACCOUNT_BUSY
        > ann cancels all
        rejected: ACCOUNT_BUSY
        > b1 sells 1 at 4
        b1 accepted, holds 1 BTC
        b1 trades 1 @ 4 with a3
        > the engine goes on
        mass cancel done: 4 orders
        > the engine goes on
        rejected: INVALID_COMBINATION
        > a7 buys 1 at 1
        a7 accepted, holds 1 USD
    """)


def test_several_mass_cancels_go_on_one_after_the_other(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 1 @ 4  | a3 1 @ 8
        a2 1 @ 4  | a4 1 @ 8
        a5 1 @ 4  | b1 1 @ 9
        b2 1 @ 3  | b3 1 @ 9
        b4 1 @ 3  | b5 1 @ 9
        > ann cancels all
        mass cancel begins: MASS_CANCEL
        a1 cancelled, 1 left: MASS_CANCEL, 4 USD back
        a3 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        a2 cancelled, 1 left: MASS_CANCEL, 4 USD back
        a4 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        > operator blocks bob
        bob BLOCKED
        mass cancel begins: ACCOUNT_BLOCKED
        b1 cancelled, 1 left: ACCOUNT_BLOCKED, 1 BTC back
        b2 cancelled, 1 left: ACCOUNT_BLOCKED, 3 USD back
        b3 cancelled, 1 left: ACCOUNT_BLOCKED, 1 BTC back
        > operator activates bob
        bob ACTIVE
        > b9 buys 1 at 1
        rejected: ACCOUNT_BUSY
        > operator blocks bob
        bob BLOCKED
        > b4 cancelled
        b4 cancelled, 1 left: REQUESTED, 3 USD back
        > the engine goes on
        a5 cancelled, 1 left: MASS_CANCEL, 4 USD back
        mass cancel done: 5 orders
        > the engine goes on
        b5 cancelled, 1 left: ACCOUNT_BLOCKED, 1 BTC back
        mass cancel done: 4 orders
        bids      | asks
    """)


def test_a_full_transaction_that_cancels_the_last_order_also_ends_the_mass_cancel(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 1 @ 4  | a3 1 @ 8
        a2 1 @ 4  | a4 1 @ 8
        > ann cancels all
        mass cancel begins: MASS_CANCEL
        a1 cancelled, 1 left: MASS_CANCEL, 4 USD back
        a3 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        a2 cancelled, 1 left: MASS_CANCEL, 4 USD back
        a4 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        mass cancel done: 4 orders
    """)


def test_cancel_market_takes_bids_from_the_best_down_then_asks_from_the_best_up(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 1 @ 4  | b2 1 @ 8
        b1 1 @ 5  | a2 1 @ 7
        a3 1 @ 5  |
        > operator cancels market
        mass cancel begins: MARKET_CANCELLED
        b1 cancelled, 1 left: MARKET_CANCELLED, 5 USD back
        a3 cancelled, 1 left: MARKET_CANCELLED, 5 USD back
        a1 cancelled, 1 left: MARKET_CANCELLED, 4 USD back
        a2 cancelled, 1 left: MARKET_CANCELLED, 1 BTC back
        > c1 buys 1 at 1
        rejected: MARKET_BUSY
        > operator cancels market
        rejected: MARKET_BUSY
        > the engine goes on
        b2 cancelled, 1 left: MARKET_CANCELLED, 1 BTC back
        mass cancel done: 5 orders
        bids      | asks
    """)


def test_a_halted_market_takes_only_cancels(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 3 @ 4  | a2 1 @ 6
        > operator halts market
        market HALTED
        > c1 buys 1 at 6
        rejected: MARKET_HALTED
        > a1 reduced to 1
        rejected: MARKET_HALTED
        > a1 replaced by 1 at 4
        rejected: MARKET_HALTED
        > a1 cancelled
        a1 cancelled, 3 left: REQUESTED, 12 USD back
        > operator opens market
        market OPEN
        > c2 buys 1 at 6
        c2 accepted, holds 6 USD
        c2 trades 1 @ 6 with a2
    """)


def test_a_blocked_account_loses_its_orders_and_takes_only_cancels(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 3 @ 4  | b1 1 @ 6
        > operator blocks ann
        ann BLOCKED
        mass cancel begins: ACCOUNT_BLOCKED
        a1 cancelled, 3 left: ACCOUNT_BLOCKED, 12 USD back
        mass cancel done: 1 orders
        > a2 buys 1 at 1
        rejected: ACCOUNT_BLOCKED
        > ann cancels all
        mass cancel begins: MASS_CANCEL
        mass cancel done: 0 orders
        > operator activates ann
        ann ACTIVE
        > a3 buys 1 at 1
        a3 accepted, holds 1 USD
        bids      | asks
        a3 1 @ 1  | b1 1 @ 6
    """)


def test_the_same_order_again_is_answered_and_another_under_its_id_refused(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 2 @ 6
        > c1 buys 3 at 6
        c1 accepted, holds 18 USD
        c1 trades 2 @ 6 with b1
        c1 rests 1 @ 6
        > c1 buys 3 at 6
        answered before: accepted, 2 filled, 1 left
        > c1 buys 4 at 6
        rejected: DUPLICATE_ID
        > c2 buys 1 at 6 post-only
        c2 accepted, holds 6 USD
        > c3 sells 1 at 6 post-only
        rejected: WOULD_CROSS
        > c3 sells 1 at 6 post-only
        answered before: WOULD_CROSS, 0 filled, 0 left
        bids      | asks
        c1 1 @ 6  |
        c2 1 @ 6  |
    """)
