"""Frames: what is sent comes back the same; every malformed frame has its typed error."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.codec import encode_command, encode_event, pack, unpack
from bus.commands import INT_MAX, Command
from bus.errors import Code, FormError
from bus.events import AccountCreated, Event, Transaction
from bus.frames import (
    VENUE_ID_BYTES,
    CommandsFrame,
    EventsPacker,
    Head,
    decode_commands_frame,
    decode_events_frame,
    encode_commands_frame,
    encode_events_frame,
)
from tests.bus.made import INTEGERS, commands, events, mutated, values

HEADS = st.builds(
    Head,
    st.binary(min_size=VENUE_ID_BYTES, max_size=VENUE_ID_BYTES),
    st.text(max_size=8),
    *[INTEGERS] * 4,
)
HEAD = Head(bytes(16), "engine-1", 3, 10, 12, 5)
ITEMS = st.lists(st.tuples(INTEGERS, INTEGERS, commands().map(encode_command)), min_size=1, max_size=4)
COMMANDS_MAX = 4


def code_of(data: bytes, commands_frame: bool = False) -> Code:
    """Return the code with which a frame is refused."""
    with pytest.raises(FormError) as caught:
        if commands_frame:
            decode_commands_frame(data, COMMANDS_MAX)
        else:
            decode_events_frame(data)
    assert caught.value.detail.startswith("expected ")
    return caught.value.code


@given(HEADS, st.lists(st.tuples(INTEGERS, INTEGERS, INTEGERS, INTEGERS, st.lists(events(), max_size=3))))
def test_an_events_frame_comes_back_the_same(head: Head, made: list[Any]) -> None:
    """Head, origins and events survive the wire."""
    transactions = [(*origin, [encode_event(event) for event in inner]) for *origin, inner in made]
    frame = decode_events_frame(encode_events_frame(head, transactions))
    assert frame.head == head
    assert frame.decoded() == [Transaction(*transaction) for transaction in made]


@pytest.mark.parametrize("count", [0, 1, 15, 16, 2_000, 65_535, 65_536])
def test_a_frame_packed_bit_by_bit_has_the_same_bytes(count: int) -> None:
    """Also where the number of transactions takes more bytes, and beyond the room to begin with."""
    transactions = [(seq, 7, 1, 2 * seq, [encode_event(AccountCreated(f"a-{seq}"))]) for seq in range(count)]
    packer = EventsPacker()
    for transaction in transactions:
        packer.add(transaction)
    assert packer.frame(HEAD, count) == encode_events_frame(HEAD, transactions)


def test_a_heartbeat_is_an_events_frame_without_transactions() -> None:
    """It names the next number and the one before."""
    frame = decode_events_frame(encode_events_frame(HEAD._replace(first_seq=13, last_seq=12), []))
    assert not frame.transactions and frame.head.last_seq == frame.head.first_seq - 1


@given(st.lists(st.lists(events() | st.none(), min_size=1, max_size=4), max_size=4), st.integers(0, 16))
def test_an_event_of_unknown_type_still_counts(made: list[list[Event | None]], after_seq: int) -> None:
    """Sequence numbers stay right when a later version's events are left out."""
    transactions, expected, seq = [], [], 1
    for inner in made:
        transactions.append((seq, 0, 0, 0, [encode_event(e) if e else (9999, "later") for e in inner]))
        expected += [(n, e) for n, e in enumerate(inner, start=seq) if e is not None and n > after_seq]
        seq += len(inner)
    frame = decode_events_frame(encode_events_frame(HEAD, transactions))
    assert frame.events_with_seq(after_seq) == expected


@given(INTEGERS, INTEGERS, INTEGERS, INTEGERS, ITEMS)
def test_a_commands_frame_comes_back_the_same(
    gateway: int, lane: int, link: int, number: int, items: list[Any]
) -> None:
    """Link, numbers and command arrays survive the wire."""
    frame = CommandsFrame(gateway, lane, link, number, tuple(items))
    assert decode_commands_frame(encode_commands_frame(frame), COMMANDS_MAX) == frame


EVENTS_FRAME = (1, 2, *HEAD, ())
COMMANDS_FRAME = (1, 1, 7, 0, 1, 5, ((1, 2, (42,)),))


def changed(frame: tuple[object, ...], at: int, value: object) -> bytes:
    """Return the bytes of a frame with one element changed."""
    return pack((*frame[:at], value, *frame[at + 1 :]))


def test_the_untouched_examples_are_taken() -> None:
    """Otherwise the next tests prove nothing."""
    assert decode_events_frame(pack(EVENTS_FRAME)).head == HEAD
    assert decode_commands_frame(pack(COMMANDS_FRAME), COMMANDS_MAX).link == 1


