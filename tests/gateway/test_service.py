"""The gateway's real process before a real engine: two at once, restarts, floods, garbage."""

import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import zmq

from bus import runfile
from bus.codec import encode_command, pack
from bus.commands import CancelAll
from bus.errors import Code
from tests.gateway.client import Client, cancel_of, order, valid_until
from tests.poll import until
from tests.processes import Processes

MUTATED_FRAMES = 4_000
NASTY = (b"\xcf" + b"\xff" * 8, b"\xd3\x80" + bytes(7), b"\xc0", b"\xdc\xff\xff", b"\xcb" + bytes(8), b"\x80")
"""Huge, most negative, nil, an array that promises much, a float, a map."""


@pytest.fixture
def venue(short_dir: Path) -> Iterator[Processes]:
    """Engine, archive and gateway."""
    with Processes(short_dir) as processes:
        processes.start_all(("engine", "archive", "gateway"))
        yield processes


def endpoint(venue: Processes, name: str = "gateway") -> str:
    """Return where a gateway is."""
    return f"ipc://{venue.folder}/run/{name}"


def second_gateway(venue: Processes) -> str:
    """Start another gateway; return where it is."""
    venue.start(
        "gateway", "gateway.name=gateway-2", "endpoints.gateway=ipc://{run_dir}/gateway.2", name="gateway-2"
    )
    return endpoint(venue, "gateway.2")


def still_trades(venue: Processes) -> None:
    """Place and cancel an order on a connection of its own."""
    with Client(endpoint(venue)) as client:
        client.ready()
        placed = order()
        assert client.command(placed)[1] == 0
        assert client.command(cancel_of(placed))[1] == 0


def test_two_gateways_trade_with_each_other(venue: Processes) -> None:
    other = second_gateway(venue)
    with Client(endpoint(venue)) as one, Client(other) as two:
        one.ready()
        two.ready("demo-2")
        image = two.ask(6, "demo-2", -1)[3]
        keys = one.commands(*(order(qty=10) for _ in range(50)))
        assert {one.reply(key)[1] for key in keys} == {0}
        taken = two.command(order("demo-2", side=2, qty=500))
        assert taken[3][3:5] == (500, 0)
        until(lambda: two.events() >= 51, what="51 private events")
        assert [event[1] for event in two.private] == [image[0] + i for i in range(1, 52)]
        assert one.repeated == two.repeated == 0
        one.receive()
        assert len(one.replies) == one.next_id - 1, "no reply of the other's"


def test_the_same_order_by_two_gateways_is_executed_once(venue: Processes) -> None:
    other = second_gateway(venue)
    with Client(endpoint(venue)) as one, Client(other) as two:
        one.ready()
        two.ready()
        placed = order()
        first, second = one.command(placed)[3], two.command(placed)[3]
        assert second == (*first[:6], True)


def test_engine_killed_and_restarted_in_a_stream_of_orders(venue: Processes) -> None:
    with Client(endpoint(venue)) as client:
        client.ready()
        sent = [client.commands(*(order(qty=1) for _ in range(20))) for _ in range(20)]
        venue.kill("engine")
        sent += [client.commands(*(order(qty=1) for _ in range(20))) for _ in range(5)]
        venue.start("engine")
        keys = [key for batch in sent for key in batch]
        codes = [client.reply(key)[1] for key in keys]
        allowed = {0, Code.LINK_GAP, Code.OUT_OF_ORDER, Code.BUSY, Code.ENGINE_UNAVAILABLE}
        assert set(codes) <= allowed, "after a restart everything is settled, nothing unknown"

        def resumed() -> bool:
            client.run += 1
            return bool(client.command(order(qty=1))[1] == 0)

        until(resumed, 60, "commands taken again")
        rows = client.ask(5, "open_orders", ("demo-1", "", 0, 5_000))[3][2][1]
        assert len(rows) == codes.count(0) + 1, "accepted is in the book, refused is not"
        assert client.repeated == 0


