"""``zeropit admin account``, ``deposit`` and ``withdraw``.

Invariant: amounts are decimal strings, exact or refused; what is printed after a change is what the venue has
committed.
"""

from collections.abc import Callable, Iterator
from typing import Any

import click

from ..client import Client, Code, CommandAnswer, OutcomeUnknown, Rejected
from ..client.rows import AccountRules, MarketLimits
from ..commands import AccountState, Prevention
from .group import Repeatable, admin, leaf
from .output import Output

PAGE_ROWS = 1_000


@admin.group()
def account() -> None:
    """Accounts: list, create, look into, limit, block."""


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
    columns = (
        "order_id>",
        "client_order_id",
        "market",
        "side",
        "price>",
        "qty>",
        "filled>",
        "left>",
        "waits",
        "trigger_price>",
    )
    out.rows(columns, [(o[0], o[1], *o[3:9], o.waits, o.trigger_price) for o in found])


@leaf(account, "positions")
@click.argument("name", metavar="ACCOUNT")
def account_positions(client: Client, out: Output, name: str) -> None:
    """Show an account's positions in outcome markets: one row an outcome."""
    columns = ("market", "outcome", "result>", "worst>", "held>", "shortfall>")
    rows = [
        (p.market, outcome, result, p.worst[outcome], p.held, p.shortfall)
        for p in client.positions(name)
        for outcome, result in p.results.items()
    ]
    out.rows(columns, rows)


@leaf(account, "limits")
@click.argument("name", metavar="ACCOUNT")
def account_limits(client: Client, out: Output, name: str) -> None:
    """Show an account's limits, by market ("*": all others); 0 is no limit."""
    columns = ("market", "order_lots_max>", "order_atoms_max>", "open_orders_max>", "position_max>")
    rows = [(limits.market or "*", *limits[1:]) for limits in client.limits(name).limits.values()]
    out.rows(columns, rows)


@leaf(account, "set-limits")
@click.argument("name", metavar="ACCOUNT")
@click.option("--market", "in_market", default="", help="In this market (default: all without own limits).")
@click.option("--order-lots-max", type=int, help="Quantity of one order, in lots.")
@click.option("--order-atoms-max", type=int, help="What one order may be worth, in atoms.")
@click.option("--open-orders-max", type=int, help="Open orders.")
@click.option("--position-max", type=int, help="Net lots bought or sold; in odds: atoms of exposure.")
def account_set_limits(client: Client, out: Output, name: str, in_market: str, **given: Any) -> None:
    """Limit an account in a market; what is not named stays as it is, 0 is no limit."""
    now = client.limits(name).limits.get(in_market, MarketLimits(in_market, 0, 0, 0, 0))
    changed = now._replace(**{word: value for word, value in given.items() if value is not None})
    client.set_account_limits(name, in_market, **dict(zip(changed._fields[1:], changed[1:], strict=True)))
    facts = {"account": name, **changed._asdict(), "market": in_market or "*"}
    out.done(f"limits of {name} in {in_market or 'all other markets'} set", facts)


@leaf(account, "terms")
@click.argument("name", metavar="ACCOUNT")
def account_terms(client: Client, out: Output, name: str) -> None:
    """Show an account's terms."""
    out.rows(("funded", "fee_tier>", "prevention", "prevention_group"), [_terms(client.limits(name))])


def _terms(rules: AccountRules) -> tuple[bool, int, str, str]:
    return (not rules.unfunded, rules.fee_tier, rules.prevention, rules.prevention_group)


@leaf(account, "set-terms")
@click.argument("name", metavar="ACCOUNT")
@click.option("--funded/--unfunded", default=None, help="Unfunded: balances may go below zero.")
@click.option("--fee-tier", type=click.IntRange(0, 9), help="0: the markets' own fees.")
@click.option(
    "--prevention", type=click.Choice([p.name.lower() for p in Prevention if p]),
    help="What happens where it would trade with itself or its group.",
)  # fmt: skip
@click.option("--prevention-group", help="Accounts of one group do not trade with each other.")
def account_set_terms(client: Client, out: Output, name: str, funded: bool | None, **given: Any) -> None:
    """Set an account's terms; what is not named stays as it is."""
    now = client.limits(name)
    changed = now._replace(**{word: value for word, value in given.items() if value is not None})
    if funded is not None:
        changed = changed._replace(unfunded=not funded)
    client.set_account_terms(
        name,
        unfunded=changed.unfunded,
        fee_tier=changed.fee_tier,
        prevention=Prevention[changed.prevention.upper()],
        prevention_group=changed.prevention_group,
    )
    words = ("funded", "fee_tier", "prevention", "prevention_group")
    out.done(f"terms of {name} set", {"account": name, **dict(zip(words, _terms(changed), strict=True))})


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


@leaf(admin, "id")
def timed_id(client: Client, out: Output) -> None:
    """Make an id for one deposit or withdrawal, which may then be repeated: it is executed at most once."""
    made = client.timed_id()
    out.done(made, {"id": made})


def _funds_options(function: Callable[..., None]) -> Callable[..., None]:
    option = click.option("--id", "command_id", help="An id of `zeropit admin id`: safe to repeat.")
    function = click.argument("amount", metavar="AMOUNT")(option(function))
    function = click.argument("of_asset", metavar="ASSET")(function)
    return click.argument("name", metavar="ACCOUNT")(function)


@leaf(admin, "deposit")
@_funds_options
def deposit(
    client: Client, out: Output, name: str, of_asset: str, amount: str, command_id: str | None
) -> None:
    """Add a decimal amount to an account's available balance."""
    answer = _moved(client.deposit, client, name, of_asset, amount, command_id)
    _show_funds(client, out, f"{amount} {of_asset} deposited", name, of_asset, answer)


@leaf(admin, "withdraw")
@_funds_options
def withdraw(
    client: Client, out: Output, name: str, of_asset: str, amount: str, command_id: str | None
) -> None:
    """Take a decimal amount from an account's available balance."""
    answer = _moved(client.withdraw, client, name, of_asset, amount, command_id)
    _show_funds(client, out, f"{amount} {of_asset} withdrawn", name, of_asset, answer)


def _moved(
    move: Callable[..., CommandAnswer],
    client: Client,
    name: str,
    of_asset: str,
    amount: str,
    given: str | None,
) -> CommandAnswer:
    """Move funds under an id that says until when: what is not known to be done can be asked for again."""
    command_id = given or client.timed_id()
    try:
        return move(name, of_asset, amount, command_id=command_id)
    except OutcomeUnknown as error:
        detail = f"{error.detail}; repeat it with --id {command_id}: it is executed at most once"
        raise Repeatable(error.code, detail) from None
    except Rejected as error:
        if error.code is not Code.EXPIRED or given is None:
            raise
        detail = "expected an id whose time is not over: it was executed before, or never will be; look at"
        raise Rejected(error.code, f"{detail} the balance, was {given}") from None


def _show_funds(
    client: Client, out: Output, what: str, name: str, of_asset: str, answer: CommandAnswer
) -> None:
    now = client.balances(name)[of_asset]
    facts = {"account": name, "asset": of_asset, "available": now.available, "held": now.held}
    before = " (by an earlier attempt)" if answer.repeated else ""
    out.done(f"{what}{before}; {name} has {now.available} available and {now.held} held", facts)
