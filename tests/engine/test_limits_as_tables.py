"""Limits of accounts, the price band, fee tiers and unfunded accounts as scenarios."""

from collections.abc import Callable

import pytest

from bus import commands as c
from engine.exchange import Exchange
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


def test_an_order_has_at_most_so_many_lots(plays: Plays) -> None:
    plays("""
        bids      | asks
        > operator limits cat: 3 lots
        done
        > c1 buys 4 at 5
        rejected: ORDER_TOO_LARGE
        > c2 sells 4 at market
        rejected: ORDER_TOO_LARGE
        > c3 buys 3 at 5
        c3 accepted, holds 15 USD
        > c3 replaced by 4 at 5
        rejected: ORDER_TOO_LARGE
        > c3 replaced by 3 at 6
        c3 replaced by 3 @ 6, 3 left, +3 USD held
        c3 rests 3 @ 6
        > a1 buys 9 at 5
        a1 accepted, holds 45 USD
        > operator limits cat: none
        done
        > c4 buys 4 at 5
        c4 accepted, holds 20 USD
    """)


def test_an_order_is_worth_at_most_so_much(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 9 @ 8
        > operator limits cat: 20 atoms
        done
        > c1 buys 3 at 7
        rejected: ORDER_TOO_LARGE
        > c2 sells 3 at 9
        rejected: ORDER_TOO_LARGE
        > c3 sells 2 at 10
        c3 accepted, holds 2 BTC
        > c3 replaced by 2 at 11
        rejected: ORDER_TOO_LARGE
        > c4 buys for 21 USD at market
        rejected: ORDER_TOO_LARGE
        > c5 buys 3 at market
        c5 accepted, holds 24 USD
        c5 trades 3 @ 8 with b1
    """)


def test_an_account_has_at_most_so_many_orders_in_a_market(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 1 @ 8
        > operator limits cat: 2 orders
        done
        > c1 buys 1 at 5
        c1 accepted, holds 5 USD
        > c2 buys 1 at 4
        c2 accepted, holds 4 USD
        > c3 buys 1 at 8
        rejected: TOO_MANY_OPEN_ORDERS
        > c4 buys 1 at 8 ioc
        c4 accepted, holds 8 USD
        c4 trades 1 @ 8 with b1
        > c1 cancelled
        c1 cancelled, 1 left: REQUESTED, 5 USD back
        > c5 buys 1 at 3
        c5 accepted, holds 3 USD
    """)


def test_what_was_bought_and_what_may_yet_be_is_limited(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 4 @ 6
        > operator limits cat: 5 position
        done
        > c1 buys 3 at 6
        c1 accepted, holds 18 USD
        c1 trades 3 @ 6 with b1
        > c2 buys 2 at 5
        c2 accepted, holds 10 USD
        > c3 buys 1 at 4
        rejected: POSITION_LIMIT
        > c4 buys for 6 USD at market
        rejected: POSITION_LIMIT
        > c5 buys for 5 USD at market
        c5 accepted, holds 5 USD
        c5 cancelled, 0 left: BUDGET_SPENT, 5 USD back
        > c2 replaced by 3 at 5
        rejected: POSITION_LIMIT
        > c6 sells 8 at 9
        c6 accepted, holds 8 BTC
        > c7 sells 1 at 9
        rejected: POSITION_LIMIT
        > c2 replaced by 2 at 4
        c2 replaced by 2 @ 4, 2 left, -2 USD held
        c2 rests 2 @ 4
    """)


def test_limits_of_all_markets_hold_where_a_market_has_none() -> None:
    scene = Scene(Exchange(LIMITS))
    assert scene.run(c.SetAccountLimits(*scene.head("o"), "cat", "", 1, 0, 0, 0)) == ["done"]
    assert scene.obey("c1 buys 2 at 5") == ["rejected: ORDER_TOO_LARGE"]
    assert scene.obey("operator limits cat: 2 lots") == ["done"]
    assert scene.obey("c2 buys 2 at 5") == ["c2 accepted, holds 10 USD"]
    assert scene.obey("operator limits cat: none") == ["done"]
    assert scene.obey("c3 buys 2 at 5") == ["rejected: ORDER_TOO_LARGE"]
    assert scene.run(c.SetAccountLimits(*scene.head("o"), "cat", "", 0, 0, 0, 0)) == ["done"]
    assert scene.obey("c4 buys 2 at 5") == ["c4 accepted, holds 10 USD"]


def test_limits_are_of_an_account_and_market_that_exist() -> None:
    scene = Scene(Exchange(LIMITS))
    unknown = c.SetAccountLimits(*scene.head("o"), "dan", "ETH-USD", 1, 0, 0, 0)
    assert scene.run(unknown) == ["rejected: UNKNOWN_ACCOUNT"]
    unknown = c.SetAccountLimits(*scene.head("o"), "cat", "ETH-USD", 1, 0, 0, 0)
    assert scene.run(unknown) == ["rejected: UNKNOWN_MARKET"]


def test_a_limit_price_stays_within_the_band_around_the_last_trade(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 2 @ 20
        > operator sets a band of 10%
        done
        > a1 buys 1 at 1
        a1 accepted, holds 1 USD
        > c1 buys 1 at 20
        c1 accepted, holds 20 USD
        c1 trades 1 @ 20 with b1
        > c2 buys 1 at 17
        rejected: PRICE_OUTSIDE_BAND
        > c3 sells 1 at 23
        rejected: PRICE_OUTSIDE_BAND
        > c4 buys 1 at 18
        c4 accepted, holds 18 USD
        > c4 replaced by 1 at 17
        rejected: PRICE_OUTSIDE_BAND
        > c5 sells 1 at 22
        c5 accepted, holds 1 BTC
        > c6 buys 1 at market
        c6 accepted, holds 20 USD
        c6 trades 1 @ 20 with b1
        > operator sets a band of 0%
        done
        > c7 buys 1 at 17
        c7 accepted, holds 17 USD
    """)


