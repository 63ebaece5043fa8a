"""The archive: any past range of the stream, read from the journal's segments in a process of its own.

Invariant: nothing is replayed that is not known to be committed. Known is what the engine's stream has
shown (its newest head), and what a later record of the journal proves to have been synced; so with the
engine away and the archive just started, all but the journal's last record is served. It only reads:
whatever a peer asks, the engine notices nothing but the disk.

Of each peer one request waits, its newest; answers go out in bounded chunks of whole batches, and one
that a peer does not take is dropped: the peer asks again.
"""

import sys
from collections.abc import Sequence

import zmq

from bus.errors import Code, FormError, JournalError
from bus.frames import Head, decode_head
from bus.metrics import Meters
from bus.query_frames import Replay, Replayed, decode_replay, encode_replayed, peek_request_id
from bus.service import Host, run
from engine.disk import Disk, OsDisk
from engine.journal_reader import JournalReader

REQUEST_BYTES_MAX = 4_096
REQUESTS_PER_STEP_MAX = 256
ANSWERS_PER_STEP_MAX = 16
ANSWERS_PER_PEER_MAX = 4
PROOF_RECORDS_MAX = 64


class Replayer:
    """What the archive knows and answers, without sockets.

    Parameters
    ----------
    disk, folder
        The journal.
    chunk_bytes_max
        Size of one answer's frames (one whole batch at least).

    Attributes
    ----------
    head
        The newest head of the stream that was heard; None until the first.
    """

    def __init__(self, disk: Disk, folder: str, *, chunk_bytes_max: int, segments_open_max: int) -> None:
        self.head: Head | None = None
        self._disk = disk
        self._folder = folder
        self._chunk_bytes_max = chunk_bytes_max
        self._segments_open_max = segments_open_max
        self._proven_seq = 0
        self._reader = self._open()

    @property
    def committed_seq(self) -> int:
        """The last seq known to be committed."""
        return max(self._shown_seq, self._proven_seq)

    def close(self) -> None:
        """Close the journal's files."""
        self._reader.close()

    def hear(self, head: Head) -> None:
        """Take in the newest head of the stream. A new epoch may have cut an unsynced tail: read anew."""
        known = self.head
        self.head = head
        if known is not None and (known.venue_id, known.epoch) != (head.venue_id, head.epoch):
            self._reopen()

    def answer(self, request: Replay) -> Replayed:
        """Return the answer to a request; never raises for what is asked or found.

        O(log n) to find the place once its segment has been walked, O(segment) the first time.
        """
        try:
            return self._answer(request)
        except JournalError as error:
            self._reopen()
            return self._refusal(request, error.code, error.detail)

    def _answer(self, request: Replay) -> Replayed:
        from_seq = request.from_seq
        if self._reader.venue_id is None or from_seq > self.committed_seq:
            self._prove(from_seq)
        ours = self._reader.venue_id
        if ours is not None and ours != request.venue_id:
            detail = f"expected venue {ours.hex()}, was {request.venue_id.hex()}"
            return self._refusal(request, Code.STREAM_OTHER_VENUE, detail)
        committed_seq = self.committed_seq
        if from_seq > committed_seq + 1 and not self._reader.read_from(from_seq - 1, 1):
            # What the stream showed was written before: who asks from there has seen a journal that is gone.
            detail = f"expected a seq that the journal reaches, was {from_seq}"
            return self._refusal(request, Code.STREAM_REWOUND, detail)
        bytes_max = min(request.bytes_max, self._chunk_bytes_max)
        records = self._reader.read_from(from_seq, bytes_max, until_seq=committed_seq)
        if not records and from_seq <= committed_seq:
            detail = f"expected seq {from_seq}, which the stream has shown, in {self._folder}, was none"
            raise JournalError(Code.JOURNAL_SEGMENT_MISSING, detail)
        frames = [bytes(record.events) for record in records]
        return Replayed(request.request_id, Code.OK, "", committed_seq, frames)

    @property
    def _shown_seq(self) -> int:
        """What the stream has shown, if it is the stream of this journal."""
        head = self.head
        if head is None or self._reader.venue_id not in (None, head.venue_id):
            return 0
        return head.last_seq

    def _prove(self, from_seq: int) -> None:
        """Learn from later records that those from ``from_seq`` on were synced."""
        for count, record in enumerate(self._reader.records(from_seq), start=1):
            self._proven_seq = max(self._proven_seq, record.durable_seq)
            if count == PROOF_RECORDS_MAX:
                break

    def _refusal(self, request: Replay, code: Code, detail: str) -> Replayed:
        return Replayed(request.request_id, code, detail, self.committed_seq, ())

    def _reopen(self) -> None:
        self._reader.close()
        self._proven_seq = 0
        self._reader = self._open()

    def _open(self) -> JournalReader:
        return JournalReader(self._disk, self._folder, segments_open_max=self._segments_open_max)


