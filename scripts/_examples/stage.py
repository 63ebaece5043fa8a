"""What every example has: a fresh venue, accounts with funds, a bot for each, and what came of them.

Invariant: an example ends well only if every account's balance is explained to the atom by what the venue
recorded of it, all accounts together have what was paid in, and the journal, executed again from its first
record, gives the same bytes.
"""

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import zmq
from rich.console import Console
from rich.table import Table

from bus.client import Client
from bus.commands import FEES
from bus.errors import Code, Rejected, ServiceError
from bus.events import EVENT_NUMBERS, Deposited, PositionSettled
from bus.query import Asker, ask
from bus.sockets import Limits, connect
from bus.units import format_units
from engine.disk import OsDisk
from engine.recovery import recover, snapshots_folder
from scripts._demo.parts import database_dsn, engine_balances, recorded_seq
from scripts._demo.venue import OPERATOR_KEY, Venue

ASSET, DECIMALS = "USD", 4
ANSWER_MS = 15_000
PAGE_ROWS = 1_000
_DEPOSITED = EVENT_NUMBERS[Deposited]
_SETTLED = EVENT_NUMBERS[PositionSettled]


@dataclass
class Line:
    """An account's statement, summed up; in atoms."""

    paid_in: int = 0
    net: int = 0
    commission: int = 0
    fees: int = 0
    final: int = 0

    @property
    def explained(self) -> int:
        """What the account should have by its statement."""
        return self.paid_in + self.net - self.commission + self.fees


