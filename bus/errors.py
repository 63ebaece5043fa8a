"""Every error that a user of the venue can meet, as one tree with stable codes.

::

    ZeropitError
    ├── FormError            100–199  a message or value that has the wrong shape; nothing was done
    ├── SessionError         200–299  session, authentication, limits, back-pressure
    │   └── OutcomeUnknown   208      no answer in time: neither done nor refused; ask by id or resend
    ├── Rejected             300–399  the engine (or a rule it keeps) refused the command; it is final
    ├── StreamError          400–449  a sequenced stream that must not be followed any further
    ├── JournalError         450–499  journal and snapshot damage; the engine does not start or stops
    ├── ServiceError         500–549  a component that cannot start or go on
    │   └── SettingsError    500
    └── HistoryError         550–599  history (recorder) cannot answer

Invariant: a code never changes its number or its meaning. ``outcome`` says what became of the
command ("rejected": definitely not executed; "unknown": it may have been). ``retryable`` says
whether the same request, sent again unchanged, can succeed. Messages read "expected X, was Y".
The page ``docs/reference/errors.md`` has a heading for every code (a test compares).
"""

from enum import IntEnum
from typing import Literal

Outcome = Literal["rejected", "unknown"]


class Code(IntEnum):
    """Stable result codes; 0 is success. On the wire they are these integers."""

    OK = 0
    # form
    MALFORMED = 100
    UNSUPPORTED_VERSION = 101
    UNSUPPORTED_TYPE = 102
    MISSING_FIELD = 103
    UNSUPPORTED_FIELD = 104
    WRONG_TYPE = 105
    OUT_OF_RANGE = 106
    MESSAGE_TOO_LARGE = 107
    OFF_TICK = 108
    OFF_LOT = 109
    TOO_MANY_DECIMALS = 110
    # session
    NOT_LOGGED_ON = 200
    LOGON_FAILED = 201
    NOT_AUTHORIZED = 202
    RATE_LIMITED = 203
    BUSY = 204
    OUT_OF_ORDER = 205
    ENGINE_UNAVAILABLE = 206
    LINK_GAP = 207
    OUTCOME_UNKNOWN = 208
    TOO_MANY_SESSIONS = 209
    RESUME_TOO_OLD = 210
    IMAGE_GONE = 211
    NOT_READY = 212
    # rejects
    EXPIRED = 300
    VALIDITY_TOO_LONG = 301
    DUPLICATE_ID = 302
    TOO_MANY_IDS = 303
    UNKNOWN_ACCOUNT = 304
    UNKNOWN_MARKET = 305
    UNKNOWN_ASSET = 306
    UNKNOWN_ORDER = 307
    UNKNOWN_KEY = 308
    ALREADY_EXISTS = 309
    ACCOUNT_BLOCKED = 310
    ACCOUNT_BUSY = 311
    MARKET_HALTED = 312
    MARKET_BUSY = 313
    NOT_OWNER = 314
    PRICE_OUT_OF_RANGE = 320
    QTY_OUT_OF_RANGE = 321
    AMOUNT_OUT_OF_RANGE = 322
    INSUFFICIENT_FUNDS = 323
    WOULD_CROSS = 324
    TOO_MANY_OPEN_ORDERS = 325
    QTY_NOT_REDUCED = 326
    INVALID_COMBINATION = 327
    INVALID_MARKET = 328
    TOO_MANY_ENTRIES = 329
    MARKET_SUSPENDED = 330
    MARKET_CANCEL_ONLY = 331
    MARKET_CLOSED = 332
    MARKET_NOT_CLOSED = 333
    NOT_WHILE_GATHERING = 334
    OFF_LADDER = 335
    PRICE_OUTSIDE_BAND = 336
    ORDER_TOO_LARGE = 337
    POSITION_LIMIT = 338
    UNKNOWN_GROUP = 339
    GROUP_TRIPPED = 340
    ALREADY_TRIGGERED = 341
    EXPIRY_OUT_OF_RANGE = 342
    WRONG_MARKET_MODEL = 343
    UNKNOWN_RUNNER = 344
    SHORTFALL = 345
    NO_WINNER = 346
    STATE_NOT_ALLOWED = 347
    NOTHING_TO_CASH_OUT = 348
    CASH_OUT_UNFILLED = 349
    BATCH_REFUSED = 350
    IN_PLAY_ALREADY = 351
    NOT_REPLACEABLE = 352
    NO_LAST_PRICE = 353
    # streams
    STREAM_REWOUND = 400
    STREAM_OTHER_VENUE = 401
    STREAM_UNREPAIRABLE = 402
    # journal
    JOURNAL_LOCKED = 450
    JOURNAL_DAMAGED = 451
    JOURNAL_SEGMENT_MISSING = 452
    JOURNAL_CHAIN_BROKEN = 453
    JOURNAL_WRONG_VENUE = 454
    JOURNAL_WRITE_FAILED = 455
    JOURNAL_DISK_FULL = 456
    JOURNAL_REPLAY_DIFFERS = 457
    JOURNAL_OTHER_RULES = 458
    SNAPSHOT_INVALID = 460
    CLOCK_BEHIND = 470
    # services
    SETTINGS_INVALID = 500
    ADDRESS_IN_USE = 501
    COMPONENT_FAILED = 502
    PEER_UNREACHABLE = 503
    # history
    DATABASE_UNAVAILABLE = 551


