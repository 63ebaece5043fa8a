"""Cash out: close a share of a position against the live books, all of it or nothing.

Invariants: everything is found and checked before anything changes, and what then trades is exactly what was
found; no leg meets an order of the account's own family; afterwards no outcome gives less than was accepted.
"""

from typing import Final, NamedTuple

from bus.commands import INT_MAX, CashOut, MarketModel, MarketState, OrderType, Prevention, Side, TimeInForce
from bus.errors import Code
from bus.events import CashedOut, OrderAccepted

from . import outcomes, states
from .accounts import Account
from .book import Market, Order, first_legs
from .entry import refuse_closed
from .ladder import LOWEST_TICKS
from .outcomes import OutcomeMarket, Position
from .pairs import Pair
from .settling import outcome_market
from .state import Refusal, State
from .trading import Done, Trading

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_LAY: Final = int(Side.LAY)
_ODDS: Final = int(MarketModel.ODDS)
_PRE_OPEN: Final = int(MarketState.PRE_OPEN)
_MARKET: Final = int(OrderType.MARKET)
_IOC: Final = int(TimeInForce.IOC)
_CANCEL_TAKER: Final = int(Prevention.CANCEL_TAKER)
_PPM: Final = 1_000_000
_PAYOUT_TICKS: Final = 10_000


class Leg(NamedTuple):
    """What is to be traded in one book: ``fills`` are its trades, price and lots."""

    market: Market
    side: int
    lots: int
    fills: list[tuple[int, int]]

    @property
    def loss_atoms(self) -> int:
        """What a market order for it holds."""
        return sum([self.market.loss_atoms(self.side, price, lots) for price, lots in self.fills])


