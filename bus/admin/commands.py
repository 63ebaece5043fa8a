"""All commands under ``zeropit admin``: importing this puts them together.

Invariant: a module of commands that is not named here does not exist on the command line.
"""

from . import accounts, keys, markets, orders, outcomes
from .group import admin

__all__ = ["accounts", "admin", "keys", "markets", "orders", "outcomes"]
