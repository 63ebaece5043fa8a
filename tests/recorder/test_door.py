"""The history door: one answer each, whatever comes in, and never more waiting than the bound."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import zmq

from bus.codec import pack
from bus.errors import Code, Rejected, error_for
from bus.query_frames import Answer, Query, decode_reply, encode_query
from tests.poll import until
from tests.processes import Processes
from tests.recorder.feeder import Feeder

QUEUED_MAX = 8


@pytest.fixture
def venue(short_dir: Path) -> Iterator[Processes]:
    """An engine, an archive and a recorder with something in its database."""
    with Processes(short_dir, f"recorder.queries_queued_max={QUEUED_MAX}") as processes:
        processes.start_all(("engine", "archive", "recorder"))
        yield processes


def answered(socket: "zmq.Socket[bytes]") -> Answer:
    """Return the next answer."""
    until(lambda: socket.poll(0), 20, "an answer")
    answer = decode_reply(socket.recv())
    assert isinstance(answer, Answer)
    return answer


def test_answers_everything_and_survives_everything(venue: Processes) -> None:
    with Feeder(venue.settings(), seed=1) as feeder, zmq.Context() as context:
        feeder.send(5)
        seq = feeder.settle()
        until(lambda: feeder.recorded(seq), 30, "everything recorded")
        with context.socket(zmq.DEALER) as door:
            door.linger = 0
            door.connect(venue.settings().endpoints.recorder_query)
            _check_refusals(door)
            _check_garbage(door)
            _check_flood(door)
            door.send(encode_query(Query(7, "last_trades", ("BTC-USD", 0, 3))))
            answer = answered(door)
            assert (answer.request_id, answer.code, answer.seq) == (7, Code.OK, seq)
            assert len(answer.result) == 3
        with pytest.raises(Rejected) as refused:
            feeder.history("order", ("demo-1", 1, ""))
        assert refused.value.code == Code.UNKNOWN_ORDER
        assert venue.stop("recorder") == 0


def _check_refusals(door: "zmq.Socket[bytes]") -> None:
    for query, args, code in (
        ("nothing", (), Code.UNSUPPORTED_TYPE),
        ("status", (1,), Code.UNSUPPORTED_TYPE),
        ("last_trades", ("NO-MARKET", 0, 3), Code.UNKNOWN_MARKET),
        ("last_trades", ("BTC-USD", 0, 10**9), Code.OUT_OF_RANGE),
        ("last_trades", ("BTC-USD", 0, None), Code.WRONG_TYPE),
    ):
        door.send(encode_query(Query(3, query, args)))
        answer = answered(door)
        assert (answer.request_id, answer.code, answer.result) == (3, code, None)
        assert error_for(answer.code, answer.detail).detail


def _check_garbage(door: "zmq.Socket[bytes]") -> None:
    random = Random(1)
    whole = encode_query(Query(5, "last_trades", ("BTC-USD", 0, 3)))
    for _ in range(200):
        broken = bytearray(whole)
        broken[random.randrange(len(broken))] = random.randrange(256)
        door.send(bytes(broken))
        answered(door)
    for data in (b"", b"\xc1", pack([1, 3, 9]), pack([9, 3, 9, "status", []]), random.randbytes(1_000)):
        door.send(data)
        assert answered(door).code != Code.OK
    door.send_multipart([b"two", b"parts"])  # no request to answer: dropped


def _check_flood(door: "zmq.Socket[bytes]") -> None:
    count = 2_000
    for number in range(count):
        door.send(encode_query(Query(number, "last_trades", ("BTC-USD", 0, 100))))
    answers = [answered(door) for _ in range(count)]
    assert sorted(answer.request_id for answer in answers) == list(range(count))
    codes = {answer.code for answer in answers}
    assert codes == {Code.OK, Code.BUSY}
