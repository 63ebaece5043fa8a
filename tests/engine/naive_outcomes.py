"""Administration of outcome markets, and cash out.

It protects the invariant that what changes outcomes or trades sets everyone's held funds anew.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e
from bus.errors import Code

from . import naive_cancels as cancels
from . import naive_changes as changes
from .naive_checks import check_state, drafted, meeting_vector
from .naive_odds import plus, recount, required
from .naive_orders import accept, act
from .naive_state import Book, Job, Market, Outcome, refuse_if
from .naive_walk import Walk, Walker

if TYPE_CHECKING:
    from .naive import Naive

RUNNERS_MAX = 64
S = c.MarketState


def create(x: "Naive", m: c.CreateOutcomeMarket) -> None:
    """Create a binary or odds market."""
    binary = m.model == c.MarketModel.BINARY
    refuse_if(m.market in x.markets, Code.ALREADY_EXISTS)
    new = 1 if binary else len(m.runners)
    refuse_if(len(x.books) + new > x.limits.markets_max, Code.TOO_MANY_ENTRIES)
    refuse_if(m.asset not in x.assets, Code.UNKNOWN_ASSET)
    refuse_if(m.house and m.house not in x.accounts, Code.UNKNOWN_ACCOUNT)
    runners_fit = not m.runners if binary else 2 <= len(m.runners) <= RUNNERS_MAX
    refuse_if(not runners_fit or len(set(m.runners)) < len(m.runners), Code.INVALID_MARKET)
    parts = 10_000 if binary else 100
    refuse_if(m.lot_atoms % parts, Code.INVALID_MARKET)
    refuse_if(m.lot_atoms // parts * 100_000 * m.qty_lots_max > c.INT_MAX, Code.INVALID_MARKET)
    made = e.OutcomeMarketCreated(*m[3:])
    market = Market(m.market)
    market.outcome = Outcome(made, ["YES", "NO"] if binary else list(m.runners))
    x.markets[m.market] = market
    x.emit(made)
    for runner in [""] if binary else m.runners:
        add_book(x, market, runner)


def add_book(x: "Naive", market: Market, runner: str) -> None:
    """Add the book of a runner ("": of a binary market)."""
    outcome = market.outcome
    assert outcome is not None
    name = f"{market.name}:{runner}" if runner else market.name
    asset, lot = outcome.made.asset, outcome.made.lot_atoms
    tick = (1, 2) if runner else (1, 4)
    sizes = (*tick, lot, outcome.unit, 100_000 if runner else 9_999, outcome.made.qty_lots_max, 0, 0)
    made = e.MarketCreated(name, asset, asset, *sizes, outcome.made.model, market.name, len(outcome.books))
    book = Book(made, market, len(x.books))
    x.books[name] = book
    market.books.append(book)
    outcome.books.append(book)
    x.emit(made)


def named(x: "Naive", name: str, odds: bool = False) -> tuple[Market, Outcome]:
    """Return an outcome market."""
    refuse_if(name not in x.markets, Code.UNKNOWN_MARKET)
    market = x.markets[name]
    wrong = market.outcome is None or (odds and market.outcome.binary)
    refuse_if(wrong, Code.WRONG_MARKET_MODEL)
    assert market.outcome is not None
    return market, market.outcome


def turn_in_play(x: "Naive", command: c.TurnInPlay) -> None:
    """Turn a market in-play: orders that do not persist lapse."""
    market, outcome = named(x, command.market)
    allowed = (S.OPEN, S.PRE_OPEN, S.HALTED, S.SUSPENDED)
    refuse_if(market.state not in allowed, Code.STATE_NOT_ALLOWED)
    refuse_if(outcome.in_play, Code.IN_PLAY_ALREADY)
    refuse_if(x.is_changing(market), Code.MARKET_BUSY)
    outcome.in_play, outcome.bet_delay_ns = True, command.bet_delay_ns
    x.emit(e.InPlayTurned(market.name, command.bet_delay_ns))
    names = [book.name for book in market.books]
    what = ("", market.name, command.command_id, e.CancelReason.LAPSED)
    cancels.begin_mass_cancel(x, what, names, lambda order: not order.terms.persists)


def change(x: "Naive", market: Market, kind: str, steps: Iterator[None] | None) -> None:
    """Begin to set exposures anew, after ``steps``."""
    outcome = market.outcome
    assert outcome is not None
    outcome.frozen = list(outcome.accounts)
    job = Job(kind, busy_books=[book.name for book in market.books])
    job.steps = changes.set_exposures(x, outcome, steps)
    x.begin(job)


def add_runner(x: "Naive", command: c.AddRunner) -> None:
    """Add a runner."""
    market, outcome = named(x, command.market, odds=True)
    refuse_if(market.state not in (S.HALTED, S.SUSPENDED), Code.STATE_NOT_ALLOWED)
    refuse_if(x.is_changing(market), Code.MARKET_BUSY)
    refuse_if(command.runner in outcome.runners, Code.ALREADY_EXISTS)
    full = len(outcome.runners) >= RUNNERS_MAX or len(x.books) >= x.limits.markets_max
    refuse_if(full, Code.TOO_MANY_ENTRIES)
    refuse_if(outcome.two, Code.WRONG_MARKET_MODEL)
    x.emit(e.RunnerAdded(market.name, command.runner))
    outcome.runners.append(command.runner)
    add_book(x, market, command.runner)
    recount(outcome)
    x.offers_changed(outcome)
    change(x, market, "change", None)


def remove_runner(x: "Naive", command: c.RemoveRunner) -> None:
    """Remove a runner."""
    market, outcome = named(x, command.market, odds=True)
    refuse_if(market.state not in (S.HALTED, S.SUSPENDED), Code.STATE_NOT_ALLOWED)
    refuse_if(x.is_changing(market), Code.MARKET_BUSY)
    known = [outcome.runners[i] for i in outcome.outcomes]
    refuse_if(command.runner not in known, Code.UNKNOWN_RUNNER)
    refuse_if(len(known) <= 2, Code.WRONG_MARKET_MODEL)
    runner = outcome.runners.index(command.runner)
    x.emit(e.RunnerRemoved(market.name, command.runner, command.reduction_ppm))
    outcome.removed.append(runner)
    x.offers_changed(outcome)
    change(x, market, "change", changes.remove_runner(x, outcome, runner, command.reduction_ppm))


def void_trades(x: "Naive", command: c.VoidTrades) -> None:
    """Make the trades of a time void."""
    market, outcome = named(x, command.market)
    allowed = (S.HALTED, S.SUSPENDED, S.CLOSED)
    refuse_if(market.state not in allowed, Code.STATE_NOT_ALLOWED)
    refuse_if(x.is_changing(market), Code.MARKET_BUSY)
    refuse_if(command.from_ns >= command.to_ns, Code.INVALID_COMBINATION)
    trades = [t for t in outcome.trades if command.from_ns <= t.time_ns < command.to_ns and not t.void]
    x.emit(e.TradesVoided(market.name, command.from_ns, command.to_ns, len(trades)))
    change(x, market, "change", changes.void_trades(x, outcome, trades))


def settle_market(x: "Naive", command: c.SettleMarket) -> None:
    """Settle a closed market."""
    market, outcome = named(x, command.market)
    refuse_if(market.state != S.CLOSED, Code.MARKET_NOT_CLOSED)
    refuse_if(x.is_changing(market), Code.MARKET_BUSY)
    refuse_if(not command.winners, Code.NO_WINNER)
    known = [outcome.runners[i] for i in outcome.outcomes]
    wrong = any(winner not in known for winner in command.winners)
    refuse_if(wrong or len(set(command.winners)) < len(command.winners), Code.UNKNOWN_RUNNER)
    settle(x, market, outcome, command.winners)


def void_market(x: "Naive", command: c.VoidMarket) -> None:
    """Void a closed market."""
    market, outcome = named(x, command.market)
    refuse_if(market.state != S.CLOSED, Code.MARKET_NOT_CLOSED)
    refuse_if(x.is_changing(market), Code.MARKET_BUSY)
    settle(x, market, outcome, ())


def settle(x: "Naive", market: Market, outcome: Outcome, winners: tuple[str, ...]) -> None:
    """Begin to settle."""
    job = Job("change", busy_books=[book.name for book in market.books])
    job.steps = changes.settle(x, outcome, market.name, winners)
    x.begin(job)


# ---- cash out ---------------------------------------------------------------------------------


def cash_out(x: "Naive", command: c.CashOut) -> None:
    """Close a share of a position against direct resting orders, all or nothing."""
    market, outcome = named(x, command.market)
    check_state(market, places=True)
    refuse_if(any(x.book_is_busy(book) for book in market.books), Code.MARKET_BUSY)
    refuse_if(x.accounts[command.account].state == c.AccountState.BLOCKED, Code.ACCOUNT_BLOCKED)
    refuse_if(x.account_is_busy(command.account), Code.ACCOUNT_BUSY)
    refuse_if(x.owes(command.account), Code.SHORTFALL)
    refuse_if(market.state == S.PRE_OPEN, Code.NOT_WHILE_GATHERING)
    refuse_if(outcome.bet_delay_ns > 0, Code.STATE_NOT_ALLOWED)
    before = results(outcome, command.account)
    legs, unfilled = binary_legs(x, market, command) if outcome.binary else odds_legs(x, outcome, command)
    refuse_if(not legs and not unfilled, Code.NOTHING_TO_CASH_OUT)
    walks = [(p, x.books[p.market], walk_of(x, x.books[p.market], p)) for p in legs]
    after, trades, reserves = list(outcome.positions.get(command.account, [])), 0, []
    for p, book, walk in walks:
        reserve = [0] * len(outcome.runners)
        unfilled = unfilled or sum(m.lots for m in walk.meetings) < p.qty_lots
        unfilled = unfilled or any(m.mode > c.Prevention.NONE for m in walk.meetings)
        trades += len(walk.meetings)
        for m in walk.meetings:
            result = meeting_vector(book, p.side, m.maker.price, m.lots, m.kind)
            after = plus(after, [r // 100 for r in result])
            reserve = plus(reserve, [min(0, r) for r in result])
        reserves.append(reserve)
    unfilled = unfilled or trades > x.limits.fills_per_order_max or not x.room(3 * trades + len(legs) + 6)
    refuse_if(unfilled, Code.CASH_OUT_UNFILLED)
    refuse_if(min(after[i] for i in outcome.outcomes) < command.worst_atoms, Code.CASH_OUT_UNFILLED)
    need = required(x, outcome, command.account, reserves) - outcome.held.get(command.account, 0)
    refuse_if(not x.covers(command.account, outcome.made.asset, need), Code.INSUFFICIENT_FUNDS)
    x.direct_only = True
    for p, book, _ in walks:
        act(x, accept(x, drafted(x, p, book, False)))
    x.direct_only = False
    seq = x.account_seq(command.account)
    head = (command.account, seq, market.name, command.command_id, command.share_ppm)
    x.emit(e.CashedOut(*head, before, results(outcome, command.account)))


def results(market: Outcome, account: str) -> tuple[int, ...]:
    """Return an account's result in each outcome."""
    have = market.positions.get(account, [0] * len(market.runners))
    return tuple(have[i] if i in market.outcomes else 0 for i in range(len(have)))


