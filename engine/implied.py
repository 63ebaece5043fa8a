"""Two runners: a taker also meets the orders of its own side in the other runner's book.

Invariants: a backer never gets odds below its limit, a layer never above; a taker uses up what it asked to
the hundredth of a lot and never more; what it holds for its rest covers every trade that it may still make;
an implied trade is the maker's own bet with the signs changed, so nothing is rounded in anybody's result.

BACK A of stake s at o is LAY B of stake s(o - 1) at o / (o - 1). Odds are integers (ticks, times 100), a
taker's rest is counted in hundredths of a lot, and odds are compared by cross-multiplication alone.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bus.commands import INT_MAX, Prevention, Side
from bus.events import EVENT_NUMBERS, TradeExecuted, TradeKind

from . import ladder, outcomes
from .book import first_legs
from .fills import DONE, FILLS_LIMIT, GROUP_TRIPPED, NO_MATCH, SELF_TRADE, Outcome

if TYPE_CHECKING:
    from .accounts import Account
    from .book import Half, Market, Order
    from .cancels import Cancels
    from .matching import Matching
    from .pairs import Pair
    from .state import State

_LAY: Final = int(Side.LAY)
_BACK: Final = int(Side.BACK)
_TRADE: Final = EVENT_NUMBERS[TradeExecuted]
_IMPLIED: Final = int(TradeKind.IMPLIED)
_NONE: Final = int(Prevention.NONE)
_CANCEL_MAKER: Final = int(Prevention.CANCEL_MAKER)
_CANCEL_TAKER: Final = int(Prevention.CANCEL_TAKER)
_DECREMENT: Final = int(Prevention.DECREMENT)
LOT_HUNDREDTHS: Final = 100


def acceptable(side: int, limit_ticks: int, other_ticks: int) -> bool:
    """Return whether an order at ``other_ticks`` in the other book stands for odds that a taker accepts."""
    if side == _LAY:
        return 100 * other_ticks <= limit_ticks * (other_ticks - 100)
    return 100 * other_ticks >= limit_ticks * (other_ticks - 100)


def goes_first(side: int, other_ticks: int, direct_ticks: int) -> bool:
    """Return whether the order in the other book is better for a taker than a direct one (not when equal)."""
    if side == _LAY:
        return 100 * other_ticks < direct_ticks * (other_ticks - 100)
    return 100 * other_ticks > direct_ticks * (other_ticks - 100)


def lots_that_fit(hundredths: int, other_ticks: int) -> int:
    """Return how many whole lots of an order in the other book a taker's rest has hundredths for."""
    return hundredths // (other_ticks - 100)


