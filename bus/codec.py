"""MessagePack codec of commands and events: ``[type, *fields]`` arrays with fixed numbers.

Invariant: bytes from outside become a typed record or a `FormError` that names what was expected;
no other exception leaves this module, and nothing is guessed, cut or defaulted. What is decoded
encodes to the same values, in MessagePack's shortest form.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn, cast

import msgpack

from .commands import (
    COMMAND_CLASSES,
    COMMAND_NUMBERS,
    INT_MAX,
    AccountState,
    Command,
    MarketState,
    OrderType,
    Side,
    TimeInForce,
)
from .errors import Code, FormError
from .events import EVENT_CLASSES, EVENT_NUMBERS, Event

ID_CHARS_MAX = 36
NAME_CHARS_MAX = 32
KEY_ACCOUNTS_MAX = 256

_is_id = re.compile(rf"[!-~]{{1,{ID_CHARS_MAX}}}").fullmatch
_is_name = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_CHARS_MAX - 1}}}").fullmatch
_is_id_or_empty = re.compile(rf"[!-~]{{0,{ID_CHARS_MAX}}}").fullmatch
_is_name_or_empty = re.compile(rf"(?:[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_CHARS_MAX - 1}}})?").fullmatch

ID_FORM = f"1 to {ID_CHARS_MAX} printable ASCII characters without spaces"
NAME_FORM = f"1 to {NAME_CHARS_MAX} characters of A-Z a-z 0-9 . _ - starting with a letter or digit"

_packer_pack = msgpack.Packer(use_bin_type=True).pack


def pack(value: object) -> bytes:
    """Return ``value`` as MessagePack bytes.

    Raises
    ------
    FormError
        WRONG_TYPE or OUT_OF_RANGE when the value has no MessagePack form.
    """
    try:
        return cast(bytes, _packer_pack(value))
    except OverflowError as error:
        raise FormError(
            Code.OUT_OF_RANGE, f"expected integers of at most 64 bits, was larger ({error})"
        ) from None
    except (TypeError, ValueError, UnicodeError) as error:
        raise FormError(Code.WRONG_TYPE, f"expected values that MessagePack can carry, was {error}") from None


def unpack(data: bytes | memoryview) -> Any:
    """Return the one MessagePack value in ``data`` (arrays become tuples).

    Raises
    ------
    FormError
        MALFORMED when ``data`` is not exactly one MessagePack value.
    """
    try:
        return msgpack.unpackb(data, use_list=False)
    except (
        ValueError,
        TypeError,
        msgpack.exceptions.UnpackException,
        RecursionError,
        OverflowError,
    ) as error:
        raise FormError(
            Code.MALFORMED,
            f"expected exactly one MessagePack value, was {len(data)} bytes that are not ({error!r:.80})",
        ) from None


class _Spec(NamedTuple):
    """What a command's array must look like: exact types, integer ranges, text forms.

    ``fits`` says in one expression whether an array of the right length does; the rest says what is wrong.
    """

    cls: type[Command]
    fits: Callable[[Sequence[Any]], object]
    types: tuple[type, ...]
    ranges: tuple[tuple[int, int, int], ...]
    texts: tuple[tuple[int, Callable[[str], object], str], ...]


_RANGES: dict[str, tuple[int, int]] = {
    "side": (min(Side), max(Side)),
    "order_type": (min(OrderType), max(OrderType)),
    "time_in_force": (min(TimeInForce), max(TimeInForce)),
    "decimals": (0, 18),
    "tick_decimals": (0, 18),
    "tick_mantissa": (1, INT_MAX),
    "lot_atoms": (1, INT_MAX),
    "price_ticks_max": (1, INT_MAX),
    "qty_lots_max": (1, INT_MAX),
    "maker_fee_ppm": (0, 100_000),
    "taker_fee_ppm": (0, 100_000),
    "roles": (1, 15),
    "iterations": (4096, 10_000_000),
    "amount_atoms": (1, INT_MAX),
}
_STATES = {
    "SetMarketState": (min(MarketState), max(MarketState)),
    "SetAccountState": (min(AccountState), max(AccountState)),
}
_TEXTS: dict[str, tuple[Callable[[str], object], str]] = {
    "client_order_id": (_is_id, ID_FORM),
    "command_id": (_is_id, ID_FORM),
}
_EMPTY_ALLOWED = {
    ("CancelOrder", "client_order_id"): (_is_id_or_empty, f"nothing or {ID_FORM}"),
    ("ReduceOrder", "client_order_id"): (_is_id_or_empty, f"nothing or {ID_FORM}"),
    ("ReplaceOrder", "client_order_id"): (_is_id_or_empty, f"nothing or {ID_FORM}"),
    ("CancelAll", "market"): (_is_name_or_empty, f"nothing or {NAME_FORM}"),
}


def _spec_of(cls: type[Command]) -> _Spec:
    types: list[type] = [int]
    ranges: list[tuple[int, int, int]] = []
    texts: list[tuple[int, Callable[[str], object], str]] = []
    for index, (field, kind) in enumerate(cls.__annotations__.items(), start=1):
        plain = kind if isinstance(kind, type) else tuple
        types.append(plain)
        if plain is int:
            low, high = _STATES[cls.__name__] if field == "state" else _RANGES.get(field, (0, INT_MAX))
            ranges.append((index, low, high))
        elif plain is str:
            default = _TEXTS.get(field, (_is_name, NAME_FORM))
            texts.append((index, *_EMPTY_ALLOWED.get((cls.__name__, field), default)))
    return _Spec(cls, _fitting(types, ranges, texts), tuple(types), tuple(ranges), tuple(texts))


def _fitting(
    types: Sequence[type],
    ranges: Iterable[tuple[int, int, int]],
    texts: Iterable[tuple[int, Callable[[str], object], str]],
) -> Callable[[Sequence[Any]], object]:
    """Return the checks of one command as one compiled expression: half the time of going through lists,
    for every command of the venue. Nothing from outside goes into the source."""
    known: dict[str, Any] = {}
    terms = [f"type(f{index}) is {kind.__name__}" for index, kind in enumerate(types)]
    terms += [f"{low} <= f{index} <= {high}" for index, low, high in ranges]
    for index, has_form, _ in texts:
        known[f"form{index}"] = has_form
        terms.append(f"form{index}(f{index})")
    names = "".join(f"f{index}, " for index in range(len(types)))
    exec(f"def fits(fields):\n    {names} = fields\n    return {' and '.join(terms)}", known)
    return cast(Callable[[Sequence[Any]], object], known["fits"])


_SPECS: dict[int, _Spec] = {number: _spec_of(cls) for number, cls in COMMAND_CLASSES.items()}


def field_forms(cls: type[Command]) -> dict[str, str]:
    """Return what each field of a command must look like, in words (for the reference page)."""
    spec = _SPECS[COMMAND_NUMBERS[cls]]
    forms = {cls._fields[index - 1]: f"{low} to {_power(high)}" for index, low, high in spec.ranges}
    forms.update({cls._fields[index - 1]: form for index, _, form in spec.texts})
    return {name: forms.get(name, "") for name in cls._fields}


def _power(number: int) -> str:
    return "2^63−1" if number == INT_MAX else str(int(number))


def encode_command(command: Command) -> tuple[object, ...]:
    """Return the wire array of a command."""
    return (COMMAND_NUMBERS[type(command)], *command)


def decode_command(fields: object) -> Command:
    """Return the command in a wire array, checked for form.

    Raises
    ------
    FormError
        MALFORMED, UNSUPPORTED_TYPE, MISSING_FIELD, UNSUPPORTED_FIELD, WRONG_TYPE or OUT_OF_RANGE.
    """
    array = check_command(fields)
    return tuple.__new__(_SPECS[array[0]].cls, array[1:])


def check_command(fields: object) -> tuple[Any, ...]:
    """Return a command's wire array as it is, checked for form; raises as `decode_command` does."""
    if type(fields) is not tuple or not fields:
        _refuse(Code.MALFORMED, "a command array [type, …fields]", fields)
    spec = _SPECS.get(fields[0]) if type(fields[0]) is int else None
    if spec is None:
        _refuse(Code.UNSUPPORTED_TYPE, "a known command type number", fields[0])
    if len(fields) != len(spec.types) or not spec.fits(fields):
        _refuse_fields(spec, fields)
    if fields[0] == _CREATE_KEY:
        _check_key_lists(fields)
    return fields


