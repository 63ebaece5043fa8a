"""What the naive exchange keeps: orders, books, outcome markets, accounts, as plain as can be.

It protects the invariant that every figure has one source: an order is alive while it is in `Naive.orders`,
it rests while it is in its book's list (the oldest first), and what can be counted is counted again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bus import commands as c
from bus import events as e
from bus.errors import Code

DAY_NS = 86_400 * 10**9


class Refusal(Exception):
    """A command is refused with ``code``."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


def refuse_if(condition: object, code: Code) -> None:
    """Refuse the command when ``condition`` holds."""
    if condition:
        raise Refusal(code)


@dataclass(eq=False)
class Group:
    """An order group; ``traded`` lists (time, lots)."""

    name: str
    account: str
    lots_max: int
    window_ns: int
    traded: list[tuple[int, int]] = field(default_factory=list)
    tripped: bool = False
    removed: bool = False


@dataclass(eq=False)
class Pair:
    """Two orders that belong together; ``saved`` atoms (spot, OCO) are held less than their sum."""

    kind: int
    first: "Order"
    second: "Order"
    saved: int = 0


@dataclass(eq=False)
class Order:
    """An order that was accepted.

    ``used`` counts hundredths of a lot traded; ``held`` the atoms of a spot order. ``plan`` lists what a
    market order in an outcome market may lose by each of the trades that it still is to make.
    """

    order_id: int
    market: str
    terms: c.PlaceAdvanced
    price: int
    qty: int
    used: int = 0
    held: int = 0
    shown: int = 0
    waits: int = e.Waits.NOTHING
    due_ns: int = 0
    late: bool = False
    expires_ns: int = 0
    trigger_ticks: int = 0
    group: Group | None = None
    pair: Pair | None = None
    plan: list[list[int]] | None = None

    @property
    def account(self) -> str:
        """Its account."""
        return self.terms.account

    @property
    def side(self) -> int:
        """Its side."""
        return self.terms.side

    @property
    def is_market(self) -> bool:
        """Whether it has no limit."""
        return self.terms.order_type == c.OrderType.MARKET

    @property
    def budget(self) -> int:
        """What it may spend, if it is by budget."""
        return self.terms.budget_atoms

    @property
    def filled(self) -> int:
        """Whole lots traded."""
        return self.used // 100

    @property
    def hundredths(self) -> int:
        """Hundredths of a lot not traded yet."""
        return 0 if self.budget else self.qty * 100 - self.used

    @property
    def left(self) -> int:
        """Whole lots not traded yet (0 for an order by budget, which counts atoms)."""
        return self.hundredths // 100

    @property
    def may_rest(self) -> bool:
        """Whether what is left rests."""
        return not self.is_market and self.terms.time_in_force not in (c.TimeInForce.IOC, c.TimeInForce.FOK)

    @property
    def partner(self) -> "Order | None":
        """The other order of its pair."""
        if self.pair is None:
            return None
        return self.pair.second if self.pair.first is self else self.pair.first

    def show(self) -> None:
        """Show as much as it may."""
        self.shown = min(self.terms.display_lots, self.left) if self.terms.display_lots else self.left


@dataclass(eq=False)
class Trade:
    """A trade in an outcome market: what the backer (binary: the buyer) wins or loses, in units."""

    time_ns: int
    runner: int
    lots: int
    buyer: str
    seller: str
    win: int
    lose: int
    void: bool = False


@dataclass(eq=False)
class Outcome:
    """An outcome market: positions are counted from its trades; ``held`` and ``short`` by account."""

    made: e.OutcomeMarketCreated
    runners: list[str]
    books: list["Book"] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    positions: dict[str, list[int]] = field(default_factory=dict)
    accounts: list[str] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)
    short: dict[str, int] = field(default_factory=dict)
    frozen: list[str] = field(default_factory=list)
    in_play: bool = False
    bet_delay_ns: int = 0
    offers: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    offers_due_ns: int = 0

    @property
    def binary(self) -> bool:
        """Whether it is a binary market."""
        return self.made.model == c.MarketModel.BINARY

    @property
    def outcomes(self) -> list[int]:
        """The outcomes that count."""
        return [i for i in range(len(self.runners)) if i not in self.removed]

    @property
    def unit(self) -> int:
        """Atoms of one lot times one tick."""
        return self.made.lot_atoms // (10_000 if self.binary else 100)

    @property
    def two(self) -> bool:
        """Whether it was created with two runners, and so has implied matching."""
        return not self.binary and len(self.made.runners) == 2


