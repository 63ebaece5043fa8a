"""A query of history that is ready to run.

Invariant: a page has a limit, and its rows say where the next one begins.
"""

from collections.abc import Callable
from typing import NamedTuple

from .batch import Row


class Page(NamedTuple):
    """A query ready to run.

    ``newest_first``: the rows come backwards and are turned round. ``one``: the answer is its only row.
    """

    sql: str
    parameters: tuple[object, ...]
    shape: Callable[[Row], Row] = tuple
    newest_first: bool = False
    one: bool = False
