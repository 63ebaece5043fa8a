"""Call auctions as a book before, what it would trade, and what the opening made of it."""

from collections.abc import Callable

import pytest

from engine.exchange import Exchange
from tests.engine import odds_tables
from tests.engine.naive import Naive
from tests.engine.tables import LIMITS, Scene, play

Plays = Callable[..., None]


@pytest.fixture(params=["real", "naive"])
def plays(request: pytest.FixtureRequest) -> Plays:
    """Play a scenario on a new exchange and compare."""

    def run(text: str, maker_fee_ppm: int = 0, taker_fee_ppm: int = 0) -> None:
        venue: Exchange | Naive = Exchange(LIMITS) if request.param == "real" else Naive(LIMITS)
        expected, out = play(Scene(venue, maker_fee_ppm, taker_fee_ppm), text)
        assert out == expected
        venue._check()

    return run


def test_orders_gather_without_matching_and_trade_at_one_price(plays: Plays) -> None:
    plays("""
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a1 buys 3 at 7
        a1 accepted, holds 21 USD
        > a2 buys 2 at 6
        a2 accepted, holds 12 USD
        > b1 sells 2 at 4
        b1 accepted, holds 2 BTC
        > b2 sells 2 at 6
        b2 accepted, holds 2 BTC
        > b3 sells 4 at 7
        b3 accepted, holds 4 BTC
        bids      | asks
        a1 3 @ 7  | b1 2 @ 4
        a2 2 @ 6  | b2 2 @ 6
                  | b3 4 @ 7
        > 100 ms later the engine goes on
        auction would trade 4 @ 6, 1 more to buy
        > operator opens market
        market OPEN
        a1 buys 2 @ 6 from b1, 2 USD back
        a1 buys 1 @ 6 from b2, 1 USD back
        a2 buys 1 @ 6 from b2
        auction done: 4 @ 6
        bids      | asks
        a2 1 @ 6  | b3 4 @ 7
        ? ann
        USD 970 + 6 held, BTC 1004
        ? bob
        USD 1024, BTC 992 + 4 held
    """)


def test_most_lots_decide_the_price(plays: Plays) -> None:
    plays("""
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a1 buys 1 at 9
        a1 accepted, holds 9 USD
        > a2 buys 5 at 8
        a2 accepted, holds 40 USD
        > b1 sells 1 at 5
        b1 accepted, holds 1 BTC
        > b2 sells 5 at 8
        b2 accepted, holds 5 BTC
        > operator opens market
        market OPEN
        a1 buys 1 @ 8 from b1, 1 USD back
        a2 buys 5 @ 8 from b2
        auction done: 6 @ 8
        bids      | asks
    """)


def test_of_prices_with_as_many_lots_the_least_imbalance_decides(plays: Plays) -> None:
    plays("""
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a1 buys 4 at 9
        a1 accepted, holds 36 USD
        > a2 buys 3 at 5
        a2 accepted, holds 15 USD
        > b1 sells 4 at 5
        b1 accepted, holds 4 BTC
        > 100 ms later the engine goes on
        auction would trade 4 @ 9
        > operator opens market
        market OPEN
        a1 buys 4 @ 9 from b1
        auction done: 4 @ 9
        bids      | asks
        a2 3 @ 5  |
    """)


