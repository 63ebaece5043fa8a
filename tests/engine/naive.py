"""The naive exchange: lists and loops, written from ``docs/concepts/trading.md`` and from nothing else.

It protects the invariant that the real exchange does what the rules say: both get the same commands and
must give the same events, books and balances. So nothing here is clever: the book is one list in the order
of resting, and everything that can be counted is counted again each time. Texts (``detail``) are left "".
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e
from bus.codec import decode_command
from bus.errors import Code, FormError

if TYPE_CHECKING:
    from engine.exchange import Limits

TENTH_NS = 10**8
IDS_FORGOTTEN_PER_COMMAND = 4


class Refusal(Exception):
    """A command is refused with ``code``."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


def refuse_if(condition: bool, code: Code) -> None:
    """Refuse the command when ``condition`` holds."""
    if condition:
        raise Refusal(code)


@dataclass(eq=False)
class Order:
    """An order that was accepted; ``held`` counts atoms of quote (buy) or base (sell)."""

    order_id: int
    client_order_id: str
    account: str
    market: str
    side: int
    price: int
    qty: int
    held: int
    post_only: bool = False
    filled: int = 0
    budget: int = 0

    @property
    def left(self) -> int:
        """Lots not traded yet (0 for an order by budget, which counts atoms)."""
        return 0 if self.budget else self.qty - self.filled


@dataclass
class Market:
    """A market; ``book`` lists its resting orders, the oldest first."""

    made: e.MarketCreated
    state: int = c.MarketState.OPEN
    book: list[Order] = field(default_factory=list)
    market_seq: int = 0
    trade_id: int = 0

    def side(self, side: int) -> list[Order]:
        """Return the resting orders of a side, best first and at a price the oldest first."""
        sign = -1 if side == c.Side.BUY else 1
        return sorted((o for o in self.book if o.side == side), key=lambda o: sign * o.price)

    def level(self, side: int, price: int) -> int:
        """Return the lots resting at a price."""
        return sum(o.left for o in self.book if o.side == side and o.price == price)

    def within(self, side: int, limit: int) -> list[Order]:
        """Return what an order of ``side`` with this limit (0: none) may trade against, best first."""
        if side == c.Side.BUY:
            return [o for o in self.side(c.Side.SELL) if not limit or o.price <= limit]
        return [o for o in self.side(c.Side.BUY) if not limit or o.price >= limit]

    def hold(self, side: int, price: int, lots: int) -> int:
        """Return the atoms that a resting order of ``lots`` holds."""
        return price * lots * self.made.unit_atoms if side == c.Side.BUY else lots * self.made.lot_atoms

    def asset_held(self, side: int) -> str:
        """Return the asset that an order of ``side`` holds."""
        return self.made.quote if side == c.Side.BUY else self.made.base


@dataclass
class Account:
    """An account: its state, balances (asset: [available, held]) and the ids that it keeps."""

    account_seq: int = 0
    state: int = c.AccountState.ACTIVE
    balances: dict[str, list[int]] = field(default_factory=dict)
    ids: dict[str, tuple[c.Command, e.Answer]] = field(default_factory=dict)
    markets_rested: list[str] = field(default_factory=list)


@dataclass
class Job:
    """A mass cancel; ``account`` or ``market`` "" means all."""

    account: str
    market: str
    command_id: str
    reason: e.CancelReason
    cancelled: int = 0


