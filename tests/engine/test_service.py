"""The engine's process over real sockets: links, batches, queries, garbage, an orderly stop, kill -9."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from bus.codec import encode_command, pack, unpack
from bus.commands import CancelAll, CancelMarket, PlaceOrder
from bus.errors import Code
from bus.events import (
    EVENT_NUMBERS,
    CommandRejected,
    CommandRepeated,
    LinkOpened,
    MassCancelDone,
    OrderAccepted,
    OrderCancelled,
)
from bus.frames import CommandsFrame, EventsFrame, decode_events_frame, encode_commands_frame
from bus.query_frames import Answer, Query, decode_reply, encode_query
from bus.service import EXIT_FAILED
from engine.disk import OsDisk
from engine.journal_reader import JournalReader
from tests.poll import until
from tests.processes import Processes

REJECTED = EVENT_NUMBERS[CommandRejected]
ACCEPTED = EVENT_NUMBERS[OrderAccepted]


class Peer:
    """A gateway's side of the engine's sockets, by hand."""

    def __init__(self, processes: Processes) -> None:
        endpoints = processes.settings().endpoints
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.orders = self._connect(zmq.PUSH, endpoints.engine_commands)
        self.control = self._connect(zmq.PUSH, endpoints.engine_control)
        self.query = self._connect(zmq.DEALER, endpoints.engine_query)
        self.stream = self._connect(zmq.SUB, endpoints.engine_stream)
        self.stream.subscribe(b"")
        self.heard: list[EventsFrame] = []
        until(self.listen, what="a heartbeat")

    def _connect(self, kind: int, endpoint: str) -> "zmq.Socket[bytes]":
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.connect(endpoint)
        return socket

    def listen(self) -> list[EventsFrame]:
        """Take in what the stream has; return everything heard so far."""
        while self.stream.poll(10):
            self.heard.append(decode_events_frame(self.stream.recv()))
        return self.heard

    def send(self, *commands: object, number: int, link: int = 1, gateway: int = 9, lane: int = 0) -> None:
        """Send command arrays in one frame; their request ids are their numbers."""
        items = [(1, number + i, fields) for i, fields in enumerate(commands)]
        frame = CommandsFrame(gateway, lane, link, number, items)  # type: ignore[arg-type]
        (self.control if lane else self.orders).send(encode_commands_frame(frame))

    def transactions(self, gateway: int = 9) -> list[Any]:
        """Return what came of this gateway's commands so far."""
        self.listen()
        return [t for frame in self.heard for t in frame.transactions if t[1] == gateway]

    def outcome(self, request_id: int) -> Any:
        """Wait for a request's transaction and return its events."""
        found = until(lambda: [t for t in self.transactions() if t[3] == request_id], what=f"#{request_id}")
        assert len(found) == 1, "each request has one transaction"
        return found[0][4]

    def ask(self, query: str, *args: object) -> Answer:
        """Ask the engine and return its answer, good or not."""
        self.query.send(encode_query(Query(1, query, args)))
        assert self.query.poll(10_000), "expected an answer within 10 s"
        answer = decode_reply(self.query.recv())
        assert isinstance(answer, Answer)
        return answer

    def close(self) -> None:
        """Close the sockets."""
        self._context.destroy(linger=0)


@pytest.fixture
def processes(short_dir: Path) -> Iterator[Processes]:
    """Processes with a running engine."""
    with Processes(short_dir) as processes:
        processes.start("engine")
        yield processes


@contextmanager
def restarted(processes: Processes, *overrides: str, kill: bool = False) -> Iterator[Peer]:
    """Stop and start the engine and give a new peer: the old one's pipes may have lost something."""
    if kill:
        processes.kill("engine")
    else:
        assert processes.stop("engine") == 0
    processes.start("engine", *overrides)
    peer = Peer(processes)
    try:
        yield peer
    finally:
        peer.close()