def test_gateway_killed_its_orders_stay_and_are_found_by_id(venue: Processes) -> None:
    placed = order()
    with Client(endpoint(venue)) as client:
        client.ready()
        answer = client.command(placed)[3]
        venue.kill("gateway")
    venue.start("gateway")
    with Client(endpoint(venue)) as client:
        client.ready()
        assert client.ask(5, "answer", ("demo-1", placed.client_order_id))[3][2] == answer[:6]
        assert client.command(placed)[3] == (*answer[:6], True)


def test_commands_are_refused_while_the_engine_is_gone(venue: Processes) -> None:
    with Client(endpoint(venue)) as client:
        client.ready()
        venue.stop("engine")

        def refused() -> bool:
            client.run += 1
            return bool(client.command(order())[1] == Code.ENGINE_UNAVAILABLE)

        until(refused, 30, "ENGINE_UNAVAILABLE")
        venue.start("engine")

        def taken() -> bool:
            client.run += 1
            return bool(client.command(order())[1] == 0)

        until(taken, 60, "commands taken again")


def test_a_flood_of_one_session_is_limited_and_others_trade_on(short_dir: Path) -> None:
    limits = ("gateway.session_requests_per_s_max=200", "gateway.session_burst_max=400")
    with Processes(short_dir, *limits) as venue:
        venue.start_all(("engine", "archive", "gateway"))
        with Client(endpoint(venue)) as flood:
            flood.ready()
            keys = [key for _ in range(40) for key in flood.commands(*(order() for _ in range(100)))]
            still_trades(venue)
            codes = {flood.reply(key)[1] for key in keys}
            assert {0, Code.RATE_LIMITED, Code.OUT_OF_ORDER} >= codes > {0}


def test_who_never_reads_costs_nobody_else(short_dir: Path) -> None:
    with Processes(short_dir, "gateway.client_messages_max=10", "venue.sndhwm=10") as venue:
        venue.start_all(("engine", "archive", "gateway"))
        with Client(endpoint(venue)) as deaf:
            deaf.ready()
            deaf.socket.setsockopt(zmq.RCVHWM, 1)
            for _ in range(3_000):
                deaf.send([(8, ())] * 8)
            still_trades(venue)


def test_connections_that_say_nothing_and_raw_garbage(short_dir: Path) -> None:
    with Processes(short_dir, "endpoints.gateway=tcp://127.0.0.1:0", "venue.handshake_ms_max=200") as venue:
        venue.start_all(("engine", "archive"))
        where = venue.start("gateway").endpoints["gateway"]
        address = ("127.0.0.1", int(where.rsplit(":", 1)[1]))
        silent = [socket.create_connection(address) for _ in range(50)]
        random = Random(1)
        for size in (1, 10, 64, 1_000, 100_000):
            with socket.create_connection(address) as garbage:
                try:
                    garbage.sendall(random.randbytes(size))
                except ConnectionError:
                    continue
        with Client(where) as client:
            client.ready()
            assert client.command(order())[1] == 0
        for connection in silent:
            connection.settimeout(20)
            while connection.recv(1_000):  # the greeting, then the end: cut off by the gateway
                continue
            connection.close()


def test_messages_of_odd_parts_and_sizes(venue: Processes) -> None:
    with Client(endpoint(venue)) as client:
        client.ready()
        for parts in ([b"", b"x"], [b""], [b"a", b"b", b"c"], [pack((1, 7, b"", 0, [(1, 8, ())])), b""]):
            client.socket.send_multipart(parts)
        still_trades(venue)
        client.raw(os.urandom(300_000))
        until(lambda: (client.reply((0, 0)))[1] == Code.MESSAGE_TOO_LARGE, what="MESSAGE_TOO_LARGE")
        client.raw(os.urandom(600_000))
        still_trades(venue)


