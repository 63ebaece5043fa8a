"""Outcome markets are made, get and lose runners, and turn in-play.

Invariants: the books of an outcome market are made with it and its runners, never alone; a removed runner has
no open order, every bet on it is void, and it is no outcome any more.
"""

from typing import Any, Final

from bus.commands import (
    INT_MAX,
    AddRunner,
    CreateOutcomeMarket,
    MarketModel,
    MarketState,
    RemovalRule,
    RemoveRunner,
    Side,
    TurnInPlay,
)
from bus.errors import Code
from bus.events import (
    CancelReason,
    InPlayTurned,
    MarketCreated,
    OrderReplaced,
    OrderRested,
    OutcomeMarketCreated,
    RunnerAdded,
    RunnerRemoved,
)

from . import ladder, offers, outcomes, rules
from .accounts import Account
from .book import Market, Order
from .jobs import begin
from .mass import MassCancel
from .outcomes import Bet, OutcomeMarket
from .settling import OutcomeJob, all_anew, make_void, outcome_market, refuse_busy
from .state import Refusal, State
from .trading import Done, Trading

_NOTHING: Done = (0, 0, 0)
_BUY: Final = int(Side.BUY)
_ODDS: Final = int(MarketModel.ODDS)
_PPM: Final = 1_000_000
_RUNNERS_MAX: Final = 64
_REDUCES_FROM_PPM: Final = 25_000
_LARGEST_TICKS: Final = 100_000
"""Above every price of every model: what the largest order may be worth."""

_OUTCOMES_OF_BINARY: Final = ("YES", "NO")
_LIVE: Final = (
    int(MarketState.OPEN),
    int(MarketState.PRE_OPEN),
    int(MarketState.HALTED),
    int(MarketState.SUSPENDED),
)
_STILL: Final = (int(MarketState.HALTED), int(MarketState.SUSPENDED))


class Adding(OutcomeJob):
    """Gives each position the outcome of a new runner, and sets held funds anew."""

    __slots__ = ()

    def step(self, state: State, trading: Trading) -> bool:
        """Do as many accounts as fit; return whether all are done."""
        return all_anew(self.outcome, state, trading, 0)

    def row(self) -> tuple[Any, ...]:
        """Return the job as plain data."""
        return (self.outcome.name,)


def restore_adding(state: State, row: tuple[Any, ...]) -> Adding:
    """Return the job of a row."""
    return Adding(state.outcome_markets[row[0]])


class Removal(OutcomeJob):
    """Cancels a runner's orders, then its lays of the others or reduces their odds, then corrects the bets.

    ``lays_on`` is the runner whose lays are next, from order id ``from_id`` on, ``at`` the next bet. At last
    held funds are set anew.
    """

    __slots__ = ("at", "end", "from_id", "lays", "lays_on", "reduction_ppm", "runner")

    def __init__(self, outcome: OutcomeMarket, runner: int, reduction_ppm: int) -> None:
        super().__init__(outcome)
        self.runner = runner
        self.reduction_ppm = reduction_ppm
        self.lays_on = 0 if reduction_ppm >= _REDUCES_FROM_PPM else len(outcome.runners)
        self.from_id = 0
        self.lays: list[Order] | None = None
        """Those lays, the next one last, once looked for: none can come while the market is busy."""
        self.at = 0
        self.end = len(outcome.bets)

    def step(self, state: State, trading: Trading) -> bool:
        """Do what fits into a transaction; return whether all is done."""
        outcome, room = self.outcome, state.limits.events_per_transaction_max
        while (order := _next_order(outcome.books[self.runner])) is not None:
            if len(state.events) + 2 > room:
                return False
            trading.cancel_order(order, CancelReason.RUNNER_REMOVED)
        while self.lays_on < len(outcome.books):
            if self.lays is None:
                self.lays = _lays(outcome.books[self.lays_on], self.from_id)
            while self.lays:
                order = self.lays[-1]
                if order.order_id in state.orders:
                    if len(state.events) + 2 > room:
                        return False
                    self._take_lay(order, state, trading)
                self.from_id = order.order_id + 1
                self.lays.pop()
            self.lays_on += 1
            self.lays, self.from_id = None, 0
        looked = 0
        while self.at < self.end:
            if looked == room:
                return False
            self._correct(outcome.bets[self.at])
            self.at += 1
            looked += 1
        if not all_anew(outcome, state, trading, looked):
            return False
        outcome.books[self.runner].mark(state=MarketState.VOIDED)
        return True

    def _take_lay(self, order: Order, state: State, trading: Trading) -> None:
        """Cancel a lay, or reduce its odds."""
        pair = order.terms is not None and order.terms.pair is not None
        if self.outcome.removal_rule == RemovalRule.REDUCE_ODDS and not order.waits and not pair:
            _reduce_odds(order, self.reduction_ppm, state)
        else:
            trading.cancel_order(order, CancelReason.RUNNER_REMOVED)

    def _correct(self, bet: Bet) -> None:
        """Make a bet on the runner void, or reduce the winnings of one on another."""
        if bet.runner == self.runner:
            if not bet.void:
                make_void(bet, self.outcome)
        elif self.reduction_ppm >= _REDUCES_FROM_PPM:
            unit = self.outcome.books[bet.runner].unit_atoms
            win = bet.win_atoms // unit * (_PPM - self.reduction_ppm) // _PPM * unit
            change = win - bet.win_atoms
            bet.win_atoms = win
            bet.backer.positions[self.outcome.name].bet(bet.runner, change, 0)
            bet.layer.positions[self.outcome.name].bet(bet.runner, -change, 0)

    def row(self) -> tuple[Any, ...]:
        """Return the job as plain data."""
        cursor = (self.lays_on, self.from_id, self.at, self.end)
        return (self.outcome.name, self.runner, self.reduction_ppm, *cursor)


