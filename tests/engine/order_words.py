"""What scenarios (``tests/engine/tables.py``) say of orders that wait, pairs, batches, groups and timers."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bus import commands as c
from bus import events as e
from bus.codec import encode_command
from bus.errors import Code

if TYPE_CHECKING:
    from tests.engine.tables import Scene

MS = 10**6
TERMS = (
    r"(?: (?P<trigger>stop|take-profit|trailing) (?P<at_trigger>\d+))?"
    r"(?: (?P<until>today|for (?P<ms>\d+) ms))?"
    r"(?: in group (?P<group>\w+))?"
    r"(?: preventing (?P<prevention>[A-Z_]+))?"
)
"""What may come at the end of an order's sentence."""
_TRIGGERS = {"stop": c.Trigger.STOP, "take-profit": c.Trigger.TAKE_PROFIT, "trailing": c.Trigger.TRAILING}


def terms_of(said: dict[str, str | None], now_ns: int) -> dict[str, Any]:
    """Return the terms that the end of an order's sentence names."""
    terms: dict[str, Any] = {}
    if said["trigger"]:
        trails = said["trigger"] == "trailing"
        terms["trigger"] = int(_TRIGGERS[said["trigger"]])
        terms["trail_ticks" if trails else "trigger_ticks"] = int(said["at_trigger"] or 0)
    if said["until"]:
        terms["time_in_force"] = int(c.TimeInForce.GTT if said["ms"] else c.TimeInForce.DAY)
        terms["expires_ns"] = now_ns + int(said["ms"]) * MS if said["ms"] else 0
    if said["group"]:
        terms["group"] = said["group"]
    if said["prevention"]:
        terms["prevention"] = int(c.Prevention[said["prevention"]])
    return terms


def pair(scene: "Scene", said: dict[str, str]) -> c.Command:
    """Make a pair of two sentences on orders."""
    first, second = scene.make(said["first"]), scene.make(said["second"])
    assert isinstance(first, (c.PlaceOrder, c.PlaceAdvanced))
    head = scene.head(first.account)
    return c.PlacePair(*head, int(c.PairKind[said["kind"]]), encode_command(first), encode_command(second))


def batch(scene: "Scene", said: dict[str, str]) -> c.Command:
    """Make a batch of sentences; "c1..3 buys 1 at 4" is three."""
    lines: list[str] = []
    for line in said["lines"].split("; "):
        if found := re.fullmatch(r"(\w)(\d+)\.\.(\d+) (.+)", line):
            lines += [f"{found[1]}{n} {found[4]}" for n in range(int(found[2]), int(found[3]) + 1)]
        else:
            lines.append(line)
    commands = tuple(encode_command(scene.make(line)) for line in lines)
    return c.SubmitBatch(*scene.head(said["who"]), bool(said["atomic"]), commands)


def filtered(scene: "Scene", said: dict[str, str | None]) -> c.Command:
    """Make a mass cancel of one side and a range of prices."""
    side = {"buys": 1, "sells": 2, "orders": 0}[said["side"] or ""]
    prices = (int(said["low"] or 0), int(said["high"] or 0))
    if said["who"] != "operator":
        return c.CancelMatching(*scene.head(said["who"] or ""), "BTC-USD", side, *prices)
    market = "" if said["whose"] else "BTC-USD"
    return c.CancelWhere(*scene.head("o"), said["whose"] or "", market, side, *prices)


def in_words(event: e.Event, names: dict[int, str]) -> list[str] | None:
    """Say an event of orders that wait, pairs, batches, groups and timers; None: it is none of them."""
    if isinstance(event, e.OrderTermsSet):
        at = f" at {event.trigger_ticks}" if event.trigger and event.waits == e.Waits.TRIGGER else ""
        return [f"{names[event.order_id]} waits for {e.Waits(event.waits).name}{at}"] if event.waits else []
    if isinstance(event, e.OrderTriggered):
        return [f"{names[event.order_id]} waited for {e.Waits(event.waited).name}, goes on"]
    if isinstance(event, e.PairPlaced):
        back = f", {event.released_atoms} {_held_in(event.side)} back" if event.released_atoms else ""
        legs = f"{names[event.first_order_id]} and {names[event.second_order_id]}"
        return [f"{c.PairKind(event.kind).name} of {legs}{back}"]
    if isinstance(event, e.SelfTradePrevented):
        said = f"{names[event.order_id]} and {names[event.maker_order_id]} do not trade: "
        back = f", {event.taker_released_atoms} {_held_in(event.side)} back" if event.lots else ""
        return [said + c.Prevention(event.mode).name + (f" {event.lots}{back}" if event.lots else "")]
    if isinstance(event, e.GroupSet):
        return [f"group {event.group} {'set' if event.lots_max else 'removed'}"]
    if isinstance(event, e.GroupTripped):
        return [f"group {event.group} trips after {event.lots} lots"]
    if isinstance(event, e.CancelAfterSet):
        return ["timer set" if event.due_ns else "timer off"]
    if isinstance(event, e.BatchStarted):
        return [f"batch of {event.commands} begins"]
    if isinstance(event, e.BatchDone):
        words = [
            Code(code).name if code else f"{filled}+{left}" for code, _, filled, left, _ in event.outcomes
        ]
        return [f"batch done: {', '.join(words)}"]
    return None


def _held_in(side: int) -> str:
    return "USD" if side == c.Side.BUY else "BTC"


Make = Callable[["Scene", dict[str, Any]], c.Command]
SENTENCES: list[tuple[str, Make]] = [
    (r"(?P<kind>OCO|OTO): (?P<first>[^;]+); (?P<second>[^;]+)", pair),
    (r"(?P<atomic>atomic )?batch of (?P<who>\w+): (?P<lines>.+)", batch),
    (
        r"(?P<who>\w+) cancels (?P<side>buys|sells|orders)(?: of (?P<whose>\w+))?"
        r"(?: from (?P<low>\d+))?(?: to (?P<high>\d+))?",
        filtered,
    ),
    (
        r"(?P<who>\w+) cancels all after (?P<ms>\d+) ms",
        lambda s, said: c.CancelAfter(*s.head(said["who"]), int(said["ms"]) * MS),
    ),
    (
        r"(?P<who>\w+) sets group (?P<group>\w+): (?P<lots>\d+) lots in (?P<ms>\d+) ms",
        lambda s, said: c.SetGroup(
            *s.head(said["who"]), said["group"], int(said["lots"]), int(said["ms"]) * MS
        ),
    ),
    (
        r"(?P<who>\w+) removes group (?P<group>\w+)",
        lambda s, said: c.SetGroup(*s.head(said["who"]), said["group"], 0, MS),
    ),
]
