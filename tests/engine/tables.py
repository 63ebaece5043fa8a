"""Scenarios that a trader can read: a book drawn as a table, a command, what happened, the book after.

A scenario is played line by line, and what comes out must be the scenario itself::

    bids        | asks
    a1 3 @ 4    | b1 2 @ 6
    > c1 buys 3 at 6
    c1 accepted, holds 18 USD
    c1 trades 2 @ 6 with b1
    c1 rests 1 @ 6
    bids        | asks
    c1 1 @ 6    |
    a1 3 @ 4    |
    ? cat
    USD 982 + 6 held, BTC 1002

The first table is also the book to begin with: its rows are placed one after the other. An order's name is
its client_order_id and starts with its owner's letter (ann, bob, cat). The table is drawn from the events
alone and must agree with the exchange's levels, so it also shows that the events tell the whole book.
"""

import re
from collections.abc import Callable
from typing import Any, Protocol

from bus import commands as c
from bus import events as e
from bus.errors import Code
from engine.exchange import Limits
from tests.engine import order_words

NOW_NS = 10**18
OWNERS = {"a": "ann", "b": "bob", "c": "cat", "o": c.OPERATOR}
LIMITS = Limits(events_per_transaction_max=6, fills_per_order_max=3, open_orders_per_account_max=5)
FUNDS = 1_000
HEADER = "bids | asks"


class Venue(Protocol):
    """What a scenario needs of an exchange, the real or the naive one."""

    def execute(self, command: c.Command, now_ns: int) -> list[e.Event]:
        """Execute a command."""
        ...

    def balances(self, account: str) -> dict[str, tuple[int, int]]:
        """Return asset: (available, held)."""
        ...

    def book_levels(self, market: str) -> list[tuple[int, int, int, int]]:
        """Return (side, price, lots, orders) of each level."""
        ...


