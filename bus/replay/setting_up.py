"""Accounts, funds and a key for a player, made by an administrator's session.

Invariant: asking twice does no harm: what exists already is left as it is, funds are given once.
"""

from collections.abc import Sequence

from ..client import Client
from ..commands import Role
from ..errors import Code, Rejected


def open_accounts(admin: Client, prefix: str, count: int, deposits: Sequence[tuple[str, str]]) -> list[str]:
    """Create ``count`` accounts, each with ``(asset, amount)`` deposits; return their names.

    An account that exists already keeps what it has and is given nothing.
    """
    names = [f"{prefix}-{number:02}" for number in range(count)]
    for name in names:
        try:
            admin.create_account(name)
        except Rejected as refusal:
            if refusal.code != Code.ALREADY_EXISTS:
                raise
            continue
        for asset, amount in deposits:
            admin.deposit(name, asset, amount)
    return names


def open_broker(admin: Client, key_id: str, secret: str, accounts: Sequence[str]) -> None:
    """Create a key whose sessions trade and read for all of the accounts."""
    admin.create_key(key_id, secret, accounts=accounts, roles=Role.READER | Role.TRADER | Role.BROKER)
