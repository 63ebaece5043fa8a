"""Matching: a taker against the resting orders, best price first, oldest first, at the maker's price.

Invariants: a trade moves exactly ``price × lots × unit`` quote against ``lots × lot_atoms`` base, less each
side's fee, which goes to the fee account; a maker never trades worse than its limit; the number of
trades of one command is bounded by ``fills_per_order_max``.
"""

from enum import Enum
from itertools import islice
from typing import Final, NamedTuple

from bus.commands import Side
from bus.events import EVENT_NUMBERS, TradeExecuted

from .book import Level, Market, Order
from .state import State

_BUY: Final = int(Side.BUY)
_TRADE: Final = EVENT_NUMBERS[TradeExecuted]
_PPM = 1_000_000


class Stop(Enum):
    """Why matching ended."""

    DONE = 1
    NO_MATCH = 2
    BUDGET = 3
    FILLS = 4


class Outcome(NamedTuple):
    """What matching did: why it ended, the taker's lots, and how much of its hold was used or refunded."""

    stop: Stop
    filled_lots: int
    held_used_atoms: int


class Matching:
    """Matches takers; trades are appended to ``state.events``."""

    def __init__(self, state: State) -> None:
        self._state = state

    def cost_of_buy(self, market: Market, qty_lots: int) -> int:
        """Return what a market buy would pay now, in quote atoms; at most ``fills_per_order_max`` steps."""
        cost = 0
        for order in islice(market.asks.orders(), self._state.limits.fills_per_order_max):
            if not qty_lots:
                break
            lots = min(qty_lots, order.left_lots)
            cost += lots * order.price_ticks * market.unit_atoms
            qty_lots -= lots
        return cost

    def can_fill(self, market: Market, side: int, limit_ticks: int, qty_lots: int) -> bool:
        """Return whether ``qty_lots`` can trade at the limit within ``fills_per_order_max`` trades."""
        resting = (market.asks if side == _BUY else market.bids).orders()
        for order in islice(resting, self._state.limits.fills_per_order_max):
            price = order.price_ticks
            if (price > limit_ticks) if side == _BUY else (price < limit_ticks):
                return False
            qty_lots -= order.left_lots
            if qty_lots <= 0:
                return True
        return False

    def fill(self, taker: Order, limit_ticks: int, is_market: bool) -> Outcome:
        """Trade ``taker.left_lots`` down as far as the limit allows; O(log levels) a level, O(1) a trade."""
        market = taker.market
        buy = taker.side == _BUY
        half = market.asks if buy else market.bids
        fills, used, before = 0, 0, taker.left_lots
        stop, fills_max = Stop.DONE, self._state.limits.fills_per_order_max
        while taker.left_lots:
            level = half.best
            if level is None:
                stop = Stop.NO_MATCH
                break
            price = level.price_ticks
            if (price > limit_ticks) if buy else (price < limit_ticks):
                stop = Stop.NO_MATCH
                break
            if fills == fills_max:
                stop = Stop.FILLS
                break
            maker = level.first
            assert maker is not None
            lots = min(maker.left_lots, taker.left_lots)
            refund = (limit_ticks - price) * lots * market.unit_atoms if buy and not is_market else 0
            taker.left_lots -= lots
            self._trade(taker, maker, level, lots, taker.left_lots, refund)
            used += lots * price * market.unit_atoms + refund if buy else lots * market.lot_atoms
            fills += 1
        return Outcome(stop, before - taker.left_lots, used)

    def spend(self, taker: Order, budget_atoms: int) -> Outcome:
        """Buy whole lots for a budget of quote atoms."""
        market = taker.market
        fills, filled, left = 0, 0, budget_atoms
        stop, fills_max = Stop.DONE, self._state.limits.fills_per_order_max
        while left:
            level = market.asks.best
            if level is None:
                stop = Stop.NO_MATCH
                break
            maker = level.first
            assert maker is not None
            lots = min(maker.left_lots, left // (level.price_ticks * market.unit_atoms))
            if lots == 0:
                stop = Stop.BUDGET
                break
            if fills == fills_max:
                stop = Stop.FILLS
                break
            self._trade(taker, maker, level, lots, 0, 0)
            left -= lots * level.price_ticks * market.unit_atoms
            filled += lots
            fills += 1
        return Outcome(stop, filled, budget_atoms - left)

    def _trade(
        self, taker: Order, maker: Order, level: Level, lots: int, taker_left_lots: int, refund_atoms: int
    ) -> None:
        """Exchange ``lots`` at the maker's price and emit the trade."""
        state, market, price = self._state, taker.market, level.price_ticks
        taker_account, maker_account = taker.account, maker.account
        paid = price * lots * market.unit_atoms
        sold = lots * market.lot_atoms
        base, quote = market.base, market.quote
        taker_balances, maker_balances = taker_account.balances, maker_account.balances
        taker_base = taker_balances.get(base) or taker_account.balance(base)
        taker_quote = taker_balances.get(quote) or taker_account.balance(quote)
        maker_base = maker_balances.get(base) or maker_account.balance(base)
        maker_quote = maker_balances.get(quote) or maker_account.balance(quote)
        if taker.side == _BUY:
            taker_fee = sold * market.taker_fee_ppm // _PPM
            maker_fee = paid * market.maker_fee_ppm // _PPM
            taker_quote.held -= paid + refund_atoms
            taker_quote.available += refund_atoms
            taker_base.available += sold - taker_fee
            maker_base.held -= sold
            maker_quote.available += paid - maker_fee
            base_fee, quote_fee = taker_fee, maker_fee
        else:
            taker_fee = paid * market.taker_fee_ppm // _PPM
            maker_fee = sold * market.maker_fee_ppm // _PPM
            taker_base.held -= sold
            taker_quote.available += paid - taker_fee
            maker_quote.held -= paid
            maker_base.available += sold - maker_fee
            base_fee, quote_fee = maker_fee, taker_fee
        if base_fee:
            state.fees.balance(base).available += base_fee
        if quote_fee:
            state.fees.balance(quote).available += quote_fee
        maker.left_lots -= lots
        level.lots -= lots
        level_lots = level.lots
        if not maker.left_lots:
            market.half(maker.side).remove(maker)
            maker_account.chains[market.name].remove(maker)
            state.forget_order(maker)
        market.last_trade_id += 1
        market.market_seq += 1
        market.last_price_ticks = price
        maker_account.seq += 1
        maker_seq = maker_account.seq
        taker_account.seq += 1
        trade = (
            _TRADE, market.name, market.last_trade_id, price, lots, taker.side,
            maker_account.name, maker_seq, maker.order_id, maker.left_lots, maker_fee,
            taker_account.name, taker_account.seq, taker.order_id, taker_left_lots, taker_fee,
            refund_atoms, market.market_seq, level_lots, 0, 0,
        )  # fmt: skip
        state.events.append(trade)
