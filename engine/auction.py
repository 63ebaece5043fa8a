"""Call auctions: what an uncross of gathered orders would do, and the uncross itself, in bounded steps.

Invariants: every trade of an uncross is at one price, at or better than both limits; when it has ended the
book is not crossed; a transaction has room for all that its trades bring about.
The rules are those of ``docs/concepts/market-states.md``.
"""

from typing import TYPE_CHECKING, Any, Final

from bus.commands import MarketState, PairKind, Side
from bus.events import EVENT_NUMBERS, AuctionDone, AuctionIndicated, AuctionTraded

from . import fees, outcomes, states
from .book import Half, Market, Order
from .cancels import Cancels
from .jobs import Job
from .state import State
from .timers import INDICATION

if TYPE_CHECKING:
    from .trading import Trading

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_PRE_OPEN: Final = int(MarketState.PRE_OPEN)
_OCO: Final = int(PairKind.OCO)
_TRADED: Final = EVENT_NUMBERS[AuctionTraded]

Auction = tuple[int, int, int]
"""Price, lots, and what would be left at that price: positive of buyers, negative of sellers."""

NOTHING: Final[Auction] = (0, 0, 0)


def equilibrium(market: Market) -> Auction:
    """Return what an uncross of a book would do now; O(levels where it is crossed + orders with terms).

    Of the limit prices that is the one where most would trade; of those the one with the least imbalance, of
    those the nearest to the last trade (or the middle of the best prices), of those the lowest.
    """
    if not states.crossed(market):
        return NOTHING
    bid, ask = market.bids.best, market.asks.best
    assert bid is not None and ask is not None
    low, high = ask.price_ticks, bid.price_ticks
    buys, sells = _by_price(market.bids, low), _by_price(market.asks, high)
    middle = market.last_price_ticks or (low + high) // 2
    demand, supply = sum(buys.values()), 0
    best_rank, best = (1, 0, 0), NOTHING
    for price in sorted(buys | sells):
        supply += sells.get(price, 0)
        rank = (-min(demand, supply), abs(demand - supply), abs(price - middle))
        if rank < best_rank:
            best_rank, best = rank, (price, min(demand, supply), demand - supply)
        demand -= buys.get(price, 0)
    return best


def _by_price(half: Half, last_ticks: int) -> dict[int, int]:
    """Return what can trade at each price from the best to ``last_ticks``: hidden lots too."""
    lots: dict[int, int] = {}
    for level in half.levels():
        if level.price_ticks * half.sign > last_ticks * half.sign:
            break
        lots[level.price_ticks] = level.lots
    for order in half.termed.values():
        price, terms = order.price_ticks, order.terms
        assert terms is not None
        if price not in lots:
            continue
        if _is_second(order, half.sign):
            lots[price] -= order.left_lots
        else:
            lots[price] += terms.hidden_lots
    return lots


def _is_second(order: Order, sign: int) -> bool:
    """Return whether an order is the leg of an OCO that is met second: the first will have cancelled it."""
    pair = order.terms.pair if order.terms is not None else None
    if pair is None or pair.kind != _OCO:
        return False
    other = pair.second if order is pair.first else pair.first
    if other.waits:
        return False
    if other.price_ticks != order.price_ticks:
        return other.price_ticks * sign < order.price_ticks * sign
    return next(leg is other for leg in order.level if leg is order or leg is other)


def changed(state: State, market: Market) -> None:
    """See to it that a change of a book where orders gather is told, by and by; O(log timers)."""
    if market.state == _PRE_OPEN and not state.timers.is_set(INDICATION, market.number):
        due_ns = state.now_ns + state.limits.indication_interval_ns
        state.timers.set(due_ns, INDICATION, market.number)


def indicate(state: State, market: Market) -> None:
    """Tell what an uncross would do now, unless that was told last; its timer is due."""
    if market.state != _PRE_OPEN:
        return
    auction = equilibrium(market)
    if auction != market.indicated:
        market.indicated = auction
        state.emit(AuctionIndicated(market.name, *auction))


