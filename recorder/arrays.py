"""PostgreSQL arrays as binary parameters, packed a column at a time.

Invariant: the bytes are those of PostgreSQL's ``array_send`` for a one-dimensional array without NULLs.
psycopg's own lists are dumped element by element in Python, which costs more than the rest of the
recorder together.
"""

import struct
import sys
from array import array
from collections.abc import Sequence

from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = struct.Struct(">iiIii")
_BIGINT_OID, _BIGINT_ARRAY_OID = 20, 1016
_TEXT_OID, _TEXT_ARRAY_OID = 25, 1009
_KNOWN_TEXTS_MAX = 65_536

_known: dict[str, bytes] = {}


class BigintArray(bytes):
    """A packed ``bigint[]``."""


class TextArray(bytes):
    """A packed ``text[]``."""


def bigints(values: Sequence[int]) -> BigintArray:
    """Return one or more integers of 64 bits as a ``bigint[]``."""
    numbers = array("q", values)
    if sys.byteorder == "little":
        numbers.byteswap()
    raw, count = numbers.tobytes(), len(numbers)
    elements = bytearray(12 * count)  # each: its length 8 in four bytes, then the number
    elements[3::12] = b"\x08" * count
    for place in range(8):
        elements[4 + place :: 12] = raw[place::8]
    return BigintArray(_HEADER.pack(1, 0, _BIGINT_OID, count, 1) + elements)


def texts(values: Sequence[str]) -> TextArray:
    """Return one or more strings as a ``text[]``; NUL, which PostgreSQL cannot hold, becomes U+FFFD."""
    if len(_known) > _KNOWN_TEXTS_MAX:
        _known.clear()
    elements = b"".join([_known.get(value) or _text(value) for value in values])
    return TextArray(_HEADER.pack(1, 0, _TEXT_OID, len(values), 1) + elements)


def _text(value: str) -> bytes:
    data = value.replace("\0", "\ufffd").encode()
    element = _known[value] = len(data).to_bytes(4, "big") + data
    return element


class _BigintArrayDumper(Dumper):
    format = Format.BINARY
    oid = _BIGINT_ARRAY_OID

    def dump(self, obj: BigintArray) -> Buffer:
        return obj


class _TextArrayDumper(Dumper):
    format = Format.BINARY
    oid = _TEXT_ARRAY_OID

    def dump(self, obj: TextArray) -> Buffer:
        return obj


def register(context: AdaptContext) -> None:
    """Let a connection take both kinds of arrays as parameters."""
    context.adapters.register_dumper(BigintArray, _BigintArrayDumper)
    context.adapters.register_dumper(TextArray, _TextArrayDumper)
