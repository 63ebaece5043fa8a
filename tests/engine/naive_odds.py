"""Results of bets by outcome, the ladder of odds, and what all books of a market offer together.

It protects the invariant of outcome markets: held is the worst case over all outcomes and all fills. All
results of orders are in hundredths of an atom, since an implied taker's rest is in hundredths of a lot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from bus import commands as c

from .naive_state import Book, Order, Outcome, Trade

if TYPE_CHECKING:
    from .naive import Naive

ODDS_MAX = 100_000


def _ladder() -> list[int]:
    odds, found = 101, []
    steps = [(200, 1), (300, 2), (400, 5), (600, 10), (1000, 20), (2000, 50), (3000, 100), (5000, 200)]
    for top, step in [*steps, (10_000, 500), (100_000, 1000)]:
        while odds < top:
            found.append(odds)
            odds += step
    return [*found, ODDS_MAX]


LADDER = _ladder()
assert len(LADDER) == 350


def ladder_floor(odds: Fraction | int) -> int:
    """Return the highest odds of the ladder not above ``odds`` (0: none)."""
    return max((rung for rung in LADDER if rung * odds.denominator <= odds.numerator), default=0)


def ladder_ceil(odds: Fraction | int) -> int:
    """Return the lowest odds of the ladder not below ``odds`` (0: none)."""
    return min((rung for rung in LADDER if rung * odds.denominator >= odds.numerator), default=0)


def vector(market: Outcome, runner: int, side: int, price: int, hundredths: int) -> list[int]:
    """Return the result in each outcome, in hundredths of an atom, of a fill at ``price``."""
    if market.binary:
        buy = [hundredths * (10_000 - price) * market.unit, -hundredths * price * market.unit]
        return buy if side == c.Side.BUY else [-x for x in buy]
    lose, win = -hundredths * 100 * market.unit, hundredths * (price - 100) * market.unit
    back = [win if i == runner else lose for i in range(len(market.runners))]
    return back if side == c.Side.BACK else [-x for x in back]


def trade_vector(market: Outcome, trade: Trade) -> list[int]:
    """Return the buyer's (layer's) result in each outcome, in atoms, of a trade."""
    if trade.void:
        return [0] * len(market.runners)
    win, lose = trade.win * market.unit, trade.lose * market.unit
    if market.binary:
        return [win, -lose]
    return [-win if i == trade.runner else lose for i in range(len(market.runners))]


def recount(market: Outcome) -> None:
    """Count all positions from the trades."""
    zeros = [0] * len(market.runners)
    market.positions = {name: list(zeros) for name in market.accounts}
    for trade in market.trades:
        add_trade(market, trade)


def add_trade(market: Outcome, trade: Trade) -> None:
    """Add a trade to both positions."""
    result = trade_vector(market, trade)
    for name, sign in ((trade.buyer, 1), (trade.seller, -1)):
        have = market.positions.setdefault(name, [0] * len(market.runners))
        market.positions[name] = [h + sign * r for h, r in zip(have, result, strict=True)]


def worst_price(book: Book, side: int) -> int:
    """Return the price at which a market order that waits would lose most."""
    if side == c.Side.BUY:
        return book.made.price_ticks_max
    return book.price_min


def reserve(book: Book, order: Order) -> list[int]:
    """Return what an open order may lose in each outcome, were all that is left of it filled."""
    market = book.outcome
    assert market is not None
    if order.plan is not None:
        planned = [0] * len(market.runners)
        for losses in order.plan:
            planned = [a + b for a, b in zip(planned, losses, strict=True)]
        return planned
    price = order.price or worst_price(book, order.side)
    result = vector(market, book.made.runner, order.side, price, order.hundredths)
    return [min(0, x) for x in result]


def plus(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Return the sum of two results."""
    return [a + b for a, b in zip(one, other, strict=True)]


