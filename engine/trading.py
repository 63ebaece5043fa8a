"""Place, cancel, reduce and replace: the rules of trading on one book.

Invariants: a command either raises `Refusal` before anything changed, or is carried out whole; a market
order never rests; outside an auction a book never stays crossed; funds move between available and held to
the atom. The rules are those of ``docs/concepts/trading.md`` and ``orders.md``, in their order.
"""

from typing import Final

from bus.commands import (
    COMMAND_NUMBERS,
    INT_MAX,
    MarketModel,
    OrderType,
    PlaceAdvanced,
    ReduceOrder,
    ReplaceOrder,
    Side,
    TimeInForce,
)
from bus.errors import Code
from bus.events import (
    EVENT_NUMBERS,
    CancelReason,
    OrderAccepted,
    OrderReplaced,
    OrderRested,
    OrderTermsSet,
    OrderTriggered,
    Waits,
)

from . import outcomes, pairs, risk, states, waiting
from .accounts import Account, Chain
from .book import Market, Order, Terms
from .cancels import Cancels
from .crossing import Crossing
from .entry import (
    Entry,
    refuse_busy,
    refuse_closed,
    refuse_crossing,
    refuse_funds,
    refuse_ladder,
    refuse_price,
    refuse_qty,
)
from .fills import BUDGET_SPENT, DONE, FILLS_LIMIT, GROUP_TRIPPED, NO_MATCH, SELF_TRADE, Outcome
from .ladder import on_ladder
from .matching import Matching
from .state import Array, Refusal, State
from .timers import EXPIRY

_BUY: Final = int(Side.BUY)
_SPOT: Final = int(MarketModel.SPOT)
_ODDS: Final = int(MarketModel.ODDS)
_MARKET: Final = int(OrderType.MARKET)
_LIMIT: Final = int(OrderType.LIMIT)
_GTC: Final = int(TimeInForce.GTC)
_FOK: Final = int(TimeInForce.FOK)
_ADVANCED: Final = COMMAND_NUMBERS[PlaceAdvanced]
_REQUESTED: Final = int(CancelReason.REQUESTED)
_ACCEPTED: Final = EVENT_NUMBERS[OrderAccepted]

Done = tuple[int, int, int]
"""What a command that was carried out answers: order_id, filled_lots, left_lots."""


