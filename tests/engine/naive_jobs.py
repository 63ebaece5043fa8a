"""Work in steps: mass cancels, uncrosses, exposures set anew, settlements; and what is due by time.

It protects the bound of transactions: a job's steps are a generator that yields when there is no more room.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e

from .naive_checks import first_trigger, rises, touched
from .naive_odds import is_oco, ladder_floor, offer, recount, required
from .naive_orders import act, rest
from .naive_state import Book, Group, Job, Market, Order, Outcome, Trade
from .naive_trades import break_pair, cancel, count_in_group, count_net, exchange, grouped, record

if TYPE_CHECKING:
    from .naive import Naive

REDUCTION_PPM_MIN = 25_000
Matches = Callable[[Order], bool]


# ---- mass cancels -----------------------------------------------------------------------------


def of_account(x: "Naive", account: str, books: list[str] | None) -> list[Order]:
    """Return an account's orders as a mass cancel takes them."""
    names = x.accounts[account].markets_opened if books is None else books
    return [o for name in names for o in x.orders.values() if o.market == name and o.account == account]


def of_books(x: "Naive", books: list[str]) -> list[Order]:
    """Return the orders of books as a mass cancel takes them: bids, asks, then those that wait."""
    found: list[Order] = []
    for name in books:
        book = x.books[name]
        waiting = [o for o in x.orders.values() if o.market == name and o.waits]
        found += book.side(c.Side.BUY) + book.side(c.Side.SELL) + waiting
    return found


def filtered(side: int, low: int, high: int) -> Matches:
    """Return whether an order is of the side (0: any) and within the prices (0: no bound)."""

    def matches(order: Order) -> bool:
        if (low or high) and not order.price and not order.terms.trigger:
            return False
        price = order.price or order.trigger_ticks
        return (not side or order.side == side) and (not low or price >= low) and (not high or price <= high)

    return matches


def mass_cancel(
    x: "Naive", job: Job, left: Callable[[], list[Order]], matches: Matches, closing: Market | None = None
) -> Iterator[None]:
    """Cancel orders until none is left."""
    first_seq = x.next_seq + len(x.out)
    x.emit(e.MassCancelStarted(job.account, job.command_id, job.market, job.reason))
    end = 1 if closing is None else 2
    while True:
        orders = [o for o in left() if o.order_id < first_seq and matches(o)]
        if not orders:
            break
        if not x.room(cost_of(x, orders[0]) + end):
            yield
            continue
        cancel(x, orders[0], job.reason)
        job.cancelled += 1
    x.emit(e.MassCancelDone(job.account, job.command_id, job.market, job.cancelled))
    if closing is not None:
        closing.state = c.MarketState.CLOSED
        x.emit(e.MarketStateChanged(closing.name, closing.state))


def cost_of(x: "Naive", order: Order) -> int:
    """Return the events that a cancel of the order makes."""
    partner = order.partner
    together = partner is not None and partner.order_id in x.orders
    return 2 if together and order.pair is not None and (is_oco(order) or order is order.pair.first) else 1


def every(order: Order) -> bool:
    """Match any order."""
    return True


def begin_mass_cancel(
    x: "Naive",
    named: tuple[str, str, str, int],
    books: list[str] | None,
    matches: Matches = every,
    closing: Market | None = None,
    of: str = "",
    busy: bool = True,
) -> None:
    """Begin a mass cancel; ``named``: account, market, id and reason of its events.

    ``of`` is the account whose orders it takes ("": all); ``books`` None: all.
    """
    account, market, command_id, reason = named
    job = Job("cancel", account=account, market=market, command_id=command_id, reason=reason)
    if busy:
        job.busy_account, job.busy_books = of, [] if of else (books or [])
    every_book = [book.name for book in x.books.values()]

    def left() -> list[Order]:
        return of_account(x, of, books) if of else of_books(x, every_book if books is None else books)

    job.steps = mass_cancel(x, job, left, matches, closing)
    x.begin(job)


def begin_trip(x: "Naive", group: Group) -> None:
    """Begin the mass cancel of a group that tripped."""
    named = (group.account, "", "", e.CancelReason.GROUP_TRIPPED)
    of_group: Matches = lambda order: order.group is group and not group.removed  # noqa: E731
    begin_mass_cancel(x, named, None, of_group, of=group.account, busy=False)


# ---- auctions ---------------------------------------------------------------------------------


def uncross_price(book: Book) -> tuple[int, int, int]:
    """Return what an uncross would do: price, lots, and what would be left (of buyers: positive)."""
    best: tuple[tuple[int, int, int, int], tuple[int, int, int]] | None = None
    bids, asks = book.side(c.Side.BUY), book.side(c.Side.SELL)
    if not bids or not asks:
        return 0, 0, 0
    near = book.last or (bids[0].price + asks[0].price) // 2
    for price in {o.price for o in book.resting}:
        buys = lots_met([o for o in bids if o.price >= price])
        sells = lots_met([o for o in asks if o.price <= price])
        lots = min(buys, sells)
        key = (-lots, abs(buys - sells), abs(price - near), price)
        if lots and (best is None or key < best[0]):
            best = key, (price, lots, buys - sells)
    return best[1] if best else (0, 0, 0)