def required(x: "Naive", market: Outcome, account: str, more: Sequence[list[int]] = ()) -> int:
    """Return what the account must hold in the market: its worst loss over outcomes and fills.

    ``more`` are reserves of orders that are not there yet.
    """
    total = [100 * have for have in market.positions.get(account, [0] * len(market.runners))]
    for order in x.orders.values():
        book = x.books[order.market]
        if order.account != account or book.outcome is not market:
            continue
        losses = reserve(book, order)
        partner = order.partner
        if order.pair and order.pair.kind == c.PairKind.OCO and partner and partner.order_id in x.orders:
            if order is order.pair.second:
                continue
            losses = [min(a, b) for a, b in zip(losses, reserve(book, partner), strict=True)]
        total = plus(total, losses)
    for losses in more:
        total = plus(total, losses)
    worst = min(total[i] for i in market.outcomes)
    return max(0, -(worst // 100))


def implied_odds(price: int) -> Fraction:
    """Return the odds (times 100) that a bet on the other of two runners at ``price`` stands for."""
    return Fraction(100 * price, price - 100)


@dataclass
class Cross:
    """A cross match: the taker's stake and odds, and the legs (book, order, lots), runner by runner."""

    stake: int
    odds: int
    legs: list[tuple[Book, Order, int]]


def cross_match(
    x: "Naive", book: Book, side: int, limit: int, stake_max: int, taker: str, fills: int
) -> Cross | None:
    """Return the cross match of an order in ``book``, if there is one (``limit`` 0, ``taker`` "": of none).

    Everything is looked for again: nothing is kept between matches.
    """
    market = book.outcome
    if (
        market is None
        or market.binary
        or market.two
        or not market.made.house
        or book.made.runner in market.removed
    ):
        return None
    house = market.made.house
    blocked = x.accounts[house].state == c.AccountState.BLOCKED
    if taker == house or blocked or x.account_is_busy(house):
        return None
    others = [market.books[i] for i in market.outcomes if i != book.made.runner]
    if not all(other.side(side) for other in others):
        return None
    best = [other.side(side)[0].price for other in others]
    shown = [_shown(other.side(side), odds) for other, odds in zip(others, best, strict=True)]
    left = 1 - sum(Fraction(100, odds) for odds in best)
    if side == c.Side.BACK:
        odds = ladder_floor(Fraction(100) / left) if left > 0 else ODDS_MAX
        fits = odds and (not limit or odds >= limit)
    else:
        odds = ladder_ceil(Fraction(100) / left) if left > 0 else 0
        fits = odds and (not limit or odds <= limit)
    if not fits:
        return None
    stake = stake_max
    for odds_i, orders in zip(best, shown, strict=True):
        stake = min(stake, sum(lots for _, lots in orders) * odds_i // odds)
    if stake < 1:
        return None
    for rounding in (_down, _nearest, _up):
        stakes = [
            min(max(1, rounding(Fraction(stake * odds, odds_i))), sum(lots for _, lots in orders))
            for odds_i, orders in zip(best, shown, strict=True)
        ]
        if _house_accepts(x, market, book, side, stake, odds, list(zip(others, best, stakes, strict=True))):
            legs = [
                (other, order, lots)
                for other, orders, wanted in zip(others, shown, stakes, strict=True)
                for order, lots in _oldest(orders, wanted)
            ]
            met = [order.account for _, order, _ in legs]
            own = house in met or any(taker and x.related(taker, name) for name in met)
            return None if own or len(legs) + 1 > fills else Cross(stake, odds, legs)
    return None


def _shown(orders: list[Order], odds: int) -> list[tuple[Order, int]]:
    """Return (order, lots shown) at the odds; of the legs of an OCO only the first."""
    found: list[tuple[Order, int]] = []
    for order in orders:
        if order.price == odds and not any(first is order.partner and is_oco(order) for first, _ in found):
            found.append((order, order.shown))
    return found


def is_oco(order: Order) -> bool:
    """Return whether it is of a pair of which one cancels the other."""
    return order.pair is not None and order.pair.kind == c.PairKind.OCO


def _oldest(orders: list[tuple[Order, int]], wanted: int) -> list[tuple[Order, int]]:
    found = []
    for order, lots in orders:
        if wanted:
            found.append((order, min(lots, wanted)))
            wanted -= min(lots, wanted)
    return found


def _down(lots: Fraction) -> int:
    return lots.numerator // lots.denominator


def _nearest(lots: Fraction) -> int:
    return _down(lots + Fraction(1, 2))


def _up(lots: Fraction) -> int:
    return -_down(-lots)


def _house_accepts(
    x: "Naive",
    market: Outcome,
    book: Book,
    side: int,
    stake: int,
    odds: int,
    legs: list[tuple[Book, int, int]],
) -> bool:
    """Return whether the house takes the other side of these bets."""
    house, against = market.made.house, c.Side.BUY + c.Side.SELL - side
    result = [0] * len(market.runners)
    for other, odds_i, lots in [(book, odds, stake), *legs]:
        result = plus(result, vector(market, other.made.runner, against, odds_i, lots * 100))
    result = [r // 100 for r in result]
    now = market.positions.get(house, [0] * len(market.runners))
    after = plus(now, result)
    if any(result[i] < -market.made.match_loss_max_atoms for i in market.outcomes):
        return False
    if any(after[i] < -market.made.house_loss_max_atoms for i in market.outcomes):
        return False
    if x.owes(house):
        return False
    more = required(x, market, house, [[100 * r for r in result]]) - market.held.get(house, 0)
    return x.covers(house, market.made.asset, more)


def offer(x: "Naive", book: Book, side: int) -> tuple[int, int]:
    """Return the best (price, lots) of the orders of ``side`` that other books stand for in this one."""
    market = book.outcome
    assert market is not None
    if book.made.runner in market.removed:
        return 0, 0
    taker_side = c.Side.BUY + c.Side.SELL - side
    if not market.two:
        most = book.made.qty_lots_max
        found = cross_match(x, book, taker_side, 0, most, "", x.limits.fills_per_order_max)
        return (found.odds, found.stake) if found else (0, 0)
    orders = market.books[1 - book.made.runner].side(taker_side)
    if not orders:
        return 0, 0
    price = orders[0].price
    lots = sum(o.shown for o in orders if o.price == price) * (price - 100) // 100
    odds = (
        ladder_floor(implied_odds(price)) if taker_side == c.Side.BACK else ladder_ceil(implied_odds(price))
    )
    return (odds, lots) if lots and odds else (0, 0)
