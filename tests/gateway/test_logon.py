"""Log-on: proof or nothing, tokens bound to their connection, and no hint at which keys exist."""

import pytest

from bus.errors import Code
from bus.scram import ClientExchange
from tests.gateway.test_desk import answers, order
from tests.gateway.venue import LIMITS, Peer, Venue, logged_on


def test_a_log_on_tells_what_the_session_may() -> None:
    venue = Venue()
    peer = Peer(venue, "broker")
    _, code, _, result = peer.log_on("broker")
    _, token, session, roles, accounts, settings = result
    assert (code, len(token), session, roles, accounts) == (0, 16, 1, 5, ("ann", "bob", "cat"))
    assert settings["in_flight_max"] == LIMITS.session_in_flight_max
    assert settings["epoch"] == 1 and settings["gateway"] == 77


@pytest.mark.parametrize(("key", "secret"), [("trader", "wrong-secret"), ("nobody", "trader-secret")])
def test_wrong_secrets_and_unknown_keys_fail_alike(key: str, secret: str) -> None:
    venue = Venue()
    code, detail = Peer(venue, "x").log_on(key, secret)[1:3]
    assert code == Code.LOGON_FAILED
    assert detail == Peer(venue, "y").log_on("trader", "also-wrong")[2]
    assert len(venue.desk.sessions) == 0
    assert venue.meters.logons.by == {"failed": 2}
    assert [kind for kind, _ in venue.doors.warnings] == ["log-on failed"] * 2
    assert [fields["key"] for _, fields in venue.doors.warnings] == [key, "trader"]


def test_an_unknown_key_shows_a_salt_that_stays_the_same() -> None:
    venue = Venue()
    firsts = [
        Peer(venue, name).request(1, ClientExchange("ghost", "s", "nonce").first())[3][0] for name in "ab"
    ]
    salts = [first.split(",s=")[1] for first in firsts]
    assert salts[0] == salts[1]
    assert firsts[0] != firsts[1], "the nonce is fresh"
    known = Peer(venue, "c").request(1, ClientExchange("trader", "s", "nonce").first())[3][0]
    assert len(known) == len(firsts[0])


def test_a_token_of_another_connection_is_worth_nothing() -> None:
    venue = Venue()
    ann, thief = logged_on(venue), Peer(venue, "thief")
    thief.token = ann.token
    (request_id,) = thief.commands(order())
    assert thief.codes() == {request_id: Code.NOT_LOGGED_ON}
    bob = logged_on(venue, "other")
    bob.token = ann.token
    (request_id,) = bob.commands(order())
    assert bob.codes() == {request_id: Code.NOT_LOGGED_ON}
    venue.settle()
    assert venue.exchange.open_orders("ann") == []


def test_a_connection_that_logs_on_again_has_one_session() -> None:
    venue = Venue()
    ann = logged_on(venue)
    ann.token = b""
    assert ann.log_on("other")[1] == 0
    assert [session.key_id for session in venue.desk.sessions] == ["other"]
    assert answers(venue, ann, order("bob"))[0][1] == 0
    assert answers(venue, ann, order("ann"))[0][1] == Code.NOT_AUTHORIZED


def test_a_proof_is_good_once() -> None:
    venue = Venue()
    peer = Peer(venue, "x")
    exchange = ClientExchange("trader", "trader-secret", "nonce")
    final = exchange.final(peer.request(1, exchange.first())[3][0])
    assert peer.request(2, final)[1] == 0
    peer.token = b""
    assert peer.request(2, final)[1] == Code.LOGON_FAILED


def test_a_proof_is_good_only_where_its_log_on_began() -> None:
    venue = Venue()
    one, other = Peer(venue, "one"), Peer(venue, "other")
    exchange = ClientExchange("trader", "trader-secret", "nonce")
    final = exchange.final(one.request(1, exchange.first())[3][0])
    assert other.request(2, final)[1] == Code.LOGON_FAILED


def test_a_log_on_that_takes_too_long_fails() -> None:
    venue = Venue()
    peer = Peer(venue, "x")
    exchange = ClientExchange("trader", "trader-secret", "nonce")
    final = exchange.final(peer.request(1, exchange.first())[3][0])
    venue.turn(LIMITS.logon_ns_max + 1)
    assert venue.desk.logons.pending == 0
    assert peer.request(2, final)[1] == Code.LOGON_FAILED


def test_log_ons_under_way_are_bounded() -> None:
    venue = Venue(LIMITS._replace(logons_pending_max=3))
    for name in range(10):
        assert Peer(venue, f"p{name}").request(1, f"n,,n=trader,r=nonce{name}")[1] == 0
    assert venue.desk.logons.pending == 3


def test_sessions_are_bounded_and_come_free_again() -> None:
    venue = Venue(LIMITS._replace(sessions_max=2))
    ann = logged_on(venue)
    logged_on(venue, "other")
    peer = Peer(venue, "third")
    assert peer.log_on("broker")[1] == Code.TOO_MANY_SESSIONS
    ann.request(3)
    assert peer.log_on("broker")[1] == 0


@pytest.mark.parametrize("args", [(), ("a", "b"), (1,), (b"n,,n=a,r=b",), ("x" * 2_000,), ("garbage",)])
def test_broken_log_ons_are_refused(args: tuple[object, ...]) -> None:
    venue = Venue()
    for op in (1, 2):
        peer = Peer(venue, f"p{op}")
        (request_id,) = peer.send((op, args))
        assert peer.codes()[request_id] in (
            Code.LOGON_FAILED,
            Code.WRONG_TYPE,
            Code.MISSING_FIELD,
            Code.UNSUPPORTED_FIELD,
        )
