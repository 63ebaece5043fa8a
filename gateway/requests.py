"""The form of a client's message and requests.

Invariant: bytes of a stranger become token, run and requests or a `FormError`, and each request in them that
has a number gets its reply under it, however wrong the rest of it is.
"""

from typing import Any

from bus.commands import INT_MAX
from bus.errors import Code
from bus.frames import Kind, open_frame, refuse

from .limits import Limits
from .sessions import TOKEN_BYTES

LOGON_FIRST, LOGON_FINAL, LOGOFF, COMMAND, QUERY, SUBSCRIBE, UNSUBSCRIBE, HEARTBEAT = range(1, 9)
"""Operations."""

Reply = tuple[Any, ...]
"""``(request_id, code, detail, result)``."""


def open_message(data: bytes, limits: Limits) -> tuple[bytes, int, tuple[Any, ...]]:
    """Return token, run and requests of a REQUESTS message.

    Raises
    ------
    FormError
        When it is none, or too large.
    """
    if len(data) > limits.message_bytes_max:
        refuse(Code.MESSAGE_TOO_LARGE, f"at most {limits.message_bytes_max} bytes", len(data))
    fields = open_frame(data, Kind.REQUESTS, 5)
    if len(fields) > 5:
        refuse(Code.UNSUPPORTED_FIELD, "a message of 5 fields", len(fields))
    _, _, token, run, requests = fields
    if type(token) is not bytes or len(token) not in (0, TOKEN_BYTES):
        refuse(Code.WRONG_TYPE, f"a token of {TOKEN_BYTES} bytes or none", type(token).__name__)
    if type(run) is not int or not 0 <= run <= INT_MAX:
        refuse(Code.WRONG_TYPE, "a run from 0", run)
    if type(requests) is not tuple:
        refuse(Code.WRONG_TYPE, "an array of requests", requests)
    most = limits.requests_per_message_max
    if not 1 <= len(requests) <= most:
        code = Code.MESSAGE_TOO_LARGE if requests else Code.MISSING_FIELD
        refuse(code, f"1 to {most} requests", len(requests))
    return token, run, requests


def is_request(request: object) -> bool:
    """Whether something is ``[request_id, op, args]`` as far as routing its reply needs."""
    return (
        type(request) is tuple
        and len(request) == 3
        and type(request[0]) is int
        and 0 <= request[0] <= INT_MAX
        and type(request[1]) is int
    )


def refused_form(request: object) -> Reply:
    """Return the reply to something that is no request; its id is 0 when it has none."""
    request_id = 0
    code = Code.MALFORMED
    if type(request) is tuple and request and type(request[0]) is int and 0 <= request[0] <= INT_MAX:
        request_id = request[0]
        if len(request) != 3:
            code = Code.MISSING_FIELD if len(request) < 3 else Code.UNSUPPORTED_FIELD
    return (request_id, int(code), f"expected [request_id, op, args], was {request!r:.80}", None)


def arguments(args: object, count: int) -> tuple[Any, ...]:
    """Return the arguments if there are exactly so many.

    Raises
    ------
    FormError
        WRONG_TYPE, MISSING_FIELD or UNSUPPORTED_FIELD.
    """
    if type(args) is not tuple:
        refuse(Code.WRONG_TYPE, "arguments as an array", args)
    if len(args) != count:
        code = Code.MISSING_FIELD if len(args) < count else Code.UNSUPPORTED_FIELD
        refuse(code, f"{count} arguments", len(args))
    return args
