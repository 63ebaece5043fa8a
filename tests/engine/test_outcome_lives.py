"""Whole lives of outcome markets at random: the exchange says after each step what the naive one says.

Every invariant (`Exchange._check`) holds too: positions are what bets and open orders say, results add up to
0, funds are conserved. An image taken at any time goes on as the state it was taken of.
"""

from random import Random

import pytest

from bus import commands as c
from bus import events as e
from bus.codec import encode_command
from engine.exchange import Exchange
from engine.image import dump, restore
from engine.state import Limits
from tests.conftest import ALL
from tests.engine.naive import Naive

START_NS = 10**18
TRADERS = ("ann", "bob", "cat", "dan")
ODDS = (101, 102, 150, 198, 200, 206, 300, 305, 420, 1000)
STATES = (c.MarketState.OPEN, c.MarketState.HALTED, c.MarketState.SUSPENDED, c.MarketState.PRE_OPEN)
LIVES = 400 if ALL else 60


def told(events: list[e.Event]) -> list[tuple[object, ...]]:
    """Return events without what refusals say in words."""
    return [
        (type(event).__name__, *(event[:-1] if isinstance(event, e.CommandRejected) else event))
        for event in events
    ]


class Life:
    """An odds market "cup" or a binary one, and whatever happens to it."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        events_max = random.choice((6, 8, 12, 1_000))
        limits = Limits(events_per_transaction_max=events_max, fills_per_order_max=3)
        self.venue, self.naive = Exchange(limits), Naive(limits)
        self.now_ns = START_NS
        self.count = 0
        self.seen: dict[str, int] = {}
        self.do(c.CreateAsset(*self.head("operator"), "USD", 0))
        for name in (*TRADERS, "house"):
            self.do(c.CreateAccount(*self.head("operator"), name))
            self.do(c.Deposit(*self.head("operator"), name, "USD", random.choice((500, 3_000))))
        runners = tuple("ABCD"[: random.choice((0, 2, 3, 4))])
        model, lot_atoms = (c.MarketModel.ODDS, 100) if runners else (c.MarketModel.BINARY, 10_000)
        house = "house" if len(runners) > 2 and random.random() < 0.3 else ""
        rule = random.choice(list(c.RemovalRule))
        sizes = (lot_atoms, 1_000, random.choice((0, 50_000)), rule)
        self.do(
            c.CreateOutcomeMarket(
                *self.head("operator"), "cup", model, "USD", runners, *sizes, house, 10, 100
            )
        )

    def head(self, account: str) -> tuple[str, str, int]:
        """Return a fresh id, the account and validity."""
        self.count += 1
        return f"id-{self.count}", account, self.now_ns + 10**9

    def do(self, command: c.Command) -> None:
        """Execute a command; verify everything."""
        events = self.venue.execute(command, self.now_ns)
        assert told(events) == told(self.naive.execute(command, self.now_ns)), command
        for name in self.venue.state.accounts:
            for asset, balance in self.naive.balances(name).items():
                assert self.venue.balances(name).get(asset, (0, 0)) == balance, (command, name)
        for event in events:
            self.seen[type(event).__name__] = self.seen.get(type(event).__name__, 0) + 1
        self.venue._check()

    def live(self) -> None:
        """Trade, and let the operator do what operators do; at the end settle or void."""
        for _ in range(self.random.randrange(20, 90)):
            self.now_ns += self.random.choice((0, 0, 1, 10**7))
            for command in self.any_commands():
                self.do(command)
            if self.random.random() < 0.1:
                self.go_on_from_an_image()
        self.finish()
        self.do(c.SetMarketState(*self.head("operator"), "cup", c.MarketState.CLOSING))
        self.finish()
        if self.random.random() < 0.3:
            self.do(c.VoidTrades(*self.head("operator"), "cup", START_NS, START_NS + 10**7))
            self.finish()
        removed = self.venue.state.outcome_markets["cup"]
        winners = self.random.sample(
            [removed.runners[k] for k in removed.live], self.random.choice((1, 1, 2))
        )
        if self.random.random() < 0.2:
            self.do(c.VoidMarket(*self.head("operator"), "cup"))
        else:
            self.do(c.SettleMarket(*self.head("operator"), "cup", tuple(winners)))
        self.go_on_from_an_image()
        self.finish()

    def finish(self) -> None:
        """Let the engine do all that is left."""
        while self.venue.has_work:
            self.do(c.Continue())

    def go_on_from_an_image(self) -> None:
        """Restore an image, which must be the same image again, and go on from it."""
        chunks = list(dump(self.venue.state))
        self.venue = Exchange(state=restore(chunks))
        assert list(dump(self.venue.state)) == chunks
        self.venue._check()

    def any_commands(self) -> list[c.Command]:
        """Return a command of any kind, or two that go together; trading is the most frequent."""
        random = self.random
        outcome, kind = self.venue.state.outcome_markets["cup"], random.random()
        if outcome.market_state != c.MarketState.OPEN and kind < 0.3:
            return [c.SetMarketState(*self.head("operator"), "cup", c.MarketState.OPEN)]
        if kind < 0.74:
            return [self.place()]
        if kind < 0.80:
            return [self.cancel()]
        if kind < 0.88:
            return [c.Continue()]
        if kind < 0.94:
            return [self.administer()]
        return [c.SetMarketState(*self.head("operator"), "cup", c.MarketState.HALTED), self.change()]

    def place(self) -> c.Command:
        """Return an order, sometimes with terms."""
        random = self.random
        head = self.head(random.choice(TRADERS))
        outcome = self.venue.state.outcome_markets["cup"]
        book = random.choice(outcome.books)
        price = random.choice(ODDS) if book.model == c.MarketModel.ODDS else random.randrange(1, 10_000)
        market = random.random() < 0.1
        order_type, tif = (2, 2) if market else (1, random.choice((1, 1, 1, 2, 3)))
        sizes = (0 if market else price, random.randrange(1, 9), 0)
        side = random.choice((1, 2))
        if random.random() < 0.7:
            return c.PlaceOrder(*head, book.name, side, order_type, tif, False, *sizes)
        order = c.PlaceAdvanced(*head, book.name, side, order_type, tif, False, *sizes)
        order = order._replace(persists=random.random() < 0.5)
        kind = random.random()
        if kind < 0.4:
            return order._replace(display_lots=random.choice((0, 1)) if sizes[1] > 1 and tif == 1 else 0)
        odds = book.model == c.MarketModel.ODDS
        at = random.choice(ODDS) if odds else random.randrange(1, 10_000)
        stop = order._replace(trigger=random.choice((1, 2)), trigger_ticks=at)
        if kind < 0.7 or market:
            return stop._replace(time_in_force=2 if market else 1)
        first = order._replace(time_in_force=1, client_order_id=head[0] + "-first")
        second = stop._replace(time_in_force=1, client_order_id=head[0] + "-second")
        second = second._replace(price_ticks=at)
        legs = (encode_command(first), encode_command(second))
        return c.PlacePair(*head, random.choice((1, 2)), *legs)

    def cancel(self) -> c.Command:
        """Return the cancel of an open order, or a change."""
        who = self.random.choice(TRADERS)
        mine = self.venue.open_orders(who)
        if not mine:
            return c.CancelAll(*self.head(who), "")
        order_id, _, book, _, price, qty, _ = self.random.choice(mine)
        named = (*self.head(who), book, order_id, "")
        kind = self.random.random()
        if kind < 0.5:
            return c.CancelOrder(*named)
        if kind < 0.7:
            return c.ReduceOrder(*named, max(qty - 1, 0))
        return c.ReplaceOrder(*named, self.random.choice((price, self.random.choice(ODDS))), qty)

    def change(self) -> c.Command:
        """Return something that an operator does to a market that does not trade."""
        random, head, when = self.random, self.head("operator"), START_NS + self.random.randrange(10**8)
        return random.choice(
            (
                c.VoidTrades(*head, "cup", START_NS, when),
                c.RemoveRunner(*head, "cup", random.choice("ABCDE"), random.choice((0, 25_000, 333_333))),
                c.AddRunner(*head, "cup", random.choice("DEF")),
            )
        )

    def administer(self) -> c.Command:
        """Return something that an operator does."""
        random, head = self.random, self.head("operator")
        who = random.choice(TRADERS)
        return random.choice(
            (
                c.SetMarketState(*head, "cup", random.choice(STATES)),
                c.SetMarketState(*head, "cup", random.choice(STATES)),
                c.TurnInPlay(*head, "cup", random.choice((0, 10**7))),
                c.Withdraw(*head, who, "USD", random.randrange(1, 1_000)),
                c.Deposit(*head, who, "USD", random.randrange(1, 300)),
                c.CashOut(head[0], who, head[2], "cup", random.choice((300_000, 1_000_000)), -(10**6)),
                c.SetAccountTerms(*head, who, random.random() < 0.2, 0, random.choice((1, 1, 2, 3, 5)), ""),
                c.CancelMarket(*head, random.choice(self.venue.state.outcome_markets["cup"].books).name),
            )
        )


@pytest.mark.parametrize("part", range(4))
def test_every_invariant_holds_through_the_life_of_a_market(part: int) -> None:
    seen: dict[str, int] = {}
    for seed in range(part, LIVES, 4):
        life = Life(seed)
        life.live()
        outcome = life.venue.state.outcome_markets["cup"]
        assert outcome.market_state in (c.MarketState.SETTLED, c.MarketState.VOIDED), seed
        assert not outcome.positions and not outcome.bets
        for name in life.venue.state.accounts:
            assert all(held == 0 for _, held in life.venue.balances(name).values()), (seed, name)
        for what, count in life.seen.items():
            seen[what] = seen.get(what, 0) + count
    wanted = (e.ExposureChanged, e.RunnerRemoved, e.TradesVoided, e.MarketSettled, e.TradeExecuted)
    assert all(seen.get(event.__name__) for event in wanted), seen