class Scene:
    """A market BTC-USD of one-atom lots and one-atom ticks, three traders with 1,000 of each, and a book."""

    def __init__(self, venue: Venue, maker_fee_ppm: int = 0, taker_fee_ppm: int = 0) -> None:
        self.venue = venue
        self.now_ns = NOW_NS
        self.count = 0
        self.names: dict[int, str] = {}
        self.queue: list[tuple[int, int, str, int]] = []  # (side, price, name, shown), the oldest first
        self.display: dict[str, int] = {}
        self.terms: dict[str, tuple[bool, int]] = {}
        by = (c.OPERATOR, NOW_NS)
        made = [c.CreateAsset("made-btc", *by, "BTC", 0), c.CreateAsset("made-usd", *by, "USD", 0)]
        names, sizes = ("BTC-USD", "BTC", "USD"), (1, 0, 1, 1_000, 100)
        market = c.CreateMarket("made-market", *by, *names, *sizes, maker_fee_ppm, taker_fee_ppm)
        self.run(*made, market)
        for name in ("ann", "bob", "cat"):
            self.run(c.CreateAccount(f"made-{name}", *by, name))
            for asset in ("BTC", "USD"):
                self.run(c.Deposit(f"{name}-{asset}", *by, name, asset, FUNDS))

    def run(self, *commands: c.Command) -> list[str]:
        """Execute commands; return what happened in words."""
        said = []
        for command in commands:
            for event in self.venue.execute(command, self.now_ns):
                said += self.see(event)
        return said

    # ---- commands in words ----------------------------------------------------------------------

    def obey(self, line: str) -> list[str]:
        """Do what a line says; return what happened in words."""
        return self.run(self.make(line))

    def make(self, line: str) -> c.Command:
        """Return the command that a line says."""
        for pattern, make in SENTENCES:
            if found := re.fullmatch(pattern, line):
                return make(self, found.groupdict())
        raise ValueError(f"no such sentence: {line}")

    def head(self, name: str) -> tuple[str, str, int]:
        """Return a fresh command id, the account and validity."""
        self.count += 1
        return f"command-{self.count}", OWNERS[name[0]], self.now_ns + 10**9

    def place(self, said: dict[str, Any]) -> c.Command:
        """Make an order."""
        how, at = said["how"] or "", said["price"]
        buys, market = said["verb"] == "buys", at == "market"
        budget = int(said["budget"] or 0)
        time_in_force = {"fok": 3, "ioc": 2}.get(how, 2 if market else 1)
        head = (said["name"], OWNERS[said["name"][0]], self.now_ns + 10**9, "BTC-USD", 1 if buys else 2)
        terms = (2 if market else 1, time_in_force, how == "post-only")
        sizes = (0 if market else int(at), int(said["qty"] or 0), budget)
        wanted = order_words.terms_of(said, self.now_ns)
        if said["shows"] or said["min"] or wanted:
            shown = (int(said["shows"] or 0), int(said["min"] or 0))
            return c.PlaceAdvanced(*head, *terms, *sizes, *shown)._replace(**wanted)
        return c.PlaceOrder(*head, *terms, *sizes)

    def cancel(self, said: dict[str, str]) -> c.Command:
        """Make a cancel; who asks may be named."""
        by = said["by"] or said["name"]
        order_id = next((seq for seq, name in self.names.items() if name == said["name"]), 10**9)
        return c.CancelOrder(*self.head(by), "BTC-USD", order_id, "")

    def reduce(self, said: dict[str, str]) -> c.Command:
        """Make a reduce."""
        return c.ReduceOrder(*self.head(said["name"]), "BTC-USD", 0, said["name"], int(said["qty"]))

    def replace(self, said: dict[str, str]) -> c.Command:
        """Make a replace."""
        new = (int(said["price"]), int(said["qty"]))
        return c.ReplaceOrder(*self.head(said["name"]), "BTC-USD", 0, said["name"], *new)

    def account_terms(self, who: str, unfunded: bool | None, tier: int | None) -> c.Command:
        """Set an account's terms, the others as they are."""
        was = self.terms.get(who, (False, 0))
        now = (was[0] if unfunded is None else unfunded, was[1] if tier is None else tier)
        self.terms[who] = now
        return c.SetAccountTerms(*self.head("o"), who, *now, c.Prevention.NONE, "")

    def goes_on(self, later_ms: int) -> c.Command:
        """Let the engine go on, after a while."""
        self.now_ns += later_ms * 10**6
        return c.Continue()

    # ---- events in words ------------------------------------------------------------------------

    def see(self, event: e.Event) -> list[str]:
        """Keep the book by an event, and say it in words."""
        if isinstance(event, e.OrderAccepted):
            self.names[event.order_id] = event.client_order_id
            if event.market_seq:
                self.queue.append((event.side, event.price_ticks, event.client_order_id, event.qty_lots))
            return [f"{event.client_order_id} accepted, holds {event.held_atoms} {held_in(event.side)}"]
        if isinstance(event, e.TradeExecuted):
            maker, taker = self.names[event.maker_order_id], self.names[event.taker_order_id]
            self.traded(maker, event.qty_lots, event.maker_left_lots)
            fees = (event.maker_fee_atoms, event.taker_fee_atoms)
            said = f"{taker} trades {event.qty_lots} @ {event.price_ticks} with {maker}"
            said += f", {event.refund_atoms} USD back" if event.refund_atoms else ""
            return [said + (f", fees: maker {fees[0]}, taker {fees[1]}" if any(fees) else "")]
        if isinstance(event, e.OrderRested):
            name = self.names[event.order_id]
            shown = min(self.display.get(name, event.left_lots), event.left_lots)
            self.queue.append((event.side, event.price_ticks, name, shown))
            return [f"{name} rests {event.left_lots} @ {event.price_ticks}"]
        if isinstance(event, e.OrderCancelled):
            self.left(event.client_order_id, 0)
            back = f", {event.released_atoms} {held_in(event.side)} back" if event.released_atoms else ""
            reason = e.CancelReason(event.reason).name
            return [f"{event.client_order_id} cancelled, {event.left_lots} left: {reason}{back}"]
        if isinstance(event, (e.OrderReduced, e.OrderReplaced)):
            return [self.see_change(event)]
        if isinstance(event, e.OrderTermsSet):
            return self.see_terms(event)
        if isinstance(event, e.AuctionTraded):
            return [self.see_auction(event)]
        words = order_words.in_words(event, self.names)
        return words if words is not None else [other_in_words(event)]

    def see_terms(self, event: e.OrderTermsSet) -> list[str]:
        """Keep what an order shows."""
        name = self.names[event.order_id]
        if event.display_lots:
            self.display[name] = event.display_lots
            self.left(name, event.display_lots)
        return order_words.in_words(event, self.names) or []

    def see_auction(self, event: e.AuctionTraded) -> str:
        """Keep the book by a trade of an uncross, and say it in words."""
        buy, sell = self.names[event.buy_order_id], self.names[event.sell_order_id]
        for name, left in ((buy, event.buy_left_lots), (sell, event.sell_left_lots)):
            self.left(name, min(self.display.get(name, left), left))
        back, fees = event.buy_refund_atoms, (event.buy_fee_atoms, event.sell_fee_atoms)
        said = f"{buy} buys {event.qty_lots} @ {event.price_ticks} from {sell}"
        said += f", {back} USD back" if back else ""
        return said + (f", fees: buyer {fees[0]}, seller {fees[1]}" if any(fees) else "")

    def see_change(self, event: e.OrderReduced | e.OrderReplaced) -> str:
        """Keep the book by a reduce or replace, and say it in words."""
        name = self.names[event.order_id]
        if isinstance(event, e.OrderReduced):
            self.left(name, min(self.shown(name), event.left_lots))
            back = f"{event.released_atoms} {held_in(event.side)} back"
            return f"{name} reduced to {event.qty_lots}, {event.left_lots} left, {back}"
        self.left(name, 0)
        change = f"{event.held_change_atoms:+} {held_in(event.side)} held"
        return f"{name} replaced by {event.qty_lots} @ {event.price_ticks}, {event.left_lots} left, {change}"

    def shown(self, name: str) -> int:
        """Return what the book shows of an order."""
        return next((shown for _, _, n, shown in self.queue if n == name), 0)

    def traded(self, name: str, lots: int, left: int) -> None:
        """Take traded lots off a maker; an iceberg then shows its next part, at the back."""
        shown = self.shown(name) - lots
        if shown > 0 or name not in self.display:
            self.left(name, min(left, max(shown, 0)))
            return
        place = next((order for order in self.queue if order[2] == name), None)
        self.left(name, 0)
        if left and place is not None:
            self.queue.append((*place[:3], min(self.display[name], left)))

    def left(self, name: str, lots: int) -> None:
        """Set what the book shows of an order; at 0 it is gone."""
        self.queue = [(s, p, n, lots if n == name else was) for s, p, n, was in self.queue]
        self.queue = [order for order in self.queue if order[3]]

    # ---- tables ---------------------------------------------------------------------------------

    def table(self) -> list[str]:
        """Draw the book, the best prices first, at a price the oldest first."""
        bids = sorted((o for o in self.queue if o[0] == c.Side.BUY), key=lambda o: -o[1])
        asks = sorted((o for o in self.queue if o[0] == c.Side.SELL), key=lambda o: o[1])
        levels: dict[tuple[int, int], tuple[int, int]] = {}
        for side, price, _, left in bids + asks:
            lots, orders = levels.get((side, price), (0, 0))
            levels[side, price] = (lots + left, orders + 1)
        shown = [(*level, *counts) for level, counts in levels.items()]
        assert shown == self.venue.book_levels("BTC-USD"), "the events and the exchange's book differ"
        cells = [[f"{name} {left} @ {price}" for _, price, name, left in orders] for orders in (bids, asks)]
        rows = max(map(len, cells))
        left_cells, right_cells = ([*column, *[""] * (rows - len(column))] for column in cells)
        return [HEADER, *(f"{b} | {a}".strip() for b, a in zip(left_cells, right_cells, strict=True))]

    def fill(self, rows: list[str]) -> None:
        """Place the rows of the first table, one after the other."""
        for row in rows:
            for cell, verb in zip(row.split("|"), ("buys", "sells"), strict=True):
                if found := re.fullmatch(r"(?P<name>\w+) (?P<qty>\d+) @ (?P<price>\d+)", cell.strip()):
                    self.obey(f"{found['name']} {verb} {found['qty']} at {found['price']}")
                    assert self.queue[-1][2] == found["name"], f"expected {cell} to rest"

    def funds(self, account: str) -> str:
        """Say what an account has."""
        have = self.venue.balances(account)
        words = []
        for asset in ("USD", "BTC"):
            available, held = have.get(asset, (0, 0))
            words.append(f"{asset} {available}" + (f" + {held} held" if held else ""))
        return ", ".join(words)


