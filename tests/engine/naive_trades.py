"""Trades and cancels of the naive exchange, and what they bring about: pairs, groups, last prices.

It protects conservation: each function moves what it takes from one balance to another.
"""

from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e

from .naive_checks import meeting_vector
from .naive_odds import Cross, add_trade, is_oco
from .naive_orders import take_off
from .naive_state import Book, Order, Outcome, Trade
from .naive_walk import Meeting, Walk

if TYPE_CHECKING:
    from .naive import Naive

CROSSES_MAX = 10
EVENTS_OF_A_FILL = 6


def carry_out(x: "Naive", taker: Order, walk: Walk) -> tuple[int, bool]:
    """Carry out a walk; return the reason that stopped the order (0: none) and whether fills alone did."""
    more = walk.more
    for meeting in walk.meetings:
        several = meeting.mode > c.Prevention.NONE or any(
            grouped(order) or x.in_pair(order) for order in (taker, meeting.maker)
        )
        if several and len(x.out) + EVENTS_OF_A_FILL > x.limits.events_per_transaction_max:
            return 0, True
        if meeting.mode > c.Prevention.NONE:
            if prevent(x, taker, meeting):
                return e.CancelReason.SELF_TRADE, False
            continue
        break_pair(x, meeting.maker)
        break_pair(x, taker)
        trade(x, taker, meeting)
        if tripped_by(x, taker, meeting):
            return e.CancelReason.GROUP_TRIPPED if not x.is_filled(taker) else 0, False
    return 0, more


def grouped(order: Order) -> bool:
    """Return whether the order is of a group."""
    return order.group is not None and not order.group.removed


def break_pair(x: "Naive", order: Order) -> None:
    """Cancel the other leg of an OCO."""
    partner, pair = order.partner, order.pair
    if pair is not None and partner is not None and is_oco(order) and partner.order_id in x.orders:
        order.pair = partner.pair = None
        cancel(x, partner, e.CancelReason.PAIRED, less=pair.saved)


def prevent(x: "Naive", taker: Order, meeting: Meeting) -> bool:
    """Do what prevention says; return whether the taker ends."""
    maker, mode, lots = meeting.maker, meeting.mode, meeting.lots
    if mode == c.Prevention.DECREMENT:
        break_pair(x, maker)
    released = 0
    if mode == c.Prevention.DECREMENT:
        taker.qty -= lots
        released = -x.rehold_order(taker)
    seq = x.account_seq(taker.account)
    who = (meeting.book.name, maker.account, maker.order_id, taker.account, seq, taker.order_id, taker.side)
    x.emit(e.SelfTradePrevented(*who, mode, lots, taker.left, released))
    if mode == c.Prevention.DECREMENT:
        if maker.left > lots:
            take_off(x, maker, lots)
        else:
            cancel(x, maker, e.CancelReason.SELF_TRADE)
        return taker.left == 0
    if mode in (c.Prevention.CANCEL_MAKER, c.Prevention.CANCEL_BOTH):
        cancel(x, maker, e.CancelReason.SELF_TRADE)
    return mode != c.Prevention.CANCEL_MAKER


def trade(x: "Naive", taker: Order, meeting: Meeting) -> None:
    """Trade with a maker at its price."""
    maker, book = meeting.maker, meeting.book
    price, fees, refund, released = maker.price, (0, 0), 0, 0
    maker.used += meeting.lots * 100
    taker.used += meeting.hundredths
    maker.shown -= meeting.lots
    ended = maker.left == 0
    if ended:
        book.resting.remove(maker)
        del x.orders[maker.order_id]
    elif maker.shown == 0:
        book.resting.remove(maker)
        book.resting.append(maker)
        maker.show()
    taker_side = taker.side
    if book.outcome is None:
        fees, refund = pay(x, book, taker, maker, meeting.lots)
    else:
        if meeting.kind == e.TradeKind.IMPLIED:
            taker_side = c.Side.BUY + c.Side.SELL - taker.side
        if taker.plan is not None:
            losses = [min(0, r) for r in meeting_vector(book, taker.side, price, meeting.lots, meeting.kind)]
            taker.plan.remove(losses)
        buyer, seller = (taker, maker) if taker_side == c.Side.BUY else (maker, taker)
        record(x, book, price, meeting.lots, buyer.account, seller.account)
        refund = -x.rehold(book.outcome, taker.account)
        released = -x.rehold(book.outcome, maker.account)
        assert refund >= 0 and released >= 0, "a trade raised what is held"
    count_net(book, taker.account, taker_side, meeting.lots)
    count_net(book, maker.account, maker.side, meeting.lots)
    book.trade_id += 1
    what = (book.name, book.trade_id, price, meeting.lots, taker_side)
    made = (maker.account, x.account_seq(maker.account), maker.order_id, maker.left, fees[0])
    took = (taker.account, x.account_seq(taker.account), taker.order_id, taker.left, fees[1])
    tail = x.tail(maker, price)
    x.emit(e.TradeExecuted(*what, *made, *took, refund, *tail, released, meeting.kind))
    x.saw_price((taker.order_id, book.name), price)
    if ended:
        x.ended(maker, filled=True)


