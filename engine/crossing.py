"""Three and more runners: an order on one meets orders on all the others, through the house account.

Invariants: a match is carried out whole or not at all; its taker gets the best odds of the ladder that the
others pay for, never worse than its limit; a leg trades at its resting order's own odds and never more than
is shown; the house account loses at most what the market's rules allow, in no outcome more.

If all outcomes are backed at odds whose inverses sum to 1 or more, who lays them all loses nothing; if all
are laid at odds whose inverses sum to 1 or less, who backs them all loses nothing. Integers only: the sum
of inverses is one fraction of integers, however large.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from bus.commands import Side
from bus.events import EVENT_NUMBERS, TradeExecuted, TradeKind

from . import ladder, outcomes
from .book import Level, Order, first_legs
from .fills import DONE, GROUP_TRIPPED, Outcome

if TYPE_CHECKING:
    from .accounts import Account
    from .book import Market
    from .cancels import Cancels
    from .matching import Matching
    from .outcomes import OutcomeMarket
    from .state import State

_LAY: Final = int(Side.LAY)
_BACK: Final = int(Side.BACK)
_TRADE: Final = EVENT_NUMBERS[TradeExecuted]
_CROSS: Final = int(TradeKind.CROSS)
DOWN: Final = 0
NEAREST: Final = 1
UP: Final = 2
ROUNDINGS: Final = (DOWN, NEAREST, UP)
"""How the stakes of legs are rounded to whole lots, in the order in which it is tried."""
REPEATS_MAX: Final = 10
"""Cross matches of one order in one command."""
_ONE: Final = 1 << 40
"""The fixed point in which sums of inverse odds are looked at before they are computed exactly."""


class Offer(NamedTuple):
    """The best resting odds of a runner on the taker's side, and the lots shown there."""

    odds_ticks: int
    lots: int


class Match(NamedTuple):
    """A cross match: the taker's odds and stake, and the stakes of the legs in the order of the offers."""

    odds_ticks: int
    stake_lots: int
    legs_lots: tuple[int, ...]


class Plan(NamedTuple):
    """A cross match that the rules allow, and the resting orders that its legs use, with their lots."""

    match: Match
    used: list[tuple[Order, int]]


# ---- arithmetic -----------------------------------------------------------------------------------------


def may_cross(side: int, limit_ticks: int, odds_ticks: Sequence[int]) -> bool:
    """Return False only if a taker at its limit and the others' odds cannot cross: a cheap first look.

    All backs can if their inverse odds sum to 1 or more, all lays if to 1 or less; each inverse here is
    rounded down, by less than 1 of `_ONE`.
    """
    inverses = 100 * _ONE // limit_ticks
    for odds in odds_ticks:
        inverses += 100 * _ONE // odds
    return inverses <= _ONE if side == _LAY else inverses + len(odds_ticks) + 1 >= _ONE


def taker_odds_ticks(side: int, odds_ticks: Sequence[int]) -> int:
    """Return the best odds that the others pay for, on the ladder, or `ladder.NONE_TICKS`.

    ``1 / odds = 1 - sum(1 / others)``, rounded down for who backs and up for who lays.
    """
    top, bottom = 1, 1
    for odds in odds_ticks:
        top, bottom = top * odds - 100 * bottom, bottom * odds
    if side == _LAY:
        return ladder.ceil(100 * bottom, top) if top > 0 else ladder.NONE_TICKS
    return ladder.floor(100 * bottom, top) if top > 0 else ladder.HIGHEST_TICKS


