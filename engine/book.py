"""The book of one market: price levels in price order, orders in time order within a level.

Invariants (verified by ``Half.check``): a level's total is the sum of its orders' left quantities; no
level is empty; ``best`` is the first level of the ladder; an order is in exactly one level. Orders of
a level are a doubly linked list through the orders themselves, so that taking one out of the middle
costs the same wherever it stands.

Adding or removing an order is O(1); making or removing a level is O(log levels).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bus.commands import MarketModel, MarketState, MatchingRule, Side
from bus.events import MarketCreated

from .levels import Levels

if TYPE_CHECKING:
    from .accounts import Account
    from .groups import Group
    from .outcomes import OutcomeMarket
    from .pairs import Pair
    from .waiting import Stops

_SPOT: Final = int(MarketModel.SPOT)
_BINARY: Final = int(MarketModel.BINARY)
_ODDS: Final = int(MarketModel.ODDS)


class Terms:
    """What few orders have: see ``docs/concepts/orders.md``.

    ``hold_atoms``: what a waiting order holds when that is not what its limit price would hold, else 0.
    ``best_ticks``: the best last trade price since a trailing order's entry.
    """

    __slots__ = (
        "best_ticks",
        "budget_atoms",
        "display_lots",
        "expires_ns",
        "group",
        "hidden_lots",
        "hold_atoms",
        "min_lots",
        "order_type",
        "pair",
        "persists",
        "prevention",
        "time_in_force",
        "trail_ticks",
        "trigger",
        "trigger_ticks",
        "waits",
    )

    def __init__(self, order_type: int, time_in_force: int) -> None:
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.display_lots = 0
        self.hidden_lots = 0
        self.min_lots = 0
        self.trigger = 0
        self.trigger_ticks = 0
        self.trail_ticks = 0
        self.expires_ns = 0
        self.prevention = 0
        self.persists = False
        self.waits = 0
        self.budget_atoms = 0
        self.hold_atoms = 0
        self.best_ticks = 0
        self.group: Group | None = None
        self.pair: Pair | None = None

    @property
    def is_counted(self) -> bool:
        """Whether an order group counts its trades: not one that was removed."""
        return self.group is not None and self.group.lots_max > 0


class Order:
    """An order with something left; while it rests it is linked into a level and its owner's chain.

    The links (``level``, ``before``, ``after``, ``own_before``, ``own_after``) are set when it comes to rest:
    most of the cost of an order that never rests would be setting them to nothing.
    """

    __slots__ = (
        "accepted_ns",
        "account",
        "after",
        "before",
        "client_order_id",
        "left_lots",
        "level",
        "market",
        "order_id",
        "own_after",
        "own_before",
        "post_only",
        "price_ticks",
        "qty_lots",
        "side",
        "terms",
    )

    level: "Level"
    before: "Order | None"
    after: "Order | None"
    own_before: "Order | None"
    own_after: "Order | None"

    def __init__(
        self,
        order_id: int,
        client_order_id: str,
        account: "Account",
        market: "Market",
        side: int,
        post_only: bool,
        price_ticks: int,
        qty_lots: int,
        accepted_ns: int,
    ) -> None:
        self.order_id = order_id
        self.client_order_id = client_order_id
        self.account = account
        self.market = market
        self.side = side
        self.post_only = post_only
        self.price_ticks = price_ticks
        self.qty_lots = qty_lots
        self.left_lots = qty_lots
        self.accepted_ns = accepted_ns
        self.terms: Terms | None = None

    @property
    def total_left(self) -> int:
        """Lots left, what an iceberg hides included; ``left_lots`` is what the book shows."""
        return self.left_lots + self.terms.hidden_lots if self.terms is not None else self.left_lots

    @property
    def waits(self) -> int:
        """What it waits for before it goes to the book (`bus.events.Waits`)."""
        return self.terms.waits if self.terms is not None else 0

    @property
    def filled_lots(self) -> int:
        """Lots traded so far."""
        return self.qty_lots - self.total_left

    @property
    def held_atoms(self) -> int:
        """What an open order holds of its own: what it could cost (spot) or lose (outcome markets)."""
        if self.terms is not None and self.terms.budget_atoms:
            return self.terms.budget_atoms
        price = self.price_ticks or self.market.worst_ticks(self.side)
        return self.market.loss_atoms(self.side, price, self.total_left)


class Level:
    """All orders at one price of one side, oldest first."""

    __slots__ = ("count", "first", "last", "lots", "price_ticks")

    def __init__(self, price_ticks: int) -> None:
        self.price_ticks = price_ticks
        self.lots = 0
        self.count = 0
        self.first: Order | None = None
        self.last: Order | None = None

    def __iter__(self) -> Iterator[Order]:
        order = self.first
        while order is not None:
            yield order
            order = order.after


def first_legs(level: Level, met: "list[Pair]") -> Iterator[Order]:
    """Yield a level's orders, the oldest first, but the legs of pairs of which a leg was met before.

    Of two orders of which one cancels the other a taker can meet one only. ``met``: the pairs met so far.
    """
    for order in level:
        pair = order.terms.pair if order.terms is not None else None
        if pair is not None:
            if any(earlier is pair for earlier in met):
                continue
            met.append(pair)
        yield order


class Half:
    """One side of a book, best price first.

    Parameters
    ----------
    sign
        −1 for bids (the highest price first), 1 for asks.
    """

    __slots__ = ("best", "ladder", "sign", "termed")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.termed: dict[int, Order] = {}
        """Its orders with terms, by id: what is hidden, and legs of pairs, are found without the rest."""
        self.ladder = Levels()
        self.best: Level | None = None

    def add(self, order: Order) -> int:
        """Put an order at the back of its level; return the level's new total.

        O(1), O(log levels) when it makes a level.
        """
        price = order.price_ticks
        key = price * self.sign
        level = self.ladder.get(key)
        if level is None:
            level = Level(price)
            self.ladder.add(key, level)
            best = self.best
            if best is None or key < best.price_ticks * self.sign:
                self.best = level
        last = level.last
        order.before = last
        order.after = None
        if last is None:
            level.first = order
        else:
            last.after = order
        level.last = order
        level.count += 1
        level.lots += order.left_lots
        order.level = level
        if order.terms is not None:
            self.termed[order.order_id] = order
        return level.lots

    def remove(self, order: Order) -> int:
        """Take an order out of its level; return the level's new total (0: the level is gone).

        O(1), O(log levels) when the level goes with it.
        """
        level = order.level
        before, after = order.before, order.after
        if before is None:
            level.first = after
        else:
            before.after = after
        if after is None:
            level.last = before
        else:
            after.before = before
        level.count -= 1
        level.lots -= order.left_lots
        if order.terms is not None:
            del self.termed[order.order_id]
        if level.count == 0:
            self.ladder.remove(level.price_ticks * self.sign)
            if level is self.best:
                self.best = self.ladder.first()
        return level.lots

    def renew(self, order: Order, lots: int) -> None:
        """Show the next part of an iceberg whose shown part is used up, at the back of its level; O(1)."""
        level, terms = order.level, order.terms
        assert terms is not None
        terms.hidden_lots -= lots
        order.left_lots = lots
        level.lots += lots
        after = order.after
        if after is None:
            return
        before = order.before
        after.before = before
        if before is None:
            level.first = after
        else:
            before.after = after
        last = level.last
        assert last is not None
        last.after = order
        order.before, order.after = last, None
        level.last = order

    def levels(self) -> Iterator[Level]:
        """Yield the levels, best first."""
        yield from self.ladder

    def orders(self) -> Iterator[Order]:
        """Yield the orders, best price first, oldest first."""
        for level in self.ladder:
            yield from level

    def check(self) -> None:
        """Verify every invariant of this side; O(orders)."""
        self.ladder.check()
        assert self.best is self.ladder.first()
        assert self.termed == {o.order_id: o for o in self.orders() if o.terms is not None}
        for level in self.ladder:
            assert self.ladder.get(level.price_ticks * self.sign) is level
            orders = list(level)
            assert orders and len(orders) == level.count
            assert level.lots == sum(order.left_lots for order in orders)
            assert level.first is orders[0] and level.last is orders[-1]
            for order in orders:
                assert order.level is level and order.price_ticks == level.price_ticks
                assert 0 < order.left_lots <= order.qty_lots


class Market:
    """One book: a spot or binary market, or a runner of an odds market; its numbers, orders and counters.

    ``low_ticks``, ``high_ticks``: the range of trade prices since what waits was last looked at (0: none).
    """

    __slots__ = (
        "asks",
        "band_ppm",
        "base",
        "bids",
        "busy",
        "first_share_ppm",
        "gathering",
        "high_ticks",
        "indicated",
        "last_price_ticks",
        "last_trade_id",
        "lot_atoms",
        "low_ticks",
        "maker_fee_ppm",
        "market_seq",
        "matching",
        "model",
        "name",
        "number",
        "outcome",
        "price_ticks_max",
        "price_ticks_min",
        "qty_lots_max",
        "quote",
        "runner",
        "shut",
        "spec",
        "state",
        "stops",
        "taker_fee_ppm",
        "tiers",
        "unit_atoms",
        "watched",
    )

    def __init__(self, spec: MarketCreated) -> None:
        self.spec = spec
        self.name = spec.market
        self.base = spec.base
        self.quote = spec.quote
        self.lot_atoms = spec.lot_atoms
        self.unit_atoms = spec.unit_atoms
        self.price_ticks_min = 101 if spec.model == _ODDS else 1
        self.price_ticks_max = spec.price_ticks_max
        self.qty_lots_max = spec.qty_lots_max
        self.maker_fee_ppm = spec.maker_fee_ppm
        self.taker_fee_ppm = spec.taker_fee_ppm
        self.state: int = MarketState.OPEN
        self.busy = 0
        """Mass cancels under way."""
        self.shut = False
        """Whether it takes no orders: halted, or a mass cancel is under way."""
        self.market_seq = 0
        self.last_trade_id = 0
        self.last_price_ticks = 0
        self.bids = Half(-1)
        self.asks = Half(1)
        self.model = spec.model
        self.runner = spec.runner
        self.outcome: OutcomeMarket | None = None
        self.gathering = False
        self.matching: int = MatchingRule.PRICE_TIME
        self.first_share_ppm = 0
        self.band_ppm = 0
        self.tiers: dict[int, tuple[int, int]] = {}
        self.low_ticks = self.high_ticks = 0
        self.stops: Stops | None = None
        self.watched = False
        """Whether a trade or a change of the book may be of interest beyond itself: orders wait for a
        trigger, gather for an auction, or it is of an outcome market."""
        self.indicated: tuple[int, int, int] = (0, 0, 0)
        """What was told last of the auction: price, lots, what is left."""
        self.number = 0
        """Its place in the order of creation of all books."""

    def mark(self, *, state: int | None = None, busy: int | None = None) -> None:
        """Change the state, or how much work is under way."""
        self.state = self.state if state is None else state
        self.busy = self.busy if busy is None else busy
        self.shut = self.busy > 0 or self.state != MarketState.OPEN
        self.watch()

    def watch(self) -> None:
        """Say anew whether it is watched; after a change of its state, stops or outcome market."""
        self.watched = self.stops is not None or self.gathering or self.outcome is not None

    def worst_ticks(self, side: int) -> int:
        """Return the price at which an order without limit could lose most (outcome markets)."""
        return self.price_ticks_max if side == 1 else self.price_ticks_min

    @property
    def removed(self) -> bool:
        """Whether it is the book of a runner that was removed."""
        return self.outcome is not None and self.runner not in self.outcome.live

    def loss_atoms(self, side: int, price_ticks: int, lots: int) -> int:
        """Return what ``lots`` at a limit hold: what they could cost (spot) or lose (outcome markets)."""
        if side == 1:
            if self.model == _ODDS:
                return (price_ticks - 100) * lots * self.unit_atoms
            return price_ticks * lots * self.unit_atoms
        if self.model == _SPOT:
            return lots * self.lot_atoms
        if self.model == _BINARY:
            return (10_000 - price_ticks) * lots * self.unit_atoms
        return 100 * lots * self.unit_atoms

    def half(self, side: int) -> Half:
        """Return the side of the book where orders of ``side`` rest."""
        return self.bids if side == 1 else self.asks

    def check(self) -> None:
        """Verify the book: both sides whole, not crossed, every order of this market."""
        assert self.shut == (self.busy > 0 or self.state != MarketState.OPEN)
        self.bids.check()
        self.asks.check()
        bid, ask = self.bids.best, self.asks.best
        uncrosses = self.gathering or self.busy > 0 or self.state != MarketState.OPEN
        assert uncrosses or bid is None or ask is None or bid.price_ticks < ask.price_ticks, "book is crossed"
        for side, half in ((Side.BUY, self.bids), (Side.SELL, self.asks)):
            for order in half.orders():
                assert order.market is self and order.side == side
