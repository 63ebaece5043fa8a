"""A crowd at a real engine: commands pushed straight into it, and what became of the stream."""

from pathlib import Path
from random import Random
from time import time_ns
from typing import Any

import zmq

from bus import commands as c
from bus.codec import encode_command
from bus.frames import CommandsFrame, EventsFrame, encode_commands_frame
from bus.query import Asker, ask
from bus.settings import Settings
from bus.stream import Stream
from recorder.database import Database
from recorder.rows import Rows
from tests.poll import until

VALID_NS = 50_000_000_000
FAR_NS = 24 * 3_600 * 10**9
"""An order's end that no test lives to see: nothing happens by itself after the last command."""

ACCOUNTS = ("demo-1", "demo-2")
MARKETS = ("BTC-USD", "ETH-USD", "rain")
"""Spot markets, and a binary one that the feeder creates."""

GATEWAY = 4711


class Feeder:
    """Sends commands on one link and follows the stream (a context manager).

    Attributes
    ----------
    frames
        Every frame of the stream as far as it was followed.
    """

    def __init__(self, settings: Settings, seed: int) -> None:
        self._settings = settings
        self._random = Random(seed)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._push = self._connected(zmq.PUSH, settings.endpoints.engine_commands)
        self._engine = Asker(self._connected(zmq.DEALER, settings.endpoints.engine_query), settings.stream)
        self._recorder = Asker(
            self._connected(zmq.DEALER, settings.endpoints.recorder_query), settings.stream
        )
        live = self._connected(zmq.SUB, settings.endpoints.engine_stream)
        live.subscribe(b"")
        archive = self._connected(zmq.DEALER, settings.endpoints.archive)
        self._stream = Stream(live, archive, settings.stream, from_start=True)
        self.frames: list[EventsFrame] = []
        self._number = 0
        self._sent: list[str] = []
        self._name = f"{seed}-"

    def __enter__(self) -> "Feeder":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def _connected(self, kind: int, endpoint: str) -> "zmq.Socket[bytes]":
        socket = self._context.socket(kind)
        socket.connect(endpoint)
        return socket

    def send(self, frames: int, commands: int = 20) -> None:
        """Push frames of random orders and cancels."""
        for _ in range(frames):
            first_number = self._number + 1
            made: list[c.Command] = [c.OpenLink(), self._created()] if first_number == 1 else []
            while len(made) < commands:
                made.append(self._command())
            self._number += len(made)
            items = [(1, first_number + offset, encode_command(one)) for offset, one in enumerate(made)]
            self._push.send(encode_commands_frame(CommandsFrame(GATEWAY, 0, 1, first_number, items)))

    def _command(self) -> c.Command:
        random = self._random
        name = f"{self._name}{len(self._sent)}"
        account, market = random.choice(ACCOUNTS), random.choice(MARKETS)
        head = (name, account, time_ns() + VALID_NS, market)
        self._sent.append(name)
        if random.random() < 0.3 and len(self._sent) > 5:
            return c.CancelOrder(*head, 0, random.choice(self._sent[-50:]))
        side = random.choice((1, 2))
        price = random.randint(1_000, 1_010)
        place = c.PlaceAdvanced(*head, side, 1, 1, False, price, random.randint(1, 1_000), 0)
        kind = random.random()
        if kind < 0.1:
            return place._replace(qty_lots=500, display_lots=random.randint(1, 99))
        if kind < 0.2:
            return place._replace(trigger=c.Trigger.STOP, trigger_ticks=random.randint(1_000, 1_010))
        if kind < 0.3:
            return place._replace(time_in_force=c.TimeInForce.GTT, expires_ns=time_ns() + FAR_NS)
        return c.PlaceOrder(*place[:11])

    def _created(self) -> c.Command:
        head = (f"{self._name}rain", c.OPERATOR, time_ns() + VALID_NS)
        lot_atoms, qty_lots_max = 1_000_000, 10**6
        return c.CreateOutcomeMarket(
            *head, MARKETS[-1], c.MarketModel.BINARY, "USD", (), lot_atoms, qty_lots_max, 0, 1, "", 0, 0
        )

    def engine_seq(self) -> int:
        """Return the engine's last seq."""
        return ask(self._engine, "status", timeout_ms=20_000).seq

    def settle(self) -> int:
        """Wait until the engine has executed everything sent and the stream was followed; return its seq."""

        def executed() -> bool:
            for applied in self._stream.poll():
                assert applied.after_seq == (self.frames[-1].head.last_seq if self.frames else 0)
                self.frames.append(applied.frame)
            mine = [1 for frame in self.frames for t in frame.transactions if t[1] == GATEWAY]
            return len(mine) == self._number

        until(executed, 60, "everything executed")
        return self.frames[-1].head.last_seq

    def history(self, query: str, args: tuple[Any, ...] = ()) -> Any:
        """Ask the recorder; return its result."""
        return ask(self._recorder, query, args, timeout_ms=30_000).result

    def recorded(self, seq: int) -> bool:
        """Say whether the recorder's position is ``seq``."""
        return bool(self.history("status")["recorded_seq"] == seq)

    def record_all(self, database: Database) -> None:
        """Write the whole stream into an empty database in one batch: what a recorder must end with."""
        rows = Rows({})
        for frame in self.frames:
            rows.add_frame(frame, rows.batch.seq)
        database.write(rows.take())


def database_settings(dsn: str, schema: str) -> tuple[str, str]:
    """Return the overrides that make a recorder use a database."""
    return (f'recorder.database="{dsn}"', f"recorder.sql_schema={schema}")


def embedded_settings(folder: Path) -> tuple[str]:
    """Return the override that makes a recorder start its own database in a folder."""
    return (f"recorder.embedded_dir={folder}",)
