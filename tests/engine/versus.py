"""The real exchange beside the naive one: both get the same commands, all that can be seen is compared.

It protects the invariant that the engine does what the rules in ``docs/concepts`` say, whatever is sent.
"""

from collections import Counter
from collections.abc import Callable

from bus import commands as c
from bus import events as e
from bus.codec import encode_events, pack
from bus.effects import balance_changes
from bus.errors import Code
from engine.exchange import Exchange, Limits
from engine.image import dump, restore
from tests.engine.mixed import Mixed
from tests.engine.mixed_venue import LIMITS, setup
from tests.engine.naive import Naive
from tests.engine.naive_outcomes import results

Sent = list[tuple[int, c.Command]]


def without_detail(events: list[e.Event]) -> list[e.Event]:
    """Return events with the texts for people left out."""
    found: list[e.Event] = []
    for event in events:
        if isinstance(event, (e.CommandRejected, e.CommandRepeated)):
            event = event._replace(detail="")
        elif isinstance(event, e.BatchDone):
            event = event._replace(outcomes=tuple((*outcome[:4], "") for outcome in event.outcomes))
        found.append(event)
    return found


class Versus:
    """The two exchanges, always given the same."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.made: dict[str, e.MarketCreated | e.OutcomeMarketCreated] = {}
        self.derived: dict[tuple[str, str], list[int]] = {}
        self.real, self.naive = Exchange(limits), Naive(limits)
        self.seen: Counter[str] = Counter()
        for now_ns, command in setup():
            for event in self.execute(command, now_ns):
                assert not isinstance(event, e.CommandRejected), (command, event)

    def execute(self, command: c.Command, now_ns: int) -> list[e.Event]:
        """Execute on both, compare the events, and return them."""
        expected = self.naive.execute(command, now_ns)
        got = without_detail(self.real.execute(command, now_ns))
        if got != expected or pack(encode_events(got)) != pack(encode_events(expected)):
            raise AssertionError(difference_of(got, expected))
        assert self.real.next_seq == self.naive.next_seq
        real_due, naive_due = self.real.next_due_ns(), self.naive.next_due_ns()
        assert real_due == naive_due, f"next due: engine {real_due}, naive {naive_due}"
        for events in self.naive.transactions:
            on_top = sum(isinstance(event, e.ExposureChanged) for event in events)
            assert len(events) - on_top <= self.naive.limits.events_per_transaction_max
        self.count(command, got)
        return got

    def count(self, command: c.Command, events: list[e.Event]) -> None:
        """Count which rules occurred."""
        naive = self.naive
        for event in events:
            self.seen[what(event)] += 1
            if isinstance(event, (e.MarketCreated, e.OutcomeMarketCreated)):
                self.made[event.market] = event
            for change in balance_changes(event, self.made.get(getattr(event, "market", ""))):
                have = self.derived.setdefault((change.account, change.asset), [0, 0])
                have[0] += change.available_atoms
                have[1] += change.held_atoms
        self.seen[f"follow-ups behind one command: {len(naive.transactions) - 1}"] += 1
        for job in naive.jobs:
            self.seen[f"job goes on: {job.kind}"] += 1
        if len(naive.jobs) > 1:
            self.seen["jobs take turns"] += 1
        if any(book.queue for book in naive.books.values()):
            self.seen["triggered orders left over"] += 1
        pro_rata = [m for m in naive.markets.values() if m.matching == c.MatchingRule.PRO_RATA]
        books = [book.name for market in pro_rata for book in market.books]
        met = {
            (event.taker_order_id, event.price_ticks)
            for event in events
            if isinstance(event, e.TradeExecuted)
        }
        trades = [event for event in events if isinstance(event, e.TradeExecuted) and event.market in books]
        if len(trades) > len(met):
            self.seen["level shared out pro rata"] += 1

    def through_its_image(self) -> None:
        """Go on with an exchange that was restored from the image of the real one."""
        chunks = list(dump(self.real.state))
        restored = Exchange(state=restore(chunks))
        assert list(dump(restored.state)) == chunks, "an image of a restored state differs"
        self.real = restored

    def compare(self) -> None:
        """Compare books, balances, open orders and the answers kept; check both."""
        real, naive = self.real, self.naive
        real._check()
        naive._check()
        for name, book in naive.books.items():
            if book.outcome is None or book.made.runner not in book.outcome.removed:
                assert real.book_levels(name) == naive.book_levels(name), name
        for name, account in naive.accounts.items():
            got = {asset: have for asset, have in real.balances(name).items() if any(have)}
            assert got == {asset: have for asset, have in naive.balances(name).items() if any(have)}, name
            derived = {asset: tuple(self.derived.get((name, asset), (0, 0))) for asset in got}
            assert got == derived, f"{name}: engine {got}, derived from events {derived}"
            assert real.open_orders(name) == naive.open_orders(name), name
            self.compare_positions(name)
            for command_id, (_, kept) in list(account.ids.items())[-20:]:
                answer = real.answer(name, command_id)
                assert answer is not None and answer._replace(detail="") == kept, (name, command_id)

    def compare_positions(self, account: str) -> None:
        """Compare an account's results, exposure and shortfall in each outcome market."""
        positions = self.real.state.accounts[account].positions
        for name, market in self.naive.markets.items():
            outcome = market.outcome
            if outcome is None or outcome.frozen or account not in outcome.positions:
                continue
            got = positions[name]
            held, short = outcome.held.get(account, 0), outcome.short.get(account, 0)
            assert tuple(got.results()) == results(outcome, account), (account, name)
            assert (got.held_atoms, got.need_atoms - got.held_atoms) == (held, short), (account, name)


