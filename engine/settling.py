"""The end of an outcome market, and trades that are undone: settle, void, void trades.

Invariants: what some accounts win, others lose, to the atom: the results that a settlement pays add up to 0,
and what the rounding of a dead heat leaves goes to one account; a trade is undone once at most, for both
sides alike.

Each is a job of bounded steps: a step ends when its transaction has no room for the next event, or when it
has looked at ``events_per_transaction_max`` trades and accounts.
"""

from typing import Any, Final

from bus.commands import MarketState, SettleMarket, VoidMarket, VoidTrades
from bus.errors import Code
from bus.events import CancelReason, MarketSettled, MarketStateChanged, PositionSettled, TradesVoided

from .accounts import Account
from .book import Market, Order
from .jobs import Job, begin
from .outcomes import NEVER, Bet, OutcomeMarket, Position, hold_anew, mark_short
from .state import Refusal, State
from .trading import Done, Trading

_NOTHING: Done = (0, 0, 0)
_PPM: Final = 1_000_000
_UNDOABLE: Final = (int(MarketState.HALTED), int(MarketState.SUSPENDED), int(MarketState.CLOSED))


class OutcomeJob(Job):
    """Work in an outcome market that may be too much for one transaction; until it is done that is busy."""

    __slots__ = ("outcome",)

    def __init__(self, outcome: OutcomeMarket) -> None:
        self.outcome = outcome

    def mark(self, jobs: int) -> None:
        """Count the job in (1) or out (-1) at every book of the market."""
        for book in self.outcome.books:
            book.mark(busy=book.busy + jobs)

    def holds_back(self, market: Market) -> bool:
        """Return whether triggered orders of a book wait until the job is done."""
        return market.outcome is self.outcome


class Settlement(OutcomeJob):
    """Pays every position of a market by its winners, or (none: voided) gives back what was held.

    ``rest_atoms``: what dividing a dead heat has left so far, times the number of winners.
    """

    __slots__ = ("accounts", "at", "rest_atoms", "winners")

    def __init__(self, outcome: OutcomeMarket, winners: tuple[int, ...]) -> None:
        super().__init__(outcome)
        self.winners = winners
        self.at = 0
        self.accounts = 0
        self.rest_atoms = 0

    def step(self, state: State, _: Trading) -> bool:
        """Settle as many accounts as fit into a transaction; return whether all are settled."""
        outcome, room = self.outcome, state.limits.events_per_transaction_max
        positions, last = outcome.positions, self._last(state)
        while self.at < len(positions):
            position = positions[self.at]
            if position.account is not last:
                if position.counts and len(state.events) + 3 > room:
                    return False
                del position.account.positions[outcome.name]
                if position.counts:
                    self._settle(position, state, False)
            self.at += 1
        if last is not None:
            position = last.positions.get(outcome.name) or Position(outcome, last)
            if position.counts or self.rest_atoms:
                if len(state.events) + 3 > room:
                    return False
                self._settle(position, state, True)
            last.positions.pop(outcome.name, position)
        self._end(state)
        return True

    def _last(self, state: State) -> Account | None:
        """Return the account that is settled last, with what the rounding of a dead heat leaves."""
        if self.outcome.house is not None:
            return self.outcome.house
        return state.fees if len(self.winners) > 1 else None

    def _settle(self, position: Position, state: State, last: bool) -> None:
        """Pay one account; the last one also gets what dividing has left."""
        outcome, account = self.outcome, position.account
        net = commission = 0
        if self.winners:
            results = position.results()
            net, rest = divmod(sum(results[k] for k in self.winners), len(self.winners))
            self.rest_atoms += rest
            if last:
                net += self.rest_atoms // len(self.winners)
            if net > 0 and account is not outcome.house and account is not state.fees:
                commission = net * outcome.commission_ppm // _PPM
        balance = account.balance(outcome.asset)
        balance.held -= position.held_atoms
        balance.available += position.held_atoms + net - commission
        state.fees.balance(outcome.asset).available += commission
        outcome.unpaid_atoms -= net
        account.seq += 1
        self.accounts += 1
        settled = (account.name, account.seq, outcome.name, position.held_atoms, net, commission)
        state.emit(PositionSettled(*settled))
        if balance.available < 0 or account.name in state.short:
            mark_short(account, state)

    def _end(self, state: State) -> None:
        outcome = self.outcome
        market_state = int(MarketState.SETTLED if self.winners else MarketState.VOIDED)
        names = tuple(outcome.runners[k] for k in self.winners)
        dust = self.rest_atoms // len(self.winners) if self.winners else 0
        assert outcome.unpaid_atoms == 0, "what some win, others lose"
        outcome.positions, outcome.bets = [], []
        for book in outcome.books:
            book.mark(state=market_state)
        state.emit(MarketSettled(outcome.name, names, self.accounts, dust))
        state.emit(MarketStateChanged(outcome.name, market_state))

    def row(self) -> tuple[Any, ...]:
        """Return the job as plain data."""
        return (self.outcome.name, self.winners, self.at, self.accounts, self.rest_atoms)