class Naive:
    """The exchange of the rules of trading, by lists and loops; same interface as the real one."""

    def __init__(self, limits: "Limits") -> None:
        self.limits = limits
        self.next_seq = 1
        self.assets: dict[str, int] = {}
        self.markets: dict[str, Market] = {}
        self.accounts = {c.OPERATOR: Account(), c.FEES: Account()}
        self.keys: list[str] = []
        self.jobs: list[Job] = []
        self.links: dict[tuple[int, int], tuple[int, int]] = {}
        self.due: list[tuple[int, str, str]] = []  # (tenth of valid_until, account, id), as they came
        self.forget_when_closed: list[tuple[str, str]] = []
        self.issued: dict[str, int] = {}
        self.out: list[e.Event] = []

    # ---- reading ----------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether Continue commands are due."""
        return bool(self.jobs)

    def book_levels(self, market: str) -> list[tuple[int, int, int, int]]:
        """Return (side, price, lots, orders) of each level: bids best first, then asks."""
        found: dict[tuple[int, int], tuple[int, int]] = {}
        for side in (c.Side.BUY, c.Side.SELL):
            for order in self.markets[market].side(side):
                lots, orders = found.get((int(side), order.price), (0, 0))
                found[int(side), order.price] = (lots + order.left, orders + 1)
        return [(side, price, *counts) for (side, price), counts in found.items()]

    def balances(self, account: str) -> dict[str, tuple[int, int]]:
        """Return asset: (available, held)."""
        return {asset: (have[0], have[1]) for asset, have in self.accounts[account].balances.items()}

    def open_orders(self, account: str) -> list[tuple[int, str, str, int, int, int, int]]:
        """Return (order_id, client_order_id, market, side, price, qty, left) by order id."""
        return [
            (o.order_id, o.client_order_id, o.market, o.side, o.price, o.qty, o.left)
            for o in self.orders_resting(account)
        ]

    def orders_resting(self, account: str) -> list[Order]:
        """Return the account's resting orders by order id."""
        resting = [o for m in self.markets.values() for o in m.book if o.account == account]
        return sorted(resting, key=lambda o: o.order_id)

    def answer(self, account: str, command_id: str) -> e.Answer | None:
        """Return the answer kept under an id."""
        kept = self.accounts[account].ids.get(command_id) if account in self.accounts else None
        return kept[1] if kept else None

    # ---- a command --------------------------------------------------------------------------------

    def execute_linked(
        self, gateway: int, lane: int, link: int, number: int, fields: object, now_ns: int
    ) -> list[e.Event]:
        """Execute a command's wire array that came as ``number`` under a gateway's link."""
        open_link, last_number = self.links.get((gateway, lane), (0, 0))
        code: int
        try:
            command = decode_command(fields)
            code = Code.OK
        except FormError as error:
            command = c.Continue()
            code = error.code
        if link > open_link and number == 1 and isinstance(command, c.OpenLink):
            self.links.pop((gateway, lane), None)
            if len(self.links) == self.limits.links_max:
                del self.links[next(iter(self.links))]  # the one opened longest ago
            self.links[gateway, lane] = (link, 1)
            self.next_seq += 1
            return [e.LinkOpened(gateway, lane, link)]
        if link == 0 or (link, number) != (open_link, last_number + 1):
            code = Code.LINK_GAP
        else:
            self.links[gateway, lane] = (link, number)
            if code == Code.OK and c.COMMAND_NUMBERS[type(command)] in c.INTERNAL:
                code = Code.UNSUPPORTED_TYPE
        if code == Code.OK:
            return self.execute(command, now_ns)
        self.next_seq += 1
        return [e.CommandRejected("", "", code, "")]

    def execute(self, command: c.Command, now_ns: int) -> list[e.Event]:
        """Execute one command and return its events."""
        self.out = []
        if isinstance(command, c.StartEngine):
            self.limits = type(self.limits)(*command.limits)
            self.out.append(e.EngineStarted(command.epoch, command.rules_version))
        elif isinstance(command, c.Continue):
            if self.jobs:
                self.work_on(self.jobs[0])
            else:
                self.out.append(e.CommandRejected("", "", Code.INVALID_COMBINATION, ""))
        else:
            assert not isinstance(command, c.OpenLink), "OpenLink comes by a link"
            self.execute_with_id(command, now_ns)
        self.next_seq += len(self.out)
        return self.out

    def execute_with_id(self, command: "WithId", now_ns: int) -> None:
        """Check validity, account and id; then execute by the command's own rules and keep the answer."""
        self.forget_due_ids(now_ns)
        command_id = id_of(command)
        try:
            refuse_if(now_ns > command.valid_until_ns, Code.EXPIRED)
            latest = now_ns + self.limits.command_validity_ns_max
            refuse_if(command.valid_until_ns > latest, Code.VALIDITY_TOO_LONG)
            refuse_if(command.account not in self.accounts, Code.UNKNOWN_ACCOUNT)
            administrative = c.COMMAND_NUMBERS[type(command)] in c.ADMIN
            refuse_if(administrative and command.account != c.OPERATOR, Code.NOT_AUTHORIZED)
            ids = self.accounts[command.account].ids
            if command_id in ids:
                kept, answer = ids[command_id]
                refuse_if(type(kept) is not type(command) or kept != command, Code.DUPLICATE_ID)
                repeated = e.CommandRepeated(command.account, command_id, *answer)
                self.out.append(repeated._replace(detail=""))
                return
            refuse_if(len(ids) >= self.limits.ids_per_account_max, Code.TOO_MANY_IDS)
        except Refusal as refusal:
            self.out.append(e.CommandRejected(command.account, command_id, refusal.code, ""))
            return
        try:
            order = self.handler(command)()
            order_id, filled = (order.order_id, order.filled) if order else (0, 0)
            left = order.left if order and order in self.markets[order.market].book else 0
            answer = e.Answer(0, self.next_seq, order_id, filled, left, "")
        except Refusal as refusal:
            assert not self.out, "a refused command changed something"
            self.out.append(e.CommandRejected(command.account, command_id, refusal.code, ""))
            answer = e.Answer(refusal.code, self.next_seq, 0, 0, 0, "")
        ids[command_id] = (command, answer)
        self.due.append((command.valid_until_ns // TENTH_NS, command.account, command_id))

    def handler(self, command: "WithId") -> "Callable[[], Order | None]":
        """Return what executes the command by its own rules (and returns its order, if it has one)."""
        name = "do_" + "".join("_" + ch.lower() if ch.isupper() else ch for ch in type(command).__name__)[1:]
        method: Callable[[WithId], Order | None] = getattr(self, name)
        return lambda: method(command)

    def forget_due_ids(self, now_ns: int) -> None:
        """Let up to four due ids leave the queue; one whose order is open is kept until it closes."""
        for _ in range(IDS_FORGOTTEN_PER_COMMAND):
            due = [entry for entry in self.due if entry[0] < now_ns // TENTH_NS]
            if not due:
                return
            entry = min(due, key=lambda entry: entry[0])  # the first of the oldest tenth
            self.due.remove(entry)
            _, account, command_id = entry
            kept, _ = self.accounts[account].ids[command_id]
            open_ids = [o.client_order_id for o in self.orders_resting(account)]
            if isinstance(kept, c.PlaceOrder) and command_id in open_ids:
                self.forget_when_closed.append((account, command_id))
            else:
                del self.accounts[account].ids[command_id]

    def closed(self, order: Order) -> None:
        """Forget the id of an order that is no longer open, if it was kept for that alone."""
        if (order.account, order.client_order_id) in self.forget_when_closed:
            self.forget_when_closed.remove((order.account, order.client_order_id))
            del self.accounts[order.account].ids[order.client_order_id]

    # ---- money and numbers ------------------------------------------------------------------------

    def move(self, account: str, asset: str, available: int, held: int) -> None:
        """Change a balance."""
        have = self.accounts[account].balances.setdefault(asset, [0, 0])
        have[0] += available
        have[1] += held
        assert have[0] >= 0 and have[1] >= 0, (account, asset, have)

    def available(self, account: str, asset: str) -> int:
        """Return the available balance."""
        return self.accounts[account].balances.get(asset, [0, 0])[0]

    def change_hold(self, order: Order, change: int) -> None:
        """Hold more (or, negative, release) for an order."""
        self.move(order.account, self.markets[order.market].asset_held(order.side), -change, change)
        order.held += change

    def account_seq(self, account: str) -> int:
        """Return the account's next number."""
        self.accounts[account].account_seq += 1
        return self.accounts[account].account_seq

    def market_seq(self, market: Market) -> int:
        """Return the market's next number."""
        market.market_seq += 1
        return market.market_seq

    def head(self, order: Order) -> tuple[str, int, str, int]:
        """Return how most order events begin: account, its next number, market, order id."""
        return order.account, self.account_seq(order.account), order.market, order.order_id

    def tail(self, order: Order, price: int, on_book: bool = True) -> tuple[int, int]:
        """Return the market's next number and the level's lots; (0, 0) when the book was not touched."""
        market = self.markets[order.market]
        return (self.market_seq(market), market.level(order.side, price)) if on_book else (0, 0)

    # ---- orders -----------------------------------------------------------------------------------

    def do_place_order(self, p: c.PlaceOrder) -> Order:
        """Place an order: check, hold, match, then rest or cancel what is left."""
        market = self.market_for_trading(p.market, p.account)
        self.check_terms(p, market.made)
        gtc, fok = p.time_in_force == c.TimeInForce.GTC, p.time_in_force == c.TimeInForce.FOK
        resting = len(self.orders_resting(p.account))
        too_many = gtc and resting >= self.limits.open_orders_per_account_max
        refuse_if(too_many, Code.TOO_MANY_OPEN_ORDERS)
        facing = market.within(p.side, p.price_ticks)
        refuse_if(p.post_only and bool(facing), Code.WOULD_CROSS)
        reachable = sum(o.left for o in facing[: self.limits.fills_per_order_max])
        kill = fok and reachable < p.qty_lots
        if p.budget_atoms:
            hold = p.budget_atoms
        elif p.order_type == c.OrderType.MARKET and p.side == c.Side.BUY:
            hold = self.cost_of(facing, p.qty_lots, market)
        else:
            hold = market.hold(p.side, p.price_ticks, p.qty_lots)
        refuse_if(self.available(p.account, market.asset_held(p.side)) < hold, Code.INSUFFICIENT_FUNDS)

        names = (self.next_seq, p.client_order_id, p.account, p.market)
        order = Order(*names, p.side, p.price_ticks, p.qty_lots, 0, p.post_only, budget=p.budget_atoms)
        self.change_hold(order, hold)
        rests_untouched = gtc and not facing
        if rests_untouched:
            self.rest(order)
        tail = self.tail(order, order.price, on_book=rests_untouched)
        terms = (p.side, p.order_type, p.time_in_force, p.post_only)
        size = (p.price_ticks, p.qty_lots, p.budget_atoms)
        self.out.append(e.OrderAccepted(*self.head(order), p.client_order_id, *terms, *size, hold, *tail))
        if kill:
            self.cancel(order, e.CancelReason.FOK)
        elif not rests_untouched:
            self.finish(order, p.time_in_force, could_trade_more=self.match(order))
        return order

    def check_terms(self, p: c.PlaceOrder, made: e.MarketCreated) -> None:
        """Refuse what contradicts itself or is out of the market's range."""
        is_market, buys = p.order_type == c.OrderType.MARKET, p.side == c.Side.BUY
        gtc, fok = p.time_in_force == c.TimeInForce.GTC, p.time_in_force == c.TimeInForce.FOK
        refuse_if((p.qty_lots > 0) == (p.budget_atoms > 0), Code.INVALID_COMBINATION)
        refuse_if(p.budget_atoms > 0 and not (is_market and buys), Code.INVALID_COMBINATION)
        refuse_if(is_market and (p.price_ticks > 0 or p.post_only or gtc), Code.INVALID_COMBINATION)
        refuse_if(p.post_only and not gtc, Code.INVALID_COMBINATION)
        refuse_if(fok and p.budget_atoms > 0, Code.INVALID_COMBINATION)
        refuse_if(not is_market and not 1 <= p.price_ticks <= made.price_ticks_max, Code.PRICE_OUT_OF_RANGE)
        refuse_if(p.qty_lots > made.qty_lots_max, Code.QTY_OUT_OF_RANGE)
        refuse_if(p.budget_atoms > c.INT_MAX, Code.AMOUNT_OUT_OF_RANGE)

    def cost_of(self, facing: list[Order], lots: int, market: Market) -> int:
        """Return the exact cost of what a market buy of ``lots`` will trade."""
        cost = 0
        for maker in facing[: self.limits.fills_per_order_max]:
            bought = min(lots, maker.left)
            cost += bought * maker.price * market.made.unit_atoms
            lots -= bought
        return cost

    def market_for_trading(self, name: str, account: str) -> Market:
        """Return the market if it and the account take new risk now."""
        refuse_if(name not in self.markets, Code.UNKNOWN_MARKET)
        refuse_if(self.markets[name].state == c.MarketState.HALTED, Code.MARKET_HALTED)
        refuse_if(any(j.market == name and not j.account for j in self.jobs), Code.MARKET_BUSY)
        refuse_if(self.accounts[account].state == c.AccountState.BLOCKED, Code.ACCOUNT_BLOCKED)
        refuse_if(self.account_is_busy(account), Code.ACCOUNT_BUSY)
        return self.markets[name]

    def account_is_busy(self, account: str) -> bool:
        """Return whether a mass cancel of the account is under way."""
        return any(job.account == account for job in self.jobs)

    def rest(self, order: Order) -> None:
        """Put an order at the back of the book."""
        self.markets[order.market].book.append(order)
        rested = self.accounts[order.account].markets_rested
        if order.market not in rested:
            rested.append(order.market)

    def match(self, taker: Order) -> bool:
        """Trade as long as the order can; return whether the limit of fills alone stopped it."""
        market = self.markets[taker.market]
        trades = 0
        while facing := market.within(taker.side, taker.price):
            maker = facing[0]
            wanted = taker.left
            if taker.budget:
                wanted = taker.held // (maker.price * market.made.unit_atoms)
            if min(wanted, maker.left) == 0:
                return False
            if trades == self.limits.fills_per_order_max:
                return True
            self.trade(market, maker, taker, min(wanted, maker.left))
            trades += 1
        return False

    def trade(self, market: Market, maker: Order, taker: Order, lots: int) -> None:
        """Trade ``lots`` at the maker's price."""
        made = market.made
        paid, sold = maker.price * lots * made.unit_atoms, lots * made.lot_atoms
        buyer, seller = (taker, maker) if taker.side == c.Side.BUY else (maker, taker)
        refund = 0
        if buyer is taker and taker.price:
            refund = (taker.price - maker.price) * lots * made.unit_atoms
        maker_fee = (sold if buyer is maker else paid) * made.maker_fee_ppm // 1_000_000
        taker_fee = (sold if buyer is taker else paid) * made.taker_fee_ppm // 1_000_000
        buyer_fee, seller_fee = (taker_fee, maker_fee) if buyer is taker else (maker_fee, taker_fee)
        self.move(buyer.account, made.quote, refund, -paid - refund)
        buyer.held -= paid + refund
        self.move(seller.account, made.base, 0, -sold)
        seller.held -= sold
        self.move(buyer.account, made.base, sold - buyer_fee, 0)
        self.move(seller.account, made.quote, paid - seller_fee, 0)
        self.move(c.FEES, made.base, buyer_fee, 0)
        self.move(c.FEES, made.quote, seller_fee, 0)
        maker.filled += lots
        taker.filled += lots
        if maker.left == 0:
            market.book.remove(maker)
            self.closed(maker)
        if taker.left == 0 and not taker.budget:
            self.closed(taker)
        market.trade_id += 1
        maker_part = (maker.account, self.account_seq(maker.account), maker.order_id, maker.left, maker_fee)
        taker_part = (taker.account, self.account_seq(taker.account), taker.order_id, taker.left, taker_fee)
        what = (made.market, market.trade_id, maker.price, lots, taker.side)
        tail = self.tail(maker, maker.price)
        self.out.append(e.TradeExecuted(*what, *maker_part, *taker_part, refund, *tail))

    def finish(self, order: Order, time_in_force: int, could_trade_more: bool) -> None:
        """Rest or cancel what an order has left after matching."""
        if order.left == 0 and (not order.budget or order.held == 0):
            return
        if could_trade_more:
            self.cancel(order, e.CancelReason.FILLS_LIMIT)
        elif order.budget:
            book_ended = not self.markets[order.market].within(order.side, 0)
            self.cancel(order, e.CancelReason.NO_LIQUIDITY if book_ended else e.CancelReason.BUDGET_SPENT)
        elif order.price == 0:
            self.cancel(order, e.CancelReason.NO_LIQUIDITY)
        elif time_in_force == c.TimeInForce.IOC:
            self.cancel(order, e.CancelReason.IOC)
        else:
            self.rest(order)
            rested = e.OrderRested(
                *self.head(order), order.side, order.price, order.left, *self.tail(order, order.price)
            )
            self.out.append(rested)

    def cancel(self, order: Order, reason: e.CancelReason) -> None:
        """Cancel what an order has left, on the book or not, and release its hold."""
        market = self.markets[order.market]
        rested = order in market.book
        if rested:
            market.book.remove(order)
        released = order.held
        self.change_hold(order, -released)
        self.closed(order)
        tail = self.tail(order, order.price, on_book=rested)
        rest = (order.side, order.price, order.left, reason, released, *tail, order.filled)
        self.out.append(e.OrderCancelled(*self.head(order), order.client_order_id, *rest))

    def named_order(self, command: c.CancelOrder | c.ReduceOrder | c.ReplaceOrder) -> Order:
        """Return the open order that a command names."""
        by_id, by_client_id = command.order_id > 0, command.client_order_id != ""
        refuse_if(by_id == by_client_id, Code.INVALID_COMBINATION)
        for order in self.markets[command.market].book:
            if by_id and order.order_id == command.order_id:
                refuse_if(order.account != command.account, Code.NOT_OWNER)
                return order
            if order.account == command.account and order.client_order_id == command.client_order_id:
                return order
        raise Refusal(Code.UNKNOWN_ORDER)

    def do_cancel_order(self, command: c.CancelOrder) -> Order:
        """Cancel an order."""
        refuse_if(command.market not in self.markets, Code.UNKNOWN_MARKET)
        order = self.named_order(command)
        self.cancel(order, e.CancelReason.REQUESTED)
        return order

    def do_reduce_order(self, command: c.ReduceOrder) -> Order:
        """Lower an order's total quantity; it keeps its place."""
        market = self.market_for_trading(command.market, command.account)
        order = self.named_order(command)
        refuse_if(command.qty_lots >= order.qty, Code.QTY_NOT_REDUCED)
        if command.qty_lots <= order.filled:
            self.cancel(order, e.CancelReason.REDUCED_TO_FILLED)
            return order
        order.qty = command.qty_lots
        released = order.held - market.hold(order.side, order.price, order.left)
        self.change_hold(order, -released)
        what = (order.side, order.price, order.qty, order.left, released)
        self.out.append(e.OrderReduced(*self.head(order), *what, *self.tail(order, order.price)))
        return order

    def do_replace_order(self, command: c.ReplaceOrder) -> Order:
        """Give an order a new price and total; it goes to the back, and may trade at once."""
        market = self.market_for_trading(command.market, command.account)
        order = self.named_order(command)
        price, qty = command.price_ticks, command.qty_lots
        refuse_if(not 1 <= price <= market.made.price_ticks_max, Code.PRICE_OUT_OF_RANGE)
        refuse_if(not 1 <= qty <= market.made.qty_lots_max, Code.QTY_OUT_OF_RANGE)
        if qty <= order.filled:
            self.cancel(order, e.CancelReason.REDUCED_TO_FILLED)
            return order
        crosses = bool(market.within(order.side, price))
        refuse_if(order.post_only and crosses, Code.WOULD_CROSS)
        hold_change = market.hold(order.side, price, qty - order.filled) - order.held
        available = self.available(order.account, market.asset_held(order.side))
        refuse_if(available < hold_change, Code.INSUFFICIENT_FUNDS)
        old_price = order.price
        market.book.remove(order)
        order.price, order.qty = price, qty
        self.change_hold(order, hold_change)
        what = (order.side, old_price, price, qty, order.left, hold_change)
        self.out.append(e.OrderReplaced(*self.head(order), *what, *self.tail(order, old_price)))
        self.finish(order, c.TimeInForce.GTC, could_trade_more=self.match(order))
        return order

    # ---- mass cancels -----------------------------------------------------------------------------

    def do_cancel_all(self, command: c.CancelAll) -> None:
        """Cancel all orders of the account, in one market or in all."""
        refuse_if(command.market != "" and command.market not in self.markets, Code.UNKNOWN_MARKET)
        refuse_if(self.account_is_busy(command.account), Code.ACCOUNT_BUSY)
        self.begin(Job(command.account, command.market, command.command_id, e.CancelReason.MASS_CANCEL))

    def do_cancel_market(self, command: c.CancelMarket) -> None:
        """Cancel all orders of a market."""
        refuse_if(command.market not in self.markets, Code.UNKNOWN_MARKET)
        busy = any(job.market == command.market and not job.account for job in self.jobs)
        refuse_if(busy, Code.MARKET_BUSY)
        self.begin(Job("", command.market, command.command_id, e.CancelReason.MARKET_CANCELLED))

    def do_set_account_state(self, command: c.SetAccountState) -> None:
        """Block (and cancel all) or activate an account."""
        target = command.target_account
        refuse_if(target not in self.accounts, Code.UNKNOWN_ACCOUNT)
        self.accounts[target].state = command.state
        self.out.append(e.AccountStateChanged(target, self.account_seq(target), command.state))
        being_cancelled = any(job.account == target and job.market == "" for job in self.jobs)
        if command.state == c.AccountState.BLOCKED and not being_cancelled:
            self.begin(Job(target, "", command.command_id, e.CancelReason.ACCOUNT_BLOCKED))

    def begin(self, job: Job) -> None:
        """Begin a mass cancel and do its first part at once."""
        self.out.append(e.MassCancelStarted(job.account, job.command_id, job.market, job.reason))
        self.jobs.append(job)
        self.work_on(job)

    def work_on(self, job: Job) -> None:
        """Cancel orders of the job until it is done or the transaction is full."""
        while orders := self.orders_of(job):
            if len(self.out) >= self.limits.events_per_transaction_max - 1:
                return
            self.cancel(orders[0], job.reason)
            job.cancelled += 1
        self.out.append(e.MassCancelDone(job.account, job.command_id, job.market, job.cancelled))
        self.jobs.remove(job)

    def orders_of(self, job: Job) -> list[Order]:
        """Return the orders that a mass cancel has left, in the order in which it takes them."""
        if not job.account:
            market = self.markets[job.market]
            return market.side(c.Side.BUY) + market.side(c.Side.SELL)
        names = [job.market] if job.market else self.accounts[job.account].markets_rested
        orders = self.orders_resting(job.account)
        return [order for name in names for order in orders if order.market == name]

    # ---- administration ---------------------------------------------------------------------------

    def do_create_asset(self, command: c.CreateAsset) -> None:
        """Create an asset."""
        refuse_if(command.asset in self.assets, Code.ALREADY_EXISTS)
        refuse_if(len(self.assets) >= self.limits.assets_max, Code.TOO_MANY_ENTRIES)
        self.assets[command.asset] = command.decimals
        self.out.append(e.AssetCreated(command.asset, command.decimals))

    def do_create_market(self, m: c.CreateMarket) -> None:
        """Create a market whose notionals are whole and fit."""
        refuse_if(m.market in self.markets, Code.ALREADY_EXISTS)
        refuse_if(len(self.markets) >= self.limits.markets_max, Code.TOO_MANY_ENTRIES)
        refuse_if(m.base not in self.assets or m.quote not in self.assets, Code.UNKNOWN_ASSET)
        refuse_if(m.base == m.quote, Code.INVALID_MARKET)
        tick = Fraction(m.tick_mantissa, 10**m.tick_decimals)
        lot = Fraction(m.lot_atoms, 10 ** self.assets[m.base])
        unit = tick * lot * 10 ** self.assets[m.quote]
        refuse_if(unit.denominator != 1 or unit < 1, Code.INVALID_MARKET)
        refuse_if(m.price_ticks_max * m.qty_lots_max * unit > c.INT_MAX, Code.INVALID_MARKET)
        refuse_if(m.qty_lots_max * m.lot_atoms > c.INT_MAX, Code.INVALID_MARKET)
        made = e.MarketCreated(*m[3:9], int(unit), *m[9:])
        self.markets[m.market] = Market(made)
        self.out.append(made)

    def do_create_account(self, command: c.CreateAccount) -> None:
        """Create an account."""
        refuse_if(command.new_account in self.accounts, Code.ALREADY_EXISTS)
        refuse_if(len(self.accounts) >= self.limits.accounts_max, Code.TOO_MANY_ENTRIES)
        self.accounts[command.new_account] = Account()
        self.out.append(e.AccountCreated(command.new_account))

    def do_create_key(self, command: c.CreateKey) -> None:
        """Create a key."""
        refuse_if(command.key_id in self.keys, Code.ALREADY_EXISTS)
        refuse_if(len(self.keys) >= self.limits.keys_max, Code.TOO_MANY_ENTRIES)
        known = all(account in self.accounts for account in command.accounts)
        refuse_if(not known, Code.UNKNOWN_ACCOUNT)
        self.keys.append(command.key_id)
        self.out.append(e.KeyCreated(*command[3:]))

    def do_revoke_key(self, command: c.RevokeKey) -> None:
        """Revoke a key."""
        refuse_if(command.key_id not in self.keys, Code.UNKNOWN_KEY)
        self.keys.remove(command.key_id)
        self.out.append(e.KeyRevoked(command.key_id))

    def do_deposit(self, command: c.Deposit) -> None:
        """Add funds."""
        account, asset, amount = command.to_account, command.asset, command.amount_atoms
        refuse_if(account not in self.accounts, Code.UNKNOWN_ACCOUNT)
        refuse_if(asset not in self.assets, Code.UNKNOWN_ASSET)
        refuse_if(self.issued.get(asset, 0) + amount > c.INT_MAX, Code.AMOUNT_OUT_OF_RANGE)
        self.issued[asset] = self.issued.get(asset, 0) + amount
        self.move(account, asset, amount, 0)
        self.out.append(e.Deposited(account, self.account_seq(account), asset, amount))

    def do_withdraw(self, command: c.Withdraw) -> None:
        """Take funds out."""
        account, asset, amount = command.from_account, command.asset, command.amount_atoms
        refuse_if(account not in self.accounts, Code.UNKNOWN_ACCOUNT)
        refuse_if(asset not in self.assets, Code.UNKNOWN_ASSET)
        refuse_if(self.available(account, asset) < amount, Code.INSUFFICIENT_FUNDS)
        self.issued[asset] -= amount
        self.move(account, asset, -amount, 0)
        self.out.append(e.Withdrawn(account, self.account_seq(account), asset, amount))

    def do_set_market_state(self, command: c.SetMarketState) -> None:
        """Open or halt a market."""
        refuse_if(command.market not in self.markets, Code.UNKNOWN_MARKET)
        self.markets[command.market].state = command.state
        self.out.append(e.MarketStateChanged(command.market, command.state))

    def _check(self) -> None:
        """Check conservation, holds and uncrossed books."""
        for asset, issued in self.issued.items():
            have = sum(sum(a.balances.get(asset, [0, 0])) for a in self.accounts.values())
            assert have == issued, (asset, have, issued)
        for name, account in self.accounts.items():
            for asset, (_, held) in account.balances.items():
                owed = sum(
                    o.held
                    for o in self.orders_resting(name)
                    if self.markets[o.market].asset_held(o.side) == asset
                )
                assert held == owed, (name, asset, held, owed)
        for market in self.markets.values():
            bids, asks = market.side(c.Side.BUY), market.side(c.Side.SELL)
            assert not bids or not asks or bids[0].price < asks[0].price


WithId = (
    c.PlaceOrder
    | c.CancelOrder
    | c.CancelAll
    | c.ReduceOrder
    | c.ReplaceOrder
    | c.CreateAsset
    | c.CreateMarket
    | c.CreateAccount
    | c.CreateKey
    | c.RevokeKey
    | c.Deposit
    | c.Withdraw
    | c.SetMarketState
    | c.SetAccountState
    | c.CancelMarket
)


def id_of(command: c.Command) -> str:
    """Return the id under which a command is known ("" when it has none)."""
    if isinstance(command, c.PlaceOrder):
        return command.client_order_id
    return getattr(command, "command_id", "")
