"""Pro-rata matching: shares as tables, and what it makes of whole books as scenarios."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.exchange import Exchange
from engine.prorata import shares
from tests.engine import odds_tables
from tests.engine.naive import Naive
from tests.engine.tables import LIMITS, Scene, play

Plays = Callable[..., None]


@pytest.fixture(params=["real", "naive"])
def plays(request: pytest.FixtureRequest) -> Plays:
    """Play a scenario on a new exchange and compare."""

    def run(text: str) -> None:
        venue: Exchange | Naive = Exchange(LIMITS) if request.param == "real" else Naive(LIMITS)
        expected, out = play(Scene(venue), text)
        assert out == expected
        venue._check()

    return run


SHARES = """
    taker | first | orders, the oldest first | they get
    10    | 0%    | 10 30 60                 | 1 3 6
    10    | 0%    | 10 10 10                 | 4 3 3
    11    | 0%    | 10 10 10                 | 5 3 3
    10    | 40%   | 20 30 50                 | 6 1 3
    10    | 40%   | 2 30 50                  | 2 3 5
    10    | 100%  | 20 30 50                 | 10 0 0
    10    | 100%  | 4 30 50                  | 4 3 3
    1     | 40%   | 20 30 50                 | 1 0 0
    2     | 0%    | 1 1 1 1                  | 1 1 0 0
    7     | 50%   | 8                        | 7
    5     | 0%    | 1 100                    | 1 4
"""
"""Of 10 lots at 40%, the oldest of 20, 30 and 50 gets 4 first; of the 6 left, 16, 30 and 50 of 96 get 1, 1
and 3; the one that rounding left is the oldest's."""


@pytest.mark.parametrize("row", SHARES.strip().splitlines()[1:])
def test_shares(row: str) -> None:
    taker, first, shown, expected = row.split("|")
    first_ppm = int(first.strip().removesuffix("%")) * 10_000
    got = shares([int(lots) for lots in shown.split()], int(taker), first_ppm)
    assert got == [int(lots) for lots in expected.split()]


