"""What must hold of every trade in odds markets, whatever is sent: seen in the events alone."""

from fractions import Fraction
from random import Random

import pytest

from bus import commands as c
from bus import events as e
from engine import ladder
from engine.exchange import Exchange, Limits
from tests.conftest import ALL

NOW_NS = 10**18
TRADERS = ("ann", "bob", "cat", "dan")
ODDS = [odds for odds in ladder.rungs() if 120 <= odds <= 400]
RUNNERS = {"two": "AB", "many": "ABC"}


class Watcher:
    """Follows orders, results and the house's losses by the events."""

    def __init__(self, match_loss_max: int, house_loss_max: int) -> None:
        self.match_loss_max, self.house_loss_max = match_loss_max, house_loss_max
        self.orders: dict[int, tuple[str, int, int]] = {}  # book, side, limit (0: none)
        self.asked: dict[int, int] = {}
        self.used: dict[int, Fraction] = {}
        self.house: dict[str, dict[str, int]] = {"two": {}, "many": {}}
        self.match: dict[str, int] = {}
        self.trades = dict.fromkeys(e.TradeKind, 0)

    def see(self, event: e.Event) -> None:
        """Take one event in, and check it."""
        if isinstance(event, e.OrderAccepted):
            self.orders[event.order_id] = (event.market, event.side, event.price_ticks)
            self.asked[event.order_id] = event.qty_lots
        elif isinstance(event, e.OrderReplaced):
            self.orders[event.order_id] = (event.market, event.side, event.price_ticks)
            self.asked[event.order_id] = event.left_lots
            self.used[event.order_id] = Fraction(0)
        elif isinstance(event, e.TradeExecuted):
            self.trades[e.TradeKind(event.kind)] += 1
            self.see_trade(event)

    def see_trade(self, trade: e.TradeExecuted) -> None:
        """Check both sides of a trade against what they asked for."""
        if trade.maker_order_id:
            book, side, limit = self.orders[trade.maker_order_id]
            assert (book, 3 - side, limit) == (trade.market, trade.taker_side, trade.price_ticks)
            self.use(trade.maker_order_id, Fraction(trade.qty_lots))
        if trade.taker_order_id:
            book, side, limit = self.orders[trade.taker_order_id]
            odds, lots = Fraction(trade.price_ticks), Fraction(trade.qty_lots)
            if trade.kind == e.TradeKind.IMPLIED:
                assert book != trade.market and side != trade.taker_side
                odds, lots = 100 * odds / (odds - 100), lots * (odds - 100) / 100
            else:
                assert book == trade.market and side == trade.taker_side
            assert not limit or (odds <= limit if side == c.Side.LAY else odds >= limit)
            self.use(trade.taker_order_id, lots)
        if trade.kind == e.TradeKind.CROSS:
            self.see_cross(trade)

    def use(self, order_id: int, lots: Fraction) -> None:
        """Count what of an order is used up."""
        self.used[order_id] = self.used.get(order_id, Fraction(0)) + lots
        assert self.used[order_id] <= self.asked[order_id]

    def see_cross(self, trade: e.TradeExecuted) -> None:
        """Count what the house has of a match, and check it when the match is complete."""
        market, runner = trade.market.split(":")
        backs = (trade.taker_side == c.Side.BACK) == (trade.taker_account == "house")
        sign = 1 if backs else -1
        for outcome in RUNNERS[market]:
            wins = trade.price_ticks - 100 if outcome == runner else -100
            self.match[outcome] = self.match.get(outcome, 0) + sign * trade.qty_lots * wins
        if trade.taker_account == "house":
            return
        total = self.house[market]
        for outcome, result in self.match.items():
            assert result >= -self.match_loss_max
            total[outcome] = total.get(outcome, 0) + result
            assert total[outcome] >= -self.house_loss_max
        self.match = {}