def lots_met(orders: list[Order]) -> int:
    """Return the lots of orders; of the legs of an OCO only the one met first counts."""
    return sum(o.left for i, o in enumerate(orders) if not (is_oco(o) and o.partner in orders[:i]))


def uncross(x: "Naive", job: Job, books: list[Book]) -> Iterator[None]:
    """Uncross books, one after the other."""
    x.uncross_trades = 0
    for book in books:
        again = True
        while again:
            job.market, job.lots = book.name, 0
            job.price = uncross_price(book)[0]
            while pair := uncross_pair(book, job.price):
                cost = sum(1 + (is_oco(o) and cost_of(x, o) == 2) + grouped(o) for o in pair) - 1
                if x.uncross_trades >= x.limits.fills_per_order_max or not x.room(cost + 1):
                    yield
                    x.uncross_trades = 0
                    continue
                uncross_trade(x, job, book, *pair)
                x.uncross_trades += 1
            while not x.room(1):
                yield
                x.uncross_trades = 0
            x.emit(e.AuctionDone(book.name, job.price if job.lots else 0, job.lots))
            job.price = 0
            again = book.crossed


def uncross_pair(book: Book, price: int) -> tuple[Order, Order] | None:
    """Return the next two orders that trade at the price."""
    bids = [o for o in book.side(c.Side.BUY) if o.price >= price]
    asks = [o for o in book.side(c.Side.SELL) if o.price <= price]
    return (bids[0], asks[0]) if price and bids and asks else None


def uncross_trade(x: "Naive", job: Job, book: Book, buyer: Order, seller: Order) -> None:
    """Trade in an uncross."""
    price, lots = job.price, min(buyer.left, seller.left)
    break_pair(x, buyer)
    break_pair(x, seller)
    job.lots += lots
    for order in (buyer, seller):
        order.used += lots * 100
        order.show()
        if order.left == 0:
            book.resting.remove(order)
            del x.orders[order.order_id]
    fees, refund, released = (0, 0), 0, 0
    if book.outcome is None:
        made = book.made
        paid, sold = price * lots * made.unit_atoms, lots * made.lot_atoms
        refund = (buyer.price - price) * lots * made.unit_atoms
        fees = (
            sold * max(0, x.fees_of(buyer.account, book)[0]) // 1_000_000,
            paid * max(0, x.fees_of(seller.account, book)[0]) // 1_000_000,
        )
        exchange(x, book, (buyer, paid, fees[0], refund), (seller, sold, fees[1]))
    else:
        record(x, book, price, lots, buyer.account, seller.account)
        refund = -x.rehold(book.outcome, buyer.account)
        released = -x.rehold(book.outcome, seller.account)
    count_net(book, buyer.account, c.Side.BUY, lots)
    count_net(book, seller.account, c.Side.SELL, lots)
    book.trade_id += 1
    sides = [
        (o.account, x.account_seq(o.account), o.order_id, o.left, fee, o.price, book.level(o.side, o.price))
        for o, fee in zip((buyer, seller), fees, strict=True)
    ]
    tail = (released, x.market_seq(book))
    x.emit(e.AuctionTraded(book.name, book.trade_id, price, lots, *sides[0], refund, *sides[1], *tail))
    x.saw_price((0, book.name), price)
    for order in (buyer, seller):
        count_in_group(x, order, lots)
    for order in (buyer, seller):
        if order.left == 0:
            x.ended(order, filled=True)


# ---- runners, voids, settlements --------------------------------------------------------------


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


# ---- follow-ups and what is due ---------------------------------------------------------------


def queue_waits(x: "Naive", book: Book) -> bool:
    """Return whether a book's triggered orders must wait."""
    return book.market.state != c.MarketState.OPEN or any(book.name in job.busy_books for job in x.jobs)


def follow_up(x: "Naive") -> Callable[[], None] | None:
    """Return what does the next follow-up."""
    if x.trips:
        return lambda: begin_trip(x, x.trips.pop(0))
    for book in x.books.values():
        if book.queue and not queue_waits(x, book):
            return lambda book=book: trigger(x, book.queue[0])  # type: ignore[misc]
    return None


def trigger(x: "Naive", order: Order) -> None:
    """Bring an order that waited to the book."""
    book, waited = x.books[order.market], order.waits
    if order in book.queue:
        book.queue.remove(order)
    p = order.terms
    if waited == e.Waits.PAIR and p.trigger:
        x.emit(e.OrderTriggered(*x.head(order), waited))
        if p.trail_ticks:
            order.trigger_ticks = first_trigger(p, book)
        if not (book.last and touched(p, order.trigger_ticks, book.last, book.last)):
            order.waits = e.Waits.TRIGGER
            return
        waited = e.Waits.TRIGGER
    order.waits = e.Waits.NOTHING
    x.emit(e.OrderTriggered(*x.head(order), waited))
    break_pair(x, order)
    act(x, order)