def test_deep_nesting_is_refused_like_anything_else(venue: Processes) -> None:
    with Client(endpoint(venue)) as client:
        client.ready()
        head = pack((1, 7, client.token, 0))[1:]
        for depth in (500, 950, 1_000, 1_020):
            deep = b"\x91" * depth + b"\x00"
            for before in (b"", b"\x91", b"\x91\x93\x09\x04", b"\x91\x93\x09\x05"):
                client.raw(b"\x95" + head + before + deep)
                client.raw(deep)
        assert client.ask(8)[1] == 0
    still_trades(venue)


def test_mutated_frames_are_answered_or_ignored_and_harm_nobody(venue: Processes) -> None:
    random = Random(20_260_101)
    with Client(endpoint(venue)) as client, Client(endpoint(venue)) as witness:
        client.ready()
        witness.ready("demo-2")
        before = witness.ask(5, "balances", ("demo-2",))[3][2]
        frame = pack((1, 7, client.token, 0, [(9, 4, (encode_command(order()),)), (10, 8, ())]))
        logon = pack((1, 7, b"", 0, [(1, 1, ("n,,n=demo-1,r=nonce",))]))
        query = pack((1, 7, client.token, 0, [(11, 5, ("balances", ("demo-1",))), (12, 6, ("demo-1", -1))]))
        for number in range(MUTATED_FRAMES):
            client.raw(mutated(random, random.choice((frame, logon, query))))
            if number % 500 == 0:
                assert witness.ask(8)[1] == 0
        assert witness.ask(5, "balances", ("demo-2",))[3][2] == before
        assert witness.command(order("demo-2"))[1] == 0
    still_trades(venue)
    log = venue.log("gateway")
    assert "internal error" not in log and "Traceback" not in log
    assert len(log.splitlines()) < 200


def mutated(random: Random, data: bytes) -> bytes:
    """Return bytes with a few of them changed, cut, doubled or put in."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(changed) or 1)
        what = random.randrange(5)
        if what == 0 and changed:
            changed[at % len(changed)] = random.randrange(256)
        elif what == 1:
            changed.insert(at, random.randrange(256))
        elif what == 2:
            del changed[at : at + random.randint(1, 8)]
        elif what == 3:
            changed[at:at] = changed[at : at + random.randint(1, 16)]
        else:
            changed[at:at] = random.choice(
                (b"\xcf" + b"\xff" * 8, b"\xd3\x80" + bytes(7), b"\xc0", b"\xdc\xff\xff")
            )
    return bytes(changed)


def test_a_mass_cancel_by_the_control_lane(venue: Processes) -> None:
    with Client(endpoint(venue)) as client:
        client.ready()
        keys = client.commands(*(order() for _ in range(20)))
        assert {client.reply(key)[1] for key in keys} == {0}
        assert client.command(CancelAll("all-1", "demo-1", valid_until(), ""))[1] == 0
        assert client.ask(5, "open_orders", ("demo-1", "", 0, 100))[3][2][1] == ()


def test_health_and_metrics(venue: Processes) -> None:
    with Client(endpoint(venue)) as client:
        client.ready()
        assert client.command(order())[1] == 0
        running = runfile.read(venue.folder / "run", "gateway-1")
        assert running is not None
        metrics = running.metrics
        with urllib.request.urlopen(f"{metrics}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        for line in (
            "zeropit_gateway_sessions 1.0",
            "zeropit_gateway_commands_total 1.0",
            'zeropit_gateway_links_opened_total{lane="orders"} 1.0',
            "zeropit_gateway_stream_joined 1.0",
            "zeropit_gateway_engine_joined 1.0",
        ):
            assert line in text, line
        with urllib.request.urlopen(f"{metrics}/health", timeout=20) as answer:
            assert b'"engine": "joined"' in answer.read()


def test_an_orderly_stop_leaves_nothing(venue: Processes) -> None:
    with Client(endpoint(venue)) as client:
        client.ready()
        client.command(order())
        assert venue.stop("gateway") == 0
        assert venue.stop("engine") == 0
