"""An engine as far as its journal and its stream go: whole frames, synced, then published."""

from pathlib import Path
from types import TracebackType

import zmq

from bus import sockets
from bus.codec import encode_event
from bus.events import Deposited, EngineStarted
from bus.frames import Head, decode_head, encode_events_frame
from engine.disk import OsDisk
from engine.journal import Journal, SyncPolicy

VENUE = bytes(range(16))
OTHER_VENUE = bytes(range(1, 17))
ENGINE = "engine-1"
SEGMENT_BYTES = 16_384

Context = zmq.Context[zmq.Socket[bytes]]


class Writer:
    """Writes a journal folder (and publishes it, where ``publish`` gives a context and an endpoint).

    The first batch of an epoch begins with EngineStarted; every other event is a deposit whose amount is
    its seq.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sync: SyncPolicy = "always",
        publish: tuple[Context, str] | None = None,
        sndhwm: int = 10_000,
    ) -> None:
        self.folder = folder
        self.epoch = 0
        self._sync = sync
        self._begins = True
        self._pub: zmq.Socket[bytes] | None = None
        if publish is not None:
            limits = sockets.Limits(sndhwm=sndhwm, linger_ms=0)
            self._pub, _endpoint = sockets.bind(publish[0], "PUB", publish[1], limits)
        self.journal = self._open()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.journal.close()
        if self._pub is not None:
            self._pub.close()

    @staticmethod
    def head_of(frame: bytes) -> Head:
        """Return the head of a frame."""
        return decode_head(frame)

    @property
    def last_seq(self) -> int:
        """The last seq written."""
        return self.journal.last_seq

    @property
    def head(self) -> Head:
        """The head of a heartbeat sent now."""
        return Head(VENUE, ENGINE, self.epoch, self.last_seq + 1, self.last_seq, self.last_seq)

    def restart(self) -> bytes:
        """Begin the next epoch and write its first batch."""
        self.journal.close()
        self.journal = self._open()
        return self.write(1)

    def write(self, events: int, *, sync: bool = True) -> bytes:
        """Write one batch and publish it; return its frame."""
        first_seq, last_seq = self.last_seq + 1, self.last_seq + events
        encoded = [
            encode_event(Deposited("alice", seq, "BTC", seq)) for seq in range(first_seq, last_seq + 1)
        ]
        if self._begins:
            encoded[0] = encode_event(EngineStarted(self.epoch, 1))
            self._begins = False
        head = Head(VENUE, ENGINE, self.epoch, first_seq, last_seq, first_seq)
        frame = encode_events_frame(head, [(first_seq, 0, 0, 0, encoded)])
        self.journal.append(
            b"", frame, first_seq=first_seq, last_seq=last_seq, now_ns=first_seq, rules_version=1
        )
        if sync:
            self.journal.sync()
        self.publish(frame)
        return frame

    def publish(self, frame: bytes) -> None:
        """Send something to the subscribers."""
        if self._pub is not None:
            self._pub.send(frame)

    def heartbeat(self) -> None:
        """Publish a heartbeat."""
        self.publish(encode_events_frame(self.head, ()))

    def _open(self) -> Journal:
        self.epoch += 1
        self._begins = True
        return Journal.open(
            OsDisk(),
            str(self.folder),
            engine=ENGINE,
            new_venue_id=VENUE,
            sync=self._sync,
            segment_bytes=SEGMENT_BYTES,
        )
