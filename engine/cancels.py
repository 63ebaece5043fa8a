"""Taking orders off: cancels and reduces of open orders, and what they give back.

Invariant: what an order held is available again to the atom, once, when the order or a part of it goes; a
cancelled order is in no book, queue, chain or pair.
"""

from typing import Final

from bus.commands import Side
from bus.events import EVENT_NUMBERS, OrderCancelled, OrderReduced

from . import outcomes, pairs, waiting
from .accounts import Account
from .book import Market, Order
from .state import State

_BUY: Final = int(Side.BUY)
_CANCELLED: Final = EVENT_NUMBERS[OrderCancelled]


class Cancels:
    """Cancels and reduces open orders; events are appended to ``state.events``."""

    def __init__(self, state: State) -> None:
        self._state = state

    def cancel_order(self, order: Order, reason: int) -> None:
        """Cancel any open order and what goes with it; O(1), O(log levels) when a level goes."""
        terms = order.terms
        if terms is not None and terms.pair is not None:
            pairs.cancel(self, order, reason)
        else:
            self.take_off(order, reason, 0)

    def take_off(self, order: Order, reason: int, kept_atoms: int) -> None:
        """Cancel one open order; give back what it holds but ``kept_atoms``, which its pair needs."""
        state, market, account, left = self._state, order.market, order.account, order.left_lots
        terms = order.terms
        level_lots = market_seq = budget = 0
        if terms is not None:
            left += terms.hidden_lots
            budget = terms.budget_atoms
        if terms is not None and terms.waits:
            waiting.leave(state, order)
        else:
            level_lots = (market.bids if order.side == _BUY else market.asks).remove(order)
            market.market_seq = market_seq = market.market_seq + 1
        loss = budget or order.held_atoms
        released = self.give_back(account, market, order.side, loss - kept_atoms)
        chain = account.chains[market.name]
        chain.change(order.side, -left)
        chain.remove(order)
        state.forget_order(order)
        account.seq += 1
        cancelled = (
            _CANCELLED, account.name, account.seq, market.name, order.order_id, order.client_order_id,
            order.side, order.price_ticks, left, reason, released, market_seq, level_lots,
            order.qty_lots - left if order.qty_lots else 0,
        )  # fmt: skip
        state.events.append(cancelled)
        if market_seq and market.watched:
            state.watch_book(market)

    def reduce_open(self, order: Order, qty_lots: int) -> None:
        """Give an open order a lower total, above what is filled; its hidden part goes first. O(1)."""
        state, market, account, terms = self._state, order.market, order.account, order.terms
        lots = order.qty_lots - qty_lots
        price = order.price_ticks or market.worst_ticks(order.side)
        released = self.give_back(account, market, order.side, market.loss_atoms(order.side, price, lots))
        account.chains[market.name].change(order.side, -lots)
        order.qty_lots = qty_lots
        level_lots = market_seq = 0
        if terms is not None and terms.hidden_lots:
            from_hidden = min(lots, terms.hidden_lots)
            terms.hidden_lots -= from_hidden
            lots -= from_hidden
        order.left_lots -= lots
        if not (terms is not None and terms.waits):
            order.level.lots -= lots
            level_lots = order.level.lots
            market.market_seq = market_seq = market.market_seq + 1
        account.seq += 1
        state.emit(
            OrderReduced(
                account.name, account.seq, market.name, order.order_id, order.side, order.price_ticks,
                order.qty_lots, order.total_left, released, market_seq, level_lots,
            )
        )  # fmt: skip
        if market_seq and market.watched:
            state.watch_book(market)

    def cancel_rest(self, order: Order, reason: int, left_lots: int, loss_atoms: int) -> None:
        """Cancel what is left of an order that is not open: it traded, or never came to rest."""
        market, account = order.market, order.account
        released = self.give_back(account, market, order.side, loss_atoms)
        account.seq += 1
        self._state.emit(
            OrderCancelled(
                account.name, account.seq, market.name, order.order_id, order.client_order_id, order.side,
                order.price_ticks, left_lots, reason, released, 0, 0,
                order.qty_lots - left_lots,
            )
        )  # fmt: skip

    def drop_dust(self, order: Order, loss_atoms: int) -> None:
        """Cancel the part of a lot that an implied taker has left beside the lots that will rest.

        Matching has taken the lot that was begun off its total already.
        """
        market, account = order.market, order.account
        released = self.give_back(account, market, order.side, loss_atoms)
        account.seq += 1
        self._state.emit(
            OrderReduced(
                account.name, account.seq, market.name, order.order_id, order.side, order.price_ticks,
                order.qty_lots, order.left_lots, released, 0, 0,
            )
        )  # fmt: skip

    def give_back(self, account: Account, market: Market, side: int, loss_atoms: int) -> int:
        """Take away what an order holds of its own; return what became available again."""
        if market.outcome is not None:
            return outcomes.release(account, market, side, loss_atoms)
        balance = account.balance(market.quote if side == _BUY else market.base)
        balance.held -= loss_atoms
        balance.available += loss_atoms
        return loss_atoms

    def before_trade(self, order: Order) -> None:
        """Let go what must not trade together with an order."""
        pairs.before_trade(self, order)

    def filled(self, order: Order) -> None:
        """Let what waits for an order's complete fill go on."""
        pairs.filled(self._state, order)