def held_in(side: int) -> str:
    """Return the asset that an order of a side holds."""
    return "USD" if side == c.Side.BUY else "BTC"


def other_in_words(event: e.Event) -> str:
    """Say an event that is not an order's."""
    if isinstance(event, e.CommandRejected):
        return f"rejected: {Code(event.code).name}"
    if isinstance(event, e.CommandRepeated):
        answer = "accepted" if event.code == 0 else Code(event.code).name
        return f"answered before: {answer}, {event.filled_lots} filled, {event.left_lots} left"
    if isinstance(event, e.MassCancelStarted):
        return f"mass cancel begins: {e.CancelReason(event.reason).name}"
    if isinstance(event, e.MassCancelDone):
        return f"mass cancel done: {event.orders} orders"
    if isinstance(event, e.MarketStateChanged):
        return f"market {c.MarketState(event.state).name}"
    if isinstance(event, e.AccountStateChanged):
        return f"{event.account} {c.AccountState(event.state).name}"
    if isinstance(event, (e.Deposited, e.Withdrawn)):
        return f"{event.account} {type(event).__name__.lower()} {event.amount_atoms} {event.asset}"
    if isinstance(event, (e.AuctionIndicated, e.AuctionDone)):
        return auction_in_words(event)
    if isinstance(event, (e.MarketRulesSet, e.FeeTierSet, e.AccountTermsSet, e.AccountLimitsSet)):
        return "done"
    return type(event).__name__


