"""Market states: who may do what in each as one table, and the changes between them as scenarios."""

from collections.abc import Callable

import pytest

from bus import commands as c
from engine.exchange import Exchange
from tests.engine.naive import Naive
from tests.engine.tables import LIMITS, Scene, play, tidy

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


MAY = """
    state       | place              | replace            | reduce             | cancel           | cancel all
    PRE_OPEN    | yes                | yes                | yes                | yes              | yes
    OPEN        | yes                | yes                | yes                | yes              | yes
    SUSPENDED   | MARKET_SUSPENDED   | MARKET_SUSPENDED   | MARKET_SUSPENDED   | MARKET_SUSPENDED | yes
    HALTED      | MARKET_HALTED      | MARKET_HALTED      | MARKET_HALTED      | yes              | yes
    CANCEL_ONLY | MARKET_CANCEL_ONLY | MARKET_CANCEL_ONLY | yes                | yes              | yes
    CLOSING     | MARKET_CLOSED      | MARKET_CLOSED      | MARKET_CLOSED      | MARKET_CLOSED    | yes
    CLOSED      | MARKET_CLOSED      | MARKET_CLOSED      | MARKET_CLOSED      | MARKET_CLOSED    | yes
"""
TRIES = {
    "place": "c1 buys 1 at 5",
    "replace": "a1 replaced by 2 at 3",
    "reduce": "a1 reduced to 2",
    "cancel": "a1 cancelled",
    "cancel all": "ann cancels all",
}
"""What is tried, on a book of five bids of three lots each (two steps to empty)."""


def tried(state: str, line: str) -> str:
    """Return what becomes of a command in a state: "yes", or what it is refused with."""
    scene = Scene(Exchange(LIMITS))
    for number in range(1, 6):
        scene.obey(f"a{number} buys 3 at 4")
    scene.obey(f"operator sets market {'CLOSING' if state == 'CLOSED' else state}")
    if state == "CLOSED":
        assert scene.obey("the engine goes on")[-1] == "market CLOSED"
    said = scene.obey(line)[0]
    return said.removeprefix("rejected: ") if said.startswith("rejected") else "yes"


@pytest.mark.parametrize("row", range(7))
def test_who_may_do_what_in_each_state(row: int) -> None:
    header, *rows = [[tidy(cell) for cell in line.split("|")] for line in MAY.strip().splitlines()]
    state, *expected = rows[row]
    assert [tried(state, TRIES[column]) for column in header[1:]] == expected


@pytest.mark.parametrize("state", ["CLOSED", "SETTLED", "VOIDED"])
def test_these_states_are_not_set_but_reached(plays: Plays, state: str) -> None:
    plays(f"""
        bids      | asks
        > operator sets market {state}
        rejected: STATE_NOT_ALLOWED
    """)


@pytest.mark.parametrize("state", list(c.MarketState.__members__))
def test_nothing_opens_a_market_that_closes(plays: Plays, state: str) -> None:
    plays(f"""
        bids      | asks
        > operator sets market CLOSING
        market CLOSING
        mass cancel begins: MARKET_CLOSING
        mass cancel done: 0 orders
        market CLOSED
        > operator sets market {state}
        rejected: STATE_NOT_ALLOWED
    """)


def test_closing_empties_the_book_in_steps_and_closes_by_itself(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 1 @ 4  | b1 1 @ 6
        a2 1 @ 3  | b2 1 @ 7
        > c1 buys 1 at 4
        c1 accepted, holds 4 USD
        > operator sets market CLOSING
        market CLOSING
        mass cancel begins: MARKET_CLOSING
        a1 cancelled, 1 left: MARKET_CLOSING, 4 USD back
        c1 cancelled, 1 left: MARKET_CLOSING, 4 USD back
        > c2 buys 1 at 4
        rejected: MARKET_CLOSED
        > bob cancels all
        mass cancel begins: MASS_CANCEL
        b1 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        b2 cancelled, 1 left: MASS_CANCEL, 1 BTC back
        mass cancel done: 2 orders
        > the engine goes on
        a2 cancelled, 1 left: MARKET_CLOSING, 3 USD back
        mass cancel done: 3 orders
        market CLOSED
        bids      | asks
        ? ann
        USD 1000, BTC 1000
    """)


def test_only_orders_that_rest_or_wait_gather(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 2 @ 6
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > c1 buys 1 at 6 ioc
        rejected: NOT_WHILE_GATHERING
        > c2 buys 1 at 6 fok
        rejected: NOT_WHILE_GATHERING
        > c3 buys 1 at market
        rejected: NOT_WHILE_GATHERING
        > c4 buys 1 at 5 post-only
        rejected: NOT_WHILE_GATHERING
        > c5 buys 2 at 6 at least 1
        rejected: NOT_WHILE_GATHERING
        > c6 buys 2 at 6
        c6 accepted, holds 12 USD
        bids      | asks
        c6 2 @ 6  | b1 2 @ 6
    """)


def test_orders_that_gather_can_be_replaced_reduced_and_cancelled(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 2 @ 6
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > c1 buys 3 at 5
        c1 accepted, holds 15 USD
        > c1 replaced by 3 at 7
        c1 replaced by 3 @ 7, 3 left, +6 USD held
        c1 rests 3 @ 7
        > c1 reduced to 2
        c1 reduced to 2, 2 left, 7 USD back
        > operator cancels market
        mass cancel begins: MARKET_CANCELLED
        c1 cancelled, 2 left: MARKET_CANCELLED, 14 USD back
        b1 cancelled, 2 left: MARKET_CANCELLED, 2 BTC back
        mass cancel done: 2 orders
        > operator opens market
        market OPEN
        auction done: nothing
        bids      | asks
        ? cat
        USD 1000, BTC 1000
    """)


def test_a_crossed_book_is_uncrossed_whatever_was_between(plays: Plays) -> None:
    plays("""
        bids      | asks
                  | b1 2 @ 6
        > operator sets market PRE_OPEN
        market PRE_OPEN
        > c1 buys 1 at 6
        c1 accepted, holds 6 USD
        > operator halts market
        market HALTED
        > operator sets market SUSPENDED
        market SUSPENDED
        > operator opens market
        market OPEN
        c1 buys 1 @ 6 from b1
        auction done: 1 @ 6
        bids      | asks
                  | b1 1 @ 6
    """)


def test_without_pre_open_and_not_crossed_nothing_is_uncrossed(plays: Plays) -> None:
    plays("""
        bids      | asks
        a1 1 @ 4  | b1 2 @ 6
        > operator sets market CANCEL_ONLY
        market CANCEL_ONLY
        > operator sets market CANCEL_ONLY
        market CANCEL_ONLY
        > operator opens market
        market OPEN
        > operator opens market
        market OPEN
        bids      | asks
        a1 1 @ 4  | b1 2 @ 6
    """)
