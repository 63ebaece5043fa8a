"""``zeropit admin account``, ``deposit`` and ``withdraw``.

Invariant: amounts are decimal strings, exact or refused; what is printed after a change is what the venue has
committed.
"""

from collections.abc import Iterator

import click

from ..client import Client
from ..commands import AccountState
from .group import admin, leaf
from .output import Output

PAGE_ROWS = 1_000


@admin.group()
def account() -> None:
    """Accounts: list, create, look into, block."""


@leaf(account, "list")
def account_list(client: Client, out: Output) -> None:
    """List all accounts."""
    rows = ((name, AccountState(state).name.lower(), seq) for name, state, seq in _accounts(client))
    out.rows(("account", "state", "account_seq>"), rows)


def _accounts(client: Client) -> Iterator[tuple[str, int, int]]:
    after = ""
    while page := client.query("accounts", after, PAGE_ROWS):
        for name, state, seq, *_ in page:
            yield name, state, seq
        after = page[-1][0]


@leaf(account, "create")
@click.argument("name", metavar="ACCOUNT")
def account_create(client: Client, out: Output, name: str) -> None:
    """Create an account."""
    client.create_account(name)
    out.done(f"account {name} created", {"account": name, "state": "active"})


@leaf(account, "balances")
@click.argument("name", metavar="ACCOUNT")
def account_balances(client: Client, out: Output, name: str) -> None:
    """Show what an account has."""
    found = client.balances(name).values()
    out.rows(("asset", "available>", "held>"), [(b.asset, b.available, b.held) for b in found])


@leaf(account, "orders")
@click.argument("name", metavar="ACCOUNT")
@click.option("--market", "in_market", default="", help="Of this market alone.")
def account_orders(client: Client, out: Output, name: str, in_market: str) -> None:
    """List an account's open orders."""
    found = client.open_orders(in_market, account=name)
    columns = ("order_id>", "client_order_id", "market", "side", "price>", "qty>", "filled>", "left>")
    out.rows(columns, [(o[0], o[1], *o[3:9]) for o in found])


@leaf(account, "block")
@click.argument("name", metavar="ACCOUNT")
def account_block(client: Client, out: Output, name: str) -> None:
    """The kill switch: cancel an account's orders and take only cancels from it."""
    client.block_account(name)
    out.done(f"account {name} blocked, its orders are being cancelled", {"account": name, "state": "blocked"})


@leaf(account, "unblock")
@click.argument("name", metavar="ACCOUNT")
def account_unblock(client: Client, out: Output, name: str) -> None:
    """Let a blocked account trade again."""
    client.activate_account(name)
    out.done(f"account {name} active", {"account": name, "state": "active"})


@leaf(admin, "deposit")
@click.argument("name", metavar="ACCOUNT")
@click.argument("of_asset", metavar="ASSET")
@click.argument("amount", metavar="AMOUNT")
def deposit(client: Client, out: Output, name: str, of_asset: str, amount: str) -> None:
    """Add a decimal amount to an account's available balance."""
    client.deposit(name, of_asset, amount)
    _show_funds(client, out, f"{amount} {of_asset} deposited", name, of_asset)


@leaf(admin, "withdraw")
@click.argument("name", metavar="ACCOUNT")
@click.argument("of_asset", metavar="ASSET")
@click.argument("amount", metavar="AMOUNT")
def withdraw(client: Client, out: Output, name: str, of_asset: str, amount: str) -> None:
    """Take a decimal amount from an account's available balance."""
    client.withdraw(name, of_asset, amount)
    _show_funds(client, out, f"{amount} {of_asset} withdrawn", name, of_asset)


def _show_funds(client: Client, out: Output, what: str, name: str, of_asset: str) -> None:
    now = client.balances(name)[of_asset]
    facts = {"account": name, "asset": of_asset, "available": now.available, "held": now.held}
    out.done(f"{what}; {name} has {now.available} available and {now.held} held", facts)