@pytest.fixture
def peer(processes: Processes) -> Iterator[Peer]:
    """A peer of the running engine."""
    peer = Peer(processes)
    yield peer
    peer.close()


def _order(number: int, *, price: int = 10_000, side: int = 1, market: str = "BTC-USD") -> tuple[object, ...]:
    until_ns = time.time_ns() + 30 * 10**9
    return encode_command(
        PlaceOrder(f"o{number}", "demo-1", until_ns, market, side, 1, 1, False, price, 10, 0)
    )


def test_commands_come_back_in_the_stream_and_stand_in_the_journal(peer: Peer, processes: Processes) -> None:
    peer.send((40,), *(_order(n) for n in range(2, 50)), number=1)
    assert peer.outcome(1) == ((EVENT_NUMBERS[LinkOpened], 9, 0, 1),)
    assert all(peer.outcome(n)[0][0] == ACCEPTED for n in range(2, 50))
    frames = {f.head.first_seq: f for f in peer.heard if f.transactions}
    reader = JournalReader(OsDisk(), str(processes.settings().journal.dir))
    last_seq = 0
    for record in reader.records():
        assert record.first_seq == last_seq + 1
        last_seq = record.last_seq
        if record.first_seq in frames:
            assert decode_events_frame(bytes(record.events)) == frames[record.first_seq]
    reader.close()
    assert last_seq == peer.ask("status").seq


def test_out_of_turn_is_refused_and_not_executed(peer: Peer) -> None:
    peer.send((40,), _order(2), number=1)
    peer.outcome(2)
    for number, link in ((4, 1), (2, 1), (3, 2), (1, 1)):
        peer.send(_order(100 + number), number=number, link=link)
    found = until(lambda: peer.transactions()[2:] if len(peer.transactions()) == 6 else None)
    assert found is not None and [t[4][0][3] for t in found] == [Code.LINK_GAP] * 4
    assert len(peer.ask("open_orders", "demo-1", "", 0, 100).result[1]) == 1
    peer.send(_order(3), number=3)
    until(lambda: len(peer.transactions()) == 7)
    assert peer.transactions()[-1][4][0][0] == ACCEPTED


def test_a_later_link_ends_the_earlier_one(peer: Peer) -> None:
    peer.send((40,), _order(2), number=1)
    peer.outcome(2)
    peer.send((40,), number=1, link=5)
    until(lambda: len(peer.transactions()) == 3)
    peer.send(_order(30), number=3, link=1)
    assert peer.outcome(3)[0][3] == Code.LINK_GAP
    peer.send(_order(20), number=2, link=5)
    until(lambda: len(peer.transactions()) == 5)
    assert peer.transactions()[-1][4][0][0] == ACCEPTED


def test_no_gateway_speaks_for_the_engine(peer: Peer, processes: Processes) -> None:
    seq = peer.ask("status").seq
    start = (41, 99, 1, (1000, 400, 1, 1, 1, 1, 1, 1, 1, 1))
    peer.send(start, number=1, gateway=0)
    peer.send((40,), start, (42,), number=1)
    for number in (2, 3):
        assert peer.outcome(number)[0][3] == Code.UNSUPPORTED_TYPE
    assert peer.ask("status").epoch == 1 and peer.ask("status").seq == seq + 3
    assert "frame dropped" in processes.log("engine")


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xff" * 50, b"\x93\x01\x02", pack([1, 1]), pack([2, 1, 9, 0, 1, 1, [[1, 1, [40]]]]),
     pack([1, 1, 9, 0, 1, 1, []]), pack([1, 1, 9, 0, 1, 1, [[1, 1, [40]]], 0]), pack([1, 1, 9, 0, 1, 1, "x"]),
     pack([1, 1, 9, 0, 1, 1, [[1, -1, [40]]]]), pack([1, 1, 9, 7, 1, 1, [[1, 1, [40]]]]),
     pack([1, 1, -9, 0, 1, 1, [[1, 1, [40]]]]), b"\x91" * 5000],
    ids=str,
)  # fmt: skip
def test_garbage_on_every_socket_changes_nothing(peer: Peer, garbage: bytes) -> None:
    seq = peer.ask("status").seq
    for socket in (peer.orders, peer.control, peer.query):
        socket.send(garbage)
        socket.send_multipart([garbage, garbage, garbage])
    for _ in range(2):
        answer = decode_reply(peer.query.recv())
        assert isinstance(answer, Answer) and answer.code != 0 and answer.detail.startswith("expected")
    peer.send((40,), _order(2), number=1)
    assert peer.outcome(2)[0][0] == ACCEPTED
    assert peer.ask("status").seq == seq + 2


