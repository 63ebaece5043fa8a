"""The reconciliation: what every part says, put beside what the journal tells.

Invariant: a comparison that was made is in the list, agreed or not, with both figures; nothing is compared
with itself. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, TypeVar

from bus.errors import Code
from bus.replay.flow import OurTrade, Step, differing
from bus.replay.player import Outcome

from .parts import Book, Database, Levels
from .reference import MARKET, Reference, by_recorded_number
from .told import CANCELLED, FILLED, OPEN, Told

K = TypeVar("K")

DIFFERENCES_SHOWN_MAX = 5


class Check(NamedTuple):
    """One comparison: of what, who says what, whether they agree."""

    group: str
    what: str
    expected: str
    found: str
    agrees: bool


@dataclass(slots=True)
class Reconciliation:
    """All comparisons, and what differed."""

    checks: list[Check] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def agree(self) -> bool:
        """Whether all do."""
        return all(check.agrees for check in self.checks)

    def figure(self, group: str, what: str, expected: object, found: object) -> None:
        """Compare two figures."""
        shown = (_shown(expected), _shown(found))
        self.checks.append(Check(group, what, *shown, expected == found))
        if expected != found:
            self.differences.append(f"{what}: expected {shown[0]}, was {shown[1]}")

    def each(self, group: str, what: str, expected: Mapping[K, object], found: Mapping[K, object]) -> None:
        """Compare two mappings entry by entry."""
        different = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
        same = len(expected.keys() | found.keys()) - len(different)
        self.checks.append(Check(group, what, f"{len(expected):,}", f"{same:,} identical", not different))
        for key in sorted(different, key=repr)[:DIFFERENCES_SHOWN_MAX]:
            self.differences.append(f"{what} {key}: expected {expected.get(key)}, was {found.get(key)}")
        if len(different) > DIFFERENCES_SHOWN_MAX:
            self.differences.append(f"{what}: {len(different) - DIFFERENCES_SHOWN_MAX:,} more differences")


class Played(NamedTuple):
    """What was sent and what came back: steps, answers, and ids by the number of the step."""

    steps: Sequence[Step]
    outcomes: Sequence[Outcome | None]
    accounts: Sequence[str]
    prefix: str = ""

    def ids(self) -> list[tuple[str, str]]:
        """Return each step's account and command id."""
        return [
            (self.accounts[step.account], f"{self.prefix}{step.order_id}" + ("x" if step.cancel else ""))
            for step in self.steps
        ]


def check_journal(into: Reconciliation, told: Told, last_seq: int) -> None:
    """Compare the journal with itself and with the engine's seq."""
    group = "journal"
    into.figure(group, "holes in seq, market_seq, trade_id, account_seq; doubles", 0, len(told.faults))
    into.differences += told.faults[:DIFFERENCES_SHOWN_MAX]
    into.figure(group, "last seq: the engine's, the journal's", last_seq, told.last_seq)
    into.figure(group, "events up to the last seq", told.last_seq, told.events)


def check_answers(into: Reconciliation, played: Played, told: Told, reference: Reference) -> None:
    """Compare what the SDK was answered with the journal and with the exchange alone."""
    group = "answers"
    into.figure(group, "commands answered", len(played.steps), sum(o is not None for o in played.outcomes))
    ids = played.ids()
    into.each(
        group,
        "outcome of each command: journal, SDK",
        {key: told.outcomes.get(key) for key in ids},
        dict(zip(ids, played.outcomes, strict=True)),
    )
    seqs = [outcome.seq for outcome in played.outcomes if outcome is not None]
    turned = sum(1 for earlier, later in pairwise(seqs) if later <= earlier)
    into.figure(group, "commands executed in another order than sent", 0, turned)
    decided = [tuple(outcome) for outcome in reference.outcomes]
    answered = [(o.code, o.filled_lots, o.left_lots) if o else None for o in played.outcomes]
    into.each(
        group,
        "outcome of each command: exchange alone, SDK",
        dict(enumerate(decided)),
        dict(enumerate(answered)),
    )


def check_totals(into: Reconciliation, played: Played, told: Told, database: Database) -> None:
    """Compare totals order by order: from the answers, the journal and the database."""
    group = "order totals"
    sent = _totals_of_answers(played)
    into.each(
        group,
        "accepted orders by id: journal, database",
        {
            order_id: (o.account, o.client_order_id, o.qty_lots, o.filled_lots, o.left_lots, o.status)
            for order_id, o in told.orders.items()
        },
        database.orders,
    )
    by_journal = Counter(order.status for order in told.orders.values())
    by_database = Counter(row[5] for row in database.orders.values())
    accepted = sent["accepted"]
    filled = sum(order.filled_lots for order in told.orders.values())
    for what, by_answers, journal, recorded in (
        ("orders accepted", accepted, len(told.orders), len(database.orders)),
        ("orders open", None, by_journal[OPEN], by_database[OPEN]),
        ("orders filled", None, by_journal[FILLED], by_database[FILLED]),
        ("orders cancelled", None, by_journal[CANCELLED], by_database[CANCELLED]),
        (
            "lots filled, both sides",
            2 * sent["taken"],
            filled,
            sum(row[3] for row in database.orders.values()),
        ),
    ):
        if by_answers is not None:
            into.figure(group, f"{what}: SDK, journal", by_answers, journal)
        into.figure(group, f"{what}: journal, database", journal, recorded)


