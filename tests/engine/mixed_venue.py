"""The small exchange of mixed sequences: its limits, accounts, funds and markets of all three models.

It protects the invariant that every bound is met: books, ids, orders and transactions are small in it.
"""

from bus import commands as c
from engine.exchange import Limits

SECOND_NS = 10**9
MS_NS = 10**6
START_NS = 1_000 * SECOND_NS
BY = (c.OPERATOR, 0)


def limits(events: int, fills: int, follow_ups: int, ids: int, orders: int) -> Limits:
    """Return the limits of a small exchange."""
    return Limits(
        events_per_transaction_max=events,
        fills_per_order_max=fills,
        ids_per_account_max=ids,
        open_orders_per_account_max=orders,
        command_validity_ns_max=20 * SECOND_NS,
        links_max=3,
        assets_max=4,
        markets_max=40,
        accounts_max=12,
        keys_max=2,
        follow_ups_per_command_max=follow_ups,
        trailing_per_market_max=3,
        indication_interval_ns=100 * MS_NS,
    )


LIMITS = (
    limits(24, 4, 2, 40, 10),
    limits(8, 3, 1, 60, 14),
    limits(60, 6, 5, 200, 30),
    limits(200, 20, 20, 400, 60),
    limits(12, 4, 2, 18, 20),
)
TRADERS = ("ann", "bob", "cat", "dan", "sim")
HOUSE = "hse"
GROUPS = ("g1", "g2")
FUNDS = {"ann": 90_000, "bob": 20_000, "cat": 4_000, "dan": 200_000, HOUSE: 30_000}
SPOT = {"AB": ("A", "B"), "CA": ("C", "A")}
A_MARKET = (1, 0, 30, 6, 9, 10_000, 33_333)
"""Tick 1, lot of 30 atoms, highest price and quantity, fees of 1 % and 3.3333 %."""
TIERS = {1: (-20_000, 33_333), 2: (-30_000, 30_000)}
"""Fees of tiers in one market: rebates for makers."""
ODDS = (101, 120, 150, 160, 200, 220, 250, 280, 300, 340, 400, 500, 1000, 100_000)
BINARY = (1, 2_000, 4_000, 4_900, 5_000, 5_100, 6_000, 9_999)


def setup() -> list[tuple[int, c.Command]]:
    """Return what makes the exchange: (now_ns, command), a second apart, since few ids are kept."""
    made: list[c.OutsideCommand] = [c.CreateAsset(f"asset-{name}", *BY, name, 1) for name in "ABCD"]
    made += [c.CreateMarket(f"market-{m}", *BY, m, *assets, *A_MARKET) for m, assets in SPOT.items()]
    names = (*TRADERS, HOUSE)
    made += [c.CreateAccount(f"new-{name}", *BY, name) for name in names]
    for name, atoms in FUNDS.items():
        made += [c.Deposit(f"{name}-{asset}", *BY, name, asset, atoms // 9) for asset in "ABC"]
        made.append(c.Deposit(f"{name}-D", *BY, name, "D", atoms))
    made.append(c.SetAccountTerms("unfunded", *BY, "sim", True, 0, 1, ""))
    made += [c.SetFeeTier(f"tier-{tier}", *BY, "AB", tier, *fees) for tier, fees in TIERS.items()]
    made += [c.SetAccountTerms(f"tier-{name}", *BY, name, False, 1, 1, "") for name in ("ann", "cat")]
    made.append(outcome_market("B1", "bin", 0))
    made.append(outcome_market("T1", "two", 0))
    made.append(outcome_market("R1", "race", 0))
    times = [START_NS - n * SECOND_NS for n in range(len(made), 0, -1)]
    return [(now, command._replace(valid_until_ns=now)) for now, command in zip(times, made, strict=True)]


def outcome_market(name: str, kind: str, variant: int) -> c.CreateOutcomeMarket:
    """Return what makes an outcome market of a kind."""
    head = (f"make-{name}", *BY, name)
    rule = 1 + variant % 2
    house = "" if variant % 5 == 4 else HOUSE
    if kind == "bin":
        return c.CreateOutcomeMarket(*head, 2, "D", (), 10_000, 9, 20_000, 1, house, 0, 0)
    if kind == "two":
        return c.CreateOutcomeMarket(*head, 3, "D", ("x", "y"), 100, 40, 50_000, 1, house, 0, 0)
    runners = ("p", "q", "r", "s")[: 3 + variant % 2]
    loss = (0, 50, 2_000)[variant % 3]
    return c.CreateOutcomeMarket(*head, 3, "D", runners, 100, 40, 33_333, rule, house, loss, loss * 5)