def test_fees_are_those_of_each_sides_tier(plays: Plays) -> None:
    plays(
        """
        bids      | asks
                  | b1 30 @ 10
        > operator sets tier 1: maker 1%, taker 5%
        done
        > c1 buys 10 at 10
        c1 accepted, holds 100 USD
        c1 trades 10 @ 10 with b1, fees: maker 2, taker 1
        > operator puts bob in tier 1
        done
        > c2 buys 10 at 10
        c2 accepted, holds 100 USD
        c2 trades 10 @ 10 with b1, fees: maker 1, taker 1
        > operator puts cat in tier 2
        done
        > c3 buys 10 at 10
        c3 accepted, holds 100 USD
        c3 trades 10 @ 10 with b1, fees: maker 1, taker 1
        """,
        maker_fee_ppm=20_000,
        taker_fee_ppm=100_000,
    )


def test_a_rebate_is_at_most_what_the_taker_pays(plays: Plays) -> None:
    plays(
        """
        bids      | asks
        b1 50 @ 4 |
        > operator sets tier 1: maker -5%, taker 10%
        done
        > operator puts bob in tier 1
        done
        > c1 sells 20 at 4
        c1 accepted, holds 20 BTC
        c1 trades 20 @ 4 with b1, fees: maker -4, taker 8
        > operator sets tier 2: maker 0%, taker 1%
        done
        > operator puts cat in tier 2
        done
        > c2 sells 30 at 4
        c2 accepted, holds 30 BTC
        c2 trades 30 @ 4 with b1, fees: maker -1, taker 1
        ? bob
        USD 805, BTC 1050
        ? cat
        USD 1191, BTC 950
        ? fees
        USD 4, BTC 0
        > operator sets tier 3: maker -2%, taker 1%
        rejected: INVALID_MARKET
        """,
        taker_fee_ppm=100_000,
    )


def test_an_unfunded_account_may_owe(plays: Plays) -> None:
    plays("""
        bids        | asks
                    | b1 9 @ 300
        > c1 buys 4 at 300
        rejected: INSUFFICIENT_FUNDS
        > operator unfunds cat
        done
        > c2 buys 4 at 300
        c2 accepted, holds 1200 USD
        c2 trades 4 @ 300 with b1
        ? cat
        USD -200, BTC 1004
        > operator funds cat
        rejected: INSUFFICIENT_FUNDS
        > cat withdraws 1 USD
        rejected: INSUFFICIENT_FUNDS
        > c3 sells 1 at 200
        c3 accepted, holds 1 BTC
        > a1 buys 1 at 200
        a1 accepted, holds 200 USD
        a1 trades 1 @ 200 with c3
        ? cat
        USD 0, BTC 1003
        > operator funds cat
        done
        > c4 buys 1 at 1
        rejected: INSUFFICIENT_FUNDS
    """)
