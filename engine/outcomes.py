"""Outcome markets: positions, and the funds that they and open orders hold.

Invariant: what an account needs in an outcome market is exactly its worst case over the outcomes and over
which of its open orders get filled; it holds that, less its shortfall; the results of all accounts add up
to 0 in every outcome.

A bet on one outcome changes the result in that outcome by one amount and in all others by another. So
results are kept as ``base + extra[outcome]``: a bet changes two numbers, however many outcomes there are.
The rules are those of ``docs/concepts/outcome-markets.md``.
"""

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from bus.commands import MarketModel, Side
from bus.errors import Code
from bus.events import ExposureChanged, OutcomeMarketCreated

from .state import Refusal, State

if TYPE_CHECKING:
    from .accounts import Account
    from .book import Market

_BUY: Final = int(Side.BUY)
_ODDS: Final = int(MarketModel.ODDS)

GONE: Final = 1 << 200
"""What a removed outcome has as extra result: it is never the worst one."""

NEVER: Final = 1 << 60
"""``OutcomeMarket.anew`` when held funds are not being set anew."""


class Bet:
    """A trade: if ``runner`` wins, the layer pays the backer ``win_atoms``, otherwise gets ``stake_atoms``.

    In a binary market the buyer of YES is the backer.
    """

    __slots__ = ("backer", "layer", "runner", "stake_atoms", "time_ns", "void", "win_atoms")

    def __init__(
        self, time_ns: int, runner: int, backer: "Account", layer: "Account", win_atoms: int, stake_atoms: int
    ) -> None:
        self.time_ns = time_ns
        self.runner = runner
        self.backer = backer
        self.layer = layer
        self.win_atoms = win_atoms
        self.stake_atoms = stake_atoms
        self.void = False


class Position:
    """An account's position in one outcome market: ``base + extra[j]`` is its matched result in outcome j.

    ``worst_base + worst_extra[j]`` is that and every loss of its open orders there; ``need_atoms`` what it
    has to hold for it, ``held_atoms`` what it does hold: less than it needs when funds did not suffice.
    ``told_atoms``: the shortfall that the last `ExposureChanged` told.
    """

    __slots__ = ("account", "base", "born_seq", "extra", "held_atoms", "need_atoms", "number", "outcome",
                 "told_atoms", "traded", "worst_base", "worst_extra")  # fmt: skip

    def __init__(self, outcome: "OutcomeMarket", account: "Account") -> None:
        state = outcome.state
        self.born_seq = state.next_seq + len(state.events)
        """The seq that the next event had when it was made: nothing is known of it before that event."""
        self.outcome = outcome
        self.account = account
        self.number = 0
        self.base = 0
        self.extra: list[int] = outcome.no_results()
        self.worst_base = 0
        self.worst_extra: list[int] = outcome.no_results()
        self.need_atoms = 0
        self.held_atoms = 0
        self.told_atoms = 0
        self.traded = False
        """Whether it ever had a trade."""

    @property
    def counts(self) -> bool:
        """Whether there is something to settle."""
        return self.traded or self.need_atoms > 0

    def bet(self, runner: int, win_atoms: int, stake_atoms: int) -> None:
        """Add a bet's results: gain ``win_atoms`` if ``runner`` wins, lose ``stake_atoms`` otherwise."""
        both = win_atoms + stake_atoms
        self.base -= stake_atoms
        self.extra[runner] += both
        self.worst_base -= stake_atoms
        self.worst_extra[runner] += both

    def risk(self, runner: int, lays: bool, loss_atoms: int) -> None:
        """Add what an open order could lose: if ``runner`` wins (``lays``), or otherwise."""
        if lays:
            self.worst_extra[runner] -= loss_atoms
        else:
            self.worst_base -= loss_atoms
            self.worst_extra[runner] += loss_atoms

    def worst_case(self) -> int:
        """Return what it has to hold: the worst loss over all outcomes."""
        worst = self.worst_base + min(self.worst_extra)
        return -worst if worst < 0 else 0

    def results(self) -> list[int]:
        """Return its matched result in each outcome (0 in removed ones)."""
        base, new = self.base, len(self.outcome.runners) - len(self.extra)
        return [0 if extra >= GONE else base + extra for extra in self.extra] + [base] * new

    def worst_results(self) -> list[int]:
        """Return its result in each outcome with every loss of its open orders (0 in removed ones)."""
        base, new = self.worst_base, len(self.outcome.runners) - len(self.extra)
        return [0 if extra >= GONE else base + extra for extra in self.worst_extra] + [base] * new

    def fit(self) -> None:
        """Give it the outcomes that its market has now: an added one, and no longer a removed one."""
        new = len(self.outcome.runners) - len(self.extra)
        self.extra += [0] * new
        self.worst_extra += [0] * new
        for runner, gone in enumerate(self.outcome.no_results()):
            if gone:
                self.extra[runner] = self.worst_extra[runner] = GONE

    def free(self) -> int:
        """Give back what it holds beyond its need, and return that; never takes more.

        While held funds are being set anew (a removed runner, voided trades), nothing is given back.
        """
        if self.number >= self.outcome.anew:
            return 0
        need = self.need_atoms = self.worst_case()
        freed = self.held_atoms - need
        if freed <= 0:
            return 0
        self.held_atoms = need
        balance = self.account.balances[self.outcome.asset]
        balance.held -= freed
        balance.available += freed
        return freed