class Trading:
    """Carries out the commands on orders.

    Parameters
    ----------
    state
        The exchange's state; events are appended to ``state.events``.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.cancels = Cancels(state)
        self.matching = Matching(state, self.cancels)
        self.crossing = Crossing(state, self.matching, self.cancels)
        self.entry = Entry(state, self.matching, self.crossing)

    def place(self, account: Account, fields: Array) -> Done:
        """Carry out a PlaceOrder or PlaceAdvanced; O(log levels) plus one step a trade."""
        entry = self.entry
        order = entry.check(account, fields)
        if self.accept(order, fields, entry.held_atoms):
            return (order.order_id, 0, order.total_left)
        return self.carry_out(order, fields[6], fields[7], fields[11], entry.loss_atoms)

    def accept(self, order: Order, fields: Array, held_atoms: int) -> bool:
        """Give a checked order its id and announce it; return whether it is at rest or waits."""
        state, market, account = self._state, order.market, order.account
        order_type: int = fields[6]
        tif: int = fields[7]
        price: int = fields[9]
        terms = order.terms
        order.order_id = order_id = state.next_seq + len(state.events)
        settled, market_seq, level_lots = False, 0, 0
        account.seq += 1
        seq = account.seq
        if terms is not None and terms.waits:
            self._open(order, account, market)
            settled = True
        elif (
            (tif == _GTC or tif > _FOK)
            and (terms is None or not terms.min_lots)
            and (market.gathering or not self._goes_in(order, market, price) or pairs.is_oco(order))
        ):
            level_lots = self._rest(order, market, account)
            market.market_seq = market_seq = market.market_seq + 1
            settled = True
        accepted = (
            _ACCEPTED, account.name, seq, market.name, order_id, order.client_order_id, order.side,
            order_type, tif, order.post_only, price, order.qty_lots, fields[11], held_atoms, market_seq,
            level_lots,
        )  # fmt: skip
        state.events.append(accepted)
        if fields[0] == _ADVANCED or (terms is not None and terms.waits):
            self._tell_terms(order, fields)
        if terms is not None and terms.waits:
            waiting.enter(state, order)
        return settled

    def _goes_in(self, order: Order, market: Market, price: int) -> bool:
        """Return whether an order has something to try in the book before it rests."""
        if market.outcome is None:
            best = (market.asks if order.side == _BUY else market.bids).best
            return best is not None and (
                best.price_ticks <= price if order.side == _BUY else best.price_ticks >= price
            )
        if self.matching.meets(market, order.side, price, order.left_lots):
            return True
        return market.outcome.house is not None and self.crossing.finds(order, price)

    def carry_out(self, order: Order, order_type: int, tif: int, budget: int, loss: int) -> Done:
        """Match an order that was accepted and is not at rest; rest or cancel what is left.

        ``loss``: what it holds of its own.
        """
        market, side, qty, terms = order.market, order.side, order.qty_lots, order.terms
        is_market, price = order_type == _MARKET, order.price_ticks
        limit = price if not is_market else (INT_MAX if side == _BUY else 0)
        least = qty if tif == _FOK else terms.min_lots if terms is not None else 0
        if order.post_only and self.matching.crossing(market, side, limit):
            return self._ends(order, CancelReason.POST_ONLY, qty, loss)
        if least and not self.matching.can_fill(order, limit, least):
            return self._ends(order, CancelReason.FOK if tif == _FOK else CancelReason.MIN_QTY, qty, loss)
        matching = self.matching
        matching.tripped = False
        hold_ticks = price
        if is_market and market.outcome is not None and order.order_id in self._state.orders:  # it waited
            hold_ticks = market.worst_ticks(side)
        if budget:
            outcome = matching.spend(order, budget)
            order.qty_lots = outcome.filled_lots
            loss -= outcome.held_used_atoms
            if not loss:
                self._forget(order)
                return (order.order_id, outcome.filled_lots, 0)
        else:
            outcome = matching.fill(order, limit, hold_ticks)
            if order.left_lots and outcome.stop == NO_MATCH and not is_market and not least:
                outcome = self._cross(order, limit, outcome)
            loss -= outcome.held_used_atoms
        return self._end(order, outcome, order_type, tif, hold_ticks, loss)

    def _cross(self, order: Order, limit: int, outcome: Outcome) -> Outcome:
        """Try to cross what direct matching left with the other runners' orders."""
        market = order.market
        if market.outcome is None or market.outcome.house is None:
            return outcome
        return self.crossing.cross(order, limit, outcome)

    def _end(
        self, order: Order, outcome: Outcome, order_type: int, tif: int, hold_ticks: int, loss: int
    ) -> Done:
        """Rest or cancel what matching left of an order; ``loss`` is what it still holds of its own."""
        market, stop, left = order.market, outcome.stop, order.left_lots
        rests = left > 0 and order_type == _LIMIT and (tif == _GTC or tif > _FOK)
        if rests and stop in (NO_MATCH, DONE):
            dust = loss - market.loss_atoms(order.side, hold_ticks, left)
            if dust:
                self.cancels.drop_dust(order, dust)
            self._come_to_rest(order)
            return (order.order_id, order.qty_lots - left, left)
        if not left and not loss and not outcome.dust and stop != SELF_TRADE:
            self._forget(order)
            if order.terms is not None and order.terms.pair is not None:
                pairs.filled(self._state, order)
            return (order.order_id, order.qty_lots, 0)
        if stop == FILLS_LIMIT:
            reason = CancelReason.FILLS_LIMIT
        elif stop == SELF_TRADE:
            reason = CancelReason.SELF_TRADE
        elif stop == GROUP_TRIPPED:
            reason = CancelReason.GROUP_TRIPPED
        elif outcome.dust and not left:
            reason = CancelReason.DUST
        elif order_type == _MARKET:
            reason = CancelReason.BUDGET_SPENT if stop == BUDGET_SPENT else CancelReason.NO_LIQUIDITY
        else:
            reason = CancelReason.IOC
        return self._ends(order, reason, left, loss)

    def _ends(self, order: Order, reason: int, left: int, loss: int) -> Done:
        """Cancel the rest of an order that is not on the book."""
        self._forget(order)
        self.cancels.cancel_rest(order, reason, left, loss)
        if order.terms is not None and order.terms.pair is not None:
            pairs.ended(self.cancels, order)
        return (order.order_id, order.qty_lots - left, 0)

    def _forget(self, order: Order) -> None:
        """Drop an order that had been open before it went to the book (replaced or triggered), if so."""
        if order.order_id in self._state.orders:
            order.account.chains[order.market.name].remove(order)
            self._state.forget_order(order)

    def _come_to_rest(self, order: Order) -> None:
        market, account = order.market, order.account
        if order.order_id in self._state.orders:
            account.chains[market.name].change(order.side, order.left_lots)
            level_lots = self._show(order, market)
        else:
            level_lots = self._rest(order, market, account)
        account.seq += 1
        market.market_seq += 1
        self._state.emit(
            OrderRested(
                account.name, account.seq, market.name, order.order_id, order.side, order.price_ticks,
                order.total_left, market.market_seq, level_lots,
            )
        )  # fmt: skip
        if market.watched:
            self._state.watch_book(market)

    def _rest(self, order: Order, market: Market, account: Account) -> int:
        """Put a new order on the book; return its level's new total."""
        self._open(order, account, market)
        if market.watched:
            self._state.watch_book(market)
        return self._show(order, market)

    def _show(self, order: Order, market: Market) -> int:
        """Put an order at the back of its level, an iceberg with its first part."""
        terms = order.terms
        if terms is not None and terms.display_lots and terms.display_lots < order.left_lots:
            terms.hidden_lots = order.left_lots - terms.display_lots
            order.left_lots = terms.display_lots
        return (market.bids if order.side == _BUY else market.asks).add(order)

    def _open(self, order: Order, account: Account, market: Market) -> None:
        """Count an order among its account's open ones."""
        chain = account.chains.get(market.name)
        if chain is None:
            chain = account.chains[market.name] = Chain()
        chain.add(order)
        chain.change(order.side, order.left_lots)
        account.open_orders += 1
        self._state.orders[order.order_id] = order
        if order.terms is not None and order.terms.expires_ns:
            self._state.timers.set(order.terms.expires_ns, EXPIRY, order.order_id)

    def _tell_terms(self, order: Order, fields: Array) -> None:
        account, terms = order.account, order.terms
        terms = terms if terms is not None else Terms(fields[6], fields[7])
        account.seq += 1
        self._state.emit(
            OrderTermsSet(
                account.name, account.seq, order.market.name, order.order_id, terms.display_lots,
                terms.min_lots, terms.trigger, terms.trigger_ticks, terms.trail_ticks, terms.expires_ns,
                terms.prevention, terms.group.name if terms.group is not None else "", terms.persists,
                terms.waits,
            )
        )  # fmt: skip

    def go_live(self, order: Order) -> None:
        """Bring an order that waited, and waits no more, to the book.

        It has left its queue of waiting orders already. A second order of an OTO pair that has a trigger of
        its own waits on for that.
        """
        state, terms, account, market = self._state, order.terms, order.account, order.market
        assert terms is not None
        waited, terms.waits = terms.waits, 0
        account.seq += 1
        state.emit(OrderTriggered(account.name, account.seq, market.name, order.order_id, waited))
        if terms.pair is not None:
            pairs.before_trade(self.cancels, order)
        if waited == Waits.PAIR and terms.trigger:
            if not waiting.is_there(order, terms):
                terms.waits = Waits.TRIGGER
                waiting.restart_trail(order, terms)
                waiting.enter(state, order)
                return
            account.seq += 1
            triggered = (account.name, account.seq, market.name, order.order_id, Waits.TRIGGER)
            state.emit(OrderTriggered(*triggered))
        account.chains[market.name].change(order.side, -order.left_lots)
        budget = terms.budget_atoms
        terms.budget_atoms = 0
        price = order.price_ticks or market.worst_ticks(order.side)
        loss = budget or market.loss_atoms(order.side, price, order.left_lots)
        if market.gathering:
            self._come_to_rest(order)
            return
        self.carry_out(order, terms.order_type, terms.time_in_force, budget, loss)

    def cancel_order(self, order: Order, reason: int) -> None:
        """Cancel any open order, resting or waiting, and what goes with it."""
        self.cancels.cancel_order(order, reason)

    def cancel(self, account: Account, fields: Array) -> Done:
        """Carry out a CancelOrder; O(1), O(log levels) when a level goes."""
        market = self._state.market(fields[4])
        if market.shut:
            states.check_cancel(market)
        order = self.find(account, market, fields[5], fields[6])
        left = order.total_left
        self.cancels.cancel_order(order, _REQUESTED)
        return (order.order_id, order.qty_lots - left if order.qty_lots else 0, 0)

    def reduce(self, account: Account, command: ReduceOrder) -> Done:
        """Carry out a ReduceOrder; O(1), O(log levels) when a level goes."""
        order = self.find_to_reduce(account, command)
        filled = order.filled_lots
        if command.qty_lots <= filled:
            self.cancels.cancel_order(order, CancelReason.REDUCED_TO_FILLED)
            return (order.order_id, filled, 0)
        self.cancels.reduce_open(order, command.qty_lots)
        return (order.order_id, filled, order.total_left)

    def find_to_reduce(self, account: Account, command: ReduceOrder) -> Order:
        """Return the order that a ReduceOrder may reduce, or refuse."""
        market = self._state.market(command.market)
        if market.shut or account.shut:
            states.check_reduce(market)
            refuse_busy(account)
        order = self.find(account, market, command.order_id, command.client_order_id)
        if order.terms is not None and (order.terms.pair is not None or order.terms.budget_atoms):
            raise _not_replaceable(order)
        if command.qty_lots >= order.qty_lots:
            raise Refusal(
                Code.QTY_NOT_REDUCED,
                f"expected a total quantity below {order.qty_lots} lots, was {command.qty_lots}",
            )
        return order

    def replace(self, account: Account, command: ReplaceOrder) -> Done:
        """Carry out a ReplaceOrder; O(log levels) plus one step a trade."""
        market = self._state.market(command.market)
        if market.shut or account.shut:
            refuse_closed(market, account)
        order = self.find(account, market, command.order_id, command.client_order_id)
        price, qty, filled, terms = command.price_ticks, command.qty_lots, order.filled_lots, order.terms
        delayed = market.outcome is not None and market.outcome.bet_delay_ns > 0
        if delayed or (terms is not None and (terms.waits or terms.pair is not None)):
            raise _not_replaceable(order)
        if not market.price_ticks_min <= price <= market.price_ticks_max:
            refuse_price(market, price)
        if market.model == _ODDS and not on_ladder(price):
            refuse_ladder(price)
        if not 0 < qty <= market.qty_lots_max:
            refuse_qty(market, qty)
        if qty <= filled:
            self.cancels.cancel_order(order, CancelReason.REDUCED_TO_FILLED)
            return (order.order_id, filled, 0)
        if account.limits is not None or market.band_ppm:
            self._check_limits(account, market, order, price, qty)
        if order.post_only and not market.gathering:
            best = self.matching.crossing(market, order.side, price)
            if best:
                refuse_crossing(best, price)
        left = qty - filled
        wanted = market.loss_atoms(order.side, price, left)
        held_change = self._hold_anew(order, wanted)
        if account.limits is not None:
            self._check_position(order, left, wanted)
        self._move(order, price, qty, left, held_change)
        if market.gathering:
            self._come_to_rest(order)
            return (order.order_id, filled, left)
        self.matching.tripped = False
        outcome = self.matching.fill(order, price, price)
        least = terms is not None and terms.min_lots > 0
        if order.left_lots and outcome.stop == NO_MATCH and not least:
            outcome = self._cross(order, price, outcome)
        return self._end(order, outcome, _LIMIT, _GTC, price, wanted - outcome.held_used_atoms)

    def _check_limits(self, account: Account, market: Market, order: Order, price: int, qty: int) -> None:
        """Check a replaced order's size and price."""
        limits = risk.limits_of(account, market)
        if limits is not None:
            risk.check_size(limits, market, order.side, price, qty, 0)
        risk.check_band(market, price)

    def _hold_anew(self, order: Order, wanted: int) -> int:
        """Change what an order holds to what its new price and total hold; return the change, or refuse."""
        market, account = order.market, order.account
        had = market.loss_atoms(order.side, order.price_ticks, order.total_left)
        if market.outcome is not None:
            outcomes.lift(account, market, order.side, had)
            try:
                change = outcomes.hold(account, market, order.side, wanted)
            except Refusal:
                outcomes.lift(account, market, order.side, -had)
                raise
        else:
            asset = market.quote if order.side == _BUY else market.base
            balance = account.balance(asset)
            change = wanted - had
            if balance.available < change and change > 0 and not account.unfunded:
                refuse_funds(asset, wanted, balance.available + had)
            balance.available -= change
            balance.held += change
        return change

    def _check_position(self, order: Order, left: int, wanted: int) -> None:
        """Check a replaced order's position limit with its new hold taken; undo that when it refuses."""
        market, account, side = order.market, order.account, order.side
        try:
            if market.model == _ODDS:
                risk.check_exposure(account, market)
            else:
                risk.check_position(account, market, side, left - order.total_left)
        except Refusal:
            had = market.loss_atoms(side, order.price_ticks, order.total_left)
            if market.outcome is not None:
                outcomes.lift(account, market, side, wanted)
                outcomes.hold_unchecked(account, market, side, had)
            else:
                balance = account.balance(market.quote if side == _BUY else market.base)
                balance.available += wanted - had
                balance.held -= wanted - had
            raise

    def _move(self, order: Order, price: int, qty: int, left: int, held_change: int) -> None:
        """Take an order off its level and give it its new price and total."""
        market, account, old_price = order.market, order.account, order.price_ticks
        account.chains[market.name].change(order.side, -order.total_left)
        level_lots = market.half(order.side).remove(order)
        if order.terms is not None:
            order.terms.hidden_lots = 0
        order.left_lots = left
        order.qty_lots = qty
        order.price_ticks = price
        account.seq += 1
        market.market_seq += 1
        self._state.emit(
            OrderReplaced(
                account.name, account.seq, market.name, order.order_id, order.side, old_price, price,
                qty, left, held_change, market.market_seq, level_lots,
            )
        )  # fmt: skip
        if market.watched:
            self._state.watch_book(market)

    def find(self, account: Account, market: Market, order_id: int, client_order_id: str) -> Order:
        """Return the open order that a command names, or refuse."""
        if (order_id > 0) == (client_order_id != ""):
            raise Refusal(
                Code.INVALID_COMBINATION,
                f"expected either order_id or client_order_id, was {order_id} and {client_order_id!r}",
            )
        if not order_id:
            kept = account.ids.get(client_order_id)
            order_id = kept.order_id if kept is not None else 0
        order = self._state.orders.get(order_id)
        if order is not None and client_order_id and order.client_order_id != client_order_id:
            order = None  # The id is that of another command on it.
        if order is None or order.market is not market:
            named = client_order_id or order_id
            raise Refusal(Code.UNKNOWN_ORDER, f"expected an open order of {market.name}, was {named}")
        if order.account is not account:
            raise Refusal(Code.NOT_OWNER, f"expected an order of {account.name}, was another's ({order_id})")
        return order


def _not_replaceable(order: Order) -> Refusal:
    return Refusal(
        Code.NOT_REPLACEABLE,
        f"expected an order on the book, of no pair and without bet delay, was {order.order_id}",
    )