class Life:
    """An exchange with a market of two runners and one of three with a house, and a random day in it."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.exchange = Exchange(Limits())
        self.now_ns, self.count = NOW_NS, 0
        loss = random.choice([0, 500, 20_000])
        self.watcher = Watcher(loss, 3 * loss)
        self.odds = random.sample(ODDS, 8)
        self.run(c.CreateAsset(*self.head(c.OPERATOR), "USD", 2))
        for name in (*TRADERS, "house"):
            self.run(c.CreateAccount(*self.head(c.OPERATOR), name))
            funds = random.choice([10**6, 10**9])
            self.run(c.Deposit(*self.head(c.OPERATOR), name, "USD", funds))
        for name, runners in RUNNERS.items():
            house = "house" if name == "many" else ""
            self.run(
                c.CreateOutcomeMarket(
                    *self.head(c.OPERATOR),
                    name,
                    c.MarketModel.ODDS,
                    "USD",
                    tuple(runners),
                    100,
                    10_000,
                    0,
                    c.RemovalRule.CANCEL_LAYS,
                    house,
                    loss,
                    3 * loss,
                )
            )

    def head(self, account: str) -> tuple[str, str, int]:
        """Return a fresh id, the account and validity."""
        self.count += 1
        return f"id-{self.count}", account, self.now_ns + 10**9

    def run(self, command: c.Command) -> list[e.Event]:
        """Execute a command and take its events in."""
        events = self.exchange.execute(command, self.now_ns)
        for event in events:
            self.watcher.see(event)
        return events

    def step(self) -> None:
        """Send one command of some kind, and do what is due."""
        random, exchange = self.random, self.exchange
        self.now_ns += random.choice([1, 60_000_000])
        head, market = self.head(random.choice(TRADERS)), random.choice(["two", "many"])
        kind, orders = random.random(), list(exchange.state.orders.values())
        if kind < 0.7 or not orders:
            self.place(head, market)
        elif kind < 0.85:
            order = random.choice(orders)
            new = (random.choice(self.odds), order.filled_lots + random.randint(1, 300))
            head = (head[0], order.account.name, head[2])
            self.run(c.ReplaceOrder(*head, order.market.name, order.order_id, "", *new))
        elif kind < 0.93:
            worst = random.choice([-(10**9), -5_000, 0])
            for event in self.run(c.CashOut(*head, market, random.choice([10**6, 4 * 10**5]), worst)):
                assert not isinstance(event, e.CashedOut) or min(event.after_atoms) >= worst
        else:
            order = random.choice(orders)
            head = (head[0], order.account.name, head[2])
            self.run(c.CancelOrder(*head, order.market.name, order.order_id, ""))
        while 0 <= exchange.next_due_ns() <= self.now_ns:
            self.run(c.Continue())

    def place(self, head: tuple[str, str, int], market: str) -> None:
        """Place an order."""
        random = self.random
        book = f"{market}:{random.choice(RUNNERS[market])}"
        side = random.choice([c.Side.LAY, c.Side.BACK, c.Side.BACK, c.Side.BACK])
        price, qty = random.choice(self.odds), random.choice([1, 3, 40, 400, 3_000])
        order_type, tif = random.choice([(1, 1), (1, 1), (1, 1), (1, 1), (1, 2), (1, 3), (2, 2)])
        limit = price if order_type == c.OrderType.LIMIT else 0
        if random.random() < 0.2 and (order_type, tif) == (1, 1) and qty > 3:
            self.run(c.PlaceAdvanced(*head, book, side, 1, 1, False, limit, qty, 0, 3, prevention=2))
        else:
            self.run(c.PlaceOrder(*head, book, side, order_type, tif, False, limit, qty, 0))


@pytest.mark.parametrize("seed", range(100 if ALL else 10))
def test_nobody_gets_worse_than_asked_and_the_house_loses_no_more_than_it_may(seed: int) -> None:
    life = Life(seed)
    for number in range(300):
        life.step()
        if number % 30 == 0:
            life.exchange._check()
    life.exchange._check()
    assert life.watcher.trades[e.TradeKind.DIRECT] and life.watcher.trades[e.TradeKind.IMPLIED]


def test_the_days_have_cross_matches_of_every_kind_of_house() -> None:
    crosses: dict[int, int] = {}
    for seed in range(12):
        life = Life(seed)
        for _ in range(150):
            life.step()
        loss = life.watcher.match_loss_max
        crosses[loss] = crosses.get(loss, 0) + life.watcher.trades[e.TradeKind.CROSS]
    assert len(crosses) == 3 and all(crosses.values()), crosses