def largest_stake_lots(odds_ticks: int, left_lots: int, others: Sequence[Offer]) -> int:
    """Return the largest stake for which every leg, unrounded, is at most what is shown."""
    stake = left_lots
    for odds, lots in others:
        stake = min(stake, lots * odds // odds_ticks)
    return stake


def leg_lots(payout: int, odds_ticks: int, rounding: int) -> int:
    """Return the stake whose payout at ``odds_ticks`` is ``payout`` (lots times ticks); at least 1."""
    if rounding == DOWN:
        lots = payout // odds_ticks
    elif rounding == NEAREST:
        lots = (2 * payout + odds_ticks) // (2 * odds_ticks)
    else:
        lots = -(-payout // odds_ticks)
    return lots if lots else 1


def match_of(odds_ticks: int, stake_lots: int, others: Sequence[Offer], rounding: int) -> Match:
    """Return the match of a taker's stake with the others, its legs rounded so."""
    payout = stake_lots * odds_ticks
    return Match(odds_ticks, stake_lots, tuple([leg_lots(payout, odds, rounding) for odds, _ in others]))


def house_results(side: int, match: Match, others: Sequence[Offer]) -> tuple[int, tuple[int, ...]]:
    """Return the house's results in units: in the taker's outcome, and in those of the legs."""
    sign = -1 if side == _LAY else 1
    stakes = 100 * (match.stake_lots + sum(match.legs_lots))
    taker = sign * (stakes - match.stake_lots * match.odds_ticks)
    legs = zip(match.legs_lots, others, strict=True)
    return taker, tuple([sign * (stakes - lots * offer.odds_ticks) for lots, offer in legs])


# ---- matching -------------------------------------------------------------------------------------------


class Crossing:
    """Crosses what direct matching left of a taker with the other runners' orders."""

    def __init__(self, state: "State", matching: "Matching", cancels: "Cancels") -> None:
        self._state = state
        self._matching = matching
        self._cancels = cancels

    def finds(self, order: Order, limit_ticks: int) -> bool:
        """Return whether an order would cross now; O(runners) if it is far from that."""
        return self._plan(order, limit_ticks, self._state.fills_max) is not None

    def cross(self, order: Order, limit_ticks: int, outcome: Outcome) -> Outcome:
        """Return the outcome of direct matching with that of crossing added."""
        stop, filled, used, fills = outcome.stop, outcome.filled_lots, outcome.held_used_atoms, outcome.fills
        for _ in range(REPEATS_MAX):
            plan = self._plan(order, limit_ticks, self._state.fills_max - fills)
            if plan is None or self._lacks_room(order, plan.used):
                break
            used += self._carry_out(order, plan)
            filled += plan.match.stake_lots
            fills += len(plan.used) + 1
            if self._matching.tripped:
                stop = GROUP_TRIPPED
                break
            if not order.left_lots:
                stop = DONE
                break
        return Outcome(stop, filled, used, fills, outcome.dust)

    def offered(self, market: "Market", side: int) -> tuple[int, int]:
        """Return what crossing offers as orders of ``side`` in a book: odds and lots, or ``(0, 0)``."""
        taker_side = _BACK if side == _LAY else _LAY
        limit = ladder.HIGHEST_TICKS if taker_side == _LAY else ladder.LOWEST_TICKS
        plan = self._find(market, taker_side, limit, market.qty_lots_max, self._state.fills_max, "")
        return (plan.match.odds_ticks, plan.match.stake_lots) if plan is not None else (0, 0)

    def _plan(self, order: Order, limit_ticks: int, fills_max: int) -> Plan | None:
        """Return the cross match of an order, if there is one."""
        market, account = order.market, order.account
        outcome = market.outcome
        assert outcome is not None
        if not outcome.has_crossing or outcome.house is account or order.post_only or not order.left_lots:
            return None
        return self._find(market, order.side, limit_ticks, order.left_lots, fills_max, account.family)

    def _lacks_room(self, order: Order, used: list[tuple[Order, int]]) -> bool:
        """Return whether a match of orders of groups or pairs might be too much for the transaction."""
        several = _is_of_several(order)
        for maker, _ in used:
            several = several or _is_of_several(maker)
        state = self._state
        room = state.limits.events_per_transaction_max - len(state.events)
        return several and 3 * len(used) + 6 > room

    def _find(
        self, market: "Market", side: int, limit_ticks: int, left_lots: int, fills_max: int, family: str
    ) -> Plan | None:
        """Return the match that the rules allow a taker of a family ("": none), and what its legs use."""
        outcome = market.outcome
        assert outcome is not None and outcome.house is not None
        if outcome.house.shut:
            return None
        levels = _other_bests(market, side)
        if levels is None:
            return None
        odds_ticks = [level.price_ticks for level in levels]
        if not may_cross(side, limit_ticks, odds_ticks):
            return None
        odds = taker_odds_ticks(side, odds_ticks)
        if odds == ladder.NONE_TICKS or (odds > limit_ticks if side == _LAY else odds < limit_ticks):
            return None
        shown: list[list[Order]] = []
        others: list[Offer] = []
        for level in levels:
            enough = -(-left_lots * odds // level.price_ticks)
            orders, lots = _orders_of(level, enough)
            shown.append(orders)
            others.append(Offer(level.price_ticks, lots))
        stake = largest_stake_lots(odds, left_lots, others)
        if not stake:
            return None
        for rounding in ROUNDINGS:
            match = match_of(odds, stake, others, rounding)
            if _allowed(outcome, market, side, match, others):
                used = _used(match, shown, outcome.house, family)
                return Plan(match, used) if used and len(used) < fills_max else None
        return None

    def _carry_out(self, order: Order, plan: Plan) -> int:
        """Trade all legs and then the taker with the house; return what of the taker's own hold was used."""
        market = order.market
        assert market.outcome is not None and market.outcome.house is not None
        house = market.outcome.house
        for maker, lots in plan.used:
            self._trade_leg(house, maker, lots)
        return self._trade_taker(house, order, plan.match)

    def _trade_leg(self, house: "Account", maker: Order, lots: int) -> None:
        """Trade a resting order with the house, whose hold changes only with the taker's trade."""
        state, market, owner = self._state, maker.market, maker.account
        price, lays = maker.price_ticks, maker.side == _LAY
        if maker.terms is not None and maker.terms.pair is not None:
            self._cancels.before_trade(maker)
        loss = market.loss_atoms(maker.side, price, lots)
        if lays:
            position, _ = outcomes.book_bet(market, owner, house, price, lots, loss, 0)
        else:
            _, position = outcomes.book_bet(market, house, owner, price, lots, 0, loss)
        released = position.free()
        level_lots = self._matching.take_lots(maker, lots)
        market.last_trade_id += 1
        market.market_seq += 1
        market.last_price_ticks = price
        owner.seq += 1
        owner_seq = owner.seq
        house.seq += 1
        side = _BACK if lays else _LAY
        trade = (
            _TRADE, market.name, market.last_trade_id, price, lots, side,
            owner.name, owner_seq, maker.order_id, maker.total_left, 0,
            house.name, house.seq, 0, 0, 0, 0, market.market_seq, level_lots, released, _CROSS,
        )  # fmt: skip
        state.events.append(trade)
        state.watch_trade(market, price)
        if maker.terms is not None:
            self._matching.after_trade(_stand_in(house, market, side, price, lots, state.now_ns), maker, lots)

    def _trade_taker(self, house: "Account", order: Order, match: Match) -> int:
        """Trade the taker with the house as maker; return what of the taker's own hold was used."""
        state, market, account = self._state, order.market, order.account
        price, lots, side = match.odds_ticks, match.stake_lots, order.side
        used = market.loss_atoms(side, order.price_ticks, lots)
        if side == _LAY:
            position, _ = outcomes.book_bet(market, account, house, price, lots, used, 0)
        else:
            _, position = outcomes.book_bet(market, house, account, price, lots, 0, used)
        refund = position.free()
        rise = outcomes.hold_unchecked(house, market, side, 0)
        order.left_lots -= lots
        market.last_trade_id += 1
        market.last_price_ticks = price
        house.seq += 1
        house_seq = house.seq
        account.seq += 1
        trade = (
            _TRADE, market.name, market.last_trade_id, price, lots, side,
            house.name, house_seq, 0, 0, 0,
            account.name, account.seq, order.order_id, order.left_lots, 0, refund, 0, 0, -rise, _CROSS,
        )  # fmt: skip
        state.events.append(trade)
        state.watch_trade(market, price)
        if order.terms is not None:
            maker = _stand_in(house, market, _BACK if side == _LAY else _LAY, price, lots, state.now_ns)
            self._matching.after_trade(order, maker, lots)
        return used


def _other_bests(market: "Market", side: int) -> list[Level] | None:
    """Return the best levels of a side of all other runners, or None when one has none."""
    outcome = market.outcome
    assert outcome is not None
    levels: list[Level] = []
    for runner in outcome.live:
        if runner != market.runner:
            book = outcome.books[runner]
            level = book.bids.best if side == _LAY else book.asks.best
            if level is None:
                return None
            levels.append(level)
    return levels


def _orders_of(level: Level, enough_lots: int) -> tuple[list[Order], int]:
    """Return the oldest orders of a level until they show enough, and what they show."""
    orders: list[Order] = []
    lots = 0
    for order in first_legs(level, []):
        orders.append(order)
        lots += order.left_lots
        if lots >= enough_lots:
            break
    return orders, lots


def _used(match: Match, shown: list[list[Order]], house: "Account", family: str) -> list[tuple[Order, int]]:
    """Return the orders that the legs of a match use, with their lots; none if one must not be used."""
    used: list[tuple[Order, int]] = []
    for lots, orders in zip(match.legs_lots, shown, strict=True):
        for maker in orders:
            if maker.account.family == family or maker.account is house:
                return []
            part = min(lots, maker.left_lots)
            used.append((maker, part))
            lots -= part
            if not lots:
                break
    return used


def _is_of_several(order: Order) -> bool:
    terms = order.terms
    return terms is not None and (terms.pair is not None or terms.is_counted)


def _stand_in(
    house: "Account", market: "Market", side: int, price_ticks: int, lots: int, now_ns: int
) -> Order:
    """Return an order that the house might have placed, for who asks for the other order of a trade."""
    return Order(0, "", house, market, side, False, price_ticks, lots, now_ns)


def _allowed(
    outcome: "OutcomeMarket", market: "Market", side: int, match: Match, others: Sequence[Offer]
) -> bool:
    """Return whether the house may take a match: its losses, in it and in all, and its funds; O(runners)."""
    house = outcome.house
    assert house is not None
    taker, legs = house_results(side, match, others)
    position = house.positions.get(outcome.name)
    results = position.results() if position is not None else [0] * len(outcome.runners)
    worst_results = position.worst_results() if position is not None else results
    need = position.need_atoms if position is not None else 0
    at, worst = 0, 0
    for runner in outcome.live:
        if runner == market.runner:
            gain = taker * market.unit_atoms
        else:
            gain = legs[at] * market.unit_atoms
            at += 1
        if gain < -outcome.match_loss_max_atoms or results[runner] + gain < -outcome.house_loss_max_atoms:
            return False
        worst = min(worst, worst_results[runner] + gain)
    rise = -worst - need
    return rise <= 0 or house.unfunded or rise <= house.balance(outcome.asset).available
