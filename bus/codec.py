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
    MarketModel,
    MarketState,
    MatchingRule,
    OrderType,
    PairKind,
    Prevention,
    RemovalRule,
    Side,
    TimeInForce,
    Trigger,
)
from .errors import Code, FormError
from .events import EVENT_CLASSES, EVENT_NUMBERS, Event

ID_CHARS_MAX = 36
NAME_CHARS_MAX = 32
KEY_ACCOUNTS_MAX = 256
RUNNERS_MAX = 64
BATCH_COMMANDS_MAX = 100
CANCEL_AFTER_NS_MIN = 100_000_000
WINDOW_NS_MIN = 1_000_000

_NAME = rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_CHARS_MAX - 1}}}"
_is_id = re.compile(rf"[!-~]{{1,{ID_CHARS_MAX}}}").fullmatch
_is_name = re.compile(_NAME).fullmatch
_is_book = re.compile(rf"{_NAME}(?::{_NAME})?").fullmatch
_is_id_or_empty = re.compile(rf"[!-~]{{0,{ID_CHARS_MAX}}}").fullmatch
_is_name_or_empty = re.compile(rf"(?:{_NAME})?").fullmatch
_is_book_or_empty = re.compile(rf"(?:{_NAME}(?::{_NAME})?)?").fullmatch

ID_FORM = f"1 to {ID_CHARS_MAX} printable ASCII characters without spaces"
NAME_FORM = f"1 to {NAME_CHARS_MAX} characters of A-Z a-z 0-9 . _ - starting with a letter or digit"
BOOK_FORM = "a name, or two with a colon between (market:runner)"

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
    "trigger": (min(Trigger), max(Trigger)),
    "prevention": (min(Prevention), max(Prevention)),
    "kind": (min(PairKind), max(PairKind)),
    "matching": (min(MatchingRule), max(MatchingRule)),
    "model": (MarketModel.BINARY, MarketModel.ODDS),
    "removal_rule": (min(RemovalRule), max(RemovalRule)),
    "decimals": (0, 18),
    "tick_decimals": (0, 18),
    "tick_mantissa": (1, INT_MAX),
    "lot_atoms": (1, INT_MAX),
    "price_ticks_max": (1, INT_MAX),
    "qty_lots_max": (1, INT_MAX),
    "maker_fee_ppm": (0, 100_000),
    "taker_fee_ppm": (0, 100_000),
    "commission_ppm": (0, 1_000_000),
    "reduction_ppm": (0, 1_000_000),
    "first_share_ppm": (0, 1_000_000),
    "share_ppm": (1, 1_000_000),
    "band_ppm": (0, 1_000_000_000),
    "tier": (1, 9),
    "fee_tier": (0, 9),
    "worst_atoms": (-INT_MAX, INT_MAX),
    "timeout_ns": (0, 86_400_000_000_000),
    "window_ns": (0, 3_600_000_000_000),
    "bet_delay_ns": (0, 60_000_000_000),
    "roles": (1, 15),
    "iterations": (4096, 10_000_000),
    "amount_atoms": (1, INT_MAX),
}
_OWN_RANGES: dict[tuple[str, str], tuple[int, int]] = {
    # A plain order has no time at which it ends.
    ("PlaceOrder", "time_in_force"): (TimeInForce.GTC, TimeInForce.FOK),
    ("CancelMatching", "side"): (0, max(Side)),
    ("CancelWhere", "side"): (0, max(Side)),
    ("SetMarketState", "state"): (min(MarketState), max(MarketState)),
    ("SetAccountState", "state"): (min(AccountState), max(AccountState)),
    ("SetFeeTier", "maker_fee_ppm"): (-100_000, 100_000),
    ("SetAccountTerms", "prevention"): (Prevention.NONE, max(Prevention)),
}
_TEXTS: dict[str, tuple[Callable[[str], object], str]] = {
    "client_order_id": (_is_id, ID_FORM),
    "command_id": (_is_id, ID_FORM),
}
_ID_OR_EMPTY = (_is_id_or_empty, f"nothing or {ID_FORM}")
_NAME_OR_EMPTY = (_is_name_or_empty, f"nothing or {NAME_FORM}")
_BOOK = (_is_book, BOOK_FORM)
_BOOK_OR_EMPTY = (_is_book_or_empty, f"nothing or {BOOK_FORM}")
_OWN_TEXTS: dict[tuple[str, str], tuple[Callable[[str], object], str]] = {
    ("PlaceOrder", "market"): _BOOK,
    ("PlaceAdvanced", "market"): _BOOK,
    ("PlaceAdvanced", "group"): _NAME_OR_EMPTY,
    ("CancelOrder", "market"): _BOOK,
    ("CancelOrder", "client_order_id"): _ID_OR_EMPTY,
    ("ReduceOrder", "market"): _BOOK,
    ("ReduceOrder", "client_order_id"): _ID_OR_EMPTY,
    ("ReplaceOrder", "market"): _BOOK,
    ("ReplaceOrder", "client_order_id"): _ID_OR_EMPTY,
    ("CancelAll", "market"): _BOOK_OR_EMPTY,
    ("CancelMatching", "market"): _BOOK_OR_EMPTY,
    ("CancelMarket", "market"): _BOOK,
    ("CancelWhere", "market"): _BOOK_OR_EMPTY,
    ("CancelWhere", "target_account"): _NAME_OR_EMPTY,
    ("SetAccountTerms", "prevention_group"): _NAME_OR_EMPTY,
    ("SetAccountLimits", "market"): _NAME_OR_EMPTY,
    ("CreateOutcomeMarket", "house"): _NAME_OR_EMPTY,
}