def what(event: e.Event) -> str:
    """Return the rule that an event shows."""
    name = type(event).__name__
    if isinstance(event, e.OrderCancelled):
        return f"{name} {e.CancelReason(event.reason).name}"
    if isinstance(event, e.CommandRejected):
        return f"{name} {Code(event.code).name}"
    if isinstance(event, e.TradeExecuted):
        return f"{name} {e.TradeKind(event.kind).name}{' rebate' if event.maker_fee_atoms < 0 else ''}"
    if isinstance(event, e.SelfTradePrevented):
        return f"{name} {c.Prevention(event.mode).name}"
    if isinstance(event, e.OrderTriggered):
        return f"{name} {e.Waits(event.waited).name}"
    if isinstance(event, e.OrderTermsSet):
        return f"{name} waits {e.Waits(event.waits).name}{' iceberg' if event.display_lots else ''}"
    if isinstance(event, e.PairPlaced):
        return f"{name} {c.PairKind(event.kind).name}"
    if isinstance(event, e.MarketStateChanged):
        return f"{name} {c.MarketState(event.state).name}"
    if isinstance(event, e.ExposureChanged):
        return f"{name}{' shortfall' if event.shortfall_atoms else ''}"
    if isinstance(event, e.MarketSettled):
        return f"{name} {len(event.winners)} winners{' dust' if event.dust_atoms else ''}"
    if isinstance(event, e.PositionSettled):
        return f"{name}{' commission' if event.commission_atoms else ''}"
    if isinstance(event, e.BestOffered):
        return f"{name} {e.TradeKind(event.kind).name}{'' if event.lots else ' none'}"
    if isinstance(event, e.AuctionDone):
        return f"{name}{' traded' if event.lots else ''}"
    if isinstance(event, e.BatchDone):
        return f"{name} {'some refused' if any(o[0] for o in event.outcomes) else 'all done'}"
    return name


def difference_of(got: list[e.Event], expected: list[e.Event]) -> str:
    """Say in what two lists of events differ first."""
    at = next(
        (i for i, (a, b) in enumerate(zip(got, expected, strict=False)) if a != b),
        min(len(got), len(expected)),
    )
    lines = [f"event {at}:"]
    lines += [f"  engine {event}" for event in got[at : at + 3]]
    lines += [f"  naive  {event}" for event in expected[at : at + 3]]
    return "\n".join(lines)


def run(seed: int, count: int, every: int) -> tuple[Versus, Sent, str]:
    """Run ``count`` commands from a seed; state is compared after ``every`` commands; "" or what differed."""
    versus = Versus(LIMITS[seed % len(LIMITS)])
    maker, sent = Mixed(seed, versus.naive), []
    for n in range(count):
        now_ns, command = maker.next()
        sent.append((now_ns, command))
        try:
            versus.execute(command, now_ns)
            if n % every == 0 or n == count - 1:
                versus.compare()
            if n % 50 == 49:
                versus.through_its_image()
        except Exception as error:
            return versus, sent, f"command {n}, {command} at {now_ns}: {type(error).__name__}: {error}"
    return versus, sent, ""


def again(seed: int, sent: Sent) -> str:
    """Run commands again; return "" or what differed, state compared after each."""
    versus = Versus(LIMITS[seed % len(LIMITS)])
    for now_ns, command in sent:
        try:
            versus.execute(command, now_ns)
            versus.compare()
            versus.through_its_image()
        except Exception as error:
            return f"{command} at {now_ns}: {type(error).__name__}: {error}"
    return ""


def shortest(sent: Sent, fails: Callable[[Sent], bool]) -> Sent:
    """Return failing commands of which none can be left out."""
    size = max(1, len(sent) // 2)
    while True:
        start, before = 0, len(sent)
        while start < len(sent):
            fewer = sent[:start] + sent[start + size :]
            if fails(fewer):
                sent = fewer
            else:
                start += size
        if size == 1 and len(sent) == before:
            return sent
        size = max(1, size // 2)
