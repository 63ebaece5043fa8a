"""The answer to a command, read from the events of its transaction.

Invariant: the answer is a function of the events alone, so every gateway, before and after a restart,
gives the same one, and it is the answer that the engine keeps under the command's id (a test compares).
Works on raw event arrays: this runs once for every command of the venue.
"""

from collections.abc import Sequence
from typing import Any

from .events import Answer

_REJECTED = 3
_REPEATED = 4
_ACCEPTED = 20
_TRADE = 21
_RESTED = 22
_CANCELLED = 23
_REDUCED = 24
_REPLACED = 25


def answer_of(first_seq: int, events: Sequence[Sequence[Any]]) -> Answer:
    """Return the answer to the command whose transaction holds these raw events; O(trades) at most."""
    return Answer(*wire_answer(first_seq, events)[:6])


def wire_answer(first_seq: int, events: Sequence[Sequence[Any]]) -> tuple[int, int, int, int, int, str, bool]:
    """Return ``(code, seq, order_id, filled_lots, left_lots, detail, repeated)`` as it goes to clients."""
    first = events[0]
    kind = first[0]
    if kind == _ACCEPTED:
        if len(events) == 1:
            return (0, first_seq, first[4], 0, first[11], "", False)
        filled, left = _traded(first[11], events)
        return (0, first_seq, first[4], filled, left, "", False)
    if kind == _CANCELLED:
        return (0, first_seq, first[4], first[13], 0, "", False)
    if kind == _REJECTED:
        return (first[3], first_seq, 0, 0, 0, first[4], False)
    if kind == _REPEATED:
        return (first[3], first[4], first[5], first[6], first[7], first[8], True)
    if kind == _REDUCED:
        return (0, first_seq, first[4], first[7] - first[8], first[8], "", False)
    if kind == _REPLACED:
        filled, left = _traded(first[8], events)
        return (0, first_seq, first[4], filled, left, "", False)
    return (0, first_seq, 0, 0, 0, "", False)


def _traded(qty_lots: int, events: Sequence[Sequence[Any]]) -> tuple[int, int]:
    """Return what an order of ``qty_lots`` (0: bought by budget) has filled and left resting at the end."""
    last = events[-1]
    if last[0] == _CANCELLED:
        return last[13], 0
    if last[0] == _RESTED:
        return qty_lots - last[7], last[7]
    if qty_lots:
        return qty_lots, 0
    return sum(event[4] for event in events if event[0] == _TRADE), 0
