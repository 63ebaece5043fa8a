"""The naive exchange by itself: worked examples, conservation, and the worst case by brute force.

It protects the invariant that the oracle is right where the engine could agree with it by the same mistake.
"""

from fractions import Fraction
from itertools import product

import pytest

from bus import commands as c
from bus import events as e
from tests.engine.mixed import Mixed
from tests.engine.mixed_venue import LIMITS, START_NS, setup
from tests.engine.naive import Naive
from tests.engine.naive_odds import LADDER, ladder_ceil, ladder_floor, vector
from tests.engine.naive_state import Outcome

D_LOT = 100


class Venue:
    """A naive exchange with the mixed setup, and short words for what examples need."""

    def __init__(self) -> None:
        self.naive, self.ids = Naive(LIMITS[2]), 0
        for now_ns, command in setup():
            self.naive.execute(command, now_ns)

    def send(self, cls: type[c.OutsideCommand], account: str, *fields: object) -> list[e.Event]:
        """Send a command of ``cls``."""
        self.ids += 1
        return self.naive.execute(cls(f"id{self.ids}", account, START_NS, *fields), START_NS)  # type: ignore[arg-type]

    def limit(self, account: str, book: str, side: int, price: int, lots: int) -> list[e.Event]:
        """Place a limit order."""
        return self.send(c.PlaceOrder, account, book, side, 1, 1, False, price, lots, 0)

    def outcome(self, name: str) -> Outcome:
        """Return an outcome market."""
        found = self.naive.markets[name].outcome
        assert found is not None
        return found

    def lots_held(self, account: str, name: str) -> Fraction:
        """Return what an account holds in an odds market, in lots of stake."""
        return Fraction(self.outcome(name).held.get(account, 0), D_LOT)


def test_opposing_bets_free_funds() -> None:
    """Back one runner 5 at 2.0, back the other 3 at 3.0; the second is matched: held 5, 5, 3."""
    venue = Venue()
    venue.limit("ann", "T1:x", c.Side.BACK, 200, 5)
    assert venue.lots_held("ann", "T1") == 5
    venue.limit("ann", "T1:y", c.Side.BACK, 300, 3)
    assert venue.lots_held("ann", "T1") == 5
    venue.limit("bob", "T1:y", c.Side.LAY, 300, 3)
    assert venue.lots_held("ann", "T1") == 3
    assert venue.outcome("T1").positions["ann"] == [-300, 600]


def test_a_lay_filled_better_holds_what_it_can_lose() -> None:
    """Lay 10 at 3.0, filled at 2.0: held is 10, not 20."""
    venue = Venue()
    venue.limit("bob", "T1:x", c.Side.BACK, 200, 10)
    venue.limit("ann", "T1:x", c.Side.LAY, 300, 10)
    assert venue.lots_held("ann", "T1") == 10


def test_three_ways() -> None:
    """Lay A 10 at 3.15 and lay B 10 at 2.52 (the ladder: 3.15, 2.52): −11.50, −5.20, +20; held 11.50."""
    venue = Venue()
    for book, odds in (("R1:p", 315), ("R1:q", 252)):
        venue.limit("bob", book, c.Side.BACK, odds, 10)
        venue.limit("ann", book, c.Side.LAY, odds, 10)
    assert venue.outcome("R1").positions["ann"] == [-1_150, -520, 2_000]
    assert venue.lots_held("ann", "R1") == Fraction("11.5")


def test_a_removed_runner_raises_exposure() -> None:
    """The same with the second runner removed: from 11.50 to 21.50."""
    venue = Venue()
    for book, odds in (("R1:p", 315), ("R1:q", 252)):
        venue.limit("bob", book, c.Side.BACK, odds, 10)
        venue.limit("ann", book, c.Side.LAY, odds, 10)
    venue.send(c.SetMarketState, c.OPERATOR, "R1", c.MarketState.HALTED)
    venue.send(c.RemoveRunner, c.OPERATOR, "R1", "q", 0)
    assert venue.lots_held("ann", "R1") == Fraction("21.5")


