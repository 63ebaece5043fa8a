"""Scenarios of odds markets that a trader can read: the books of all runners, a command, what became of it.

A scenario is played line by line, and what comes out must be the scenario itself::

    A lays       | backs
                 | b1 10 @ 3.00
    B lays       | backs
    a1 20 @ 1.40 |
    > c1 lays A 4 at 3.1
    c1 accepted, holds 8.40
    c1 trades 4 @ 3.00 on A with b1, 0.40 back
    A lays       | backs
                 | b1 6 @ 3.00
    B lays       | backs
    a1 20 @ 1.40 |
    ? results
    bob: A 8.00, B -4.00
    cat: A -8.00, B 4.00
    ? cat
    992.00 + 8.00 held

Stakes are whole lots of 1.00, odds decimal, money has two digits. The first tables are also the books to
begin with: their rows are placed one after the other, lays before backs. An order's name is its
client_order_id and starts with its owner's letter (ann, bob, cat, dan, house). Tables and results are drawn
from the events alone and must agree with the exchange's books and positions. BACK is the side of sellers.
A market without runners is binary: its one book has ``buys | sells``, a price of 1 is a payout of 100.00.
"""

import re
from collections.abc import Callable
from typing import Any

from bus import commands as c
from bus import events as e
from bus.errors import Code
from engine.exchange import Exchange, Limits

NOW_NS = 10**18
OWNERS = {"a": "ann", "b": "bob", "c": "cat", "d": "dan", "h": "house", "o": c.OPERATOR}
LIMITS = Limits(events_per_transaction_max=40, fills_per_order_max=6)
FUNDS = 100_000
HEADER = re.compile(r"([A-Z]) lays \| backs|buys \| sells")


class Resting:
    """An order in the books that the events tell of."""

    def __init__(self, name: str, runner: str, side: int, odds: int, left: int, display: int) -> None:
        self.name = name
        self.runner = runner
        self.side = side
        self.odds = odds
        self.left = left
        self.display = display
        self.shown = min(display, left) if display else left