def restore_settlement(state: State, row: tuple[Any, ...]) -> Settlement:
    """Return the job of a row."""
    name, winners, at, accounts, rest_atoms = row
    job = Settlement(state.outcome_markets[name], tuple(winners))
    job.at, job.accounts, job.rest_atoms = at, accounts, rest_atoms
    return job


class Undoing(OutcomeJob):
    """Makes the trades from index ``at`` to before ``end`` void, then sets held funds anew."""

    __slots__ = ("at", "end")

    def __init__(self, outcome: OutcomeMarket, at: int, end: int) -> None:
        super().__init__(outcome)
        self.at = at
        self.end = end

    def step(self, state: State, trading: Trading) -> bool:
        """Make trades void, then hold for accounts anew, as many as fit; return whether all is done."""
        outcome, looked_max = self.outcome, state.limits.events_per_transaction_max
        looked = 0
        while self.at < self.end:
            if looked == looked_max:
                return False
            if not outcome.bets[self.at].void:
                make_void(outcome.bets[self.at], outcome)
                looked += 1
            self.at += 1
        return all_anew(outcome, state, trading, looked)

    def row(self) -> tuple[Any, ...]:
        """Return the job as plain data."""
        return (self.outcome.name, self.at, self.end)


def restore_undoing(state: State, row: tuple[Any, ...]) -> Undoing:
    """Return the job of a row."""
    name, at, end = row
    return Undoing(state.outcome_markets[name], at, end)


# ---- what removing and adding runners does too ----------------------------------------------------------


def make_void(bet: Bet, outcome: OutcomeMarket) -> None:
    """Take a bet's results away from both sides; what they hold stays, until it is set anew."""
    name = outcome.name
    bet.backer.positions[name].bet(bet.runner, -bet.win_atoms, -bet.stake_atoms)
    bet.layer.positions[name].bet(bet.runner, bet.win_atoms, bet.stake_atoms)
    bet.win_atoms = bet.stake_atoms = 0
    bet.void = True


def all_anew(outcome: OutcomeMarket, state: State, trading: Trading, looked: int) -> bool:
    """Hold for accounts anew as long as there is room; return whether all are done.

    Orders of an account whose funds do not suffice are cancelled first.
    """
    room = state.limits.events_per_transaction_max
    positions = outcome.positions
    while outcome.anew < len(positions):
        if looked >= room:
            return False
        position = positions[outcome.anew]
        account = position.account
        position.fit()
        order = _first_order(outcome, account)
        if order is not None and not outcome.cancels_for_funds:
            rise = position.worst_case() - position.held_atoms
            lacks = rise > 0 and rise > account.balance(outcome.asset).available
            outcome.cancels_for_funds = lacks and not account.unfunded
        if order is not None and outcome.cancels_for_funds:
            if len(state.events) + 2 > room:
                return False
            trading.cancel_order(order, CancelReason.FUNDS)
            continue
        if len(state.events) + 1 > room:
            return False
        outcome.cancels_for_funds = False
        hold_anew(position, state)
        if position.told_atoms or account.name in state.short:
            mark_short(account, state)
        outcome.anew += 1
        looked += 1
    outcome.anew = NEVER
    return True


