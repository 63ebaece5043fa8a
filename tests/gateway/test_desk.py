"""The desk against the real exchange: order, limits, roles, form; one reply to each request."""

import itertools
from typing import Any

import pytest

from bus.codec import encode_command, pack, unpack
from bus.commands import (
    CancelAll,
    CancelOrder,
    Command,
    CreateAsset,
    PlaceOrder,
    RevokeKey,
    SetMarketState,
    SubmitBatch,
)
from bus.errors import Code
from gateway.desk import Engine
from gateway.links import LinkState
from tests.gateway.venue import LIMITS, S_NS, START_NS, Peer, Venue, logged_on

ids = itertools.count(1)


def order(account: str = "ann", side: int = 1, price: int = 100, qty: int = 10, **other: Any) -> PlaceOrder:
    """Return a limit order with a fresh id."""
    placed = PlaceOrder(
        f"o-{next(ids)}", account, START_NS + 20 * S_NS, "BTC-USD", side, 1, 1, False, price, qty, 0
    )
    return placed._replace(**other)


def cancel(placed: PlaceOrder) -> CancelOrder:
    """Return the cancel of an order."""
    return CancelOrder(
        f"c-{next(ids)}", placed.account, placed.valid_until_ns, placed.market, 0, placed.client_order_id
    )


def answers(venue: Venue, peer: Peer, *commands: Command) -> list[tuple[Any, ...]]:
    """Send commands in one message, let everything happen, return the replies in their order."""
    sent = peer.commands(*commands)
    venue.settle()
    replies = peer.replies()
    assert sorted(replies) == sent
    return [replies[request_id] for request_id in sent]


def test_an_order_is_answered_from_the_stream() -> None:
    venue = Venue()
    ann, bob = logged_on(venue), logged_on(venue, "other")
    placed = order(qty=10)
    (reply,) = answers(venue, ann, placed)
    code, seq, order_id, filled, left, detail, repeated = reply[3]
    assert (code, order_id, filled, left, detail, repeated) == (0, seq, 0, 10, "", False)
    (taken,) = answers(venue, bob, order("bob", side=2, qty=4))
    assert taken[3][3:5] == (4, 0)
    (cancelled,) = answers(venue, ann, cancel(placed))
    assert cancelled[3][2:5] == (order_id, 4, 0)


def test_replies_of_a_frame_share_a_message_and_carry_the_budget() -> None:
    venue = Venue()
    ann = logged_on(venue)
    ann.messages()
    ann.commands(*(order() for _ in range(20)))
    venue.settle()
    (message,) = ann.messages()
    assert len(message[3]) == 20
    in_flight_left, requests_left = message[4]
    assert in_flight_left == LIMITS.session_in_flight_max
    assert requests_left == LIMITS.burst_max - 20


def test_a_resend_is_answered_again_and_executed_once() -> None:
    venue = Venue()
    ann = logged_on(venue)
    placed = order()
    (first,) = answers(venue, ann, placed)
    (again,) = answers(venue, ann, placed)
    assert again[3] == (*first[3][:6], True)
    (other,) = answers(venue, ann, placed._replace(qty_lots=11))
    assert other[1] == Code.DUPLICATE_ID


def test_the_same_request_ids_may_be_used_in_the_next_run() -> None:
    venue = Venue()
    ann = logged_on(venue)
    (one,) = ann.commands(order())
    ann.run, ann.next_id = 1, one
    ann.commands(order())
    venue.settle()
    runs = [(message[2], reply[0], reply[1]) for message in ann.messages() for reply in message[3]]
    assert runs == [(0, one, 0), (1, one, 0)]


def test_a_skipped_request_id_refuses_what_follows_until_the_next_run() -> None:
    venue = Venue()
    ann = logged_on(venue)
    ann.next_id += 1
    placed = order()
    (skipped,) = answers(venue, ann, placed)
    (after,) = answers(venue, ann, order())
    assert skipped[1] == after[1] == Code.OUT_OF_ORDER
    ann.run += 1
    (resumed,) = answers(venue, ann, placed)
    assert resumed[1] == 0


