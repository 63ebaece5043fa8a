"""What the operator's commands print: tables for people, or one JSON object a line for programs.

Invariant: both show the same values under the same names; quantities, prices and amounts are decimal
strings in either.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

import click
from rich.console import Console
from rich.table import Table

PIPE_COLUMNS = 500

Value = str | int | bool | Sequence[str] | None


class Output:
    """Prints results.

    Parameters
    ----------
    as_json
        One JSON object a line instead of tables and sentences.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
        """Print rows; a column that ends with ``>`` stands to the right."""
        names = [column.removesuffix(">") for column in columns]
        if self.as_json:
            for row in rows:
                click.echo(json.dumps(dict(zip(names, row, strict=True))))
            return
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for name, column in zip(names, columns, strict=True):
            justify = "right" if column.endswith(">") else "left"
            table.add_column(name.replace("_", " "), justify=justify, overflow="fold")  # type: ignore[arg-type]
        for row in rows:
            table.add_row(*map(_shown, row))
        # A name is no markup; what goes into a file or pipe is not folded.
        width = None if sys.stdout.isatty() else PIPE_COLUMNS
        Console(markup=False, highlight=False, width=width).print(table)

    def done(self, sentence: str, facts: Mapping[str, Value]) -> None:
        """Say what was done."""
        click.echo(json.dumps(dict(facts)) if self.as_json else sentence)


def _shown(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int) else " ".join(value)