def _first_order(outcome: OutcomeMarket, account: Account) -> Order | None:
    for book in outcome.books:
        chain = account.chains.get(book.name)
        if chain is not None and chain.first is not None:
            return chain.first
    return None


def outcome_market(state: State, name: str) -> OutcomeMarket:
    """Return an outcome market that no work is under way in, or refuse."""
    outcome = state.outcome_markets.get(name)
    if outcome is None:
        state.market(name)
        raise Refusal(Code.WRONG_MARKET_MODEL, f"expected an outcome market, was {name}")
    return outcome


def refuse_busy(outcome: OutcomeMarket, state: State) -> None:
    """Refuse MARKET_BUSY while a change of runners, a void of trades or the settlement is under way."""
    if any(isinstance(job, OutcomeJob) and job.outcome is outcome for job in state.jobs):
        raise Refusal(Code.MARKET_BUSY, f"expected a market without work under way, was {outcome.name}")


class Settling:
    """Carries out the commands that end a market or undo trades."""

    def __init__(self, state: State, trading: Trading) -> None:
        self._state = state
        self._trading = trading

    def settle_market(self, _: Account, command: SettleMarket) -> Done:
        """Carry out a SettleMarket."""
        outcome = self._closed(command.market)
        if not command.winners:
            raise Refusal(Code.NO_WINNER, "expected at least one winner, was none (void it instead)")
        winners: list[int] = []
        for name in command.winners:
            runner = outcome.runners.index(name) if name in outcome.runners else -1
            if runner not in outcome.live or runner in winners:
                raise Refusal(
                    Code.UNKNOWN_RUNNER, f"expected runners of {outcome.name} once each, was {name}"
                )
            winners.append(runner)
        begin(Settlement(outcome, tuple(winners)), self._state, self._trading)
        return _NOTHING

    def void_market(self, _: Account, command: VoidMarket) -> Done:
        """Carry out a VoidMarket."""
        begin(Settlement(self._closed(command.market), ()), self._state, self._trading)
        return _NOTHING

    def void_trades(self, _: Account, command: VoidTrades) -> Done:
        """Carry out a VoidTrades."""
        outcome = outcome_market(self._state, command.market)
        if outcome.market_state not in _UNDOABLE:
            name = MarketState(outcome.market_state).name
            raise Refusal(Code.STATE_NOT_ALLOWED, f"expected HALTED, SUSPENDED or CLOSED, was {name}")
        refuse_busy(outcome, self._state)
        if command.from_ns >= command.to_ns:
            was = f"{command.from_ns} and {command.to_ns}"
            raise Refusal(Code.INVALID_COMBINATION, f"expected from_ns before to_ns, was {was}")
        at, end = outcome.bets_between(command.from_ns, command.to_ns)
        trades = sum(1 for index in range(at, end) if not outcome.bets[index].void)
        outcome.anew = 0
        self._state.emit(TradesVoided(outcome.name, command.from_ns, command.to_ns, trades))
        begin(Undoing(outcome, at, end), self._state, self._trading)
        return _NOTHING

    def _closed(self, name: str) -> OutcomeMarket:
        outcome = outcome_market(self._state, name)
        if outcome.market_state != MarketState.CLOSED:
            was = MarketState(outcome.market_state).name
            raise Refusal(Code.MARKET_NOT_CLOSED, f"expected {name} to be CLOSED, was {was}")
        refuse_busy(outcome, self._state)
        return outcome