@pytest.mark.parametrize("run", [-1, 2, 7])
def test_commands_of_another_run_are_out_of_order(run: int) -> None:
    venue = Venue()
    ann = logged_on(venue)
    ann.run = 1
    answers(venue, ann, order())
    ann.run = 1 + run
    (reply,) = answers(venue, ann, order())
    assert reply[1] == (Code.OUT_OF_ORDER if ann.run >= 0 else 0)
    ann.run = 1
    ann.next_id -= 1
    (current,) = answers(venue, ann, order())
    assert current[1] == 0, "another run's message changes nothing in the current one"


def test_busy_at_the_bound_of_a_session_then_out_of_order_until_the_next_run() -> None:
    venue = Venue(LIMITS._replace(session_in_flight_max=3))
    ann = logged_on(venue)
    sent = ann.commands(*(order() for _ in range(5)))
    assert ann.codes() == {sent[3]: Code.BUSY, sent[4]: Code.OUT_OF_ORDER}
    venue.settle()
    assert ann.codes() == dict.fromkeys(sent[:3], 0)
    (still,) = answers(venue, ann, order())
    assert still[1] == Code.OUT_OF_ORDER
    ann.run += 1
    (resumed,) = answers(venue, ann, order())
    assert resumed[1] == 0


def test_busy_at_the_bound_of_a_pipe_whoever_sent() -> None:
    venue = Venue(LIMITS._replace(pipe_in_flight_max=3))
    ann, bob = logged_on(venue), logged_on(venue, "other")
    ann.commands(*(order() for _ in range(3)))
    (refused,) = bob.commands(order("bob"))
    assert bob.codes() == {refused: Code.BUSY}
    bob.run += 1
    (control,) = bob.commands(CancelAll(f"c-{next(ids)}", "bob", START_NS + S_NS, ""))
    venue.settle()
    assert bob.codes()[control] == 0, "the control lane has room of its own"