def restore_removal(state: State, row: tuple[Any, ...]) -> Removal:
    """Return the job of a row."""
    name, runner, reduction_ppm, lays_on, from_id, at, end = row
    job = Removal(state.outcome_markets[name], runner, reduction_ppm)
    job.lays_on, job.from_id, job.at, job.end = lays_on, from_id, at, end
    return job


def _next_order(book: Market) -> Order | None:
    level = book.bids.best or book.asks.best
    if level is not None:
        return level.first
    return next(iter(book.stops.orders.values())) if book.stops is not None else None


def _lays(book: Market, from_id: int) -> list[Order]:
    """Return a book's lays, resting and waiting, from an order id on, the lowest id last; O(n log n)."""
    waiting = book.stops.orders.values() if book.stops is not None else ()
    lays = [*book.bids.orders(), *(order for order in waiting if order.side == _BUY)]
    return sorted((order for order in lays if order.order_id >= from_id), key=_order_id, reverse=True)


def _order_id(order: Order) -> int:
    return order.order_id


def _reduce_odds(order: Order, reduction_ppm: int, state: State) -> None:
    """Move a resting lay to its reduced odds, to the back of the level there."""
    market, account, old_ticks, old_loss = order.market, order.account, order.price_ticks, order.held_atoms
    over = (old_ticks - 100) * (_PPM - reduction_ppm)
    new_ticks = max(ladder.floor(100 * _PPM + over, _PPM), ladder.LOWEST_TICKS)
    level_lots = market.bids.remove(order)
    left = order.total_left
    if order.terms is not None and order.terms.display_lots:
        order.left_lots = min(order.terms.display_lots, left)
        order.terms.hidden_lots = left - order.left_lots
    order.price_ticks = new_ticks
    released = outcomes.release(account, market, _BUY, old_loss - order.held_atoms)
    account.seq += 1
    market.market_seq += 1
    state.emit(
        OrderReplaced(
            account.name, account.seq, market.name, order.order_id, _BUY, old_ticks, new_ticks,
            order.qty_lots, left, -released, market.market_seq, level_lots,
        )
    )  # fmt: skip
    level_lots = market.bids.add(order)
    account.seq += 1
    market.market_seq += 1
    state.emit(
        OrderRested(
            account.name, account.seq, market.name, order.order_id, _BUY, new_ticks, left,
            market.market_seq, level_lots,
        )
    )  # fmt: skip
    state.watch_book(market)