@given(
    st.lists(st.integers(1, 1_000), min_size=1, max_size=8), st.integers(1, 8_000), st.integers(0, 1_000_000)
)
def test_shares_sum_up_and_fit(shown: list[int], lots: int, first_share_ppm: int) -> None:
    lots = max(1, min(lots, sum(shown) - 1))
    if lots >= sum(shown):
        return
    got = shares(shown, lots, first_share_ppm)
    assert sum(got) == lots
    assert all(0 <= part <= most for part, most in zip(got, shown, strict=True))
    assert got[0] >= min(shown[0], lots * first_share_ppm // 1_000_000)


def test_a_taker_is_shared_out_by_size(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | a1 1 @ 6
                  | b1 3 @ 6
                  | b2 6 @ 6
                  | a2 5 @ 7
        > operator sets PRO_RATA, 0% first
        done
        > c1 buys 5 at 7
        c1 accepted, holds 35 USD
        c1 trades 1 @ 6 with a1, 1 USD back
        c1 trades 1 @ 6 with b1, 1 USD back
        c1 trades 3 @ 6 with b2, 3 USD back
        bids      | asks
                  | b1 2 @ 6
                  | b2 3 @ 6
                  | a2 5 @ 7
    """)


def test_the_oldest_may_have_a_share_before_the_others(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | a1 8 @ 6
                  | b1 8 @ 6
        > operator sets PRO_RATA, 50% first
        done
        > c1 buys 8 at 6
        c1 accepted, holds 48 USD
        c1 trades 6 @ 6 with a1
        c1 trades 2 @ 6 with b1
        bids      | asks
                  | a1 2 @ 6
                  | b1 6 @ 6
    """)


def test_whole_levels_go_by_price_and_time(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 1 @ 6  |
        b1 2 @ 6  |
        a2 4 @ 5  |
        > operator sets PRO_RATA, 0% first
        done
        > c1 sells 5 at 5
        c1 accepted, holds 5 BTC
        c1 trades 1 @ 6 with a1
        c1 trades 2 @ 6 with b1
        c1 trades 2 @ 5 with a2
        bids      | asks
        a2 2 @ 5  |
    """)


def test_a_budget_is_shared_out_too(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | a1 4 @ 6
                  | b1 8 @ 6
        > operator sets PRO_RATA, 0% first
        done
        > c1 buys for 40 USD at market
        c1 accepted, holds 40 USD
        c1 trades 2 @ 6 with a1
        c1 trades 4 @ 6 with b1
        c1 cancelled, 0 left: BUDGET_SPENT, 4 USD back
        bids      | asks
                  | a1 2 @ 6
                  | b1 4 @ 6
    """)


def test_sharing_ends_with_the_last_fill(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | a1 2 @ 6
                  | a2 2 @ 6
                  | b1 2 @ 6
                  | b2 2 @ 6
        > operator sets PRO_RATA, 0% first
        done
        > c1 buys 4 at 6
        c1 accepted, holds 24 USD
        c1 trades 1 @ 6 with a1
        c1 trades 1 @ 6 with a2
        c1 trades 1 @ 6 with b1
        c1 cancelled, 1 left: FILLS_LIMIT, 6 USD back
        > c2 buys 4 at 6 fok
        c2 accepted, holds 24 USD
        c2 cancelled, 4 left: FOK, 24 USD back
        > c3 buys 3 at 6 fok
        c3 accepted, holds 18 USD
        c3 trades 1 @ 6 with a1
        c3 trades 1 @ 6 with a2
        c3 trades 1 @ 6 with b2
        bids      | asks
                  | b1 1 @ 6
                  | b2 1 @ 6
    """)


def test_icebergs_renew_after_the_level_was_shared_out(plays: Plays) -> None:
    plays("""
        bids      | asks
        > a1 sells 4 at 6 showing 1
        a1 accepted, holds 4 BTC
        > b1 sells 3 at 6
        b1 accepted, holds 3 BTC
        > operator sets PRO_RATA, 0% first
        done
        > c1 buys 3 at 6
        c1 accepted, holds 18 USD
        c1 trades 1 @ 6 with a1
        c1 trades 2 @ 6 with b1
        bids      | asks
                  | b1 1 @ 6
                  | a1 1 @ 6
        > c2 buys 3 at 6
        c2 accepted, holds 18 USD
        c2 trades 1 @ 6 with b1
        c2 trades 1 @ 6 with a1
        c2 trades 1 @ 6 with a1
        bids      | asks
                  | a1 1 @ 6
    """)


def test_an_auction_is_by_price_and_time_all_the_same(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | a1 1 @ 6
                  | b1 3 @ 6
        > operator sets PRO_RATA, 0% first
        done
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > c1 buys 2 at 6
        c1 accepted, holds 12 USD
        > operator opens market
        market OPEN
        c1 buys 1 @ 6 from a1
        c1 buys 1 @ 6 from b1
        auction done: 2 @ 6
        bids      | asks
                  | b1 2 @ 6
    """)


def test_a_new_runner_has_the_markets_rules() -> None:
    expected, out = odds_tables.play(
        odds_tables.Scene("ABC", house=False),
        """
        A lays      | backs
        > operator sets PRO_RATA
        done
        > operator halts market
        market HALTED
        > operator adds D
        D added
        MarketCreated
        > operator opens market
        market OPEN
        > a1 backs D 1 at 3
        a1 accepted, holds 1.00
        > b1 backs D 4 at 3
        b1 accepted, holds 4.00
        > c1 lays D 3 at 3
        c1 accepted, holds 6.00
        c1 trades 1 @ 3.00 on D with a1
        c1 trades 2 @ 3.00 on D with b1
        D lays      | backs
                    | b1 2 @ 3.00
        """,
    )
    assert out == expected


def test_two_runners_are_matched_by_price_and_time() -> None:
    scene = odds_tables.Scene("AB", house=False)
    assert scene.obey("operator sets PRO_RATA") == ["rejected: WRONG_MARKET_MODEL"]