def rest_loss_atoms(side: int, limit_ticks: int, hundredths: int, unit_atoms: int) -> int:
    """Return what a taker's rest holds: what it would lose at its limit, rounded up to a whole atom."""
    if side == _LAY:
        return -(-(limit_ticks - 100) * hundredths * unit_atoms // 100)
    return hundredths * unit_atoms


def offered(side: int, other_ticks: int, lots: int) -> tuple[int, int]:
    """Return what ``lots`` at ``other_ticks`` in the other book offer as orders of ``side`` in this one.

    ``(odds, lots)``: the odds rounded to the ladder so that nobody who takes them gets worse, the lots
    rounded down; ``(0, 0)`` when nothing is left of it.
    """
    fraction = (100 * other_ticks, other_ticks - 100)
    odds = ladder.floor(*fraction) if side == _LAY else ladder.ceil(*fraction)
    lots = lots * (other_ticks - 100) // LOT_HUNDREDTHS
    return (odds, lots) if odds and lots else (0, 0)


def other_book(market: "Market") -> "Market":
    """Return the book of the other runner."""
    assert market.outcome is not None
    return market.outcome.books[1 - market.runner]


class Implied:
    """Matches takers of a two-runner market with both books, by price and time."""

    def __init__(self, state: "State", matching: "Matching", cancels: "Cancels") -> None:
        self._state = state
        self._matching = matching
        self._cancels = cancels

    def crossing(self, market: "Market", side: int, price_ticks: int) -> int:
        """Return the price of a resting order, direct or implied, whose odds a limit order accepts, or 0."""
        other = other_book(market)
        lays = side == _LAY
        best = (market.asks if lays else market.bids).best
        if best is not None and (
            best.price_ticks <= price_ticks if lays else best.price_ticks >= price_ticks
        ):
            return best.price_ticks
        best = (other.bids if lays else other.asks).best
        if best is not None and acceptable(side, price_ticks, best.price_ticks):
            return best.price_ticks
        return 0

    def meets(self, market: "Market", side: int, price_ticks: int, lots: int) -> bool:
        """Return whether a limit order would have a fill, direct or implied."""
        other = other_book(market)
        lays = side == _LAY
        best = (market.asks if lays else market.bids).best
        if best is not None and (
            best.price_ticks <= price_ticks if lays else best.price_ticks >= price_ticks
        ):
            return True
        best = (other.bids if lays else other.asks).best
        return (
            best is not None
            and acceptable(side, price_ticks, best.price_ticks)
            and lots_that_fit(lots * LOT_HUNDREDTHS, best.price_ticks) > 0
        )

    def cost(self, account: "Account", market: "Market", side: int, qty_lots: int, prevention: int) -> int:
        """Return what a market order would hold for what it would trade now; a bounded walk."""
        limit = INT_MAX if side == _LAY else 0
        _, loss = self._look(account, market, side, prevention, qty_lots * LOT_HUNDREDTHS, limit)
        return loss

    def can_fill(self, taker: "Order", limit_ticks: int, qty_lots: int) -> bool:
        """Return whether ``qty_lots`` of a taker can trade at the limit, to the last hundredth of a lot."""
        prevention = taker.terms.prevention if taker.terms is not None else 0
        left = taker.left_lots * LOT_HUNDREDTHS
        used, _ = self._look(taker.account, taker.market, taker.side, prevention, left, limit_ticks)
        return used >= qty_lots * LOT_HUNDREDTHS

    def _look(
        self, account: "Account", market: "Market", side: int, prevention: int, left: int, limit_ticks: int
    ) -> tuple[int, int]:
        """Return how many of ``left`` hundredths a taker would use up now, and what it would lose by it.

        Own makers are skipped under CANCEL_MAKER (a fill each) and end it under the other modes.
        """
        other, lays, unit = other_book(market), side == _LAY, market.unit_atoms
        mode, fills_left, begun, loss = prevention or account.prevention, self._state.fills_max, left, 0
        cancels = account.family if mode == _CANCEL_MAKER else ""
        direct_makers = makers(market.asks if lays else market.bids, cancels)
        other_makers = makers(other.bids if lays else other.asks, cancels)
        direct, implied = next(direct_makers, None), next(other_makers, None)
        while left:
            if direct is not None and (direct[0] > limit_ticks if lays else direct[0] < limit_ticks):
                direct = None
            if left < LOT_HUNDREDTHS:
                direct = None
            if implied is not None and not acceptable(side, limit_ticks, implied[0]):
                implied = None
            fit = 0
            if implied is not None and (direct is None or goes_first(side, implied[0], direct[0])):
                fit = lots_that_fit(left, implied[0])
                if not fit:
                    implied = None
                    continue
                price, maker, shown = implied
            elif direct is not None:
                price, maker, shown = direct
            else:
                break
            if not fills_left:
                break
            fills_left -= 1
            lots = 0
            if mode == _NONE or maker.account.family != account.family:
                lots = min(shown, fit or left // LOT_HUNDREDTHS)
            elif mode != _CANCEL_MAKER:
                break
            if fit:
                left -= lots * (price - 100)
                loss += lots * (100 if lays else price - 100) * unit
                implied = next(other_makers, None) if lots == shown or not lots else None
            else:
                left -= lots * LOT_HUNDREDTHS
                loss += market.loss_atoms(side, price, lots)
                direct = next(direct_makers, None) if lots == shown or not lots else None
        return begun - left, loss

    def fill(self, taker: "Order", limit_ticks: int, hold_ticks: int) -> Outcome:
        """Trade a taker down as far as the limit allows, as `Matching.fill` does.

        O(log levels) a level, O(outcomes) a trade.
        """
        state, matching, market, side = self._state, self._matching, taker.market, taker.side
        lays = side == _LAY
        other = other_book(market)
        half, other_half = (market.asks, other.bids) if lays else (market.bids, other.asks)
        family, mode = taker.account.family, matching.mode_of(taker, not taker.price_ticks)
        fills_left, used, before = state.fills_max, 0, taker.left_lots
        left, stop, implies = before * LOT_HUNDREDTHS, DONE, True
        while left:
            level = half.best if left >= LOT_HUNDREDTHS else None
            if level is not None and (
                level.price_ticks > limit_ticks if lays else level.price_ticks < limit_ticks
            ):
                level = None
            best, fit = other_half.best if implies else None, 0
            if (
                best is not None
                and acceptable(side, limit_ticks, best.price_ticks)
                and (level is None or goes_first(side, best.price_ticks, level.price_ticks))
            ):
                fit = lots_that_fit(left, best.price_ticks)
                if not fit:
                    implies = False
                    continue
                level = best
            if level is None:
                stop = NO_MATCH
                break
            maker = level.first
            assert maker is not None
            own_family = mode != _NONE and maker.account.family == family
            if not fills_left or (
                (own_family or maker.terms is not None or taker.terms is not None)
                and matching.lacks_room(taker, maker, own_family)
            ):
                stop = FILLS_LIMIT
                break
            fills_left -= 1
            if own_family:
                ends, lots = self._prevent(taker, maker, mode, fit > 0)
                before -= lots
                left -= lots * LOT_HUNDREDTHS
                used += market.loss_atoms(side, hold_ticks, lots)
                if ends:
                    stop = SELF_TRADE
                    break
                continue
            if fit:
                lots = min(maker.left_lots, fit)
                used += self._trade(taker, maker, lots, left, hold_ticks)
                left -= lots * (level.price_ticks - 100)
            else:
                lots = min(maker.left_lots, taker.left_lots)
                taker.left_lots -= lots
                used += matching.trade(taker, maker, lots, hold_ticks)
                left -= lots * LOT_HUNDREDTHS
            if matching.tripped:
                stop = GROUP_TRIPPED
                break
        dust = left % LOT_HUNDREDTHS > 0
        if dust:
            taker.qty_lots -= 1
            before -= 1
        return Outcome(stop, before - taker.left_lots, used, state.fills_max - fills_left, dust)

    def _prevent(self, taker: "Order", maker: "Order", mode: int, implied: bool) -> tuple[bool, int]:
        """Keep a taker from its own family; return whether its matching ends, and the lots that it lost."""
        if implied and mode == _DECREMENT:
            mode = _CANCEL_TAKER
        had = taker.left_lots
        ends = self._matching.prevent(taker, maker, mode)
        return ends, had - taker.left_lots

    def _trade(self, taker: "Order", maker: "Order", lots: int, left: int, hold_ticks: int) -> int:
        """Trade with an order of the other book, in that book; return what of the taker's own hold was used.

        ``left``: the hundredths that the taker has left before.
        """
        state, market, level = self._state, maker.market, maker.level
        if maker.terms is not None and maker.terms.pair is not None:
            self._cancels.before_trade(maker)
        price, account, owner = level.price_ticks, taker.account, maker.account
        after = left - lots * (price - 100)
        taker.left_lots = after // LOT_HUNDREDTHS
        side = _BACK if maker.side == _LAY else _LAY
        if hold_ticks:
            used = rest_loss_atoms(taker.side, hold_ticks, left, market.unit_atoms)
            used -= rest_loss_atoms(taker.side, hold_ticks, after, market.unit_atoms)
        else:
            used = market.loss_atoms(side, price, lots)
        outcomes.lift(account, taker.market, taker.side, used)
        loss = market.loss_atoms(maker.side, price, lots)
        if side == _LAY:
            refund, released = outcomes.book_trade(market, account, owner, price, lots, 0, loss)
        else:
            released, refund = outcomes.book_trade(market, owner, account, price, lots, loss, 0)
        if owner is account:
            refund, released = refund + released, 0
        level_lots = self._matching.take_lots(maker, lots)
        market.last_trade_id += 1
        market.market_seq += 1
        market.last_price_ticks = price
        owner.seq += 1
        owner_seq = owner.seq
        account.seq += 1
        trade = (
            _TRADE, market.name, market.last_trade_id, price, lots, side,
            owner.name, owner_seq, maker.order_id, maker.total_left, 0,
            account.name, account.seq, taker.order_id, taker.left_lots, 0,
            refund, market.market_seq, level_lots, released, _IMPLIED,
        )  # fmt: skip
        state.events.append(trade)
        state.watch_trade(market, price)
        if maker.terms is not None or taker.terms is not None:
            self._matching.after_trade(taker, maker, lots)
        return used


def makers(half: "Half", cancelled_family: str) -> Iterator[tuple[int, "Order", int]]:
    """Yield ``(price, order, lots)`` of one side as takers would meet them, icebergs as they renew.

    Of the two legs of a pair of which one cancels the other, the one that is met first alone. Orders of
    ``cancelled_family`` are cancelled when they are met, with what they hide.
    """
    met: list[Pair] = []
    for level in half.levels():
        renewed: list[tuple[Order, int]] = []
        for order in first_legs(level, met):
            yield level.price_ticks, order, order.left_lots
            terms = order.terms
            if terms is not None and terms.hidden_lots and order.account.family != cancelled_family:
                renewed.append((order, terms.hidden_lots))
        while renewed:
            row, renewed = renewed, []
            for order, hidden in row:
                assert order.terms is not None
                lots = min(hidden, order.terms.display_lots)
                yield level.price_ticks, order, lots
                if hidden > lots:
                    renewed.append((order, hidden - lots))