def test_else_the_nearest_to_the_last_trade_then_the_lowest(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 1 @ 6
        > a1 buys 1 at 6
        a1 accepted, holds 6 USD
        a1 trades 1 @ 6 with b1
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a2 buys 2 at 8
        a2 accepted, holds 16 USD
        > b2 sells 2 at 4
        b2 accepted, holds 2 BTC
        > 100 ms later the engine goes on
        auction would trade 2 @ 4
        > a3 buys 1 at 8
        a3 accepted, holds 8 USD
        > b3 sells 1 at 8
        b3 accepted, holds 1 BTC
        > 100 ms later the engine goes on
        auction would trade 3 @ 8
        > a3 cancelled
        a3 cancelled, 1 left: REQUESTED, 8 USD back
        > b3 cancelled
        b3 cancelled, 1 left: REQUESTED, 1 BTC back
        > 100 ms later the engine goes on
        auction would trade 2 @ 4
        > operator opens market
        market OPEN
        a2 buys 2 @ 4 from b2, 8 USD back
        auction done: 2 @ 4
    """)


def test_without_a_last_trade_the_nearest_to_the_middle_decides(plays: Plays) -> None:
    plays("""
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a1 buys 2 at 9
        a1 accepted, holds 18 USD
        > b1 sells 2 at 4
        b1 accepted, holds 2 BTC
        > operator opens market
        market OPEN
        a1 buys 2 @ 4 from b1, 10 USD back
        auction done: 2 @ 4
    """)


def test_nothing_crosses(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 1 @ 4  | b1 2 @ 6
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > 100 ms later the engine goes on
        rejected: INVALID_COMBINATION
        > operator opens market
        market OPEN
        auction done: nothing
        bids      | asks
        a1 1 @ 4  | b1 2 @ 6
    """)


def test_indicates_only_what_changed_and_only_after_the_interval(plays: Plays) -> None:
    plays("""
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a1 buys 2 at 7
        a1 accepted, holds 14 USD
        > b1 sells 1 at 7
        b1 accepted, holds 1 BTC
        > 99 ms later the engine goes on
        rejected: INVALID_COMBINATION
        > 1 ms later the engine goes on
        auction would trade 1 @ 7, 1 more to buy
        > 100 ms later the engine goes on
        rejected: INVALID_COMBINATION
        > a2 buys 1 at 3
        a2 accepted, holds 3 USD
        > 100 ms later the engine goes on
        rejected: INVALID_COMBINATION
        > a1 reduced to 1
        a1 reduced to 1, 1 left, 7 USD back
        > 100 ms later the engine goes on
        auction would trade 1 @ 7
        > a1 replaced by 1 at 6
        a1 replaced by 1 @ 6, 1 left, -1 USD held
        a1 rests 1 @ 6
        > 100 ms later the engine goes on
        no auction
        bids      | asks
        a1 1 @ 6  | b1 1 @ 7
        a2 1 @ 3  |
    """)


def test_an_iceberg_trades_all_it_has_in_its_place(plays: Plays) -> None:
    plays("""
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a1 buys 5 at 7 showing 2
        a1 accepted, holds 35 USD
        > a2 buys 1 at 7
        a2 accepted, holds 7 USD
        > b1 sells 4 at 7
        b1 accepted, holds 4 BTC
        > 100 ms later the engine goes on
        auction would trade 4 @ 7, 2 more to buy
        > operator opens market
        market OPEN
        a1 buys 4 @ 7 from b1
        auction done: 4 @ 7
        bids      | asks
        a1 1 @ 7  |
        a2 1 @ 7  |
    """)


def test_both_sides_pay_the_maker_fee(plays: Plays) -> None:
    plays(
        """
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a1 buys 10 at 10
        a1 accepted, holds 100 USD
        > b1 sells 10 at 10
        b1 accepted, holds 10 BTC
        > operator opens market
        market OPEN
        a1 buys 10 @ 10 from b1, fees: buyer 1, seller 10
        auction done: 10 @ 10
        ? ann
        USD 900, BTC 1009
        ? bob
        USD 1090, BTC 990
        """,
        maker_fee_ppm=100_000,
        taker_fee_ppm=100_000,
    )


def test_one_trader_may_meet_itself(plays: Plays) -> None:
    plays("""
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a1 buys 1 at 7
        a1 accepted, holds 7 USD
        > a2 sells 1 at 7
        a2 accepted, holds 1 BTC
        > operator opens market
        market OPEN
        a1 buys 1 @ 7 from a2
        auction done: 1 @ 7
        ? ann
        USD 1000, BTC 1000
    """)


