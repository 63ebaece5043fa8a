"""What changes results: runners removed, trades voided, exposures set anew, settlements; all in steps.

It protects the invariant that held and short together are the worst case of the trades that count.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e

from .naive_cancels import of_books
from .naive_odds import ladder_floor, recount, required
from .naive_orders import rest
from .naive_state import Book, Outcome, Trade
from .naive_trades import cancel

if TYPE_CHECKING:
    from .naive import Naive

REDUCTION_PPM_MIN = 25_000


def set_exposures(x: "Naive", market: Outcome, changes: Iterator[None] | None) -> Iterator[None]:
    """Set what accounts hold anew, after ``changes`` to trades that are done first."""
    work_max = x.limits.events_per_transaction_max
    if changes is not None:
        yield from changes
    for account in list(market.accounts):
        cancels = False
        while True:
            need = required(x, market, account)
            change = need - market.held.get(account, 0)
            orders = [
                o for o in x.orders.values() if x.books[o.market].outcome is market and o.account == account
            ]
            orders.sort(key=lambda o: (x.books[o.market].number, o.order_id))
            if x.work >= work_max:
                yield
                continue
            if orders and (cancels or not x.covers(account, market.made.asset, change)):
                cancels = True
                if not x.room(2):
                    yield
                    continue
                cancel(x, orders[0], e.CancelReason.FUNDS)
                continue
            if not x.room(1):
                yield
                continue
            break
        market.frozen.remove(account)
        x.work += 1
        x.set_held(market, account, need)
    market.frozen = []


def remove_runner(x: "Naive", market: Outcome, runner: int, reduction_ppm: int) -> Iterator[None]:
    """Cancel a runner's orders, then reduce the bets on the others."""
    cancels = e.CancelReason.RUNNER_REMOVED
    while orders := of_books(x, [market.books[runner].name]):
        if not x.room(2):
            yield
            continue
        cancel(x, orders[0], cancels)
    if reduction_ppm >= REDUCTION_PPM_MIN:
        for book in market.books:
            yield from reduce_lays(x, market, book, reduction_ppm)
    work_max = x.limits.events_per_transaction_max
    for trade in list(market.trades):
        while x.work >= work_max:
            recount(market)
            yield
        x.work += 1
        if trade.runner == runner:
            trade.void = True
        elif reduction_ppm >= REDUCTION_PPM_MIN:
            trade.win = trade.win * (1_000_000 - reduction_ppm) // 1_000_000
    recount(market)


def reduce_lays(x: "Naive", market: Outcome, book: Book, reduction_ppm: int) -> Iterator[None]:
    """Cancel the lays of a book, or reduce their odds."""
    replaces = market.made.removal_rule == c.RemovalRule.REDUCE_ODDS
    for order in [o for o in x.orders.values() if o.market == book.name and o.side == c.Side.LAY]:
        while order.order_id in x.orders and not x.room(2):
            yield
        if order.order_id not in x.orders:
            continue
        if not replaces or order.waits or x.in_pair(order):
            cancel(x, order, e.CancelReason.RUNNER_REMOVED)
            continue
        old = order.price
        book.resting.remove(order)
        scaled = 100 * 1_000_000 + (old - 100) * (1_000_000 - reduction_ppm)
        order.price = max(101, ladder_floor(scaled // 1_000_000))
        order.show()
        what = (order.side, old, order.price, order.qty, order.left, 0)
        x.emit(e.OrderReplaced(*x.head(order), *what, *x.tail(order, old)))
        rest(x, order)


def void_trades(x: "Naive", market: Outcome, trades: list[Trade]) -> Iterator[None]:
    """Make trades void."""
    for trade in trades:
        while x.work >= x.limits.events_per_transaction_max:
            recount(market)
            yield
        x.work += 1
        trade.void = True
    recount(market)


def settle(x: "Naive", market: Outcome, name: str, winners: tuple[str, ...]) -> Iterator[None]:
    """Settle all accounts; no winners: void the market."""
    house, asset = market.made.house, market.made.asset
    indices = [market.runners.index(winner) for winner in winners]
    traded = {account for trade in market.trades for account in (trade.buyer, trade.seller)}
    accounts = [a for a in market.accounts if a in traded or market.held.get(a, 0) or market.short.get(a, 0)]
    nets = {
        a: sum(market.positions[a][i] for i in indices) // len(indices) if indices else 0 for a in accounts
    }
    dust = -sum(nets.values())
    last = house or c.FEES
    if house in accounts or (dust and last in accounts):
        accounts.remove(last)
        accounts.append(last)
    elif dust:
        accounts.append(last)
    nets[last] = nets.get(last, 0) + dust
    for account in accounts:
        while not x.room(3):
            yield
        net, released = nets[account], market.held.pop(account, 0)
        free = account in (house, c.FEES)
        commission = 0 if free or net <= 0 else net * market.made.commission_ppm // 1_000_000
        market.short.pop(account, 0)
        x.told_short.pop((name, account), None)
        x.move(account, asset, released + net - commission, -released)
        x.move(c.FEES, asset, commission, 0)
        x.emit(e.PositionSettled(account, x.account_seq(account), name, released, net, commission))
    x.emit(e.MarketSettled(name, winners, len(accounts), dust))
    state = c.MarketState.SETTLED if winners else c.MarketState.VOIDED
    x.markets[name].state = state
    x.emit(e.MarketStateChanged(name, state))
    market.trades, market.positions, market.accounts = [], {}, []