def test_an_oversized_message_costs_its_sender_the_connection_alone(peer: Peer) -> None:
    peer.orders.send(b"\x00" * (2 << 20))
    assert peer.ask("status").code == 0
    peer.send((40,), number=1, lane=1)
    assert peer.outcome(1)[0][0] == EVENT_NUMBERS[LinkOpened]


def test_a_mass_cancel_goes_on_by_itself(processes: Processes) -> None:
    bounds = ("engine.events_per_transaction_max=20", "engine.fills_per_order_max=3")
    with restarted(processes, *bounds) as peer:
        peer.send((40,), *(_order(n) for n in range(2, 102)), number=1)
        peer.outcome(101)
        until_ns = time.time_ns() + 30 * 10**9
        peer.send((40,), encode_command(CancelAll("all", "demo-1", until_ns, "")), number=1, lane=1)
        until(lambda: not peer.ask("open_orders", "demo-1", "", 0, 1000).result[1])
        peer.listen()
        cancelled = EVENT_NUMBERS[OrderCancelled]
        sizes = [sum(e[0] == cancelled for e in t[4]) for f in peer.heard for t in f.transactions]
        assert sum(sizes) == 100 and max(sizes) <= 19
        peer.send(encode_command(CancelMarket("m", "operator", until_ns, "BTC-USD")), number=3, lane=1)
        until(lambda: any(t[4][-1][0] == EVENT_NUMBERS[MassCancelDone] for t in peer.transactions()[-1:]))


def test_killed_and_started_again_it_has_everything(peer: Peer, processes: Processes) -> None:
    sent = [_order(n) for n in range(2, 100)]
    peer.send((40,), *sent, number=1)
    peer.outcome(99)
    before = peer.ask("open_orders", "demo-1", "", 0, 1000).result
    assert len(before[1]) == 98
    with restarted(processes, kill=True) as again:
        assert again.ask("status").epoch == 2
        assert again.ask("open_orders", "demo-1", "", 0, 1000).result == before
        again.send(sent[0], (*sent[1][:-1], 7), number=100)
        assert again.outcome(100)[0][:4] == (EVENT_NUMBERS[CommandRepeated], "demo-1", "o2", 0)
        assert again.outcome(101)[0][3] == Code.DUPLICATE_ID
    with restarted(processes) as again:
        assert again.ask("open_orders", "demo-1", "", 0, 1000).result == before
    assert "snapshot written" in processes.log("engine")