def check_database(into: Reconciliation, told: Told, database: Database) -> None:
    """Compare rows in the database with events in the journal."""
    group, counts = "database", told.counts
    order_events = sum(
        counts[name]
        for name in ("OrderAccepted", "OrderRested", "OrderCancelled", "OrderReduced", "OrderReplaced")
    )
    into.figure(group, "position: last seq of the journal", told.last_seq, database.seq)
    for table, expected in (
        ("trades", counts["TradeExecuted"]),
        ("orders", counts["OrderAccepted"]),
        ("order_events", order_events + 2 * counts["TradeExecuted"]),
        ("rejects", counts["CommandRejected"]),
        ("balance_changes", told.balance_rows),
        ("balances", len(told.balances)),
    ):
        into.figure(group, f"rows of {table}", expected, database.rows[table])
    trades = {
        trade.trade_id: (
            trade.price_ticks, trade.qty_lots, trade.taker_side, trade.maker_order_id,
            trade.maker_fee_atoms, trade.taker_order_id, trade.taker_fee_atoms, trade.refund_atoms,
        )
        for trade in told.trades
    }  # fmt: skip
    into.each(group, "each trade", trades, {row[0]: row[2:] for row in database.trades})


def check_book(into: Reconciliation, when: str, journal: Book, engine: Book, feed: Book) -> None:
    """Compare the book of the journal, the engine and the feed at one moment."""
    group = f"book {when}"
    into.figure(group, "market_seq: engine, feed", engine.market_seq, feed.market_seq)
    into.each(group, "levels: engine, feed", engine.levels, feed.levels)
    into.each(group, "levels: journal, engine", journal.levels, engine.levels)


def check_money(
    into: Reconciliation,
    told: Told,
    totals: Iterable[Sequence[object]],
    engine: Mapping[tuple[str, str], tuple[int, int]],
    database: Mapping[tuple[str, str], tuple[int, int]],
) -> None:
    """Compare balances, and check that nothing was made or lost."""
    group = "money"
    for asset, issued, available, held, *_ in totals:
        assert isinstance(available, int) and isinstance(held, int)
        into.figure(group, f"{asset} atoms: issued, available and held", issued, available + held)
        mine = sum(sum(amounts) for key, amounts in told.balances.items() if key[1] == asset)
        into.figure(group, f"{asset} atoms: issued, effects in the stream", issued, mine)
    expected = {key: tuple(amounts) for key, amounts in told.balances.items()}
    into.each(group, "each balance: stream, engine", expected, engine)
    into.each(group, "each balance: stream, database", expected, database)


def check_watched(
    into: Reconciliation,
    told: Told,
    accounts: Mapping[str, Sequence[int]],
    trades: Sequence[Sequence[int]],
) -> None:
    """Compare private streams and trades, as another client received them, with the journal."""
    group = "watching client"
    events = sum(told.private[name][0] for name in accounts)
    into.figure(group, "private events received", events, sum(seen[0] for seen in accounts.values()))
    into.each(
        group,
        "private stream of each account",
        {name: tuple(told.private[name]) for name in accounts},
        {name: tuple(seen[:2]) for name, seen in accounts.items()},
    )
    into.each(group, "each trade published", _public(told), {row[0]: tuple(row[1:]) for row in trades})


def _public(told: Told) -> dict[int, tuple[int, ...]]:
    """Return what is public of each trade."""
    return {
        trade.trade_id: (trade.price_ticks, trade.qty_lots, int(trade.taker_side)) for trade in told.trades
    }


def our_trades(told: Told, prefix: str = "") -> list[OurTrade]:
    """Return the journal's trades in the recording's order numbers."""
    numbers = {
        order_id: int(order.client_order_id.removeprefix(prefix)) for order_id, order in told.orders.items()
    }
    return [by_recorded_number(trade, numbers) for trade in told.trades if trade.market == MARKET]


def check_trades(
    into: Reconciliation,
    told: Told,
    reference: Reference,
    feed_trades: Sequence[Sequence[int]],
    prefix: str = "",
) -> list[OurTrade]:
    """Compare our trades with the exchange alone and with what the feed published; return them."""
    group = "trades"
    ours = our_trades(told, prefix)
    into.each(
        group,
        "each trade: exchange alone, journal",
        dict(enumerate(reference.trades)),
        dict(enumerate(ours)),
    )
    into.each(
        group,
        "each trade: journal, feed",
        _public(told),
        {row[0]: tuple(row[1:4]) for row in feed_trades},
    )
    return ours


def outcome_rows(outcomes: Iterable[Outcome | None]) -> list[tuple[str, int]]:
    """Return how many commands ended with each code, most frequent first."""
    counts = Counter(Code(outcome.code).name for outcome in outcomes if outcome is not None)
    return counts.most_common()


def copy_levels(told: Told, market: str) -> Book:
    """Return the journal's book as it is now."""
    return Book(told.market_seqs.get(market, 0), dict(told.levels.get(market, {})))


def _totals_of_answers(played: Played) -> dict[str, int]:
    """Return orders accepted, and lots that incoming orders traded at once."""
    accepted = taken = 0
    for step, outcome in zip(played.steps, played.outcomes, strict=True):
        if not step.cancel and outcome is not None and outcome.code == 0:
            accepted += 1
            taken += outcome.filled_lots
    return {"accepted": accepted, "taken": taken}


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


__all__ = ["Book", "Check", "Levels", "Played", "Reconciliation", "differing"]
