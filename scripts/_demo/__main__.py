"""``scripts/demo``: 30 minutes of a real market through the whole venue, reconciled.

Invariant: the exit code is 0 only if every comparison agrees and no component ended by itself.
"""

import gc
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bus.client import Client
from bus.errors import ZeropitError
from bus.replay.flow import ACCOUNTS, HINDSIGHT, differing, flow_of
from bus.replay.player import WINDOW, Player

from . import reconcile, reference, report
from .compare import (
    BROKER_KEY,
    Books,
    Compared,
    account_names,
    books_now,
    compare_all,
    found_venue,
    wait_for_all,
)
from .fetch import fetch_capture
from .parts import FeedDoor
from .picture import Film, draw
from .reference import MARKET
from .venue import OPERATOR_KEY, Venue, fresh_folder
from .watch import Watcher

ROOT = Path(__file__).resolve().parent.parent.parent
EXPECTED_IDENTICAL = 281
WATCHED_ACCOUNTS = 5
SINGLES = 200


class Demo:
    """One run, step by step; what it found is in ``found`` and ``figures``."""

    def __init__(self, console: Console, venue: Venue, rows: int) -> None:
        self.console = console
        self.venue = venue
        self.found = reconcile.Reconciliation()
        self.figures: dict[str, Any] = {}
        capture = fetch_capture(ROOT / "var" / "capture")
        self.venue_trades = capture.trades
        flow = flow_of(capture)
        self.steps = flow.steps[: rows or None]
        self.closing = flow.closing if not rows else len(self.steps)
        self.is_whole = len(self.steps) == len(flow.steps)
        self.start_ms = capture.rows[0].time_ms
        self.end_ms = capture.rows[-capture.closing_rows - 1].time_ms
        self.accounts = account_names(ACCOUNTS)
        self.expected = reference.decide(self.steps, self.accounts)
        # A million small objects that stay: looking through them over and over would be measured as latency.
        gc.collect()
        gc.freeze()

    def run(self) -> None:
        """Play, compare, print."""
        venue = self.venue
        venue.start_all()
        gateway = venue.endpoint("gateway", "gateway")
        with Client(gateway, OPERATOR_KEY, venue.secret) as admin:
            found_venue(admin, ACCOUNTS, venue.secret)
            watcher = Watcher(
                gateway=gateway,
                feed_stream=venue.endpoint("feed", "feed_stream"),
                feed_query=venue.endpoint("feed", "feed_query"),
                key=BROKER_KEY,
                secret=venue.secret,
                accounts=self.accounts[:WATCHED_ACCOUNTS],
                market=MARKET,
            )
            feed = FeedDoor(venue.endpoint("feed", "feed_query"), venue.settings())
            try:
                self._play_and_compare(admin, gateway, feed, watcher)
            finally:
                watcher.kill()
                feed.close()

    def _play_and_compare(self, admin: Client, gateway: str, feed: FeedDoor, watcher: Watcher) -> None:
        venue, books = self.venue, {}
        with Client(gateway, BROKER_KEY, venue.secret) as client:
            player = Player(client, MARKET, self.accounts)
            self._play(player, 0, self.closing, "playing the recording")
            books["when the recording ends"] = self._books(admin, feed, watcher)
            if self.is_whole:
                # What was added to the recording so that every order has an end: the book is empty then.
                self._play(player, self.closing, len(self.steps), "closing deletes")
                books["at the end"] = self._books(admin, feed, watcher)
            self._measure_singles(client)
        began_s = time.monotonic()
        wait_for_all(venue, admin, feed)
        self.figures["recorded_after_s"] = round(time.monotonic() - began_s, 3)
        self._compare(admin, feed, watcher, player, books)

    def _books(self, admin: Client, feed: FeedDoor, watcher: Watcher) -> Books:
        """Return the book as the engine, the feed and the watching client have it."""
        both = books_now(self.venue, admin, feed)
        followed, mismatches = watcher.book(both.engine.market_seq)
        self.found.figure("watching client", "checksums of the book that did not fit", 0, mismatches)
        return both._replace(followed=followed)

    def _compare(
        self, admin: Client, feed: FeedDoor, watcher: Watcher, player: Player, books: dict[str, Books]
    ) -> None:
        played = reconcile.Played(self.steps, player.outcomes, self.accounts)
        times = {f"{step.order_id}{'x' if step.cancel else ''}": step.time_ms for step in self.steps}
        film = Film(times, MARKET, self.end_ms)
        doors = (admin, feed)
        compared = compare_all(self.found, self.venue, doors, played, self.expected, books, film.seen)
        told = compared.told
        mine = {name: told.private[name][0] for name in self.accounts[:WATCHED_ACCOUNTS]}
        seen = watcher.finish(mine, len(told.trades))
        reconcile.check_watched(self.found, told, seen["accounts"], seen["trades"])
        played_ids = {step.order_id for step in self.steps}
        reached = [t for t in self.venue_trades if {t.buy_order_id, t.sell_order_id} <= played_ids]
        identical, lines = differing(compared.trades, reached)
        if self.is_whole:
            self.found.figure("trades", "identical to the recording's", EXPECTED_IDENTICAL, identical)
        self.venue.check()
        self._figures(player, compared, identical)
        self._print(player, identical, len(reached), lines)
        minutes = (min(self.steps[-1].time_ms, self.end_ms) - self.start_ms) / 60_000
        title = (
            f"Zeropit: {minutes:.0f} minutes of Bitstamp {MARKET}, {len(self.steps):,} commands at "
            f"{self.figures['orders_per_s']:,} a second, {identical} of {len(reached)} trades identical"
        )
        draw(film, title, ROOT / "var" / "demo.png")

    def _play(self, player: Player, start: int, end: int, what: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task(what, total=end - start)

            def watch(done: int) -> None:
                bar.update(task, completed=done - start)
                self.venue.check()

            player.play(self.steps[start:end], watch)

    def _measure_singles(self, client: Client) -> None:
        """Time round trips one at a time, on the idle venue: a cancel of nothing goes all the way."""
        times = []
        for _ in range(SINGLES):
            began_ns = time.perf_counter_ns()
            client.wait([client.cancel_id(MARKET, client_order_id="none", account=self.accounts[0])])
            times.append(time.perf_counter_ns() - began_ns)
        self.figures["single_p50_ms"] = round(report.percentile(sorted(times), 0.5), 3)

    def _figures(self, player: Player, compared: Compared, identical: int) -> None:
        times = sorted(player.latencies_ns)
        self.figures |= {
            "identical_trades": identical,
            "venue_trades": len(self.venue_trades),
            "our_trades": len(compared.told.trades),
            "agree": self.found.agree,
            "commands": len(self.steps),
            "events": compared.told.events,
            "rows": sum(compared.database.rows.values()),
            "seconds": round(player.seconds, 3),
            "orders_per_s": round(len(self.steps) / player.seconds),
            "p50_ms": round(report.percentile(times, 0.5), 3),
            "p99_ms": round(report.percentile(times, 0.99), 3),
            "p999_ms": round(report.percentile(times, 0.999), 3),
            "max_ms": round(report.percentile(times, 1.0), 3),
            "comparisons": len(self.found.checks),
            "differing": sum(not check.agrees for check in self.found.checks),
            "accounts": len(self.accounts),
            "outcomes": dict(reconcile.outcome_rows(player.outcomes)),
        }

    def _print(self, player: Player, identical: int, reached: int, lines: list[str]) -> None:
        report.print_outcomes(self.console, reconcile.outcome_rows(player.outcomes))
        report.print_checks(self.console, self.found)
        report.print_trades(self.console, identical, reached, lines, HINDSIGHT)
        report.print_speed(self.console, self.figures, WINDOW)


def _tell_how_to_reach(console: Console, venue: Venue) -> None:
    """Print where the venue listens and how to stop it."""
    settings = venue.settings()
    pids = " ".join(str(pid) for pid in venue.pids().values())
    console.print(f"\nThe venue goes on running in {venue.folder}.")
    for component, name in (("gateway", "gateway"), ("feed", "feed_stream"), ("feed", "feed_query")):
        console.print(f"  {name:<12} {venue.endpoint(component, name)}")
    console.print(f"  key {OPERATOR_KEY}, secret {venue.secret}")
    console.print(f"  look: zeropit status --set venue.run_dir={settings.venue.run_dir}", soft_wrap=True)
    console.print(f"  stop: kill {pids}")


@click.command()
@click.option("--keep", is_flag=True, help="Leave the venue running.")
@click.option("--quick", "rows", default=0, metavar="N", help="Play only the first N commands.")
@click.option("--folder", type=click.Path(path_type=Path), default=ROOT / "var" / "demo", show_default=True)
def main(keep: bool, rows: int, folder: Path) -> None:
    """Play 30 minutes of a real market through the whole venue and reconcile every part."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    try:
        with Venue(fresh_folder(folder)) as venue:
            demo = Demo(console, venue, rows)
            demo.run()
            if keep:
                _tell_how_to_reach(console, venue)
                venue.release()
            else:
                venue.stop_all()
    except (ZeropitError, RuntimeError, TimeoutError) as error:
        console.print(f"error: {error}", style="bold red", markup=False)
        sys.exit(1)
    report.print_json(demo.figures)
    sys.exit(0 if demo.found.agree else 1)


if __name__ == "__main__":
    main()
