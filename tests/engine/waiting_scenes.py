"""Plays scenarios of orders that wait on the real and the naive exchange (``tests/engine/tables.py``)."""

from collections.abc import Callable

from engine.exchange import Exchange, Limits
from tests.engine.naive import Naive
from tests.engine.tables import Scene, Venue, play

LIMITS = Limits(
    events_per_transaction_max=40,
    fills_per_order_max=8,
    follow_ups_per_command_max=2,
    trailing_per_market_max=2,
)
"""Small enough for a scenario to reach them."""

Plays = Callable[[str], None]


def player(which: str, limits: Limits = LIMITS) -> Plays:
    """Return what plays a scenario on a new exchange and compares, the real one's invariants included."""

    def run(text: str) -> None:
        real = Exchange(limits)
        venue: Venue = real if which == "real" else Naive(limits)
        expected, out = play(Scene(venue), text)
        assert out == expected
        real._check()

    return run
