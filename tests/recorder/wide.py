"""A stretch of stream with all that the venue decides: order types, auctions, binary and odds markets.

A seeded crowd sends what comes to its mind to a real exchange; much of it is refused, which is recorded too.
"""

from random import Random

from bus import commands as c
from bus.events import EVENT_NUMBERS, Event
from engine import ladder
from engine.exchange import Exchange
from engine.state import RULES_VERSION, Limits
from tests.recorder.venue import FUNDS_ATOMS, START_NS, VENUE_ID
from tests.recorder.venue import Venue as AnyVenue

TRADERS = ("ann", "bob", "cat", "dan")
ACCOUNTS = (*TRADERS, "house", c.OPERATOR, c.FEES)
SPOT, BINARY, MATCH, RACE = "BTC-USD", "rain", "match", "race"
BOOKS = (SPOT, BINARY, f"{MATCH}:a", f"{MATCH}:b", f"{RACE}:x", f"{RACE}:y", f"{RACE}:z")
OUTCOME_MARKETS = (BINARY, MATCH, RACE)
RUNNERS = {BINARY: ("YES", "NO"), MATCH: ("a", "b"), RACE: ("x", "y", "z")}
LIMITS = Limits(events_per_transaction_max=40, fills_per_order_max=8, indication_interval_ns=10**9)


