"""The exchange as a pure function of its commands: ``execute(command, now_ns) -> events``.

Invariant: deterministic. The same commands at the same times give the same events, in any process: no
clock, socket, file, random number, ``hash()`` or iteration over a set is in here. A command is refused
whole or carried out whole, and every asset is conserved to the atom after each.

Usable in-process, without any of the venue's processes::

    from bus.commands import CreateAccount, CreateAsset, CreateMarket, Deposit, PlaceOrder
    from engine.exchange import Exchange

    exchange = Exchange()
    until = 10**9
    exchange.execute(CreateAsset("1", "operator", until, "BTC", 8), now_ns=1)
    exchange.execute(CreateAsset("2", "operator", until, "USD", 2), now_ns=1)
    exchange.execute(
        CreateMarket("3", "operator", until, "BTC-USD", "BTC", "USD", 1, 0, 10**6, 10**6, 10**6, 0, 0),
        now_ns=1,
    )
    exchange.execute(CreateAccount("4", "operator", until, "ann"), now_ns=1)
    exchange.execute(Deposit("5", "operator", until, "ann", "USD", 100_000), now_ns=1)
    events = exchange.execute(
        PlaceOrder("a", "ann", until, "BTC-USD", 1, 1, 1, False, 100, 5, 0), now_ns=2
    )
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from bus import commands as c
from bus.codec import check_command, encode_command
from bus.errors import Code, FormError
from bus.events import (
    EVENT_CLASSES,
    Answer,
    BatchDone,
    CommandRejected,
    CommandRepeated,
    EngineStarted,
    Event,
    LinkOpened,
)

from . import checks
from .accounts import Account, Kept
from .admin import Admin
from .batches import Batches
from .cashout import CashOuts
from .groups import Groups
from .mass import MassCancels
from .openings import Openings
from .pairs import Pairs
from .rules import Rules
from .runners import Runners
from .settling import Settling
from .state import RULES_VERSION, Array, Limits, Refusal, State
from .steps import Steps
from .trading import Done, Trading

_DUE_PER_COMMAND_MAX = 4

Handler = Callable[[Account, Array], Done]
EventHandler = Callable[[int, Event], None]


class Exchange:
    """A whole exchange in memory.

    Parameters
    ----------
    limits
        What bounds one command's work and the state's size.
    state
        An earlier state to go on from (see `engine.image`); by default an empty exchange.

    Attributes
    ----------
    may_follow
        Whether follow-ups may come behind the command executed last: not behind what was not executed.
    """

    def __init__(self, limits: Limits | None = None, state: State | None = None) -> None:
        self.state = state or State(limits or Limits())
        self._trading = trading = Trading(self.state)
        mass = MassCancels(self.state, trading)
        self._steps = Steps(self.state, trading, mass)
        self._handlers: dict[int, Handler] = {_number(c.PlaceAdvanced): trading.place}
        for cls, handler in _cold_handlers(self.state, trading, mass).items():
            self._handlers[_number(cls)] = _typed(cls, handler)
        self._listeners: list[EventHandler] = []
        self.may_follow = False

    @property
    def next_seq(self) -> int:
        """The seq that the next event will have; the first event of all has 1."""
        return self.state.next_seq

    @property
    def has_work(self) -> bool:
        """Whether a `Continue` has something to do at once."""
        return bool(self.state.jobs) or self._steps.has_follow_up()

    def next_due_ns(self) -> int:
        """Return when the exchange next wants a `Continue` (UTC ns): 0 at once, -1 never."""
        return self._steps.next_due_ns()

    def subscribe(self, handler: EventHandler) -> None:
        """Call ``handler(seq, event)`` for every event from now on, in order, after its command is done."""
        self._listeners.append(handler)

    def execute(self, command: c.Command, now_ns: int) -> list[Event]:
        """Execute one command; return its events, at least one, and those of its follow-ups.

        Parameters
        ----------
        command
            Any command. Refusals are events (`CommandRejected`), never exceptions.
        now_ns
            UTC nanoseconds; must not be below an earlier call's.
        """
        events = self.execute_array(encode_command(command), now_ns)
        self._add_follow_ups(events, now_ns)
        return _events(events)

    def execute_linked(
        self, gateway: int, lane: int, link: int, number: int, fields: object, now_ns: int
    ) -> list[Event]:
        """Execute a command's wire array that came as ``number`` of a gateway's link.

        Out of turn it is refused (`LINK_GAP`) and not executed; of bad form it takes its number and is
        refused with the form's code.
        """
        events = self.execute_linked_array(gateway, lane, link, number, fields, now_ns)
        self._add_follow_ups(events, now_ns)
        return _events(events)

    def execute_array(self, fields: Array, now_ns: int) -> list[Array]:
        """Execute a command given as its wire array, and return its events as theirs: `execute`, faster.

        The array's form is trusted (`bus.codec.check_command` checks it). Follow-ups are left to `follow_up`.
        """
        state = self.state
        events = self._begin(now_ns)
        number: int = fields[0]
        if number > _TRADING_MAX and number in _INTERNAL:
            self._execute_internal(fields)
            self._finish()
            self.end_follow_ups()
        else:
            self.may_follow = True
            due_ids = state.due_ids
            if now_ns >= due_ids.due_ns:
                self._forget_due(now_ns)
            command_id: str = fields[1]
            name: str = fields[2]
            valid_until_ns: int = fields[3]
            account = state.accounts.get(name)
            limits = state.limits
            if (
                account is None
                or not 0 <= valid_until_ns - now_ns <= limits.command_validity_ns_max
                or (number > _TRADING_MAX and number in _ADMIN and name != _OPERATOR)
            ):
                self._refuse_entry(fields)
            elif command_id in (ids := account.ids):
                self._repeat(ids[command_id], fields)
            elif len(ids) >= limits.ids_per_account_max:
                self._refuse_more_ids(fields)
            else:
                seq = state.next_seq
                try:
                    if number == _PLACE:
                        order_id, filled, left = self._trading.place(account, fields)
                    elif number == _CANCEL:
                        order_id, filled, left = self._trading.cancel(account, fields)
                    else:
                        order_id, filled, left = self._handlers[number](account, fields)
                    kept = Kept(account, fields, 0, seq, order_id, filled, left, "")
                except Refusal as refusal:
                    self._reject(fields, refusal.code, refusal.detail)
                    kept = Kept(account, fields, int(refusal.code), seq, 0, 0, 0, refusal.detail)
                ids[command_id] = kept
                due_ids.add(kept, valid_until_ns)
            self._finish()
        return events

    def follow_up(self, now_ns: int) -> list[Array] | None:
        """Do the next follow-up of a command; return its events, or None when there is none.

        Behind a command, where ``may_follow``, callers do up to ``follow_ups_per_command_max`` of them and
        then `end_follow_ups`; the rest is for `Continue`.
        """
        if not self._steps.has_follow_up():
            return None
        events = self._begin(now_ns)
        self._steps.follow_up()
        self._finish()
        return events

    def _add_follow_ups(self, events: list[Array], now_ns: int) -> None:
        if not self.may_follow:
            return
        for _ in range(self.state.limits.follow_ups_per_command_max):
            more = self.follow_up(now_ns)
            if more is None:
                break
            events += more
        self.end_follow_ups()

    def end_follow_ups(self) -> None:
        """Say that the follow-ups behind a command are done: books with some left are busy until then."""
        if self.state.triggered:
            self._steps.mark_busy()

    def _begin(self, now_ns: int) -> list[Array]:
        """Begin a transaction."""
        state = self.state
        if now_ns < state.now_ns:
            raise AssertionError(f"expected a time from {state.now_ns} on, was {now_ns}")
        state.now_ns = now_ns
        events: list[Array] = []
        state.events = events
        self.may_follow = False
        return events

    def _finish(self) -> None:
        """End a transaction: look at what it has touched, and count its events."""
        state = self.state
        if state.touched or state.changed or state.short:
            self._steps.settle()
        state.next_seq += len(state.events)
        if self._listeners:
            self._notify(state.events)

    def execute_linked_array(
        self, gateway: int, lane: int, link: int, number: int, fields: object, now_ns: int
    ) -> list[Array]:
        """Execute like `execute_linked`, and return the events as their wire arrays."""
        key = (gateway, lane)
        at = self.state.links.get(key, _NO_LINK)
        if link == at[0] and number == at[1] + 1:
            self.state.links[key] = (link, number)
            try:
                checked = check_command(fields)
            except FormError as error:
                return self._refuse(error.code, error.detail, now_ns)
            if checked[0] in _INTERNAL:
                detail = f"expected an outside command, was {c.COMMAND_CLASSES[checked[0]].__name__}"
                return self._refuse(Code.UNSUPPORTED_TYPE, detail, now_ns)
            return self.execute_array(checked, now_ns)
        opens = type(fields) is tuple and fields == _OPEN_LINK
        if opens and link > at[0] and number == 1:
            return self._open_link(gateway, lane, link, now_ns)
        expected = f"number {at[1] + 1} of link {at[0]} or OpenLink as number 1 of a later link"
        return self._refuse(Code.LINK_GAP, f"expected {expected}, was number {number} of link {link}", now_ns)

    def book_levels(self, market: str) -> list[tuple[int, int, int, int]]:
        """Return ``(side, price_ticks, level_lots, orders)`` of every level: bids, then asks, best first."""
        book = self.state.markets[market]
        return [
            (int(side), level.price_ticks, level.lots, level.count)
            for side, half in ((c.Side.BUY, book.bids), (c.Side.SELL, book.asks))
            for level in half.levels()
        ]

    def balances(self, account: str) -> dict[str, tuple[int, int]]:
        """Return ``{asset: (available, held)}`` in atoms."""
        balances = self.state.accounts[account].balances
        return {asset: (balance.available, balance.held) for asset, balance in balances.items()}

    def open_orders(self, account: str) -> list[tuple[int, str, str, int, int, int, int]]:
        """Return ``(order_id, client_order_id, market, side, price, qty, left)`` by order id."""
        rows = [
            (o.order_id, o.client_order_id, o.market.name, o.side, o.price_ticks, o.qty_lots, o.total_left)
            for chain in self.state.accounts[account].chains.values()
            for o in chain
        ]
        return sorted(rows)

    def answer(self, account: str, command_id: str) -> Answer | None:
        """Return the answer kept under an id of an account, if any."""
        owner = self.state.accounts.get(account)
        kept = owner.ids.get(command_id) if owner is not None else None
        return kept.answer if kept is not None else None

    def _check(self) -> None:
        """Verify every invariant of the state; O(state). For tests and `zeropit journal verify`."""
        checks.check_state(self.state)

    def _refuse_more_ids(self, fields: Array) -> None:
        ids_max = self.state.limits.ids_per_account_max
        self._reject(fields, Code.TOO_MANY_IDS, f"expected fewer than {ids_max} ids kept, was {ids_max}")

    def _forget_due(self, now_ns: int) -> None:
        """Take a few due ids out of the queue; forget those whose order is not open."""
        state = self.state
        for _ in range(_DUE_PER_COMMAND_MAX):
            due = state.due_ids.pop_due(now_ns)
            if due is None:
                return
            command_id = due.fields[1]
            number: int = due.fields[0]
            if number in (_PLACE, _ADVANCED) and due.order_id in state.orders:
                due.account.lingering[command_id] = None
            else:
                del due.account.ids[command_id]
                if number == _BATCH:
                    state.batch_outcomes.pop((due.account.name, command_id), None)

    def _refuse_entry(self, fields: Array) -> None:
        """Refuse a command for what stands in its first three fields."""
        state, name, valid_until_ns = self.state, fields[2], fields[3]
        ahead_ns, ahead_ns_max = valid_until_ns - state.now_ns, state.limits.command_validity_ns_max
        if ahead_ns < 0:
            code, detail = Code.EXPIRED, f"expected validity at {state.now_ns} ns, was {valid_until_ns}"
        elif ahead_ns > ahead_ns_max:
            code, detail = (
                Code.VALIDITY_TOO_LONG,
                f"expected valid_until_ns at most {ahead_ns_max} ns ahead, was {ahead_ns}",
            )
        elif name not in state.accounts:
            code, detail = Code.UNKNOWN_ACCOUNT, f"expected an account that exists, was {name}"
        else:
            code, detail = Code.NOT_AUTHORIZED, f"expected the account {c.OPERATOR}, was {name}"
        self._reject(fields, code, detail)

    def _repeat(self, kept: Kept, fields: Array) -> None:
        if kept.fields != fields:
            self._reject(
                fields,
                Code.DUPLICATE_ID,
                f"expected a new id, was {fields[1]} which a different command had",
            )
            return
        state, name, command_id = self.state, kept.account.name, fields[1]
        state.emit(CommandRepeated(name, command_id, *kept.answer))
        outcomes = state.batch_outcomes.get((name, command_id)) if fields[0] == _BATCH else None
        if outcomes is not None:
            state.emit(BatchDone(name, command_id, outcomes))

    def _reject(self, fields: Array, code: Code, detail: str) -> None:
        self.state.emit(CommandRejected(fields[2], fields[1], int(code), detail))

    def _refuse(self, code: Code, detail: str, now_ns: int) -> list[Array]:
        return self._alone(CommandRejected("", "", int(code), detail), now_ns)

    def _alone(self, event: Event, now_ns: int) -> list[Array]:
        """Return the one event of a command that is not executed like others."""
        state = self.state
        state.now_ns = now_ns
        state.events = []
        state.emit(event)
        state.next_seq += 1
        if self._listeners:
            self._notify(state.events)
        return state.events

    def _open_link(self, gateway: int, lane: int, link: int, now_ns: int) -> list[Array]:
        links = self.state.links
        links.pop((gateway, lane), None)
        if len(links) >= self.state.limits.links_max:
            del links[next(iter(links))]
        links[(gateway, lane)] = (link, 1)
        return self._alone(LinkOpened(gateway, lane, link), now_ns)

    def _execute_internal(self, fields: Array) -> None:
        state, cls = self.state, c.COMMAND_CLASSES[fields[0]]
        if cls is c.Continue:
            try:
                self._steps.go_on()
            except Refusal as refusal:
                state.emit(CommandRejected("", "", int(refusal.code), refusal.detail))
        elif cls is c.StartEngine:
            _, epoch, rules_version, limits = fields
            state.epoch = epoch
            state.limits = Limits(*limits)
            state.fills_max = state.limits.fills_per_order_max
            state.emit(EngineStarted(epoch, rules_version))
        else:
            detail = f"expected a command that may be sent by itself, was {cls.__name__}"
            state.emit(CommandRejected("", "", int(Code.UNSUPPORTED_TYPE), detail))

    def _notify(self, events: list[Array]) -> None:
        seq = self.state.next_seq - len(events)
        for event in _events(events):
            for listener in self._listeners:
                listener(seq, event)
            seq += 1


_new = tuple.__new__
_ADMIN: Final = c.ADMIN
_OPERATOR: Final = c.OPERATOR
_INTERNAL: Final = c.INTERNAL
_NO_LINK = (0, 0)
_PLACE: Final = c.COMMAND_NUMBERS[c.PlaceOrder]
_ADVANCED: Final = c.COMMAND_NUMBERS[c.PlaceAdvanced]
_TRADING_MAX: Final = max(c.TRADING)
_BATCH: Final = c.COMMAND_NUMBERS[c.SubmitBatch]
_CANCEL: Final = c.COMMAND_NUMBERS[c.CancelOrder]
_OPEN_LINK = (c.COMMAND_NUMBERS[c.OpenLink],)


def _number(cls: type[c.Command]) -> int:
    return c.COMMAND_NUMBERS[cls]


def _cold_handlers(
    state: State, trading: Trading, mass: MassCancels
) -> dict[type[c.Command], Callable[[Account, Any], Done]]:
    """Return who carries out the commands that take typed records."""
    admin, rules, openings = Admin(state), Rules(state), Openings(state, trading)
    groups, runners, settling = Groups(state), Runners(state, trading), Settling(state, trading)
    return {
        c.ReduceOrder: trading.reduce,
        c.ReplaceOrder: trading.replace,
        c.CancelAll: mass.cancel_all,
        c.CancelMatching: mass.cancel_matching,
        c.CancelAfter: mass.cancel_after,
        c.SetGroup: groups.set_group,
        c.CreateAsset: admin.create_asset,
        c.CreateMarket: admin.create_market,
        c.CreateAccount: admin.create_account,
        c.CreateKey: admin.create_key,
        c.RevokeKey: admin.revoke_key,
        c.Deposit: admin.deposit,
        c.Withdraw: admin.withdraw,
        c.SetMarketState: openings.set_market_state,
        c.SetAccountState: mass.set_account_state,
        c.CancelMarket: mass.cancel_market,
        c.CancelWhere: mass.cancel_where,
        c.SetMarketRules: rules.set_market_rules,
        c.SetFeeTier: rules.set_fee_tier,
        c.SetAccountTerms: rules.set_account_terms,
        c.SetAccountLimits: rules.set_account_limits,
        c.CreateOutcomeMarket: runners.create,
        c.TurnInPlay: runners.turn_in_play,
        c.AddRunner: runners.add_runner,
        c.RemoveRunner: runners.remove_runner,
        c.SettleMarket: settling.settle_market,
        c.VoidMarket: settling.void_market,
        c.VoidTrades: settling.void_trades,
        c.PlacePair: Pairs(state, trading).place_pair,
        c.SubmitBatch: Batches(state, trading).submit,
        c.CashOut: CashOuts(state, trading).cash_out,
    }


def _typed(cls: type[c.Command], handler: Callable[[Account, Any], Done]) -> Handler:
    """Return a handler that takes the typed record, as one that takes the wire array."""

    def handle(account: Account, fields: Array) -> Done:
        return handler(account, cls(*fields[1:]))

    return handle


def _events(arrays: list[Array]) -> list[Event]:
    """Return the typed events of wire arrays made here."""
    return [_new(EVENT_CLASSES[array[0]], array[1:]) for array in arrays]


def holdings(state: State) -> Mapping[str, tuple[int, int, int]]:
    """Return ``{asset: (issued, available, held)}`` over all accounts; O(accounts)."""
    return checks.totals(state)


__all__ = ["RULES_VERSION", "Exchange", "Limits", "holdings"]