def auction_in_words(event: e.AuctionIndicated | e.AuctionDone) -> str:
    """Say what an uncross would do, or has done."""
    if isinstance(event, e.AuctionDone):
        return f"auction done: {event.lots} @ {event.price_ticks}" if event.lots else "auction done: nothing"
    rest = event.imbalance_lots
    more = f", {abs(rest)} more to {'buy' if rest > 0 else 'sell'}" if rest else ""
    return f"auction would trade {event.lots} @ {event.price_ticks}{more}" if event.lots else "no auction"


def limits_in_words(scene: Scene, said: dict[str, str]) -> c.Command:
    """Make an account's limits of words such as "5 lots, 20 atoms, 2 orders, position 9"."""
    found = {
        unit: int(count) for count, unit in re.findall(r"(\d+) (lots|atoms|orders|position)", said["what"])
    }
    sizes = (found.get(unit, 0) for unit in ("lots", "atoms", "orders", "position"))
    return c.SetAccountLimits(*scene.head("o"), said["who"], "BTC-USD", *sizes)


def rules_in_words(scene: Scene, said: dict[str, str]) -> c.Command:
    """Make a market's rules of words."""
    pro_rata = 2 if said["first"] is not None else 1
    return c.SetMarketRules(
        *scene.head("o"),
        "BTC-USD",
        pro_rata,
        int(said["first"] or 0) * 10_000,
        int(said["band"] or 0) * 10_000,
    )