@dataclass(eq=False)
class Market:
    """A spot market or a whole outcome market: its state and rules."""

    name: str
    state: int = c.MarketState.OPEN
    books: list["Book"] = field(default_factory=list)
    outcome: Outcome | None = None
    matching: int = c.MatchingRule.PRICE_TIME
    first_share_ppm: int = 0
    band_ppm: int = 0
    tiers: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(eq=False)
class Book:
    """A book: ``resting`` lists its orders, the oldest first; ``queue`` those triggered."""

    made: e.MarketCreated
    market: Market
    number: int
    resting: list[Order] = field(default_factory=list)
    queue: list[Order] = field(default_factory=list)
    market_seq: int = 0
    trade_id: int = 0
    last: int = 0
    net: dict[str, int] = field(default_factory=dict)
    indicated: tuple[int, int, int] = (0, 0, 0)
    indication_due_ns: int = 0

    @property
    def name(self) -> str:
        """Its name."""
        return self.made.market

    @property
    def outcome(self) -> Outcome | None:
        """Its outcome market."""
        return self.market.outcome

    @property
    def price_min(self) -> int:
        """The lowest limit price."""
        return 101 if self.made.model == c.MarketModel.ODDS else 1

    def side(self, side: int) -> list[Order]:
        """Return the resting orders of a side, best first and at a price the oldest first."""
        sign = -1 if side == c.Side.BUY else 1
        return sorted((o for o in self.resting if o.side == side), key=lambda o: sign * o.price)

    def level(self, side: int, price: int) -> int:
        """Return the lots shown at a price."""
        return sum(o.shown for o in self.resting if o.side == side and o.price == price)

    def within(self, side: int, limit: int) -> list[Order]:
        """Return what an order of ``side`` with this limit (0: none) may trade against, best first."""
        if side == c.Side.BUY:
            return [o for o in self.side(c.Side.SELL) if not limit or o.price <= limit]
        return [o for o in self.side(c.Side.BUY) if not limit or o.price >= limit]

    @property
    def crossed(self) -> bool:
        """Whether a bid is at or above an ask."""
        bids, asks = self.side(c.Side.BUY), self.side(c.Side.SELL)
        return bool(bids and asks and bids[0].price >= asks[0].price)

    def asset_held(self, side: int) -> str:
        """Return the asset that an order of ``side`` holds."""
        return self.made.quote if side == c.Side.BUY else self.made.base


@dataclass(eq=False)
class Account:
    """An account: its state and terms, balances (asset: [available, held]) and the ids that it keeps."""

    account_seq: int = 0
    state: int = c.AccountState.ACTIVE
    unfunded: bool = False
    tier: int = 0
    prevention: int = c.Prevention.NONE
    prevention_group: str = ""
    balances: dict[str, list[int]] = field(default_factory=dict)
    ids: dict[str, "tuple[c.Command, e.Answer]"] = field(default_factory=dict)
    batches: dict[str, e.BatchDone] = field(default_factory=dict)
    markets_opened: list[str] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)
    limits: dict[str, e.AccountLimitsSet] = field(default_factory=dict)
    cancel_after_ns: int = 0


@dataclass(eq=False)
class Job:
    """Work in steps: ``steps`` goes on until it yields, for lack of room, or ends."""

    kind: str
    busy_account: str = ""
    busy_books: list[str] = field(default_factory=list)
    steps: Iterator[None] = field(default_factory=lambda: iter(()))
    account: str = ""
    market: str = ""
    command_id: str = ""
    reason: int = 0
    cancelled: int = 0
    price: int = 0
    lots: int = 0