def touch(x: "Naive") -> None:
    """Let trailing prices follow the trades of a transaction, and queue what they trigger."""
    for (_, name), (low, high) in x.ranges.items():
        book = x.books[name]
        waiting = [o for o in x.orders.values() if o.market == name and o.waits == e.Waits.TRIGGER]
        waiting = [o for o in waiting if o not in book.queue]
        for order in waiting:
            p = order.terms
            if p.trail_ticks and p.side == c.Side.BUY:
                order.trigger_ticks = min(order.trigger_ticks, low + p.trail_ticks)
            elif p.trail_ticks:
                order.trigger_ticks = max(order.trigger_ticks, high - p.trail_ticks)
        reached = [o for o in waiting if touched(o.terms, o.trigger_ticks, low, high)]
        up = [o for o in reached if rises(o.terms)]
        down = [o for o in reached if o not in up]
        book.queue += sorted(up, key=lambda o: (o.trigger_ticks, o.order_id))
        book.queue += sorted(down, key=lambda o: (-o.trigger_ticks, o.order_id))
    x.ranges = {}


def timers(x: "Naive") -> list[tuple[tuple[int, int, int, str], Callable[[], None], str]]:
    """Return all timers that run: (due, kind, number, name), what they do, what kind of step."""
    found: list[tuple[tuple[int, int, int, str], Callable[[], None], str]] = []
    for o in x.orders.values():
        book = x.books[o.market]
        if o.expires_ns:
            found.append(((o.expires_ns, 1, o.order_id, ""), lambda o=o: expire(x, o), "expiry"))  # type: ignore[misc]
        if o.waits == e.Waits.BET_DELAY and not (o.late and queue_waits(x, book)):
            found.append(((o.due_ns, 3, o.order_id, ""), lambda o=o: end_delay(x, o), "alone"))  # type: ignore[misc]
    for name, account in x.accounts.items():
        if account.cancel_after_ns:
            due = (account.cancel_after_ns, 2, 0, name)
            found.append((due, lambda name=name: cancel_after(x, name), "alone"))  # type: ignore[misc]
    for book in x.books.values():
        if book.indication_due_ns:
            due = (book.indication_due_ns, 4, book.number, "")
            found.append((due, lambda book=book: indicate(x, book), "indicate"))  # type: ignore[misc]
    for market in x.markets.values():
        outcome = market.outcome
        if outcome is not None and outcome.offers_due_ns:
            due = (outcome.offers_due_ns, 5, market.books[0].number, "")
            found.append((due, lambda outcome=outcome: tell_offers(x, outcome), "offer"))  # type: ignore[misc]
    return sorted(found, key=lambda timer: timer[0])


def do_timers(x: "Naive") -> None:
    """Do what is due, as much as fits in one step."""
    for order in x.orders.values():
        order.late = order.late and queue_waits(x, x.books[order.market])
    done = ""
    for (due_ns, which, number, _), action, kind in timers(x):
        if which in (1, 3) and number not in x.orders:
            continue  # Its other timer ended it.
        if due_ns > x.now or (done and kind != done):
            return
        before = len(x.out)
        if done and not x.room(2):
            return
        action()
        if len(x.out) > before:
            done = kind
        if done == "alone":
            return


def expire(x: "Naive", order: Order) -> None:
    """End an order's time."""
    if order.order_id in x.orders:
        cancel(x, order, e.CancelReason.EXPIRED)


def end_delay(x: "Naive", order: Order) -> None:
    """End an order's bet delay, unless its book does not take it yet."""
    order.late = queue_waits(x, x.books[order.market])
    if not order.late:
        trigger(x, order)


def cancel_after(x: "Naive", account: str) -> None:
    """Begin the mass cancel of a dead-man timer."""
    x.accounts[account].cancel_after_ns = 0
    begin_mass_cancel(x, (account, "", "", e.CancelReason.CANCEL_AFTER), None, of=account)


def indicate(x: "Naive", book: Book) -> None:
    """Tell what an uncross would do, if it is news."""
    book.indication_due_ns = 0
    now = uncross_price(book)
    if now != book.indicated:
        book.indicated = now
        x.emit(e.AuctionIndicated(book.name, *now))


def tell_offers(x: "Naive", market: Outcome) -> None:
    """Tell which offers have changed, as long as there is room."""
    kind = e.TradeKind.IMPLIED if market.two else e.TradeKind.CROSS
    for book in market.books:
        for side in (c.Side.BUY, c.Side.SELL):
            now = offer(x, book, side)
            if now != market.offers.get((book.name, side), (0, 0)):
                if not x.room(1):
                    return
                market.offers[book.name, side] = now
                x.emit(e.BestOffered(book.name, kind, side, *now))
    market.offers_due_ns = 0