def _spec_of(cls: type[Command]) -> _Spec:
    types: list[type] = [int]
    ranges: list[tuple[int, int, int]] = []
    texts: list[tuple[int, Callable[[str], object], str]] = []
    for index, (field, kind) in enumerate(cls.__annotations__.items(), start=1):
        plain = kind if isinstance(kind, type) else tuple
        types.append(plain)
        own = (cls.__name__, field)
        if plain is int:
            ranges.append((index, *_OWN_RANGES.get(own, _RANGES.get(field, (0, INT_MAX)))))
        elif plain is str:
            texts.append((index, *_OWN_TEXTS.get(own, _TEXTS.get(field, (_is_name, NAME_FORM)))))
    fits = _fitting(types, ranges, texts, _FURTHER.get(cls.__name__))
    return _Spec(cls, fits, tuple(types), tuple(ranges), tuple(texts))


def _fitting(
    types: Sequence[type],
    ranges: Iterable[tuple[int, int, int]],
    texts: Iterable[tuple[int, Callable[[str], object], str]],
    further: Callable[[Sequence[Any]], bool] | None,
) -> Callable[[Sequence[Any]], object]:
    """Return the checks of one command as one compiled expression: half the time of going through lists,
    for every command of the venue. Nothing from outside goes into the source."""
    known: dict[str, Any] = {}
    terms = [f"type(f{index}) is {kind.__name__}" for index, kind in enumerate(types)]
    terms += [f"{int(low)} <= f{index} <= {int(high)}" for index, low, high in ranges]
    for index, has_form, _ in texts:
        known[f"form{index}"] = has_form
        terms.append(f"form{index}(f{index})")
    if further is not None:
        known["further"] = further
        terms.append("further(fields)")
    names = "".join(f"f{index}, " for index in range(len(types)))
    exec(f"def fits(fields):\n    {names} = fields\n    return {' and '.join(terms)}", known)
    return cast(Callable[[Sequence[Any]], object], known["fits"])


def _check_key(fields: Sequence[Any]) -> bool:
    accounts, salt, stored_key, server_key = fields[6], fields[7], fields[9], fields[10]
    _check_names("CreateKey.accounts", accounts, 1, KEY_ACCOUNTS_MAX)
    if not 8 <= len(salt) <= 64 or len(stored_key) != 32 or len(server_key) != 32:
        _refuse(
            Code.OUT_OF_RANGE,
            "a salt of 8 to 64 bytes and keys of 32 bytes",
            (len(salt), len(stored_key), len(server_key)),
        )
    return True


def _check_runners(fields: Sequence[Any]) -> bool:
    _check_names("CreateOutcomeMarket.runners", fields[7], 0, RUNNERS_MAX)
    return True


def _check_winners(fields: Sequence[Any]) -> bool:
    _check_names("SettleMarket.winners", fields[5], 0, RUNNERS_MAX)
    return True


def _check_names(field: str, names: Sequence[Any], count_min: int, count_max: int) -> None:
    if not count_min <= len(names) <= count_max or not all(
        type(name) is str and _is_name(name) for name in names
    ):
        _refuse(Code.OUT_OF_RANGE, f"{field}: {count_min} to {count_max} names of {NAME_FORM}", names)


def _check_pair(fields: Sequence[Any]) -> bool:
    _check_inner("PlacePair.first", fields[5], _PLACES)
    _check_inner("PlacePair.second", fields[6], _PLACES)
    return True