GATHERED = """
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a1 buys 2 at 9
        a1 accepted, holds 18 USD
        > a2 buys 2 at 9
        a2 accepted, holds 18 USD
        > a3 buys 2 at 9
        a3 accepted, holds 18 USD
        > b1 sells 1 at 5
        b1 accepted, holds 1 BTC
        > b2 sells 1 at 5
        b2 accepted, holds 1 BTC
        > b3 sells 1 at 5
        b3 accepted, holds 1 BTC
        > b4 sells 1 at 5
        b4 accepted, holds 1 BTC
        > b5 sells 5 at 8
        b5 accepted, holds 5 BTC
        > operator opens market
        market OPEN
        a1 buys 1 @ 8 from b1, 1 USD back
        a1 buys 1 @ 8 from b2, 1 USD back
        a2 buys 1 @ 8 from b3, 1 USD back
"""
"""Six to buy at 9; four to sell at 5, five at 8: an uncross at 8 of which three trades fit a transaction."""


def test_an_uncross_goes_on_in_steps_while_the_market_is_busy(plays: Plays) -> None:
    plays(
        GATHERED
        + """
        > c1 buys 1 at 9
        rejected: MARKET_BUSY
        bids      | asks
        a2 1 @ 9  | b4 1 @ 5
        a3 2 @ 9  | b5 5 @ 8
        > the engine goes on
        a2 buys 1 @ 8 from b4, 1 USD back
        a3 buys 2 @ 8 from b5, 2 USD back
        auction done: 6 @ 8
        bids      | asks
                  | b5 3 @ 8
        > c2 buys 1 at 9
        c2 accepted, holds 9 USD
        c2 trades 1 @ 8 with b5, 1 USD back
    """
    )


def test_a_change_of_state_ends_an_uncross(plays: Plays) -> None:
    plays(
        GATHERED
        + """
        > operator halts market
        auction done: 3 @ 8
        market HALTED
        > c1 buys 1 at 9
        rejected: MARKET_HALTED
        > a3 cancelled
        a3 cancelled, 2 left: REQUESTED, 18 USD back
        bids      | asks
        a2 1 @ 9  | b4 1 @ 5
                  | b5 5 @ 8
        > operator opens market
        market OPEN
        a2 buys 1 @ 5 from b4, 4 USD back
        auction done: 1 @ 5
        bids      | asks
                  | b5 5 @ 8
    """
    )


def test_what_is_crossed_after_cancels_is_uncrossed_anew(plays: Plays) -> None:
    plays("""
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a1 buys 1 at 9
        a1 accepted, holds 9 USD
        > a2 buys 1 at 9
        a2 accepted, holds 9 USD
        > a3 buys 1 at 9
        a3 accepted, holds 9 USD
        > a4 buys 2 at 9
        a4 accepted, holds 18 USD
        > b1 sells 5 at 7
        b1 accepted, holds 5 BTC
        > b2 sells 2 at 8
        b2 accepted, holds 2 BTC
        > operator opens market
        market OPEN
        a1 buys 1 @ 7 from b1, 2 USD back
        a2 buys 1 @ 7 from b1, 2 USD back
        a3 buys 1 @ 7 from b1, 2 USD back
        > b1 cancelled
        b1 cancelled, 2 left: REQUESTED, 2 BTC back
        > the engine goes on
        auction done: 3 @ 7
        a4 buys 2 @ 8 from b2, 2 USD back
        auction done: 2 @ 8
        bids      | asks
    """)


def test_what_waits_for_the_price_comes_behind_the_uncross(plays: Plays) -> None:
    plays("""
        bids      | asks
        > c1 buys 1 at 9 stop 6
        c1 accepted, holds 9 USD
        c1 waits for TRIGGER at 6
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > c2 sells 1 at 8 stop 6
        c2 accepted, holds 1 BTC
        c2 waits for TRIGGER at 6
        > a1 buys 1 at 6
        a1 accepted, holds 6 USD
        > b1 sells 2 at 6
        b1 accepted, holds 2 BTC
        > operator opens market
        market OPEN
        a1 buys 1 @ 6 from b1
        auction done: 1 @ 6
        c1 waited for TRIGGER, goes on
        c1 trades 1 @ 6 with b1, 3 USD back
        c2 waited for TRIGGER, goes on
        c2 rests 1 @ 8
        bids      | asks
                  | c2 1 @ 8
    """)


