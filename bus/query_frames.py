"""The four frames of asking: QUERY and ANSWER, REPLAY and REPLAYED.

Invariant: what a stranger sends becomes a typed frame or a `FormError`; a request with a field too many is
refused, a reply with trailing fields is read. Every reply names the request that it answers.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from .codec import pack, unpack
from .commands import INT_MAX
from .errors import Code, FormError
from .frames import VENUE_ID_BYTES, WIRE_VERSION, Kind, open_frame, refuse

QUERY_NAME_CHARS_MAX = 64


class Query(NamedTuple):
    """A question about committed state; ``args`` as the query wants them."""

    request_id: int
    query: str
    args: Sequence[Any] = ()


class Answer(NamedTuple):
    """The answer as of ``seq``; ``result`` is None when ``code`` is not 0."""

    request_id: int
    code: int
    detail: str
    venue_id: bytes
    engine: str
    epoch: int
    seq: int
    now_ns: int
    result: Any


class Replay(NamedTuple):
    """Ask for the frames of the stream from the one that contains ``from_seq`` on."""

    request_id: int
    venue_id: bytes
    from_seq: int
    bytes_max: int


class Replayed(NamedTuple):
    """Whole frames in order, as bytes; ``committed_seq``: the last seq known to be committed."""

    request_id: int
    code: int
    detail: str
    committed_seq: int
    frames: Sequence[bytes]


def encode_query(query: Query) -> bytes:
    """Return the bytes of a query."""
    return pack((WIRE_VERSION, Kind.QUERY.value, *query))


def decode_query(data: bytes | memoryview) -> Query:
    """Return the query in ``data``; the arguments are not looked into.

    Raises
    ------
    FormError
        When it is not exactly a query.
    """
    fields = _request(data, Kind.QUERY, 5)
    name, args = fields[3], fields[4]
    if type(name) is not str or not 1 <= len(name) <= QUERY_NAME_CHARS_MAX:
        refuse(Code.WRONG_TYPE, f"a query name of 1 to {QUERY_NAME_CHARS_MAX} characters", name)
    if type(args) is not tuple:
        refuse(Code.WRONG_TYPE, "arguments as an array", args)
    return Query(fields[2], name, args)


def encode_answer(answer: Answer) -> bytes:
    """Return the bytes of an answer."""
    return pack((WIRE_VERSION, Kind.ANSWER.value, *answer))


def encode_replay(replay: Replay) -> bytes:
    """Return the bytes of a replay request."""
    return pack((WIRE_VERSION, Kind.REPLAY.value, *replay))


def decode_replay(data: bytes | memoryview) -> Replay:
    """Return the replay request in ``data``.

    Raises
    ------
    FormError
        When it is not exactly a replay request.
    """
    fields = _request(data, Kind.REPLAY, 6)
    venue_id, from_seq, bytes_max = fields[3:6]
    if type(venue_id) is not bytes or len(venue_id) != VENUE_ID_BYTES:
        refuse(Code.WRONG_TYPE, f"venue_id as {VENUE_ID_BYTES} bytes", venue_id)
    for name, value in (("from_seq", from_seq), ("bytes_max", bytes_max)):
        if type(value) is not int:
            refuse(Code.WRONG_TYPE, f"{name} as int", value)
        if not 1 <= value <= INT_MAX:
            refuse(Code.OUT_OF_RANGE, f"{name} from 1 to {INT_MAX}", value)
    return Replay(fields[2], venue_id, from_seq, bytes_max)


def encode_replayed(replayed: Replayed) -> bytes:
    """Return the bytes of a replay answer."""
    return pack((WIRE_VERSION, Kind.REPLAYED.value, *replayed))


def decode_reply(data: bytes | memoryview) -> Answer | Replayed:
    """Return the answer or replay answer in ``data``; trailing fields are ignored.

    Raises
    ------
    FormError
        When it is neither.
    """
    # The kind is the third byte of any such frame; what is built otherwise is refused by either branch.
    if bytes(data[2:3]) == bytes([Kind.REPLAYED]):
        return _replayed(open_frame(data, Kind.REPLAYED, 7))
    fields = open_frame(data, Kind.ANSWER, 11)
    answer = Answer(*fields[2:11])
    numbers = (answer.request_id, answer.code, answer.epoch, answer.seq, answer.now_ns)
    texts = (answer.detail, answer.engine)
    if not _are_numbers(numbers) or not all(type(text) is str for text in texts):
        refuse(
            Code.WRONG_TYPE, "an answer [request_id, code, detail, venue_id, engine, epoch, …]", fields[2:10]
        )
    if type(answer.venue_id) is not bytes:
        refuse(Code.WRONG_TYPE, "venue_id as bytes", answer.venue_id)
    return answer


def peek_request_id(data: bytes | memoryview) -> int:
    """Return the request id of something that may be a broken request; 0 when it has none."""
    try:
        fields = unpack(data)
    except FormError:
        return 0
    if type(fields) is tuple and len(fields) > 2 and _are_numbers(fields[2:3]):
        return int(fields[2])
    return 0


def _replayed(fields: tuple[Any, ...]) -> Replayed:
    replayed = Replayed(*fields[2:7])
    numbers = (replayed.request_id, replayed.code, replayed.committed_seq)
    if not _are_numbers(numbers) or type(replayed.detail) is not str or type(replayed.frames) is not tuple:
        refuse(
            Code.WRONG_TYPE, "a replay answer [request_id, code, detail, committed_seq, frames]", fields[2:6]
        )
    if not all(type(frame) is bytes for frame in replayed.frames):
        refuse(Code.WRONG_TYPE, "frames as bytes", [type(frame).__name__ for frame in replayed.frames[:4]])
    return replayed


def _request(data: bytes | memoryview, kind: Kind, count: int) -> tuple[Any, ...]:
    fields = open_frame(data, kind, count)
    if len(fields) > count:
        refuse(Code.UNSUPPORTED_FIELD, f"a frame of {count} fields", len(fields))
    if not _are_numbers(fields[2:3]):
        refuse(Code.WRONG_TYPE, "request_id as an integer from 0", fields[2])
    return fields


def _are_numbers(values: Sequence[object]) -> bool:
    return all(type(value) is int and 0 <= value <= INT_MAX for value in values)
