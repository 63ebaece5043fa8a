"""Mass cancels: of an account, a market, an order group, or of what matches a filter.

Invariant: a mass cancel cancels exactly the orders that match and were accepted before it began, however its
work is divided into transactions; until it has ended, what it names takes no orders.
"""

from collections.abc import Iterator
from typing import Any

from bus.commands import (
    INT_MAX,
    AccountState,
    CancelAfter,
    CancelAll,
    CancelMarket,
    CancelMatching,
    CancelWhere,
    SetAccountState,
)
from bus.errors import Code
from bus.events import (
    AccountStateChanged,
    CancelAfterSet,
    CancelReason,
    MassCancelDone,
    MassCancelStarted,
)

from . import jobs
from .accounts import Account, Chain
from .book import Half, Market, Order
from .groups import Group
from .jobs import Job
from .state import Refusal, State
from .timers import CANCEL_AFTER
from .trading import Done, Trading

_NOTHING: Done = (0, 0, 0)


class MassCancel(Job):
    """Cancels all open orders that match all that is given.

    Parameters
    ----------
    command_id
        The id of the command that began it, or "".
    account
        Of this account alone, in the order in which its orders were accepted, book by book.
    name, books
        In these books alone, which the name stands for ("": all); without account the best price first,
        then what waits by order id.
    before_id
        Only orders with an id below this.
    """

    __slots__ = ("account", "before_id", "books", "command_id", "group", "high_ticks", "keeps_persistent",
                 "low_ticks", "name", "orders", "reason", "side")  # fmt: skip

    def __init__(
        self,
        command_id: str,
        account: Account | None,
        name: str,
        books: list[Market],
        reason: int,
        before_id: int,
    ) -> None:
        self.command_id = command_id
        self.account = account
        self.name = name
        self.books = books
        self.reason = reason
        self.before_id = before_id
        self.side = 0
        self.low_ticks = 0
        self.high_ticks = 0
        self.group: Group | None = None
        self.keeps_persistent = False
        """Whether orders stay that persist at the turn in-play."""
        self.orders = 0
        """Cancelled so far."""

    @property
    def is_plain(self) -> bool:
        """Whether it cancels all orders of its account."""
        filtered = self.books or self.side or self.low_ticks or self.high_ticks or self.group is not None
        return not filtered

    def names(self, books: list[Market]) -> bool:
        """Return whether it is of one of these books, whoever's orders."""
        return self.account is None and any(book in self.books for book in books)

    def step(self, state: State, trading: Trading) -> bool:
        """Cancel orders up to the transaction's bound; return whether none is left."""
        events, open_orders, cancels = state.events, state.orders, trading.cancels
        room = state.limits.events_per_transaction_max - self._ending()
        for order in self._matching(state):
            if order.order_id not in open_orders:
                continue  # The other order of its pair took it along.
            paired = order.terms is not None and order.terms.pair is not None
            if len(events) + (2 if paired else 1) > room:
                return False
            cancels.cancel_order(order, self.reason)
            self.orders += 1
        self._end(state)
        return True

    def _ending(self) -> int:
        """Return how many events end it."""
        return 1

    def _end(self, state: State) -> None:
        """Tell that it has ended."""
        account = self.account.name if self.account is not None else ""
        state.emit(MassCancelDone(account, self.command_id, self.name, self.orders))

    def start(self, state: State, trading: Trading) -> None:
        """Tell that it begins, and do its first part."""
        account = self.account.name if self.account is not None else ""
        state.emit(MassCancelStarted(account, self.command_id, self.name, self.reason))
        jobs.begin(self, state, trading)

    def mark(self, jobs: int) -> None:
        """Count the job in (1) or out (-1) at its account (not for a group), else at the books it names."""
        if self.account is not None:
            if self.group is None:
                self.account.mark(busy=self.account.busy + jobs)
            return
        for book in self.books:
            book.mark(busy=book.busy + jobs)

    def holds_back(self, market: Market) -> bool:
        """Return whether triggered orders of a book wait until the job is done."""
        return self.names([market])

    def _matching(self, state: State) -> Iterator[Order]:
        """Yield what matches; each may be cancelled before the next is asked for."""
        if self.account is not None:
            for chain in self._chains(self.account):
                order = chain.first
                while order is not None:
                    if self._matches(order):
                        yield order
                    order = order.own_after
            return
        for book in self.books or list(state.markets.values()):
            if book.bids.best is None and book.asks.best is None and book.stops is None:
                continue
            if self.side != 2:
                yield from self._in_half(book.bids)
            if self.side != 1:
                yield from self._in_half(book.asks)
            if book.stops is not None:
                yield from [order for order in book.stops.orders.values() if self._matches(order)]

    def _chains(self, account: Account) -> list[Chain]:
        if not self.books:
            return list(account.chains.values())
        return [account.chains[book.name] for book in self.books if book.name in account.chains]

    def _in_half(self, half: Half) -> Iterator[Order]:
        """Yield what matches on one side of a book; O(log levels) a level, others are not looked at."""
        ladder, low, high = half.ladder, self.low_ticks, self.high_ticks or INT_MAX
        least, most = (low, high) if half.sign > 0 else (-high, -low)
        key = ladder.next_key(least)
        while key is not None and key <= most:
            level = ladder.get(key)
            assert level is not None
            order = level.first
            while order is not None:
                if self._matches(order):
                    yield order
                order = order.after
            key = ladder.next_key(key + 1)

    def _matches(self, order: Order) -> bool:
        terms = order.terms
        if order.order_id >= self.before_id or (self.side and order.side != self.side):
            return False
        if self.group is not None and (
            terms is None or terms.group is not self.group or not self.group.lots_max
        ):
            return False
        if self.keeps_persistent and terms is not None and terms.persists:
            return False
        if not self.low_ticks and not self.high_ticks:
            return True
        price = order.price_ticks
        if not price:
            if terms is None or not terms.trigger:
                return False
            price = terms.trigger_ticks  # a trailing one's may be 0 or below
        if self.low_ticks and price < self.low_ticks:
            return False
        return not self.high_ticks or price <= self.high_ticks

    def row(self) -> tuple[Any, ...]:
        """Return the job as plain data."""
        group, account = self.group, self.account
        return (
            self.command_id, account.name if account is not None else "", self.name,
            tuple(book.name for book in self.books), self.reason, self.before_id, self.side, self.low_ticks,
            self.high_ticks, group.name if group is not None and group.lots_max else "", group is not None,
            self.keeps_persistent, self.orders,
        )  # fmt: skip