def test_requests_per_second_are_bounded_and_come_back_with_time() -> None:
    venue = Venue(LIMITS._replace(requests_per_s_max=100, burst_max=10))
    ann = logged_on(venue)
    sent = ann.commands(*(order() for _ in range(12)))
    venue.settle()
    codes = ann.codes()
    assert [codes[i] for i in sent] == [0] * 10 + [Code.RATE_LIMITED] * 2
    venue.turn(S_NS // 20)
    ann.run += 1
    replies = answers(venue, ann, *(order() for _ in range(7)))
    assert [reply[1] for reply in replies] == [0] * 5 + [Code.RATE_LIMITED] * 2


def test_a_batch_counts_for_each_of_its_commands() -> None:
    """Paid behind the message: what comes then waits until time has earned it back."""
    venue = Venue(LIMITS._replace(requests_per_s_max=100, burst_max=10))
    ann = logged_on(venue)
    until_ns = START_NS + 20 * S_NS
    inner = tuple(encode_command(order(valid_until_ns=until_ns)) for _ in range(30))
    (reply,) = answers(venue, ann, SubmitBatch(f"b-{next(ids)}", "ann", until_ns, False, inner))
    assert reply[1] == 0 and len(reply[3][7]) == 30
    assert len(venue.exchange.open_orders("ann")) == 30
    assert answers(venue, ann, order())[0][1] == Code.RATE_LIMITED
    ann.run += 1
    venue.turn(S_NS // 4)
    assert answers(venue, ann, order())[0][1] == 0
    assert answers(venue, ann, *(order() for _ in range(5)))[4][1] == Code.RATE_LIMITED


def test_a_batch_ends_its_frame() -> None:
    venue = Venue()
    ann = logged_on(venue)
    until_ns = START_NS + 20 * S_NS
    batch = SubmitBatch("b", "ann", until_ns, False, (encode_command(order(valid_until_ns=until_ns)),))
    ann.commands(order(), batch, order())
    assert [len(unpack(data)[6]) for data in venue.doors.pipes[0]] == [2, 1]


def test_a_refused_query_does_not_break_the_run() -> None:
    venue = Venue()
    ann = logged_on(venue)
    assert ann.request(5, "nothing", ())[1] == Code.UNSUPPORTED_TYPE
    (reply,) = answers(venue, ann, order())
    assert reply[1] == 0


ROLES = [
    ("trader", order("ann"), 0),
    ("trader", order("bob"), Code.NOT_AUTHORIZED),
    ("reader", order("ann"), Code.NOT_AUTHORIZED),
    ("broker", order("bob"), 0),
    ("broker", order("operator"), Code.NOT_AUTHORIZED),
    ("admin", CreateAsset("x1", "operator", START_NS + S_NS, "ETH", 8), 0),
    ("admin", CreateAsset("x2", "ann", START_NS + S_NS, "EUR", 8), Code.NOT_AUTHORIZED),
    ("broker", CreateAsset("x3", "operator", START_NS + S_NS, "GBP", 8), Code.NOT_AUTHORIZED),
    ("admin", order("ann"), Code.NOT_AUTHORIZED),
    ("trader", CancelAll("x4", "ann", START_NS + S_NS, ""), 0),
    ("trader", CancelAll("x5", "bob", START_NS + S_NS, ""), Code.NOT_AUTHORIZED),
    ("admin", SetMarketState("x6", "operator", START_NS + S_NS, "BTC-USD", 2), 0),
]


@pytest.mark.parametrize(("key", "command", "code"), ROLES)
def test_roles_and_accounts(key: str, command: Command, code: int) -> None:
    venue = Venue()
    (reply,) = answers(venue, logged_on(venue, key), command)
    assert reply[1] == code


QUERIES = [
    ("reader", ("balances", ("ann",)), 0),
    ("reader", ("balances", ("bob",)), Code.NOT_AUTHORIZED),
    ("reader", ("open_orders", ("bob", "", 0, 10)), Code.NOT_AUTHORIZED),
    ("reader", ("order", ("bob", "BTC-USD", 1, "")), Code.NOT_AUTHORIZED),
    ("reader", ("answer", ("bob", "o-1")), Code.NOT_AUTHORIZED),
    ("reader", ("answer", ("ann", "nothing")), Code.UNKNOWN_ORDER),
    ("reader", ("image", ("account", "bob")), Code.NOT_AUTHORIZED),
    ("reader", ("image", ("something", "bob")), Code.NOT_AUTHORIZED),
    ("reader", ("image", ("book", "BTC-USD")), 0),
    ("reader", ("image_page", (1, 1)), Code.IMAGE_GONE),
    ("reader", ("keys", ()), Code.NOT_AUTHORIZED),
    ("admin", ("keys", ()), 0),
    ("reader", ("account_image", ("ann",)), Code.UNSUPPORTED_TYPE),
    ("reader", ("totals", ()), Code.NOT_AUTHORIZED),
    ("admin", ("totals", ()), 0),
    ("admin", ("accounts", ("", 10)), 0),
    ("admin", ("balances", ("bob",)), 0),
    ("reader", ("status", ()), 0),
    ("reader", ("balances", ()), Code.MISSING_FIELD),
    ("reader", ("balances", ("ann", "bob")), Code.UNSUPPORTED_FIELD),
    ("reader", ("balances", (1,)), Code.WRONG_TYPE),
    ("reader", ("open_orders", ("ann", "", -1, 10)), Code.OUT_OF_RANGE),
    ("reader", ("open_orders", ("ann", "x" * 66, 1, 10)), Code.OUT_OF_RANGE),
    ("reader", ("balances", "ann"), Code.WRONG_TYPE),
]


@pytest.mark.parametrize(("key", "args", "code"), QUERIES)
def test_queries_show_only_what_the_key_may_see(key: str, args: tuple[Any, ...], code: int) -> None:
    venue = Venue()
    peer = logged_on(venue, key)
    (request_id,) = peer.send((5, args))
    venue.settle()
    assert peer.replies()[request_id][1] == code


def test_keys_are_listed_without_their_verifiers() -> None:
    venue = Venue()
    admin = logged_on(venue, "admin")
    (asked,) = admin.send((5, ("keys", ())))
    venue.settle()
    rows = admin.replies()[asked][3][2]
    assert ("trader", 3, ("ann",)) in [row[:3] for row in rows]
    assert not [row for row in rows if len(row) != 4 or any(isinstance(value, bytes) for value in row)]


def test_an_image_is_paged_only_by_the_session_that_began_it() -> None:
    venue = Venue()
    ann, broker = logged_on(venue), logged_on(venue, "broker")
    answers(venue, ann, *(order(price=10 + i) for i in range(12)))
    (asked,) = ann.send((5, ("image", ("account", "ann"))))
    venue.settle()
    image_id, pages, _ = ann.replies()[asked][3][2]
    assert pages == 3
    for peer, code in ((ann, 0), (broker, Code.IMAGE_GONE)):
        (paged,) = peer.send((5, ("image_page", (image_id, 1))))
        venue.settle()
        assert peer.replies()[paged][1] == code


def test_queries_under_way_are_bounded() -> None:
    venue = Venue(LIMITS._replace(queries_max=2))
    ann = logged_on(venue)
    sent = ann.send(*((5, ("status", ())) for _ in range(3)))
    assert ann.codes() == {sent[2]: Code.BUSY}
    venue.settle()
    assert ann.codes() == dict.fromkeys(sent[:2], 0)


WHOLE = encode_command(order("ann"))
COMMANDS = [
    ("no array", 5, Code.MALFORMED),
    ("nothing", (), Code.MALFORMED),
    ("unknown type", (99, *WHOLE[1:]), Code.UNSUPPORTED_TYPE),
    ("type as text", ("1", *WHOLE[1:]), Code.UNSUPPORTED_TYPE),
    ("a link", (40,), Code.UNSUPPORTED_TYPE),
    ("an engine start", (41, 1, 1, ()), Code.UNSUPPORTED_TYPE),
    ("the engine's own step", (42,), Code.UNSUPPORTED_TYPE),
    ("a field missing", WHOLE[:-1], Code.MISSING_FIELD),
    ("a field too many", (*WHOLE, 0), Code.UNSUPPORTED_FIELD),
    ("text for a number", (*WHOLE[:9], "100", *WHOLE[10:]), Code.WRONG_TYPE),
    ("a float for a number", (*WHOLE[:9], 100.0, *WHOLE[10:]), Code.WRONG_TYPE),
    ("true for a number", (*WHOLE[:9], True, *WHOLE[10:]), Code.WRONG_TYPE),
    ("a number for true", (*WHOLE[:8], 1, *WHOLE[9:]), Code.WRONG_TYPE),
    ("nil", (*WHOLE[:9], None, *WHOLE[10:]), Code.WRONG_TYPE),
    ("negative", (*WHOLE[:10], -1, *WHOLE[11:]), Code.OUT_OF_RANGE),
    ("beyond 63 bits", (*WHOLE[:10], 2**63, *WHOLE[11:]), Code.OUT_OF_RANGE),
    ("no such side", (*WHOLE[:5], 3, *WHOLE[6:]), Code.OUT_OF_RANGE),
    ("an id with a space", (1, "a b", *WHOLE[2:]), Code.OUT_OF_RANGE),
    ("an id too long", (1, "a" * 37, *WHOLE[2:]), Code.OUT_OF_RANGE),
    ("no id", (1, "", *WHOLE[2:]), Code.OUT_OF_RANGE),
    ("zero price", (*WHOLE[:9], 0, *WHOLE[10:]), Code.PRICE_OUT_OF_RANGE),
    ("zero quantity", (*WHOLE[:10], 0, *WHOLE[11:]), Code.INVALID_COMBINATION),
    ("huge quantity", (*WHOLE[:10], 2**62, *WHOLE[11:]), Code.QTY_OUT_OF_RANGE),
    ("unknown market", (*WHOLE[:4], "NO-NO", *WHOLE[5:]), Code.UNKNOWN_MARKET),
    ("more than there is", (*WHOLE[:9], 10**6, 10**6, 0), Code.INSUFFICIENT_FUNDS),
]


@pytest.mark.parametrize(("what", "fields", "code"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_a_bad_command_gets_its_typed_error_and_the_session_goes_on(
    what: str, fields: Any, code: int
) -> None:
    venue = Venue()
    ann = logged_on(venue)
    bad, good = ann.send((4, (fields,)), (4, (encode_command(order()),)))
    venue.settle()
    replies = ann.replies()
    assert replies[bad][1] == code, replies[bad]
    assert replies[good][1] == 0
    if code:
        assert "expected" in replies[bad][2] and "was" in replies[bad][2]


def message(token: bytes, *requests: Any) -> tuple[Any, ...]:
    """Return a REQUESTS message."""
    return (1, 7, token, 0, requests)


MESSAGES = [
    ("nothing", b"", Code.MALFORMED),
    ("not MessagePack", b"\xc1\xff", Code.MALFORMED),
    ("a text", pack("hello"), Code.MALFORMED),
    ("a map", pack({}), Code.MALFORMED),
    ("nested beyond reason", b"\x91" * 5_000, Code.MALFORMED),
    ("an array that promises a million", b"\xdd\x00\x0f\x42\x40", Code.MALFORMED),
    ("version 2", pack((2, 7, b"", 0, ())), Code.UNSUPPORTED_VERSION),
    ("version as text", pack(("1", 7, b"", 0, ())), Code.UNSUPPORTED_VERSION),
    ("another kind", pack((1, 1, b"", 0, ())), Code.UNSUPPORTED_TYPE),
    ("too short", pack((1, 7, b"", 0)), Code.MISSING_FIELD),
    ("too long", pack((1, 7, b"", 0, (), 0)), Code.UNSUPPORTED_FIELD),
    ("token as text", pack((1, 7, "", 0, ())), Code.WRONG_TYPE),
    ("token of 15", pack((1, 7, b"x" * 15, 0, ())), Code.WRONG_TYPE),
    ("run as text", pack((1, 7, b"", "0", ())), Code.WRONG_TYPE),
    ("run below 0", pack((1, 7, b"", -1, ())), Code.WRONG_TYPE),
    ("requests as a map", pack((1, 7, b"", 0, {})), Code.WRONG_TYPE),
    ("no requests", pack((1, 7, b"", 0, ())), Code.MISSING_FIELD),
    ("too many requests", pack(message(b"", *[(1, 8, ())] * 129)), Code.MESSAGE_TOO_LARGE),
    ("too large", pack(message(b"", (1, 8, "x" * 300_000))), Code.MESSAGE_TOO_LARGE),
    ("a request that is none", pack(message(b"", 5)), Code.MALFORMED),
    ("a request too short", pack(message(b"", (1, 8))), Code.MISSING_FIELD),
    ("a request too long", pack(message(b"", (1, 8, (), 0))), Code.UNSUPPORTED_FIELD),
    ("a request id below 0", pack(message(b"", (-1, 8, ()))), Code.MALFORMED),
    ("no token", pack(message(b"", (1, 4, (WHOLE,)))), Code.NOT_LOGGED_ON),
    ("a made-up token", pack(message(b"x" * 16, (1, 4, (WHOLE,)))), Code.NOT_LOGGED_ON),
]


@pytest.mark.parametrize(("what", "data", "code"), MESSAGES, ids=[row[0] for row in MESSAGES])
def test_a_bad_message_gets_its_typed_error_and_harms_nobody(what: str, data: bytes, code: int) -> None:
    venue = Venue()
    ann = logged_on(venue)
    stranger = Peer(venue, "stranger")
    stranger.raw(data)
    ((*_, replies, budget),) = stranger.messages()
    assert [reply[1] for reply in replies] == [code] and budget == (0, 0)
    ann.raw(data)
    ann.messages()
    (reply,) = answers(venue, ann, order())
    assert reply[1] == 0
    assert len(venue.desk.sessions) == 1


@pytest.mark.parametrize(
    ("op", "args"), [(0, ()), (9, ()), (5, 5), (6, ("ann",)), (7, ()), (8, (1,)), (1, ("x",))]
)
def test_a_bad_operation_is_refused(op: int, args: Any) -> None:
    venue = Venue()
    ann = logged_on(venue)
    (request_id,) = ann.send((op, args))
    assert 100 <= ann.codes()[request_id] < 200


def test_heartbeats_say_the_time_and_the_seq() -> None:
    venue = Venue()
    ann = logged_on(venue)
    assert ann.request(8)[3] == (venue.now_ns, venue.desk.seq)


def test_nothing_is_taken_before_the_stream_is_joined() -> None:
    venue = Venue()
    venue.desk.engine = Engine.LINKING
    peer = Peer(venue, "early")
    assert peer.log_on()[1] == Code.NOT_READY


def test_commands_are_refused_while_the_engine_is_silent() -> None:
    venue = Venue()
    ann = logged_on(venue)
    venue.desk.engine = Engine.SILENT
    first, second = ann.commands(order(), order())
    assert ann.codes() == {first: Code.ENGINE_UNAVAILABLE, second: Code.OUT_OF_ORDER}
    venue.desk.engine = Engine.JOINED
    ann.run += 1
    assert answers(venue, ann, order())[0][1] == 0


def test_without_a_connection_a_command_is_refused_for_certain_and_a_new_link_opens() -> None:
    venue = Venue()
    ann = logged_on(venue)
    venue.doors.connected = False
    sent = ann.commands(order(), order())
    assert ann.codes() == dict.fromkeys(sent, Code.ENGINE_UNAVAILABLE)
    assert venue.desk.flow.lanes[0].state is LinkState.WANTED
    venue.doors.connected = True
    venue.turn()
    venue.settle()
    ann.run += 1
    assert answers(venue, ann, order())[0][1] == 0
    assert venue.exchange.state.links[(77, 0)][0] == venue.desk.flow.lanes[0].link == 2


def test_a_session_that_says_nothing_is_removed_and_one_that_does_is_kept() -> None:
    venue = Venue()
    ann, bob = logged_on(venue), logged_on(venue, "other")
    for _ in range(4):
        venue.turn(LIMITS.idle_ns_max // 3)
        ann.request(8)
    assert [session.key_id for session in venue.desk.sessions] == ["trader"]
    (request_id,) = bob.commands(order("bob"))
    assert bob.codes()[request_id] == Code.NOT_LOGGED_ON


def test_heartbeats_go_out_and_find_dead_connections() -> None:
    venue = Venue()
    ann, _ = logged_on(venue), logged_on(venue, "other")
    venue.doors.gone.add(b"other")
    venue.turn(LIMITS.heartbeat_ns)
    assert ann.messages() == [(1, 9, "", ())]
    assert len(venue.desk.sessions) == 1
    assert venue.meters.ended.by == {"gone": 1}


def test_replies_to_a_session_that_is_gone_go_to_nobody() -> None:
    venue = Venue()
    ann = logged_on(venue)
    ann.commands(order())
    venue.doors.gone.add(ann.peer)
    venue.settle()
    assert len(venue.desk.sessions) == 0
    venue.doors.gone.clear()
    again = logged_on(venue)
    assert again.replies() == {}


def test_a_session_that_does_not_read_its_replies_ends() -> None:
    venue = Venue()
    ann = logged_on(venue)
    ann.commands(order())
    venue.doors.full.add(ann.peer)
    venue.settle()
    assert venue.meters.ended.by == {"slow": 1}
    assert venue.desk.flow.in_flight == 0


def test_revoking_a_key_ends_its_sessions() -> None:
    venue = Venue()
    ann, admin = logged_on(venue), logged_on(venue, "admin")
    answers(venue, admin, RevokeKey("r", "operator", START_NS + S_NS, "trader"))
    assert [session.key_id for session in venue.desk.sessions] == ["admin"]
    assert Peer(venue, "again").log_on()[1] == Code.LOGON_FAILED
    (request_id,) = ann.commands(order())
    assert ann.codes()[request_id] == Code.NOT_LOGGED_ON


def test_who_revokes_the_own_key_is_told_before_the_session_ends() -> None:
    venue = Venue()
    admin = logged_on(venue, "admin")
    (reply,) = answers(venue, admin, RevokeKey("r", "operator", START_NS + S_NS, "admin"))
    assert reply[1] == 0
    assert not list(venue.desk.sessions)


def test_log_off_ends_the_session_and_answers_what_follows_it() -> None:
    venue = Venue()
    ann = logged_on(venue)
    off, after = ann.send((3, ()), (4, (encode_command(order()),)))
    assert ann.codes() == {off: 0, after: Code.NOT_LOGGED_ON}
    assert len(venue.desk.sessions) == 0
    assert ann.log_on()[1] == 0


def test_unknown_after_the_timeout_then_settled_by_a_new_link_without_a_second_reply() -> None:
    venue = Venue()
    ann = logged_on(venue)
    (sent,) = ann.commands(order())
    venue.doors.pipes[0].clear()
    venue.turn(LIMITS.request_timeout_ns + 1)
    assert ann.codes() == {sent: Code.OUTCOME_UNKNOWN}
    assert venue.desk.flow.in_flight == 1, "unknown is not refused: its room stays taken"
    venue.settle()
    assert venue.desk.flow.in_flight == 0
    assert ann.codes() == {}
    assert answers(venue, ann, order())[0][1] == 0


def test_an_unknown_command_that_is_seen_later_frees_its_room_silently() -> None:
    venue = Venue()
    ann = logged_on(venue)
    ann.commands(order())
    venue.execute()
    venue.turn(LIMITS.request_timeout_ns + 1)
    assert set(ann.codes().values()) == {Code.OUTCOME_UNKNOWN}
    venue.settle()
    assert venue.desk.flow.in_flight == 0 and ann.codes() == {}


def test_frames_hold_no_more_commands_than_the_engine_takes() -> None:
    venue = Venue(LIMITS._replace(commands_per_frame_max=8))
    ann = logged_on(venue)
    ann.commands(*(order() for _ in range(20)))
    frames = [unpack(data) for data in venue.doors.pipes[0]]
    assert [len(frame[6]) for frame in frames] == [8, 8, 4]
    assert [frame[5] for frame in frames] == [2, 10, 18]


def test_control_commands_overtake_in_a_lane_of_their_own() -> None:
    venue = Venue()
    ann = logged_on(venue)
    again = logged_on(venue, "trader", "second")
    (placed,) = ann.commands(order())
    (stop,) = again.commands(CancelAll(f"c-{next(ids)}", "ann", START_NS + S_NS, ""))
    assert [len(pipe) for pipe in venue.doors.pipes] == [1, 1]
    venue.settle()
    assert (ann.codes()[placed], again.codes()[stop]) == (0, 0)
    assert venue.exchange.state.links[(77, 1)] == (1, 2)


def test_a_session_s_cancel_all_does_not_overtake_its_own_orders() -> None:
    venue = Venue()
    ann = logged_on(venue)
    placed, stop = ann.commands(order(), CancelAll(f"c-{next(ids)}", "ann", START_NS + S_NS, ""))
    assert [len(pipe) for pipe in venue.doors.pipes] == [1, 0]
    venue.settle()
    assert ann.codes() == {placed: 0, stop: 0}
    assert venue.exchange.open_orders("ann") == []


def test_nothing_overtakes_a_cancel_all_on_its_way() -> None:
    venue = Venue()
    ann = logged_on(venue)
    stop, after = ann.commands(CancelAll(f"c-{next(ids)}", "ann", START_NS + S_NS, ""), order())
    assert ann.codes() == {after: Code.BUSY}
    venue.settle()
    assert ann.codes() == {stop: 0}
    ann.run += 1
    assert answers(venue, ann, order())[0][1] == 0
