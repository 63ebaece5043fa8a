"""Connections: log-on, its failures, heartbeats, silence, the end."""

from random import Random
from typing import Any

import pytest

from bus.client.reports import Reports
from bus.client.session import Session, State
from bus.codec import pack
from bus.errors import Code, FormError, OutcomeUnknown, SessionError

from .peer import MS, Exchange, Peer, new_session, place


def test_logs_on_and_sends_what_waited() -> None:
    exchange = Exchange(new_session(), Peer())
    pending = place(exchange.session, "a")
    exchange.turn()
    assert exchange.session.state is State.UP
    assert exchange.session.granted is not None
    assert exchange.session.granted.accounts == ("alice", "bob")
    assert pending.value() is not None
    assert pending.answer.order_id == 1
    assert pending.error is None


def test_wrong_secret_ends_the_session() -> None:
    session = new_session()
    session._logon_with = ("key-1", "not it", session._logon_with[2])
    exchange = Exchange(session, Peer())
    pending = place(session, "a")
    exchange.turn()
    assert session.state is State.ENDED
    assert pending.code == Code.LOGON_FAILED
    with pytest.raises(SessionError) as caught:
        place(session, "b")
    assert caught.value.code is Code.LOGON_FAILED
    assert not session.wants_connection(exchange.now_ns + 10**12)


@pytest.mark.parametrize(("key", "secret"), [("key-1", None), ("key-1", b"secret"), (7, "secret")])
def test_a_key_or_secret_that_is_no_text_is_refused_at_once(key: Any, secret: Any) -> None:
    with pytest.raises(FormError) as caught:
        Session(key, secret, nonce=lambda: "n", random=Random(1))
    assert caught.value.code is Code.WRONG_TYPE
    assert "secret'" not in caught.value.detail


def test_a_false_gateway_gets_no_token() -> None:
    peer = Peer()
    exchange = Exchange(new_session(), peer)
    exchange.session.opened(exchange.now_ns)
    first = exchange.session.next_message()
    assert first is not None
    exchange.session.receive(peer.receive(first), exchange.now_ns)
    assert exchange.session.next_message() is not None
    forged = pack((1, 8, 0, [(2, 0, "", ("v=AAAA", b"t" * 16, 1, 1, ("x",), {}))], (0, 0)))
    exchange.session.receive(forged, exchange.now_ns)
    assert exchange.session.state is State.ENDED
    assert exchange.session.error is not None
    assert exchange.session.error.code is Code.LOGON_FAILED


@pytest.mark.parametrize("code", [Code.TOO_MANY_SESSIONS, Code.NOT_READY, Code.ENGINE_UNAVAILABLE])
def test_a_passing_refusal_of_the_logon_is_tried_again(code: Code) -> None:
    peer = Peer()
    peer.logon_code = int(code)
    exchange = Exchange(new_session(), peer)
    for _ in range(5):
        exchange.turn(5_000)
    assert exchange.state() is not State.UP
    peer.logon_code = 0
    exchange.turn(5_000)
    assert exchange.state() is State.UP


def test_an_unanswered_logon_is_begun_again() -> None:
    exchange = Exchange(new_session(), Peer())
    session = exchange.session
    session.opened(0)
    assert session.next_message() is not None
    session.tick(4_000 * MS)
    assert exchange.state() is State.LOGGING_ON
    assert session.next_due_ns() == 5_000 * MS
    session.tick(5_000 * MS)
    assert exchange.state() is State.DOWN


def test_heartbeats_go_both_ways_and_silence_is_noticed() -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    session, peer = exchange.session, exchange.peer
    before = len(peer.messages)
    for _ in range(10):
        exchange.turn(500)
    assert [request[1] for message in peer.messages[before:] for request in message] == [8] * 5
    assert exchange.state() is State.UP
    for _ in range(8):
        exchange.now_ns += 500 * MS
        session.tick(exchange.now_ns)
        session.next_message()
    assert exchange.state() is State.DOWN
    assert session.trouble == "a silent gateway"


def test_a_process_that_slept_does_not_blame_the_gateway() -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    exchange.turn(3_600_000)
    assert exchange.session.state is State.UP
    assert exchange.session.connections == 1


def test_a_session_that_the_gateway_forgot_logs_on_again() -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    exchange.peer.connect()
    pending = place(exchange.session, "a")
    exchange.until_idle()
    assert pending.code == 0
    assert exchange.session.connections == 2
    assert exchange.peer.executed == ["a"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        pack(7),
        pack((1,)),
        pack((2, 8, 0, [], (0, 0))),
        pack((1, 8, 0, 3, (0, 0))),
        pack((1, 8, 0, [(1, 0)], (0, 0))),
        pack((1, 9, "alice", 5)),
    ],
)
def test_nonsense_from_the_gateway_costs_the_connection_only(data: bytes) -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    session = exchange.session
    session.subscribe(Reports("alice", 0))
    exchange.turn(200)
    session.receive(data, exchange.now_ns)
    assert session.state is State.DOWN
    place(session, "a")
    exchange.until_idle()
    assert exchange.peer.executed == ["a"]


def test_closing_resolves_everything() -> None:
    exchange = Exchange(new_session(window=1), Peer())
    exchange.turn()
    sent, waiting = place(exchange.session, "a"), place(exchange.session, "b")
    assert exchange.session.next_message() is not None
    exchange.session.close()
    exchange.session.lost(exchange.now_ns, "a test")
    assert exchange.session.state is State.ENDED
    assert isinstance(sent.error, OutcomeUnknown)
    assert waiting.code == Code.NOT_LOGGED_ON
    exchange.session.close()
    with pytest.raises(SessionError):
        place(exchange.session, "c")


def test_closing_before_the_logon() -> None:
    session = new_session()
    pending = place(session, "a")
    session.close()
    assert session.state is State.ENDED
    assert pending.code == Code.NOT_LOGGED_ON
    assert pending.error is not None
    assert pending.error.outcome == "rejected"


def test_a_request_that_is_never_answered_shows_a_broken_session() -> None:
    exchange = Exchange(new_session(), Peer())
    exchange.turn()
    place(exchange.session, "a")
    assert exchange.session.next_message() is not None
    for _ in range(80):
        exchange.turn(500)
        if exchange.session.connections == 2:
            break
    assert exchange.session.connections == 2
    exchange.until_idle()
    assert exchange.peer.executed == ["a"]
