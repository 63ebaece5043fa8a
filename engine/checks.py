"""Verification of every invariant of an exchange's state, for tests and after recovery.

Nothing here is on the way of an order: it walks the whole state.
"""

from bus.commands import AccountState, Side

from .accounts import Account
from .book import Market
from .state import State


def totals(state: State) -> dict[str, tuple[int, int, int]]:
    """Return ``{asset: (issued, available, held)}`` summed over all accounts; O(accounts × assets)."""
    available = dict.fromkeys(state.assets, 0)
    held = dict.fromkeys(state.assets, 0)
    for account in state.accounts.values():
        for asset, balance in account.balances.items():
            available[asset] += balance.available
            held[asset] += balance.held
    return {asset: (state.issued[asset], available[asset], held[asset]) for asset in state.assets}


def check_state(state: State) -> None:
    """Assert every invariant; O(state)."""
    for asset, (issued, available, held) in totals(state).items():
        assert issued == available + held, f"{asset}: issued {issued}, found {available} + {held}"
    resting = 0
    for market in state.markets.values():
        market.check()
        for half in (market.bids, market.asks):
            for order in half.orders():
                resting += 1
                assert state.orders[order.order_id] is order
                kept = order.account.ids.get(order.client_order_id)
                assert kept is not None and kept.order_id == order.order_id, "an open order keeps its id"
    assert resting == len(state.orders)
    for account in state.accounts.values():
        _check_account(state, account)
    targets: list[Account | Market] = [*state.markets.values(), *state.accounts.values()]
    for target in targets:
        assert target.busy == sum((job.account or job.market) is target for job in state.jobs)
    queued = list(state.due_ids.in_order())
    assert all(kept.account.ids[kept.fields[1]] is kept for kept in queued)
    accounts = state.accounts.values()
    assert len(queued) == sum(len(a.ids) - len(a.lingering) for a in accounts), "each id is queued or lingers"
    for account in accounts:
        for command_id in account.lingering:
            assert account.ids[command_id].order_id in state.orders, "a lingering id's order is open"
    assert len(state.links) <= state.limits.links_max


def _check_account(state: State, account: Account) -> None:
    held: dict[str, int] = {}
    count = 0
    for name, chain in account.chains.items():
        market = state.markets[name]
        last_id = 0
        for order in chain:
            assert order.account is account and order.market is market and order.order_id > last_id
            last_id = order.order_id
            asset = market.quote if order.side == Side.BUY else market.base
            held[asset] = held.get(asset, 0) + order.held_atoms
            count += 1
    assert count == account.open_orders
    assert account.shut == (account.busy > 0 or account.state != AccountState.ACTIVE)
    assert len(account.ids) <= state.limits.ids_per_account_max
    for asset, balance in account.balances.items():
        assert balance.available >= 0 and balance.held == held.get(asset, 0), (account.name, asset)
