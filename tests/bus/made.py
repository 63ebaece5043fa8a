"""Commands, events and values as hypothesis makes them: every record of the wire, within its form."""

import string
from collections.abc import Callable
from typing import Any, get_args, get_origin

from hypothesis import strategies as st

from bus.commands import COMMAND_CLASSES, INT_MAX, Command
from bus.events import EVENT_CLASSES, Event

PRINTABLE = "".join(chr(n) for n in range(0x21, 0x7F))
IDS = st.text(PRINTABLE, min_size=1, max_size=36)
NAMES = st.builds(
    str.__add__,
    st.sampled_from(string.ascii_letters + string.digits),
    st.text(string.ascii_letters + string.digits + "._-", max_size=31),
)
INTEGERS = st.sampled_from([0, 1, 127, 128, 2**32, INT_MAX - 1, INT_MAX]) | st.integers(0, INT_MAX)
RANGES = {
    "side": (1, 2),
    "order_type": (1, 2),
    "time_in_force": (1, 3),
    "state": (1, 2),
    "roles": (1, 15),
    "decimals": (0, 18),
    "tick_decimals": (0, 18),
    "tick_mantissa": (1, INT_MAX),
    "lot_atoms": (1, INT_MAX),
    "price_ticks_max": (1, INT_MAX),
    "qty_lots_max": (1, INT_MAX),
    "maker_fee_ppm": (0, 100_000),
    "taker_fee_ppm": (0, 100_000),
    "iterations": (4_096, 10_000_000),
    "amount_atoms": (1, INT_MAX),
}
MAY_BE_EMPTY = {
    ("CancelOrder", "client_order_id"),
    ("ReduceOrder", "client_order_id"),
    ("ReplaceOrder", "client_order_id"),
    ("CancelAll", "market"),
}
BYTES = {
    "salt": st.binary(min_size=8, max_size=64),
    "stored_key": st.binary(min_size=32, max_size=32),
    "server_key": st.binary(min_size=32, max_size=32),
}


def _command_field(cls: type[Command], name: str, kind: object) -> st.SearchStrategy[Any]:
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(*RANGES[name]) if name in RANGES else INTEGERS
    if kind is bytes:
        return BYTES[name]
    if kind is str:
        texts = IDS if name in ("command_id", "client_order_id") else NAMES
        return texts | st.just("") if (cls.__name__, name) in MAY_BE_EMPTY else texts
    if name == "accounts":
        return st.lists(NAMES, min_size=1, max_size=4).map(tuple)
    assert name == "limits", name
    return st.lists(INTEGERS, max_size=10).map(tuple)


def commands_of(cls: type[Command]) -> st.SearchStrategy[Command]:
    """Draw a command of a class."""
    fields = {name: _command_field(cls, name, kind) for name, kind in cls.__annotations__.items()}
    return st.builds(cls, **fields)


def commands() -> st.SearchStrategy[Command]:
    """Draw a command."""
    return st.one_of([commands_of(cls) for cls in COMMAND_CLASSES.values()])


def example_of(cls: type[Command]) -> Command:
    """Return one plain command of a class, always the same."""
    plain: dict[object, Any] = {bool: False, int: 1, str: "a", bytes: bytes(32)}
    special: dict[str, Any] = {"accounts": ("a",), "limits": (1,), "iterations": 4_096}
    make: Callable[..., Command] = cls
    return make(*[special.get(name, plain.get(kind)) for name, kind in cls.__annotations__.items()])


def _event_field(kind: object) -> st.SearchStrategy[Any]:
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(-INT_MAX, INT_MAX)
    if kind is str:
        return st.text(max_size=12)
    if kind is bytes:
        return st.binary(max_size=12)
    assert get_origin(kind) is tuple, kind
    return st.lists(_event_field(get_args(kind)[0]), max_size=3).map(tuple)


def events() -> st.SearchStrategy[Event]:
    """Draw an event."""
    return st.one_of(
        [
            st.builds(cls, **{name: _event_field(kind) for name, kind in cls.__annotations__.items()})
            for cls in EVENT_CLASSES.values()
        ]
    )


def values() -> st.SearchStrategy[Any]:
    """Draw anything that MessagePack can carry."""
    plain = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False),
        st.text(max_size=8),
        st.binary(max_size=8),
    )
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=6).map(tuple) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=12,
    )


def mutated(data: bytes) -> st.SearchStrategy[bytes]:
    """Draw ``data`` with a byte changed, put in or taken out, or an end cut off."""
    at = st.integers(0, len(data))
    byte = st.binary(min_size=1, max_size=1)
    return st.one_of(
        st.builds(lambda n, new: data[:n] + new + data[n + 1 :], at, byte),
        st.builds(lambda n, new: data[:n] + new + data[n:], at, byte),
        st.builds(lambda n: data[:n] + data[n + 1 :], at),
        st.builds(lambda n: data[:n], at),
        st.builds(lambda more: data + more, st.binary(max_size=4)),
    )
