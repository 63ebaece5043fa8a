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
_PREVENTED = 31
_BATCH_STARTED = 42
_BATCH_DONE = 43
_CASHED_OUT = 53


def answer_of(first_seq: int, events: Sequence[Sequence[Any]]) -> Answer:
    """Return the answer to the command whose transaction holds these raw events; O(trades) at most."""
    return Answer(*wire_answer(first_seq, events)[:6])


def wire_answer(first_seq: int, events: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    """Return ``(code, seq, order_id, filled_lots, left_lots, detail, repeated)`` as it goes to clients.

    That of a batch has its outcomes as one element more, ``(code, order_id, filled_lots, left_lots,
    detail)`` of each of its commands.
    """
    first = events[0]
    kind = first[0]
    if kind == _ACCEPTED:
        if len(events) == 1:
            return (0, first_seq, first[4], 0, first[11], "", False)
        return _placed(first_seq, first[4], first[11], events)
    if kind == _CANCELLED:
        return (0, first_seq, first[4], first[13], 0, "", False)
    if kind == _REJECTED:
        return (first[3], first_seq, 0, 0, 0, first[4], False)
    if kind == _REPEATED:
        answer = (first[3], first[4], first[5], first[6], first[7], first[8], True)
        return answer if len(events) == 1 else answer + _outcomes(events)
    if kind == _REDUCED:
        return (0, first_seq, first[4], first[7] - first[8], first[8], "", False)
    if kind == _REPLACED:
        return _placed(first_seq, first[4], first[8], events)
    if kind == _BATCH_STARTED:
        return (0, first_seq, 0, 0, 0, "", False, *_outcomes(events))
    return (0, first_seq, 0, 0, 0, "", False)


def _placed(first_seq: int, order_id: int, qty_lots: int, events: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    """Return the answer about an order of ``qty_lots`` (0: bought by budget) that did more than to rest.

    Among its own events may be those of others that it met, and of the second order of its pair.
    """
    last = events[-1]
    if last[0] == _CANCELLED and last[4] == order_id:
        return (0, first_seq, order_id, last[13], 0, "", False)
    if last[0] == _TRADE and len(events) == 2:
        return (0, first_seq, order_id, qty_lots or last[4], 0, "", False)
    total_lots = left_lots = qty_lots
    traded_lots = 0
    for event in events:
        kind = event[0]
        if kind == _TRADE:
            if event[13] == order_id:
                traded_lots += event[4]
                left_lots = event[14]
        elif kind == _RESTED:
            if event[4] == order_id:
                left_lots = event[7]
        elif kind == _CANCELLED:
            if event[4] == order_id:
                return (0, first_seq, order_id, event[13], 0, "", False)
        elif kind == _PREVENTED:
            if event[6] == order_id and event[9]:
                total_lots -= event[9]
                left_lots = event[10]
        elif kind == _REDUCED:
            if event[4] == order_id:
                total_lots, left_lots = event[7], event[8]
        elif kind == _CASHED_OUT:
            return (0, first_seq, 0, 0, 0, "", False)
    if not qty_lots:
        return (0, first_seq, order_id, traded_lots, 0, "", False)
    return (0, first_seq, order_id, total_lots - left_lots, left_lots, "", False)


def _outcomes(events: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    """Return the outcomes of a batch as the one more element of its answer."""
    for event in reversed(events):
        if event[0] == _BATCH_DONE:
            return (event[3],)
    return ()
