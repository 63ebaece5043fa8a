"""Matching: a taker against the resting orders, best price first, oldest first, at the maker's price.

Invariants: a trade moves exactly ``price × lots × unit`` quote against ``lots × lot_atoms`` base, less each
side's fee, which goes to the fee account (in outcome markets: results that cancel out, and no funds); a maker
never trades worse than its limit; the number of fills of one order is bounded by ``fills_per_order_max``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bus.commands import INT_MAX, MatchingRule, Prevention, Side
from bus.events import (
    EVENT_NUMBERS,
    CancelReason,
    SelfTradePrevented,
    TradeExecuted,
    TradeKind,
)

from . import fees, outcomes, prorata
from .accounts import Account
from .book import Half, Level, Market, Order, first_legs
from .cancels import Cancels
from .fills import BUDGET_SPENT, DONE, FILLS_LIMIT, GROUP_TRIPPED, NO_MATCH, SELF_TRADE, Outcome
from .implied import Implied, makers
from .state import State

if TYPE_CHECKING:
    from .pairs import Pair

_BUY: Final = int(Side.BUY)
_TRADE: Final = EVENT_NUMBERS[TradeExecuted]
_PRO_RATA: Final = int(MatchingRule.PRO_RATA)
_NONE: Final = int(Prevention.NONE)
_CANCEL_MAKER: Final = int(Prevention.CANCEL_MAKER)
_CANCEL_TAKER: Final = int(Prevention.CANCEL_TAKER)
_CANCEL_BOTH: Final = int(Prevention.CANCEL_BOTH)
_DECREMENT: Final = int(Prevention.DECREMENT)
_DIRECT: Final = int(TradeKind.DIRECT)
_PPM: Final = 1_000_000


class Matching:
    """Matches takers; trades are appended to ``state.events``.

    Attributes
    ----------
    tripped
        Whether the taker's order group tripped by its last trade.
    """

    def __init__(self, state: State, cancels: Cancels) -> None:
        self._state = state
        self._cancels = cancels
        self.implied = Implied(state, self, cancels)
        self.tripped = False

    def crossing(self, market: Market, side: int, price_ticks: int) -> int:
        """Return the price of a resting order that a limit order would meet, or 0."""
        if market.outcome is not None and market.outcome.has_implied:
            return self.implied.crossing(market, side, price_ticks)
        best = (market.asks if side == _BUY else market.bids).best
        if best is None:
            return 0
        meets = best.price_ticks <= price_ticks if side == _BUY else best.price_ticks >= price_ticks
        return best.price_ticks if meets else 0

    def meets(self, market: Market, side: int, price_ticks: int, lots: int) -> bool:
        """Return whether a limit order of an outcome market would have a fill."""
        assert market.outcome is not None
        if market.outcome.has_implied:
            return self.implied.meets(market, side, price_ticks, lots)
        return self.crossing(market, side, price_ticks) != 0

    def cost(self, account: Account, market: Market, side: int, qty_lots: int, prevention: int) -> int:
        """Return what a market order would hold for what it would trade now; a bounded walk."""
        if market.outcome is not None and market.outcome.has_implied:
            return self.implied.cost(account, market, side, qty_lots, prevention)
        cost = 0
        for price, lots in self.walk(
            account, market, side, prevention, qty_lots, INT_MAX if side == _BUY else 0
        ):
            cost += market.loss_atoms(side, price, lots)
        return cost

    def can_fill(self, taker: Order, limit_ticks: int, qty_lots: int) -> bool:
        """Return whether ``qty_lots`` can trade at the limit within ``fills_per_order_max`` fills."""
        market = taker.market
        if market.outcome is not None and market.outcome.has_implied:
            return self.implied.can_fill(taker, limit_ticks, qty_lots)
        prevention = taker.terms.prevention if taker.terms is not None else 0
        found = 0
        for _, lots in self.walk(taker.account, market, taker.side, prevention, taker.left_lots, limit_ticks):
            found += lots
            if found >= qty_lots:
                return True
        return False

    def walk(
        self, account: Account, market: Market, side: int, prevention: int, qty_lots: int, limit_ticks: int
    ) -> Iterator[tuple[int, int]]:
        """Yield ``(price, lots)`` of each fill that a taker of ``qty_lots`` would have now; changes nothing.

        Own makers are skipped under CANCEL_MAKER (a fill each) and end it under the other modes.
        """
        mode, buy = prevention or account.prevention, side == _BUY
        half, fills_left = market.asks if buy else market.bids, self._state.fills_max
        if market.matching == _PRO_RATA:
            yield from self._walk_shared(account, market, half, mode, qty_lots, limit_ticks)
            return
        for price, maker, lots in makers(half, account.family if mode == _CANCEL_MAKER else ""):
            if ((price > limit_ticks) if buy else (price < limit_ticks)) or not fills_left:
                return
            fills_left -= 1
            if mode != _NONE and maker.account.family == account.family:
                if mode != _CANCEL_MAKER:
                    return
                continue
            part = min(lots, qty_lots)
            yield price, part
            qty_lots -= part
            if not qty_lots:
                return

    def _walk_shared(
        self, account: Account, market: Market, half: Half, mode: int, qty_lots: int, limit_ticks: int
    ) -> Iterator[tuple[int, int]]:
        """Yield the fills as `walk` does, where levels are shared out in proportion; O(their orders)."""
        fills_left = self._state.fills_max
        pairs: list[Pair] = []
        for level in half.levels():
            price = level.price_ticks
            if (price > limit_ticks) if half is market.asks else (price < limit_ticks):
                return
            row = [
                (order, order.left_lots, order.total_left - order.left_lots)
                for order in first_legs(level, pairs)
            ]
            if mode != _NONE:
                others = [entry for entry in row if entry[0].account.family != account.family]
                own = len(row) - len(others)
                if own and (mode != _CANCEL_MAKER or own >= fills_left):
                    return
                fills_left -= own
                row = others
            while row:
                shown = [entry[1] for entry in row]
                shares = shown
                if qty_lots < sum(shown):
                    shares = prorata.shares(shown, qty_lots, market.first_share_ppm)
                renewed = []
                for (maker, lots, hidden), part in zip(row, shares, strict=True):
                    if not part:
                        continue
                    if not fills_left:
                        return
                    fills_left -= 1
                    part = min(part, qty_lots)
                    yield price, part
                    qty_lots -= part
                    if not qty_lots:
                        return
                    if hidden and part == lots:
                        assert maker.terms is not None
                        more = min(hidden, maker.terms.display_lots)
                        renewed.append((maker, more, hidden - more))
                row = renewed

    def fill(self, taker: Order, limit_ticks: int, hold_ticks: int) -> Outcome:
        """Trade ``taker.left_lots`` down as far as the limit allows; O(log levels) a level, O(1) a trade.

        ``hold_ticks``: the price at which its lots are held (0: at that of each trade).
        """
        market = taker.market
        if market.outcome is not None and market.outcome.has_implied:
            return self.implied.fill(taker, limit_ticks, hold_ticks)
        return self.fill_direct(taker, limit_ticks, hold_ticks)

    def fill_direct(self, taker: Order, limit_ticks: int, hold_ticks: int) -> Outcome:
        """Trade like `fill`, in the taker's own book alone."""
        market = taker.market
        buy = taker.side == _BUY
        half = market.asks if buy else market.bids
        fills_left, used, before = self._state.fills_max, 0, taker.left_lots
        stop = DONE
        family, mode = taker.account.family, self.mode_of(taker, not taker.price_ticks)
        while taker.left_lots:
            level = half.best
            if level is None:
                stop = NO_MATCH
                break
            price = level.price_ticks
            if (price > limit_ticks) if buy else (price < limit_ticks):
                stop = NO_MATCH
                break
            if not fills_left:
                stop = FILLS_LIMIT
                break
            maker = level.first
            assert maker is not None
            if market.matching == _PRO_RATA:
                own = own_in(level, family) if mode != _NONE else None
                if own is None:
                    stop, fills, _, more = self._share_out(
                        taker, level, taker.left_lots, hold_ticks, fills_left
                    )
                    fills_left -= fills
                    used += more
                    if stop != DONE:
                        break
                    continue
                maker = own
            own_family = mode != _NONE and maker.account.family == family
            if (own_family or maker.terms is not None or taker.terms is not None) and self.lacks_room(
                taker, maker, own_family
            ):
                stop = FILLS_LIMIT
                break
            if own_family:
                fills_left -= 1
                left = taker.left_lots
                ends = self.prevent(taker, maker, mode)
                before -= left - taker.left_lots
                used += market.loss_atoms(taker.side, hold_ticks, left - taker.left_lots)
                if ends:
                    stop = SELF_TRADE
                    break
                continue
            lots = min(maker.left_lots, taker.left_lots)
            taker.left_lots -= lots
            used += self.trade(taker, maker, lots, hold_ticks)
            fills_left -= 1
            if self.tripped:
                stop = GROUP_TRIPPED
                break
        return Outcome(stop, before - taker.left_lots, used, self._state.fills_max - fills_left)

    def spend(self, taker: Order, budget_atoms: int) -> Outcome:
        """Buy whole lots for a budget of quote atoms (spot)."""
        market = taker.market
        fills_left, filled, left = self._state.fills_max, 0, budget_atoms
        stop = DONE
        family, mode = taker.account.family, self.mode_of(taker, True)
        while left:
            level = market.asks.best
            if level is None:
                stop = NO_MATCH
                break
            lots = left // (level.price_ticks * market.unit_atoms)
            if lots == 0:
                stop = BUDGET_SPENT
                break
            maker = level.first
            assert maker is not None
            if market.matching == _PRO_RATA:
                own = own_in(level, family) if mode != _NONE else None
                if own is None:
                    stop, fills, lots, more = self._share_out(taker, level, lots, 0, fills_left)
                    fills_left -= fills
                    filled += lots
                    left -= more
                    if stop != DONE:
                        break
                    continue
                maker = own
            own_family = mode != _NONE and maker.account.family == family
            lots = min(maker.left_lots, lots)
            if not fills_left or (
                (own_family or maker.terms is not None or taker.terms is not None)
                and self.lacks_room(taker, maker, own_family)
            ):
                stop = FILLS_LIMIT
                break
            if own_family:
                fills_left -= 1
                if self.prevent(taker, maker, mode):
                    stop = SELF_TRADE
                    break
                continue
            left -= self.trade(taker, maker, lots, 0)
            filled += lots
            fills_left -= 1
            if self.tripped:
                stop = GROUP_TRIPPED
                break
        return Outcome(stop, filled, budget_atoms - left)

    def _share_out(
        self, taker: Order, level: Level, lots: int, hold_ticks: int, fills_max: int
    ) -> tuple[int, int, int, int]:
        """Trade ``lots`` with all orders of a level, or in proportion.

        Returns whether it came to its end, the fills, the lots traded and what of the hold was used.
        """
        fills = traded = used = 0
        orders = list(first_legs(level, []))
        shares = [order.left_lots for order in orders]
        if lots < sum(shares):
            shares = prorata.shares(shares, lots, taker.market.first_share_ppm)
        for maker, part in zip(orders, shares, strict=True):
            if not part:
                continue
            if fills == fills_max or self.lacks_room(taker, maker, False):
                return FILLS_LIMIT, fills, traded, used
            if taker.left_lots:
                taker.left_lots -= part
            used += self.trade(taker, maker, part, hold_ticks)
            fills += 1
            traded += part
            if self.tripped:
                return GROUP_TRIPPED, fills, traded, used
        return DONE, fills, traded, used

    def lacks_room(self, taker: Order, maker: Order, own_family: bool) -> bool:
        """Return whether a fill of several events (prevented, of a group or pair) might not fit any more."""
        several = own_family
        for terms in (taker.terms, maker.terms):
            if terms is not None and (terms.pair is not None or terms.is_counted):
                several = True
        state = self._state
        return several and len(state.events) + 6 > state.limits.events_per_transaction_max

    def mode_of(self, taker: Order, is_market: bool) -> int:
        """Return what a taker wants done when it meets its own family (`bus.commands.Prevention`)."""
        mode = taker.terms.prevention if taker.terms is not None else 0
        mode = mode or taker.account.prevention
        return _CANCEL_TAKER if is_market and mode == _DECREMENT else mode

    def prevent(self, taker: Order, maker: Order, mode: int) -> bool:
        """Keep a taker from trading with its own family; return whether the taker's matching ends."""
        state, market, account = self._state, taker.market, taker.account
        lots = released = 0
        if mode == _DECREMENT:
            if maker.terms is not None and maker.terms.pair is not None:
                self._cancels.before_trade(maker)
            lots = min(maker.total_left, taker.left_lots)
            loss = market.loss_atoms(taker.side, taker.price_ticks, lots)
            taker.left_lots -= lots
            taker.qty_lots -= lots
            released = self._cancels.give_back(account, market, taker.side, loss)
        account.seq += 1
        state.emit(
            SelfTradePrevented(
                maker.market.name, maker.account.name, maker.order_id, account.name, account.seq,
                taker.order_id, taker.side, mode, lots, taker.left_lots, released,
            )
        )  # fmt: skip
        if mode == _DECREMENT and lots < maker.total_left:
            self._cancels.reduce_open(maker, maker.qty_lots - lots)
        elif mode != _CANCEL_TAKER:
            self._cancels.cancel_order(maker, CancelReason.SELF_TRADE)
        return mode in (_CANCEL_TAKER, _CANCEL_BOTH) or (mode == _DECREMENT and not taker.left_lots)

    def trade(self, taker: Order, maker: Order, lots: int, hold_ticks: int) -> int:
        """Exchange ``lots`` at the maker's price in the taker's own book and emit the trade.

        ``taker.left_lots`` is what it has left afterwards. Returns what of the taker's own hold was used.
        """
        state, market, level = self._state, taker.market, maker.level
        if maker.terms is not None and maker.terms.pair is not None:
            self._cancels.before_trade(maker)
        price = level.price_ticks
        taker_account, maker_account = taker.account, maker.account
        buy = taker.side == _BUY
        maker_fee = taker_fee = maker_released = 0
        if market.outcome is None:
            paid = price * lots * market.unit_atoms
            sold = lots * market.lot_atoms
            refund = (hold_ticks - price) * lots * market.unit_atoms if buy and hold_ticks else 0
            used = paid + refund if buy else sold
            maker_fee, taker_fee = self._pay(taker_account, maker_account, market, buy, paid, sold, refund)
        else:
            used = market.loss_atoms(taker.side, hold_ticks or price, lots)
            loss = market.loss_atoms(maker.side, price, lots)
            if buy:
                refund, maker_released = outcomes.book_trade(
                    market, taker_account, maker_account, price, lots, used, loss
                )
            else:
                maker_released, refund = outcomes.book_trade(
                    market, maker_account, taker_account, price, lots, loss, used
                )
            if taker_account is maker_account:
                refund, maker_released = refund + maker_released, 0
        level_lots = self.take_lots(maker, lots)
        name, net = market.name, lots if buy else -lots
        taker_account.net_lots[name] = taker_account.net_lots.get(name, 0) + net
        maker_account.net_lots[name] = maker_account.net_lots.get(name, 0) - net
        market.last_trade_id += 1
        market.market_seq += 1
        market.last_price_ticks = price
        maker_account.seq += 1
        maker_seq = maker_account.seq
        taker_account.seq += 1
        trade = (
            _TRADE, name, market.last_trade_id, price, lots, taker.side,
            maker_account.name, maker_seq, maker.order_id, maker.total_left, maker_fee,
            taker_account.name, taker_account.seq, taker.order_id, taker.left_lots, taker_fee,
            refund, market.market_seq, level_lots, maker_released, _DIRECT,
        )  # fmt: skip
        state.events.append(trade)
        if market.watched:
            state.watch_trade(market, price)
        if maker.terms is not None or taker.terms is not None:
            self.after_trade(taker, maker, lots)
        return used

    def take_lots(self, maker: Order, lots: int) -> int:
        """Take traded lots off a resting order, renew or remove it; return its level's new total."""
        level, chain = maker.level, maker.account.chains[maker.market.name]
        maker.left_lots -= lots
        level.lots -= lots
        chain.change(maker.side, -lots)
        if not maker.left_lots:
            half = maker.market.half(maker.side)
            terms = maker.terms
            if terms is not None and terms.hidden_lots:
                half.renew(maker, min(terms.hidden_lots, terms.display_lots))
            else:
                half.remove(maker)
                chain.remove(maker)
                self._state.forget_order(maker)
        return level.lots

    def after_trade(self, taker: Order, maker: Order, lots: int) -> None:
        """Count a trade for the groups of its orders, and let what waits for a filled maker go."""
        terms = taker.terms
        if terms is not None and terms.group is not None and terms.group.traded(self._state, lots):
            self.tripped = True
        terms = maker.terms
        if terms is not None:
            if terms.group is not None and terms.group.traded(self._state, lots):
                # A taker of the same group stops as well.
                self.tripped = self.tripped or (taker.terms is not None and taker.terms.group is terms.group)
            if terms.pair is not None and not maker.total_left:
                self._cancels.filled(maker)

    def _pay(
        self, taker: Account, maker: Account, market: Market, buy: bool, paid: int, sold: int, refund: int
    ) -> tuple[int, int]:
        """Move the funds of a spot trade; return the maker's and the taker's fee."""
        base, quote = market.base, market.quote
        taker_gets, maker_gets = (sold, paid) if buy else (paid, sold)
        if market.tiers:
            maker_fee, taker_fee = fees.of_trade(market, maker, taker, maker_gets, taker_gets)
        else:
            maker_fee = maker_gets * market.maker_fee_ppm // _PPM
            taker_fee = taker_gets * market.taker_fee_ppm // _PPM
        taker_balances, maker_balances = taker.balances, maker.balances
        taker_base = taker_balances.get(base) or taker.balance(base)
        taker_quote = taker_balances.get(quote) or taker.balance(quote)
        maker_base = maker_balances.get(base) or maker.balance(base)
        maker_quote = maker_balances.get(quote) or maker.balance(quote)
        if buy:
            taker_quote.held -= paid + refund
            taker_quote.available += refund
            taker_base.available += sold - taker_fee
            maker_base.held -= sold
            maker_quote.available += paid - max(maker_fee, 0)
        else:
            taker_base.held -= sold
            taker_quote.available += paid - taker_fee
            maker_quote.held -= paid
            maker_base.available += sold - max(maker_fee, 0)
        venue = self._state.fees
        if maker_fee < 0:
            # A rebate: in what the taker receives, out of the taker's fee.
            rebate = maker_base if buy else maker_quote
            rebate.available -= maker_fee
            venue.balance(base if buy else quote).available += taker_fee + maker_fee
        else:
            if taker_fee:
                venue.balance(base if buy else quote).available += taker_fee
            if maker_fee:
                venue.balance(quote if buy else base).available += maker_fee
        return maker_fee, taker_fee


def own_in(level: Level, family: str) -> Order | None:
    """Return the oldest order of a family at a level, if any."""
    for order in level:
        if order.account.family == family:
            return order
    return None
