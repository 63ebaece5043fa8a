"""The demo's own parts: what it compares must be able to differ, and what fails must be seen."""

import copy
import os
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bus.errors import Code, FormError, ServiceError
from bus.events import TradeExecuted
from bus.replay.player import Outcome
from engine.exchange import Exchange
from scripts._demo import reconcile, reference
from scripts._demo.fetch import WHEEL, fetch_capture
from scripts._demo.parts import Book, Database
from scripts._demo.picture import Film, draw
from scripts._demo.reconcile import Played, Reconciliation
from scripts._demo.reference import MARKET, Reference
from scripts._demo.told import Teller, Told
from scripts._demo.venue import Venue, fresh_folder, run_dir_of
from tests.bus.replay import captures
from tests.poll import until
from tests.replays import ACCOUNTS, names, synthetic_steps


class World:
    """A replay in one process, and every part as it would tell of it: all agree until a test meddles."""

    def __init__(self, steps: int) -> None:
        self.steps = synthetic_steps(Random(70), steps, ACCOUNTS)
        self.expected: Reference = reference.decide(self.steps, names())
        exchange, teller = Exchange(), Teller()
        commands = reference.founding(names())
        commands += [reference.command_of(step, names()[step.account]) for step in self.steps]
        for command in commands:
            first_seq = exchange.next_seq
            events = exchange.execute(command, 1)
            teller.begin((first_seq, 0, 0, 0, events))
            for seq, event in enumerate(events, first_seq):
                teller.add(seq, event)
        self.told: Told = teller.told
        self.last_seq = exchange.next_seq - 1
        ids = Played(self.steps, (), names()).ids()
        self.outcomes: list[Outcome | None] = [self.told.outcomes[key] for key in ids]
        self.book = reconcile.copy_levels(self.told, MARKET)
        self.engine_book = Book(
            self.book.market_seq,
            {(side, price): lots for side, price, lots, _ in exchange.book_levels(MARKET)},
        )
        self.feed_book = copy.deepcopy(self.engine_book)
        self.balances = {key: (total[0], total[1]) for key, total in self.told.balances.items()}
        self.engine_balances = dict(self.balances)
        self.totals: list[list[Any]] = [list(row) for row in self._totals(exchange)]
        self.database = self._database()
        self.feed_trades = [
            [trade.trade_id, trade.price_ticks, trade.qty_lots, trade.taker_side]
            for trade in self.told.trades
        ]

    def reconciled(self) -> Reconciliation:
        """Compare everything."""
        found, played = Reconciliation(), Played(self.steps, self.outcomes, names())
        reconcile.check_journal(found, self.told, self.last_seq)
        reconcile.check_answers(found, played, self.told, self.expected)
        reconcile.check_totals(found, played, self.told, self.database)
        reconcile.check_database(found, self.told, self.database)
        reconcile.check_book(found, "now", self.book, self.engine_book, self.feed_book)
        reconcile.check_money(found, self.told, self.totals, self.engine_balances, self.database.balances)
        reconcile.check_trades(found, self.told, self.expected, self.feed_trades)
        watched = {name: self.told.private[name] for name in names()[:3]}
        reconcile.check_watched(found, self.told, watched, self.feed_trades)
        return found

    def _totals(self, exchange: Exchange) -> list[tuple[str, int, int, int]]:
        found = []
        for asset in (reference.BASE, reference.QUOTE):
            mine = [exchange.balances(name).get(asset, (0, 0)) for name in [*names(), "fees"]]
            available, held = sum(pair[0] for pair in mine), sum(pair[1] for pair in mine)
            found.append((asset, available + held, available, held))
        return found

    def _database(self) -> Database:
        told, counts = self.told, self.told.counts
        order_events = sum(counts[name] for name in ("OrderAccepted", "OrderRested", "OrderCancelled"))
        rows = {
            "trades": counts["TradeExecuted"],
            "orders": counts["OrderAccepted"],
            "order_events": order_events + 2 * counts["TradeExecuted"],
            "rejects": counts["CommandRejected"],
            "balance_changes": told.balance_rows,
            "balances": len(told.balances),
        }
        orders = {
            order_id: (o.account, o.client_order_id, o.qty_lots, o.filled_lots, o.left_lots, o.status)
            for order_id, o in told.orders.items()
        }
        trades: list[tuple[int, ...]] = [
            (
                t.trade_id, 0, t.price_ticks, t.qty_lots, t.taker_side, t.maker_order_id, t.maker_fee_atoms,
                t.taker_order_id, t.taker_fee_atoms, t.refund_atoms,
            )
            for t in told.trades
        ]  # fmt: skip
        return Database(told.last_seq, rows, orders, trades, dict(self.balances))


@pytest.fixture(scope="module")
def sound() -> World:
    """A replay without a fault."""
    return World(2_000)


def test_a_sound_replay_agrees(sound: World) -> None:
    found = sound.reconciled()
    assert found.agree, found.differences
    assert sound.told.faults == [] and len(sound.told.trades) > 100


def _lose_an_answer(world: World) -> None:
    world.outcomes[100] = None


