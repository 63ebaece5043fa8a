"""The price of an uncross against its definition, and what an uncross leaves, on random books."""

from hypothesis import given
from hypothesis import strategies as st

from bus import commands as c
from bus import events as e
from engine.auction import Auction, equilibrium
from engine.exchange import Exchange, Limits
from engine.image import dump, restore
from tests.engine.tables import OWNERS, Scene

LIMITS = Limits(events_per_transaction_max=6, fills_per_order_max=3)

Gathered = tuple[str, int, int, int, int]
"""Owner, side, price, lots, lots shown."""

ORDERS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.integers(1, 2), st.integers(1, 9), st.integers(1, 12), st.integers(1, 12)
    ),
    min_size=1,
    max_size=14,
)
LAST = st.integers(0, 10)


def gathered(orders: list[Gathered], last_price: int) -> Exchange:
    """Return an exchange with orders that gathered, after a trade at ``last_price`` (0: none)."""
    exchange = Exchange(LIMITS)
    scene = Scene(exchange)
    if last_price:
        scene.obey(f"b0 sells 1 at {last_price}")
        scene.obey(f"c0 buys 1 at {last_price}")
    scene.obey("operator sets market PRE_OPEN")
    for number, (owner, side, price, lots, shown) in enumerate(orders, start=1):
        head = (f"{owner}{number}", OWNERS[owner], scene.now_ns + 10**9, "BTC-USD")
        display = shown if shown < lots else 0
        exchange.execute(c.PlaceAdvanced(*head, side, 1, 1, False, price, lots, 0, display), scene.now_ns)
    return exchange


def by_definition(orders: list[Gathered], last_price: int) -> Auction:
    """Return price, lots and imbalance of an uncross as the rules define them."""
    buys = [(price, lots) for _, side, price, lots, _ in orders if side == c.Side.BUY]
    sells = [(price, lots) for _, side, price, lots, _ in orders if side == c.Side.SELL]
    if not buys or not sells:
        return (0, 0, 0)
    near = last_price or (max(price for price, _ in buys) + min(price for price, _ in sells)) // 2
    ranked = []
    for price in {price for price, _ in buys + sells}:
        demand = sum(lots for limit, lots in buys if limit >= price)
        supply = sum(lots for limit, lots in sells if limit <= price)
        trades, rest = min(demand, supply), demand - supply
        ranked.append((-trades, abs(rest), abs(price - near), price, rest))
    trades, _, _, price, rest = min(ranked)
    return (price, -trades, rest) if trades else (0, 0, 0)


@given(ORDERS, LAST)
def test_the_price_is_the_one_that_the_rules_define(orders: list[Gathered], last_price: int) -> None:
    market = gathered(orders, last_price).state.markets["BTC-USD"]
    assert equilibrium(market) == by_definition(orders, last_price)


@given(ORDERS, LAST)
def test_an_uncross_trades_what_was_indicated_and_leaves_no_crossed_book(
    orders: list[Gathered], last_price: int
) -> None:
    exchange = gathered(orders, last_price)
    now_ns = exchange.state.now_ns
    price, lots, _ = by_definition(orders, last_price)
    opens = c.SetMarketState("opens", c.OPERATOR, now_ns + 10**9, "BTC-USD", c.MarketState.OPEN)
    events = exchange.execute(opens, now_ns)
    while exchange.has_work:
        exchange = Exchange(state=restore(list(dump(exchange.state))))
        exchange._check()
        step = exchange.execute(c.Continue(), now_ns)
        assert len(step) <= LIMITS.events_per_transaction_max
        events += step
    exchange._check()
    traded = [event for event in events if isinstance(event, e.AuctionTraded)]
    assert {event.price_ticks for event in traded} <= {price}
    assert sum(event.qty_lots for event in traded) == lots
    assert events[-1] == e.AuctionDone("BTC-USD", price, lots)
    market = exchange.state.markets["BTC-USD"]
    assert not market.gathering and not market.shut
