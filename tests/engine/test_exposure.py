"""Held funds in outcome markets are the worst case: over all outcomes, and over which open orders get filled.

The worst case is found here by trying every outcome and every subset of fills, from the events and the open
orders alone.
"""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import commands as c
from bus import events as e
from bus.errors import Code
from engine import outcomes
from engine.book import Market
from engine.exchange import Exchange, Limits
from engine.outcomes import OutcomeMarket
from engine.state import Refusal, State

NOW_NS = 10**18
TRADERS = ("ann", "bob", "cat")
FUNDS = 4_000
ODDS = (101, 150, 198, 200, 210, 300, 305, 420, 1000)
PRICES = (1, 2_500, 4_999, 5_000, 7_500, 9_999)
BY = (c.OPERATOR, NOW_NS + 10**9)


def open_venue(runners: tuple[str, ...], house: bool = False) -> Exchange:
    """Return an exchange with an outcome market "cup" (binary without runners) of one-atom units."""
    exchange = Exchange(Limits(fills_per_order_max=20))
    run(exchange, c.CreateAsset("asset", *BY, "USD", 0))
    for name in (*TRADERS, "house"):
        run(exchange, c.CreateAccount(f"new-{name}", *BY, name))
        run(exchange, c.Deposit(f"funds-{name}", *BY, name, "USD", FUNDS))
    model, lot_atoms = (c.MarketModel.ODDS, 100) if runners else (c.MarketModel.BINARY, 10_000)
    sizes, taker = (lot_atoms, 1_000, 0, c.RemovalRule.CANCEL_LAYS), "house" if house else ""
    run(exchange, c.CreateOutcomeMarket("cup", *BY, "cup", model, "USD", runners, *sizes, taker, 0, 0))
    return exchange


def run(exchange: Exchange, command: c.Command) -> list[e.Event]:
    """Execute a command that must not be refused."""
    events = exchange.execute(command, NOW_NS)
    assert not isinstance(events[0], e.CommandRejected), events
    return events


def result(exchange: Exchange, book: str, side: int, price: int, lots: int) -> list[int]:
    """Return what a fill gives in each outcome."""
    market = exchange.state.markets[book]
    if market.model == c.MarketModel.BINARY:
        buys = [lots * (10_000 - price), -lots * price]
        return buys if side == c.Side.BUY else [-x for x in buys]
    assert market.outcome is not None
    backs = [
        lots * (price - 100) if k == market.runner else -lots * 100
        for k in range(len(market.outcome.runners))
    ]
    return backs if side == c.Side.BACK else [-x for x in backs]


def worst_case(exchange: Exchange, trades: list[e.TradeExecuted], account: str) -> int:
    """Return what an account must hold: try every outcome and every subset of its orders filled."""
    matched = [0] * (len(exchange.state.outcome_markets["cup"].runners))
    for trade in trades:
        buys = trade.taker_side == c.Side.BUY
        buyer, seller = (
            (trade.taker_account, trade.maker_account) if buys else (trade.maker_account, trade.taker_account)
        )
        for side, name in ((c.Side.BUY, buyer), (c.Side.SELL, seller)):
            if name == account:
                gained = result(exchange, trade.market, side, trade.price_ticks, trade.qty_lots)
                matched = [a + b for a, b in zip(matched, gained, strict=True)]
    fills = [
        result(exchange, book, side, price, left)
        for _, _, book, side, price, _, left in exchange.open_orders(account)
    ]
    return max(
        -(matched[k] + sum(gained[k] for gained, filled in zip(fills, subset, strict=True) if filled))
        for subset in product((False, True), repeat=len(fills))
        for k in range(len(matched))
    )


actions = st.lists(
    st.tuples(
        st.sampled_from(TRADERS),
        st.integers(0, 3),
        st.sampled_from((c.Side.BUY, c.Side.SELL)),
        st.integers(0, 8),
        st.integers(1, 12),
        st.sampled_from(("place", "place", "place", "place", "cancel", "reduce", "market")),
    ),
    max_size=14,
)