RETRYABLE = frozenset(
    {
        Code.RATE_LIMITED,
        Code.BUSY,
        Code.OUT_OF_ORDER,
        Code.ENGINE_UNAVAILABLE,
        Code.LINK_GAP,
        Code.OUTCOME_UNKNOWN,
        Code.TOO_MANY_SESSIONS,
        Code.IMAGE_GONE,
        Code.NOT_READY,
        Code.NOT_LOGGED_ON,
        Code.DATABASE_UNAVAILABLE,
        Code.PEER_UNREACHABLE,
    }
)
"""Codes for which the same request, sent again, can succeed. The refused command was not executed
(except OUTCOME_UNKNOWN, where a resend under the same id is safe)."""

UNKNOWN_OUTCOME = frozenset({Code.OUTCOME_UNKNOWN})


class ZeropitError(Exception):
    """Base of all errors of the venue.

    Parameters
    ----------
    code
        The stable code.
    detail
        One sentence, "expected X, was Y".
    """

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(f"{code.name}: {detail}")
        self.code = code
        self.detail = detail

    @property
    def retryable(self) -> bool:
        """Whether the same request, sent again unchanged, can succeed."""
        return self.code in RETRYABLE

    @property
    def outcome(self) -> Outcome:
        """What became of the command: definitely ``rejected``, or ``unknown``."""
        return "unknown" if self.code in UNKNOWN_OUTCOME else "rejected"

    def as_json(self) -> dict[str, object]:
        """Return the one JSON shape of an error."""
        return {
            "code": self.code.name,
            "number": int(self.code),
            "detail": self.detail,
            "retryable": self.retryable,
            "outcome": self.outcome,
        }


class FormError(ZeropitError):
    """A message or value has the wrong shape (codes 100–199)."""


class SessionError(ZeropitError):
    """A session, authentication, limit or back-pressure refusal (codes 200–299)."""


class OutcomeUnknown(SessionError):
    """No answer came in time: the command may or may not have been executed."""


class Rejected(ZeropitError):
    """The engine refused the command for good (codes 300–399)."""


class StreamError(ZeropitError):
    """A sequenced stream must not be followed any further (codes 400–449)."""


class JournalError(ZeropitError):
    """The journal or a snapshot is damaged, locked, foreign or cannot be written (codes 450–499)."""


class ServiceError(ZeropitError):
    """A component cannot start or go on (codes 500–549)."""


class SettingsError(ServiceError):
    """A setting is missing, unknown or out of range."""

    def __init__(self, detail: str) -> None:
        super().__init__(Code.SETTINGS_INVALID, detail)


class HistoryError(ZeropitError):
    """Recorded history cannot be answered (codes 550–599)."""


def error_for(code: int, detail: str) -> ZeropitError:
    """Return the error object for a wire code (an unknown number becomes MALFORMED, named)."""
    try:
        known = Code(code)
    except ValueError:
        return FormError(Code.MALFORMED, f"expected a known result code, was {code} ({detail})")
    if known in UNKNOWN_OUTCOME:
        return OutcomeUnknown(known, detail)
    for last, family in _FAMILIES:
        if known <= last:
            return family(known, detail)
    return HistoryError(known, detail)


_FAMILIES: tuple[tuple[int, type[ZeropitError]], ...] = (
    (199, FormError),
    (299, SessionError),
    (399, Rejected),
    (449, StreamError),
    (499, JournalError),
    (549, ServiceError),
)
