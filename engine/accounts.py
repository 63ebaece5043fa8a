"""Accounts: balances, own open orders, and the ids whose answers are kept.

Invariants: no balance is negative; ``held_atoms`` of an asset is exactly what the account's open orders
hold; an id is kept until its ``valid_until`` second is over and, for an order, while it is open.
"""

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from bus.commands import AccountState, OutsideCommand
from bus.events import Answer

if TYPE_CHECKING:
    from .book import Order

_SECOND_NS = 1_000_000_000


class Balance:
    """An account's funds in one asset, in atoms."""

    __slots__ = ("available", "held")

    def __init__(self, available: int = 0, held: int = 0) -> None:
        self.available = available
        self.held = held


class Chain:
    """An account's open orders in one market, in order of acceptance."""

    __slots__ = ("first", "last")

    def __init__(self) -> None:
        self.first: Order | None = None
        self.last: Order | None = None

    def __iter__(self) -> Iterator["Order"]:
        order = self.first
        while order is not None:
            yield order
            order = order.own_after

    def add(self, order: "Order") -> None:
        """Append an order; O(1)."""
        last = self.last
        if last is None:
            self.first = order
        else:
            last.own_after = order
            order.own_before = last
        self.last = order

    def remove(self, order: "Order") -> None:
        """Take an order out; O(1)."""
        before, after = order.own_before, order.own_after
        if before is None:
            self.first = after
        else:
            before.own_after = after
        if after is None:
            self.last = before
        else:
            after.own_before = before
        order.own_before = order.own_after = None


class Kept:
    """A command that came under an id, and the answer it had."""

    __slots__ = (
        "account",
        "code",
        "command",
        "detail",
        "filled_lots",
        "left_lots",
        "order_id",
        "queued",
        "seq",
    )

    def __init__(
        self,
        account: "Account",
        command: OutsideCommand,
        code: int,
        seq: int,
        order_id: int,
        filled_lots: int,
        left_lots: int,
        detail: str,
    ) -> None:
        self.account = account
        self.command = command
        self.code = code
        self.seq = seq
        self.order_id = order_id
        self.filled_lots = filled_lots
        self.left_lots = left_lots
        self.detail = detail
        self.queued = True

    @property
    def answer(self) -> Answer:
        """The answer as its sender is told."""
        return Answer(self.code, self.seq, self.order_id, self.filled_lots, self.left_lots, self.detail)


class Account:
    """One account."""

    __slots__ = ("balances", "busy", "chains", "ids", "name", "open_orders", "seq", "state")

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: int = AccountState.ACTIVE
        self.busy = False
        self.seq = 0
        self.open_orders = 0
        self.balances: dict[str, Balance] = {}
        self.chains: dict[str, Chain] = {}
        self.ids: dict[str, Kept] = {}

    def balance(self, asset: str) -> Balance:
        """Return the balance in an asset (made when it is first needed)."""
        balance = self.balances.get(asset)
        if balance is None:
            balance = self.balances[asset] = Balance()
        return balance


class DueIds:
    """Queue of kept ids by the second of their ``valid_until``; O(log seconds) a new second, else O(1)."""

    __slots__ = ("_by_second", "_seconds")

    def __init__(self) -> None:
        self._by_second: dict[int, deque[Kept]] = {}
        self._seconds: list[int] = []

    def add(self, kept: Kept, valid_until_ns: int) -> None:
        """Queue a kept id under its second."""
        second = valid_until_ns // _SECOND_NS
        queue = self._by_second.get(second)
        if queue is None:
            queue = self._by_second[second] = deque()
            heappush(self._seconds, second)
        queue.append(kept)

    def pop_due(self, now_ns: int) -> Kept | None:
        """Take out and return the first kept id whose second is over, if any."""
        if not self._seconds or self._seconds[0] >= now_ns // _SECOND_NS:
            return None
        second = self._seconds[0]
        queue = self._by_second[second]
        kept = queue.popleft()
        if not queue:
            del self._by_second[second]
            heappop(self._seconds)
        kept.queued = False
        return kept

    def in_order(self) -> Iterator[Kept]:
        """Yield every queued id, oldest second first."""
        for second in sorted(self._by_second):
            yield from self._by_second[second]
