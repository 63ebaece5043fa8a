"""The engine's process: sockets and the loop around the pure exchange.

Invariant: durable before visible. A batch is executed, journalled in one record and synced; only then is
it published, and only the published stream acknowledges. If the journal fails, nothing of the batch
leaves and nothing more is executed.
"""

import gc
import os
import time
from collections.abc import Sequence
from itertools import islice

import zmq

from bus import compiled
from bus.commands import INT_MAX, Continue, Lane, StartEngine
from bus.errors import Code, FormError, JournalError, Rejected, SettingsError, ZeropitError
from bus.frames import CommandsFrame, Head, decode_commands_frame, encode_events_frame
from bus.query_frames import Answer, decode_query, encode_answer
from bus.service import Host
from bus.settings import seed_path

from .batch import INTERNAL, Batch
from .disk import OsDisk
from .gauges import EngineMeters
from .queries import Queries
from .recovery import recover, write_clean_snapshot
from .seed import read_seed, seed_commands
from .state import RULES_VERSION, Limits

_STEPS_PER_BATCH_MAX = 64
"""Steps of work due by time in one batch, before its commands; of other work, one."""

_YOUNG_OBJECTS_MAX = 50_000
_SECOND_NS = 1_000_000_000


class EngineService:
    """One engine: recovers, then executes, journals, publishes and answers until stopped."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._settings = settings = host.settings.engine
        self._folder = host.settings.journal.dir
        self._disk = OsDisk()
        self._started_ns = time.time_ns()
        self._recover()
        self.meters = EngineMeters(host.registry, self._journal, self._exchange)
        control_limits = host.limits(message_bytes_max=settings.frame_bytes_max)
        self._control = host.bind("engine_control", "PULL", control_limits)
        self._orders = host.bind("engine_commands", "PULL", control_limits)
        self._query = host.bind("engine_query", "ROUTER", control_limits)
        self._stream = host.bind("engine_stream", "PUB", host.limits(sndhwm=settings.stream_hwm))
        self._poller = zmq.Poller()
        for socket in (self._control, self._orders, self._query):
            self._poller.register(socket, zmq.POLLIN)
        self._queries = Queries(
            self._exchange, settings.image_page_entries_max, settings.images_max,
            int(settings.image_ttl_s * _SECOND_NS), self._facts,
        )  # fmt: skip
        self._last_published_ns = 0
        self._supply_error = ""
        self._preparing = False
        self._start_epoch()
        gc.collect()
        gc.freeze()
        gc.disable()

    def _recover(self) -> None:
        found = self._host.settings
        began_s = time.monotonic()
        recovered = recover(
            self._disk, self._folder, engine=found.engine.name, new_venue_id=os.urandom(16),
            now_ns=self._started_ns, clock_behind_s_max=found.engine.clock_behind_s_max,
            sync=found.journal.sync, sync_interval_ns=found.journal.sync_interval_ms * 1_000_000,
            segment_bytes=found.journal.segment_bytes,
        )  # fmt: skip
        self._journal, self._exchange = recovered.journal, recovered.exchange
        for problem in recovered.problems:
            self._host.log.warning("snapshot skipped", code=problem.code.name, error=problem.detail)
        scan = self._journal.scan
        if scan is not None and scan.cut is not None:
            self._host.log.warning("unsynced tail cut", **_cut_fields(scan.cut))
        self._host.log.info(
            "recovered", venue=self._journal.venue_id.hex(), seq=self._exchange.next_seq - 1,
            snapshot_seq=recovered.snapshot_seq, records=recovered.records_executed,
            seconds=round(time.monotonic() - began_s, 3), sync=self._journal.sync_policy,
            core=compiled.mode,
        )  # fmt: skip

    def _start_epoch(self) -> None:
        """Begin the next epoch: the first batch of this process, with the seed on a venue's first start."""
        first = self._exchange.next_seq == 1
        batch = self._new_batch()
        epoch = self._exchange.state.epoch + 1
        batch.take_internal(StartEngine(epoch, RULES_VERSION, self._limits().as_wire()))
        path = seed_path(self._host.settings) if first else None
        if path is not None:
            self._seed(batch, path)
        self._commit(batch)
        self._host.log.info("epoch started", epoch=epoch, seq=self._exchange.next_seq - 1)

    def _seed(self, batch: Batch, path: os.PathLike[str]) -> None:
        seed = read_seed(path)  # type: ignore[arg-type]
        valid_until_ns = batch.now_ns + _SECOND_NS
        iterations = self._host.settings.gateway.scram_iterations
        for command in seed_commands(seed, valid_until_ns, iterations, lambda: os.urandom(16)):
            batch.take_internal(command)
        if batch.rejects:
            codes = ", ".join(Code(code).name for code in batch.rejects)
            raise SettingsError(f"seed.file: expected a seed that can be carried out, was refused: {codes}")

    def _limits(self) -> Limits:
        found = self._settings
        return Limits(
            events_per_transaction_max=found.events_per_transaction_max,
            fills_per_order_max=found.fills_per_order_max,
            ids_per_account_max=found.ids_per_account_max,
            open_orders_per_account_max=found.open_orders_per_account_max,
            command_validity_ns_max=found.command_validity_s_max * _SECOND_NS,
            links_max=found.links_max,
            follow_ups_per_command_max=found.follow_ups_per_command_max,
            trailing_per_market_max=found.trailing_per_market_max,
            indication_interval_ns=found.indication_interval_ms * 1_000_000,
        )

    def step(self, timeout_ms: int) -> None:
        """Wait for work, then do one batch, some queries, and a heartbeat if nothing was published."""
        wait_ms = 0 if self._preparing else self._due_in_ms(min(timeout_ms, self._settings.heartbeat_ms))
        ready = dict(self._poller.poll(wait_ms))
        if self._orders in ready or self._control in ready or not self._due_in_ms(1):
            self._run_batch(control=self._control in ready)
        else:
            self._preparing = self._journal.prepare_step(idle=True)
            if not self._preparing:
                self._rest()
        self._watch_supply()
        if self._query in ready:
            self._answer_queries()
        if time.time_ns() - self._last_published_ns >= self._settings.heartbeat_ms * 1_000_000:
            self._heartbeat()

    def _due_in_ms(self, most_ms: int) -> int:
        """Return how long the exchange can wait for its next `Continue`, rounded up; at most ``most_ms``."""
        due_ns = self._exchange.next_due_ns()
        if due_ns < 0:
            return most_ms
        return max(0, min(most_ms, -((time.time_ns() - due_ns) // 1_000_000)))

    def _watch_supply(self) -> None:
        """Say once when the next segment cannot be prepared: about one segment before it must be there."""
        error = str(self._journal.supply.error or "")
        if error != self._supply_error:
            self._supply_error = error
            if error:
                self._host.log.error("next journal segment cannot be prepared", error=error)

    def _run_batch(self, control: bool) -> None:
        found = self._settings
        batch = self._new_batch()
        began_ns = time.perf_counter_ns()
        for _ in range(found.control_frames_max if control else 0):
            if not self._take_next(batch, self._control, Lane.CONTROL):
                break
        for step in range(_STEPS_PER_BATCH_MAX):
            due_ns = self._exchange.next_due_ns()
            if due_ns < 0 or due_ns > batch.now_ns or (step and not due_ns):
                break
            batch.take_internal(Continue())
        for _ in range(found.batch_frames_max):
            if batch.commands >= found.batch_commands_max or batch.events >= found.batch_events_max:
                break
            if not self._take_next(batch, self._orders, Lane.ORDERS):
                break
        if not batch.commands:
            return
        executed_ns = time.perf_counter_ns()
        self._commit(batch)
        self.meters.batch(batch, began_ns, executed_ns, time.perf_counter_ns())
        self._journal.prepare_step(idle=False)
        if gc.get_count()[0] > _YOUNG_OBJECTS_MAX:
            # Everything young is state that lives on or is freed by count: looking through it for
            # cycles would stall the loop for milliseconds and find none.
            gc.freeze()

    def _take_next(self, batch: Batch, socket: "zmq.Socket[bytes]", lane: int) -> bool:
        """Execute the next frame of a lane into the batch; return False when none is there."""
        try:
            data = socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return False
        if socket.getsockopt(zmq.RCVMORE):
            while socket.getsockopt(zmq.RCVMORE):
                socket.recv()
            self._drop("expected one part, was several")
            return True
        try:
            frame = decode_commands_frame(data, self._settings.commands_per_frame_max)
            _check_origin(frame, lane)
        except FormError as error:
            self._drop(error.detail)
            return True
        batch.take(data, frame)
        return True

    def _drop(self, detail: str) -> None:
        self.meters.frames_dropped.value += 1
        self._host.hostile.warning("frame dropped", error=detail)

    def _new_batch(self) -> Batch:
        now_ns = max(time.time_ns(), self._exchange.state.now_ns)
        return Batch(self._exchange, self._journal.venue_id, self._journal.engine, now_ns)

    def _commit(self, batch: Batch) -> None:
        """Journal the batch, sync, and only then publish it."""
        events = batch.events_bytes()
        self._journal.append(
            batch.commands_bytes(),
            events,
            first_seq=batch.first_seq,
            last_seq=batch.last_seq,
            now_ns=batch.now_ns,
            rules_version=RULES_VERSION,
        )
        self._journal.sync()
        self._stream.send(events)
        self._last_published_ns = time.time_ns()

    def _heartbeat(self) -> None:
        now_ns = max(time.time_ns(), self._exchange.state.now_ns)
        next_seq = self._exchange.next_seq
        journal = self._journal
        head = Head(
            journal.venue_id, journal.engine, self._exchange.state.epoch, next_seq, next_seq - 1, now_ns
        )
        self._stream.send(encode_events_frame(head, ()))
        self._last_published_ns = time.time_ns()
        self.meters.clock(now_ns - self._last_published_ns)

    def _rest(self) -> None:
        """Nothing to do: sync what a lax policy left, and look for cycles while that is cheap."""
        self._journal.sync(time.time_ns())
        if gc.get_count()[0] < _YOUNG_OBJECTS_MAX:
            gc.collect(0)
        gc.freeze()

    def _answer_queries(self) -> None:
        for _ in range(self._settings.queries_per_turn_max):
            try:
                parts = self._query.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self.meters.queries.value += 1
            reply = self._reply_to(parts)
            if reply is not None:
                # A peer that is gone or does not read loses its answer; ROUTER drops it.
                self._query.send_multipart((parts[0], reply), zmq.NOBLOCK)

    def _reply_to(self, parts: Sequence[bytes]) -> bytes | None:
        journal, state = self._journal, self._exchange.state
        request_id, code, detail, seq, result = 0, 0, "", state.next_seq - 1, None
        try:
            if len(parts) != 2:
                raise FormError(Code.MALFORMED, f"expected one part, was {len(parts) - 1}")
            query = decode_query(parts[1])
            request_id = query.request_id
            seq, result = self._queries.answer(query.query, tuple(query.args), time.time_ns())
        except ZeropitError as error:
            if not isinstance(error, Rejected):  # An order that is not open any more is an ordinary answer.
                self._host.hostile.warning("query refused", error=str(error))
            code, detail = int(error.code), error.detail
        return encode_answer(
            Answer(
                request_id,
                code,
                detail,
                journal.venue_id,
                journal.engine,
                state.epoch,
                seq,
                state.now_ns,
                result,
            )
        )

    def _facts(self) -> dict[str, object]:
        state = self._exchange.state
        return {
            "ids": sum(len(account.ids) for account in islice(state.accounts.values(), 10_000)),
            "journal_sync": self._journal.sync_policy,
            "started_ns": self._started_ns,
        }

    def health(self) -> dict[str, object]:
        """Return what ``/health`` shows."""
        state = self._exchange.state
        return {
            "venue": self._journal.venue_id.hex(),
            "epoch": state.epoch,
            "seq": state.next_seq - 1,
            "orders": len(state.orders),
            "core": compiled.mode,
            "journal_sync": self._journal.sync_policy,
            "journal_failed": self._journal.failed,
            "journal_next_segment": self._journal.supply.error or "ok",
        }

    def close(self) -> None:
        """Stop; after an orderly run, write the snapshot that the next start begins with."""
        gc.enable()
        if not self._host.failing and not self._journal.failed:
            try:
                path = write_clean_snapshot(
                    self._disk, self._folder, self._journal, self._exchange,
                    self._host.settings.journal.snapshots_kept,
                )  # fmt: skip
                self._host.log.info("snapshot written", path=path, seq=self._exchange.next_seq - 1)
            except JournalError as error:
                self._host.log.error("no snapshot", code=error.code.name, error=error.detail)
        self._journal.close()


def _check_origin(frame: CommandsFrame, lane: int) -> None:
    if frame.gateway == INTERNAL or frame.lane != lane or frame.first_number > INT_MAX - len(frame.items):
        raise FormError(
            Code.OUT_OF_RANGE,
            f"expected a gateway from 1, lane {lane}, was gateway {frame.gateway}, lane {frame.lane}",
        )


def _cut_fields(cut: object) -> dict[str, object]:
    return {name: getattr(cut, name) for name in ("file", "offset", "size_bytes", "first_seq")}