class WideVenue(AnyVenue):
    """The exchange with every kind of market, and its frames."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.exchange = Exchange()
        self.venue_id = VENUE_ID
        self.epoch = 1
        self.now_ns = START_NS
        self.frames: list[tuple[int, int, bytes]] = []
        self.events: list[tuple[int, int, Event]] = []
        self._ids = 0
        self._orders: list[tuple[str, str, int]] = []
        self.run([c.StartEngine(1, RULES_VERSION, LIMITS.as_wire())])
        self.run(self._setup())

    def live(self, batches: int, commands_max: int = 8) -> None:
        """Let the crowd send batches of commands, with what the engine does by itself in between."""
        for _ in range(batches):
            self.now_ns += int(self.random.random() * 3e9)
            self.run([self._command() for _ in range(self.random.randint(1, commands_max))])
            self.work()
            if self.random.random() < 0.04:
                self.interrupt(self.random.choice(OUTCOME_MARKETS))

    def interrupt(self, market: str) -> None:
        """Change the runners of an outcome market or make trades void, while nothing trades there."""
        self.run([c.SetMarketState(*self._head(), market, c.MarketState.SUSPENDED)])
        self.run([self._of_a_suspended(market)])
        self.work()
        self.run([c.SetMarketState(*self._head(), market, c.MarketState.OPEN)])
        self.work()

    def work(self) -> None:
        """Let the engine do what is due."""
        while 0 <= self.exchange.next_due_ns() <= self.now_ns:
            self.run([c.Continue()])

    def end(self, market: str, winners: tuple[str, ...]) -> None:
        """Close a market and settle it, or without winners void it."""
        head = (c.OPERATOR, self._until())
        self.run([c.SetMarketState(self._id(), *head, market, c.MarketState.CLOSING)])
        self.work()
        ending: c.Command = c.SettleMarket(self._id(), *head, market, winners)
        self.run([ending if winners else c.VoidMarket(self._id(), *head, market)])
        self.work()

    def counted(self) -> dict[int, int]:
        """Return how often each event came, by its number."""
        counts: dict[int, int] = {}
        for _, _, event in self.events:
            number = EVENT_NUMBERS[type(event)]
            counts[number] = counts.get(number, 0) + 1
        return counts

    def _head(self, account: str = c.OPERATOR) -> tuple[str, str, int]:
        return (self._id(), account, self._until())

    def _setup(self) -> list[c.Command]:
        commands: list[c.Command] = [
            c.CreateAsset(*self._head(), "BTC", 8),
            c.CreateAsset(*self._head(), "USD", 6),
            c.CreateMarket(*self._head(), SPOT, "BTC", "USD", 1, 2, 10_000, 10**6, 10**6, 1_000, 2_000),
        ]
        for account in (*TRADERS, "house"):
            commands.append(c.CreateAccount(*self._head(), account))
            for asset in ("BTC", "USD"):
                commands.append(c.Deposit(*self._head(), account, asset, FUNDS_ATOMS))
        binary = c.CreateOutcomeMarket(
            *self._head(), BINARY, 2, "USD", (), 1_000_000, 10**6, 20_000, 1, "", 0, 0
        )
        odds = binary._replace(model=3, lot_atoms=10_000)
        commands += [
            binary,
            odds._replace(command_id=self._id(), market=MATCH, runners=("a", "b")),
            odds._replace(
                command_id=self._id(),
                market=RACE,
                runners=("x", "y", "z"),
                commission_ppm=50_000,
                removal_rule=2,
                house="house",
                match_loss_max_atoms=10**6,
                house_loss_max_atoms=10**9,
            ),
            c.SetFeeTier(*self._head(), SPOT, 1, -1_000, 3_000),
            c.SetAccountTerms(*self._head(), "ann", False, 1, c.Prevention.DECREMENT, ""),
            c.SetAccountTerms(*self._head(), "bob", False, 0, c.Prevention.CANCEL_MAKER, "firm"),
            c.SetAccountTerms(*self._head(), "cat", False, 1, c.Prevention.CANCEL_TAKER, "firm"),
            c.SetAccountLimits(*self._head(), "dan", SPOT, 45, 0, 20, 0),
            c.SetMarketRules(*self._head(), SPOT, 1, 0, 900_000),
        ]
        return commands

    def _command(self) -> c.Command:
        kind = self.random.random()
        trader, book = self.random.choice(TRADERS), self.random.choice(BOOKS)
        if kind < 0.45:
            return self._place(trader, book)
        if kind < 0.70:
            return self._advanced(trader, book)
        if kind < 0.76:
            return self._pair(trader, book)
        if kind < 0.80:
            both = (self._place(trader, book), self._advanced(trader, self.random.choice(BOOKS)))
            head = (both[0][0], trader, self._until())
            arrays = tuple((1 if type(one) is c.PlaceOrder else 6, *one) for one in both)
            return c.SubmitBatch(f"b{head[0]}", *head[1:], self.random.random() < 0.5, arrays)
        if kind < 0.90:
            return self._of_an_order()
        return self._of_the_operator() if kind < 0.96 else self._of_an_account(trader)

    def _price(self, book: str) -> int:
        if book == SPOT:
            return self.random.randint(995, 1_005)
        if book == BINARY:
            return self.random.randint(4_990, 5_010)
        return ladder.floor(self.random.randint(180, 420), 1)

    def _place(self, trader: str, book: str) -> c.PlaceOrder:
        side, qty = self.random.choice((1, 2)), self.random.randint(1, 50)
        head = (*self._head(trader), book, side)
        if self.random.random() < 0.1:
            budget = self.random.randint(1, 10**9) if book == SPOT and side == c.Side.BUY else 0
            return c.PlaceOrder(*head, 2, 2, False, 0, 0 if budget else qty, budget)
        tif = self.random.choice((1, 1, 1, 1, 2, 3))
        return c.PlaceOrder(*head, 1, tif, self.random.random() < 0.1, self._price(book), qty, 0)

    def _advanced(self, trader: str, book: str) -> c.PlaceAdvanced:
        random = self.random
        plain = c.PlaceAdvanced(*self._place(trader, book)[:5], 1, 1, False, self._price(book), 40, 0)
        kind = random.randrange(8)
        if kind == 0:
            return plain._replace(display_lots=random.randint(1, 9))
        if kind == 1:
            return plain._replace(min_lots=random.randint(1, 40))
        if kind == 2:
            trigger = random.choice((c.Trigger.STOP, c.Trigger.TAKE_PROFIT))
            return plain._replace(trigger=trigger, trigger_ticks=self._price(book))
        if kind == 3:
            return plain._replace(trigger=c.Trigger.TRAILING, trail_ticks=random.randint(1, 5))
        if kind == 4:
            return plain._replace(time_in_force=4, expires_ns=self.now_ns + random.randint(1, 10) * 10**9)
        if kind == 5:
            return plain._replace(time_in_force=5, prevention=random.randint(0, 5))
        if kind == 6:
            return plain._replace(group="g")
        return plain._replace(persists=book != SPOT)

    def _pair(self, trader: str, book: str) -> c.PlacePair:
        side = self.random.choice((1, 2))
        kind = self.random.choice((c.PairKind.OCO, c.PairKind.OTO))
        first, second = (self._advanced(trader, book)._replace(side=side) for _ in range(2))
        away = self._price(book) - (40 if side == c.Side.BUY else -40)
        if book not in (SPOT, BINARY):
            away = ladder.floor(away, 1)
        first = first._replace(price_ticks=away, trigger=0, trigger_ticks=0, trail_ticks=0, min_lots=0)
        id_, account, until_ns = self._head(trader)
        return c.PlacePair(id_, account, until_ns, kind, (6, *first), (6, *second))

    def _of_an_order(self) -> c.Command:
        random = self.random
        trader = random.choice(TRADERS)
        mine = self.exchange.open_orders(trader)
        if not mine:
            return c.CancelAll(*self._head(trader), "")
        row = random.choice(mine)
        head = (*self._head(trader), row[2], row[0], "")
        kind = random.random()
        if kind < 0.4:
            return c.CancelOrder(*head)
        if kind < 0.7:
            return c.ReduceOrder(*head, random.randint(0, 40))
        return c.ReplaceOrder(*head, self._price(row[2]), random.randint(1, 50))

    def _of_the_operator(self) -> c.Command:
        random, head = self.random, self._head()
        kind = random.randrange(12)
        if kind < 10:
            states = (c.MarketState.OPEN,) * 5 + (c.MarketState.PRE_OPEN,) * 3 + (c.MarketState.SUSPENDED,)
            return c.SetMarketState(*head, random.choice((SPOT, *OUTCOME_MARKETS)), random.choice(states))
        if kind == 10:
            return c.TurnInPlay(*head, random.choice(OUTCOME_MARKETS), 2 * 10**9)
        return c.CancelWhere(*head, "", random.choice(BOOKS), random.choice((0, 1, 2)), 0, 0)

    def _of_a_suspended(self, market: str) -> c.Command:
        random, head = self.random, self._head()
        if market == RACE and random.random() < 0.7:
            if random.random() < 0.5:
                return c.AddRunner(*head, RACE, f"w{self._ids}")
            return c.RemoveRunner(*head, RACE, random.choice("xyz"), random.choice((0, 30_000, 200_000)))
        from_ns = self.now_ns - random.randint(1, 20) * 10**9
        return c.VoidTrades(*head, market, from_ns, from_ns + 10 * 10**9)

    def _of_an_account(self, trader: str) -> c.Command:
        random, head = self.random, self._head(trader)
        kind = random.randrange(6)
        if kind < 3:
            share = random.choice((250_000, 1_000_000))
            return c.CashOut(*head, random.choice(OUTCOME_MARKETS), share, -(10**15))
        if kind == 3:
            return c.SetGroup(*head, "g", random.choice((0, 20, 100)), 10**10)
        if kind == 4:
            return c.CancelAfter(*head, 5 * 10**9)
        return c.CancelMatching(*head, random.choice(BOOKS), 0, 0, 0)
