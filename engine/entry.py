"""What a place command must satisfy before anything is changed, and the funds that it takes.

Invariant: `Entry.check` either raises `Refusal` with nothing changed, or has moved the order's funds from
available to held and returned an order that is not yet known to anyone; `Entry.undo` gives them back.
The checks are in the order of ``docs/concepts/orders.md``.
"""

from typing import Final

from bus.commands import (
    COMMAND_NUMBERS,
    INT_MAX,
    AccountState,
    MarketModel,
    OrderType,
    PlaceAdvanced,
    Side,
    TimeInForce,
    Trigger,
)
from bus.errors import Code
from bus.events import Waits

from . import outcomes, risk, states
from .accounts import Account
from .book import Market, Order, Terms
from .crossing import Crossing
from .ladder import on_ladder
from .matching import Matching
from .pairs import ALONE, OCO_LEG, SECOND
from .state import Array, Refusal, State, in_words

_BUY: Final = int(Side.BUY)
_SPOT: Final = int(MarketModel.SPOT)
_ODDS: Final = int(MarketModel.ODDS)
_MARKET: Final = int(OrderType.MARKET)
_LIMIT: Final = int(OrderType.LIMIT)
_GTC: Final = int(TimeInForce.GTC)
_IOC: Final = int(TimeInForce.IOC)
_FOK: Final = int(TimeInForce.FOK)
_GTT: Final = int(TimeInForce.GTT)
_DAY: Final = int(TimeInForce.DAY)
_ADVANCED: Final = COMMAND_NUMBERS[PlaceAdvanced]
_ACTIVE: Final = int(AccountState.ACTIVE)
_NO_TRIGGER: Final = int(Trigger.NONE)
_STOP: Final = int(Trigger.STOP)
_TAKE_PROFIT: Final = int(Trigger.TAKE_PROFIT)
_TRAILING: Final = int(Trigger.TRAILING)
_WAITS_TRIGGER: Final = int(Waits.TRIGGER)
_WAITS_PAIR: Final = int(Waits.PAIR)
_WAITS_DELAY: Final = int(Waits.BET_DELAY)
_DAY_NS: Final = 86_400_000_000_000
_EXPIRY_NS_MAX: Final = 366 * _DAY_NS