class Archive:
    """The component: requests in, chunks out."""

    def __init__(self, host: Host) -> None:
        settings = host.settings.archive
        self._host = host
        self._requests_max = settings.requests_queued_max
        self._replayer = Replayer(
            OsDisk(),
            host.settings.journal.dir,
            chunk_bytes_max=settings.chunk_bytes_max,
            segments_open_max=settings.segments_open_max,
        )
        meters = Meters(host.registry, "archive")
        self._answered = meters.counts("answers_total", "Requests answered, by code.", "code")
        self._dropped = meters.counts("dropped_total", "Messages and answers dropped, by reason.", "reason")
        self._bytes = meters.counter("replayed_bytes_total", "Bytes of frames replayed.")
        self._frames = meters.counter("replayed_frames_total", "Frames replayed.")
        meters.gauge("committed_seq", "Last seq known to be committed.", lambda: self._replayer.committed_seq)
        meters.gauge("requests_waiting", "Requests not yet answered.", lambda: len(self._waiting))
        self._waiting: dict[bytes, Replay] = {}
        # Only the newest head counts, so nothing but that is kept or woken up for.
        self._stream = host.connect("engine_stream", "SUB", topics=[b""], conflate=True)
        limits = host.limits(sndhwm=ANSWERS_PER_PEER_MAX, message_bytes_max=REQUEST_BYTES_MAX)
        self._router = host.bind("archive", "ROUTER", limits, mandatory=True)

    def step(self, timeout_ms: int) -> None:
        """Take in requests and answer some of those that wait."""
        if not self._waiting:
            self._router.poll(timeout_ms)
        self._receive()
        self._hear()
        for _ in range(min(ANSWERS_PER_STEP_MAX, len(self._waiting))):
            peer = next(iter(self._waiting))
            self._send(peer, self._replayer.answer(self._waiting.pop(peer)))

    def close(self) -> None:
        """Close the journal's files; the host closes the sockets."""
        self._replayer.close()

    def health(self) -> dict[str, object]:
        """Return what is known to be committed, and of which epoch."""
        head = self._replayer.head
        return {
            "committed_seq": self._replayer.committed_seq,
            "epoch": head.epoch if head is not None else 0,
            "requests_waiting": len(self._waiting),
        }

    def _receive(self) -> None:
        for _ in range(REQUESTS_PER_STEP_MAX):
            try:
                parts = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            peer = parts[0]
            try:
                request = decode_replay(parts[1] if len(parts) == 2 else b"")
            except FormError as error:
                self._refuse(peer, parts[-1], error)
                continue
            # A newer request of a peer takes the place of its older one: a flood costs one place.
            self._waiting.pop(peer, None)
            self._waiting[peer] = request
            if len(self._waiting) > self._requests_max:
                self._waiting.pop(next(iter(self._waiting)))
                self._dropped.add("too_many_requests")

    def _refuse(self, peer: bytes, data: bytes, error: FormError) -> None:
        self._host.hostile.warning("not a replay request", code=error.code.name, error=error.detail)
        request_id = peek_request_id(data)
        if request_id:
            self._send(peer, Replayed(request_id, error.code, error.detail, 0, ()))
        else:
            self._dropped.add("garbage")

    def _hear(self) -> None:
        try:
            data = self._stream.recv(zmq.NOBLOCK)
            self._replayer.hear(decode_head(data))
        except zmq.Again:
            return
        except FormError as error:
            self._dropped.add("garbage")
            self._host.hostile.warning("not a stream frame", code=error.code.name, error=error.detail)

    def _send(self, peer: bytes, answer: Replayed) -> None:
        if answer.code >= Code.STREAM_REWOUND:
            self._host.hostile.warning("replay refused", code=Code(answer.code).name, error=answer.detail)
        try:
            self._router.send_multipart([peer, encode_replayed(answer)], zmq.NOBLOCK)
        except zmq.ZMQError:
            # Gone, or not reading what it asked for.
            self._dropped.add("unsendable")
            return
        self._answered.add(Code(answer.code).name)
        self._frames.value += len(answer.frames)
        self._bytes.value += sum(map(len, answer.frames))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the archive until it is told to stop."""
    return run("archive", Archive, argv)


if __name__ == "__main__":
    sys.exit(main())