def _check_batch(fields: Sequence[Any]) -> bool:
    commands = fields[5]
    if not 1 <= len(commands) <= BATCH_COMMANDS_MAX:
        expected = f"SubmitBatch.commands: 1 to {BATCH_COMMANDS_MAX} commands"
        _refuse(Code.OUT_OF_RANGE, expected, len(commands))
    for index, command in enumerate(commands):
        _check_inner(f"SubmitBatch.commands[{index}]", command, _IN_BATCHES)
    return True


def _check_inner(where: str, fields: object, allowed: frozenset[int]) -> None:
    """Refuse a command inside another if it would be refused alone, or is not one of those allowed."""
    if type(fields) is not tuple or not fields:
        _refuse(Code.WRONG_TYPE, f"{where} as a command array", fields)
    if type(fields[0]) is not int or fields[0] not in allowed:
        known = ", ".join(COMMAND_CLASSES[number].__name__ for number in sorted(allowed))
        _refuse(Code.UNSUPPORTED_TYPE, f"{where} as one of {known}", fields[0])
    try:
        check_command(fields)
    except FormError as error:
        raise FormError(error.code, f"{error.detail} (in {where})") from None


def _check_timeout(fields: Sequence[Any]) -> bool:
    if 0 < fields[4] < CANCEL_AFTER_NS_MIN:
        expected = f"CancelAfter.timeout_ns of 0, or from {CANCEL_AFTER_NS_MIN} up"
        _refuse(Code.OUT_OF_RANGE, expected, fields[4])
    return True


def _check_window(fields: Sequence[Any]) -> bool:
    if fields[5] and fields[6] < WINDOW_NS_MIN:
        _refuse(Code.OUT_OF_RANGE, f"SetGroup.window_ns from {WINDOW_NS_MIN} up", fields[6])
    return True


_PLACES = frozenset({1, 6})
_IN_BATCHES = frozenset({1, 2, 4, 5, 6})
_FURTHER: dict[str, Callable[[Sequence[Any]], bool]] = {
    "CreateKey": _check_key,
    "CreateOutcomeMarket": _check_runners,
    "SettleMarket": _check_winners,
    "PlacePair": _check_pair,
    "SubmitBatch": _check_batch,
    "CancelAfter": _check_timeout,
    "SetGroup": _check_window,
}
"""What types, ranges and forms do not say of a command; these say themselves what is wrong."""

_FURTHER_FORMS = {
    ("CreateKey", "accounts"): f"1 to {KEY_ACCOUNTS_MAX} names",
    ("CreateOutcomeMarket", "runners"): f"0 to {RUNNERS_MAX} names",
    ("SettleMarket", "winners"): f"0 to {RUNNERS_MAX} names",
    ("PlacePair", "first"): "a PlaceOrder or PlaceAdvanced",
    ("PlacePair", "second"): "a PlaceOrder or PlaceAdvanced",
    ("SubmitBatch", "commands"): f"1 to {BATCH_COMMANDS_MAX} of the commands 1, 2, 4, 5, 6",
    ("CancelAfter", "timeout_ns"): f"0, or {CANCEL_AFTER_NS_MIN} to {_RANGES['timeout_ns'][1]}",
    ("SetGroup", "window_ns"): f"{WINDOW_NS_MIN} to {_RANGES['window_ns'][1]} (any below, to remove)",
}

_SPECS: dict[int, _Spec] = {number: _spec_of(cls) for number, cls in COMMAND_CLASSES.items()}


def field_forms(cls: type[Command]) -> dict[str, str]:
    """Return what each field of a command must look like, in words (for the reference page)."""
    spec = _SPECS[COMMAND_NUMBERS[cls]]
    forms = {cls._fields[index - 1]: f"{low} to {_power(high)}" for index, low, high in spec.ranges}
    forms.update({cls._fields[index - 1]: form for index, _, form in spec.texts})
    return {name: _FURTHER_FORMS.get((cls.__name__, name), forms.get(name, "")) for name in cls._fields}


def _power(number: int) -> str:
    if abs(number) == INT_MAX:
        return "2^63−1" if number > 0 else "−(2^63−1)"
    return str(int(number)).replace("-", "−")


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
    return fields


def _refuse_fields(spec: _Spec, fields: Sequence[Any]) -> NoReturn:
    """Say the first thing that is wrong."""
    if tuple(map(type, fields)) != spec.types:
        _refuse_types(spec, fields)
    for index, low, high in spec.ranges:
        if not low <= fields[index] <= high:
            _refuse(Code.OUT_OF_RANGE, f"{_name(spec, index)} from {low:d} to {high:d}", fields[index])
    for index, has_form, form in spec.texts:
        if not has_form(fields[index]):
            _refuse(Code.OUT_OF_RANGE, f"{_name(spec, index)} of {form}", fields[index])
    raise AssertionError("a command did not fit but nothing was found wrong")


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