def _refuse_fields(spec: _Spec, fields: Sequence[Any]) -> NoReturn:
    """Say the first thing that is wrong."""
    if tuple(map(type, fields)) != spec.types:
        _refuse_types(spec, fields)
    for index, low, high in spec.ranges:
        if not low <= fields[index] <= high:
            _refuse(Code.OUT_OF_RANGE, f"{_name(spec, index)} from {low} to {high}", fields[index])
    for index, has_form, form in spec.texts:
        if not has_form(fields[index]):
            _refuse(Code.OUT_OF_RANGE, f"{_name(spec, index)} of {form}", fields[index])
    raise AssertionError("a command did not fit but nothing was found wrong")


_CREATE_KEY = 23


def _check_key_lists(fields: Sequence[Any]) -> None:
    accounts, salt, stored_key, server_key = fields[6], fields[7], fields[9], fields[10]
    if not 1 <= len(accounts) <= KEY_ACCOUNTS_MAX or not all(
        type(name) is str and _is_name(name) for name in accounts
    ):
        _refuse(Code.OUT_OF_RANGE, f"accounts: 1 to {KEY_ACCOUNTS_MAX} names of {NAME_FORM}", accounts)
    if not 8 <= len(salt) <= 64 or len(stored_key) != 32 or len(server_key) != 32:
        _refuse(
            Code.OUT_OF_RANGE,
            "a salt of 8 to 64 bytes and keys of 32 bytes",
            (len(salt), len(stored_key), len(server_key)),
        )


