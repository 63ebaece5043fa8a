"""The codec: everything that is sent comes back the same; everything malformed has its typed error."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.codec import (
    BATCH_COMMANDS_MAX,
    KEY_ACCOUNTS_MAX,
    RUNNERS_MAX,
    check_command,
    decode_command,
    decode_event,
    encode_command,
    encode_event,
    encode_events,
    pack,
    unpack,
)
from bus.commands import (
    COMMAND_CLASSES,
    COMMAND_NUMBERS,
    CancelAfter,
    Command,
    CreateKey,
    CreateOutcomeMarket,
    PlaceAdvanced,
    PlaceOrder,
    PlacePair,
    SetGroup,
    SettleMarket,
    SubmitBatch,
)
from bus.errors import Code, FormError
from bus.events import EVENT_CLASSES, EVENT_NUMBERS, Event, MarketStateChanged
from tests.bus.made import BOOKS, MAY_BE_EMPTY, commands, events, example_of, mutated, range_of, values

CLASSES = pytest.mark.parametrize("cls", COMMAND_CLASSES.values(), ids=lambda cls: cls.__name__)
WRONG: dict[type, tuple[object, ...]] = {
    int: (True, 1.0, "1", b"1", None, (1,), {}),
    bool: (0, 1, "true", None, ()),
    str: (1, b"a", None, ("a",), False),
    bytes: ("a", 1, None, ()),
    tuple: ("a", 1, None, b"a", {}),
}


def refusal(fields: object) -> FormError:
    """Return why a command array is refused."""
    with pytest.raises(FormError) as caught:
        decode_command(fields)
    assert caught.value.detail.startswith("expected ") and ", was " in caught.value.detail
    assert caught.value.outcome == "rejected" and not caught.value.retryable
    return caught.value


def changed(command: Command, name: str, value: object) -> tuple[object, ...]:
    """Return the wire array of a command with one field changed."""
    array = list(encode_command(command))
    array[1 + command._fields.index(name)] = value
    return tuple(array)


@given(commands())
def test_a_command_comes_back_the_same(command: Command) -> None:
    """Type and every field survive the wire, and the bytes are the same again."""
    data = pack(encode_command(command))
    back = decode_command(unpack(data))
    assert type(back) is type(command) and back == command
    assert pack(encode_command(back)) == data
    assert check_command(unpack(data)) == encode_command(command)


@given(events())
def test_an_event_comes_back_the_same(event: Event) -> None:
    """Type and every field survive the wire."""
    back = decode_event(unpack(pack(encode_event(event))))
    assert type(back) is type(event) and back == event
    assert encode_events([event, event]) == [encode_event(event)] * 2


@given(events(), st.lists(values(), min_size=1, max_size=3))
def test_a_reader_of_events_ignores_fields_added_later(event: Event, more: list[Any]) -> None:
    """Trailing fields of a later version do not matter."""
    assert decode_event((*encode_event(event), *more)) == event


@given(events())
def test_an_event_cut_short_is_malformed(event: Event) -> None:
    """A field is never made up."""
    with pytest.raises(FormError) as caught:
        decode_event(encode_event(event)[:-1])
    assert caught.value.code is Code.MALFORMED


@pytest.mark.parametrize("fields", [(9999,), (9999, "new"), (-1, 2)])
def test_an_event_of_unknown_type_is_none(fields: tuple[object, ...]) -> None:
    """A later version may have more events."""
    assert decode_event(fields) is None


@pytest.mark.parametrize("fields", [(), 7, None, {}, ([],), ({},)])
def test_what_is_no_event_array_is_malformed(fields: Any) -> None:
    """No other exception leaves the codec."""
    with pytest.raises(FormError) as caught:
        decode_event(fields)
    assert caught.value.code is Code.MALFORMED


def test_numbers_are_one_to_one() -> None:
    """Every record has one number."""
    assert {COMMAND_CLASSES[n]: n for n in COMMAND_CLASSES} == COMMAND_NUMBERS
    assert {EVENT_CLASSES[n]: n for n in EVENT_CLASSES} == EVENT_NUMBERS
    assert len(COMMAND_NUMBERS) == len(COMMAND_CLASSES) and len(EVENT_NUMBERS) == len(EVENT_CLASSES)


@CLASSES
def test_a_command_needs_exactly_its_fields(cls: type[Command]) -> None:
    """One too few and one too many are told apart."""
    array = encode_command(example_of(cls))
    assert decode_command(array) == example_of(cls)
    assert refusal((*array, 0)).code is Code.UNSUPPORTED_FIELD
    if len(array) > 1:
        assert refusal(array[:-1]).code is Code.MISSING_FIELD


@CLASSES
def test_a_field_of_another_type_is_refused(cls: type[Command]) -> None:
    """Each field, with each other type: a truth is no number, a number no truth, bytes are no text."""
    command = example_of(cls)
    for name, kind in cls.__annotations__.items():
        plain = kind if isinstance(kind, type) else tuple
        for wrong in WRONG[plain]:
            error = refusal(changed(command, name, wrong))
            assert error.code is Code.WRONG_TYPE and f"{cls.__name__}.{name}" in error.detail


@CLASSES
def test_a_number_out_of_range_is_refused(cls: type[Command]) -> None:
    """Each integer, just below and just above its range."""
    command = example_of(cls)
    for name, kind in cls.__annotations__.items():
        if kind is int:
            low, high = range_of(cls, name)
            for wrong in (low - 1, high + 1, -(2**63), 2**64 - 1):
                assert refusal(changed(command, name, wrong)).code is Code.OUT_OF_RANGE
            # A timer is off or not too short; a window of no group has no length.
            lowest = 10**6 if name == "window_ns" else low
            for right in (lowest, high):
                assert decode_command(changed(command, name, right))


@CLASSES
def test_a_text_of_wrong_form_is_refused(cls: type[Command]) -> None:
    """Each text: too long, with a space, a line end, other letters, a zero byte."""
    command = example_of(cls)
    for name, kind in cls.__annotations__.items():
        if kind is str:
            is_id = name in ("command_id", "client_order_id")
            wrong = ["a b", "a\n", "\u00e4", "a\x00", "a" * (37 if is_id else 33), "\uff11"]
            wrong += [] if is_id else ["-a", ".", "a/b"]
            if name == "market":
                book = cls.__name__ in BOOKS
                wrong += [":", "a:", ":a", "a:-", "a:b:c", "a" * 33 + ":a"] if book else ["a:b"]
                assert not book or decode_command(changed(command, name, "a" * 32 + ":" + "b" * 32))
            wrong += [] if (cls.__name__, name) in MAY_BE_EMPTY else [""]
            for text in wrong:
                assert refusal(changed(command, name, text)).code is Code.OUT_OF_RANGE, (name, text)
            assert decode_command(changed(command, name, "a" * (36 if is_id else 32)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accounts", ()),
        ("accounts", ("a",) * (KEY_ACCOUNTS_MAX + 1)),
        ("accounts", ("a", "")),
        ("accounts", ("a", 1)),
        ("salt", bytes(7)),
        ("salt", bytes(65)),
        ("stored_key", bytes(31)),
        ("server_key", bytes(33)),
    ],
)
def test_a_key_of_wrong_form_is_refused(name: str, value: object) -> None:
    """Lists and keys have their sizes."""
    assert refusal(changed(example_of(CreateKey), name, value)).code is Code.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("cls", "name", "count_max"),
    [(CreateOutcomeMarket, "runners", RUNNERS_MAX), (SettleMarket, "winners", RUNNERS_MAX)],
)
def test_a_list_of_names_has_its_size_and_form(cls: type[Command], name: str, count_max: int) -> None:
    """None at all is a list too; what that means is for the engine to say."""
    for names in ((), ("a",) * count_max):
        assert decode_command(changed(example_of(cls), name, names))
    for wrong in (("a",) * (count_max + 1), ("a", ""), ("a", 1), ("a", "b:c"), (("a",),)):
        error = refusal(changed(example_of(cls), name, wrong))
        assert error.code is Code.OUT_OF_RANGE and f"{cls.__name__}.{name}" in error.detail


PLAIN = encode_command(example_of(PlaceOrder))


@pytest.mark.parametrize("name", ["first", "second"])
def test_the_orders_of_a_pair_are_checked_in_full(name: str) -> None:
    """Each leg as if it had come alone; the refusal names the leg."""
    pair = example_of(PlacePair)
    assert decode_command(changed(pair, name, encode_command(example_of(PlaceAdvanced))))
    for leg, code in WRONG_INSIDE:
        error = refusal(changed(pair, name, leg))
        assert error.code is code and f"PlacePair.{name}" in error.detail
    assert refusal(changed(pair, name, (2, *PLAIN[1:]))).code is Code.UNSUPPORTED_TYPE


def test_the_commands_of_a_batch_are_checked_in_full() -> None:
    """1 to 100, each as if it had come alone; the refusal names its place."""
    batch = example_of(SubmitBatch)
    for number in (1, 2, 4, 5, 6):
        assert decode_command(
            changed(batch, "commands", (encode_command(example_of(COMMAND_CLASSES[number])),))
        )
    for inner, code in (*WRONG_INSIDE, (encode_command(batch), Code.UNSUPPORTED_TYPE)):
        error = refusal(changed(batch, "commands", (PLAIN, PLAIN, inner)))
        assert error.code is code and "SubmitBatch.commands[2]" in error.detail
    assert decode_command(changed(batch, "commands", (PLAIN,) * BATCH_COMMANDS_MAX))
    for count in (0, BATCH_COMMANDS_MAX + 1):
        assert refusal(changed(batch, "commands", (PLAIN,) * count)).code is Code.OUT_OF_RANGE


WRONG_INSIDE: list[tuple[object, Code]] = [
    (7, Code.WRONG_TYPE),
    ((), Code.WRONG_TYPE),
    ((True, *PLAIN[1:]), Code.UNSUPPORTED_TYPE),
    ((42,), Code.UNSUPPORTED_TYPE),
    (((1,), "a"), Code.UNSUPPORTED_TYPE),
    (PLAIN[:-1], Code.MISSING_FIELD),
    ((*PLAIN, 0), Code.UNSUPPORTED_FIELD),
    ((*PLAIN[:5], "1", *PLAIN[6:]), Code.WRONG_TYPE),
    ((*PLAIN[:5], 3, *PLAIN[6:]), Code.OUT_OF_RANGE),
]


def test_a_timer_is_off_or_not_too_short() -> None:
    """0 ends a dead man's timer; 99 ms are no time."""
    assert decode_command(changed(example_of(CancelAfter), "timeout_ns", 0))
    assert refusal(changed(example_of(CancelAfter), "timeout_ns", 10**8 - 1)).code is Code.OUT_OF_RANGE
    assert decode_command(encode_command(SetGroup("1", "a", 1, "g", lots_max=0, window_ns=0)))
    assert refusal(changed(example_of(SetGroup), "window_ns", 10**6 - 1)).code is Code.OUT_OF_RANGE