class Scene:
    """An odds market "race" of lots of 100 atoms, four traders and a house with 1,000.00 each, its books."""

    def __init__(
        self,
        runners: str,
        house: bool,
        match_loss_max: int = 0,
        house_loss_max: int = 0,
        commission_ppm: int = 0,
        removal_rule: c.RemovalRule = c.RemovalRule.CANCEL_LAYS,
        limits: Limits = LIMITS,
        funds: int = FUNDS,
    ) -> None:
        self.venue = Exchange(limits)
        self.now_ns = NOW_NS
        self.count = self.cash_outs = 0
        self.runners = runners
        self.scale = 1 if runners else 100  # A binary market has ticks of a hundredth of a cent.
        self.names: dict[int, str] = {0: "house"}
        self.markets: dict[str, str] = {}
        self.display: dict[str, int] = {}
        self.books: list[Resting] = []
        self.results: dict[str, dict[str, int]] = {}
        by = (c.OPERATOR, NOW_NS)
        self.run(c.CreateAsset("made-asset", *by, "USD", 2))
        for name in ("ann", "bob", "cat", "dan", "house"):
            self.run(c.CreateAccount(f"made-{name}", *by, name))
            self.run(c.Deposit(f"{name}-funds", *by, name, "USD", funds))
        taker = "house" if house else ""
        model, lot_atoms = (c.MarketModel.ODDS, 100) if runners else (c.MarketModel.BINARY, 10_000)
        race = c.CreateOutcomeMarket(
            "made-race", *by, "race", model, "USD", tuple(runners), lot_atoms, 10_000, commission_ppm,
            removal_rule, taker, match_loss_max, house_loss_max,
        )  # fmt: skip
        said = self.run(race)
        assert not any("rejected" in line for line in said), said

    def run(self, *commands: c.Command) -> list[str]:
        """Execute commands; return what happened in words."""
        said = []
        for command in commands:
            for event in self.venue.execute(command, self.now_ns):
                said += self.see(event)
        self.venue._check()
        return said

    # ---- commands in words ----------------------------------------------------------------------

    def obey(self, line: str) -> list[str]:
        """Do what a line says; return what happened in words."""
        for pattern, make in SENTENCES:
            if found := re.fullmatch(pattern, line):
                command = make(self, found.groupdict())
                return self.run(command) if command is not None else []
        raise ValueError(f"no such sentence: {line}")

    def head(self, name: str) -> tuple[str, str, int]:
        """Return a fresh command id, the account and validity."""
        self.count += 1
        return f"command-{self.count}", OWNERS[name[0]], self.now_ns + 10**9

    def place(self, said: dict[str, str]) -> c.Command:
        """Make an order."""
        how, at = said["how"] or "", said["odds"]
        words = dict(zip(how.split()[::2], how.split()[1::2], strict=False))
        market = at == "market"
        time_in_force = 3 if "fok" in how else 2 if "ioc" in how or market else 1
        side = c.Side.BUY if said["verb"] in ("lays", "buys") else c.Side.SELL
        book = self.book(said["runner"] or "")
        head = (said["name"], OWNERS[said["name"][0]], self.now_ns + 10**9, book, side)
        terms = (2 if market else 1, time_in_force, "post-only" in how)
        sizes = (0 if market else ticks(at) * self.scale, int(said["qty"]), 0)
        if not words.keys() & {"showing", "min", "prevent"} and "persisting" not in how and "stop" not in how:
            return c.PlaceOrder(*head, *terms, *sizes)
        prevention = c.Prevention[words["prevent"]] if "prevent" in words else 0
        display, least = int(words.get("showing", 0)), int(words.get("min", 0))
        self.display[said["name"]] = display
        stop = (1, ticks(words["stop"]) * self.scale) if "stop" in words else (0, 0)
        persists = "persisting" in how
        order = c.PlaceAdvanced(*head, *terms, *sizes, display, least, *stop, prevention=prevention)
        return order._replace(persists=persists)

    def book(self, runner: str) -> str:
        """Return the name of a runner's book, or of a binary market's."""
        return f"race:{runner}" if self.runners else "race"

    def price(self, price_ticks: int) -> str:
        """Return a price in words."""
        return odds(price_ticks // self.scale)

    def cancel(self, said: dict[str, str]) -> c.Command:
        """Make a cancel."""
        return c.CancelOrder(*self.head(said["name"]), self.markets[said["name"]], 0, said["name"])

    def replace(self, said: dict[str, str]) -> c.Command:
        """Make a replace."""
        new = (ticks(said["odds"]) * self.scale, int(said["qty"]))
        return c.ReplaceOrder(*self.head(said["name"]), self.markets[said["name"]], 0, said["name"], *new)

    def cash_out(self, said: dict[str, str]) -> c.Command:
        """Make a cash out; without a worst result, any."""
        worst = atoms(said["worst"]) if said["worst"] else -(10**9)
        self.cash_outs += 1
        head = (f"out{self.cash_outs}", *self.head(said["who"])[1:])
        return c.CashOut(*head, "race", int(said["percent"]) * 10_000, worst)

    def go_by(self, said: dict[str, str]) -> None:
        """Let time go by without the engine noticing."""
        self.now_ns += int(said["ms"]) * 10**6

    def later(self, said: dict[str, str]) -> c.Command:
        """Let time go by."""
        self.now_ns += int(said["ms"]) * 10**6
        return c.Continue()

    # ---- events in words ------------------------------------------------------------------------

    def see(self, event: e.Event) -> list[str]:
        """Keep the books by an event, and say it in words."""
        if isinstance(event, e.OrderAccepted):
            name = self.names[event.order_id] = event.client_order_id
            self.markets[name] = event.market
            if event.market_seq:
                self.rest(name, event.market, event.side, event.price_ticks, event.qty_lots)
            return [f"{name} accepted, holds {money(event.held_atoms)}"]
        if isinstance(event, e.TradeExecuted):
            return [self.see_trade(event)]
        if isinstance(event, e.OrderRested):
            name = self.names[event.order_id]
            self.rest(name, event.market, event.side, event.price_ticks, event.left_lots)
            return [f"{name} rests {event.left_lots} @ {self.price(event.price_ticks)}"]
        if isinstance(event, e.OrderCancelled):
            self.left(event.client_order_id, 0)
            reason = e.CancelReason(event.reason).name
            said = f"{event.client_order_id} cancelled, {event.left_lots} left, {event.filled_lots} filled"
            return [f"{said}: {reason}{back(event.released_atoms)}"]
        if isinstance(event, e.OrderReduced):
            name = self.names[event.order_id]
            self.left(name, event.left_lots)
            said = f"{name} reduced to {event.qty_lots}, {event.left_lots} left"
            return [said + back(event.released_atoms)]
        if isinstance(event, e.OrderReplaced):
            name = self.names[event.order_id]
            self.left(name, 0)
            change = money(event.held_change_atoms)
            return [
                f"{name} replaced by {event.qty_lots} @ {self.price(event.price_ticks)}, holds {change} more"
            ]
        if isinstance(event, e.OrderTermsSet):
            waits = e.Waits(event.waits)
            return [f"{self.names[event.order_id]} waits: {waits.name}"] if waits else []
        if isinstance(event, e.OrderTriggered):
            return [f"{self.names[event.order_id]} goes to the book"]
        if isinstance(event, e.AuctionTraded):
            return [self.see_auction(event)]
        if isinstance(event, (e.AuctionDone, e.AuctionIndicated)):
            what = f"{event.lots} @ {self.price(event.price_ticks)}" if event.lots else "nothing"
            verb = "done" if isinstance(event, e.AuctionDone) else "would trade"
            return [f"auction of {event.market.removeprefix('race:')} {verb}: {what}"]
        if isinstance(event, e.RunnerAdded):
            self.runners += event.runner
            return [f"{event.runner} added"]
        return other_in_words(event)

    def see_trade(self, event: e.TradeExecuted) -> str:
        """Keep books and results by a trade, and say it in words."""
        runner = event.market.removeprefix("race:")
        maker, taker = self.names[event.maker_order_id], self.names[event.taker_order_id]
        if event.maker_order_id:
            self.left(maker, event.maker_left_lots, event.qty_lots)
        backs = event.maker_account if event.taker_side == c.Side.LAY else event.taker_account
        lays = event.taker_account if event.taker_side == c.Side.LAY else event.maker_account
        self.book_bet(runner, backs, lays, event.qty_lots, event.price_ticks)
        kind = e.TradeKind(event.kind)
        said = f"{taker} trades {event.qty_lots} @ {self.price(event.price_ticks)}"
        said += f" on {runner} with {maker}" if self.runners else f" with {maker}"
        said += f" ({kind.name.lower()})" if kind else ""
        said += back(event.refund_atoms)
        released = event.maker_released_atoms
        return said + (f", {money(released)} back for {maker}" if released else "")

    def see_auction(self, event: e.AuctionTraded) -> str:
        """Keep books and results by a trade of an uncross, and say it in words."""
        runner = event.market.removeprefix("race:")
        buy, sell = self.names[event.buy_order_id], self.names[event.sell_order_id]
        self.left(buy, event.buy_left_lots)
        self.left(sell, event.sell_left_lots)
        self.book_bet(runner, event.sell_account, event.buy_account, event.qty_lots, event.price_ticks)
        said = f"{buy} and {sell} trade {event.qty_lots} @ {self.price(event.price_ticks)}"
        said += f", {money(event.buy_refund_atoms)} back for {buy}" if event.buy_refund_atoms else ""
        return said + (
            f", {money(event.sell_released_atoms)} back for {sell}" if event.sell_released_atoms else ""
        )

    def book_bet(self, runner: str, backs: str, lays: str, lots: int, price_ticks: int) -> None:
        """Keep results by a trade."""
        for who, sign in ((backs, 1), (lays, -1)):
            results = self.results.setdefault(who, dict.fromkeys(self.runners, 0))
            for outcome in self.runners:
                wins = outcome == runner
                results[outcome] += sign * lots * (price_ticks - 100 if wins else -100)
            if not self.runners:  # The buyer of YES is who lays above.
                for outcome, price in (("YES", 10_000 - price_ticks), ("NO", -price_ticks)):
                    results[outcome] = results.get(outcome, 0) - sign * lots * price

    def rest(self, name: str, market: str, side: int, price_ticks: int, lots: int) -> None:
        """Put an order at the back of its level."""
        runner = market.removeprefix("race:")
        self.books.append(Resting(name, runner, side, price_ticks, lots, self.display.get(name, 0)))

    def left(self, name: str, left: int, traded: int = 0) -> None:
        """Set what an order has left; at 0 it is gone. An iceberg with nothing shown goes to the back."""
        for order in [order for order in self.books if order.name == name]:
            order.left = left
            order.shown = min(order.shown - traded, left)
            if not order.shown:
                self.books.remove(order)
                if left:
                    order.shown = min(order.display, left)
                    self.books.append(order)

    # ---- tables ---------------------------------------------------------------------------------

    def table(self, runner: str) -> list[str]:
        """Draw a runner's book, the best odds first, at the same odds the oldest first."""
        own = [order for order in self.books if not self.runners or order.runner == runner]
        lays = sorted((o for o in own if o.side == c.Side.LAY), key=lambda o: -o.odds)
        backs = sorted((o for o in own if o.side == c.Side.BACK), key=lambda o: o.odds)
        levels: dict[tuple[int, int], tuple[int, int]] = {}
        for order in lays + backs:
            lots, orders = levels.get((order.side, order.odds), (0, 0))
            levels[order.side, order.odds] = (lots + order.shown, orders + 1)
        shown = [(*level, *counts) for level, counts in levels.items()]
        assert shown == self.venue.book_levels(self.book(runner)), "the events and the exchange's book differ"
        cells = [[f"{o.name} {o.left} @ {self.price(o.odds)}" for o in orders] for orders in (lays, backs)]
        rows = max(map(len, cells))
        left_cells, right_cells = ([*column, *[""] * (rows - len(column))] for column in cells)
        return [f"{a} | {b}".strip() for a, b in zip(left_cells, right_cells, strict=True)]

    def fill(self, rows: list[str]) -> None:
        """Place the rows of the first tables, one after the other."""
        runner = ""
        for row in rows:
            if found := HEADER.fullmatch(row):
                runner = found[1]
                continue
            verbs = ("lays", "backs") if self.runners else ("buys", "sells")
            for cell, verb in zip(row.split("|"), verbs, strict=True):
                if found := re.fullmatch(r"(?P<name>\w+) (?P<qty>\d+) @ (?P<odds>[\d.]+)", cell.strip()):
                    on = f"{runner} " if self.runners else ""
                    self.obey(f"{found['name']} {verb} {on}{found['qty']} at {found['odds']}")
                    assert self.books and self.books[-1].name == found["name"], f"expected {cell} to rest"

    def ask(self, what: str) -> list[str]:
        """Say what an account has, all results by the trades, or all positions that the market keeps."""
        if what == "positions":
            return self.positions()
        if what != "results":
            available, held = self.venue.balances(what)["USD"]
            return [money(available) + (f" + {money(held)} held" if held else "")]
        for who, results in self.results.items():
            position = self.venue.state.accounts[who].positions["race"]
            assert position.results() == list(results.values()), f"the events and {who}'s position differ"
        lines = []
        for who in sorted(who for who, results in self.results.items() if any(results.values())):
            results = self.results[who]
            lines.append(f"{who}: " + ", ".join(f"{k} {money(result)}" for k, result in results.items()))
        return lines

    def positions(self) -> list[str]:
        """Draw what each account gets in each outcome, and what it holds for it."""
        market = self.venue.state.outcome_markets["race"]
        lines = [" | ".join(["", *(market.runners[k] for k in market.live), "holds"]).strip()]
        for position in market.positions:
            results = position.results()
            short = position.need_atoms - position.held_atoms
            holds = money(position.held_atoms) + (f", short of {money(short)}" if short else "")
            cells = [position.account.name, *(money(results[k]) for k in market.live), holds]
            lines.append(" | ".join(cells))
        return lines


def ticks(text: str) -> int:
    """Return odds in ticks."""
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def atoms(text: str) -> int:
    """Return an amount of money in atoms."""
    sign = -1 if text.startswith("-") else 1
    return sign * ticks(text.removeprefix("-"))


def odds(price_ticks: int) -> str:
    """Return odds in words."""
    return f"{price_ticks // 100}.{price_ticks % 100:02}"


def money(amount: int) -> str:
    """Return an amount in words."""
    return ("-" if amount < 0 else "") + odds(abs(amount))


def back(released: int) -> str:
    """Say what became available again, if anything."""
    return f", {money(released)} back" if released else ""


def other_in_words(event: e.Event) -> list[str]:
    """Say an event that is not an order's."""
    if isinstance(event, e.CommandRejected):
        return [f"rejected: {Code(event.code).name}"]
    if isinstance(event, e.SelfTradePrevented):
        return [f"prevented: {c.Prevention(event.mode).name}, {event.lots} lots"]
    if isinstance(event, e.MarketRulesSet):
        return ["done"]
    if isinstance(event, e.BestOffered):
        side = "lay" if event.side == c.Side.LAY else "back"
        runner = event.market.removeprefix("race:")
        best = f"{event.lots} @ {odds(event.price_ticks)}" if event.lots else "nothing"
        return [f"offered as {side} of {runner}: {best} ({e.TradeKind(event.kind).name.lower()})"]
    if isinstance(event, e.CashedOut):
        before, after = (" / ".join(map(money, r)) for r in (event.before_atoms, event.after_atoms))
        return [f"{event.account} cashed out: {before} is now {after}"]
    if isinstance(event, e.MarketStateChanged):
        return [f"market {c.MarketState(event.state).name}"]
    if isinstance(event, e.ExposureChanged):
        short = f", short of {money(event.shortfall_atoms)}" if event.shortfall_atoms else ""
        return [f"{event.account} holds {money(event.held_change_atoms)} more{short}"]
    if isinstance(event, e.PositionSettled):
        taken = f" less {money(event.commission_atoms)}" if event.commission_atoms else ""
        return [f"{event.account} has {money(event.released_atoms)} back and {money(event.net_atoms)}{taken}"]
    if isinstance(event, e.MarketSettled):
        left = f", {money(event.dust_atoms)} left over" if event.dust_atoms else ""
        return [f"settled for {', '.join(event.winners) or 'none'}: {event.accounts} accounts{left}"]
    if isinstance(event, e.RunnerRemoved):
        return [f"{event.runner} removed, reduction {event.reduction_ppm / 10_000:g}%"]
    if isinstance(event, e.TradesVoided):
        return [f"{event.trades} trades void"]
    if isinstance(event, e.InPlayTurned):
        return [f"in-play, bet delay {event.bet_delay_ns // 10**6} ms"]
    if isinstance(event, e.MassCancelStarted):
        return [f"mass cancel begins: {e.CancelReason(event.reason).name}"]
    if isinstance(event, e.MassCancelDone):
        return [f"mass cancel done: {event.orders} orders"]
    return [type(event).__name__]


Make = Callable[[Scene, dict[str, Any]], c.Command | None]
_ORDER = (
    r"(?P<name>\w\d+) (?P<verb>backs|lays|buys|sells) (?:(?P<runner>[A-Z]) )?(?P<qty>\d+)"
    r" at (?P<odds>[\d.]+|market)"
)
SENTENCES: list[tuple[str, Make]] = [
    (_ORDER + r"(?: (?P<how>[\w. -]+))?", Scene.place),
    (r"(?P<name>\w\d+) cancelled", Scene.cancel),
    (r"(?P<name>\w\d+) replaced by (?P<qty>\d+) at (?P<odds>[\d.]+)", Scene.replace),
    (r"(?P<who>\w+) cashes out (?P<percent>\d+)%(?:, at worst (?P<worst>[\d.-]+))?", Scene.cash_out),
    (r"operator opens market", lambda s, _: c.SetMarketState(*s.head("o"), "race", c.MarketState.OPEN)),
    (r"operator halts market", lambda s, _: c.SetMarketState(*s.head("o"), "race", c.MarketState.HALTED)),
    (r"operator gathers", lambda s, _: c.SetMarketState(*s.head("o"), "race", c.MarketState.PRE_OPEN)),
    (
        r"(?P<who>\w+) withdraws (?P<amount>[\d.]+)",
        lambda s, said: c.Withdraw(*s.head("o"), said["who"], "USD", atoms(said["amount"])),
    ),
    (
        r"(?P<who>\w+) gets (?P<amount>[\d.]+)",
        lambda s, said: c.Deposit(*s.head("o"), said["who"], "USD", atoms(said["amount"])),
    ),
    (r"operator blocks (?P<who>\w+)", lambda s, said: c.SetAccountState(*s.head("o"), said["who"], 2)),
    (r"operator activates (?P<who>\w+)", lambda s, said: c.SetAccountState(*s.head("o"), said["who"], 1)),
    (
        r"(?P<who>\w+) prevents (?P<mode>\w+)",
        lambda s, said: c.SetAccountTerms(
            *s.head("o"), said["who"], False, 0, c.Prevention[said["mode"]], ""
        ),
    ),
    (
        r"operator removes (?P<runner>[A-Z])",
        lambda s, said: c.RemoveRunner(*s.head("o"), "race", said["runner"], 0),
    ),
    (
        r"operator removes (?P<runner>[A-Z]) with (?P<percent>\d+)%",
        lambda s, said: c.RemoveRunner(*s.head("o"), "race", said["runner"], int(said["percent"]) * 10_000),
    ),
    (
        r"operator adds (?P<runner>[A-Z])",
        lambda s, said: c.AddRunner(*s.head("o"), "race", said["runner"]),
    ),
    (
        r"operator settles for (?P<winners>\w+(?: and \w+)*)",
        lambda s, said: c.SettleMarket(*s.head("o"), "race", tuple(said["winners"].split(" and "))),
    ),
    (r"operator settles for no one", lambda s, _: c.SettleMarket(*s.head("o"), "race", ())),
    (r"operator voids", lambda s, _: c.VoidMarket(*s.head("o"), "race")),
    (
        r"operator voids trades from (?P<first>\d+) ms to before (?P<last>\d+) ms",
        lambda s, said: c.VoidTrades(
            *s.head("o"), "race", *(NOW_NS + int(said[k]) * 10**6 for k in ("first", "last"))
        ),
    ),
    (
        r"operator turns in-play, (?P<ms>\d+) ms",
        lambda s, said: c.TurnInPlay(*s.head("o"), "race", int(said["ms"]) * 10**6),
    ),
    (
        r"operator sets market (?P<state>[A-Z_]+)",
        lambda s, said: c.SetMarketState(*s.head("o"), "race", c.MarketState[said["state"]]),
    ),
    (
        r"(?P<who>\w+) deposits (?P<amount>[\d.]+)",
        lambda s, said: c.Deposit(*s.head("o"), said["who"], "USD", atoms(said["amount"])),
    ),
    (
        r"operator unfunds (?P<who>\w+)",
        lambda s, said: c.SetAccountTerms(*s.head("o"), said["who"], True, 0, c.Prevention.NONE, ""),
    ),
    (r"the engine goes on", lambda _s, _said: c.Continue()),
    (
        r"operator sets PRO_RATA",
        lambda s, _: c.SetMarketRules(*s.head("o"), "race", c.MatchingRule.PRO_RATA, 0, 0),
    ),
    (r"(?P<ms>\d+) ms later", Scene.later),
    (r"(?P<ms>\d+) ms go by", Scene.go_by),
]


def tidy(line: str) -> str:
    """Return a line without indentation and doubled spaces."""
    return re.sub(r"\s+", " ", line).strip()


def play(scene: Scene, text: str) -> tuple[list[str], list[str]]:
    """Play a scenario; return its lines, and the lines that came out."""
    lines = [tidy(line) for line in text.strip().splitlines() if line.strip()]
    first_command = next(n for n, line in enumerate(lines) if line[0] in ">?")
    scene.fill(lines[:first_command])
    out = lines[:first_command]
    for line in lines[first_command:]:
        if found := HEADER.fullmatch(line):
            out += [line, *scene.table(found[1])]
        elif line.startswith("> "):
            out += [line, *scene.obey(line[2:])]
        elif line.startswith("? "):
            out += [line, *scene.ask(line[2:])]
    return lines, out
