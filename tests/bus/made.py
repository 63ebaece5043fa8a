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
    "time_in_force": (1, 5),
    "trigger": (0, 3),
    "prevention": (0, 5),
    "kind": (1, 2),
    "matching": (1, 2),
    "model": (2, 3),
    "removal_rule": (1, 2),
    "roles": (1, 15),
    "decimals": (0, 18),
    "tick_decimals": (0, 18),
    "tick_mantissa": (1, INT_MAX),
    "lot_atoms": (1, INT_MAX),
    "price_ticks_max": (1, INT_MAX),
    "qty_lots_max": (1, INT_MAX),
    "maker_fee_ppm": (0, 100_000),
    "taker_fee_ppm": (0, 100_000),
    "commission_ppm": (0, 10**6),
    "reduction_ppm": (0, 10**6),
    "first_share_ppm": (0, 10**6),
    "share_ppm": (1, 10**6),
    "band_ppm": (0, 10**9),
    "tier": (1, 9),
    "fee_tier": (0, 9),
    "worst_atoms": (-INT_MAX, INT_MAX),
    "timeout_ns": (0, 86_400 * 10**9),
    "window_ns": (0, 3_600 * 10**9),
    "bet_delay_ns": (0, 60 * 10**9),
    "iterations": (4_096, 10_000_000),
    "amount_atoms": (1, INT_MAX),
}
OWN_RANGES = {
    ("PlaceOrder", "time_in_force"): (1, 3),
    ("CancelMatching", "side"): (0, 2),
    ("CancelWhere", "side"): (0, 2),
    ("SetMarketState", "state"): (1, 9),
    ("SetAccountState", "state"): (1, 2),
    ("SetFeeTier", "maker_fee_ppm"): (-100_000, 100_000),
    ("SetAccountTerms", "prevention"): (1, 5),
}
# With bounds of their own beyond the range, that tests draw by hand.
DRAWN = {
    "timeout_ns": st.just(0) | st.integers(10**8, 86_400 * 10**9),
    "window_ns": st.integers(10**6, 3_600 * 10**9),
}
MAY_BE_EMPTY = {
    ("CancelOrder", "client_order_id"),
    ("ReduceOrder", "client_order_id"),
    ("ReplaceOrder", "client_order_id"),
    ("CancelAll", "market"),
    ("CancelMatching", "market"),
    ("CancelWhere", "market"),
    ("CancelWhere", "target_account"),
    ("PlaceAdvanced", "group"),
    ("SetAccountTerms", "prevention_group"),
    ("SetAccountLimits", "market"),
    ("CreateOutcomeMarket", "house"),
}
BOOKS = {
    "PlaceOrder", "PlaceAdvanced", "CancelOrder", "ReduceOrder", "ReplaceOrder", "CancelAll",
    "CancelMatching", "CancelMarket", "CancelWhere",
}  # fmt: skip
"""The commands whose ``market`` names a book."""

BYTES = {
    "salt": st.binary(min_size=8, max_size=64),
    "stored_key": st.binary(min_size=32, max_size=32),
    "server_key": st.binary(min_size=32, max_size=32),
}


def range_of(cls: type[Command], name: str) -> tuple[int, int]:
    """Return the least and the largest value of an integer field."""
    return OWN_RANGES.get((cls.__name__, name), RANGES.get(name, (0, INT_MAX)))


def _command_field(cls: type[Command], name: str, kind: object) -> st.SearchStrategy[Any]:
    if kind is bool:
        return st.booleans()
    if kind is int:
        low_high = range_of(cls, name)
        return DRAWN.get(name, INTEGERS if low_high == (0, INT_MAX) else st.integers(*low_high))
    if kind is bytes:
        return BYTES[name]
    if kind is str:
        texts = IDS if name in ("command_id", "client_order_id") else NAMES
        if name == "market" and cls.__name__ in BOOKS:
            texts |= st.builds("{}:{}".format, NAMES, NAMES)
        return texts | st.just("") if (cls.__name__, name) in MAY_BE_EMPTY else texts
    if name in ("accounts", "runners", "winners"):
        return st.lists(NAMES, min_size=1, max_size=4).map(tuple)
    if name in ("first", "second"):
        return _arrays(1, 6)
    if name == "commands":
        return st.lists(_arrays(1, 2, 4, 5, 6), min_size=1, max_size=3).map(tuple)
    assert name == "limits", name
    return st.lists(INTEGERS, max_size=10).map(tuple)


def _arrays(*numbers: int) -> st.SearchStrategy[tuple[object, ...]]:
    """Draw the wire array of a command of one of some types."""
    return st.sampled_from(numbers).flatmap(
        lambda number: commands_of(COMMAND_CLASSES[number]).map(lambda command: (number, *command))
    )


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
    order = (1, "a", "a", 1, "a", 1, 1, 1, False, 1, 1, 0)
    special: dict[str, Any] = {
        "accounts": ("a",), "runners": ("a", "b"), "winners": ("a",), "limits": (1,), "iterations": 4_096,
        "model": 2, "timeout_ns": 10**9, "window_ns": 10**9, "first": order, "second": order,
        "commands": (order,),
    }  # fmt: skip
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
    inner = get_args(kind)
    if inner[-1] is not Ellipsis:
        return st.tuples(*map(_event_field, inner))
    return st.lists(_event_field(inner[0]), max_size=3).map(tuple)


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
