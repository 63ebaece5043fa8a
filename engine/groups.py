"""Order groups: a group that has traded too much within its window trips, and its orders go.

Invariant: ``lots`` is the sum of the lots of ``trades``, none of which is older than the window was at the
last trade; a tripped group takes no order until it is set again.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from bus.commands import SetGroup
from bus.errors import Code
from bus.events import EVENT_NUMBERS, GroupSet, GroupTripped

from .state import Refusal, State

if TYPE_CHECKING:
    from .accounts import Account
    from .trading import Done

GROUPS_PER_ACCOUNT_MAX: Final = 100
TIMES_PER_GROUP_MAX: Final = 10_000
"""Times of trading that a group remembers; beyond, the oldest counts as long as the one behind it."""

_TRIPPED: Final = EVENT_NUMBERS[GroupTripped]


class Group:
    """An order group of an account; ``lots_max`` 0: it was removed."""

    __slots__ = ("account", "lots", "lots_max", "name", "trades", "tripped", "window_ns")

    def __init__(self, account: "Account", name: str, lots_max: int, window_ns: int) -> None:
        self.account = account
        self.name = name
        self.lots_max = lots_max
        self.window_ns = window_ns
        self.tripped = False
        self.trades: deque[tuple[int, int]] = deque()
        """Times and lots of the trades that count, the oldest first."""
        self.lots = 0

    def reset(self, lots_max: int, window_ns: int) -> None:
        """Begin anew."""
        self.lots_max = lots_max
        self.window_ns = window_ns
        self.tripped = False
        self.trades.clear()
        self.lots = 0

    def traded(self, state: State, lots: int) -> bool:
        """Count a trade of one of its orders; return whether the group has now tripped. O(1) in the mean."""
        if self.tripped or not self.lots_max:
            return False
        trades, now_ns = self.trades, state.now_ns
        while trades and now_ns - trades[0][0] > self.window_ns:
            self.lots -= trades.popleft()[1]
        self.lots += lots
        if self.lots >= self.lots_max:
            self._trip(state)
            return True
        if trades and trades[-1][0] == now_ns:
            lots += trades.pop()[1]
        elif len(trades) == TIMES_PER_GROUP_MAX:
            oldest = trades.popleft()[1]
            time_ns, behind = trades.popleft()
            trades.appendleft((time_ns, oldest + behind))
        trades.append((now_ns, lots))
        return False

    def _trip(self, state: State) -> None:
        account = self.account
        account.seq += 1
        state.events.append((_TRIPPED, account.name, account.seq, self.name, self.lots))
        state.trips.append(self)
        self.tripped = True
        self.trades.clear()
        self.lots = 0


class Groups:
    """Carries out SetGroup."""

    def __init__(self, state: State) -> None:
        self._state = state

    def set_group(self, account: "Account", command: SetGroup) -> "Done":
        """Make, reset or remove an order group; O(1)."""
        group = account.groups.get(command.group)
        if group is None:
            if not command.lots_max:
                raise Refusal(Code.UNKNOWN_GROUP, f"expected a group of {account.name}, was {command.group}")
            if len(account.groups) >= GROUPS_PER_ACCOUNT_MAX:
                raise Refusal(
                    Code.TOO_MANY_ENTRIES,
                    f"expected fewer than {GROUPS_PER_ACCOUNT_MAX} groups, was {len(account.groups)}",
                )
            group = account.groups[command.group] = Group(account, command.group, 0, 0)
        group.reset(command.lots_max, command.window_ns)
        if not command.lots_max:
            del account.groups[command.group]
        account.seq += 1
        self._state.emit(
            GroupSet(account.name, account.seq, command.group, command.lots_max, command.window_ns)
        )
        return (0, 0, 0)


# ---- images and checks ----------------------------------------------------------------------------------


def group_row(group: Group) -> tuple[Any, ...]:
    """Return a group as plain data."""
    numbers = (group.lots_max, group.window_ns, group.tripped)
    return (group.account.name, group.name, *numbers, tuple(group.trades))


def restore_group(state: State, row: tuple[Any, ...]) -> Group:
    """Add the group of a row to its account (not one that was removed), and return it."""
    name, group_name, lots_max, window_ns, tripped, trades = row
    account = state.accounts[name]
    group = Group(account, group_name, lots_max, window_ns)
    group.tripped = tripped
    group.trades.extend((time_ns, lots) for time_ns, lots in trades)
    group.lots = sum(lots for _, lots in group.trades)
    if lots_max:
        account.groups[group_name] = group
    return group


def check(account: "Account") -> None:
    """Verify an account's groups."""
    assert len(account.groups) <= GROUPS_PER_ACCOUNT_MAX
    for name, group in account.groups.items():
        assert group.name == name and group.account is account and group.lots_max > 0
        assert group.lots == sum(lots for _, lots in group.trades)
        assert group.lots == 0 if group.tripped else group.lots < group.lots_max
        times = [time_ns for time_ns, _ in group.trades]
        assert times == sorted(set(times)) and len(times) <= TIMES_PER_GROUP_MAX