@pytest.mark.parametrize("commands_frame", [False, True])
def test_head_of_any_frame(commands_frame: bool) -> None:
    """Not MessagePack, no array, wrong version, wrong kind, too few fields: each told apart."""
    frame = COMMANDS_FRAME if commands_frame else EVENTS_FRAME
    for data in (b"", b"\xc1", pack(7), pack(()), pack((1,)), pack({"a": 1}), pack(frame) + b"\x00"):
        assert code_of(data, commands_frame) is Code.MALFORMED
    for version in (0, 2, True, "1", None):
        assert code_of(changed(frame, 0, version), commands_frame) is Code.UNSUPPORTED_VERSION
    for kind in (0, 3, True, "1", None):
        assert code_of(changed(frame, 1, kind), commands_frame) is Code.UNSUPPORTED_TYPE
    assert code_of(pack(frame[:-1]), commands_frame) is Code.MISSING_FIELD


def test_readers_of_events_ignore_trailing_fields_and_the_engine_does_not() -> None:
    """A command frame with a field too many could mean something else than was asked."""
    assert decode_events_frame(pack((*EVENTS_FRAME, "later"))).head == HEAD
    assert code_of(pack((*COMMANDS_FRAME, "later")), commands_frame=True) is Code.UNSUPPORTED_FIELD


@pytest.mark.parametrize(
    ("at", "value"),
    [(2, bytes(15)), (2, "a" * 16), (3, b"engine"), (3, 1), (8, None), (8, {})]
    + [(at, wrong) for at in (4, 5, 6, 7) for wrong in (-1, 2**63, True, 1.0, "1", None)],
)
def test_an_events_head_of_wrong_form_is_refused(at: int, value: object) -> None:
    """Each element of the head."""
    assert code_of(changed(EVENTS_FRAME, at, value)) is Code.WRONG_TYPE


@pytest.mark.parametrize("at", [2, 3, 4, 5])
@pytest.mark.parametrize("value", [-1, INT_MAX + 1, True, 1.0, "1", None])
def test_a_commands_head_of_wrong_form_is_refused(at: int, value: object) -> None:
    """Each element of the head."""
    assert code_of(changed(COMMANDS_FRAME, at, value), commands_frame=True) is Code.WRONG_TYPE


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ((), Code.OUT_OF_RANGE),
        (None, Code.OUT_OF_RANGE),
        (((1, 2, (42,)),) * (COMMANDS_MAX + 1), Code.OUT_OF_RANGE),
        ((7,), Code.WRONG_TYPE),
        (((1, 2),), Code.WRONG_TYPE),
        (((1, 2, (42,), 0),), Code.WRONG_TYPE),
        ((("1", 2, (42,)),), Code.WRONG_TYPE),
        (((1, True, (42,)),), Code.WRONG_TYPE),
        (((1, -1, (42,)),), Code.OUT_OF_RANGE),
        (((INT_MAX + 1, 1, (42,)),), Code.OUT_OF_RANGE),
    ],
)
def test_commands_of_wrong_form_are_refused(items: object, code: Code) -> None:
    """None, too many, or not [session, request_id, command]."""
    assert code_of(changed(COMMANDS_FRAME, 6, items), commands_frame=True) is code


def test_a_command_array_is_carried_unseen() -> None:
    """A malformed command is the engine's to refuse, in its turn: the frame's other commands still count."""
    frame = decode_commands_frame(changed(COMMANDS_FRAME, 6, ((1, 2, "no command"),)), COMMANDS_MAX)
    assert frame.items == ((1, 2, "no command"),)


@given(st.data(), st.lists(events(), max_size=3), commands())
def test_a_mutated_frame_is_a_frame_or_a_form_error(
    data: st.DataObject, made: list[Event], command: Command
) -> None:
    """No other exception leaves the decoders."""
    whole = encode_events_frame(HEAD, [(10, 0, 0, 0, [encode_event(event) for event in made])])
    sent = encode_commands_frame(CommandsFrame(1, 0, 1, 1, [(1, 2, encode_command(command))]))
    for decode, mutant in (
        (decode_events_frame, data.draw(mutated(whole))),
        (lambda mutant: decode_commands_frame(mutant, COMMANDS_MAX), data.draw(mutated(sent))),
    ):
        try:
            decode(mutant)
        except FormError as error:
            assert 100 <= error.code <= 199


@given(values())
def test_any_value_is_a_frame_or_a_form_error(value: Any) -> None:
    """Also what is MessagePack but nothing of ours."""
    for data in (pack(value), pack((1, 2, value)), pack((1, 1, value)), pack((*EVENTS_FRAME[:8], value))):
        for decode in (decode_events_frame, lambda d: decode_commands_frame(d, COMMANDS_MAX)):
            try:
                decode(data)
            except FormError as error:
                assert 100 <= error.code <= 199


def test_the_bytes_of_a_frame_are_fixed() -> None:
    """The journal holds these bytes: another encoding of the same frame would be another history."""
    data = encode_events_frame(HEAD, [(10, 1, 2, 3, [encode_event(AccountCreated("ann"))])])
    assert data.hex() == (
        "990102c41000000000000000000000000000000000a8656e67696e652d31030a0c0591950a010203" + "91920ca3616e6e"
    )
    assert unpack(data)[0] == 1
