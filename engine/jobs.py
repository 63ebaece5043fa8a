"""Work that may be too much for one transaction: it goes on, one step each, in `Continue` commands.

Invariant: a step makes at most ``events_per_transaction_max`` events; between two steps of a job, what it
works on is marked busy, so that nothing comes in its way; jobs take turns.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .book import Market
    from .state import State
    from .trading import Trading


class Job:
    """Work that goes on in steps."""

    __slots__ = ()

    def step(self, state: "State", trading: "Trading") -> bool:
        """Do what fits into the transaction at hand; return whether all is done."""
        raise NotImplementedError

    def mark(self, jobs: int) -> None:
        """Count the job in (1) or out (-1) at everything that it makes busy."""
        raise NotImplementedError

    def holds_back(self, market: "Market") -> bool:
        """Return whether triggered orders of a book wait until the job is done."""
        raise NotImplementedError

    def row(self) -> tuple[Any, ...]:
        """Return the job as plain data."""
        raise NotImplementedError


def begin(job: Job, state: "State", trading: "Trading") -> None:
    """Take a job's first step, as part of the transaction at hand; what is left is done by `Continue`."""
    if not job.step(state, trading):
        job.mark(1)
        state.jobs.append(job)


def check(state: "State") -> None:
    """Verify that exactly what jobs and queues of triggered orders make busy is marked so."""
    for job in state.jobs:
        job.mark(-1)
    for account in state.accounts.values():
        assert account.busy == 0, account.name
    for market in state.books:
        assert market.busy == (market.stops is not None and market.stops.busy), market.name
    for job in state.jobs:
        job.mark(1)


def step_first(state: "State", trading: "Trading") -> None:
    """Take the next step of the job whose turn it is; a job with something left goes to the back."""
    jobs = state.jobs
    job = jobs.popleft()
    if job.step(state, trading):
        job.mark(-1)
    else:
        jobs.append(job)