def test_of_a_pair_one_leg_trades(plays: Plays) -> None:
    plays("""
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > OCO: a1 buys 2 at 7; a2 buys 5 at 6
        a1 accepted, holds 14 USD
        a2 accepted, holds 30 USD
        OCO of a1 and a2, 14 USD back
        > b1 sells 9 at 6
        b1 accepted, holds 9 BTC
        > 100 ms later the engine goes on
        auction would trade 2 @ 6, 7 more to sell
        > operator opens market
        market OPEN
        a2 cancelled, 5 left: PAIRED, 16 USD back
        a1 buys 2 @ 6 from b1, 2 USD back
        auction done: 2 @ 6
        bids      | asks
                  | b1 7 @ 6
        ? ann
        USD 988, BTC 1002
    """)


def test_the_second_order_of_a_pair_comes_when_the_first_was_filled(plays: Plays) -> None:
    plays("""
        bids      | asks
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > OTO: a1 buys 2 at 6; a2 sells 2 at 9
        a1 accepted, holds 12 USD
        a2 accepted, holds 2 BTC
        a2 waits for PAIR
        OTO of a1 and a2
        > b1 sells 2 at 6
        b1 accepted, holds 2 BTC
        > operator opens market
        market OPEN
        a1 buys 2 @ 6 from b1
        auction done: 2 @ 6
        a2 waited for PAIR, goes on
        a2 rests 2 @ 9
        bids      | asks
                  | a2 2 @ 9
    """)


def test_a_group_may_trip_in_an_uncross(plays: Plays) -> None:
    plays("""
        bids      | asks
        > ann sets group fast: 2 lots in 1000 ms
        group fast set
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > a1 buys 2 at 7 in group fast
        a1 accepted, holds 14 USD
        > a2 buys 2 at 6 in group fast
        a2 accepted, holds 12 USD
        > b1 sells 2 at 7
        b1 accepted, holds 2 BTC
        > operator opens market
        market OPEN
        a1 buys 2 @ 7 from b1
        group fast trips after 2 lots
        auction done: 2 @ 7
        mass cancel begins: GROUP_TRIPPED
        a2 cancelled, 2 left: GROUP_TRIPPED, 12 USD back
        mass cancel done: 1 orders
        bids      | asks
    """)


def test_the_books_of_an_odds_market_are_uncrossed_one_after_the_other() -> None:
    expected, out = odds_tables.play(
        odds_tables.Scene("AB", house=False),
        """
        A lays      | backs
        B lays      | backs
        > operator gathers
        market PRE_OPEN
        > a1 lays A 10 at 3
        a1 accepted, holds 20.00
        > b1 backs A 10 at 2
        b1 accepted, holds 10.00
        > b2 lays B 4 at 2
        b2 accepted, holds 4.00
        > c1 backs B 5 at 1.5
        c1 accepted, holds 5.00
        > 100 ms later
        auction of A would trade: 10 @ 2.00
        auction of B would trade: 4 @ 1.50
        > operator opens market
        market OPEN
        a1 and b1 trade 10 @ 2.00, 10.00 back for a1
        auction of A done: 10 @ 2.00
        b2 and c1 trade 4 @ 1.50, 2.00 back for b2
        auction of B done: 4 @ 1.50
        A lays      | backs
        B lays      | backs
                    | c1 1 @ 1.50
        ? results
        ann: A -10.00, B 10.00
        bob: A 14.00, B -12.00
        cat: A -4.00, B 2.00
        """,
    )
    assert out == expected