class CashOuts:
    """Carries out cash outs."""

    def __init__(self, state: State, trading: Trading) -> None:
        self._state = state
        self._trading = trading

    def cash_out(self, account: Account, command: CashOut) -> Done:
        """Carry out a CashOut; O(runners) and a bounded walk over each book."""
        outcome = outcome_market(self._state, command.market)
        _refuse_state(outcome, account)
        position = account.positions.get(outcome.name)
        wanted = self._wanted(outcome, position, command.share_ppm) if position is not None else []
        if position is None or not wanted:
            raise Refusal(
                Code.NOTHING_TO_CASH_OUT,
                f"expected a position of which a share of {command.share_ppm} ppm can be closed, was none",
            )
        before = position.results()
        legs = self._legs(account, wanted)
        after = _results_after(outcome, before, legs)
        lowest = min([after[runner] for runner in outcome.live])
        if lowest < command.worst_atoms:
            raise _unfilled(f"a result of at least {command.worst_atoms} atoms", f"{lowest}")
        self._check_funds(account, legs)
        for leg in legs:
            self._trade(account, command.command_id, leg)
        account.seq += 1
        self._state.emit(
            CashedOut(
                account.name, account.seq, outcome.name, command.command_id, command.share_ppm,
                tuple(before), tuple(position.results()),
            )
        )  # fmt: skip
        return (0, 0, 0)

    def _wanted(
        self, outcome: OutcomeMarket, position: Position, share_ppm: int
    ) -> list[tuple[Market, int, int]]:
        """Return book, side and lots of what would close a share of a position; none: nothing to close."""
        results = position.results()
        if outcome.model != _ODDS:
            book = outcome.books[0]
            bought = (results[0] - results[1]) // (_PAYOUT_TICKS * book.unit_atoms)
            lots = abs(bought) * share_ppm // _PPM
            return [(book, _SELL if bought > 0 else _BUY, lots)] if lots else []
        lowest = min([results[runner] for runner in outcome.live])
        wanted: list[tuple[Market, int, int]] = []
        for runner in outcome.live:
            book = outcome.books[runner]
            lots = self._lays_that_fit(book, (results[runner] - lowest) * share_ppm // _PPM)
            if lots:
                wanted.append((book, _LAY, lots))
        return wanted

    def _lays_that_fit(self, book: Market, atoms: int) -> int:
        """Return how many lots to lay so that a runner's result drops by at most ``atoms`` more than others'.

        Refuses when the book ends before. A lot at odds P closes P times unit of it.
        """
        found, looked, price = 0, 0, LOWEST_TICKS
        met: list[Pair] = []
        for level in book.asks.levels():
            for order in first_legs(level, met):
                price = level.price_ticks
                fit = atoms // (price * book.unit_atoms)
                if not fit:
                    return found
                looked += 1
                if looked > self._state.fills_max:
                    raise _unfilled(f"at most {self._state.fills_max} trades in {book.name}", "more")
                lots = min(order.total_left, fit)
                found += lots
                atoms -= lots * price * book.unit_atoms
        if atoms // (price * book.unit_atoms):
            raise _unfilled(f"orders that back {book.name} for {atoms} atoms more", "too few")
        return found

    def _legs(self, account: Account, wanted: list[tuple[Market, int, int]]) -> list[Leg]:
        """Return what the books would trade now, or refuse when that is less than is wanted."""
        state, legs, fills = self._state, [], 0
        for market, side, lots in wanted:
            limit = INT_MAX if side == _BUY else 0
            found = list(self._trading.matching.walk(account, market, side, _CANCEL_TAKER, lots, limit))
            filled = sum([part for _, part in found])
            fills += len(found)
            if filled < lots:
                raise _unfilled(f"{lots} lots in {market.name} of other accounts", f"{filled}")
            legs.append(Leg(market, side, lots, found))
        if fills > state.fills_max:
            raise _unfilled(f"at most {state.fills_max} trades", f"{fills}")
        # A trade is three events where its orders are of pairs and groups.
        if len(legs) + 3 * fills + 6 > state.limits.events_per_transaction_max:
            raise _unfilled("trades that fit into one transaction", f"{fills}")
        return legs

    def _check_funds(self, account: Account, legs: list[Leg]) -> None:
        """Refuse unless funds cover what all legs may lose at once: then each can be held in its turn."""
        held = 0
        try:
            for leg in legs:
                outcomes.hold(account, leg.market, leg.side, leg.loss_atoms)
                held += 1
        finally:
            for leg in legs[:held]:
                outcomes.release(account, leg.market, leg.side, leg.loss_atoms)

    def _trade(self, account: Account, command_id: str, leg: Leg) -> None:
        """Carry out one leg as a market order of its own."""
        state, market = self._state, leg.market
        order = Order(
            state.next_seq + len(state.events), command_id, account, market, leg.side, False, 0, leg.lots,
            state.now_ns,
        )  # fmt: skip
        held_atoms = outcomes.hold(account, market, leg.side, leg.loss_atoms)
        account.seq += 1
        state.emit(
            OrderAccepted(
                account.name, account.seq, market.name, order.order_id, command_id, leg.side, _MARKET, _IOC,
                False, 0, leg.lots, 0, held_atoms, 0, 0,
            )
        )  # fmt: skip
        matching = self._trading.matching
        matching.tripped = False
        matching.fill_direct(order, INT_MAX if leg.side == _BUY else 0, 0)
        assert not order.left_lots, "a leg trades what was found"


def _refuse_state(outcome: OutcomeMarket, account: Account) -> None:
    """Refuse a cash out where no order may trade at once."""
    for book in outcome.live_books:
        states.check_place(book)
    refuse_closed(outcome.live_books[0], account)
    if outcome.market_state == _PRE_OPEN:
        raise Refusal(
            Code.NOT_WHILE_GATHERING, f"expected a market that matches, was {outcome.name} PRE_OPEN"
        )
    if outcome.bet_delay_ns:
        raise Refusal(
            Code.STATE_NOT_ALLOWED,
            f"expected a market without bet delay, was {outcome.name} with {outcome.bet_delay_ns} ns",
        )


def _results_after(outcome: OutcomeMarket, before: list[int], legs: list[Leg]) -> list[int]:
    """Return the results after the trades of all legs."""
    after = list(before)
    for leg in legs:
        unit, runner = leg.market.unit_atoms, leg.market.runner
        sign = 1 if leg.side == _BUY else -1
        for price, lots in leg.fills:
            if outcome.model == _ODDS:
                wins, others = -(price - 100) * lots * unit, 100 * lots * unit
            else:
                wins, others = sign * (_PAYOUT_TICKS - price) * lots * unit, -sign * price * lots * unit
            for other in outcome.live:
                after[other] += wins if other == runner else others
    return after


def _unfilled(expected: str, was: str) -> Refusal:
    return Refusal(Code.CASH_OUT_UNFILLED, f"expected {expected}, was {was}")
