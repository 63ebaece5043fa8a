"""Plans of several commands for what chance alone hardly brings about: auctions, cascades, shortfalls, ends.

Each begins a plan and returns its first command. It protects the invariant that rare rules are compared too.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bus import commands as c
from tests.engine.mixed_venue import MS_NS, SECOND_NS, TRADERS, outcome_market
from tests.engine.naive_state import Market, Outcome

if TYPE_CHECKING:
    from tests.engine.mixed import Mixed


def begin_plan(m: "Mixed", head: tuple[str, str, int]) -> c.Command:
    """Begin a plan of commands for a market; return the first."""
    random, name = m.random, m.market()
    market = m.naive.markets.get(name)
    kind = random.randrange(12)
    if market is not None and kind > 6:
        return gather(m, market, kind)

    def state(to: int) -> c.SetMarketState:
        return c.SetMarketState(*m.operator(), name, to)

    plan: list[c.Command | Callable[[], c.Command]] = []
    if market is None or kind == 0 or (market.outcome is None and kind > 1):
        m.plan = [state(1)]
        return state(3)
    if kind == 1:
        m.plan = [
            state(2),
            *(m.plain(None, random.choice(market.books).name) for _ in range(4)),
            state(1),
        ]
        return state(3)
    outcome = market.outcome
    if outcome is None:
        return state(1)
    if kind == 2:
        return c.TurnInPlay(*m.operator(), name, random.choice([0, 0, 100 * MS_NS, SECOND_NS]))
    if kind == 3:
        runner, cut = random.choice([*outcome.runners, "zz"]), random.choice([0, 24_999, 25_000, 300_000])
        plan = [c.RemoveRunner(*m.operator(), name, runner, cut), state(1)]
    elif kind == 4:
        plan = [c.AddRunner(*m.operator(), name, random.choice(["s", "t", "u", "p"])), state(1)]
    elif kind == 5:
        back = random.choice([SECOND_NS // 2, 5 * SECOND_NS, m.now_ns])
        plan = [c.VoidTrades(*m.operator(), name, m.now_ns - back, m.now_ns + 1), state(1)]
    else:
        return end(m, name)
    m.plan = plan
    return state(random.choice([2, 4]))


def gather(m: "Mixed", market: Market, kind: int) -> c.Command:
    """Begin a plan for what needs many orders: an auction, a cross match, a cascade, a mass cancel."""
    random, name = m.random, market.name
    books = [book.name for book in market.books]
    book, side = random.choice(books), random.choice([1, 2])
    plan: list[c.Command | Callable[[], c.Command]] = []
    if kind == 7 and len(books) > 2:
        others = [other for other in books if other != book]
        plan += [m.limits_at(other, side) for other in others for _ in range(2)]
        plan += [lambda: m.limit(book, side), lambda: m.limit(book, side)]
    elif kind in (7, 8):
        plan += [m.limits_at(random.choice(books), 1 + n % 2) for n in range(8)]
        plan += [lambda: m.advanced(None, book), m.pair]
        plan.append(c.SetMarketState(*m.operator(), name, 1))
        if m.one_in(2):
            plan += [m.plain, c.SetMarketState(*m.operator(), name, random.choice([1, 2, 3]))]
        m.plan = plan
        return c.SetMarketState(*m.operator(), name, 3)
    elif kind == 9:
        plan += [lambda: m.advanced(None, book, random.choice([1, 2, 3])) for _ in range(7)]
        plan += [lambda: m.limit(book, 1), lambda: m.limit(book, 2), lambda: m.plain(None, book)]
    elif kind == 10 or market.outcome is None:
        plan += [lambda: m.limit(random.choice(books), random.choice([1, 2])) for _ in range(9)]
        account = random.choice(TRADERS)
        cancels: list[c.Command] = [
            c.CancelMarket(*m.operator(), random.choice([book, name])),
            c.CancelAll(*m.head(account), ""),
            c.SetAccountState(*m.operator(), account, 2),
            c.CancelWhere(*m.operator(), "", "", 0, 0, 0),
        ]
        plan.append(random.choice(cancels))
        plan += [
            lambda: m.plain(None, book),
            lambda: m.plain(m.head(account)),
            lambda: m.limit(book, 1),
        ]
        plan += [m.change, m.administration, c.SetAccountState(*m.operator(), account, 1)]
    else:
        return shorten(m, market, market.outcome)
    m.plan = plan
    return m.plain(None, book)


def shorten(m: "Mixed", market: Market, outcome: Outcome) -> c.Command:
    """Begin a plan that leaves an account short: its funds are withdrawn, then its trades change."""
    random, name = m.random, market.name
    account = random.choice(outcome.accounts or list(TRADERS))

    def withdraw() -> c.Command:
        amount = max(1, m.naive.available(account, "D") - random.choice([0, 0, 150]))
        return c.Withdraw(*m.operator(), account, "D", amount)

    change: c.Command = c.VoidTrades(*m.operator(), name, m.now_ns - 3 * SECOND_NS, m.now_ns + 1)
    if not outcome.binary and m.one_in(2):
        change = c.RemoveRunner(
            *m.operator(), name, random.choice(outcome.runners), random.choice([0, 90_000])
        )
    few, other = random.choice([50, 400, 5_000]), random.choice([t for t in TRADERS if t != account])
    book = random.choice(market.books).name
    price, lots = (5_000, random.choice([1, 2])) if outcome.binary else (300, random.choice([3, 10]))

    def at(name: str, side: int) -> c.PlaceOrder:
        return c.PlaceOrder(*m.head(name), book, side, 1, 1, False, price, lots, 0)

    def void_last() -> c.Command:
        last = outcome.trades[-1].time_ns if outcome.trades else m.now_ns
        return c.VoidTrades(*m.operator(), name, last, m.now_ns + 1)

    m.plan = [
        *(
            lambda name=name, side=side: at(name, side)
            for name, side in ((other, 1), (account, 2), (other, 2))
        ),
        lambda: at(account, 1),
        lambda: m.limit(market.books[0].name, random.choice([1, 2]), account),
        withdraw,
        c.SetMarketState(*m.operator(), name, 2),
        random.choice([change, void_last, void_last]),
        c.Continue(),
        lambda: c.Deposit(*m.operator(), account, "D", few),
        c.SetMarketState(*m.operator(), name, 1),
        lambda: m.limit(market.books[0].name, 1, account),
        c.CancelAll(*m.head(account), ""),
        withdraw,
        lambda: c.Deposit(*m.operator(), account, "D", 3_000),
    ]
    return c.SetMarketState(*m.operator(), name, 1)


def end(m: "Mixed", name: str) -> c.Command:
    """Begin to close, settle or void a market, and make another of its kind."""
    random, market = m.random, m.naive.markets[name]
    outcome = market.outcome
    assert outcome is not None
    winners = tuple(random.sample(outcome.runners, random.choice([0, 1, 1, 1, 2, 2])))
    last: c.Command = c.SettleMarket(*m.operator(), name, winners)
    if m.one_in(3):
        last = c.VoidMarket(*m.operator(), name)
    m.made += 1
    kind = {"B": "bin", "T": "two", "R": "race"}[name[0]]
    new = outcome_market(f"{name[0]}{m.made}", kind, random.randrange(30))
    m.plan = [last, c.Continue(), new]
    return c.SetMarketState(*m.operator(), name, c.MarketState.CLOSING)