def pay(x: "Naive", book: Book, taker: Order, maker: Order, lots: int) -> tuple[tuple[int, int], int]:
    """Exchange base and quote; return the fees of maker and taker and the taker's refund."""
    made = book.made
    paid, sold = maker.price * lots * made.unit_atoms, lots * made.lot_atoms
    buyer, seller = (taker, maker) if taker.side == c.Side.BUY else (maker, taker)
    refund = 0
    if buyer is taker and taker.price:
        refund = (taker.price - maker.price) * lots * made.unit_atoms
    maker_ppm, _ = x.fees_of(maker.account, book)
    _, taker_ppm = x.fees_of(taker.account, book)
    taker_gets, maker_gets = (sold, paid) if buyer is taker else (paid, sold)
    taker_fee = taker_gets * taker_ppm // 1_000_000
    maker_fee = maker_gets * maker_ppm // 1_000_000
    if maker_ppm < 0:
        maker_fee = -min(taker_gets * -maker_ppm // 1_000_000, taker_fee)
        asset = made.base if buyer is taker else made.quote
        x.move(maker.account, asset, -maker_fee, 0)
        x.move(c.FEES, asset, maker_fee, 0)
    buyer_fee, seller_fee = (
        (taker_fee, max(0, maker_fee)) if buyer is taker else (max(0, maker_fee), taker_fee)
    )
    exchange(x, book, (buyer, paid, buyer_fee, refund), (seller, sold, seller_fee))
    return (maker_fee, taker_fee), refund


def exchange(
    x: "Naive", book: Book, buys: tuple[Order, int, int, int], sells: tuple[Order, int, int]
) -> None:
    """Move what is paid and sold, fees and refund."""
    made = book.made
    buyer, paid, buyer_fee, refund = buys
    seller, sold, seller_fee = sells
    x.move(buyer.account, made.quote, refund, -paid - refund)
    buyer.held -= paid + refund
    x.move(seller.account, made.base, 0, -sold)
    seller.held -= sold
    x.move(buyer.account, made.base, sold - buyer_fee, 0)
    x.move(seller.account, made.quote, paid - seller_fee, 0)
    x.move(c.FEES, made.base, buyer_fee, 0)
    x.move(c.FEES, made.quote, seller_fee, 0)


def record(x: "Naive", book: Book, price: int, lots: int, buyer: str, seller: str) -> None:
    """Add a trade to an outcome market."""
    market = book.outcome
    assert market is not None
    win, lose = lots * (price - 100), lots * 100
    if market.binary:
        win, lose = lots * (10_000 - price), lots * price
    done = Trade(x.now, book.made.runner, lots, buyer, seller, win, lose)
    market.trades.append(done)
    x.name_account(market, buyer)
    x.name_account(market, seller)
    add_trade(market, done)


def count_net(book: Book, account: str, side: int, lots: int) -> None:
    """Count lots net bought."""
    book.net[account] = book.net.get(account, 0) + (lots if side == c.Side.BUY else -lots)


def tripped_by(x: "Naive", taker: Order, meeting: Meeting) -> bool:
    """Count the trade in the orders' groups; return whether the taker's tripped."""
    stops = count_in_group(x, taker, meeting.lots)
    by_maker = count_in_group(x, meeting.maker, meeting.lots)
    return stops or (by_maker and meeting.maker.group is taker.group)


def count_in_group(x: "Naive", order: Order, lots: int) -> bool:
    """Count a trade of an order in its group; return whether it tripped."""
    group = order.group
    if group is None or group.removed:
        return False
    was = group.tripped
    group.traded.append((x.now, lots))
    total = sum(lots for time_ns, lots in group.traded if x.now - time_ns <= group.window_ns)
    if was or total < group.lots_max:
        return False
    group.tripped = True
    x.trips.append(group)
    seq = x.account_seq(group.account)
    x.emit(e.GroupTripped(group.account, seq, group.name, total))
    return True


def cancel(x: "Naive", order: Order, reason: int, less: int = 0) -> None:
    """Cancel what an order has left and release its hold, less what a pair did not hold twice."""
    book = x.books[order.market]
    rested = order in book.resting
    if rested:
        book.resting.remove(order)
    if order in book.queue:
        book.queue.remove(order)
    partner, pair = order.partner, order.pair
    follows = pair is not None and partner is not None and partner.order_id in x.orders
    if pair is not None and follows and pair.kind == c.PairKind.OTO:
        follows = order is pair.first
    elif pair is not None and follows:
        less, pair.saved = pair.saved, 0
    left = order.left
    del x.orders[order.order_id]
    if book.outcome is None:
        released = order.held - less
        order.held = 0
        x.move(order.account, book.asset_held(order.side), released, -released)
    else:
        released = -x.rehold(book.outcome, order.account)
    tail = x.tail(order, order.price, on_book=rested)
    rest = (order.side, order.price, left, reason, released, *tail, order.filled)
    x.emit(e.OrderCancelled(*x.head(order), order.terms.client_order_id, *rest))
    x.closed(order)
    if follows and partner is not None:
        partner.pair = None
        cancel(x, partner, e.CancelReason.PAIRED)


def cross_all(x: "Naive", taker: Order, fills: int) -> int:
    """Cross an order with all other runners' orders as often as it goes; return what stopped it."""
    book = x.books[taker.market]
    for _ in range(CROSSES_MAX):
        found = (
            x.cross(book, taker.terms, taker.left, taker.price, x.fills_max - fills) if taker.left else None
        )
        if found is None or not room_to_cross(x, taker, found):
            return 0
        market = book.outcome
        assert market is not None
        house = market.made.house
        for leg_book, maker, lots in found.legs:
            break_pair(x, maker)
            meeting = Meeting(leg_book, maker, lots, lots * 100, e.TradeKind.CROSS)
            cross_leg(x, market, taker, meeting)
            count_in_group(x, maker, lots)
        break_pair(x, taker)
        fills += len(found.legs) + 1
        taker.used += found.stake * 100
        side = c.Side.BUY + c.Side.SELL - taker.side
        buyer, seller = (taker.account, house) if taker.side == c.Side.BUY else (house, taker.account)
        record(x, book, found.odds, found.stake, buyer, seller)
        count_net(book, taker.account, taker.side, found.stake)
        count_net(book, house, side, found.stake)
        refund = -x.rehold(market, taker.account)
        released = -x.rehold(market, house)
        book.trade_id += 1
        what = (book.name, book.trade_id, found.odds, found.stake, taker.side)
        made = (house, x.account_seq(house), 0, 0, 0)
        took = (taker.account, x.account_seq(taker.account), taker.order_id, taker.left, 0)
        x.emit(e.TradeExecuted(*what, *made, *took, refund, 0, 0, released, e.TradeKind.CROSS))
        x.saw_price((taker.order_id, book.name), found.odds)
        stopped = count_in_group(x, taker, found.stake)
        if x.is_filled(taker):
            x.ended(taker, filled=True)
            return 0
        if stopped:
            return e.CancelReason.GROUP_TRIPPED
    return 0


def room_to_cross(x: "Naive", taker: Order, found: Cross) -> bool:
    """Return whether a match with an order of a group or pair has room."""
    several = any(
        grouped(order) or x.in_pair(order) for order in (taker, *(maker for _, maker, _ in found.legs))
    )
    return not several or x.room(3 * (len(found.legs) + 1) + 3)


def cross_leg(x: "Naive", market: Outcome, taker: Order, meeting: Meeting) -> None:
    """Trade one leg of a cross match: the house against a resting order."""
    maker, book, house = meeting.maker, meeting.book, market.made.house
    maker.used += meeting.hundredths
    maker.shown -= meeting.lots
    ended = maker.left == 0
    if ended:
        book.resting.remove(maker)
        del x.orders[maker.order_id]
    elif maker.shown == 0:
        book.resting.remove(maker)
        book.resting.append(maker)
        maker.show()
    side = c.Side.BUY + c.Side.SELL - maker.side
    buyer, seller = (house, maker.account) if side == c.Side.BUY else (maker.account, house)
    record(x, book, maker.price, meeting.lots, buyer, seller)
    count_net(book, house, side, meeting.lots)
    count_net(book, maker.account, maker.side, meeting.lots)
    released = -x.rehold(market, maker.account)
    book.trade_id += 1
    what = (book.name, book.trade_id, maker.price, meeting.lots, side)
    made = (maker.account, x.account_seq(maker.account), maker.order_id, maker.left, 0)
    took = (house, x.account_seq(house), 0, 0, 0)
    tail = x.tail(maker, maker.price)
    x.emit(e.TradeExecuted(*what, *made, *took, 0, *tail, released, e.TradeKind.CROSS))
    x.saw_price((taker.order_id, book.name), maker.price)
    if ended:
        x.ended(maker, filled=True)