def _name(spec: _Spec, index: int) -> str:
    return f"{spec.cls.__name__}.{spec.cls._fields[index - 1]}"


def _refuse(code: Code, expected: str, was: object) -> NoReturn:
    raise FormError(code, f"expected {expected}, was {was!r:.80}")


def _refuse_types(spec: _Spec, fields: Sequence[object]) -> NoReturn:
    wanted = len(spec.types) - 1
    if len(fields) - 1 < wanted:
        _refuse(
            Code.MISSING_FIELD,
            f"{spec.cls.__name__} with {wanted} fields (next: {_name(spec, len(fields))})",
            len(fields) - 1,
        )
    if len(fields) - 1 > wanted:
        _refuse(Code.UNSUPPORTED_FIELD, f"{spec.cls.__name__} with {wanted} fields", len(fields) - 1)
    for index, (value, kind) in enumerate(zip(fields, spec.types, strict=True)):
        if type(value) is not kind:
            _refuse(
                Code.WRONG_TYPE,
                f"{_name(spec, index)} as {kind.__name__}",
                f"{type(value).__name__} {value!r}",
            )
    raise AssertionError("types compared unequal but no difference was found")


def encode_event(event: Event) -> tuple[object, ...]:
    """Return the wire array of an event."""
    return (EVENT_NUMBERS[type(event)], *event)


def decode_event(fields: Sequence[Any]) -> Event | None:
    """Return the event in a wire array; trailing fields are ignored, an unknown type is None.

    Raises
    ------
    FormError
        MALFORMED when a known event has too few fields. Field types are trusted: events come only
        from the engine, over a connection that the reader chose.
    """
    try:
        cls = EVENT_CLASSES.get(fields[0])
        if cls is None:
            return None
        count = len(cls._fields)
        if len(fields) <= count:
            _refuse(Code.MALFORMED, f"{cls.__name__} with {count} fields", len(fields) - 1)
        return tuple.__new__(cls, fields[1 : count + 1])
    except (TypeError, IndexError, KeyError):
        _refuse(Code.MALFORMED, "an event array [type, …fields]", fields)


def encode_events(events: Iterable[Event]) -> list[tuple[object, ...]]:
    """Return the wire arrays of events, in order."""
    numbers = EVENT_NUMBERS
    return [(numbers[type(event)], *event) for event in events]