def _turn_two_answers(world: World) -> None:
    world.outcomes[100], world.outcomes[101] = world.outcomes[101], world.outcomes[100]


def _answer_another_fill(world: World) -> None:
    number = next(i for i, outcome in enumerate(world.outcomes) if outcome and outcome.filled_lots)
    outcome = world.outcomes[number]
    assert outcome is not None
    world.outcomes[number] = outcome._replace(filled_lots=outcome.filled_lots + 1)


def _hole_in_the_journal(world: World) -> None:
    world.told.faults.append("expected seq 5, was 6")


def _engine_is_further(world: World) -> None:
    world.last_seq += 1


def _lose_a_recorded_order(world: World) -> None:
    del world.database.orders[next(iter(world.database.orders))]


def _double_a_recorded_row(world: World) -> None:
    world.database.rows["order_events"] += 1


def _record_another_trade(world: World) -> None:
    trade = world.database.trades[0]
    world.database.trades[0] = (*trade[:3], trade[3] + 1, *trade[4:])


def _publish_another_level(world: World) -> None:
    key = next(iter(world.feed_book.levels))
    world.feed_book.levels[key] += 1


def _keep_a_dead_level(world: World) -> None:
    world.engine_book.levels[(1, 1)] = 1


def _make_money(world: World) -> None:
    world.totals[0][2] += 1


def _owe_somebody(world: World) -> None:
    key = next(iter(world.engine_balances))
    available, held = world.engine_balances[key]
    world.engine_balances[key] = (available - 1, held)


def _publish_no_trade(world: World) -> None:
    world.feed_trades.pop()


def _trade_otherwise(world: World) -> None:
    trade: TradeExecuted = world.told.trades[3]
    world.told.trades[3] = trade._replace(price_ticks=trade.price_ticks + 1)


@pytest.mark.parametrize(
    "meddle",
    [
        _lose_an_answer,
        _turn_two_answers,
        _answer_another_fill,
        _hole_in_the_journal,
        _engine_is_further,
        _lose_a_recorded_order,
        _double_a_recorded_row,
        _record_another_trade,
        _publish_another_level,
        _keep_a_dead_level,
        _make_money,
        _owe_somebody,
        _publish_no_trade,
        _trade_otherwise,
    ],
)
def test_whatever_differs_is_found(sound: World, meddle: Callable[[World], None]) -> None:
    world = copy.deepcopy(sound)
    meddle(world)
    found = world.reconciled()
    assert not found.agree
    assert found.differences


def test_holes_and_doubles_in_a_journal_are_noted(sound: World) -> None:
    teller = Teller()
    events = Exchange().execute(reference.founding(names())[0], 1)
    teller.begin((1, 0, 0, 0, events))
    teller.begin((3, 0, 0, 0, events))
    assert teller.told.faults == ["expected seq 2, was 3"]


def test_a_component_that_ends_is_named_with_its_last_lines(short_dir: Path) -> None:
    with Venue(short_dir, tcp=False) as venue:
        venue.start("engine")
        venue.check()
        os.kill(venue.pids()["engine"], signal.SIGKILL)
        until(venue.ended, what="the end of the engine")
        with pytest.raises(ServiceError, match=r"(?s)the engine to run.*-9.*ready") as failed:
            venue.until(lambda: False, "something")
        assert failed.value.code == Code.COMPONENT_FAILED


def test_a_folder_in_which_a_venue_runs_is_left_alone(short_dir: Path) -> None:
    folder = fresh_folder(short_dir / "demo")
    with Venue(folder, tcp=False) as venue:
        venue.start("engine")
        with pytest.raises(ServiceError, match=f"kill {venue.pids()['engine']}"):
            fresh_folder(folder)
        assert venue.stop("engine") == 0
    assert list(fresh_folder(folder).iterdir()) == []


def test_a_long_folder_has_its_sockets_elsewhere(tmp_path: Path) -> None:
    assert run_dir_of(Path("/short")) == Path("/short/run")
    assert len(bytes(run_dir_of(tmp_path / ("x" * 90)))) < 60


def test_another_capture_is_refused(tmp_path: Path) -> None:
    captures.write_wheel(tmp_path / WHEEL)
    with pytest.raises(FormError, match="sha256"):
        fetch_capture(tmp_path)


def test_the_picture_is_drawn(sound: World, tmp_path: Path) -> None:
    # The recording's time of a step is its number here: one still a command.
    times = {f"{step.order_id}{'x' if step.cancel else ''}": step.time_ms * 1_000 for step in sound.steps}
    film, teller, exchange = Film(times, MARKET, 10**9), Teller(), Exchange()
    commands = reference.founding(names())
    commands += [reference.command_of(step, names()[step.account]) for step in sound.steps[:300]]
    for command in commands:
        first_seq = exchange.next_seq
        for seq, event in enumerate(exchange.execute(command, 1), first_seq):
            teller.add(seq, event)
            film.seen(teller.told, seq, event)
    draw(film, "A picture", tmp_path / "some.png")
    assert (tmp_path / "some.png").read_bytes().startswith(b"\x89PNG")
    assert len(film.stills) > 200 and film.trades
