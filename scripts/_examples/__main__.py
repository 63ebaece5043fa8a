"""``scripts/example NAME``: a whole market from creation to settlement, explained to the atom.

Invariant: the exit code is 0 only if every statement agrees, nothing was lost, every kind of trade that the
example is about happened, and the journal gives the same bytes again.
"""

import json
import sys
import time
from pathlib import Path
from types import ModuleType

import click
from rich.console import Console

from bus.errors import ZeropitError
from scripts._demo.venue import Venue, fresh_folder

from . import binary, football, tennis
from .stage import Stage, fail

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES: dict[str, ModuleType] = {"football": football, "tennis": tennis, "binary": binary}


def run(name: str, folder: Path, seed: int, console: Console) -> dict[str, object]:
    """Run an example in a folder; return its figures.

    Raises
    ------
    ZeropitError
        What did not agree, or could not be done.
    """
    example, began_s = EXAMPLES[name], time.monotonic()
    with Venue(fresh_folder(folder)) as venue:
        stage = Stage(console, venue, seed)
        example.play(stage)
        wrong = stage.finish([example.MARKET])
        wrong += [f"there was no {kind} trade" for kind in example.NEEDS if not stage.kinds.get(kind)]
        records = stage.close()
    console.print(f"journal executed again from its first record: {records} records, the same bytes")
    fail(wrong)
    return {
        "example": name, "seed": seed, "trades": stage.kinds, "refused": sum(stage.refused.values()),
        "records_executed_again": records, "seconds": round(time.monotonic() - began_s, 1), "agrees": True,
    }  # fmt: skip


@click.command()
@click.argument("name", type=click.Choice(list(EXAMPLES)))
@click.option("--seed", default=1, show_default=True, help="Of the bots' chance.")
def main(name: str, seed: int) -> None:
    """Play a whole market with bots, print every account's statement, and check that it is the truth."""
    console = Console()
    try:
        figures = run(name, ROOT / "var" / "example", seed, console)
    except ZeropitError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