def command_of(
    exchange: Exchange, number: int, action: tuple[str, int, int, int, int, str]
) -> c.Command | None:
    """Return the command of an action, or None where it has nothing to do."""
    who, runner, side, rung, lots, kind = action
    head = (f"id-{number}", who, NOW_NS + 10**9)
    outcome = exchange.state.outcome_markets["cup"]
    book = outcome.books[runner % len(outcome.books)]
    if kind in ("place", "market"):
        price = (ODDS if book.model == c.MarketModel.ODDS else PRICES)[rung % 6] if kind == "place" else 0
        order_type, tif = (c.OrderType.LIMIT, 1) if kind == "place" else (c.OrderType.MARKET, 2)
        return c.PlaceOrder(*head, book.name, side, order_type, tif, False, price, lots, 0)
    mine = exchange.open_orders(who)
    if not mine:
        return None
    order_id, _, name, _, _, qty, left = mine[rung % len(mine)]
    if kind == "cancel":
        return c.CancelOrder(*head, name, order_id, "")
    return c.ReduceOrder(*head, name, order_id, "", qty - left // 2)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(((), ("A", "B"), ("A", "B", "C"), ("A", "B", "C", "D"))), st.booleans(), actions)
def test_held_is_the_worst_case_over_all_outcomes_and_fills(
    runners: tuple[str, ...], house: bool, plan: list[tuple[str, int, int, int, int, str]]
) -> None:
    exchange = open_venue(runners, house and len(runners) > 2)
    trades: list[e.TradeExecuted] = []
    for number, action in enumerate(plan):
        command = command_of(exchange, number, action)
        if command is None:
            continue
        events = exchange.execute(command, NOW_NS)
        trades += [event for event in events if isinstance(event, e.TradeExecuted)]
        for account in (*TRADERS, "house"):
            available, held = exchange.balances(account)["USD"]
            assert held == max(0, worst_case(exchange, trades, account)) <= FUNDS
            assert available == FUNDS - held
        exchange._check()


def test_a_refused_order_changes_nothing() -> None:
    exchange = open_venue(("A", "B", "C"))
    command = c.PlaceOrder("a1", "ann", BY[1], "cup:A", c.Side.LAY, 1, 1, False, 1000, 10, 0)
    events = exchange.execute(command, NOW_NS)
    assert [(type(event), event.code) for event in events if isinstance(event, e.CommandRejected)] == [
        (e.CommandRejected, Code.INSUFFICIENT_FUNDS)
    ]
    assert exchange.balances("ann") == {"USD": (FUNDS, 0)}
    assert not exchange.state.outcome_markets["cup"].positions


def market_of_two() -> tuple[State, Market]:
    exchange = open_venue(("A", "B"))
    return exchange.state, exchange.state.markets["cup:A"]


def test_opposing_orders_share_what_they_hold() -> None:
    state, market = market_of_two()
    ann = state.accounts["ann"]
    assert outcomes.hold(ann, market, c.Side.BACK, 1_000) == 1_000
    # Whatever wins, only one of the two can lose.
    assert outcomes.hold(ann, market, c.Side.LAY, 1_500) == 500
    assert outcomes.release(ann, market, c.Side.BACK, 1_000) == 0
    assert outcomes.release(ann, market, c.Side.LAY, 1_500) == 1_500


def test_a_bet_filled_better_than_its_limit_holds_what_it_can_lose() -> None:
    # Lay 10 at 3.00 filled at 2.00: 10.00 at risk, not 20.00.
    state, market = market_of_two()
    ann, bob = state.accounts["ann"], state.accounts["bob"]
    outcomes.hold(ann, market, c.Side.LAY, 2_000)
    outcomes.hold(bob, market, c.Side.BACK, 1_000)
    assert outcomes.book_trade(market, ann, bob, 200, 10, 2_000, 1_000) == (1_000, 0)
    assert (ann.balances["USD"].held, bob.balances["USD"].held) == (1_000, 1_000)


def test_holding_is_refused_before_anything_changes() -> None:
    state, market = market_of_two()
    ann = state.accounts["ann"]
    with pytest.raises(Refusal):
        outcomes.hold(ann, market, c.Side.BACK, FUNDS + 1)
    assert not ann.positions
    assert outcomes.hold_unchecked(ann, market, c.Side.BACK, FUNDS + 1) == FUNDS + 1
    assert ann.balances["USD"].available == -1


def test_bets_are_found_by_their_time() -> None:
    state, market = market_of_two()
    outcome = market.outcome
    assert isinstance(outcome, OutcomeMarket)
    for at_ns in (5, 5, 7, 9):
        state.now_ns = at_ns
        outcomes.book_trade(market, state.accounts["ann"], state.accounts["bob"], 200, 1, 0, 0)
    assert outcome.bets_between(5, 7) == (0, 2)
    assert outcome.bets_between(6, 9) == (2, 3)
    assert outcome.bets_between(7, 100) == (2, 4)
    assert outcome.bets_between(10, 100) == (4, 4)
