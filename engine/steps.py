"""What comes behind a command, and what a `Continue` does: one step after the other, in a fixed order.

Invariant: the order is that of the section "Steps" in ``docs/concepts/orders.md``: follow-ups, then what is
due by time, then a step of the job whose turn it is; the same on every replay.
"""

from bus.errors import Code
from bus.events import CancelReason

from . import auction, jobs, offers, outcomes, waiting
from .book import Order
from .mass import MassCancels
from .state import Refusal, State
from .timers import BET_DELAY, CANCEL_AFTER, EXPIRY, INDICATION, OFFERS, Due
from .trading import Trading


class Steps:
    """Takes the steps that no client asks for.

    Parameters
    ----------
    state, trading, mass
        What the steps work on.
    """

    def __init__(self, state: State, trading: Trading, mass: MassCancels) -> None:
        self._state = state
        self._trading = trading
        self._mass = mass

    def settle(self) -> None:
        """Look at what a transaction has touched, as its end: triggers, indications, offers, shortfalls."""
        state = self._state
        if state.touched:
            waiting.look(state)
        if state.changed:
            for market in state.changed.values():
                if market.gathering:
                    auction.changed(state, market)
                if market.outcome is not None:
                    offers.changed(state, market)
            state.changed.clear()
        if state.short:
            outcomes.pay_shortfalls(state)

    def mark_busy(self) -> None:
        """Mark the books busy that have triggered orders left."""
        waiting.mark_busy(self._state)

    def has_follow_up(self) -> bool:
        """Return whether something is to come right behind the command at hand."""
        state = self._state
        return bool(state.trips) or (bool(state.triggered) and waiting.next_triggered(state) is not None)

    def follow_up(self) -> bool:
        """Do the next follow-up, if there is one: a tripped group's mass cancel, or a triggered order."""
        state = self._state
        if state.trips:
            self._mass.tripped(state.trips.popleft())
            return True
        order = waiting.next_triggered(state) if state.triggered else None
        if order is None:
            return False
        self._go_live(order)
        return True

    def _go_live(self, order: Order) -> None:
        waiting.leave(self._state, order)
        self._trading.go_live(order)

    def next_due_ns(self) -> int:
        """Return when a `Continue` is next due: 0 at once, -1 never."""
        state = self._state
        if state.jobs or self.has_follow_up() or waiting.has_late(state):
            return 0
        due = state.timers.first()
        return due[0] if due is not None else -1

    def go_on(self) -> None:
        """Take one step: a left-over follow-up, what is due by time, or a step of a job.

        Raises
        ------
        Refusal
            INVALID_COMBINATION when there is none.
        """
        state = self._state
        if self.follow_up() or self._due():
            return
        if not state.jobs:
            raise Refusal(Code.INVALID_COMBINATION, "expected work to go on with, was none")
        jobs.step_first(state, self._trading)

    def _due(self) -> bool:
        """Do what is due by time, as far as it belongs into one transaction; return whether there was any."""
        state = self._state
        events, room = state.events, state.limits.events_per_transaction_max
        if state.overdue:
            waiting.recall_late(state)
        first_kind = 0
        while (due := state.timers.first()) is not None and due[0] <= state.now_ns:
            kind = due[1]
            alone = kind in (CANCEL_AFTER, BET_DELAY)
            if events and (alone or kind != first_kind or len(events) + 2 > room):
                break
            first_kind = kind
            state.timers.pop()
            self._do_due(due)
            if alone and events:
                break
        return bool(events)

    def _do_due(self, due: Due) -> None:
        """Do one thing that is due."""
        state, (due_ns, kind, key) = self._state, due
        if isinstance(key, str):
            self._mass.cancel_after_due(state.accounts[key])
        elif kind == INDICATION:
            auction.indicate(state, state.books[key])
        elif kind == OFFERS:
            offers.tell(state, self._trading.crossing, state.books[key], due_ns)
        elif kind == EXPIRY:
            order = state.orders.get(key)
            if order is not None:
                self._trading.cancel_order(order, CancelReason.EXPIRED)
        elif kind == BET_DELAY:
            order = state.orders[key]
            if waiting.may_go(state, order.market):
                self._go_live(order)
            else:
                waiting.put_off(state, order, due_ns)
