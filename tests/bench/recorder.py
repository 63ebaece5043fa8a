"""`scripts/bench recorder`: events a second into the embedded PostgreSQL, on the flow of all benches.

Invariant: what is timed is checked: afterwards the database's balances, open orders and trades are those of
the exchange that made the events. Timed are decoding the stream's frames, making rows of them, and writing
them with the position, one batch after the other, as the recorder does.
"""

import argparse
import gc
import shutil
import time
from pathlib import Path
from typing import Any

from bus import logs
from bus.codec import encode_events
from bus.events import Event, TradeExecuted
from bus.frames import Head, decode_events_frame, encode_events_frame
from bus.settings import load
from engine.exchange import Exchange
from engine.seed import seed_commands
from recorder.database import Database
from recorder.embedded import EmbeddedPostgres
from recorder.rows import Rows

from . import report
from .flow import Flow, seed_of

ACCOUNTS = 50
COMMANDS_PER_FRAME = 40
BOOK_ORDERS = 10_000
PACE_NS = 20_000


class Stream:
    """The frames of a flow, as the engine would publish them."""

    def __init__(self, events_min: int) -> None:
        self.frames: list[bytes] = []
        self.trades = 0
        self.flow = Flow(accounts=ACCOUNTS, pace_ns=PACE_NS)
        self._transactions: list[Any] = []
        self._found()
        self.flow.exchange.subscribe(self._note)
        self.flow.fill(BOOK_ORDERS)
        self._publish()
        while self.flow.exchange.next_seq <= events_min:
            self.flow.steps(COMMANDS_PER_FRAME)
            self._publish()

    @property
    def events(self) -> int:
        """Events in the frames."""
        return self.flow.exchange.next_seq - 1

    def _found(self) -> None:
        """Publish the events that the flow's own exchange began with."""
        exchange, now_ns = Exchange(), self.flow.now_ns
        for command in seed_commands(seed_of(ACCOUNTS), now_ns + 10**9, 4_096, lambda: bytes(16)):
            seq = exchange.next_seq
            self._transactions.append((seq, 0, 0, 0, encode_events(exchange.execute(command, now_ns))))
        self._publish()

    def _note(self, seq: int, event: Event) -> None:
        self._transactions.append((seq, 0, 0, 0, encode_events([event])))
        self.trades += isinstance(event, TradeExecuted)

    def _publish(self) -> None:
        first_seq, last_seq = self._transactions[0][0], self._transactions[-1][0]
        head = Head(bytes(16), "engine", 1, first_seq, last_seq, self.flow.now_ns)
        self.frames.append(encode_events_frame(head, self._transactions))
        self._transactions = []


def record(database: Database, frames: list[bytes], rows_max: int) -> tuple[int, float]:
    """Write the stream; return its rows and the seconds spent writing."""
    rows, seq, count, write_s = Rows({}), 0, 0, 0.0
    for number, data in enumerate(frames, start=1):
        frame = decode_events_frame(data)
        rows.add_frame(frame, seq)
        seq = frame.head.last_seq
        if rows.batch.rows >= rows_max or number == len(frames):
            batch, began = rows.take(), time.perf_counter()
            database.write(batch)
            write_s += time.perf_counter() - began
            count += batch.rows
    return count, write_s


def check(database: Database, stream: Stream) -> None:
    """Raise unless the database holds what the exchange says."""
    exchange = stream.flow.exchange
    recorded = {
        (account, asset): (int(available), int(held))
        for account, asset, available, held in database.fetch(
            "SELECT account, asset, available_atoms, held_atoms FROM balances", ()
        )
    }
    for account in exchange.state.accounts:
        for asset, balance in exchange.balances(account).items():
            if recorded.get((account, asset), (0, 0)) != balance:
                raise AssertionError(f"expected {balance} for {account} {asset}, was {recorded}")
    counted = "SELECT (SELECT count(*) FROM orders WHERE status = 1), (SELECT count(*) FROM trades)"
    found = database.fetch(counted, ())[0]
    if found != (stream.flow.open_orders, stream.trades):
        raise AssertionError(
            f"expected {stream.flow.open_orders} orders, {stream.trades} trades, was {found}"
        )


def main() -> None:
    """Run it; the last line is JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rows-max", type=int, default=load().recorder.batch_rows_max)
    parser.add_argument("--dir", type=Path, default=Path("var/bench/recorder"))
    options = parser.parse_args()
    stream = Stream(options.events)
    shutil.rmtree(options.dir, ignore_errors=True)
    options.dir.mkdir(parents=True)
    server = EmbeddedPostgres(options.dir / "postgres")
    server.start()
    try:
        database = Database(lambda: server.dsn, "public", logs.set_up("bench", "warning"))
        database.open()
        gc.collect()
        gc.freeze()
        gc.disable()
        began, began_cpu = time.perf_counter(), time.process_time()
        rows, write_s = record(database, stream.frames, options.rows_max)
        total_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
        check(database, stream)
        database.close()
    finally:
        server.stop()
    figures: dict[str, object] = {
        "events": stream.events, "rows": rows, "trades": stream.trades,
        "events_per_s": round(stream.events / total_s), "rows_per_s": round(rows / total_s),
        "write_share": round(write_s / total_s, 2),
        "own_cpu_us_per_event": round(cpu_s / stream.events * 1e6, 1),
        "rows_per_batch_max": options.rows_max, "file_system": report.file_system(options.dir),
    }  # fmt: skip
    report.table("recorder into embedded PostgreSQL", ("figure", "value"), list(figures.items()))
    report.finish("recorder", figures)


if __name__ == "__main__":
    main()