def enter(state: State, market: Market, market_state: int) -> None:
    """Bring a book to a state: what is told of an auction begins anew with PRE_OPEN, and ends with others."""
    market.gathering = market_state == _PRE_OPEN or states.crossed(market)
    market.indicated = NOTHING
    market.mark(state=market_state)
    state.timers.clear(INDICATION, market.number)
    changed(state, market)


class Uncross(Job):
    """The uncross of a market's books, one after the other, each at one price.

    Parameters
    ----------
    name
        The market whose change to OPEN it belongs to.
    books
        All its books: nothing in them matches otherwise until all is done.
    crossed
        Those that are to be uncrossed.
    """

    __slots__ = ("begun", "books", "crossed", "lots", "name", "price_ticks")

    def __init__(self, name: str, books: list[Market], crossed: list[Market]) -> None:
        self.name = name
        self.books = books
        self.crossed = crossed
        self.begun = False
        """Whether the first of those has its price, and ``lots`` that traded so far."""
        self.price_ticks = 0
        self.lots = 0
        for book in books:
            book.gathering = True
            book.watch()

    def step(self, state: State, trading: "Trading") -> bool:
        """Uncross as far as one transaction allows; return whether all is done."""
        fills = 0
        while self.crossed:
            market = self.crossed[0]
            if not self.begun:
                self.price_ticks, self.begun = equilibrium(market)[0], True
            pair = _next_pair(market, self.price_ticks)
            room = state.limits.events_per_transaction_max - len(state.events)
            if pair is None:
                if not room:
                    return False
                self.finish(state)
                if not states.crossed(market):
                    del self.crossed[0]
                continue
            buy, sell = pair
            if fills == state.limits.fills_per_order_max or room < 2 + _brings(buy) + _brings(sell):
                return False
            self.lots += _trade(state, trading.cancels, buy, sell, self.price_ticks)
            fills += 1
        for book in self.books:
            book.gathering = False
            book.watch()
        return True

    def finish(self, state: State) -> None:
        """End the uncross of the book at hand, if it began: done or broken off."""
        if self.begun:
            price = self.price_ticks if self.lots else 0
            state.emit(AuctionDone(self.crossed[0].name, price, self.lots))
        self.begun, self.price_ticks, self.lots = False, 0, 0

    def mark(self, jobs: int) -> None:
        """Make the market busy (1), or not any more (-1)."""
        for book in self.books:
            book.mark(busy=book.busy + jobs)

    def holds_back(self, market: Market) -> bool:
        """Return whether a book's triggered orders wait for the end of the uncross."""
        return any(book is market for book in self.books)

    def row(self) -> tuple[Any, ...]:
        """Return it as plain data."""
        return (self.name, tuple(book.name for book in self.crossed), self.begun, self.price_ticks, self.lots)


def restore_uncross(state: State, row: tuple[Any, ...]) -> Uncross:
    """Return the uncross of a row; its books are there already."""
    name, crossed, begun, price_ticks, lots = row
    uncross = Uncross(name, states.books(state, name), [state.markets[book] for book in crossed])
    uncross.begun, uncross.price_ticks, uncross.lots = begun, price_ticks, lots
    return uncross


