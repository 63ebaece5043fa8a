"""Whole lives of an exchange with all kinds of markets, transaction by transaction as the stream has them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from bus.codec import encode_command
from bus.commands import Command
from engine.exchange import Exchange
from tests.engine.mixed import Mixed
from tests.engine.mixed_venue import LIMITS, setup
from tests.engine.naive import Naive


class Transaction(NamedTuple):
    """The raw events of a command, or (None) of what the engine did right behind one."""

    first_seq: int
    command: Command | None
    events: list[tuple[Any, ...]]


def transactions(seed: int, count: int) -> Iterator[tuple[Exchange, Transaction]]:
    """Yield what ``count`` commands made from a seed bring about, right after each transaction.

    Commands are made by looking at a naive exchange that gets the same ones.
    """
    limits = LIMITS[seed % len(LIMITS)]
    exchange, naive = Exchange(limits), Naive(limits)
    for now_ns, command in setup():
        naive.execute(command, now_ns)
        yield from _executed(exchange, command, now_ns)
    mixed = Mixed(seed, naive)
    for _ in range(count):
        now_ns, command = mixed.next()
        naive.execute(command, now_ns)
        yield from _executed(exchange, command, now_ns)


def _executed(exchange: Exchange, command: Command, now_ns: int) -> Iterator[tuple[Exchange, Transaction]]:
    first_seq = exchange.next_seq
    events = exchange.execute_array(encode_command(command), now_ns)
    may_follow = exchange.may_follow
    yield exchange, Transaction(first_seq, command, events)
    for _ in range(exchange.state.limits.follow_ups_per_command_max if may_follow else 0):
        first_seq = exchange.next_seq
        more = exchange.follow_up(now_ns)
        if more is None:
            break
        yield exchange, Transaction(first_seq, None, more)
    if may_follow:
        exchange.end_follow_ups()