def restore_mass_cancel(state: State, row: tuple[Any, ...]) -> MassCancel:
    """Return the mass cancel of a row."""
    command_id, name, market, books, reason, before_id, *rest = row
    account = state.accounts[name] if name else None
    job = MassCancel(command_id, account, market, [state.markets[b] for b in books], reason, before_id)
    job.side, job.low_ticks, job.high_ticks, group, of_group, job.keeps_persistent, job.orders = rest
    if of_group:
        assert account is not None
        job.group = account.groups[group] if group else Group(account, "", 0, 0)
    return job


class MassCancels:
    """Carries out the commands that cancel many orders."""

    def __init__(self, state: State, trading: Trading) -> None:
        self._state = state
        self._trading = trading

    def cancel_all(self, account: Account, command: CancelAll) -> Done:
        """Carry out a CancelAll; O(events) a step."""
        books = self._books(command.market)
        _refuse_busy(account)
        job = self._new(command.command_id, account, command.market, books, CancelReason.MASS_CANCEL)
        return self._start(job)

    def cancel_market(self, _: Account, command: CancelMarket) -> Done:
        """Carry out a CancelMarket; O(events) a step."""
        books = self._books(command.market)
        if any(isinstance(job, MassCancel) and job.names(books) for job in self._state.jobs):
            raise Refusal(
                Code.MARKET_BUSY, f"expected a market without mass cancel under way, was {command.market}"
            )
        job = self._new(command.command_id, None, command.market, books, CancelReason.MARKET_CANCELLED)
        return self._start(job)

    def cancel_matching(self, account: Account, command: CancelMatching) -> Done:
        """Carry out a CancelMatching; O(the account's open orders) a step."""
        books = self._books(command.market)
        _check_range(command.price_low_ticks, command.price_high_ticks)
        _refuse_busy(account)
        job = self._new(command.command_id, account, command.market, books, CancelReason.MASS_CANCEL)
        return self._start(_filtered(job, command))

    def cancel_where(self, _: Account, command: CancelWhere) -> Done:
        """Carry out a CancelWhere, which is never refused as busy; O(what may match) a step."""
        account = self._state.account(command.target_account) if command.target_account else None
        books = self._books(command.market)
        _check_range(command.price_low_ticks, command.price_high_ticks)
        job = self._new(command.command_id, account, command.market, books, CancelReason.MASS_CANCEL)
        return self._start(_filtered(job, command))

    def set_account_state(self, _: Account, command: SetAccountState) -> Done:
        """Block an account and cancel its orders, or activate it."""
        account = self._state.account(command.target_account)
        account.mark(state=command.state)
        account.seq += 1
        self._state.emit(AccountStateChanged(account.name, account.seq, command.state))
        if command.state == AccountState.BLOCKED and not self._cancels_all_of(account):
            self._start(self._new(command.command_id, account, "", [], CancelReason.ACCOUNT_BLOCKED))
        return _NOTHING

    def cancel_after(self, account: Account, command: CancelAfter) -> Done:
        """Set, set anew or end an account's dead-man timer; O(log timers)."""
        timers = self._state.timers
        due_ns = self._state.now_ns + command.timeout_ns if command.timeout_ns else 0
        account.cancel_after_ns = due_ns
        if due_ns:
            timers.set(due_ns, CANCEL_AFTER, account.name)
        else:
            timers.clear(CANCEL_AFTER, account.name)
        account.seq += 1
        self._state.emit(CancelAfterSet(account.name, account.seq, due_ns))
        return _NOTHING

    def cancel_after_due(self, account: Account) -> None:
        """Begin the mass cancel of an account whose dead-man timer is due."""
        account.cancel_after_ns = 0
        self._start(self._new("", account, "", [], CancelReason.CANCEL_AFTER))

    def tripped(self, group: Group) -> None:
        """Begin the mass cancel of an order group that has tripped."""
        job = self._new("", group.account, "", [], CancelReason.GROUP_TRIPPED)
        job.group = group
        self._start(job)

    def _new(
        self, command_id: str, account: Account | None, name: str, books: list[Market], reason: int
    ) -> MassCancel:
        return MassCancel(command_id, account, name, books, reason, self._state.next_seq)

    def _start(self, job: MassCancel) -> Done:
        job.start(self._state, self._trading)
        return _NOTHING

    def _cancels_all_of(self, account: Account) -> bool:
        """Return whether all orders of an account are being cancelled already; O(jobs)."""
        return any(
            isinstance(job, MassCancel) and job.account is account and job.is_plain
            for job in self._state.jobs
        )

    def _books(self, name: str) -> list[Market]:
        """Return the books that a name stands for, none for "": a book, or all of an odds market."""
        if not name:
            return []
        outcome = self._state.outcome_markets.get(name)
        if outcome is not None:
            return list(outcome.books)
        return [self._state.market(name)]


def _filtered(job: MassCancel, command: CancelMatching | CancelWhere) -> MassCancel:
    job.side, job.low_ticks = command.side, command.price_low_ticks
    job.high_ticks = command.price_high_ticks
    return job


def _check_range(low_ticks: int, high_ticks: int) -> None:
    if high_ticks and low_ticks > high_ticks:
        raise Refusal(
            Code.INVALID_COMBINATION,
            f"expected a lowest price at or below the highest, was {low_ticks} and {high_ticks}",
        )


def _refuse_busy(account: Account) -> None:
    if account.busy:
        raise Refusal(
            Code.ACCOUNT_BUSY, f"expected an account without mass cancel under way, was {account.name}"
        )


def check(account: Account, state: State) -> None:
    """Verify an account's dead-man timer."""
    assert state.timers.is_set(CANCEL_AFTER, account.name) == (account.cancel_after_ns > 0)
