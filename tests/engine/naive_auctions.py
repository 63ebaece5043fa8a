"""Call auctions: at what price a book uncrosses, and the uncross in steps.

It protects the invariant that all trades of an uncross are at one price.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e

from .naive_cancels import cost_of
from .naive_odds import is_oco
from .naive_state import Book, Job, Order
from .naive_trades import break_pair, count_in_group, count_net, exchange, grouped, record

if TYPE_CHECKING:
    from .naive import Naive


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
