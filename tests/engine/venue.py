"""A small exchange to start tests from, and random commands for it."""

from random import Random

from bus.commands import (
    OPERATOR,
    CancelAll,
    CancelMarket,
    CancelOrder,
    Command,
    CreateAccount,
    CreateAsset,
    CreateMarket,
    Deposit,
    PlaceOrder,
    ReduceOrder,
    ReplaceOrder,
    SetAccountState,
)

ACCOUNTS = ("ann", "bob", "cat")
SECOND_NS = 1_000_000_000


def founding(until_ns: int) -> list[Command]:
    """Return the commands that make two markets and three funded accounts."""
    commands: list[Command] = [
        CreateAsset("f1", OPERATOR, until_ns, "BTC", 8),
        CreateAsset("f2", OPERATOR, until_ns, "USD", 10),
        CreateMarket("f3", OPERATOR, until_ns, "BTC-USD", "BTC", "USD", 1, 2, 1, 10**6, 10**6, 1_000, 2_000),
        CreateMarket("f4", OPERATOR, until_ns, "BTC-X", "BTC", "USD", 5, 2, 10, 10**6, 10**6, 0, 500),
    ]
    for name in ACCOUNTS:
        commands.append(CreateAccount(f"f-{name}", OPERATOR, until_ns, name))
        commands.append(Deposit(f"b-{name}", OPERATOR, until_ns, name, "BTC", 10**6))
        commands.append(Deposit(f"u-{name}", OPERATOR, until_ns, name, "USD", 10**8))
    return commands


def random_command(random: Random, number: int, until_ns: int) -> Command:
    """Return a command that has a fair chance to do something."""
    name, market = random.choice(ACCOUNTS), random.choice(("BTC-USD", "BTC-X"))
    head = (f"c{number}", name, until_ns, market)
    other = f"c{random.randrange(max(0, number - 40), number + 1)}"
    kind = random.random()
    if kind < 0.6:
        side, price = random.choice((1, 2)), 100 + random.randrange(-8, 9)
        tif, post_only = random.choice(((1, False), (1, True), (2, False), (3, False)))
        return PlaceOrder(*head, side, 1, tif, post_only, price, random.randrange(1, 50), 0)
    if kind < 0.68:
        return PlaceOrder(*head, random.choice((1, 2)), 2, 2, False, 0, random.randrange(1, 90), 0)
    if kind < 0.72:
        return PlaceOrder(*head, 1, 2, 2, False, 0, 0, random.randrange(1, 9_000))
    if kind < 0.84:
        return CancelOrder(*head, 0, other)
    if kind < 0.9:
        return ReduceOrder(*head, 0, other, random.randrange(0, 30))
    if kind < 0.96:
        return ReplaceOrder(*head, 0, other, 100 + random.randrange(-8, 9), random.randrange(1, 50))
    if kind < 0.98:
        return CancelAll(*head)
    if kind < 0.99:
        return CancelMarket(f"c{number}", OPERATOR, until_ns, market)
    return SetAccountState(f"c{number}", OPERATOR, until_ns, name, random.choice((1, 1, 2)))