def test_every_query_answers_or_says_what_it_wanted(peer: Peer) -> None:
    peer.send((40,), _order(2), _order(3, side=2, price=90_000), number=1)
    peer.outcome(3)
    assert [row[1] for row in peer.ask("assets").result] == ["BTC", "ETH", "USD"]
    assert [row[0][1] for row in peer.ask("markets").result] == ["BTC-USD", "ETH-USD", "ETH-BTC"]
    assert len(peer.ask("keys").result) == 3
    assert [row[0] for row in peer.ask("accounts", "", 3).result] == ["demo-1", "demo-2", "fees"]
    balances = {row[0]: row[1:] for row in peer.ask("balances", "demo-1").result[1]}
    assert balances["USD"][1] == 100_000 and balances["BTC"][1] == 10
    order = peer.ask("order", "demo-1", "BTC-USD", 0, "o2").result
    assert peer.ask("order", "demo-1", "", order[0], "").result == order
    assert peer.ask("answer", "demo-1", "o2").result == (0, order[0], order[0], 0, 10, "")
    image = peer.ask("account_image", "demo-1").result
    assert len(image[2]) == 2
    assert peer.ask("image", "account", "demo-1").result[1:] == (1, image)
    levels = peer.ask("image", "book", "BTC-USD").result[2]
    assert levels == (2, ((1, 10_000, 10, 1), (2, 90_000, 10, 1)))
    totals = {row[0]: row[1:] for row in peer.ask("totals").result}
    assert all(issued == available + held for issued, available, held in totals.values())
    for query, args, code in (
        ("nothing", (), Code.UNSUPPORTED_TYPE),
        ("balances", (), Code.MISSING_FIELD),
        ("balances", ("demo-1", 1), Code.UNSUPPORTED_FIELD),
        ("balances", (1,), Code.WRONG_TYPE),
        ("balances", ("nobody",), Code.UNKNOWN_ACCOUNT),
        ("open_orders", ("demo-1", "X-Y", 0, 5), Code.UNKNOWN_MARKET),
        ("order", ("demo-2", "", order[0], ""), Code.UNKNOWN_ORDER),
        ("answer", ("demo-1", "never"), Code.UNKNOWN_ORDER),
        ("image", ("trades", "BTC-USD"), Code.OUT_OF_RANGE),
        ("image_page", (77, 0), Code.IMAGE_GONE),
    ):
        assert peer.ask(query, *args).code == code, query


def test_an_image_of_many_pages_is_as_of_one_seq(processes: Processes) -> None:
    with restarted(processes, "engine.image_page_entries_max=10") as peer:
        peer.send((40,), *(_order(n, price=100 + n) for n in range(2, 40)), number=1)
        peer.outcome(39)
        first = peer.ask("image", "book", "BTC-USD")
        image_id, pages, page = first.result
        peer.send(_order(40, price=500), number=40)
        peer.outcome(40)
        levels = list(page[1])
        for number in range(1, pages):
            answer = peer.ask("image_page", image_id, number)
            assert answer.seq == first.seq and answer.result[0] == page[0]
            levels.extend(answer.result[1])
        assert [level[1] for level in levels] == list(range(139, 101, -1))


def test_the_frame_of_a_heartbeat_names_the_next_seq(peer: Peer) -> None:
    seq = peer.ask("status").seq
    head = until(lambda: next((f.head for f in peer.listen() if not f.transactions), None))
    assert head is not None
    assert (head.first_seq, head.last_seq, head.epoch) == (seq + 1, seq, 1)
    assert unpack(pack(tuple(head)))[1] == "engine-1"


def test_a_batch_that_cannot_be_journalled_is_not_published(peer: Peer, processes: Processes) -> None:
    running = processes.start_info("engine")
    peer.send((40,), *(_order(n) for n in range(2, 102)), number=1)
    peer.outcome(101)
    seq = peer.ask("status").seq
    # From here on every write behind the first 8 KiB of a file fails: the journal's, not the log's.
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (8192, 8192))
    peer.send(*(_order(n) for n in range(102, 120)), number=102)
    assert processes.wait("engine") == EXIT_FAILED
    assert all(frame.head.last_seq <= seq for frame in peer.listen())
    assert "code=JOURNAL_DISK_FULL" in processes.log("engine")
    assert "snapshot written" not in processes.log("engine") and "Traceback" not in processes.log("engine")
    processes.start("engine")
    with_new_pipes = Peer(processes)
    assert len(with_new_pipes.ask("open_orders", "demo-1", "", 0, 200).result[1]) == 100
    with_new_pipes.close()