class Stage:
    """A fresh venue with an operator and bots.

    Attributes
    ----------
    operator
        The operator's client.
    bots
        A client for each account that trades, by its name.
    random
        The one source of chance, so that two runs of an example send the same orders.
    """

    def __init__(self, console: Console, venue: Venue, seed: int) -> None:
        self.console = console
        self.venue = venue
        self.random = Random(seed)
        venue.start_all()
        gateway = venue.endpoint("gateway", "gateway")
        self.operator = Client(gateway, OPERATOR_KEY, venue.secret)
        self.operator.connect()
        self.operator.create_asset(ASSET, DECIMALS)
        self.bots: dict[str, Client] = {}
        self._gateway = gateway
        self.refused: dict[str, int] = {}
        """Refusals by code: part of the game."""
        self.kinds: dict[str, int] = {}
        """Trades by kind, once it is finished."""

    def add_bot(self, name: str, amount: str) -> Client:
        """Make an account with funds and a key, and return a client that trades for it."""
        self.add_account(name, amount)
        secret = secrets.token_hex(16)
        self.operator.create_key(name, secret, accounts=[name])
        bot = self.bots[name] = Client(self._gateway, name, secret)
        bot.connect()
        return bot

    def add_account(self, name: str, amount: str) -> None:
        """Make an account with funds."""
        self.operator.create_account(name)
        self.operator.deposit(name, ASSET, amount)

    def tell(self, text: str) -> None:
        """Say what happens."""
        self.console.print(f"[bold]{text}[/bold]")

    def positions(self, market: str) -> None:
        """Print what every bot wins or loses, by outcome, and what it holds for that."""
        outcomes = self.operator.outcome_markets()[market].outcomes
        table = Table("account", *(f"if {outcome}" for outcome in outcomes), "held")
        for name, bot in self.bots.items():
            for position in bot.positions():
                if position.market == market:
                    results = [position.results.get(outcome, "-") for outcome in outcomes]
                    table.add_row(name, *results, position.held)
        self.console.print(table)

    def try_order(self, bot: Client, *args: Any, **terms: Any) -> None:
        """Place an order; a refusal (no funds, a suspended market) is counted: part of the game."""
        try:
            bot.place(*args, **terms)
        except Rejected as refusal:
            name = Code(refusal.code).name
            self.refused[name] = self.refused.get(name, 0) + 1

    def finish(self, markets: Sequence[str]) -> list[str]:
        """Print every account's statement and return what does not agree."""
        venue = self.venue
        seq = int(self.operator.query("status")["seq"])
        dsn = database_dsn(venue.settings())
        venue.until(lambda: recorded_seq(dsn) >= seq, "every row in the database")
        names = [row[0] for row in self.operator.query("accounts", "", PAGE_ROWS)]
        lines = self._statements(names)
        balances = engine_balances(self.operator, names)
        wrong = []
        table = Table("account", "paid in", "won or lost", "commission", "fees got", "final")
        for name, line in lines.items():
            line.final = sum(balances.get((name, ASSET), (0, 0)))
            if line.final != line.explained:
                wrong.append(f"{name} has {line.final}, its statement explains {line.explained} atoms")
            if any(line.__dict__.values()):
                amounts = (line.net, -line.commission, line.fees, line.final)
                table.add_row(name, _text(line.paid_in), *map(_text, amounts))
        paid_in = sum(line.paid_in for line in lines.values())
        final = sum(line.final for line in lines.values())
        table.add_section()
        table.add_row("all", _text(paid_in), "", "", "", _text(final))
        self.console.print(table)
        if paid_in != final:
            wrong.append(f"{paid_in} atoms were paid in, {final} are there")
        for (name, _), (_, held) in balances.items():
            if held:
                wrong.append(f"{name} still holds {held} atoms")
        self.kinds = self._kinds(markets)
        self.console.print(f"trades by kind: {self.kinds}; refused: {self.refused or 'none'}")
        return wrong

    def close(self) -> int:
        """Stop the venue and execute its journal again; return how many records gave the same bytes."""
        for client in (*self.bots.values(), self.operator):
            client.close()
        settings = self.venue.settings()
        folder = Path(settings.journal.dir)
        self.venue.stop_all()
        # Without the snapshot of the stop, everything has to be executed from the first record on.
        shutil.rmtree(snapshots_folder(str(folder)))
        found = recover(
            OsDisk(), str(folder), engine=settings.engine.name, new_venue_id=b"", now_ns=2**62,
            clock_behind_s_max=1, sync="none", sync_interval_ns=10**9,
            segment_bytes=settings.journal.segment_bytes,
        )  # fmt: skip
        found.exchange._check()
        found.journal.close()
        return found.records_executed

    def _statements(self, names: Sequence[str]) -> dict[str, Line]:
        """Return every account's statement of the recorder, summed up."""
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        settings = self.venue.settings()
        endpoint = self.venue.endpoint("recorder", "recorder_query")
        asker = Asker(connect(context, "DEALER", endpoint, Limits(), immediate=True), settings.stream)
        lines = {name: Line() for name in names}
        try:
            for name, line in lines.items():
                after = 0
                while rows := ask(
                    asker, "statement", (name, ASSET, after, PAGE_ROWS), timeout_ms=ANSWER_MS
                ).result:
                    for row in rows:
                        _sum_up(line, row, name)
                    after = rows[-1][0]
        finally:
            asker.close()
            context.term()
        return lines

    def _kinds(self, markets: Sequence[str]) -> dict[str, int]:
        """Return how many trades there were: direct, implied, cross, in auctions."""
        with psycopg.connect(database_dsn(self.venue.settings())) as connection:
            rows = connection.execute(
                "SELECT kind, count(*) FROM trades WHERE split_part(market, ':', 1) = ANY(%s) GROUP BY kind",
                (list(markets),),
            ).fetchall()
        words = ("direct", "implied", "cross", "auction")
        return {words[kind]: count for kind, count in sorted(rows)}


def _sum_up(line: Line, row: Sequence[Any], account: str) -> None:
    """Add a row of a statement: what came, and why."""
    event, change, fee = row[2], row[3] + row[4], row[12]
    if event == _DEPOSITED:
        line.paid_in += change
    elif event == _SETTLED and account == FEES:
        line.fees += change
    elif event == _SETTLED:
        line.commission += fee
        line.net += change + fee
    else:
        line.net += change


def _text(atoms: int) -> str:
    return format_units(atoms, DECIMALS) if atoms else ""


def fail(wrong: Sequence[str]) -> None:
    """End with an error that says what is wrong, if anything is."""
    if wrong:
        raise ServiceError(Code.COMPONENT_FAILED, "expected statements that agree, was: " + "; ".join(wrong))
