"""Verification of every invariant of an exchange's state, for tests and after recovery.

Nothing here is on the way of an order: it walks the whole state.
"""

from bus.commands import AccountState, Side

from . import batches, groups, jobs, mass, outcome_rows, pairs, states, waiting
from .accounts import Account
from .state import State


def totals(state: State) -> dict[str, tuple[int, int, int]]:
    """Return ``{asset: (issued, available, held)}`` summed over all accounts; O(accounts × assets).

    What a settlement under way has taken from accounts and not paid to others yet counts as available.
    """
    available = dict.fromkeys(state.assets, 0)
    held = dict.fromkeys(state.assets, 0)
    for account in state.accounts.values():
        for asset, balance in account.balances.items():
            available[asset] += balance.available
            held[asset] += balance.held
    for outcome in state.outcome_markets.values():
        available[outcome.asset] += outcome.unpaid_atoms
    return {asset: (state.issued[asset], available[asset], held[asset]) for asset in state.assets}


def check_state(state: State) -> None:
    """Assert every invariant; O(state)."""
    for asset, (issued, available, held) in totals(state).items():
        assert issued == available + held, f"{asset}: issued {issued}, found {available} + {held}"
    resting = 0
    for market in state.markets.values():
        market.check()
        states.check(market)
        resting += sum(1 for half in (market.bids, market.asks) for order in half.orders())
    for order_id, order in state.orders.items():
        resting += order.waits != 0
        kept = order.account.ids.get(order.client_order_id)
        assert order.order_id == order_id and kept is not None and kept.order_id == order_id
    assert resting == len(state.orders)
    waiting.check(state)
    pairs.check(state)
    state.timers.check()
    jobs.check(state)
    batches.check(state)
    outcome_rows.check(state)
    for account in state.accounts.values():
        _check_account(state, account)
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
        open_lots, last_id = [0, 0], 0
        for order in chain:
            assert order.account is account and order.market is market and order.order_id > last_id
            last_id = order.order_id
            open_lots[order.side - 1] += order.total_left
            count += 1
            if market.outcome is None:
                asset = market.quote if order.side == Side.BUY else market.base
                held[asset] = held.get(asset, 0) + order.held_atoms
                if (
                    order.terms is not None
                    and order.terms.pair is not None
                    and order.terms.pair.first is order
                ):
                    held[asset] -= order.terms.pair.shared_atoms
        assert [chain.buy_lots, chain.sell_lots] == open_lots and chain.count == sum(1 for _ in chain)
    for position in account.positions.values():
        asset = position.outcome.asset
        held[asset] = held.get(asset, 0) + position.held_atoms
    assert count == account.open_orders
    blocked = account.busy > 0 or account.state != AccountState.ACTIVE
    assert account.shut == (blocked or account.shortfalls > 0)
    assert len(account.ids) <= state.limits.ids_per_account_max
    groups.check(account)
    mass.check(account, state)
    for asset, balance in account.balances.items():
        may_owe = account.unfunded or account.name in state.short
        assert (balance.available >= 0 or may_owe) and balance.held == held.get(asset, 0), (
            account.name,
            asset,
        )
