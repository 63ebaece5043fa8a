"""What an order group counts, and how much it remembers."""

from engine.accounts import Account
from engine.exchange import Limits
from engine.groups import TIMES_PER_GROUP_MAX, Group, check
from engine.state import State


def test_trades_of_one_time_are_remembered_as_one() -> None:
    state, group = State(Limits()), Group(Account("ann"), "g", 100, 50)
    for _ in range(9):
        assert not group.traded(state, 3)
    assert list(group.trades) == [(0, 27)]


def test_a_group_forgets_what_is_older_than_its_window() -> None:
    state, group = State(Limits()), Group(Account("ann"), "g", 10, 50)
    for state.now_ns, lots in ((0, 5), (30, 4), (51, 4)):
        assert not group.traded(state, lots)
    assert list(group.trades) == [(30, 4), (51, 4)] and group.lots == 8
    state.now_ns = 80
    assert group.traded(state, 2)
    assert group.tripped and list(state.trips) == [group]
    assert not group.traded(state, 100), "it trips once"


def test_a_group_remembers_only_so_many_times() -> None:
    account = Account("ann")
    state, group = State(Limits()), Group(account, "g", 10**9, 10**9)
    account.groups["g"] = group
    for state.now_ns in range(TIMES_PER_GROUP_MAX + 5):
        group.traded(state, 1)
    assert len(group.trades) == TIMES_PER_GROUP_MAX
    assert group.trades[0] == (5, 6), "the oldest count as long as the one behind them"
    assert group.lots == TIMES_PER_GROUP_MAX + 5
    check(account)
