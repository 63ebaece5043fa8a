"""What the demo prints: tables for people, and one JSON object for machines.

Invariant: every comparison is shown, and each difference found is named.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .reconcile import Reconciliation


def percentile(sorted_values: Sequence[int], fraction: float) -> float:
    """Return a percentile of sorted nanoseconds, in milliseconds."""
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * fraction))] / 1e6


def print_outcomes(console: Console, outcomes: Sequence[tuple[str, int]]) -> None:
    """Print how many commands ended how."""
    table = Table(title="Outcomes of the commands", title_justify="left", box=None, pad_edge=False)
    table.add_column("code")
    table.add_column("commands", justify="right")
    for code, count in outcomes:
        table.add_row(code, f"{count:,}")
    console.print(table)


def print_checks(console: Console, found: Reconciliation) -> None:
    """Print the reconciliation."""
    table = Table(title="Reconciliation", title_justify="left", box=None, pad_edge=False)
    table.add_column("part")
    table.add_column("what is compared")
    table.add_column("expected", justify="right")
    table.add_column("found", justify="right")
    table.add_column("")
    last = ""
    for check in found.checks:
        mark = Text("agrees", style="green") if check.agrees else Text("DIFFERS", style="bold red")
        table.add_row(
            "" if check.group == last else check.group, check.what, check.expected, check.found, mark
        )
        last = check.group
    console.print(table)
    for difference in found.differences:
        console.print(Text(f"  {difference}", style="red"))


def print_trades(
    console: Console, identical: int, venue_trades: int, lines: Sequence[str], note: str
) -> None:
    """Print how many of the recording's trades we made identically, and the others."""
    console.print(
        Text(f"\n{identical} of {venue_trades} trades are identical (buyer, seller, price, amount).", "bold")
    )
    for line in lines:
        console.print(f"  {line}")
    console.print(Text(note, style="dim"))


def print_speed(console: Console, figures: Mapping[str, Any], window: int) -> None:
    """Print orders a second and latency."""
    console.print(
        f"\n{figures['commands']:,} commands in {figures['seconds']:.1f} s: "
        f"{figures['orders_per_s']:,.0f} a second; answers after p50 {figures['p50_ms']:.1f}, "
        f"p99 {figures['p99_ms']:.1f}, p99.9 {figures['p999_ms']:.1f}, max {figures['max_ms']:.1f} ms "
        f"with up to {window:,} under way; one at a time p50 {figures['single_p50_ms']:.2f} ms."
    )


def print_json(figures: Mapping[str, Any]) -> None:
    """Print the last line."""
    print(json.dumps(figures), flush=True)