def _trade(state: State, cancels: Cancels, buy: Order, sell: Order, price: int) -> int:
    """Let two orders trade all they can at a price; return the lots."""
    market, buyer, seller = buy.market, buy.account, sell.account
    lots = min(buy.total_left, sell.total_left)
    for order in (buy, sell):
        if order.terms is not None and order.terms.pair is not None:
            cancels.before_trade(order)
    buy_fee, sell_fee, refund, released = _settle(state, buy, sell, price, lots)
    buy_level, sell_level = _take(state, buy, lots), _take(state, sell, lots)
    name = market.name
    buyer.net_lots[name] = buyer.net_lots.get(name, 0) + lots
    seller.net_lots[name] = seller.net_lots.get(name, 0) - lots
    market.last_trade_id += 1
    market.market_seq += 1
    market.last_price_ticks = price
    buyer.seq += 1
    buyer_seq = buyer.seq
    seller.seq += 1
    traded = (
        _TRADED, name, market.last_trade_id, price, lots,
        buyer.name, buyer_seq, buy.order_id, buy.total_left, buy_fee, buy.price_ticks, buy_level, refund,
        seller.name, seller.seq, sell.order_id, sell.total_left, sell_fee, sell.price_ticks, sell_level,
        released, market.market_seq,
    )  # fmt: skip
    state.events.append(traded)
    state.watch_trade(market, price)
    for order in (buy, sell):
        _traded(state, cancels, order, lots)
    return lots


def _settle(state: State, buy: Order, sell: Order, price: int, lots: int) -> tuple[int, int, int, int]:
    """Move the funds, or results, of a trade; return both fees and what is available again of each."""
    market, buyer, seller = buy.market, buy.account, sell.account
    buy_loss = market.loss_atoms(_BUY, buy.price_ticks, lots)
    sell_loss = market.loss_atoms(_SELL, sell.price_ticks, lots)
    if market.outcome is not None:
        return (0, 0, *outcomes.book_trade(market, buyer, seller, price, lots, buy_loss, sell_loss))
    base, quote = market.base, market.quote
    paid, sold = price * lots * market.unit_atoms, lots * market.lot_atoms
    buy_fee = fees.of_auction(market, buyer, sold)
    sell_fee = fees.of_auction(market, seller, paid)
    bought = buyer.balance(quote)
    bought.held -= buy_loss
    bought.available += buy_loss - paid
    buyer.balance(base).available += sold - buy_fee
    seller.balance(base).held -= sold
    seller.balance(quote).available += paid - sell_fee
    if buy_fee:
        state.fees.balance(base).available += buy_fee
    if sell_fee:
        state.fees.balance(quote).available += sell_fee
    return buy_fee, sell_fee, buy_loss - paid, 0


def _traded(state: State, cancels: Cancels, order: Order, lots: int) -> None:
    """Let an order's group count a trade, and what waits for its fill go on."""
    terms = order.terms
    if terms is None:
        return
    if terms.group is not None:
        terms.group.traded(state, lots)
    if terms.pair is not None and not order.left_lots:
        cancels.filled(order)


def _take(state: State, order: Order, lots: int) -> int:
    """Take traded lots off an order, hidden ones too; return what its level now shows."""
    market, level, terms = order.market, order.level, order.terms
    left, shown = order.total_left - lots, order.left_lots
    chain = order.account.chains[market.name]
    chain.change(order.side, -lots)
    if left == 0:
        market.half(order.side).remove(order)
        order.left_lots = 0
        if terms is not None:
            terms.hidden_lots = 0
        chain.remove(order)
        state.forget_order(order)
        return level.lots
    if terms is not None and terms.display_lots:
        order.left_lots = min(terms.display_lots, left)
        terms.hidden_lots = left - order.left_lots
    else:
        order.left_lots = left
    level.lots += order.left_lots - shown
    return level.lots


def _next_pair(market: Market, price_ticks: int) -> tuple[Order, Order] | None:
    """Return the first buy and the first sell that trade at a price, if there are both."""
    bid, ask = market.bids.best, market.asks.best
    if bid is None or ask is None or bid.price_ticks < price_ticks or ask.price_ticks > price_ticks:
        return None
    assert bid.first is not None and ask.first is not None
    return bid.first, ask.first


def _brings(order: Order) -> int:
    """Return how many events a trade of an order may bring besides its own."""
    terms = order.terms
    if terms is None:
        return 0
    paired = terms.pair is not None and terms.pair.kind == _OCO
    return (1 if paired else 0) + (1 if terms.is_counted else 0)