Make = Callable[[Scene, dict[str, Any]], c.Command]
_ORDER = r"(?P<name>\w\d+) (?P<verb>buys|sells) (?:(?P<qty>\d+)|for (?P<budget>\d+) USD)"
SENTENCES: list[tuple[str, Make]] = [
    (
        _ORDER + r" at (?P<price>\d+|market)(?: (?P<how>fok|ioc|post-only))?"
        r"(?: showing (?P<shows>\d+))?(?: at least (?P<min>\d+))?" + order_words.TERMS,
        Scene.place,
    ),
    (r"(?P<name>\w\d+) cancelled(?: by (?P<by>\w+))?", Scene.cancel),
    (r"(?P<name>\w\d+) reduced to (?P<qty>\d+)", Scene.reduce),
    (r"(?P<name>\w\d+) replaced by (?P<qty>\d+) at (?P<price>\d+)", Scene.replace),
    (r"(?P<who>\w+) cancels all", lambda s, said: c.CancelAll(*s.head(said["who"]), "")),
    (r"operator cancels market", lambda s, _: c.CancelMarket(*s.head("o"), "BTC-USD")),
    (r"operator halts market", lambda s, _: c.SetMarketState(*s.head("o"), "BTC-USD", 2)),
    (r"operator opens market", lambda s, _: c.SetMarketState(*s.head("o"), "BTC-USD", 1)),
    (
        r"operator sets market (?P<state>[A-Z_]+)",
        lambda s, said: c.SetMarketState(*s.head("o"), "BTC-USD", c.MarketState[said["state"]]),
    ),
    (r"operator sets PRO_RATA, (?P<first>\d+)% first(?P<band>)", rules_in_words),
    (r"operator sets a band of (?P<band>\d+)%(?P<first>xx)?", rules_in_words),
    (r"operator limits (?P<who>\w+): (?P<what>.+)", limits_in_words),
    (
        r"operator sets tier (?P<tier>\d): maker (?P<maker>-?\d+)%, taker (?P<taker>\d+)%",
        lambda s, said: c.SetFeeTier(
            *s.head("o"), "BTC-USD", int(said["tier"]), *(int(said[k]) * 10_000 for k in ("maker", "taker"))
        ),
    ),
    (
        r"operator puts (?P<who>\w+) in tier (?P<tier>\d)",
        lambda s, said: s.account_terms(said["who"], None, int(said["tier"])),
    ),
    (r"operator unfunds (?P<who>\w+)", lambda s, said: s.account_terms(said["who"], True, None)),
    (r"operator funds (?P<who>\w+)", lambda s, said: s.account_terms(said["who"], False, None)),
    (r"operator blocks (?P<who>\w+)", lambda s, said: c.SetAccountState(*s.head("o"), said["who"], 2)),
    (r"operator activates (?P<who>\w+)", lambda s, said: c.SetAccountState(*s.head("o"), said["who"], 1)),
    (
        r"(?P<who>\w+) withdraws (?P<amount>\d+) (?P<asset>\w+)",
        lambda s, said: c.Withdraw(*s.head("o"), said["who"], said["asset"], int(said["amount"])),
    ),
    (r"the engine goes on", lambda s, _: s.goes_on(0)),
    (r"(?P<ms>\d+) ms later the engine goes on", lambda s, said: s.goes_on(int(said["ms"]))),
    *order_words.SENTENCES,
]


def tidy(line: str) -> str:
    """Return a line without indentation and doubled spaces."""
    return re.sub(r"\s+", " ", line).strip()


def play(scene: Scene, text: str) -> tuple[list[str], list[str]]:
    """Play a scenario; return its lines, and the lines that came out."""
    lines = [tidy(line) for line in text.strip().splitlines() if line.strip()]
    first_command = next(n for n, line in enumerate(lines) if line[0] in ">?")
    scene.fill(lines[1:first_command])
    out = lines[:first_command]
    for line in lines[first_command:]:
        if line == HEADER:
            out += scene.table()
        elif line.startswith("> "):
            out += [line, *scene.obey(line[2:])]
        elif line.startswith("? "):
            out += [line, scene.funds(line[2:])]
    return lines, out
