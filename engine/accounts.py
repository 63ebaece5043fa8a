"""Accounts: balances, own open orders, and the ids whose answers are kept.

Invariants: no balance is negative; ``held_atoms`` of an asset is exactly what the account's open orders
hold; an id is kept until the tenth of a second of its ``valid_until`` is over, an order's while it is open.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from bus.commands import INT_MAX, AccountState, Prevention
from bus.events import Answer

if TYPE_CHECKING:
    from .book import Order
    from .groups import Group
    from .outcomes import Position
    from .risk import AccountLimits

TENTH_NS = 100_000_000
"""Ids are forgotten by tenths of a second: finer would cost a queue more often than it frees memory."""


class Balance:
    """An account's funds in one asset, in atoms."""

    __slots__ = ("available", "held")

    def __init__(self, available: int = 0, held: int = 0) -> None:
        self.available = available
        self.held = held


class Chain:
    """An account's open orders in one book, resting and waiting, in order of acceptance.

    ``buy_lots``, ``sell_lots``: what is left of its buys and of its sells, hidden parts included.
    """

    __slots__ = ("buy_lots", "count", "first", "last", "sell_lots")

    def __init__(self) -> None:
        self.first: Order | None = None
        self.last: Order | None = None
        self.count = 0
        self.buy_lots = 0
        self.sell_lots = 0

    def change(self, side: int, lots: int) -> None:
        """Count lots of a side that came (or, negative, went)."""
        if side == 1:
            self.buy_lots += lots
        else:
            self.sell_lots += lots

    def __iter__(self) -> Iterator["Order"]:
        order = self.first
        while order is not None:
            yield order
            order = order.own_after

    def add(self, order: "Order") -> None:
        """Add an order, as a rule the newest; O(1). Its lots are counted by `change`."""
        self.count += 1
        last = self.last
        if last is not None and last.order_id > order.order_id:
            self._insert(order, last)
            return
        order.own_before = last
        order.own_after = None
        if last is None:
            self.first = order
        else:
            last.own_after = order
        self.last = order

    def _insert(self, order: "Order", after: "Order") -> None:
        """Put an order before newer ones, which were open first (of a pair or batch); O(those)."""
        before = after.own_before
        while before is not None and before.order_id > order.order_id:
            after, before = before, before.own_before
        order.own_before, order.own_after = before, after
        after.own_before = order
        if before is None:
            self.first = order
        else:
            before.own_after = order

    def remove(self, order: "Order") -> None:
        """Take an order out; O(1). Its lots are counted by `change`."""
        self.count -= 1
        before, after = order.own_before, order.own_after
        if before is None:
            self.first = after
        else:
            before.own_after = after
        if after is None:
            self.last = before
        else:
            after.own_before = before


class Kept:
    """A command that came under an id, as its wire array, and the answer it had; never changed."""

    __slots__ = ("account", "code", "detail", "fields", "filled_lots", "left_lots", "order_id", "seq")

    def __init__(
        self,
        account: "Account",
        fields: tuple[Any, ...],
        code: int,
        seq: int,
        order_id: int,
        filled_lots: int,
        left_lots: int,
        detail: str,
    ) -> None:
        self.account = account
        self.fields = fields
        self.code = code
        self.seq = seq
        self.order_id = order_id
        self.filled_lots = filled_lots
        self.left_lots = left_lots
        self.detail = detail

    @property
    def answer(self) -> Answer:
        """The answer as its sender is told."""
        return Answer(self.code, self.seq, self.order_id, self.filled_lots, self.left_lots, self.detail)


class Account:
    """One account."""

    __slots__ = ("balances", "busy", "cancel_after_ns", "chains", "family", "fee_tier", "groups", "ids",
                 "limits", "lingering", "name", "net_lots", "open_orders", "positions", "prevention", "seq",
                 "shortfalls", "shut", "state", "unfunded")  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: int = AccountState.ACTIVE
        self.busy = 0
        """Mass cancels under way."""
        self.shut = False
        """Whether it may only cancel: blocked, or a mass cancel is under way."""
        self.seq = 0
        self.open_orders = 0
        self.balances: dict[str, Balance] = {}
        self.chains: dict[str, Chain] = {}
        self.ids: dict[str, Kept] = {}
        self.lingering: dict[str, None] = {}
        """Ids that left the queue of due ids while their order was open, and go with it."""
        self.unfunded = False
        """Whether its available balances may go below zero."""
        self.fee_tier = 0
        self.prevention: int = Prevention.NONE
        self.family = "\0" + name
        """Its prevention group, or a text of its own: orders of one family do not meet unless allowed."""
        self.limits: dict[str, AccountLimits] | None = None
        self.groups: dict[str, Group] = {}
        self.positions: dict[str, Position] = {}
        """By outcome market."""
        self.shortfalls = 0
        """Outcome markets in which it has a shortfall, and 1 while it owes a settlement."""
        self.cancel_after_ns = 0
        self.net_lots: dict[str, int] = {}
        """Lots bought less lots sold by direct trades, by book, since ever."""

    def mark(self, *, state: int | None = None, busy: int | None = None) -> None:
        """Change the state, or how many mass cancels are under way."""
        self.state = self.state if state is None else state
        self.busy = self.busy if busy is None else busy
        self.shut = self.busy > 0 or self.state != AccountState.ACTIVE or self.shortfalls > 0

    def balance(self, asset: str) -> Balance:
        """Return the balance in an asset (made when it is first needed)."""
        balance = self.balances.get(asset)
        if balance is None:
            balance = self.balances[asset] = Balance()
        return balance


class DueIds:
    """Kept ids by the tenth of a second of their ``valid_until``; O(1), a new tenth O(log tenths).

    A queue that has become due gets no more ids: it is turned round once, so that its oldest is its last.

    Attributes
    ----------
    due_ns
        When the first tenth is over: nothing is due before.
    """

    __slots__ = ("_due", "_last", "_last_tenth", "_queues", "_tenths", "due_ns")

    def __init__(self) -> None:
        self._queues: dict[int, list[Kept]] = {}
        self._tenths: list[int] = []
        self._due: list[Kept] = []
        """What is left of the queue that is due, newest first."""
        self._last: list[Kept] = []
        self._last_tenth = -1
        """The queue that was added to last: mostly the next one, too."""
        self.due_ns = INT_MAX

    def add(self, kept: Kept, valid_until_ns: int) -> None:
        """Put an id at the end of the queue of its tenth."""
        tenth = valid_until_ns // TENTH_NS
        if tenth != self._last_tenth:
            self._open(tenth)
        self._last.append(kept)

    def _open(self, tenth: int) -> None:
        queue = self._queues.get(tenth)
        if queue is None:
            queue = self._queues[tenth] = []
            heappush(self._tenths, tenth)
            if not self._due:
                self.due_ns = (self._tenths[0] + 1) * TENTH_NS
        self._last, self._last_tenth = queue, tenth

    def pop_due(self, now_ns: int) -> Kept | None:
        """Take out and return the first kept id whose tenth is over, if any."""
        if now_ns < self.due_ns:
            return None
        due = self._due
        if not due:
            tenth = heappop(self._tenths)
            self._due = due = self._queues.pop(tenth)
            due.reverse()
            if tenth == self._last_tenth:
                self._last_tenth = -1
        kept = due.pop()
        if not due:
            self.due_ns = (self._tenths[0] + 1) * TENTH_NS if self._tenths else INT_MAX
        return kept

    def in_order(self) -> Iterator[Kept]:
        """Yield every queued id, oldest first."""
        yield from reversed(self._due)
        for tenth in sorted(self._queues):
            yield from self._queues[tenth]