class OutcomeMarket:
    """A market of n outcomes, its books and the positions in it.

    ``live``: the runners that were not removed. ``bets`` are all trades in order of time, until settlement.
    ``positions`` are in order of the account's first order or trade; those from index ``anew`` on wait for
    their held funds to be set anew.
    """

    __slots__ = (
        "anew", "asset", "bet_delay_ns", "bets", "books", "cancels_for_funds", "commission_ppm",
        "created_runners", "house", "house_loss_max_atoms", "in_play", "live", "match_loss_max_atoms",
        "model", "name", "offered", "positions", "removal_rule", "runners", "spec", "state", "unpaid_atoms",
    )  # fmt: skip

    def __init__(self, state: State, spec: OutcomeMarketCreated, runners: list[str]) -> None:
        self.state = state
        self.spec = spec
        self.name = spec.market
        self.model = spec.model
        self.asset = spec.asset
        self.commission_ppm = spec.commission_ppm
        self.removal_rule = spec.removal_rule
        self.house: Account | None = state.accounts[spec.house] if spec.house else None
        self.match_loss_max_atoms = spec.match_loss_max_atoms
        self.house_loss_max_atoms = spec.house_loss_max_atoms
        self.runners = runners
        """Names of its outcomes; those of a binary market are YES and NO."""
        self.created_runners = len(runners)
        self.live: list[int] = list(range(len(runners)))
        self.books: list[Market] = []
        """By runner; a binary market has one, in YES."""
        self.positions: list[Position] = []
        self.bets: list[Bet] = []
        self.in_play = False
        self.bet_delay_ns = 0
        self.anew = NEVER
        self.cancels_for_funds = False
        """Whether the orders of the account that is next are being cancelled for lack of funds."""
        self.unpaid_atoms = 0
        """What its settlement has taken from accounts and not paid yet (negative: paid ahead)."""
        self.offered: dict[tuple[str, int], tuple[int, int]] = {}
        """The last `BestOffered` of each book and side: price and lots."""

    @property
    def has_implied(self) -> bool:
        """Whether a taker also meets the orders of the other runner's book."""
        return self.model == _ODDS and self.created_runners == 2

    @property
    def has_crossing(self) -> bool:
        """Whether an order on one runner also meets orders on all the others, through the house."""
        return self.house is not None and self.model == _ODDS and self.created_runners > 2

    @property
    def live_books(self) -> list["Market"]:
        """The books that orders may come to: those of runners that were not removed."""
        return [book for book in self.books if book.runner in self.live]

    @property
    def market_state(self) -> int:
        """The state of the market (that of a removed runner's book is VOIDED)."""
        return self.books[self.live[0]].state

    def no_results(self) -> list[int]:
        """Return the extra results of a position without bets and orders."""
        extra = [GONE] * len(self.runners)
        for runner in self.live:
            extra[runner] = 0
        return extra

    def open_position(self, account: "Account") -> Position:
        """Return an account's position, made when it is first needed."""
        position = account.positions.get(self.name)
        if position is None:
            position = Position(self, account)
            self._add(position)
        return position

    def _add(self, position: Position) -> None:
        position.number = len(self.positions)
        self.positions.append(position)
        position.account.positions[self.name] = position

    def bets_between(self, from_ns: int, to_ns: int) -> tuple[int, int]:
        """Return the range of indexes of the bets from ``from_ns`` to before ``to_ns``; O(log bets)."""
        bets = self.bets
        first = bisect_left(bets, from_ns, key=_time_ns)
        return first, bisect_left(bets, to_ns, lo=first, key=_time_ns)


