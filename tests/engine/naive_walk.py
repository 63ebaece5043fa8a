"""What an order would meet, one maker after the other, found on copies of the books.

It protects the invariant that looking ahead and matching agree: matching carries out what was found here.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e

from .naive_odds import implied_odds, is_oco
from .naive_state import Book, Order

if TYPE_CHECKING:
    from .naive import Naive


@dataclass(eq=False)
class Copy:
    """A resting order as the walk sees it."""

    order: Order
    book: Book
    left: int
    shown: int

    @property
    def price(self) -> int:
        """Its price."""
        return self.order.price


@dataclass
class Meeting:
    """A maker that is met: a trade of ``lots``, or (``mode`` above NONE) a trade prevented."""

    book: Book
    maker: Order
    lots: int
    hundredths: int
    kind: int
    mode: int = c.Prevention.NONE


@dataclass
class Walk:
    """All that an order meets; ``more``: only the limit of fills ended it."""

    meetings: list[Meeting]
    more: bool = False

    def ahead(self) -> list[Meeting]:
        """Return the trades that looking ahead counts."""
        found = []
        for meeting in self.meetings:
            if meeting.mode > c.Prevention.CANCEL_MAKER:
                break
            if meeting.mode == c.Prevention.NONE:
                found.append(meeting)
        return found

    def hundredths_ahead(self) -> int:
        """Return how many hundredths of a lot looking ahead counts."""
        return sum(meeting.hundredths for meeting in self.ahead())


class Walker:
    """Walks for one order: its side, limit (0: none), hundredths of a lot or budget, and prevention."""

    def __init__(
        self,
        x: "Naive",
        book: Book,
        terms: c.PlaceAdvanced,
        price: int,
        hundredths: int,
        budget: int,
        fills: int,
        direct_only: bool = False,
        mode: int = 0,
    ) -> None:
        self.x, self.book, self.terms = x, book, terms
        self.price, self.hundredths, self.budget, self.fills = price, hundredths, budget, fills
        self.mode = mode or terms.prevention or x.accounts[terms.account].prevention
        self.direct = [Copy(o, book, o.left, o.shown) for o in book.within(terms.side, price)]
        self.implied: list[Copy] = []
        if not direct_only:
            other = x.implied_book(book)
            if other is not None:
                facing = x.implied_within(book, terms.side, price)
                self.implied = [Copy(o, other, o.left, o.shown) for o in facing]
        self.found = Walk([])

    def walk(self) -> Walk:
        """Return all that the order meets."""
        while True:
            direct = self.direct and self.lots_for(self.direct[0].price) >= 1
            implied = self.implied and self.hundredths >= self.implied[0].price - 100
            if not direct and not implied:
                return self.found
            if len(self.found.meetings) >= self.fills:
                self.found.more = True
                return self.found
            if direct and implied:
                odds, stands_for = Fraction(self.direct[0].price), implied_odds(self.implied[0].price)
                better = stands_for > odds if self.terms.side == c.Side.BACK else stands_for < odds
                implied = better
            goes_on = self.meet(self.implied[0]) if implied else self.meet_level()
            if not goes_on:
                return self.found

    def lots_for(self, price: int) -> int:
        """Return how many whole lots the order still takes at a price."""
        if self.terms.budget_atoms:
            return self.budget // (price * self.book.made.unit_atoms)
        return self.hundredths // 100

    def own(self, copy: Copy) -> bool:
        """Return whether the trade with this maker must be prevented."""
        return self.mode > c.Prevention.NONE and self.x.related(self.terms.account, copy.order.account)

    def meet_level(self) -> bool:
        """Meet the best order, or in PRO_RATA all of the best level; return whether it goes on."""
        first = self.direct[0]
        if self.book.market.matching == c.MatchingRule.PRICE_TIME:
            return self.meet(first)
        level = [copy for copy in self.direct if copy.price == first.price]
        for copy in level:
            if self.own(copy):
                return self.meet(copy)
        for copy, lots in self.portions(self.once_a_pair(level), self.lots_for(first.price)):
            if lots:
                if len(self.found.meetings) >= self.fills:
                    self.found.more = True
                    return False
                self.trade(copy, lots, lots * 100, e.TradeKind.DIRECT)
        return True

    def once_a_pair(self, level: list[Copy]) -> list[Copy]:
        """Return the level with only the first leg of each OCO."""
        found: list[Copy] = []
        for copy in level:
            if not any(is_oco(copy.order) and first.order is copy.order.partner for first in found):
                found.append(copy)
        return found

    def portions(self, level: list[Copy], lots: int) -> list[tuple[Copy, int]]:
        """Return how many of ``lots`` each order of a level gets."""
        shown = sum(copy.shown for copy in level)
        if lots >= shown:
            return [(copy, copy.shown) for copy in level]
        first = min(level[0].shown, lots * self.book.market.first_share_ppm // 1_000_000)
        left, shown_left = lots - first, shown - first
        shown_of = [copy.shown - (first if copy is level[0] else 0) for copy in level]
        shares = [each * left // shown_left if shown_left else 0 for each in shown_of]
        rest = left - sum(shares)
        for i, each in enumerate(shown_of):
            more = min(rest, each - shares[i])
            shares[i] += more
            rest -= more
        shares[0] += first
        return list(zip(level, shares, strict=True))

    def meet(self, copy: Copy) -> bool:
        """Meet one order; return whether the order goes on behind it."""
        implied = copy.book is not self.book
        if self.own(copy):
            return self.prevent(copy, implied)
        if implied:
            rate = copy.price - 100
            lots = min(copy.shown, self.hundredths // rate)
            self.trade(copy, lots, lots * rate, e.TradeKind.IMPLIED)
        else:
            lots = min(copy.shown, self.lots_for(copy.price))
            self.trade(copy, lots, lots * 100, e.TradeKind.DIRECT)
        return True

    def prevent(self, copy: Copy, implied: bool) -> bool:
        """Prevent the trade with this maker."""
        mode, lots = self.mode, 0
        kind = e.TradeKind.IMPLIED if implied else e.TradeKind.DIRECT
        is_market = self.terms.order_type == c.OrderType.MARKET
        if mode == c.Prevention.DECREMENT and (implied or is_market):
            mode = c.Prevention.CANCEL_TAKER
        if mode == c.Prevention.DECREMENT:
            lots = min(copy.left, self.hundredths // 100)
            self.hundredths -= lots * 100
            copy.left -= lots
            copy.shown = min(copy.shown, copy.left)
        self.found.meetings.append(Meeting(copy.book, copy.order, lots, lots * 100, kind, mode))
        self.remove_partner(copy)
        if mode == c.Prevention.CANCEL_MAKER or copy.left == 0:
            self.remove(copy)
        return mode in (c.Prevention.CANCEL_MAKER, c.Prevention.DECREMENT)

    def trade(self, copy: Copy, lots: int, hundredths: int, kind: int) -> None:
        """Trade with a maker; an iceberg shows its next part at the back."""
        self.found.meetings.append(Meeting(copy.book, copy.order, lots, hundredths, kind))
        if self.terms.budget_atoms:
            self.budget -= lots * copy.price * self.book.made.unit_atoms
        else:
            self.hundredths -= hundredths
        copy.left -= lots
        copy.shown -= lots
        self.remove_partner(copy)
        if copy.shown == 0:
            copies = self.remove(copy)
            if copy.left:
                copy.shown = min(copy.order.terms.display_lots, copy.left)
                at = max((i for i, other in enumerate(copies) if other.price == copy.price), default=-1)
                behind = [i for i, other in enumerate(copies) if self.before(other, copy)]
                copies.insert(max(at, max(behind, default=-1)) + 1, copy)

    def before(self, other: Copy, copy: Copy) -> bool:
        """Return whether ``other`` is at a better price than ``copy``, which is on the same side."""
        if copy.order.side == c.Side.BUY:
            return other.price > copy.price
        return other.price < copy.price

    def remove(self, copy: Copy) -> list[Copy]:
        """Take an order out; return the list in which it was."""
        copies = self.direct if copy in self.direct else self.implied
        if copy in copies:
            copies.remove(copy)
        return copies

    def remove_partner(self, copy: Copy) -> None:
        """Take the other leg of an OCO out."""
        if is_oco(copy.order):
            for other in self.direct + self.implied:
                if other.order is copy.order.partner:
                    self.remove(other)
