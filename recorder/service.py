"""The recorder's process: stream in, batches into the database, history out.

Invariant: what is in the database is exactly the stream up to its position. Nothing is taken from the
stream beyond one batch while the database is gone; the stream then only listens, bounded, and has the
archive replay the rest later.
"""

import gc
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import zmq

from bus.errors import Code, HistoryError, ServiceError
from bus.metrics import SIZES, Meters
from bus.retry import Backoff
from bus.stream import Stream

from .batch import Batch
from .database import Database
from .embedded import EmbeddedPostgres
from .history import History
from .rows import Rows

if TYPE_CHECKING:
    from bus.service import Host

FRAMES_PER_POLL_MAX = 32
REQUEST_BYTES_MAX = 64 * 1024
RETRY_MS_MIN = 100
MS_NS = 1_000_000
S_NS = 1_000_000_000
TIDY_NS = 60 * S_NS


class Recorder:
    """The component that `bus.service.run` drives."""

    def __init__(self, host: "Host") -> None:
        settings = host.settings.recorder
        self._host = host
        self._log = host.log
        self._rows_max = settings.batch_rows_max
        self._flush_ns = settings.flush_ms * MS_NS
        self._embedded = None if settings.database else EmbeddedPostgres(Path(settings.embedded_dir))
        self._database = Database(self._find, settings.sql_schema, host.log)
        self._meters = Meters(host.registry, "recorder")
        self._stream: Stream | None = None
        self._rows = Rows({})
        self._waiting: Batch | None = None
        self._collecting_since_ns = 0
        self._backoff = Backoff(RETRY_MS_MIN, int(settings.retry_s_max * 1_000), Random())
        self._connect_at_ns = 0
        self._poller = zmq.Poller()
        router = host.bind(
            "recorder_query", "ROUTER", host.limits(message_bytes_max=REQUEST_BYTES_MAX), mandatory=True
        )
        self._history = History(
            router,
            self._database,
            self.health,
            queued_max=settings.queries_queued_max,
            rows_max=settings.query_rows_max,
            meters=self._meters,
            hostile=host.hostile,
        )
        self._poller.register(router, zmq.POLLIN)
        self._show()
        self._reconnect()
        # A batch is tens of thousands of small objects without cycles: looking through them again and
        # again costs as much as making them.
        self._tidied_ns = time.monotonic_ns()
        gc.collect()
        gc.freeze()
        gc.disable()

    def step(self, timeout_ms: int) -> None:
        """Reconnect, collect, write, answer: each when due."""
        if not self._database.is_open and time.monotonic_ns() >= self._connect_at_ns:
            self._reconnect()
        self._poller.poll(self._pause_ms(timeout_ms))
        self._history.turn(self._rows.markets)
        self._collect()
        if self._is_due():
            self._write()
        elif not self._rows.batch.events and time.monotonic_ns() - self._tidied_ns > TIDY_NS:
            self._tidied_ns = time.monotonic_ns()
            gc.collect()

    def close(self) -> None:
        """Write what is collected and end; the embedded server ends too."""
        gc.enable()
        if not self._host.failing and self._database.is_open:
            self._write()
        if self._stream is not None:
            self._stream.close()
        self._database.close()
        if self._embedded is not None:
            self._embedded.stop()

    def health(self) -> dict[str, object]:
        """Return where the recording is."""
        at = self._database.position
        kind = "timescaledb" if self._database.has_timescale else "postgresql"
        return {
            "database": kind if self._database.is_open else "gone",
            "recorded_seq": at.seq if at else 0,
            "lag_events": self._lag_events(),
            "lag_ms": int(self._lag_s() * 1_000),
        }

    def _find(self) -> str:
        """Return the database's connection string; the embedded server runs afterwards."""
        if self._embedded is None:
            return self._host.settings.recorder.database
        self._embedded.start()
        return self._embedded.dsn

    def _reconnect(self) -> None:
        """Try to open the database; go on from where it is."""
        before = self._database.position
        try:
            self._database.open()
            if self._stream is None:
                self._rows = Rows(self._database.markets())
        except HistoryError as error:
            pause_ns = self._backoff.next_ns()
            self._connect_at_ns = time.monotonic_ns() + pause_ns
            self._log.warning("database gone", error=error.detail, again_in_ms=pause_ns // MS_NS)
            self._failures.value += 1
            return
        self._backoff.reset()
        at = self._database.position
        if self._stream is None:
            self._stream = Stream.connect(self._host, position=at, from_start=at is None, meters=self._meters)
            for socket in self._stream.sockets:
                self._poller.register(socket, zmq.POLLIN)
        elif self._waiting is not None and at is not None and at.seq == self._waiting.seq:
            self._waiting = None  # its commit had succeeded, only the answer was lost
        elif at != before:
            raise ServiceError(
                Code.COMPONENT_FAILED,
                f"expected the database at {before}, was at {at}; a new start goes on from there",
            )
        self._log.info("recording", **self.health())

    def _collect(self) -> None:
        """Take frames from the stream up to one batch; with a batch that cannot be written, only listen."""
        stream = self._stream
        if stream is None:
            return
        is_full = self._waiting is not None or self._rows.batch.rows >= self._rows_max
        for applied in stream.poll(frames_max=0 if is_full else FRAMES_PER_POLL_MAX):
            if not self._rows.batch.events:
                self._collecting_since_ns = time.monotonic_ns()
            self._rows.add_frame(applied.frame, applied.after_seq)

    def _is_due(self) -> bool:
        """Say whether there is a batch that is full or has waited long enough."""
        if not self._database.is_open:
            return False
        batch = self._rows.batch
        return self._waiting is not None or (
            batch.events > 0
            and (
                batch.rows >= self._rows_max
                or time.monotonic_ns() - self._collecting_since_ns >= self._flush_ns
            )
        )

    def _write(self) -> None:
        """Write the batch; when the database goes, keep it until it is known what became of it."""
        if self._waiting is None:
            if not self._rows.batch.events:
                return
            self._waiting = self._rows.take()
        batch, began_ns = self._waiting, time.monotonic_ns()
        try:
            self._database.write(batch)
        except HistoryError as error:
            self._log.warning("database gone", error=error.detail)
            self._failures.value += 1
            self._connect_at_ns = time.monotonic_ns() + self._backoff.next_ns()
            return
        self._waiting = None
        self._write_s.observe((time.monotonic_ns() - began_ns) / S_NS)
        self._batch_events.observe(batch.events)
        self._events.value += batch.events
        self._written_rows.value += batch.rows

    def _pause_ms(self, timeout_ms: int) -> int:
        """Return how long the loop may wait for a message."""
        if self._history.waiting:
            return 0
        if not self._database.is_open:
            due_ms = (self._connect_at_ns - time.monotonic_ns()) // MS_NS + 1
            return max(0, min(timeout_ms, due_ms))
        if self._waiting is not None or (self._stream is not None and self._stream.pending):
            return 0
        if self._rows.batch.events:
            due_ms = (self._collecting_since_ns + self._flush_ns - time.monotonic_ns()) // MS_NS + 1
            return max(0, min(timeout_ms, due_ms))
        return timeout_ms

    def _lag_events(self) -> int:
        head = self._stream.live_head if self._stream is not None else None
        at = self._database.position
        return max(0, head.last_seq - (at.seq if at else 0)) if head else 0

    def _lag_s(self) -> float:
        """Return the age of the newest event recorded, while there are newer ones."""
        if not self._lag_events():
            return 0.0
        return max(0.0, (time.time_ns() - self._database.time_ns) / S_NS) if self._database.time_ns else 0.0

    def _show(self) -> None:
        """Register the metrics."""
        meters = self._meters
        self._events = meters.counter("events_total", "Events recorded.")
        self._written_rows = meters.counter("rows_total", "Rows written.")
        self._failures = meters.counter("database_failures_total", "Times that the database was gone.")
        self._batch_events = meters.histogram("batch_events", "Events in a transaction.", SIZES)
        self._write_s = meters.histogram("write_seconds", "Time of a transaction.")
        meters.gauge("lag_events", "Events committed by the engine and not recorded.", self._lag_events)
        meters.gauge("lag_seconds", "Age of the newest event recorded, 0 when it is the last.", self._lag_s)
        meters.gauge("database_up", "1 with a connection.", lambda: self._database.is_open)
        at = self._database
        meters.gauge("recorded_seq", "Position.", lambda: at.position.seq if at.position else 0)