def _time_ns(bet: Bet) -> int:
    return bet.time_ns


# ---- funds ----------------------------------------------------------------------------------------------


def hold(account: "Account", market: "Market", side: int, loss_atoms: int) -> int:
    """Add what a new order could lose; return what moved from available to held. O(outcomes).

    Raises
    ------
    Refusal
        INSUFFICIENT_FUNDS, nothing being changed.
    """
    return _hold(account, market, side, loss_atoms, False)


def hold_unchecked(account: "Account", market: "Market", side: int, loss_atoms: int) -> int:
    """Add what a new order could lose as `hold` does, whether or not funds suffice."""
    return _hold(account, market, side, loss_atoms, True)


def _hold(account: "Account", market: "Market", side: int, loss_atoms: int, unchecked: bool) -> int:
    outcome = market.outcome
    assert outcome is not None
    position = account.positions.get(outcome.name)
    fresh = position is None
    if position is None:
        position = Position(outcome, account)
    lays = (side == _BUY) == (market.model == _ODDS)
    position.risk(market.runner, lays, loss_atoms)
    need = position.worst_case()
    rise = need - position.need_atoms
    balance = account.balances.get(outcome.asset) or account.balance(outcome.asset)
    if rise > 0 and rise > balance.available and not (unchecked or account.unfunded):
        position.risk(market.runner, lays, -loss_atoms)
        raise Refusal(
            Code.INSUFFICIENT_FUNDS,
            f"expected {rise} atoms of {outcome.asset} available, was {balance.available}",
        )
    if fresh:
        outcome._add(position)
    position.need_atoms = need
    position.held_atoms += rise
    balance.available -= rise
    balance.held += rise
    return rise


def forget_unborn(account: "Account", market: "Market") -> None:
    """Forget a position that only a hold made that was given back, its order never being accepted."""
    outcome = market.outcome
    assert outcome is not None
    position, state = account.positions[outcome.name], outcome.state
    holds = position.worst_base or any(extra != 0 and extra < GONE for extra in position.worst_extra)
    if position.born_seq == state.next_seq + len(state.events) and not holds:
        assert outcome.positions[-1] is position
        outcome.positions.pop()
        del account.positions[outcome.name]


def lift(account: "Account", market: "Market", side: int, loss_atoms: int) -> None:
    """Take away what an order could lose and give nothing back yet: a trade or `Position.free` will."""
    outcome = market.outcome
    assert outcome is not None
    lays = (side == _BUY) == (market.model == _ODDS)
    account.positions[outcome.name].risk(market.runner, lays, -loss_atoms)


def release(account: "Account", market: "Market", side: int, loss_atoms: int) -> int:
    """Take away what an order could lose; return what became available again. O(outcomes)."""
    outcome = market.outcome
    assert outcome is not None
    position = account.positions[outcome.name]
    position.risk(market.runner, (side == _BUY) == (market.model == _ODDS), -loss_atoms)
    return position.free()


