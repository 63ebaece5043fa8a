"""Command sequences made from a seed, in a venue so small that every edge is met.

Few prices, few lots, few ids, three traders, two markets that share an asset, fees on, and limits of a
handful. Hypothesis draws the seed; the commands come from ``random.Random`` because drawing each field by
hypothesis met five trades in a thousand commands where this meets hundreds. A step is a command with
placeholders: order ids count back from the last order that rests, and ``valid_until_ns`` counts from now, so
that a sequence keeps its meaning when steps are taken out (`shortest`).
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from bus import commands as c
from bus import events as e
from engine.exchange import Limits

SECOND_NS = 10**9
START_NS = 1_000 * SECOND_NS
LIMITS = Limits(
    events_per_transaction_max=6,
    fills_per_order_max=2,
    ids_per_account_max=12,
    open_orders_per_account_max=6,
    command_validity_ns_max=10 * SECOND_NS,
    links_max=3,
    assets_max=4,
    markets_max=3,
    accounts_max=7,
    keys_max=2,
)
TRADERS = ("ann", "bob", "cat")
MARKETS = ("AB", "CA")
ASSETS = ("A", "B", "C")
FUNDS = {"ann": 9_000, "bob": 2_000, "cat": 700}
PRICE_MAX, QTY_MAX = 6, 8
A_MARKET = (1, 0, 30, PRICE_MAX, QTY_MAX, 10_000, 33_333)
"""Tick 1, lot of 30 atoms, highest price and quantity, fees of 1 % and 3.3333 %."""
BY = (c.OPERATOR, 0)


class Step(NamedTuple):
    """Wait, then send ``command``; or, when it is None, the command sent ``again`` commands before."""

    wait_ns: int
    command: c.Command | None
    again: int = 0


def until(command: c.Command, valid_until_ns: int) -> c.Command:
    """Return the command, valid until then."""
    if isinstance(command, (c.OpenLink, c.StartEngine, c.Continue)):
        return command
    return command._replace(valid_until_ns=valid_until_ns)


def setup_commands() -> list[tuple[int, c.Command]]:
    """Return what makes the small venue: (now_ns, command), a second apart, since few ids are kept."""
    made: list[c.Command] = [c.CreateAsset(f"asset-{name}", *BY, name, 1) for name in ASSETS]
    made.append(c.CreateMarket("market-AB", *BY, "AB", "A", "B", *A_MARKET))
    made.append(c.CreateMarket("market-CA", *BY, "CA", "C", "A", *A_MARKET))
    made += [c.CreateAccount(f"new-{name}", *BY, name) for name in TRADERS]
    for name in TRADERS:
        made += [c.Deposit(f"{name}-{asset}", *BY, name, asset, FUNDS[name]) for asset in ASSETS]
    times = [START_NS - n * SECOND_NS for n in range(len(made), 0, -1)]
    return [(now_ns, until(command, now_ns)) for now_ns, command in zip(times, made, strict=True)]


class Maker:
    """Makes steps from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.ids = self.random.choice([10, 100, 10_000])

    def often(self, usual: Callable[[], int], *rare: int) -> int:
        """Return ``usual()``, but one of ``rare`` one time in fifteen."""
        return self.random.choice(rare) if self.random.randrange(15) == 7 else usual()

    def name(self, usual: tuple[str, ...], *rare: str) -> str:
        """Return one of ``usual``, but one of ``rare`` one time in twenty-five."""
        return self.random.choice(rare if self.random.randrange(25) == 7 else usual)

    def steps(self, count: int) -> list[Step]:
        """Return ``count`` steps."""
        return [self.step() for _ in range(count)]

    def step(self) -> Step:
        """Return a step: mostly orders, a third changes and cancels, a tenth the rest."""
        random = self.random
        wait_ns = random.choice([0] * 6 + [SECOND_NS // 3, SECOND_NS, 3 * SECOND_NS])
        if random.randrange(15) == 7:
            return Step(wait_ns, None, random.randint(1, 8))
        kind = random.randrange(20)
        if kind < 11:
            return Step(wait_ns, self.order())
        if kind < 17:
            return Step(wait_ns, self.change())
        return Step(wait_ns, c.Continue() if kind == 17 else self.administration())

    def head(self) -> tuple[str, str, int]:
        """Return id, account and validity of a trader's command."""
        return f"id{self.random.randrange(self.ids)}", self.account(), self.valid_for_ns()

    def account(self) -> str:
        """Return an account's name."""
        return self.name(TRADERS, c.FEES, c.OPERATOR, "nobody")

    def valid_for_ns(self) -> int:
        """Return a validity, sometimes past or too long."""
        usual = self.random.choice([1, 1, 2, 5, 10]) * SECOND_NS
        return self.often(lambda: usual, -1, 0, 10 * SECOND_NS + 1)

    def market(self) -> str:
        """Return a market's name."""
        return self.name(("AB", "AB", "AB", "CA"), "none")

    def price(self) -> int:
        """Return a limit price."""
        return self.often(lambda: self.random.randint(1, PRICE_MAX), 0, PRICE_MAX + 1)

    def qty(self) -> int:
        """Return a quantity, mostly small so that many orders are met at once."""
        return self.often(lambda: self.random.choice([1, 1, 1, 2, 3, 6, QTY_MAX]), 0, QTY_MAX + 1)

    def order(self) -> c.PlaceOrder:
        """Return an order."""
        choice = self.random.choice
        head, market, side = self.head(), self.market(), choice([1, 2])
        kind = self.random.randrange(20)
        if kind < 14:
            price = self.price()
            if self.random.randrange(3):  # two thirds on the own side of the middle, so that books fill
                price = min(price, PRICE_MAX // 2) if side == 1 else max(price, PRICE_MAX // 2 + 1)
            time_in_force = choice([1] * 10 + [2, 3])
            post_only = time_in_force == 1 and self.random.randrange(4) == 0
            return c.PlaceOrder(*head, market, side, 1, time_in_force, post_only, price, self.qty(), 0)
        if kind < 16:
            return c.PlaceOrder(*head, market, side, 2, choice([2, 3]), False, 0, self.qty(), 0)
        if kind < 19:
            budget = choice([self.random.randint(1, 900), 30 * self.random.randint(1, 20)])
            return c.PlaceOrder(*head, market, 1, 2, 2, False, 0, 0, self.often(lambda: budget, c.INT_MAX))
        odd = (choice([1, 2]), choice([1, 2, 3]), choice([True, False]))
        size = (choice([0, 3]), choice([0, 2]), choice([0, 90]))
        return c.PlaceOrder(*head, market, side, *odd, *size)

    def change(self) -> c.Command:
        """Return a cancel, reduce, replace or mass cancel."""
        head, market = self.head(), self.market()
        kind = self.random.randrange(14)
        if kind == 0:
            return c.CancelAll(*head, self.random.choice(["", market]))
        which = (-self.random.randint(1, 9), "")
        if self.random.randrange(4) == 0:
            which = (0, f"id{self.random.randrange(self.ids)}")
        if self.random.randrange(20) == 0:
            which = self.random.choice([(0, ""), (1, "id1"), (1, "")])
        if kind < 5:
            return c.CancelOrder(*head, market, *which)
        if kind < 8:
            return c.ReduceOrder(*head, market, *which, self.random.choice([0, 1, 1, 2, 2, 4, 7]))
        return c.ReplaceOrder(*head, market, *which, self.price(), self.qty())

    def administration(self) -> c.Command:
        """Return an administrative command; what opens again is likelier than what closes."""
        choice = self.random.choice
        account = self.name((c.OPERATOR,), "ann", "nobody")
        head = (f"id{self.random.randrange(self.ids)}", account, self.valid_for_ns())
        asset = self.name(ASSETS, "none")
        amount = self.often(lambda: self.random.randint(1, 900), c.INT_MAX)
        kind = self.random.randrange(24)
        if kind < 5:
            return c.Deposit(*head, self.account(), asset, amount)
        if kind < 7:
            return c.Withdraw(*head, self.account(), asset, amount)
        if kind < 11:
            return c.SetMarketState(*head, self.market(), choice([1, 1, 1, 1, 2]))
        if kind < 16:
            return c.SetAccountState(*head, self.account(), choice([1, 1, 1, 1, 2]))
        if kind < 18:
            return c.CancelMarket(*head, self.market())
        if kind == 18:
            return c.CreateAsset(*head, choice(["A", "D", "E"]), 0)
        if kind == 19:
            return c.CreateAccount(*head, choice(["ann", "fees", "dan", "eve", "fay"]))
        if kind < 22:
            key = choice(["k1", "k2", "k3"])
            created = c.CreateKey(*head, key, 3, (self.account(),), b"saltsalt", 4096, bytes(32), bytes(32))
            return created if self.random.randrange(3) else c.RevokeKey(*head, key)
        size = (choice([1, 3, 2**60]), choice([0, 0, 1, 2, 3]), choice([30, 7, 2**60]))
        highest = (choice([PRICE_MAX, 2**60]), choice([QTY_MAX, 2**60]))
        other = self.name(ASSETS, "none")
        return c.CreateMarket(*head, choice(["AB", "DD", "EE"]), asset, other, *size, *highest, 0, 500)


class Sequence:
    """Turns steps into commands as it goes: it knows the time, what was sent and which orders rest."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.sent: list[c.Command] = []
        self.known: list[
            tuple[int, str, str]
        ] = []  # open orders: (id, market, owner); also one closed in eight

    def next_command(self, step: Step) -> c.Command:
        """Return the command of a step."""
        self.now_ns += step.wait_ns
        if step.command is None:
            command = self.sent[-step.again] if step.again <= len(self.sent) else c.Continue()
        else:
            valid_for_ns: int = getattr(step.command, "valid_until_ns", 0)
            command = until(step.command, self.now_ns + valid_for_ns)
            if isinstance(command, (c.CancelOrder, c.ReduceOrder, c.ReplaceOrder)) and command.order_id < 0:
                known = -command.order_id <= len(self.known)
                order_id, market, owner = self.known[command.order_id] if known else (10**6, "AB", "ann")
                named = (order_id, market if command.market in MARKETS else command.market)
                command = command._replace(order_id=named[0], market=named[1])
                if command.account in TRADERS and order_id % 10:  # one order in ten: whoever asks
                    command = command._replace(account=owner)
        self.sent.append(command)
        return command

    def saw(self, events: list[e.Event]) -> None:
        """Remember the orders that rest, and one in eight of those that are gone."""
        for event in events:
            if isinstance(event, (e.OrderAccepted, e.OrderRested)) and event.market_seq:
                self.gone(event.order_id)
                self.known.append((event.order_id, event.market, event.account))
            elif isinstance(event, e.OrderCancelled) and event.order_id % 8:
                self.gone(event.order_id)
            elif (
                isinstance(event, e.TradeExecuted) and not event.maker_left_lots and event.maker_order_id % 8
            ):
                self.gone(event.maker_order_id)

    def gone(self, order_id: int) -> None:
        """Forget an order."""
        self.known = [known for known in self.known if known[0] != order_id]


def shortest(steps: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """Return a failing sequence from which no step can be taken out."""
    size = len(steps) // 2
    while size:
        start, before = 0, len(steps)
        while start < len(steps):
            fewer = steps[:start] + steps[start + size :]
            if fails(fewer):
                steps = fewer
            else:
                start += size
        size = size // 2 if size > 1 or len(steps) == before else 1
    return steps
