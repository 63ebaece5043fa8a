"""Place, cancel, reduce and replace: the rules of trading on one book.

Invariants: a command either raises `Refusal` before anything changed, or is carried out whole; a market
order never rests; a book never stays crossed; funds move between available and held to the atom.
The rules are those of ``docs/concepts/trading.md``, in its order.
"""

from typing import Final

from bus.commands import (
    COMMAND_NUMBERS,
    INT_MAX,
    AccountState,
    MarketState,
    OrderType,
    PlaceOrder,
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
    OrderCancelled,
    OrderReduced,
    OrderReplaced,
    OrderRested,
)

from .accounts import Account, Chain
from .book import Market, Order
from .matching import Matching, Stop
from .state import Array, Refusal, State

_BUY: Final = int(Side.BUY)
_MARKET: Final = int(OrderType.MARKET)
_GTC: Final = int(TimeInForce.GTC)
_FOK: Final = int(TimeInForce.FOK)
_PLACE: Final = COMMAND_NUMBERS[PlaceOrder]
_ACCEPTED: Final = EVENT_NUMBERS[OrderAccepted]
_CANCELLED: Final = EVENT_NUMBERS[OrderCancelled]
_OPEN: Final = int(MarketState.OPEN)
_ACTIVE: Final = int(AccountState.ACTIVE)


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
        self._matching = Matching(state)

    def place(self, account: Account, fields: Array) -> Done:
        """Carry out a PlaceOrder; O(log levels) plus one step a trade."""
        state = self._state
        _, client_order_id, _, _, name, side, order_type, tif, post_only, price, qty, budget = fields
        market = state.markets.get(name)
        if market is None:
            raise Refusal(Code.UNKNOWN_MARKET, f"expected a market that exists, was {name}")
        if market.shut or account.shut:
            _refuse_closed(market, account)
        is_market = order_type == _MARKET
        if is_market or post_only or budget or not qty:
            _check_combination(fields)
        if not is_market and not 0 < price <= market.price_ticks_max:
            _refuse_price(market, price)
        if budget:
            _check_budget(budget)
        elif not 0 < qty <= market.qty_lots_max:
            _refuse_qty(market, qty)
        if tif == _GTC and account.open_orders >= state.limits.open_orders_per_account_max:
            raise Refusal(
                Code.TOO_MANY_OPEN_ORDERS,
                f"expected fewer than {state.limits.open_orders_per_account_max} open orders,"
                f" was {account.open_orders}",
            )
        buy = side == _BUY
        opposite = (market.asks if buy else market.bids).best
        crosses = opposite is not None and (
            is_market or (opposite.price_ticks <= price if buy else opposite.price_ticks >= price)
        )
        if post_only and crosses:
            _refuse_crossing(opposite.price_ticks if opposite else 0, price)
        asset = market.quote if buy else market.base
        balance = account.balances.get(asset) or account.balance(asset)
        if not buy:
            held = qty * market.lot_atoms
        elif not is_market:
            held = qty * price * market.unit_atoms
        else:
            held = budget or self._matching.cost_of_buy(market, qty)
        if balance.available < held:
            _refuse_funds(asset, held, balance.available)
        balance.available -= held
        balance.held += held
        order_id = state.next_seq
        order = Order(order_id, client_order_id, account, market, side, post_only, price, qty, state.now_ns)
        account.seq += 1
        seq = account.seq
        market_seq = level_lots = 0
        if not crosses and tif == _GTC:
            level_lots = self._rest(order, market, account)
            market.market_seq = market_seq = market.market_seq + 1
        accepted = (
            _ACCEPTED, account.name, seq, market.name, order_id, client_order_id, side, order_type, tif,
            post_only, price, qty, budget, held, market_seq, level_lots,
        )  # fmt: skip
        state.events.append(accepted)
        if market_seq:
            return (order_id, 0, qty)
        return self._match_new(order, fields, held)

    def _match_new(self, order: Order, fields: Array, held: int) -> Done:
        """Match an order that did not simply rest; rest or cancel what is left."""
        _, _, _, _, _, side, order_type, tif, _, price, qty, budget = fields
        market, is_market = order.market, order_type == _MARKET
        limit = price if not is_market else (INT_MAX if side == _BUY else 0)
        if tif == _FOK and not self._matching.can_fill(market, side, limit, qty):
            self._cancel_rest(order, CancelReason.FOK, held)
            return (order.order_id, 0, 0)
        if budget:
            outcome = self._matching.spend(order, budget)
            filled, left = outcome.filled_lots, 0
        else:
            outcome = self._matching.fill(order, limit, is_market)
            filled, left = qty - order.left_lots, order.left_lots
        held_left = held - outcome.held_used_atoms
        if outcome.stop is Stop.FILLS:
            reason = CancelReason.FILLS_LIMIT
        elif is_market:
            reason = CancelReason.BUDGET_SPENT if outcome.stop is Stop.BUDGET else CancelReason.NO_LIQUIDITY
        else:
            reason = CancelReason.IOC
        if left == 0 and held_left == 0:
            return (order.order_id, filled, 0)
        if left and tif == _GTC and outcome.stop is not Stop.FILLS:
            self._rested_event(order, self._rest(order, market, order.account))
            return (order.order_id, filled, left)
        order.qty_lots = filled + left
        self._cancel_rest(order, reason, held_left)
        return (order.order_id, filled, 0)

    def cancel(self, account: Account, fields: Array) -> Done:
        """Carry out a CancelOrder; O(1), O(log levels) when a level goes."""
        _, _, _, _, name, order_id, client_order_id = fields
        market = self._state.market(name)
        order = self._find(account, market, order_id, client_order_id)
        filled = order.qty_lots - order.left_lots
        self.cancel_resting(order, CancelReason.REQUESTED)
        return (order.order_id, filled, 0)

    def reduce(self, account: Account, command: ReduceOrder) -> Done:
        """Carry out a ReduceOrder; O(1), O(log levels) when a level goes."""
        market = self._state.market(command.market)
        _refuse_closed(market, account)
        order = self._find(account, market, command.order_id, command.client_order_id)
        if command.qty_lots >= order.qty_lots:
            raise Refusal(
                Code.QTY_NOT_REDUCED,
                f"expected a total quantity below {order.qty_lots} lots, was {command.qty_lots}",
            )
        filled = order.filled_lots
        if command.qty_lots <= filled:
            self.cancel_resting(order, CancelReason.REDUCED_TO_FILLED)
            return (order.order_id, filled, 0)
        held = order.held_atoms
        level = order.level
        level.lots -= order.qty_lots - command.qty_lots
        order.left_lots -= order.qty_lots - command.qty_lots
        order.qty_lots = command.qty_lots
        released = held - order.held_atoms
        balance = account.balance(market.quote if order.side == _BUY else market.base)
        balance.held -= released
        balance.available += released
        account.seq += 1
        market.market_seq += 1
        self._state.emit(
            OrderReduced(
                account.name, account.seq, market.name, order.order_id, order.side, order.price_ticks,
                order.qty_lots, order.left_lots, released, market.market_seq, level.lots,
            )
        )  # fmt: skip
        return (order.order_id, filled, order.left_lots)

    def replace(self, account: Account, command: ReplaceOrder) -> Done:
        """Carry out a ReplaceOrder; O(log levels) plus one step a trade."""
        market = self._state.market(command.market)
        _refuse_closed(market, account)
        order = self._find(account, market, command.order_id, command.client_order_id)
        price, qty, filled = command.price_ticks, command.qty_lots, order.filled_lots
        if not 0 < price <= market.price_ticks_max:
            _refuse_price(market, price)
        if not 0 < qty <= market.qty_lots_max:
            _refuse_qty(market, qty)
        if qty <= filled:
            self.cancel_resting(order, CancelReason.REDUCED_TO_FILLED)
            return (order.order_id, filled, 0)
        buy = order.side == _BUY
        best = (market.asks if buy else market.bids).best
        if order.post_only and best and (best.price_ticks <= price if buy else best.price_ticks >= price):
            _refuse_crossing(best.price_ticks, price)
        left, held = qty - filled, order.held_atoms
        wanted = left * price * market.unit_atoms if buy else left * market.lot_atoms
        asset = market.quote if buy else market.base
        balance = account.balance(asset)
        if balance.available + held < wanted:
            _refuse_funds(asset, wanted, balance.available + held)
        balance.available -= wanted - held
        balance.held += wanted - held
        self._move(order, price, qty, wanted - held)
        outcome = self._matching.fill(order, price, False)
        left = order.left_lots
        filled = qty - left
        if left and outcome.stop is Stop.FILLS:
            account.chains[market.name].remove(order)
            self._state.forget_order(order)
            self._cancel_rest(order, CancelReason.FILLS_LIMIT, wanted - outcome.held_used_atoms)
            return (order.order_id, filled, 0)
        if left:
            level_lots = market.half(order.side).add(order)
            self._rested_event(order, level_lots)
        else:
            account.chains[market.name].remove(order)
            self._state.forget_order(order)
        return (order.order_id, filled, left)

    def _move(self, order: Order, price: int, qty: int, held_change: int) -> None:
        """Take an order off its level and give it its new price and total."""
        market, account, old_price = order.market, order.account, order.price_ticks
        level_lots = market.half(order.side).remove(order)
        order.left_lots = qty - order.filled_lots
        order.qty_lots = qty
        order.price_ticks = price
        account.seq += 1
        market.market_seq += 1
        self._state.emit(
            OrderReplaced(
                account.name, account.seq, market.name, order.order_id, order.side, old_price, price,
                qty, order.left_lots, held_change, market.market_seq, level_lots,
            )
        )  # fmt: skip

    def cancel_resting(self, order: Order, reason: int) -> None:
        """Take a resting order off the book and release what it holds."""
        market, account, left = order.market, order.account, order.left_lots
        if order.side == _BUY:
            released = left * order.price_ticks * market.unit_atoms
            balance = account.balances[market.quote]
            level_lots = market.bids.remove(order)
        else:
            released = left * market.lot_atoms
            balance = account.balances[market.base]
            level_lots = market.asks.remove(order)
        balance.held -= released
        balance.available += released
        account.chains[market.name].remove(order)
        self._state.forget_order(order)
        account.seq += 1
        market.market_seq += 1
        cancelled = (
            _CANCELLED, account.name, account.seq, market.name, order.order_id, order.client_order_id,
            order.side, order.price_ticks, left, reason, released, market.market_seq, level_lots,
            order.qty_lots - left,
        )  # fmt: skip
        self._state.events.append(cancelled)

    def _cancel_rest(self, order: Order, reason: int, released: int) -> None:
        """Cancel what is left of an order that is not on the book."""
        market, account = order.market, order.account
        balance = account.balance(market.quote if order.side == _BUY else market.base)
        balance.held -= released
        balance.available += released
        account.seq += 1
        self._state.emit(
            OrderCancelled(
                account.name, account.seq, market.name, order.order_id, order.client_order_id, order.side,
                order.price_ticks, order.left_lots, reason, released, 0, 0, order.filled_lots,
            )
        )  # fmt: skip

    def _rest(self, order: Order, market: Market, account: Account) -> int:
        """Put a new order on the book; return its level's new total."""
        chain = account.chains.get(market.name)
        if chain is None:
            chain = account.chains[market.name] = Chain()
        chain.add(order)
        account.open_orders += 1
        self._state.orders[order.order_id] = order
        return (market.bids if order.side == _BUY else market.asks).add(order)

    def _rested_event(self, order: Order, level_lots: int) -> None:
        market, account = order.market, order.account
        account.seq += 1
        market.market_seq += 1
        self._state.emit(
            OrderRested(
                account.name, account.seq, market.name, order.order_id, order.side, order.price_ticks,
                order.left_lots, market.market_seq, level_lots,
            )
        )  # fmt: skip

    def _find(self, account: Account, market: Market, order_id: int, client_order_id: str) -> Order:
        """Return the open order that a command names, or refuse."""
        if (order_id > 0) == (client_order_id != ""):
            raise Refusal(
                Code.INVALID_COMBINATION,
                f"expected either order_id or client_order_id, was {order_id} and {client_order_id!r}",
            )
        if not order_id:
            kept = account.ids.get(client_order_id)
            order_id = kept.order_id if kept is not None and kept.fields[0] == _PLACE else 0
        order = self._state.orders.get(order_id)
        if order is None or order.market is not market:
            named = client_order_id or order_id
            raise Refusal(Code.UNKNOWN_ORDER, f"expected an open order of {market.name}, was {named}")
        if order.account is not account:
            raise Refusal(Code.NOT_OWNER, f"expected an order of {account.name}, was another's ({order_id})")
        return order


