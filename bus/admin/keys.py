"""``zeropit admin key``.

Invariant: a secret goes to who creates the key, once, and never to the venue; and the last key that can
administer the venue is not revoked by mistake.
"""

import secrets
from collections.abc import Callable
from typing import TextIO

import click

from ..client import Client
from ..commands import Role
from ..errors import Code, FormError
from .access import Access
from .group import admin, leaf
from .output import Output, Value

SECRET_BYTES = 24
SECRET_CHARS_MIN = 8
ROLES = tuple(role.name.lower() for role in Role)


@admin.group()
def key() -> None:
    """Log-on keys: list, create, revoke."""


@leaf(key, "list")
def key_list(client: Client, out: Output) -> None:
    """List all keys (their secrets are not known to the venue)."""
    rows = [(name, _role_names(roles), accounts) for name, roles, accounts, *_ in client.query("keys")]
    out.rows(("key", "roles", "accounts"), rows)


@leaf(key, "create")
@click.argument("name", metavar="KEY")
@click.option("--account", "accounts", multiple=True, required=True, help="May act for it; repeatable.")
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(ROLES), default=("reader", "trader"),
    show_default=True, help="Repeatable.",
)  # fmt: skip
@click.option("--secret-file", type=click.File("r"), help="First line is the secret (-: standard input).")
@click.pass_obj
def key_create(
    find: Callable[[], Access],
    client: Client,
    out: Output,
    name: str,
    accounts: tuple[str, ...],
    roles: tuple[str, ...],
    secret_file: TextIO | None,
) -> None:
    """Create a key. Without --secret-file a secret is made and shown, this once."""
    given = secret_file.readline().strip() if secret_file is not None else None
    secret = secrets.token_urlsafe(SECRET_BYTES) if given is None else given
    if len(secret) < SECRET_CHARS_MIN:
        raise FormError(
            Code.OUT_OF_RANGE,
            f"expected a secret of {SECRET_CHARS_MIN} or more characters, was {len(secret)}",
        )
    mask = sum({Role[role.upper()] for role in roles})
    iterations = find().scram_iterations
    client.create_key(name, secret, accounts=accounts, roles=mask, iterations=iterations)
    facts: dict[str, Value] = {"key": name, "roles": _role_names(mask), "accounts": accounts}
    shown = ""
    if given is None:
        facts["secret"] = secret
        shown = f"\nsecret: {secret} (nobody can show it again)"
    out.done(f"key {name} created: {' '.join(_role_names(mask))} for {' '.join(accounts)}{shown}", facts)


@leaf(key, "revoke")
@click.argument("name", metavar="KEY")
@click.option("--force", is_flag=True, help="Even if it is the last key with the role admin.")
def key_revoke(client: Client, out: Output, name: str, force: bool) -> None:
    """Revoke a key; its sessions end."""
    admins = {row[0] for row in client.query("keys") if row[1] & Role.ADMIN}
    if admins == {name} and not force:
        raise FormError(
            Code.OUT_OF_RANGE,
            f"expected another key with the role admin, was {name} alone: without it nobody can administer"
            " this venue (--force)",
        )
    client.revoke_key(name)
    out.done(f"key {name} revoked", {"key": name, "revoked": True})


def _role_names(mask: int) -> list[str]:
    return [role.name.lower() for role in Role if mask & role]
