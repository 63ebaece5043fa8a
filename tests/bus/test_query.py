"""Asking over real sockets: every question ends once, in bounded time, and garbage harms nobody."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from bus import sockets
from bus.errors import Code, FormError, Rejected, ServiceError, SessionError
from bus.query import Asker, Reply, ask
from bus.query_frames import (
    Answer,
    Query,
    Replay,
    Replayed,
    decode_query,
    decode_replay,
    decode_reply,
    encode_answer,
    encode_query,
    encode_replay,
    encode_replayed,
    peek_request_id,
)
from bus.settings import load
from tests.poll import until

Context = zmq.Context[zmq.Socket[bytes]]
VENUE = bytes(range(16))
SECOND_NS = 1_000_000_000


def answer_to(query: Query, *, code: int = 0, result: object = None) -> Answer:
    return Answer(query.request_id, code, "expected X, was Y" if code else "", VENUE, "e", 1, 9, 10, result)


class Server:
    """A ROUTER that answers when it is told to."""

    def __init__(self, context: Context, endpoint: str) -> None:
        self.socket, self.endpoint = sockets.bind(context, "ROUTER", endpoint)

    def receive(self) -> tuple[bytes, Query]:
        assert self.socket.poll(10_000)
        peer, data = self.socket.recv_multipart()
        return peer, decode_query(data)

    def send(self, peer: bytes, answer: Answer) -> None:
        self.socket.send_multipart([peer, encode_answer(answer)])


class Peers:
    """Both ends, to be closed at the end of the test."""

    def __init__(self, folder: Path) -> None:
        self.context: Context = zmq.Context()
        self._endpoint = f"ipc://{folder}/s"
        self._sockets: list[zmq.Socket[bytes]] = []

    def server(self) -> Server:
        server = Server(self.context, self._endpoint)
        self._sockets.append(server.socket)
        return server

    def asker(self, in_flight_max: int = 100) -> Asker:
        socket = sockets.connect(self.context, "DEALER", self._endpoint, immediate=True)
        self._sockets.append(socket)
        settings = load(overrides=["stream.retry_ms_min=1", "stream.retry_ms_max=20"]).stream
        return Asker(socket, settings, in_flight_max=in_flight_max, random=Random(1))

    def close(self) -> None:
        for socket in self._sockets:
            socket.close(linger=0)
        self.context.term()


@pytest.fixture
def peers(short_dir: Path) -> Iterator[Peers]:
    made = Peers(short_dir)
    yield made
    made.close()


def replies_of(asker: Asker) -> list[Reply]:
    return until(asker.poll, what="a reply")


def test_a_question_ends_in_its_answer(peers: Peers) -> None:
    server, asker = peers.server(), peers.asker()
    ids = [asker.query("accounts", ["a", n], timeout_ms=60_000) for n in range(3)]
    until(lambda: asker.poll() or server.socket.poll(1))
    asked = [server.receive() for _ in range(3)]
    assert sorted(query.request_id for _peer, query in asked) == ids
    for peer, query in reversed(asked):
        server.send(peer, answer_to(query, result=query.args))
    seen: dict[int, object] = {}
    while len(seen) < 3:
        for reply in replies_of(asker):
            answer = reply.unwrap()
            assert isinstance(answer, Answer)
            seen[reply.request_id] = answer.result
    assert [seen[request_id] for request_id in ids] == [("a", 0), ("a", 1), ("a", 2)]
    assert asker.waiting == 0


def test_an_unanswered_question_is_repeated_and_then_ends(peers: Peers) -> None:
    server, asker = peers.server(), peers.asker()
    asker.query("status", timeout_ms=60_000, now_ns=0)
    times_ns = itertools.count(0, SECOND_NS // 40)
    until(lambda: asker.poll(next(times_ns)) or server.socket.poll(1))
    first = server.receive()
    assert asker.poll(next(times_ns) + 5 * SECOND_NS) == []
    second = server.receive()
    assert first == second
    [reply] = asker.poll(61 * SECOND_NS)
    assert isinstance(reply.error, ServiceError) and reply.error.code == Code.PEER_UNREACHABLE
    with pytest.raises(ServiceError):
        reply.unwrap()
    server.send(second[0], answer_to(second[1]))
    until(lambda: asker.poll() or asker.strays == 1)
    assert asker.waiting == 0


def test_an_answer_that_comes_twice_counts_once(peers: Peers) -> None:
    server, asker = peers.server(), peers.asker()
    asker.query("status", timeout_ms=60_000)
    until(lambda: asker.poll() or server.socket.poll(1))
    peer, query = server.receive()
    server.socket.send_multipart([peer, b"garbage"])
    for _ in range(2):
        server.send(peer, answer_to(query))
    replies = replies_of(asker)

    def both_strays_seen() -> bool:
        replies.extend(asker.poll())
        return asker.strays == 2

    until(both_strays_seen)
    assert len(replies) == 1


def test_repeats_for_a_peer_that_is_gone_do_not_pile_up(peers: Peers) -> None:
    asker = peers.asker()
    asker.query("status", timeout_ms=None, now_ns=0)
    for second in range(1, 1_000):
        assert asker.poll(second * SECOND_NS) == []
    assert asker.resent == 999
    server = peers.server()
    times_ns = itertools.count(2_000 * SECOND_NS, SECOND_NS // 40)
    until(lambda: asker.poll(next(times_ns)) or server.socket.poll(1))
    server.receive()
    assert not server.socket.poll(50)


def test_questions_under_way_are_bounded(peers: Peers) -> None:
    asker = peers.asker(in_flight_max=2)
    first = asker.query("status", timeout_ms=1)
    asker.query("status", timeout_ms=1)
    with pytest.raises(SessionError) as caught:
        asker.query("status", timeout_ms=1)
    assert caught.value.code == Code.BUSY and caught.value.retryable
    asker.forget(first)
    asker.query("status", timeout_ms=1)


def test_the_blocking_form_waits_and_raises_the_refusal(peers: Peers) -> None:
    server, asker = peers.server(), peers.asker()

    def serve() -> None:
        for code in (0, Code.UNKNOWN_ORDER):
            peer, query = server.receive()
            server.send(peer, answer_to(query, code=code, result={"seq": 9}))

    thread = threading.Thread(target=serve)
    thread.start()
    assert ask(asker, "status", timeout_ms=20_000).result == {"seq": 9}
    with pytest.raises(Rejected):
        ask(asker, "order", timeout_ms=20_000)
    thread.join()
    with pytest.raises(ServiceError):
        ask(asker, "status", timeout_ms=1)


FRAMES = [
    encode_query(Query(3, "accounts", ("a", 5))),
    encode_answer(answer_to(Query(3, "x"), result=[1, {"a": b"x"}])),
    encode_replay(Replay(3, VENUE, 7, 1_000)),
    encode_replayed(Replayed(3, 0, "", 9, [b"abc", b""])),
]


def test_frames_come_back_as_they_were() -> None:
    assert decode_query(FRAMES[0]) == Query(3, "accounts", ("a", 5))
    assert decode_reply(FRAMES[1]) == answer_to(Query(3, "x"), result=(1, {"a": b"x"}))
    assert decode_replay(FRAMES[2]) == Replay(3, VENUE, 7, 1_000)
    assert decode_reply(FRAMES[3]) == Replayed(3, 0, "", 9, (b"abc", b""))
    assert [peek_request_id(frame) for frame in (*FRAMES, b"", b"\xc0")] == [3, 3, 3, 3, 0, 0]


@given(
    frame=st.sampled_from(FRAMES),
    at=st.integers(0, 60),
    replacement=st.binary(max_size=3),
    cut=st.integers(0, 3),
)
def test_mutated_frames_are_typed_or_refused(frame: bytes, at: int, replacement: bytes, cut: int) -> None:
    at %= len(frame)
    mutated = frame[:at] + replacement + frame[at + cut :]
    peek_request_id(mutated)
    for decode in (decode_query, decode_replay, decode_reply):
        try:
            decoded = decode(mutated)
        except FormError:
            continue
        assert isinstance(decoded.request_id, int)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param(Replay(1, VENUE, 0, 1), Code.OUT_OF_RANGE, id="from_seq 0"),
        pytest.param(Replay(1, VENUE, 1, 0), Code.OUT_OF_RANGE, id="bytes_max 0"),
        pytest.param(Replay(1, b"short", 1, 1), Code.WRONG_TYPE, id="a short venue id"),
        pytest.param(Replay(-1, VENUE, 1, 1), Code.WRONG_TYPE, id="a negative request id"),
        pytest.param((*Replay(1, VENUE, 1, 1), 5), Code.UNSUPPORTED_FIELD, id="a field too many"),
        pytest.param(Replay(1, VENUE, 1, 1)[:3], Code.MISSING_FIELD, id="a field too few"),
        pytest.param((1, VENUE, True, 1), Code.WRONG_TYPE, id="a bool for a number"),
    ],
)
def test_a_wrong_request_is_refused_with_its_code(fields: Replay, code: Code) -> None:
    with pytest.raises(FormError) as caught:
        decode_replay(encode_replay(fields))
    assert caught.value.code == code