def _refuse_closed(market: Market, account: Account) -> None:
    if market.state != _OPEN:
        raise Refusal(Code.MARKET_HALTED, f"expected an open market, was {market.name} halted")
    if market.busy:
        raise Refusal(Code.MARKET_BUSY, f"expected a market without mass cancel under way, was {market.name}")
    if account.state != _ACTIVE:
        raise Refusal(Code.ACCOUNT_BLOCKED, f"expected an active account, was {account.name} blocked")
    if account.busy:
        raise Refusal(
            Code.ACCOUNT_BUSY, f"expected an account without mass cancel under way, was {account.name}"
        )


def _check_combination(fields: Array) -> None:
    _, _, _, _, _, side, order_type, tif, post_only, price, qty, budget = fields
    market = order_type == _MARKET
    if bool(qty) == bool(budget):
        expected, was = "either a quantity or a budget", f"{qty} lots and {budget} atoms"
    elif budget and not (market and side == _BUY and tif != _FOK):
        expected, was = "a budget only on an IOC market buy", f"side {side} type {order_type} tif {tif}"
    elif market and (price or post_only or tif == _GTC):
        expected, was = (
            "a market order without price or post-only, IOC or FOK",
            f"price {price}, post-only {post_only}, tif {tif}",
        )
    elif post_only and tif != _GTC:
        expected, was = "post-only with GTC", f"tif {tif}"
    else:
        return
    raise Refusal(Code.INVALID_COMBINATION, f"expected {expected}, was {was}")


def _refuse_price(market: Market, price: int) -> None:
    raise Refusal(
        Code.PRICE_OUT_OF_RANGE, f"expected a price from 1 to {market.price_ticks_max} ticks, was {price}"
    )


def _refuse_qty(market: Market, qty: int) -> None:
    raise Refusal(
        Code.QTY_OUT_OF_RANGE, f"expected a quantity from 1 to {market.qty_lots_max} lots, was {qty}"
    )


def _check_budget(budget: int) -> None:
    if not 0 < budget <= INT_MAX:
        raise Refusal(Code.AMOUNT_OUT_OF_RANGE, f"expected a budget from 1 to {INT_MAX} atoms, was {budget}")


def _refuse_crossing(best: int, price: int) -> None:
    raise Refusal(
        Code.WOULD_CROSS, f"expected a price that does not cross {best} ticks (post-only), was {price}"
    )


def _refuse_funds(asset: str, wanted: int, available: int) -> None:
    raise Refusal(Code.INSUFFICIENT_FUNDS, f"expected {wanted} atoms of {asset} available, was {available}")
