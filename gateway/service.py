"""The gateway's process: sockets and the loop around the pure desk.

Invariant: clients are answered from the stream alone, so a gateway that has not joined it takes no command,
and one that restarts owes nothing to memory. Every socket is read without waiting, a bounded number of
messages a turn, so that no peer keeps another from being served.
"""

import gc
import secrets
import time

import zmq

from bus.codec import decode_event
from bus.events import KeyCreated
from bus.metrics import Meters
from bus.query_frames import Answer
from bus.service import Host
from bus.stream import Position, Stream

from .desk import Desk, Engine
from .limits import limits_of
from .meters import GatewayMeters
from .socket_doors import SocketDoors

MESSAGES_PER_TURN_MAX = 256
REQUESTS_PER_TURN_MAX = 2_048
"""Requests after which a turn takes no further message: answers must not wait for a crowd of askers."""
KEEP_TIME_NS = 20_000_000
OPENING_MS = 5
MS_NS = 1_000_000
YOUNG_OBJECTS_MAX = 100_000


class GatewayService:
    """One gateway: joins the stream, then serves clients until stopped."""

    def __init__(self, host: Host) -> None:
        self._host = host
        settings = host.settings
        self._silence_ns = settings.stream.silence_ms_max * MS_NS
        meters = Meters(host.registry, "gateway")
        self._meters = GatewayMeters(meters)
        self._doors = SocketDoors(host)
        # 1 to 2^62−1; 0 is the engine itself.
        gateway = secrets.randbits(62) or 1
        self.desk = Desk(gateway, limits_of(settings), self._doors, self._meters)
        self._stream = Stream.connect(host, meters=meters)
        self._joining = False
        self._gap_since_ns: int | None = None
        self._kept_ns = 0
        self._poller = zmq.Poller()
        for socket in (self._doors.clients, self._doors.asker.socket, *self._stream.sockets):
            self._poller.register(socket, zmq.POLLIN)
        self._show(meters)
        gc.collect()
        gc.freeze()
        # What lives long here is acyclic; looking for cycles in it every 700 objects would stall the loop.
        gc.set_threshold(YOUNG_OBJECTS_MAX, 50, 50)

    def step(self, timeout_ms: int) -> None:
        """Wait for something to do, then do a bounded amount of it."""
        desk = self.desk
        wait_ms = 0 if self._stream.pending else min(timeout_ms, OPENING_MS if desk.flow.opening else 20)
        ready = dict(self._poller.poll(wait_ms))
        mono_ns = time.monotonic_ns()
        desk.turn(mono_ns, time.time_ns())
        for applied in self._stream.poll(mono_ns):
            frame = applied.frame
            head = frame.head
            desk.apply(frame.transactions, applied.after_seq, head.last_seq, head.epoch, head.now_ns)
        desk.engine = self._engine_state(mono_ns)
        if self._doors.clients in ready:
            self._drain()
        self._doors.take_answers(mono_ns)
        desk.end_of_drain()
        if mono_ns - self._kept_ns >= KEEP_TIME_NS:
            self._kept_ns = mono_ns
            desk.keep_time()
            desk.end_of_drain()
        if ready:
            self._meters.turn.observe((time.monotonic_ns() - mono_ns) / 1e9)

    def health(self) -> dict[str, object]:
        """Return what ``/health`` shows."""
        desk = self.desk
        return {
            "engine": desk.engine.value,
            "epoch": desk.flow.epoch,
            "seq": desk.seq,
            "lag_events": self._stream.lag_events,
            "sessions": len(desk.sessions),
            "in_flight": desk.flow.in_flight,
            "links": [lane.state.value for lane in desk.flow.lanes],
        }

    def close(self) -> None:
        """Stop: clients find the connection gone and log on elsewhere; nothing is kept here."""
        for session in self.desk.sessions:
            self.desk.end(session, "stopped")
        self._stream.close()
        self._doors.close()

    def _drain(self) -> None:
        clients, receive = self._doors.clients, self.desk.receive
        requests = 0
        for _ in range(MESSAGES_PER_TURN_MAX):
            try:
                parts = clients.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            # Anything but one part is no message of ours; empty bytes are refused as such.
            requests += receive(parts[0], parts[1] if len(parts) == 2 else b"")
            if requests >= REQUESTS_PER_TURN_MAX:
                return

    def _engine_state(self, mono_ns: int) -> Engine:
        """Judge the engine by its stream; begin following it once it is heard."""
        stream = self._stream
        if stream.joined:
            self._gap_since_ns = None
        elif self._gap_since_ns is None:
            self._gap_since_ns = mono_ns
        if self.desk.engine is Engine.STARTING:
            if stream.live_head is not None and stream.position is None and not self._joining:
                self._begin()
            return Engine.LINKING if stream.joined else Engine.STARTING
        if self.desk.engine is Engine.LINKING and not self.desk.flow.open:
            return Engine.LINKING
        in_gap_ns = mono_ns - self._gap_since_ns if self._gap_since_ns is not None else 0
        silent = stream.silent_ms(mono_ns) * MS_NS > self._silence_ns or in_gap_ns > self._silence_ns
        return Engine.SILENT if silent else Engine.JOINED

    def _begin(self) -> None:
        """Take the keys as of a seq, then follow the stream from there."""
        self._joining = True

        def told(answer: Answer | None) -> None:
            if answer is not None and answer.code == 0:
                self.desk.journal_sync = str(answer.result.get("journal_sync", ""))
                self._doors.ask_whole("keys", (), got_keys)
            else:
                self._joining = False

        def got_keys(answer: Answer | None) -> None:
            if answer is None or answer.code:
                self._joining = False
                return
            events = [decode_event(raw) for raw in answer.result]
            self.desk.logons.set_keys(key for key in events if isinstance(key, KeyCreated))
            self.desk.flow.epoch = answer.epoch
            self._stream.start_at(Position(answer.venue_id, answer.engine, answer.epoch, answer.seq))
            self._host.log.info("following the stream", seq=answer.seq, epoch=answer.epoch, keys=len(events))

        self._doors.ask_whole("status", (), told)

    def _show(self, meters: Meters) -> None:
        desk, flow, queries = self.desk, self.desk.flow, self.desk.queries
        meters.gauge("sessions", "Sessions.", lambda: len(desk.sessions))
        meters.gauge("logons_pending", "Log-ons under way.", lambda: desk.logons.pending)
        meters.gauge("in_flight", "Commands not yet seen in the stream.", lambda: flow.in_flight)
        meters.gauge("queries_in_flight", "Queries not yet answered.", lambda: queries.in_flight)
        meters.gauge("private_accounts", "Accounts whose events are kept.", lambda: len(desk.private))
        meters.gauge("engine_joined", "1 when commands are taken.", lambda: desk.engine is Engine.JOINED)
        meters.gauge("seq", "Newest seq applied.", lambda: desk.seq)