class Entry:
    """Checks place commands and takes their funds.

    Attributes
    ----------
    loss_atoms
        What the order checked last holds of its own: what it could cost (spot) or lose (outcome markets).
    held_atoms
        What it moved from available to held: in spot the same.
    """

    def __init__(self, state: State, matching: Matching, crossing: Crossing) -> None:
        self._state = state
        self._matching = matching
        self._crossing = crossing
        self.loss_atoms = 0
        self.held_atoms = 0

    def check(self, account: Account, fields: Array, leg: int = ALONE) -> Order:
        """Check a place's wire array and take its funds; O(1), or a bounded walk (FOK costs, market buys).

        ``leg``: whether it is of a pair, whose funds and position are checked together by the caller.
        """
        state = self._state
        client_order_id: str = fields[1]
        name: str = fields[4]
        side: int = fields[5]
        order_type: int = fields[6]
        tif: int = fields[7]
        post_only: bool = fields[8]
        price: int = fields[9]
        qty: int = fields[10]
        budget: int = fields[11]
        market = state.markets.get(name)
        if market is None:
            raise Refusal(Code.UNKNOWN_MARKET, f"expected a market that exists, was {name}")
        if market.shut or account.shut:
            refuse_closed(market, account)
        is_market = order_type == _MARKET
        advanced = fields[0] == _ADVANCED
        if is_market or post_only or budget or not qty:
            _check_combination(fields, market)
        if leg == SECOND and is_market and side == _BUY and not budget and market.model == _SPOT:
            _refuse_lots(qty)
        terms = _terms_of(fields, market) if advanced else None
        trigger = terms.trigger if terms is not None else 0
        if market.gathering and not trigger:
            states.check_gathering(order_type, tif, post_only, terms.min_lots if terms is not None else 0)
        if not is_market:
            if not market.price_ticks_min <= price <= market.price_ticks_max:
                refuse_price(market, price)
            if market.model == _ODDS and not on_ladder(price):
                refuse_ladder(price)
        if budget:
            _check_budget(budget)
        elif not 0 < qty <= market.qty_lots_max:
            refuse_qty(market, qty)
        if terms is not None:
            self._check_terms(account, market, fields, terms)
        stays = tif == _GTC or tif > _FOK or trigger != 0 or leg == SECOND
        if stays and account.open_orders >= state.limits.open_orders_per_account_max:
            _refuse_more(account, state.limits.open_orders_per_account_max)
        if account.limits is not None or market.band_ppm:
            _check_limits(account, market, fields, stays)
        if trigger:
            assert terms is not None
            self._check_trigger(market, side, terms)
        elif post_only or leg == OCO_LEG:
            self._refuse_crossing(market, side, price)
        delayed = market.outcome is not None and self._delays(account, market, fields, leg)
        loss = self._loss(account, market, fields, trigger != 0 or delayed or leg == SECOND)
        self.loss_atoms = loss
        self.held_atoms = self._take(account, market, side, loss, leg != ALONE)
        if account.limits is not None and not leg:
            self.check_position(account, market, side, qty, budget)
        order = Order(0, client_order_id, account, market, side, post_only, price, qty, state.now_ns)
        if terms is not None or leg:
            _give_terms(order, terms, fields, leg)
        if delayed:
            self._delay(order, order_type, tif, budget)
        return order

    def _take(self, account: Account, market: Market, side: int, loss: int, unchecked: bool) -> int:
        """Move what an order holds from available to held; return what was moved, or refuse."""
        if market.outcome is not None:
            if unchecked:
                return outcomes.hold_unchecked(account, market, side, loss)
            return outcomes.hold(account, market, side, loss)
        asset = market.quote if side == _BUY else market.base
        balance = account.balances.get(asset) or account.balance(asset)
        if balance.available < loss and not unchecked and not account.unfunded:
            refuse_funds(asset, loss, balance.available)
        balance.available -= loss
        balance.held += loss
        return loss

    def check_position(self, account: Account, market: Market, side: int, qty: int, budget: int) -> None:
        """Check the position limit with the funds taken; give them back when it refuses."""
        try:
            risk.check_added(account, market, side, qty or risk.budget_lots(market, budget))
        except Refusal:
            self.undo(account, market, side, self.loss_atoms)
            raise

    def undo(self, account: Account, market: Market, side: int, loss_atoms: int) -> None:
        """Give the funds of a checked order back that is not to be accepted after all."""
        if market.outcome is None:
            give_back(account, market, side, loss_atoms)
        elif market.outcome.name in account.positions:
            give_back(account, market, side, loss_atoms)
            outcomes.forget_unborn(account, market)

    def _loss(self, account: Account, market: Market, fields: Array, waits: bool) -> int:
        """Return what the order holds of its own."""
        side: int = fields[5]
        order_type: int = fields[6]
        price: int = fields[9]
        qty: int = fields[10]
        budget: int = fields[11]
        if order_type != _MARKET:
            if market.model == _SPOT:
                return qty * price * market.unit_atoms if side == _BUY else qty * market.lot_atoms
            return market.loss_atoms(side, price, qty)
        if budget:
            return budget
        if market.model == _SPOT and side != _BUY:
            return qty * market.lot_atoms
        if waits:
            return market.loss_atoms(side, market.worst_ticks(side), qty)
        prevention = fields[18] if fields[0] == _ADVANCED else 0
        return self._matching.cost(account, market, side, qty, prevention)

    def _check_terms(self, account: Account, market: Market, fields: Array, terms: Terms) -> None:
        """Check what of the terms needs the clock, the account or the book: its end, its group, its place."""
        now_ns, tif = self._state.now_ns, fields[7]
        if tif == _GTT:
            ahead_ns = terms.expires_ns - now_ns
            if not 0 < ahead_ns <= _EXPIRY_NS_MAX:
                raise Refusal(
                    Code.EXPIRY_OUT_OF_RANGE,
                    f"expected an end from 1 to {_EXPIRY_NS_MAX} ns ahead, was {ahead_ns}",
                )
        elif tif == _DAY:
            terms.expires_ns = (now_ns // _DAY_NS + 1) * _DAY_NS
        name = fields[19]
        if name:
            group = account.groups.get(name)
            if group is None:
                raise Refusal(Code.UNKNOWN_GROUP, f"expected a group of {account.name}, was {name}")
            if group.tripped:
                raise Refusal(Code.GROUP_TRIPPED, f"expected a group that has not tripped, was {name}")
            terms.group = group
        trailing_max = self._state.limits.trailing_per_market_max
        if terms.trigger == _TRAILING and market.stops is not None and market.stops.trailing >= trailing_max:
            raise Refusal(
                Code.TOO_MANY_OPEN_ORDERS,
                f"expected fewer than {trailing_max} trailing orders, was {trailing_max}",
            )

    def _check_trigger(self, market: Market, side: int, terms: Terms) -> None:
        """Refuse a trigger that is there already, and set where a trailing one stands."""
        last = market.last_price_ticks
        if terms.trigger == _TRAILING:
            if not last:
                raise Refusal(
                    Code.NO_LAST_PRICE, f"expected a market with a trade to trail, was {market.name} without"
                )
            terms.best_ticks = last
            terms.trigger_ticks = last + terms.trail_ticks if side == _BUY else last - terms.trail_ticks
            return
        rises = (terms.trigger == _STOP) == (side == _BUY)
        trigger_ticks = terms.trigger_ticks
        if last and (last >= trigger_ticks if rises else last <= trigger_ticks):
            raise Refusal(
                Code.ALREADY_TRIGGERED,
                f"expected a trigger price {'above' if rises else 'below'} the last trade at {last} ticks,"
                f" was {trigger_ticks}",
            )

    def _refuse_crossing(self, market: Market, side: int, price: int) -> None:
        best = self._matching.crossing(market, side, price)
        if best:
            refuse_crossing(best, price)

    def _delays(self, account: Account, market: Market, fields: Array, leg: int) -> bool:
        """Return whether an order that waits for nothing else could match now, in an in-play market."""
        assert market.outcome is not None
        if not market.outcome.bet_delay_ns or leg in (OCO_LEG, SECOND):
            return False
        side: int = fields[5]
        price: int = fields[9] or market.worst_ticks(side)
        qty: int = fields[10]
        if market.gathering or fields[8] or (fields[0] == _ADVANCED and fields[14]):
            return False
        if self._matching.meets(market, side, price, qty):
            return True
        if fields[6] != _LIMIT or fields[7] == _FOK or (fields[0] == _ADVANCED and fields[13]):
            return False
        return self._crossing.finds(Order(0, "", account, market, side, False, price, qty, 0), price)

    def decide_delay(self, order: Order, fields: Array) -> None:
        """Decide anew whether an order waits for a bet delay, as its atomic batch comes to it."""
        market, terms = order.market, order.terms
        if market.outcome is None or (terms is not None and terms.trigger):
            return
        if self._delays(order.account, market, fields, ALONE):
            self._delay(order, fields[6], fields[7], 0)
        elif terms is not None:
            terms.waits = 0

    def _delay(self, order: Order, order_type: int, tif: int, budget: int) -> None:
        """Let an order of an in-play market wait for its bet delay."""
        terms = order.terms
        if terms is None:
            terms = order.terms = Terms(order_type, tif)
            terms.budget_atoms = budget
        terms.waits = _WAITS_DELAY


def give_back(account: Account, market: Market, side: int, loss_atoms: int) -> int:
    """Take an order's own hold away; return what became available again."""
    if market.outcome is not None:
        return outcomes.release(account, market, side, loss_atoms)
    balance = account.balance(market.quote if side == _BUY else market.base)
    balance.held -= loss_atoms
    balance.available += loss_atoms
    return loss_atoms


def _terms_of(fields: Array, market: Market) -> Terms | None:
    """Return the terms of an advanced place, checked for how they go together; None when it has none."""
    order_type, tif, post_only, qty, budget = fields[6], fields[7], fields[8], fields[10], fields[11]
    display, least, trigger, trigger_ticks, trail_ticks, expires_ns, prevention, group, persists = fields[12:]
    limited = order_type == _LIMIT
    rests = limited and (tif == _GTC or tif > _FOK)
    expected = ""
    if display and (not rests or display >= qty):
        expected = "a displayed quantity below the quantity of a limit order that may rest"
    elif least and (least > qty or post_only or tif == _FOK or budget or trigger):
        expected = "a minimum quantity within the quantity, without post-only, FOK, budget or trigger"
    elif (tif == _GTT) != (expires_ns > 0):
        expected = "an end (expires_ns) with GTT and only with it"
    elif tif > _FOK and not limited:
        expected = "GTT and DAY on limit orders only"
    elif (trigger in (_STOP, _TAKE_PROFIT)) != (trigger_ticks > 0) or (
        (trigger == _TRAILING) != (trail_ticks > 0)
    ):
        expected = "a trigger price with STOP or TAKE_PROFIT, a distance with TRAILING, each only then"
    elif trigger_ticks > market.price_ticks_max:
        expected = f"a trigger price of at most {market.price_ticks_max} ticks"
    elif trigger and post_only:
        expected = "a trigger without post-only"
    elif trigger and not limited and tif != _IOC:
        expected = "a market order with a trigger as IOC"
    elif trigger and not limited and market.model == _SPOT and fields[5] == _BUY and not budget:
        expected = "a budget on a spot market buy with a trigger"
    elif persists and market.model == _SPOT:
        expected = "persistence in outcome markets only"
    if expected:
        raise Refusal(Code.INVALID_COMBINATION, f"expected {expected}, was {in_words(fields)}")
    if not (display or least or trigger or expires_ns or prevention or group or persists or tif == _DAY):
        return None
    terms = Terms(order_type, tif)
    terms.display_lots, terms.min_lots, terms.trigger = display, least, trigger
    terms.trigger_ticks, terms.trail_ticks, terms.expires_ns = trigger_ticks, trail_ticks, expires_ns
    terms.prevention, terms.persists, terms.budget_atoms = prevention, persists, budget
    return terms


def _give_terms(order: Order, terms: Terms | None, fields: Array, leg: int) -> None:
    """Give an order its terms, and let it wait for its pair or trigger."""
    if terms is None:
        terms = Terms(fields[6], fields[7])
        terms.budget_atoms = fields[11]
    order.terms = terms
    if leg == SECOND:
        terms.waits = _WAITS_PAIR
    elif terms.trigger:
        terms.waits = _WAITS_TRIGGER


def _check_limits(account: Account, market: Market, fields: Array, stays: bool) -> None:
    """Check an order's limits, but of its position, and the band; ``stays``: it may rest or wait."""
    price: int = fields[9]
    limits = risk.limits_of(account, market)
    if limits is not None:
        if stays:
            risk.check_count(account, market, limits)
        risk.check_size(limits, market, fields[5], price, fields[10], fields[11])
    if fields[6] != _MARKET:
        risk.check_band(market, price)


def refuse_closed(market: Market, account: Account) -> None:
    """Refuse what a market or account does not take now; return when orders may gather."""
    states.check_place(market)
    refuse_busy(account)
    if account.shortfalls:
        raise Refusal(Code.SHORTFALL, f"expected an account without shortfall, was {account.name} with one")


def refuse_busy(account: Account) -> None:
    """Refuse what an account does not take while it is blocked or its orders are being cancelled."""
    if account.state != _ACTIVE:
        raise Refusal(Code.ACCOUNT_BLOCKED, f"expected an active account, was {account.name} blocked")
    if account.busy:
        raise Refusal(
            Code.ACCOUNT_BUSY, f"expected an account without mass cancel under way, was {account.name}"
        )


def _check_combination(fields: Array, market: Market) -> None:
    """Refuse what does not go together in a plain place."""
    side, order_type, tif, post_only = fields[5], fields[6], fields[7], fields[8]
    price, qty, budget = fields[9], fields[10], fields[11]
    is_market = order_type == _MARKET
    if bool(qty) == bool(budget):
        expected, was = "either a quantity or a budget", f"{qty} lots and {budget} atoms"
    elif budget and market.model != _SPOT:
        expected, was = "a quantity in an outcome market", f"a budget of {budget} atoms"
    elif budget and not (is_market and side == _BUY and tif != _FOK):
        expected, was = "a budget only on a market buy as IOC", _words(fields)
    elif is_market and (price or post_only or tif not in (_IOC, _FOK)):
        expected, was = "a market order without price or post-only, as IOC or FOK", _words(fields)
    elif post_only and tif in (_IOC, _FOK):
        expected, was = "post-only on an order that may rest", _words(fields)
    else:
        return
    raise Refusal(Code.INVALID_COMBINATION, f"expected {expected}, was {was}")


def _words(fields: Array) -> str:
    """Return side, type, time in force, price and post-only of a place in words."""
    kind = f"{Side(fields[5]).name} {OrderType(fields[6]).name} {TimeInForce(fields[7]).name}"
    return f"{kind} at {fields[9]} ticks{', post-only' if fields[8] else ''}"


def refuse_price(market: Market, price: int) -> None:
    """Refuse a price out of range."""
    raise Refusal(
        Code.PRICE_OUT_OF_RANGE,
        f"expected a price from {market.price_ticks_min} to {market.price_ticks_max} ticks, was {price}",
    )


def refuse_ladder(price: int) -> None:
    """Refuse odds that the ladder does not have."""
    raise Refusal(Code.OFF_LADDER, f"expected odds of the ladder, was {price} hundredths")


def refuse_qty(market: Market, qty: int) -> None:
    """Refuse a quantity out of range."""
    raise Refusal(
        Code.QTY_OUT_OF_RANGE, f"expected a quantity from 1 to {market.qty_lots_max} lots, was {qty}"
    )


def _refuse_lots(qty: int) -> None:
    raise Refusal(
        Code.INVALID_COMBINATION, f"expected a budget on a spot market buy that waits, was {qty} lots"
    )


def _refuse_more(account: Account, most: int) -> None:
    raise Refusal(
        Code.TOO_MANY_OPEN_ORDERS, f"expected fewer than {most} open orders, was {account.open_orders}"
    )


def _check_budget(budget: int) -> None:
    if not 0 < budget <= INT_MAX:
        raise Refusal(Code.AMOUNT_OUT_OF_RANGE, f"expected a budget from 1 to {INT_MAX} atoms, was {budget}")


def refuse_crossing(best: int, price: int) -> None:
    """Refuse a post-only order that would trade."""
    raise Refusal(
        Code.WOULD_CROSS, f"expected a price that does not cross {best} ticks (post-only), was {price}"
    )


def refuse_funds(asset: str, wanted: int, available: int) -> None:
    """Refuse for lack of funds."""
    raise Refusal(Code.INSUFFICIENT_FUNDS, f"expected {wanted} atoms of {asset} available, was {available}")