def book_trade(
    market: "Market", buyer: "Account", seller: "Account", price_ticks: int, lots: int, buyer_loss_atoms: int,
    seller_loss_atoms: int,
) -> tuple[int, int]:  # fmt: skip
    """Book a trade of ``lots`` in a market's outcome; return what became available of buyer and seller.

    The losses are what the orders held for these lots (0 when that was lifted). When one account is both,
    the buyer's release is all of it. O(outcomes).
    """
    bought, sold = book_bet(market, buyer, seller, price_ticks, lots, buyer_loss_atoms, seller_loss_atoms)
    return bought.free(), sold.free()


def book_bet(
    market: "Market", buyer: "Account", seller: "Account", price_ticks: int, lots: int, buyer_loss_atoms: int,
    seller_loss_atoms: int,
) -> tuple[Position, Position]:  # fmt: skip
    """Book a trade as `book_trade` does, but leave what is held as it is; return the two positions. O(1)."""
    outcome = market.outcome
    assert outcome is not None
    runner = market.runner
    bought, sold = outcome.open_position(buyer), outcome.open_position(seller)
    bought.traded = sold.traded = True
    if market.model == _ODDS:
        win, stake = (price_ticks - 100) * lots * market.unit_atoms, 100 * lots * market.unit_atoms
        bought.bet(runner, -win, -stake)
        bought.worst_extra[runner] += buyer_loss_atoms
        sold.bet(runner, win, stake)
        sold.worst_base += seller_loss_atoms
        sold.worst_extra[runner] -= seller_loss_atoms
        outcome.bets.append(Bet(outcome.state.now_ns, runner, seller, buyer, win, stake))
    else:
        win, stake = (10_000 - price_ticks) * lots * market.unit_atoms, price_ticks * lots * market.unit_atoms
        bought.bet(runner, win, stake)
        bought.worst_base += buyer_loss_atoms
        bought.worst_extra[runner] -= buyer_loss_atoms
        sold.bet(runner, -win, -stake)
        sold.worst_extra[runner] += seller_loss_atoms
        outcome.bets.append(Bet(outcome.state.now_ns, runner, buyer, seller, win, stake))
    return bought, sold


# ---- shortfalls -----------------------------------------------------------------------------------------


def mark_short(account: "Account", state: State) -> None:
    """Count an account's shortfalls and debts anew: with any it takes no new risk."""
    count = sum(1 for p in account.positions.values() if p.need_atoms > p.held_atoms)
    if not account.unfunded and any(balance.available < 0 for balance in account.balances.values()):
        count += 1
    account.shortfalls = count
    account.mark()
    told = any(position.told_atoms for position in account.positions.values())
    if count or told:
        state.short[account.name] = account
    else:
        state.short.pop(account.name, None)


def pay_shortfalls(state: State) -> None:
    """Pay shortfalls of the accounts that the events of the command at hand name, as far as funds go.

    O(fields of the events) while any account has a shortfall, else nothing.
    """
    named: dict[str, Account] = {}
    for event in state.events:
        for field in event:
            if isinstance(field, str) and field in state.short:
                named[field] = state.short[field]
    for account in named.values():
        for name in sorted(account.positions):
            _pay(account.positions[name], state)
        mark_short(account, state)


def _pay(position: Position, state: State) -> None:
    if position.number >= position.outcome.anew:
        return
    short = position.need_atoms - position.held_atoms
    if not short and not position.told_atoms:
        return
    hold_anew(position, state)


def hold_anew(position: Position, state: State) -> None:
    """Hold what a position needs as far as funds go, or give back what it does not; tell what changed."""
    account = position.account
    need = position.need_atoms = position.worst_case()
    balance = account.balance(position.outcome.asset)
    change = need - position.held_atoms
    if change > 0 and not account.unfunded:
        change = min(change, max(balance.available, 0))
    position.held_atoms += change
    balance.held += change
    balance.available -= change
    short = need - position.held_atoms
    if change or short != position.told_atoms:
        position.told_atoms = short
        account.seq += 1
        state.emit(ExposureChanged(account.name, account.seq, position.outcome.name, change, short))