class Runners:
    """Carries out the commands that make outcome markets, add and remove runners."""

    def __init__(self, state: State, trading: Trading) -> None:
        self._state = state
        self._trading = trading

    def create(self, _: Account, command: CreateOutcomeMarket) -> Done:
        """Create a binary or odds market and its books after checking its numbers."""
        state, name = self._state, command.market
        odds = command.model == _ODDS
        books = [f"{name}:{runner}" for runner in command.runners] if odds else [name]
        for taken in (name, *books):
            if taken in state.markets or taken in state.outcome_markets:
                raise Refusal(Code.ALREADY_EXISTS, f"expected a new market, was {taken} which exists")
        self._refuse_full(len(books))
        state.asset_decimals(command.asset)
        if command.house:
            state.account(command.house)
        _check_numbers(command)
        spec = OutcomeMarketCreated(*command[3:])
        outcome = OutcomeMarket(state, spec, list(command.runners if odds else _OUTCOMES_OF_BINARY))
        state.outcome_markets[name] = outcome
        state.emit(spec)
        for runner, book in enumerate(books):
            self._add_book(outcome, book, runner, int(MarketState.OPEN))
        return _NOTHING

    def add_runner(self, _: Account, command: AddRunner) -> Done:
        """Carry out an AddRunner."""
        outcome = self._still(command.market)
        book = f"{outcome.name}:{command.runner}"
        if command.runner in outcome.runners:
            raise Refusal(Code.ALREADY_EXISTS, f"expected a new runner, was {command.runner} which exists")
        if len(outcome.runners) >= _RUNNERS_MAX:
            raise Refusal(
                Code.TOO_MANY_ENTRIES, f"expected fewer than {_RUNNERS_MAX} runners, was {_RUNNERS_MAX}"
            )
        self._refuse_full(1)
        if outcome.created_runners == 2:
            raise Refusal(
                Code.WRONG_MARKET_MODEL,
                f"expected a market created with three runners or more, was {outcome.name}",
            )
        runner = len(outcome.runners)
        outcome.runners.append(command.runner)
        outcome.live.append(runner)
        outcome.anew = 0
        self._state.emit(RunnerAdded(outcome.name, command.runner))
        self._add_book(outcome, book, runner, outcome.market_state)
        rules.restore_market(outcome.books[runner], rules.market_row(outcome.live_books[0]))
        offers.changed(self._state, outcome.books[0])
        begin(Adding(outcome), self._state, self._trading)
        return _NOTHING

    def remove_runner(self, _: Account, command: RemoveRunner) -> Done:
        """Carry out a RemoveRunner."""
        outcome = self._still(command.market)
        runner = outcome.runners.index(command.runner) if command.runner in outcome.runners else -1
        if runner not in outcome.live:
            raise Refusal(Code.UNKNOWN_RUNNER, f"expected a runner of {outcome.name}, was {command.runner}")
        if len(outcome.live) == 2:
            raise Refusal(
                Code.WRONG_MARKET_MODEL,
                f"expected three runners or more (void it instead), was {outcome.name}",
            )
        outcome.live.remove(runner)
        outcome.anew = 0
        self._state.emit(RunnerRemoved(outcome.name, command.runner, command.reduction_ppm))
        offers.changed(self._state, outcome.books[0])
        begin(Removal(outcome, runner, command.reduction_ppm), self._state, self._trading)
        return _NOTHING

    def turn_in_play(self, _: Account, command: TurnInPlay) -> Done:
        """Carry out a TurnInPlay: orders that do not persist are cancelled, new ones wait from now on."""
        outcome, state = outcome_market(self._state, command.market), self._state
        if outcome.market_state not in _LIVE:
            was = MarketState(outcome.market_state).name
            raise Refusal(Code.STATE_NOT_ALLOWED, f"expected OPEN, PRE_OPEN, HALTED or SUSPENDED, was {was}")
        if outcome.in_play:
            raise Refusal(Code.IN_PLAY_ALREADY, f"expected a market not in-play, was {outcome.name} in-play")
        refuse_busy(outcome, state)
        outcome.in_play = True
        outcome.bet_delay_ns = command.bet_delay_ns
        state.emit(InPlayTurned(outcome.name, command.bet_delay_ns))
        books, before_id = list(outcome.books), state.next_seq
        lapse = MassCancel(command.command_id, None, outcome.name, books, CancelReason.LAPSED, before_id)
        lapse.keeps_persistent = True
        lapse.start(state, self._trading)
        return _NOTHING

    def _still(self, name: str) -> OutcomeMarket:
        """Return an odds market in a state in which its runners may change, or refuse."""
        outcome = outcome_market(self._state, name)
        if outcome.model != _ODDS:
            raise Refusal(Code.WRONG_MARKET_MODEL, f"expected an odds market, was {name}")
        if outcome.market_state not in _STILL:
            was = MarketState(outcome.market_state).name
            raise Refusal(Code.STATE_NOT_ALLOWED, f"expected HALTED or SUSPENDED, was {was}")
        refuse_busy(outcome, self._state)
        return outcome

    def _refuse_full(self, books: int) -> None:
        count, count_max = len(self._state.markets), self._state.limits.markets_max
        if count + books > count_max:
            raise Refusal(
                Code.TOO_MANY_ENTRIES, f"expected at most {count_max} markets, was {count} and {books} more"
            )

    def _add_book(self, outcome: OutcomeMarket, name: str, runner: int, state: int) -> None:
        spec = outcome.spec
        odds = outcome.model == _ODDS
        ticks, decimals, price_max = (100, 2, 100_000) if odds else (10_000, 4, 9_999)
        created = MarketCreated(
            name, outcome.asset, outcome.asset, 1, decimals, spec.lot_atoms, spec.lot_atoms // ticks,
            price_max, spec.qty_lots_max, 0, 0, outcome.model, outcome.name, runner,
        )  # fmt: skip
        book = Market(created)
        book.outcome = outcome
        book.mark(state=state)
        outcome.books.append(book)
        self._state.add_book(book)
        self._state.emit(created)


def _check_numbers(command: CreateOutcomeMarket) -> None:
    """Refuse INVALID_MARKET where the numbers of a market do not go together."""
    odds, runners = command.model == _ODDS, command.runners
    unit, rest = divmod(command.lot_atoms, 100 if odds else 10_000)
    expected = was = ""
    if len(set(runners)) != len(runners) or not (2 <= len(runners) <= _RUNNERS_MAX if odds else not runners):
        expected, was = "2 to 64 different runners (odds) or none (binary)", str(runners)
    elif rest or not unit or command.lot_atoms < 1 or command.qty_lots_max < 1:
        expected, was = "lots of a multiple of 100 (odds) or 10000 (binary) atoms", str(command.lot_atoms)
    elif unit * _LARGEST_TICKS * command.qty_lots_max > INT_MAX:
        expected = f"the largest order within {INT_MAX} atoms"
        was = str(unit * _LARGEST_TICKS * command.qty_lots_max)
    if expected:
        raise Refusal(Code.INVALID_MARKET, f"expected {expected}, was {was}")