@pytest.mark.parametrize("fields", [None, 1, "a", b"a", (), {}, 1.5, [1]])
def test_what_is_no_command_array_is_malformed(fields: object) -> None:
    """Only an array with something in it can be a command."""
    assert refusal(fields).code is Code.MALFORMED


@pytest.mark.parametrize("number", [0, -1, 13, 99, 2**63, True, 1.0, "1", None, ()])
def test_an_unknown_command_number_is_refused(number: object) -> None:
    """True is not 1."""
    assert refusal((number, "a")).code is Code.UNSUPPORTED_TYPE


@given(st.binary(max_size=40))
def test_any_bytes_are_one_value_or_malformed(data: bytes) -> None:
    """Unpacking has one error."""
    try:
        unpack(data)
    except FormError as error:
        assert error.code is Code.MALFORMED


@given(values())
def test_any_value_is_a_command_or_a_form_error(value: Any) -> None:
    """What MessagePack can carry and is no command is refused with one error."""
    back = unpack(pack(value))
    assert back == value
    try:
        decode_command(back)
    except FormError as error:
        assert 100 <= error.code <= 199


@given(st.data(), commands())
def test_a_mutated_command_is_a_command_or_a_form_error(data: st.DataObject, command: Command) -> None:
    """What still decodes is a command of right form: it comes back the same."""
    mutant = data.draw(mutated(pack(encode_command(command))))
    try:
        back = decode_command(unpack(mutant))
    except FormError as error:
        assert 100 <= error.code <= 199
    else:
        assert decode_command(unpack(pack(encode_command(back)))) == back


@pytest.mark.parametrize(
    ("value", "code"),
    [(2**64, Code.OUT_OF_RANGE), (object(), Code.WRONG_TYPE), ("\ud800", Code.WRONG_TYPE)],
)
def test_what_messagepack_cannot_carry_has_a_typed_error(value: object, code: Code) -> None:
    """Packing has typed errors too, and the packer works on after one."""
    with pytest.raises(FormError) as caught:
        pack((1, value))
    assert caught.value.code is code
    assert unpack(pack((1, 2))) == (1, 2)


def test_nesting_too_deep_is_malformed() -> None:
    """A small message cannot exhaust the stack."""
    with pytest.raises(FormError) as caught:
        unpack(b"\x91" * 100_000 + b"\xc0")
    assert caught.value.code is Code.MALFORMED


def test_an_enum_travels_as_its_number() -> None:
    """Records may hold enum members; the wire has integers."""
    assert unpack(pack(encode_event(MarketStateChanged("M", Code.BUSY)))) == (15, "M", 204)
