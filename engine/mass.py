"""Mass cancels: work that may be too much for one transaction goes on in `Continue` commands.

Invariant: a transaction has at most ``events_per_transaction_max`` events; between two steps the account
(or market) is marked busy, so that nothing can be added to what is being cancelled.
"""

from bus.commands import AccountState, CancelAll, CancelMarket, SetAccountState
from bus.errors import Code
from bus.events import AccountStateChanged, CancelReason, MassCancelDone, MassCancelStarted

from .accounts import Account
from .book import Market, Order
from .state import Job, Refusal, State
from .trading import Done, Trading

_NOTHING: Done = (0, 0, 0)


class MassCancels:
    """Begins mass cancels and takes their next steps."""

    def __init__(self, state: State, trading: Trading) -> None:
        self._state = state
        self._trading = trading

    def cancel_all(self, account: Account, command: CancelAll) -> Done:
        """Carry out a CancelAll; O(events) a step."""
        market = self._state.market(command.market) if command.market else None
        if account.busy:
            raise _busy(account)
        self._begin(
            Job(account.name, command.command_id, account, market, CancelReason.MASS_CANCEL), account.name
        )
        return _NOTHING

    def cancel_market(self, operator: Account, command: CancelMarket) -> Done:
        """Carry out a CancelMarket; O(events) a step."""
        market = self._state.market(command.market)
        if market.busy:
            raise Refusal(
                Code.MARKET_BUSY, f"expected a market without mass cancel under way, was {market.name}"
            )
        self._begin(Job(operator.name, command.command_id, None, market, CancelReason.MARKET_CANCELLED), "")
        return _NOTHING

    def set_account_state(self, operator: Account, command: SetAccountState) -> Done:
        """Block an account and cancel its orders, or activate it."""
        account = self._state.account(command.target_account)
        account.mark(state=command.state)
        account.seq += 1
        self._state.emit(AccountStateChanged(account.name, account.seq, command.state))
        if command.state == AccountState.BLOCKED and not self._cancels_all_of(account):
            job = Job(operator.name, command.command_id, account, None, CancelReason.ACCOUNT_BLOCKED)
            self._begin(job, account.name)
        return _NOTHING

    def step(self) -> None:
        """Take the next step of the oldest job."""
        jobs = self._state.jobs
        if not jobs:
            raise Refusal(Code.INVALID_COMBINATION, "expected work to go on with, was none")
        if self._work(jobs[0]):
            _mark_busy(jobs.popleft(), -1)

    def _cancels_all_of(self, account: Account) -> bool:
        """Return whether all orders of an account are being cancelled already; O(jobs)."""
        return any(job.account is account and job.market is None for job in self._state.jobs)

    def _begin(self, job: Job, account_name: str) -> None:
        market = job.market.name if job.market is not None else ""
        self._state.emit(MassCancelStarted(account_name, job.command_id, market, job.reason))
        if not self._work(job):
            _mark_busy(job, 1)
            self._state.jobs.append(job)

    def _work(self, job: Job) -> bool:
        """Cancel orders up to the transaction's bound; return whether none is left."""
        events = self._state.events
        events_max = self._state.limits.events_per_transaction_max - 1
        while (order := _next_order(job)) is not None:
            if len(events) >= events_max:
                return False
            self._trading.cancel_order(order, job.reason)
            job.orders += 1
        market = job.market.name if job.market is not None else ""
        account_name = job.account.name if job.account is not None else ""
        self._state.emit(MassCancelDone(account_name, job.command_id, market, job.orders))
        return True


def _next_order(job: Job) -> Order | None:
    if job.account is None:
        assert job.market is not None
        return _first_of_book(job.market)
    if job.market is not None:
        chain = job.account.chains.get(job.market.name)
        return chain.first if chain is not None else None
    for chain in job.account.chains.values():
        if chain.first is not None:
            return chain.first
    return None


def _first_of_book(market: Market) -> Order | None:
    level = market.bids.best or market.asks.best
    return level.first if level is not None else None


def _mark_busy(job: Job, jobs: int) -> None:
    """Count one job more or less for the account or market."""
    if job.account is not None:
        job.account.mark(busy=job.account.busy + jobs)
    else:
        assert job.market is not None
        job.market.mark(busy=job.market.busy + jobs)


def _busy(account: Account) -> Refusal:
    return Refusal(
        Code.ACCOUNT_BUSY, f"expected an account without mass cancel under way, was {account.name}"
    )