def test_three_backs_cross() -> None:
    """Others at 2.5 and 3.4 stand for 3.26923: odds 3.25 of the ladder, and the house cannot lose."""
    venue = Venue()
    venue.limit("bob", "R1:q", c.Side.BACK, 250, 40)
    venue.limit("bob", "R1:r", c.Side.BACK, 340, 40)
    events = venue.limit("ann", "R1:p", c.Side.BACK, 300, 20)
    trades = [event for event in events if isinstance(event, e.TradeExecuted)]
    assert [(t.market, t.price_ticks, t.qty_lots) for t in trades] == [
        ("R1:q", 250, 26),
        ("R1:r", 340, 19),
        ("R1:p", 325, 20),
    ]
    assert min(venue.outcome("R1").positions["hse"]) >= 0


def test_two_runners_imply() -> None:
    """Back x 3 at 1.5 meets back y 1 at 3.0: the resting back uses up 2 lots of the taker."""
    venue = Venue()
    venue.limit("ann", "T1:y", c.Side.BACK, 300, 1)
    events = venue.limit("bob", "T1:x", c.Side.BACK, 150, 3)
    (trade,) = [event for event in events if isinstance(event, e.TradeExecuted)]
    assert (trade.market, trade.price_ticks, trade.qty_lots, trade.taker_left_lots) == ("T1:y", 300, 1, 1)
    assert venue.outcome("T1").positions["bob"] == [100, -200]


def test_settlement_pays_the_winner() -> None:
    """A binary buy at 40 % gains 60 % less 2 % of it when YES comes true."""
    venue = Venue()
    venue.limit("ann", "B1", c.Side.SELL, 4_000, 1)
    venue.limit("bob", "B1", c.Side.BUY, 4_000, 1)
    before = venue.naive.available("bob", "D")
    venue.send(c.SetMarketState, c.OPERATOR, "B1", c.MarketState.CLOSING)
    venue.send(c.SettleMarket, c.OPERATOR, "B1", ("YES",))
    assert venue.naive.available("bob", "D") == before + 4_000 + 6_000 - 120


def test_the_ladder_has_350_odds() -> None:
    """From 1.01 to 1000, and rounds to either side."""
    assert (len(LADDER), LADDER[0], LADDER[-1]) == (350, 101, 100_000)
    assert (ladder_floor(Fraction(32692, 100)), ladder_ceil(Fraction(32692, 100))) == (325, 330)


def losses_by_brute_force(naive: Naive, market: Outcome, account: str) -> int:
    """Return the worst loss over all outcomes and all subsets of open orders that may be filled together."""
    orders = [
        o for o in naive.orders.values() if o.account == account and naive.books[o.market].outcome is market
    ]
    worst = 0
    for chosen in product((False, True), repeat=len(orders)):
        filled = [order for order, fill in zip(orders, chosen, strict=True) if fill]
        if any(o.pair and o.pair.kind == c.PairKind.OCO and o.partner in filled for o in filled):
            continue
        total = [100 * have for have in market.positions.get(account, [0] * len(market.runners))]
        for order in filled:
            book = naive.books[order.market]
            price = order.price or (book.made.price_ticks_max if order.side == c.Side.BUY else book.price_min)
            result = vector(market, book.made.runner, order.side, price, order.hundredths)
            total = [a + b for a, b in zip(total, result, strict=True)]
        worst = max(worst, *(-total[i] for i in market.outcomes))
    return -(-worst // 100)


@pytest.mark.parametrize("seed", range(20))
def test_held_is_the_worst_case_and_nothing_is_lost(seed: int) -> None:
    """Random sequences: funds are conserved, and held is the worst case over every subset of fills."""
    naive = Naive(LIMITS[seed % len(LIMITS)])
    for now_ns, command in setup():
        naive.execute(command, now_ns)
    maker = Mixed(seed + 50_000, naive)
    for n in range(200):
        now_ns, command = maker.next()
        naive.execute(command, now_ns)
        naive._check()
        if n % 5:
            continue
        for market in [m.outcome for m in naive.markets.values() if m.outcome and not m.outcome.frozen]:
            for account in market.accounts:
                if sum(o.account == account for o in naive.orders.values()) <= 8:
                    owed = market.held.get(account, 0) + market.short.get(account, 0)
                    assert owed == losses_by_brute_force(naive, market, account), (
                        account,
                        market.made.market,
                    )
