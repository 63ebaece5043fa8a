"""The naive exchange: lists and loops, written from the rules in ``docs/concepts`` and from nothing else.

It protects the invariant that the real exchange does what the rules say: both get the same commands and
must give the same events, books and balances. So nothing here is clever: the book is one list in the order
of resting, and everything that can be counted is counted again each time. Texts (``detail``) are left "".
The modules beside it, ``naive_*.py``, each do one part.
"""

from typing import TYPE_CHECKING, Any

from bus import commands as c
from bus import events as e
from bus.codec import decode_command
from bus.errors import Code, FormError

from . import naive_admin as admin
from . import naive_batches as batches
from . import naive_orders as orders
from . import naive_outcomes as outcomes
from . import naive_steps as steps
from . import naive_trades as trades
from .naive_odds import Cross, cross_match, implied_odds, required, trade_vector, worst_price
from .naive_state import Account, Book, Group, Job, Market, Order, Outcome, Refusal, refuse_if
from .naive_walk import Walk, Walker

if TYPE_CHECKING:
    from engine.exchange import Limits

TENTH_NS = 10**8
IDS_FORGOTTEN_PER_COMMAND = 4


class Naive:
    """The exchange of the rules of trading, by lists and loops; same interface as the real one."""

    def __init__(self, limits: "Limits") -> None:
        self.limits = limits
        self.next_seq = 1
        self.now = 0
        self.assets: dict[str, int] = {}
        self.markets: dict[str, Market] = {}
        self.books: dict[str, Book] = {}
        self.orders: dict[int, Order] = {}
        self.accounts = {c.OPERATOR: Account(), c.FEES: Account()}
        self.keys: list[str] = []
        self.jobs: list[Job] = []
        self.trips: list[Group] = []
        self.links: dict[tuple[int, int], tuple[int, int]] = {}
        self.due: list[tuple[int, str, str]] = []  # (tenth of valid_until, account, id), as they came
        self.forget_when_closed: list[tuple[str, str]] = []
        self.issued: dict[str, int] = {}
        self.out: list[e.Event] = []
        self.transactions: list[list[e.Event]] = []
        self.ranges: dict[tuple[int, str], tuple[int, int]] = {}
        self.told_short: dict[tuple[str, str], int] = {}
        self.fills_max = limits.fills_per_order_max
        self.direct_only = False
        self.work = 0
        self.queued: list[str] = []
        self.uncross_trades = 0

    # ---- reading ----------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether Continue commands are due at once."""
        return bool(self.jobs) or steps.follow_up(self) is not None

    def next_due_ns(self) -> int:
        """Return when a Continue is due: 0 at once, -1 never."""
        late = [
            o for o in self.orders.values() if o.late and not steps.queue_waits(self, self.books[o.market])
        ]
        if self.has_work or late:
            return 0
        timers = steps.timers(self)
        return timers[0][0][0] if timers else -1

    def book_levels(self, market: str) -> list[tuple[int, int, int, int]]:
        """Return (side, price, lots, orders) of each level: bids best first, then asks."""
        found: dict[tuple[int, int], tuple[int, int]] = {}
        for side in (c.Side.BUY, c.Side.SELL):
            for order in self.books[market].side(side):
                lots, count = found.get((int(side), order.price), (0, 0))
                found[int(side), order.price] = (lots + order.shown, count + 1)
        return [(side, price, *counts) for (side, price), counts in found.items()]

    def balances(self, account: str) -> dict[str, tuple[int, int]]:
        """Return asset: (available, held)."""
        return {asset: (have[0], have[1]) for asset, have in self.accounts[account].balances.items()}

    def open_orders(self, account: str) -> list[tuple[int, str, str, int, int, int, int]]:
        """Return (order_id, client_order_id, market, side, price, qty, left) by order id."""
        return [
            (o.order_id, o.terms.client_order_id, o.market, o.side, o.price, o.qty, o.left)
            for o in self.orders.values()
            if o.account == account
        ]

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
        """Execute one command and return its events, with those of its follow-ups."""
        self.now, self.transactions = now_ns, []
        self.begin_transaction()
        if isinstance(command, c.StartEngine):
            self.limits = type(self.limits)(*command.limits)
            self.emit(e.EngineStarted(command.epoch, command.rules_version))
        elif isinstance(command, c.Continue):
            self.step()
        else:
            self.execute_with_id(command, now_ns)
            self.end_transaction()
            for _ in range(self.limits.follow_ups_per_command_max):
                follow_up = steps.follow_up(self)
                if follow_up is None:
                    break
                self.begin_transaction()
                follow_up()
                self.end_transaction()
            return [event for events in self.transactions for event in events]
        self.end_transaction()
        return self.transactions[0]

    def begin_transaction(self) -> None:
        """Begin a transaction."""
        self.out, self.work, self.uncross_trades = [], 0, 0
        self.queued = [book.name for book in self.books.values() if book.queue]
        self.fills_max = self.limits.fills_per_order_max

    def end_transaction(self) -> None:
        """End a transaction: shortfalls are paid, and its trades trigger what waits."""
        self.pay_shortfalls()
        steps.touch(self)
        self.next_seq += len(self.out)
        self.transactions.append(self.out)

    def touch(self) -> None:
        """Queue what the trades so far trigger: what is accepted from here on is not touched by them."""
        steps.touch(self)

    def step(self) -> None:
        """Do one step: a follow-up, what is due by time, or a step of a job."""
        follow_up = steps.follow_up(self)
        if follow_up is not None:
            follow_up()
            return
        steps.do_timers(self)
        if not self.out and self.jobs:
            self.go_on(self.jobs.pop(0))
        elif not self.out:
            self.emit(e.CommandRejected("", "", Code.INVALID_COMBINATION, ""))

    def begin(self, job: Job) -> None:
        """Do the first part of a job at once."""
        self.go_on(job)

    def go_on(self, job: Job) -> None:
        """Do a step of a job; if something is left, it goes to the back."""
        self.jobs.insert(0, job)
        ended = True
        for _ in job.steps:
            ended = False
            break
        self.jobs.remove(job)
        if not ended:
            self.jobs.append(job)

    def execute_with_id(self, command: Any, now_ns: int) -> None:
        """Check validity, account and id; then execute by the command's own rules and keep the answer."""
        self.forget_due_ids(now_ns)
        try:
            refuse_if(now_ns > command.valid_until_ns, Code.EXPIRED)
            latest = now_ns + self.limits.command_validity_ns_max
            refuse_if(command.valid_until_ns > latest, Code.VALIDITY_TOO_LONG)
            refuse_if(command.account not in self.accounts, Code.UNKNOWN_ACCOUNT)
            administrative = c.COMMAND_NUMBERS[type(command)] in c.ADMIN
            refuse_if(administrative and command.account != c.OPERATOR, Code.NOT_AUTHORIZED)
        except Refusal as refusal:
            self.emit(e.CommandRejected(command.account, self.id_of(command), refusal.code, ""))
            return
        self.execute_known(command)

    def execute_known(self, command: Any, batches: int = 0) -> e.Answer:
        """Execute a command of an account that is known, within so many batches; return its answer."""
        account, command_id = self.accounts[command.account], self.id_of(command)
        seq = self.next_seq + len(self.out)
        code = Code.OK
        if command_id in account.ids:
            kept: Any
            kept, answer = account.ids[command_id]
            if type(kept) is type(command) and kept == command:
                self.emit(e.CommandRepeated(command.account, command_id, *answer))
                if command_id in account.batches:
                    self.emit(account.batches[command_id])
                return answer
            code = Code.DUPLICATE_ID
        elif len(account.ids) + batches >= self.limits.ids_per_account_max:
            code = Code.TOO_MANY_IDS
        if code:
            self.emit(e.CommandRejected(command.account, command_id, code, ""))
            return e.Answer(code, seq, 0, 0, 0, "")
        before = len(self.out)
        try:
            order = self.handle(command)
            answer = self.answer_of(order, seq) if order else e.Answer(0, seq, 0, 0, 0, "")
        except Refusal as refusal:
            assert len(self.out) == before, "a refused command changed something"
            self.emit(e.CommandRejected(command.account, command_id, refusal.code, ""))
            answer = e.Answer(refusal.code, seq, 0, 0, 0, "")
        self.keep_id(command, answer)
        return answer

    def handle(self, command: Any) -> Order | None:
        """Execute the command by its own rules; return its order, if it has one."""
        order: Order | None = HANDLERS[type(command)](self, command)
        return order

    def id_of(self, command: Any) -> str:
        """Return the id under which a command is known."""
        return str(command[0])

    def keep_id(self, command: Any, answer: e.Answer) -> None:
        """Remember a command and its answer."""
        command_id = self.id_of(command)
        self.accounts[command.account].ids[command_id] = (command, answer)
        self.due.append((command.valid_until_ns // TENTH_NS, command.account, command_id))

    def answer_of(self, order: Order, seq: int) -> e.Answer:
        """Return the answer of a command of an order."""
        left = order.left if order.order_id in self.orders else 0
        return e.Answer(0, seq, order.order_id, order.filled, left, "")

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
            mine = [o.terms.client_order_id for o in self.orders.values() if o.account == account]
            if isinstance(kept, (c.PlaceOrder, c.PlaceAdvanced)) and command_id in mine:
                self.forget_when_closed.append((account, command_id))
            else:
                self.forget_id(account, command_id)

    def forget_id(self, account: str, command_id: str) -> None:
        """Forget an id."""
        del self.accounts[account].ids[command_id]
        self.accounts[account].batches.pop(command_id, None)

    def closed(self, order: Order) -> None:
        """Forget the id of an order that is no longer open, if it was kept for that alone."""
        if (order.account, order.terms.client_order_id) in self.forget_when_closed:
            self.forget_when_closed.remove((order.account, order.terms.client_order_id))
            self.forget_id(order.account, order.terms.client_order_id)

    def ended(self, order: Order, filled: bool) -> None:
        """An order was filled: the second of its pair may go to the book."""
        self.orders.pop(order.order_id, None)
        self.closed(order)
        pair = order.pair
        first = filled and pair is not None and pair.kind == c.PairKind.OTO and order is pair.first
        if first and pair is not None and pair.second.order_id in self.orders:
            self.books[order.market].queue.append(pair.second)

    # ---- telling ----------------------------------------------------------------------------------

    def emit(self, event: e.Event) -> None:
        """Tell an event; one that changes a book starts the timers of what it may change."""
        self.out.append(event)
        if getattr(event, "market_seq", 0):
            book = self.books[getattr(event, "market")]  # noqa: B009
            after = self.now + self.limits.indication_interval_ns
            if book.market.state == c.MarketState.PRE_OPEN and not book.indication_due_ns:
                book.indication_due_ns = after
            if book.outcome is not None:
                self.offers_changed(book.outcome)

    def offers_changed(self, market: Outcome) -> None:
        """Start the timer of what books offer beyond their own orders."""
        beyond = market.two or bool(market.made.house and not market.binary)
        if beyond and not market.offers_due_ns:
            market.offers_due_ns = self.now + self.limits.indication_interval_ns

    def room(self, events: int) -> bool:
        """Return whether the transaction has room for as many events."""
        return len(self.out) + events <= self.limits.events_per_transaction_max

    def account_seq(self, account: str) -> int:
        """Return the account's next number."""
        self.accounts[account].account_seq += 1
        return self.accounts[account].account_seq

    def market_seq(self, book: Book) -> int:
        """Return the book's next number."""
        book.market_seq += 1
        return book.market_seq

    def head(self, order: Order) -> tuple[str, int, str, int]:
        """Return how most order events begin: account, its next number, market, order id."""
        return order.account, self.account_seq(order.account), order.market, order.order_id

    def tail(self, order: Order, price: int, on_book: bool = True) -> tuple[int, int]:
        """Return the book's next number and the level's lots; (0, 0) when the book was not touched."""
        book = self.books[order.market]
        return (self.market_seq(book), book.level(order.side, price)) if on_book else (0, 0)

    def saw_price(self, key: tuple[int, str], price: int) -> None:
        """Remember the last price of a book and the range of one taker's trades."""
        low, high = self.ranges.get(key, (price, price))
        self.ranges[key] = (min(low, price), max(high, price))
        self.books[key[1]].last = price

    # ---- money and numbers ------------------------------------------------------------------------

    def move(self, account: str, asset: str, available: int, held: int) -> None:
        """Change a balance."""
        have = self.accounts[account].balances.setdefault(asset, [0, 0])
        have[0] += available
        have[1] += held
        assert have[1] >= 0, (account, asset, have)

    def available(self, account: str, asset: str) -> int:
        """Return the available balance."""
        return self.accounts[account].balances.get(asset, [0, 0])[0]

    def covers(self, account: str, asset: str, more: int) -> bool:
        """Return whether the account can hold so much more."""
        return more <= 0 or self.accounts[account].unfunded or self.available(account, asset) >= more

    def owes(self, account: str) -> bool:
        """Return whether the account has a shortfall, or owes what it lost."""
        owner = self.accounts[account]
        short = any(m.outcome.short.get(account, 0) for m in self.markets.values() if m.outcome)
        return short or (not owner.unfunded and any(have[0] < 0 for have in owner.balances.values()))

    def change_hold(self, order: Order, change: int) -> None:
        """Hold more (or, negative, release) for a spot order."""
        self.move(order.account, self.books[order.market].asset_held(order.side), -change, change)
        order.held += change

    def spot_hold_of(self, order: Order) -> int:
        """Return what a spot order by limit or quantity must hold for what is left."""
        made = self.books[order.market].made
        if order.side == c.Side.SELL:
            return order.left * made.lot_atoms
        return order.price * order.left * made.unit_atoms

    def rehold_order(self, order: Order) -> int:
        """Set what is held for an order by what it has left; return the change."""
        book = self.books[order.market]
        if book.outcome is not None:
            return self.rehold(book.outcome, order.account)
        change = self.spot_hold_of(order) - order.held
        self.change_hold(order, change)
        return change

    def rehold(self, market: Outcome, account: str) -> int:
        """Set what an account holds in an outcome market; return the change."""
        if account in market.frozen:
            return 0
        held = market.held.get(account, 0)
        need = required(self, market, account)
        if market.short.get(account, 0) and need > held:
            market.short[account] = need - held
            return 0
        market.short[account] = 0
        market.held[account] = need
        self.move(account, market.made.asset, held - need, need - held)
        return need - held

    def set_held(self, market: Outcome, account: str, need: int) -> None:
        """Set what an account holds anew, as far as its funds go, and tell what changed."""
        name, asset = market.made.market, market.made.asset
        held = market.held.get(account, 0)
        change = need - held
        if not self.covers(account, asset, change):
            change = max(0, self.available(account, asset))
        short = need - held - change
        market.held[account], market.short[account] = held + change, short
        self.move(account, asset, -change, change)
        if change or short != self.told_short.get((name, account), 0):
            self.told_short[name, account] = short
            seq = self.account_seq(account)
            self.emit(e.ExposureChanged(account, seq, name, change, short))

    def pay_shortfalls(self) -> None:
        """Pay shortfalls of the accounts that the transaction names out of what is available."""
        fields = ("account", "maker_account", "taker_account", "buy_account", "sell_account")
        named = [getattr(event, field, "") for event in self.out for field in fields]
        for account in dict.fromkeys(name for name in named if name in self.accounts):
            for name in sorted(self.markets):
                market = self.markets[name].outcome
                if market is None or account in market.frozen:
                    continue
                if self.told_short.get((name, account), 0) or market.short.get(account, 0):
                    self.set_held(market, account, required(self, market, account))

    def name_account(self, market: Outcome, account: str) -> None:
        """Note that an account has an order or trade in the market."""
        if account not in market.accounts:
            market.accounts.append(account)
            market.positions.setdefault(account, [0] * len(market.runners))

    def net_of(self, book: Book, account: str) -> int:
        """Return the lots net bought (binary: by trades that count)."""
        if book.outcome is None:
            return book.net.get(account, 0)
        yes, no = book.outcome.positions.get(account, [0, 0])
        return (yes - no) // book.outcome.made.lot_atoms

    def fees_of(self, account: str, book: Book) -> tuple[int, int]:
        """Return the maker and taker fee of an account."""
        own = (book.made.maker_fee_ppm, book.made.taker_fee_ppm)
        return book.market.tiers.get(self.accounts[account].tier, own)

    def limits_of(self, account: str, book: Book) -> e.AccountLimitsSet | None:
        """Return the limits of an account in a market."""
        limits = self.accounts[account].limits
        return limits.get(book.market.name, limits.get(""))

    # ---- orders -----------------------------------------------------------------------------------

    def related(self, one: str, other: str) -> bool:
        """Return whether trades between two accounts are to be prevented."""
        group = self.accounts[one].prevention_group
        return one == other or (group != "" and group == self.accounts[other].prevention_group)

    def implied_book(self, book: Book) -> Book | None:
        """Return the other runner's book, where there are but two."""
        if book.outcome is None or not book.outcome.two:
            return None
        return book.outcome.books[1 - book.made.runner]

    def implied_within(self, book: Book, side: int, limit: int) -> list[Order]:
        """Return the orders of the other book that an order may meet, best first."""
        other = self.implied_book(book)
        if other is None:
            return []
        if side == c.Side.BACK:
            return [o for o in other.side(side) if not limit or implied_odds(o.price) >= limit]
        return [o for o in other.side(side) if not limit or implied_odds(o.price) <= limit]

    def worst_price(self, book: Book, side: int) -> int:
        """Return the price at which a market order would lose most."""
        return worst_price(book, side)

    def walk(self, order: Order) -> Walk:
        """Return what an order would meet now."""
        book = self.books[order.market]
        budget = order.held if order.budget else 0
        walker = Walker(
            self, book, order.terms, order.price, order.hundredths, budget, self.fills_max, self.direct_only
        )
        return walker.walk()

    def carry_out(self, order: Order, walk: Walk) -> tuple[int, bool]:
        """Carry out a walk."""
        return trades.carry_out(self, order, walk)

    def cross(
        self, book: Book, p: c.PlaceAdvanced, left: int, price: int | None = None, fills: int | None = None
    ) -> Cross | None:
        """Return the cross match of an order that has ``left`` lots left."""
        limit = p.price_ticks if price is None else price
        return cross_match(
            self, book, p.side, limit, left, p.account, self.fills_max if fills is None else fills
        )

    def cross_all(self, order: Order, fills: int) -> int:
        """Cross an order with other runners' orders."""
        return trades.cross_all(self, order, fills)

    def cancel(self, order: Order, reason: int) -> None:
        """Cancel an order."""
        trades.cancel(self, order, reason)

    def is_filled(self, order: Order) -> bool:
        """Return whether nothing of an order is left, to the last atom of a budget."""
        return order.held == 0 if order.budget else order.hundredths == 0

    def in_pair(self, order: Order) -> bool:
        """Return whether the other order of its pair is open."""
        return order.partner is not None and order.partner.order_id in self.orders

    def opened(self, order: Order) -> None:
        """Note that an account had an order resting or waiting in a market."""
        opened = self.accounts[order.account].markets_opened
        if order.market not in opened:
            opened.append(order.market)

    def account_is_busy(self, account: str) -> bool:
        """Return whether a mass cancel of the account is under way."""
        return any(job.busy_account == account for job in self.jobs)

    def book_is_busy(self, book: Book) -> bool:
        """Return whether work is under way that a new order could disturb."""
        queued = book.name in self.queued and bool(book.queue)
        return queued or any(book.name in job.busy_books for job in self.jobs)

    def is_changing(self, market: Market) -> bool:
        """Return whether a market's runners or trades change, or it is settled."""
        return any(job.kind == "change" and market.books[0].name in job.busy_books for job in self.jobs)

    def books_named(self, name: str) -> list[str]:
        """Return the books that a mass cancel names."""
        refuse_if(name not in self.books and name not in self.markets, Code.UNKNOWN_MARKET)
        return [name] if name in self.books else [book.name for book in self.markets[name].books]

    def _check(self) -> None:
        """Check conservation, holds by brute force, positions and uncrossed books."""
        for asset, issued in self.issued.items():
            have = sum(sum(a.balances.get(asset, [0, 0])) for a in self.accounts.values())
            assert have == issued, (asset, have, issued)
        held: dict[tuple[str, str], int] = {}
        for order in self.orders.values():
            book = self.books[order.market]
            if book.outcome is None:
                key = order.account, book.asset_held(order.side)
                held[key] = held.get(key, 0) + order.held
                if order.pair is not None and order is order.pair.first:
                    held[key] -= order.pair.saved
            resting = order in book.resting
            assert resting != bool(order.waits), (order, "rests or waits")
            assert order.hundredths > 0 or order.budget
            assert 0 < order.shown <= order.left or order.waits
        for market in self.markets.values():
            outcome = market.outcome
            if outcome is not None:
                self.check_positions(outcome)
                for name, atoms in outcome.held.items():
                    key = name, outcome.made.asset
                    held[key] = held.get(key, 0) + atoms
            if market.state == c.MarketState.OPEN and not any(j.kind == "uncross" for j in self.jobs):
                assert not any(book.crossed for book in market.books), market.name
        for name, account in self.accounts.items():
            for asset, (_, atoms) in account.balances.items():
                assert atoms == held.get((name, asset), 0), (name, asset, atoms)

    def check_positions(self, outcome: Outcome) -> None:
        """Check positions against the trades, one by one."""
        if outcome.frozen:
            return
        for name, have in outcome.positions.items():
            total = [0] * len(outcome.runners)
            for trade in outcome.trades:
                result = trade_vector(outcome, trade)
                for side, sign in ((trade.buyer, 1), (trade.seller, -1)):
                    if side == name:
                        total = [t + sign * r for t, r in zip(total, result, strict=True)]
            assert total == have, (name, total, have)
            need = required(self, outcome, name)
            assert need == outcome.held.get(name, 0) + outcome.short.get(name, 0), (name, need)


HANDLERS: dict[type[c.Command], Any] = {
    c.PlaceOrder: orders.place,
    c.PlaceAdvanced: orders.place,
    c.PlacePair: orders.place_pair,
    c.SubmitBatch: batches.submit_batch,
    c.CancelOrder: orders.cancel_named,
    c.ReduceOrder: orders.reduce,
    c.ReplaceOrder: orders.replace,
    c.CashOut: outcomes.cash_out,
    c.CreateOutcomeMarket: outcomes.create,
    c.TurnInPlay: outcomes.turn_in_play,
    c.AddRunner: outcomes.add_runner,
    c.RemoveRunner: outcomes.remove_runner,
    c.SettleMarket: outcomes.settle_market,
    c.VoidMarket: outcomes.void_market,
    c.VoidTrades: outcomes.void_trades,
    c.CancelAll: admin.cancel_all,
    c.CancelMatching: admin.cancel_matching,
    c.CancelWhere: admin.cancel_where,
    c.CancelMarket: admin.cancel_market,
    c.SetAccountState: admin.set_account_state,
    c.CancelAfter: admin.cancel_after,
    c.SetGroup: admin.set_group,
    c.CreateAsset: admin.create_asset,
    c.CreateMarket: admin.create_market,
    c.CreateAccount: admin.create_account,
    c.CreateKey: admin.create_key,
    c.RevokeKey: admin.revoke_key,
    c.Deposit: admin.deposit,
    c.Withdraw: admin.withdraw,
    c.SetMarketState: admin.set_market_state,
    c.SetMarketRules: admin.set_market_rules,
    c.SetFeeTier: admin.set_fee_tier,
    c.SetAccountTerms: admin.set_account_terms,
    c.SetAccountLimits: admin.set_account_limits,
}
