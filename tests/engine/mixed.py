"""Commands made from a seed over spot, binary and odds markets in one small exchange.

The maker looks at the naive exchange, so that what it sends mostly concerns what is there: an order that is
open, a market that is closed and can be settled, two runners whose odds meet. What is rare by chance comes
as a plan of several commands (a runner is removed: halt, remove, open again).
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from bus import commands as c
from bus.codec import encode_command
from engine.state import RULES_VERSION
from tests.engine import mixed_plans
from tests.engine.mixed_venue import (
    BINARY,
    GROUPS,
    HOUSE,
    LIMITS,
    MS_NS,
    ODDS,
    SECOND_NS,
    SPOT,
    START_NS,
    TRADERS,
)
from tests.engine.naive import Naive
from tests.engine.naive_state import DAY_NS, Order


class Mixed:
    """Makes commands, one after the other, from a seed and what is there."""

    def __init__(self, seed: int, naive: Naive) -> None:
        self.random = Random(seed)
        self.naive = naive
        self.now_ns = START_NS
        self.count = 0
        self.made = 1
        self.sent: list[c.Command] = []
        self.plan: list[c.Command | Callable[[], c.Command]] = []
        self.style = self.random.choice(["all", "all", "spot", "two", "race", "bin", "calm"])

    # ---- choices --------------------------------------------------------------------------------

    def one_in(self, n: int) -> bool:
        """Return True one time in ``n``."""
        return self.random.randrange(n) == 0

    def head(self, account: str = "") -> tuple[str, str, int]:
        """Return id, account and validity of a command."""
        self.count += 1
        command_id = f"i{self.count}" if not self.one_in(40) else f"i{max(1, self.count - 5)}"
        valid = self.now_ns + self.random.choice([1, 1, 2, 3, 10]) * SECOND_NS
        if self.one_in(80):
            valid = self.now_ns + self.random.choice([-1, 0, 21 * SECOND_NS])
        return command_id, account or self.trader(), valid

    def operator(self) -> tuple[str, str, int]:
        """Return id, account and validity of the operator's command."""
        command_id, _, valid = self.head("ann")
        return command_id, c.OPERATOR if not self.one_in(100) else "ann", valid

    def trader(self) -> str:
        """Return an account."""
        if self.one_in(60):
            return self.random.choice([c.FEES, c.OPERATOR, "nobody", HOUSE])
        return self.random.choice([*TRADERS, HOUSE] if self.one_in(8) else TRADERS)

    def account(self) -> str:
        """Return an account that an operator names."""
        return (
            self.random.choice([*TRADERS, HOUSE])
            if not self.one_in(30)
            else self.random.choice(["nobody", c.FEES])
        )

    def market(self) -> str:
        """Return a market's name, mostly of one that trades."""
        names = [m.name for m in self.naive.markets.values() if m.state < c.MarketState.CLOSED]
        kinds = {"spot": ("A", "C"), "two": ("T",), "race": ("R",), "bin": ("B",)}
        liked = [name for name in names if name[0] in kinds.get(self.style, "ABCTR")]
        if self.one_in(50):
            return self.random.choice([*self.naive.markets, "none"])
        return self.random.choice(liked or names)

    def book(self) -> str:
        """Return a book's name."""
        market = self.naive.markets.get(self.market())
        if market is None or self.one_in(60):
            return self.random.choice(["none", "R1", "T1:z", "R1:p"])
        return self.random.choice(market.books).name

    def price(self, book: str, side: int) -> int:
        """Return a limit price: two thirds on the own side of the middle, so that books fill."""
        if self.one_in(40):
            return self.random.choice([0, 7, 103, 10_000, 100_001, 303])
        there = self.naive.books.get(book)
        model = there.made.model if there is not None else 1
        prices = {1: (1, 2, 3, 4, 5, 6), 2: BINARY, 3: ODDS[1:-1] if not self.one_in(30) else ODDS}[model]
        if there is not None and there.resting and self.one_in(3):
            return self.random.choice(there.resting).price
        middle = len(prices) // 2
        if self.random.randrange(3):
            own = prices[:middle] if side == c.Side.BUY else prices[middle:]
            if model == 3 and self.one_in(2):
                own = (250, 280, 300, 340)
            return self.random.choice(own)
        return self.random.choice(prices)

    def qty(self, book: str) -> int:
        """Return a quantity."""
        if self.one_in(40):
            return self.random.choice([0, 10, 41])
        there = self.naive.books.get(book)
        if there is not None and there.made.model == 3:
            return self.random.choice([1, 2, 3, 5, 7, 10, 20, 33, 40])
        return self.random.choice([1, 1, 1, 2, 3, 6, 9])

    # ---- commands -------------------------------------------------------------------------------

    def next(self) -> tuple[int, c.Command]:
        """Return the next command and its time."""
        random = self.random
        waits = [0] * 12 + [10 * MS_NS, 60 * MS_NS, 200 * MS_NS, SECOND_NS // 3, SECOND_NS, 3 * SECOND_NS]
        self.now_ns += random.choice(waits) + random.choice([0, 1])
        if self.one_in(1_000):
            self.now_ns += DAY_NS // 2
        due = self.naive.next_due_ns()
        if 0 <= due <= self.now_ns and not self.one_in(4):
            command: c.Command = c.Continue()
        elif self.plan and not self.one_in(6):
            planned = self.plan.pop(0)
            command = planned() if callable(planned) else planned
            if not isinstance(command, (c.Continue, c.OpenLink, c.StartEngine)):
                command = command._replace(valid_until_ns=self.now_ns + SECOND_NS)
        else:
            command = self.command()
        self.sent.append(command)
        return self.now_ns, command

    def command(self) -> c.Command:
        """Return any command."""
        if self.one_in(40) and self.sent:
            return self.sent[-self.random.randint(1, min(9, len(self.sent)))]
        kind = self.random.randrange(100)
        if kind < 30:
            return self.plain()
        if kind < 52:
            return self.advanced()
        if kind < 58:
            return self.pair()
        if kind < 63:
            return self.batch()
        if kind < 80:
            return self.change()
        if kind < 90:
            return self.own_control()
        if kind < 91:
            if self.one_in(5):
                ids = self.naive.limits.ids_per_account_max  # the ids that are kept must fit
                limits = replace(self.random.choice(LIMITS), ids_per_account_max=ids)
                return c.StartEngine(self.count, RULES_VERSION, limits.as_wire())
            return c.Continue()
        return self.administration()

    def plain(self, head: tuple[str, str, int] | None = None, book: str = "") -> c.PlaceOrder:
        """Return a plain order."""
        random, head, book = self.random, head or self.head(), book or self.book()
        side = random.choice([1, 2])
        spot = book in SPOT
        if self.one_in(6):
            return c.PlaceOrder(*head, book, side, 2, random.choice([2, 2, 3]), False, 0, self.qty(book), 0)
        if spot and self.one_in(10):
            return c.PlaceOrder(
                *head, book, 1, 2, 2, False, 0, 0, random.choice([90, 333, 30 * random.randint(1, 30)])
            )
        if self.one_in(40):
            odd = (random.choice([1, 2]), random.choice([1, 2, 3]), random.choice([True, False]))
            return c.PlaceOrder(
                *head, book, side, *odd, random.choice([0, 3]), random.choice([0, 2]), random.choice([0, 90])
            )
        time_in_force = random.choice([1] * 8 + [2, 3])
        post_only = time_in_force == 1 and self.one_in(8)
        return c.PlaceOrder(
            *head, book, side, 1, time_in_force, post_only, self.price(book, side), self.qty(book), 0
        )

    def advanced(
        self, head: tuple[str, str, int] | None = None, book: str = "", trigger: int | None = None
    ) -> c.PlaceAdvanced:
        """Return an order with terms, mostly one or two of them."""
        random = self.random
        p = c.PlaceAdvanced(*self.plain(head, book))
        there = self.naive.books.get(p.market)
        if random.randrange(3) == 0:
            p = p._replace(display_lots=random.randint(1, max(1, p.qty_lots - 1)) if p.qty_lots > 1 else 0)
        if self.one_in(6):
            p = p._replace(min_lots=random.randint(1, max(1, p.qty_lots)))
        if self.one_in(5):
            p = p._replace(time_in_force=random.choice([4, 5]))
        if p.time_in_force == 4 or self.one_in(60):
            after = random.choice([MS_NS, 100 * MS_NS, SECOND_NS, 5 * SECOND_NS, DAY_NS, 367 * DAY_NS, -1])
            p = p._replace(expires_ns=max(0, self.now_ns + after))
        if self.one_in(3):
            p = p._replace(prevention=random.randint(0, 5))
        if self.one_in(2):
            there_are = (
                list(self.naive.accounts[p.account].groups) if p.account in self.naive.accounts else []
            )
            p = p._replace(group=random.choice(there_are) if there_are and not self.one_in(20) else "")
            p = p._replace(group="g9") if self.one_in(50) else p
        if (p.market not in SPOT and self.one_in(3)) or self.one_in(60):
            p = p._replace(persists=True)
        kind = random.choice([0, 0, 0, 1, 1, 2, 3]) if trigger is None else trigger
        if kind:
            p = p._replace(trigger=kind, min_lots=0, post_only=False)
            last = there.last if there is not None else 3
            near = self.near(p.market, last, (p.side == c.Side.BUY) == (kind == c.Trigger.STOP))
            p = (
                p._replace(trail_ticks=random.choice([1, 1, 2, 50]))
                if kind == 3
                else p._replace(trigger_ticks=near)
            )
            if p.order_type == 2 and p.market in SPOT and p.side == 1 and not self.one_in(9):
                p = p._replace(qty_lots=0, budget_atoms=random.choice([90, 300, 600]))
            if p.order_type == 2:
                p = p._replace(time_in_force=2)
        return p

    def near(self, book: str, last: int, above: bool) -> int:
        """Return a trigger price above or below the last."""
        if book in SPOT:
            prices: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
        else:
            prices = BINARY if book[:1] == "B" else ODDS
        found = [price for price in prices if (price > last) == above and price != last]
        return self.random.choice(found or list(prices))

    def pair(self) -> c.PlacePair:
        """Return a pair of orders."""
        random = self.random
        head, book = self.head(), self.book()
        ids = [(f"{head[0]}{end}", *head[1:]) for end in ("a", "b")]
        if self.one_in(30):
            ids[1] = ids[0]
        kind = random.choice([1, 2])
        legs: list[c.PlaceOrder | c.PlaceAdvanced] = []
        for n, leg_head in enumerate(ids):
            triggers = n == 1 or (kind == 1 and self.one_in(3))
            leg: c.PlaceOrder | c.PlaceAdvanced = self.plain(leg_head, book)
            if triggers and (kind == 1 or self.one_in(2)):
                leg = self.advanced(leg_head, book, random.choice([1, 2, 3]))
            elif n == 0 or kind == 1:
                price = self.price(book, leg.side)
                leg = leg._replace(
                    order_type=1, price_ticks=price, qty_lots=max(1, leg.qty_lots), budget_atoms=0
                )
                leg = leg._replace(time_in_force=1)
            if legs and kind == 1 and not self.one_in(20):
                leg = leg._replace(side=legs[0].side)
                if isinstance(leg, c.PlaceAdvanced) and leg.trigger_ticks and book in self.naive.books:
                    up = (leg.side == c.Side.BUY) == (leg.trigger == c.Trigger.STOP)
                    leg = leg._replace(trigger_ticks=self.near(book, self.naive.books[book].last, up))
            legs.append(leg)
        return c.PlacePair(*head, kind, encode_command(legs[0]), encode_command(legs[1]))

    def batch(self) -> c.SubmitBatch:
        """Return a batch."""
        random, head, atomic = self.random, self.head(), self.one_in(2)
        commands: list[c.Command] = []
        for n in range(random.choice([1, 2, 3, 3, 4])):
            inner = (f"{head[0]}{n}", *head[1:])
            kind = random.randrange(5)
            if kind < 2:
                commands.append(self.plain(inner))
            elif kind == 2:
                commands.append(self.advanced(inner))
            else:
                changed = self.change(inner)
                commands.append(changed)
        if atomic and self.one_in(4):
            book, names = self.book(), [(f"{head[0]}p{n}", *head[1:]) for n in (1, 2)]
            if book in self.naive.books:
                pair = [
                    self.limit(book, side)._replace(client_order_id=names[side - 1][0]) for side in (1, 2)
                ]
                alike = [one._replace(account=head[1], valid_until_ns=head[2]) for one in pair]
                commands += [alike[0], alike[1]._replace(post_only=True, price_ticks=alike[0].price_ticks)]
        if atomic and not self.one_in(10):
            places = (c.PlaceOrder, c.PlaceAdvanced)
            commands = [x for x in commands if not isinstance(x, c.ReplaceOrder)] or [
                self.plain((f"{head[0]}x", *head[1:]))
            ]
            commands.sort(key=lambda command: isinstance(command, places))
            commands = [x for x in commands if not (isinstance(x, places) and x.order_type == 2)] or commands
        if self.one_in(25):
            commands.append(self.plain((f"{head[0]}0", head[1], head[2] + random.choice([0, 1]))))
        return c.SubmitBatch(*head, atomic, tuple(encode_command(command) for command in commands))

    def some_order(self, account: str) -> Order | None:
        """Return an open order, mostly of the account."""
        mine = [o for o in self.naive.orders.values() if o.account == account]
        found = mine if mine and not self.one_in(20) else list(self.naive.orders.values())
        return self.random.choice(found) if found else None

    def change(
        self, head: tuple[str, str, int] | None = None
    ) -> c.CancelOrder | c.ReduceOrder | c.ReplaceOrder:
        """Return a cancel, reduce or replace."""
        random = self.random
        order = self.some_order(head[1] if head else "")
        if head is None:
            mine = order is not None and not self.one_in(25)
            head = self.head(order.account if order is not None and mine else "")
        book = order.market if order is not None else self.book()
        which: tuple[int, str] = (order.order_id if order else 77, "")
        if order is not None and self.one_in(3):
            which = (0, order.terms.client_order_id)
        if self.one_in(40):
            which = random.choice([(0, ""), (1, "i1"), (10**6, "")])
        kind = random.randrange(10)
        if kind < 3:
            return c.CancelOrder(*head, book, *which)
        most = order.qty if order else 3
        if kind < 6:
            return c.ReduceOrder(*head, book, *which, random.randint(0, max(1, most)))
        side = order.side if order else 1
        return c.ReplaceOrder(*head, book, *which, self.price(book, side), self.qty(book))

    def own_control(self) -> c.Command:
        """Return what an account sends beside orders."""
        random, head = self.random, self.head()
        kind = random.randrange(12)
        if kind == 0:
            return c.CancelAll(*head, random.choice(["", self.market(), self.book()]))
        if kind == 1:
            low, high = random.choice([0, 0, 2, 200]), random.choice([0, 3, 300])
            return c.CancelMatching(
                *head, random.choice(["", self.market()]), random.choice([0, 1, 2]), low, high
            )
        if kind < 4:
            return c.CancelAfter(*head, random.choice([0, 100 * MS_NS, SECOND_NS, 10 * SECOND_NS]))
        if kind < 7:
            lots = random.choice([0, 2, 2, 3, 5, 20])
            window = random.choice([MS_NS, SECOND_NS, 60 * SECOND_NS])
            return c.SetGroup(*head, random.choice(GROUPS), lots, window)
        name = self.market()
        worst = random.choice([0, -1_000, -10_000, -100_000, -1_000_000])
        outcome = [m.name for m in self.naive.markets.values() if m.outcome and m.state == 1]
        if outcome and not self.one_in(10):
            name = random.choice(outcome)
            there = self.naive.markets[name].outcome
            if there is not None and there.trades and not self.one_in(9):
                trade = random.choice(there.trades)
                head = (head[0], random.choice([trade.buyer, trade.seller]), head[2])
        return c.CashOut(*head, name, random.choice([1_000_000, 500_000, 333_333, 1]), worst)

    def administration(self) -> c.Command:
        """Return an operator's command, or the first of a plan."""
        random, head = self.random, self.operator()
        kind = random.randrange(40)
        if kind < 7:
            asset = random.choice("ABCD") if not self.one_in(30) else "Z"
            amount = random.randint(1, 3_000) if not self.one_in(30) else c.INT_MAX
            return c.Deposit(*head, self.account(), asset, amount)
        if kind < 9:
            return c.Withdraw(
                *head, self.account(), random.choice("ABCD"), random.choice([1, 500, 3_000, 30_000])
            )
        if kind < 12:
            return c.SetAccountState(*head, self.account(), random.choice([1, 1, 1, 2]))
        if kind < 13:
            return c.CancelMarket(*head, random.choice([self.market(), self.book()]))
        if kind < 14:
            low, high = random.choice([0, 2, 200]), random.choice([0, 3, 300])
            target = random.choice(["", self.account()])
            return c.CancelWhere(
                *head, target, random.choice(["", self.market()]), random.choice([0, 1, 2]), low, high
            )
        if kind < 16:
            matching, share = random.choice([1, 2, 2]), random.choice([0, 250_000, 1_000_000])
            return c.SetMarketRules(*head, self.market(), matching, share, random.choice([0, 0, 0, 500_000]))
        if kind < 18:
            rates = random.choice([(-20_000, 33_333), (-30_000, 20_000), (0, 0), (5_000, 50_000)])
            return c.SetFeeTier(*head, self.market(), random.choice([1, 2]), *rates)
        if kind < 21:
            account = self.account()
            unfunded = (account == "sim") != self.one_in(12)
            group = random.choice(["", "", "pg"])
            return c.SetAccountTerms(
                *head, account, unfunded, random.choice([0, 1, 2]), random.randint(1, 5), group
            )
        if kind < 23:
            few = (random.choice([0, 0, 6]), random.choice([0, 0, 900, 5_000]))
            many = (random.choice([0, 0, 4]), random.choice([0, 0, 12, 9_000]))
            if self.one_in(2):
                few, many = (0, 0), (0, 0)
            return c.SetAccountLimits(*head, self.account(), random.choice(["", self.market()]), *few, *many)
        if kind == 23 and self.one_in(6):
            key = c.CreateKey(*head, "k1", 3, ("ann",), b"saltsalt", 4096, bytes(32), bytes(32))
            return key if self.one_in(2) else c.RevokeKey(*head, "k1")
        if kind < 25:
            return c.SetMarketState(*head, self.market(), random.choice([1, 1, 1, 2, 3, 3, 4, 5]))
        return mixed_plans.begin_plan(self, head)

    def limit(self, book: str, side: int, account: str = "") -> c.PlaceOrder:
        """Return a limit order that may rest, at any price."""
        prices = self.naive.books[book].made.model
        price = self.random.choice(((1, 2, 3, 4, 5, 6), BINARY, (200, 250, 280, 300, 340, 400))[prices - 1])
        return c.PlaceOrder(*self.head(account), book, side, 1, 1, False, price, max(1, self.qty(book)), 0)

    def limits_at(self, book: str, side: int) -> Callable[[], c.Command]:
        """Return what makes a trader's limit order when its turn comes."""
        return lambda: self.limit(book, side, self.random.choice(TRADERS))
