"""`scripts/bench memory`: what one resting order costs, and where it goes.

Invariant: the orders come as they come in the engine, decoded from wire bytes, so none shares a string with
another; what is counted stays after everything that was needed to bring it there is gone.

Counted twice, each in a process of its own: by `tracemalloc` (the objects) and by resident memory (the
objects and what the allocator wastes). Both with the ids still valid and after their validity, when only
those of open orders are kept. Which line keeps how much shows in plain Python only: that is a third process.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

from bus.codec import decode_command, encode_command, pack, unpack
from bus.commands import Command, OrderType, PlaceOrder, Side, TimeInForce
from engine.exchange import Exchange

from . import report
from .flow import MARKET, account_names, founded

GOAL_BYTES = 1024
TOP = 10
_START_NS = 1_700_000_000_000_000_000
_VALID_NS = 30_000_000_000
_LEVELS = 400


def wire_orders(orders: int, accounts: int) -> list[bytes]:
    """Return passive orders over some hundred levels a side, as wire bytes."""
    names = account_names(accounts)
    found: list[bytes] = []
    for number in range(orders):
        side = Side.BUY if number % 2 else Side.SELL
        away = 1 + number * 7919 % _LEVELS
        price = 6_500_000 + (away if side is Side.SELL else -away)
        command = PlaceOrder(
            f"3f9c1a77e04b-{number:x}", names[number % accounts], _START_NS + _VALID_NS, MARKET, int(side),
            int(OrderType.LIMIT), int(TimeInForce.GTC), False, price, 100_000 * (1 + number % 9), 0,
        )  # fmt: skip
        found.append(pack(encode_command(command)))
    return found


def rest(exchange: Exchange, data: bytes, now_ns: int) -> None:
    """Execute one order; it must rest."""
    command: Command = decode_command(unpack(data))
    events = exchange.execute(command, now_ns)
    if len(events) != 1 or events[0][0] != command[1]:  # type: ignore[misc]
        raise AssertionError(f"expected an accepted order, was {events}")


def forget_ids(exchange: Exchange) -> None:
    """Let the validity of all ids pass: each command takes a few out of the queue."""
    now_ns = _START_NS + 2 * _VALID_NS
    number = 0
    while exchange.state.due_ids.due_ns <= now_ns:
        number += 1
        command = PlaceOrder(f"x{number}", "nobody", now_ns + 1, MARKET, 1, 1, 1, False, 1, 1, 0)
        exchange.execute(command, now_ns)


def resident_bytes() -> int:
    """Return this process' resident memory."""
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * 4096


def measure(orders: int, accounts: int, trace: bool) -> dict[str, object]:
    """Return bytes per resting order in this process, by `tracemalloc` or by resident memory."""
    exchange = founded(accounts)
    data = wire_orders(orders, accounts)
    gc.collect()
    gc.freeze()
    gc.disable()
    if trace:
        tracemalloc.start()

    def used() -> int:
        return tracemalloc.get_traced_memory()[0] if trace else resident_bytes()

    before = used()
    for one in data:
        rest(exchange, one, _START_NS)
    valid = used() - before
    places = where(orders) if trace else []
    forget_ids(exchange)
    forgotten = used() - before
    exchange._check()
    if len(exchange.state.orders) != orders:
        raise AssertionError(f"expected {orders} resting orders, was {len(exchange.state.orders)}")
    return {
        "bytes_per_order": round(valid / orders, 1),
        "bytes_per_order_ids_past": round(forgotten / orders, 1),
        "where": places,
    }


def where(orders: int) -> list[tuple[str, float]]:
    """Return the lines that keep most memory, with bytes per order."""
    root = str(report.ROOT) + "/"
    found = []
    for line in tracemalloc.take_snapshot().statistics("lineno")[:TOP]:
        if line.size < orders:
            break
        frame = line.traceback[0]
        found.append((f"{frame.filename.replace(root, '')}:{frame.lineno}", round(line.size / orders, 1)))
    return found


def in_own_process(orders: int, accounts: int, trace: bool, pure: bool = False) -> dict[str, object]:
    """Return `measure` of a fresh process; ``pure``: without compiled modules."""
    words = [sys.executable, "-m", "tests.bench.memory", "--part", "trace" if trace else "resident"]
    words += ["--orders", str(orders), "--accounts", str(accounts)]
    environment = {**os.environ, "ZEROPIT_PURE_PYTHON": "1"} if pure else dict(os.environ)
    output = subprocess.run(
        words, stdout=subprocess.PIPE, text=True, check=True, cwd=report.ROOT, env=environment
    ).stdout
    found: dict[str, object] = json.loads(output)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench memory", description=__doc__)
    parser.add_argument("--orders", type=int, default=200_000, help="resting orders")
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--part", choices=("trace", "resident"), help=argparse.SUPPRESS)
    found = parser.parse_args(argv)
    if found.part:
        print(json.dumps(measure(found.orders, found.accounts, found.part == "trace")))
        return 0
    traced = in_own_process(found.orders, found.accounts, True)
    resident = in_own_process(found.orders, found.accounts, False)
    pure = in_own_process(found.orders, found.accounts, True, pure=True)
    places: list[tuple[str, float]] = pure["where"]  # type: ignore[assignment]
    result = {
        "orders": found.orders,
        "bytes_per_order": traced["bytes_per_order"],
        "bytes_per_order_ids_past": traced["bytes_per_order_ids_past"],
        "resident_bytes_per_order": resident["bytes_per_order"],
        "resident_bytes_per_order_ids_past": resident["bytes_per_order_ids_past"],
        "bytes_per_order_plain_python": pure["bytes_per_order"],
        "goal_bytes": GOAL_BYTES,
    }
    report.table("memory of one resting order", ["figure", "bytes"], result.items())
    report.table("where it is allocated (plain Python)", ["line", "bytes per order"], places)
    report.finish("memory", result | {"where": places})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
