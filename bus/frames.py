"""Frames: the messages between processes, as MessagePack arrays ``[version, kind, …]``.

Invariant: every frame from outside becomes a typed frame or a `FormError`; every frame of the engine's
stream names venue, engine, epoch, its first and last seq and its time, so that a consumer can tell
"again", "a hole", "rewound" and "another venue" apart. A heartbeat is an events frame without
transactions: ``first_seq`` is then the next seq and ``last_seq`` the one before it.

``docs/reference/wire.md`` describes each frame for writers of other clients.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, NoReturn

import msgpack

from .codec import decode_event, pack, unpack
from .commands import INT_MAX
from .errors import Code, FormError
from .events import Event, Transaction

WIRE_VERSION = 1
VENUE_ID_BYTES = 16
HEAD_BYTES_MAX = 256
PACKER_BYTES = 64 * 1024
"""Room that an `EventsPacker` begins with; it grows by itself."""

_array_header = msgpack.Packer().pack_array_header


class Kind(IntEnum):
    """Frame kinds."""

    COMMANDS = 1
    EVENTS = 2
    QUERY = 3
    ANSWER = 4
    REPLAY = 5
    REPLAYED = 6
    REQUESTS = 7
    REPLIES = 8
    PRIVATE = 9
    TOPIC = 10


class Head(NamedTuple):
    """The head of an engine stream frame; times in UTC nanoseconds."""

    venue_id: bytes
    engine: str
    epoch: int
    first_seq: int
    last_seq: int
    now_ns: int


class EventsFrame(NamedTuple):
    """One batch of transactions, decoded only down to raw event arrays."""

    head: Head
    transactions: Sequence[Sequence[Any]]

    def decoded(self) -> list[Transaction]:
        """Return the transactions with typed events (events of unknown type are left out).

        An event left out still counts: use `events_with_seq` to keep numbers right.
        """
        return [
            Transaction(t[0], t[1], t[2], t[3], [e for raw in t[4] if (e := decode_event(raw)) is not None])
            for t in self.transactions
        ]

    def events_with_seq(self, after_seq: int = 0) -> list[tuple[int, Event]]:
        """Return ``(seq, event)`` of every known event above ``after_seq``, in order."""
        found = []
        for transaction in self.transactions:
            seq = transaction[0]
            for raw in transaction[4]:
                if seq > after_seq and (event := decode_event(raw)) is not None:
                    found.append((seq, event))
                seq += 1
        return found


def encode_events_frame(head: Head, transactions: Sequence[Sequence[object]]) -> bytes:
    """Return the bytes of an events frame (with no transactions: a heartbeat)."""
    return pack((WIRE_VERSION, Kind.EVENTS.value, *head, transactions))


class EventsPacker:
    """Makes an events frame transaction by transaction: the bytes of `encode_events_frame`.

    What a command brought about is packed and gone before the next makes more of it, so that the memory of
    a large batch stays in the processor's cache.

    Attributes
    ----------
    add
        Adds one transaction.
    """

    __slots__ = ("_packer", "add")

    def __init__(self) -> None:
        self._packer = msgpack.Packer(autoreset=False, buf_size=PACKER_BYTES)
        self.add: Callable[[Sequence[object]], object] = self._packer.pack

    def frame(self, head: Head, transactions: int) -> bytes:
        """Return the frame; ``transactions`` is how many were added."""
        start = pack((WIRE_VERSION, Kind.EVENTS.value, *head, ()))
        return b"".join((start[:-1], _array_header(transactions), self._packer.getbuffer()))


def decode_events_frame(data: bytes | memoryview) -> EventsFrame:
    """Return the events frame in ``data``; trailing fields are ignored.

    Raises
    ------
    FormError
        MALFORMED, UNSUPPORTED_VERSION or WRONG_TYPE.
    """
    fields = open_frame(data, Kind.EVENTS, 9)
    head = Head(*fields[2:8])
    whole = type(head.engine) is str and all(type(n) is int and 0 <= n <= INT_MAX for n in head[2:])
    if not whole or type(head.venue_id) is not bytes or len(head.venue_id) != VENUE_ID_BYTES:
        refuse(Code.WRONG_TYPE, "a stream head (venue_id, engine, epoch, first_seq, last_seq, now_ns)", head)
    if type(fields[8]) is not tuple:
        refuse(Code.WRONG_TYPE, "an array of transactions", fields[8])
    return EventsFrame(head, fields[8])


def decode_head(data: bytes | memoryview) -> Head:
    """Return the head of an events frame without decoding its transactions.

    Raises
    ------
    FormError
        MALFORMED when there is no such head.
    """
    unpacker = msgpack.Unpacker(use_list=False)
    unpacker.feed(data[:HEAD_BYTES_MAX])
    try:
        count = unpacker.read_array_header()
        fields = tuple(unpacker.unpack() for _ in range(min(count, 8)))
    except (ValueError, msgpack.exceptions.UnpackException):
        refuse(Code.MALFORMED, "the head of an events frame", bytes(data[:16]))
    return decode_events_frame(pack((*fields, ()))).head


class CommandsFrame(NamedTuple):
    """Commands of one gateway link; number ``first_number + i`` is the i-th of ``items``.

    An item is ``(session, request_id, command array)``.
    """

    gateway: int
    lane: int
    link: int
    first_number: int
    items: Sequence[tuple[int, int, Sequence[object]]]


def encode_commands_frame(frame: CommandsFrame) -> bytes:
    """Return the bytes of a commands frame."""
    return pack((WIRE_VERSION, Kind.COMMANDS.value, *frame))


def decode_commands_frame(data: bytes | memoryview, commands_max: int) -> CommandsFrame:
    """Return the commands frame in ``data``; the command arrays are not looked into.

    Raises
    ------
    FormError
        When the frame's own form is wrong, or it holds no or more than ``commands_max`` commands.
    """
    fields = open_frame(data, Kind.COMMANDS, 7)
    if len(fields) > 7:
        refuse(Code.UNSUPPORTED_FIELD, "a commands frame of 7 fields", len(fields))
    for value in fields[2:6]:
        if type(value) is not int or not 0 <= value <= INT_MAX:
            refuse(Code.WRONG_TYPE, "gateway, lane, link and first_number as integers from 0", fields[2:6])
    items = fields[6]
    if type(items) is not tuple or not 1 <= len(items) <= commands_max:
        refuse(Code.OUT_OF_RANGE, f"1 to {commands_max} commands", items)
    for item in items:
        if type(item) is not tuple or len(item) != 3 or type(item[0]) is not int or type(item[1]) is not int:
            refuse(Code.WRONG_TYPE, "commands as [session, request_id, command]", item)
        if not 0 <= item[0] <= INT_MAX or not 0 <= item[1] <= INT_MAX:
            refuse(Code.OUT_OF_RANGE, f"session and request_id from 0 to {INT_MAX}", item)
    return CommandsFrame(*fields[2:7])


def open_frame(data: bytes | memoryview, kind: int, fields_min: int) -> tuple[Any, ...]:
    """Return the fields of a frame after checking version, kind and their least number.

    Raises
    ------
    FormError
        MALFORMED, UNSUPPORTED_VERSION, UNSUPPORTED_TYPE or MISSING_FIELD.
    """
    fields = unpack(data)
    if type(fields) is not tuple or len(fields) < 2:
        refuse(Code.MALFORMED, "a frame array [version, kind, …]", fields)
    if type(fields[0]) is not int or fields[0] != WIRE_VERSION:
        refuse(Code.UNSUPPORTED_VERSION, f"wire version {WIRE_VERSION}", fields[0])
    if type(fields[1]) is not int or fields[1] != kind:
        refuse(Code.UNSUPPORTED_TYPE, f"a frame of kind {kind}", fields[1])
    if len(fields) < fields_min:
        refuse(Code.MISSING_FIELD, f"a frame of at least {fields_min} fields", len(fields))
    return fields


def refuse(code: Code, expected: str, was: object) -> NoReturn:
    """Raise the FormError "expected …, was …" (long values are cut)."""
    raise FormError(code, f"expected {expected}, was {was!r:.80}")