def leg(command: c.CashOut, book: Book, side: int, lots: int) -> c.PlaceAdvanced:
    """Return the market order of a leg."""
    head = (command.command_id, command.account, command.valid_until_ns, book.name)
    own = c.Prevention.CANCEL_TAKER
    return c.PlaceAdvanced(
        *head, side, c.OrderType.MARKET, c.TimeInForce.IOC, False, 0, lots, 0, prevention=own
    )


def walk_of(x: "Naive", book: Book, p: c.PlaceAdvanced) -> Walk:
    """Return what a leg meets, however many fills that takes."""
    return Walker(x, book, p, 0, p.qty_lots * 100, 0, 10**9, direct_only=True).walk()


def binary_legs(x: "Naive", market: Market, command: c.CashOut) -> tuple[list[c.PlaceAdvanced], bool]:
    """Return the order that closes the share of the lots net bought."""
    net = x.net_of(market.books[0], command.account)
    lots = abs(net) * command.share_ppm // 1_000_000
    side = c.Side.SELL if net > 0 else c.Side.BUY
    return ([leg(command, market.books[0], side, lots)] if lots else []), False


def odds_legs(x: "Naive", market: Outcome, command: c.CashOut) -> tuple[list[c.PlaceAdvanced], bool]:
    """Return the lays that close the share of each runner's result above the lowest; True: too little is
    shown."""
    have = market.positions.get(command.account, [0] * len(market.runners))
    lowest = min(have[i] for i in market.outcomes)
    legs, unfilled = [], False
    for runner in market.outcomes:
        left = (have[runner] - lowest) * command.share_ppm // 1_000_000
        if left <= 0:
            continue
        book = market.books[runner]
        walk = walk_of(x, book, leg(command, book, c.Side.LAY, 10**12))
        unit, lots, ended, last = market.unit, 0, True, 101
        for m in walk.meetings:
            if m.mode > c.Prevention.NONE:
                unfilled = unfilled or left >= m.maker.price * unit
                ended = False
                break
            last = m.maker.price
            fit = min(m.lots, left // (last * unit))
            lots += fit
            left -= fit * last * unit
            if fit < m.lots:
                ended = False
                break
        unfilled = unfilled or (ended and left >= last * unit)
        if lots:
            legs.append(leg(command, book, c.Side.LAY, lots))
    return legs, unfilled
