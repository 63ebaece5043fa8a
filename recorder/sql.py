"""How rows of Python become statements of SQL: one array a column.

Invariant: the same table has the same SQL whatever the number of rows, so the server prepares it once.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .arrays import BigintArray, TextArray, bigints, texts
from .batch import Row


class Statement(NamedTuple):
    """SQL and its parameters."""

    sql: str
    parameters: Sequence[BigintArray | TextArray]


def time_of(ns: str) -> str:
    """Return SQL for the timestamptz of a column of nanoseconds, cut to microseconds, without floats."""
    return f"timestamptz 'epoch' + {ns} / 1000 * interval '1 microsecond'"


TEXT_COLUMNS = frozenset(
    {
        "account", "asset", "market", "base", "quote", "client_order_id", "command_id", "detail",
        "maker_account", "taker_account", "qty_sum", "quote_sum", "outcome_market", "house", "name", "book",
        "group_name", "prevention_group", "before_atoms", "after_atoms", "lots_sum", "value_sum",
    }
)  # fmt: skip
"""Columns of type text; all others are integers on their way in."""

_CASTS = {
    **dict.fromkeys(("post_only", "persists", "unfunded", "is_first"), "{} <> 0"),
    **dict.fromkeys(("before_atoms", "after_atoms"), "string_to_array({}, ',')::bigint[]"),
}
"""Columns that are something else in the table than on their way in."""


def rows_of(columns: Sequence[str]) -> str:
    """Return SQL for the rows that the parameters, one array a column, make up."""
    arrays = ", ".join("%b::text[]" if name in TEXT_COLUMNS else "%b::bigint[]" for name in columns)
    return f"unnest({arrays}) AS new ({', '.join(columns)})"


def select(columns: Sequence[str], more: str = "") -> str:
    """Return SQL that selects rows as the table has them."""
    names = ", ".join(_CASTS.get(name, "{}").format(name) for name in columns)
    return f"SELECT {names}{more} FROM {rows_of(columns)}"


def insert(table: str, columns: Sequence[str]) -> str:
    """Return SQL that inserts rows; ``time`` is made of ``time_ns``, where there is one."""
    time, value = (", time", f", {time_of('time_ns')}") if "time_ns" in columns else ("", "")
    return f"INSERT INTO {table} ({', '.join(columns)}{time}) {select(columns, value)}"


def put(table: str, columns: Sequence[str], keys: int) -> str:
    """Return SQL that inserts rows or replaces those of the same first columns."""
    values = ", ".join(f"{name} = EXCLUDED.{name}" for name in columns[keys:])
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) {select(columns)} "
        f"ON CONFLICT ({', '.join(columns[:keys])}) DO UPDATE SET {values}"
    )


def change(table: str, values: str, columns: Sequence[str], where: str) -> str:
    """Return SQL that changes the ``old`` rows that the ``new`` ones name."""
    return f"UPDATE {table} AS old SET {values} FROM {rows_of(columns)} WHERE {where}"


def assigned(columns: Sequence[str]) -> str:
    """Return SQL that sets columns to what the ``new`` row has."""
    return ", ".join(f"{name} = new.{name}" for name in columns)


def over(sql: str, columns: Sequence[str], rows: Sequence[Row]) -> Iterator[Statement]:
    """Yield the statement with the rows turned into arrays of columns; no rows, no statement."""
    if rows:
        values: zip[Any] = zip(*rows, strict=True)
        yield Statement(
            sql,
            [
                texts(column) if name in TEXT_COLUMNS else bigints(column)
                for name, column in zip(columns, values, strict=True)
            ],
        )
