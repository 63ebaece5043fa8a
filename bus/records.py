"""The reference page of commands and events, made from the records themselves.

Invariant: ``docs/reference/records.md`` is exactly what ``python -m bus.records --markdown`` prints (a test
compares), so the page cannot name a field, number or range that the code does not have.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import get_args, get_origin

from .codec import BOOK_FORM, ID_FORM, NAME_FORM, field_forms
from .commands import (
    ADMIN,
    COMMAND_CLASSES,
    CONTROL,
    TRADING,
    AccountState,
    Command,
    Lane,
    MarketModel,
    MarketState,
    MatchingRule,
    OrderType,
    PairKind,
    Prevention,
    RemovalRule,
    Role,
    Side,
    TimeInForce,
    Trigger,
)
from .events import EVENT_CLASSES, Answer, CancelReason, Event, TradeKind, Waits

ENUMS: tuple[type[IntEnum], ...] = (
    Side, OrderType, TimeInForce, Trigger, Prevention, PairKind, MarketModel, MarketState, MatchingRule,
    RemovalRule, AccountState, Role, Lane, CancelReason, Waits, TradeKind,
)  # fmt: skip
_MEANINGS = {
    "side": "`Side`",
    "taker_side": "`Side`",
    "order_type": "`OrderType`",
    "time_in_force": "`TimeInForce`",
    "roles": "`Role` values added up",
    "reason": "`CancelReason`",
    "lane": "`Lane`",
    "trigger": "`Trigger`",
    "prevention": "`Prevention`",
    "mode": "`Prevention`",
    "model": "`MarketModel`",
    "matching": "`MatchingRule`",
    "removal_rule": "`RemovalRule`",
    "waits": "`Waits`",
    "waited": "`Waits`",
}
_OWN_MEANINGS = {
    ("SetMarketState", "state"): "`MarketState`",
    ("MarketStateChanged", "state"): "`MarketState`",
    ("SetAccountState", "state"): "`AccountState`",
    ("AccountStateChanged", "state"): "`AccountState`",
    ("PlacePair", "kind"): "`PairKind`",
    ("PairPlaced", "kind"): "`PairKind`",
    ("TradeExecuted", "kind"): "`TradeKind`",
    ("BestOffered", "kind"): "`TradeKind`",
    ("CancelMatching", "side"): "`Side`, or 0",
    ("CancelWhere", "side"): "`Side`, or 0",
    ("SetAccountTerms", "prevention"): "`Prevention`, but ACCOUNT",
    ("PlaceOrder", "time_in_force"): "`TimeInForce`: 1 to 3",
}
_KINDS = {int: "integer", str: "text", bool: "boolean", bytes: "bytes"}


def markdown() -> str:
    """Return the reference page of all commands, events and enums."""
    lines = [
        "# Commands and events",
        "",
        "Made by `python -m bus.records --markdown`. On the wire a record is the MessagePack array",
        "`[number, field, …]` in the order given here. A command must have exactly its fields; readers of",
        "events ignore trailing fields that they do not know. Numbers are never used again. Times are UTC",
        "nanoseconds. What the commands do is in the rules of [trading](../concepts/trading.md),",
        "[orders](../concepts/orders.md), [market states](../concepts/market-states.md) and",
        "[outcome markets](../concepts/outcome-markets.md).",
        "",
        f"An *id* is {ID_FORM}.",
        f"A *name* is {NAME_FORM}.",
        f"The name of a *book* of orders is {BOOK_FORM}.",
        "",
        "## Enums",
        "",
        *_table(("enum", "values", "what it is"), map(_enum_row, ENUMS)),
        "",
        "## Commands",
    ]
    for number, command in COMMAND_CLASSES.items():
        lines += _section(number, command, f"*{_who(number)}.* ", _command_forms(command))
    lines += ["", "## Events"]
    for number, event in EVENT_CLASSES.items():
        lines += _section(number, event, "", {})
    lines += ["", "## Answer", "", _text(Answer), ""]
    lines += _table(_HEADS[:2], ((f"`{name}`", kind) for name, kind in _kinds(Answer).items()))
    return "\n".join(lines) + "\n"


_HEADS = ("field", "type", "form")


def _section(
    number: int, record: type[Command] | type[Event], who: str, forms: Mapping[str, str]
) -> list[str]:
    """Return the heading, text and field table of one record."""
    rows = []
    for name, kind in _kinds(record).items():
        meaning = _OWN_MEANINGS.get((record.__name__, name), _MEANINGS.get(name, ""))
        rows.append((f"`{name}`", kind, meaning or forms.get(name, "")))
    lines = ["", f"### {number} {record.__name__}", "", who + _text(record)]
    if not rows:
        return [*lines, "", "No fields."]
    if not any(form for _, _, form in rows):
        return [*lines, "", *_table(_HEADS[:2], (row[:2] for row in rows))]
    return [*lines, "", *_table(_HEADS, rows)]


def _command_forms(command: type[Command]) -> dict[str, str]:
    """Return the form of each field, with ids and names by their short word."""
    short: dict[str, str] = {}
    for form, word in ((ID_FORM, "id"), (NAME_FORM, "name"), (BOOK_FORM, "book")):
        short |= {form: word, f"nothing or {form}": f"{word} or empty"}
    return {name: short.get(form, form) for name, form in field_forms(command).items()}


def _kinds(record: type[Command] | type[Event] | type[Answer]) -> dict[str, str]:
    """Return the wire type of each field."""
    return {name: _kind(annotation) for name, annotation in record.__annotations__.items()}


def _kind(annotation: object) -> str:
    if get_origin(annotation) is not tuple:
        assert isinstance(annotation, type)
        return _KINDS[annotation]
    inner = get_args(annotation)
    if inner[-1] is not Ellipsis:
        return f"array ({', '.join(map(_kind, inner))})"
    if inner[0] is object:
        return "array"
    return f"array of {_plural(_kind(inner[0]))}"


def _plural(kind: str) -> str:
    """Return ``array (integer, text)`` as ``arrays (integer, text)``."""
    word, *rest = kind.split(" ", 1)
    return " ".join([f"{word}s", *rest])


def _who(number: int) -> str:
    """Return who may send a command, and by which lane."""
    lane = ", by the control lane" if number in CONTROL else ""
    if number in TRADING:
        return f"Trading{lane}"
    return f"Administration{lane}" if number in ADMIN else "Inside only"


def _enum_row(enum: type[IntEnum]) -> tuple[str, str, str]:
    names: dict[int, str] = {}
    for name, member in enum.__members__.items():
        names[member] = f"{names[member]} or {name}" if member in names else name
    values = ", ".join(f"{int(number)} {name}" for number, name in names.items())
    return f"`{enum.__name__}`", values, _text(enum)


def _text(record: type) -> str:
    """Return a docstring as one paragraph of Markdown."""
    text = " ".join((record.__doc__ or "").split())
    return text.replace("``", "`").replace("|", "\\|").replace("*", "\\*")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def main(argv: Sequence[str]) -> int:
    """Print the reference page (``--markdown``)."""
    if list(argv) != ["--markdown"]:
        print("usage: python -m bus.records --markdown", file=sys.stderr)
        return 2
    print(markdown(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
