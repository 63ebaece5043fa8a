"""``zeropit admin`` against the real engine and gateway: what it does, refuses, and how it says so."""

import json
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import zeropit
from bus.admin.access import DEMO_KEY, DEMO_SECRET, is_demo
from bus.client import Client, OutcomeUnknown, Rejected, SessionError
from bus.commands import Role
from bus.errors import Code
from bus.settings import load
from tests.poll import until
from tests.processes import Processes

ROOT = Path(__file__).parents[2]
TRADER = ("--key", "demo-1", "--secret", "demo-1-secret")


class Operator:
    """An operator at a terminal of a venue's machine."""

    def __init__(self, venue: Processes) -> None:
        self.venue = venue
        self.gateway = venue.start_info("gateway").endpoints["gateway"]

    def run(self, *words: str, options: tuple[str, ...] = (), stdin: str | None = None) -> Result:
        """Run ``zeropit admin`` under the venue's settings."""
        settings = [word for assignment in self.venue.overrides for word in ("--set", assignment)]
        return CliRunner().invoke(zeropit.cli, ["admin", *settings, *options, *words], input=stdin)

    def said(self, *words: str, options: tuple[str, ...] = (), stdin: str | None = None) -> str:
        """Run a command that must succeed; return its standard output."""
        done = self.run(*words, options=options, stdin=stdin)
        assert done.exit_code == 0, done.output
        return done.stdout

    def rows(self, *words: str, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Run a command with ``--json``; return its lines."""
        return [json.loads(line) for line in self.said(*words, "--json", options=options).splitlines()]

    def row(self, column: str, name: str, *words: str) -> dict[str, Any]:
        """Return the row of a list that has a name in a column."""
        (found,) = (row for row in self.rows(*words) if row[column] == name)
        return found

    def refused(self, *words: str, options: tuple[str, ...] = ()) -> str:
        """Run a command that must fail; return its last line, the only one but for the demo notice."""
        done = self.run(*words, options=options)
        assert done.exit_code == 1, done.output
        assert not done.stdout
        *notice, line = done.stderr.splitlines()
        assert notice in ([], ["using the public demo key 'operator'"])
        return line

    def client(self, key: str = "demo-1", secret: str = "demo-1-secret") -> Client:
        """Return a client of the SDK."""
        return Client(self.gateway, key, secret)


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    """A running demo venue of engine and gateway."""
    folder = Path(tempfile.mkdtemp(prefix="zp"))
    try:
        with Processes(folder) as venue:
            venue.start_all(("engine", "gateway"))
            yield Operator(venue)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_table_for_people_and_lines_for_programs(operator: Operator) -> None:
    table = operator.said("market", "list")
    assert "BTC-USD" in table
    assert "tick size" in table
    assert operator.row("market", "ETH-BTC", "market", "list") == {
        "market": "ETH-BTC", "state": "open", "base": "ETH", "quote": "BTC", "tick_size": "0.00001",
        "lot_size": "0.001", "price_max": "100", "qty_max": "100000", "maker_fee_ppm": 0,
        "taker_fee_ppm": 1000, "last_price": None, "model": "spot", "matching": "price_time", "band_ppm": 0,
    }  # fmt: skip
    assert {"asset": "USD", "decimals": 10} in operator.rows("asset", "list")


def test_a_market_from_its_assets_to_its_halt(operator: Operator) -> None:
    operator.said("asset", "create", "EUR", "--decimals", "4")
    operator.said("asset", "create", "GOLD", "--decimals", "3")
    created = operator.said(
        "market", "create", "GOLD-EUR", "--base", "GOLD", "--quote", "EUR", "--tick-size", "0.50",
        "--lot-size", "0.01", "--price-max", "9000", "--qty-max", "1000", "--taker-fee-ppm", "20",
    )  # fmt: skip
    assert created == "market GOLD-EUR created, open\n"
    row = operator.row("market", "GOLD-EUR", "market", "list")
    assert (row["tick_size"], row["lot_size"], row["price_max"], row["qty_max"], row["taker_fee_ppm"]) == (
        "0.5", "0.01", "9000", "1000", 20,
    )  # fmt: skip
    operator.said("deposit", "demo-1", "EUR", "100")
    with operator.client() as trader:
        placed = trader.place("GOLD-EUR", "buy", price="10.5", qty="1")
        operator.said("market", "halt", "GOLD-EUR")
        assert operator.row("market", "GOLD-EUR", "market", "list")["state"] == "halted"
        with pytest.raises(Rejected, match="MARKET_HALTED"):
            trader.place("GOLD-EUR", "buy", price="10", qty="1")
        operator.said("market", "cancel-orders", "GOLD-EUR")
        until(lambda: not trader.open_orders("GOLD-EUR"), what="no open orders")
        operator.said("market", "open", "GOLD-EUR")
        assert trader.place("GOLD-EUR", "buy", price="10", qty="1").order_id > placed.order_id


def test_funds_of_an_account(operator: Operator) -> None:
    operator.said("account", "create", "ann")
    said = operator.said("deposit", "ann", "USD", "12.50")
    assert said == "12.50 USD deposited; ann has 12.5 available and 0 held\n"
    (left,) = operator.rows("withdraw", "ann", "USD", "2.25")
    assert left == {"account": "ann", "asset": "USD", "available": "10.25", "held": "0"}
    assert operator.rows("account", "balances", "ann") == [
        {"asset": "USD", "available": "10.25", "held": "0"}
    ]
    assert operator.refused("withdraw", "ann", "USD", "10.26").startswith("error: INSUFFICIENT_FUNDS: ")
    assert operator.refused("deposit", "ann", "USD", "0.00000000001").startswith("error: TOO_MANY_DECIMALS")
    assert operator.refused("deposit", "bob", "USD", "1").startswith("error: UNKNOWN_ACCOUNT: ")
    assert operator.refused("deposit", "ann", "XRP", "1").startswith("error: UNKNOWN_ASSET: ")
    assert operator.row("account", "ann", "account", "list")["state"] == "active"


def test_a_deposit_under_an_id_may_be_repeated(operator: Operator) -> None:
    operator.said("account", "create", "eve")
    made = operator.said("id").strip()
    assert operator.said("deposit", "eve", "USD", "7", "--id", made).startswith("7 USD deposited; eve has 7 ")
    again = operator.said("deposit", "eve", "USD", "7", "--id", made)
    assert again == "7 USD deposited (by an earlier attempt); eve has 7 available and 0 held\n"
    assert operator.refused("deposit", "eve", "USD", "8", "--id", made).startswith("error: DUPLICATE_ID: ")
    past = made[:14] + f"{1_700_000_000_000_000_000:x}"
    refused = operator.refused("withdraw", "eve", "USD", "7", "--id", past)
    assert refused.startswith("error: EXPIRED: expected an id whose time is not over")
    assert operator.refused("deposit", "eve", "USD", "8", "--id", "mine").startswith("error: OUT_OF_RANGE: ")


def test_what_is_not_known_to_be_done_is_said_with_its_id(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(self: Client, *args: object, **words: object) -> None:
        raise OutcomeUnknown(Code.OUTCOME_UNKNOWN, "expected an answer in time, was none")

    monkeypatch.setattr(Client, "deposit", unknown)
    refused = operator.refused("deposit", "demo-1", "USD", "7")
    assert refused.startswith(
        "error: OUTCOME_UNKNOWN: expected an answer in time, was none; repeat it with --id"
    )
    assert "look at what" not in refused


def test_terms_and_limits_keep_what_is_not_named(operator: Operator) -> None:
    operator.said("account", "create", "fay")
    operator.said("account", "set-terms", "fay", "--unfunded", "--fee-tier", "2")
    (terms,) = operator.rows("account", "set-terms", "fay", "--prevention", "decrement")
    assert terms == {
        "account": "fay", "funded": False, "fee_tier": 2, "prevention": "decrement", "prevention_group": "",
    }  # fmt: skip
    operator.said("account", "set-terms", "fay", "--funded", "--prevention-group", "desk")
    assert operator.rows("account", "terms", "fay") == [
        {"funded": True, "fee_tier": 2, "prevention": "decrement", "prevention_group": "desk"}
    ]
    operator.said("account", "set-limits", "fay", "--open-orders-max", "5")
    operator.said("account", "set-limits", "fay", "--market", "BTC-USD", "--order-lots-max", "9")
    operator.said("account", "set-limits", "fay", "--market", "BTC-USD", "--position-max", "70")
    assert operator.rows("account", "limits", "fay") == [
        {"market": market, "order_lots_max": lots, "order_atoms_max": 0, "open_orders_max": orders,
         "position_max": position}
        for market, lots, orders, position in (("*", 0, 5, 0), ("BTC-USD", 9, 0, 70))
    ]  # fmt: skip


def test_rules_fees_and_states_of_a_market(operator: Operator) -> None:
    operator.said(
        "market", "create", "RULED", "--base", "BTC", "--quote", "USD", "--tick-size", "0.01",
        "--lot-size", "0.01", "--price-max", "1000", "--qty-max", "1000",
    )  # fmt: skip
    operator.said("market", "rules", "RULED", "--matching", "pro_rata", "--first-share-ppm", "7")
    (said,) = operator.rows("market", "rules", "RULED", "--band-ppm", "50000")
    assert said == {"market": "RULED", "matching": "pro_rata", "first_share_ppm": 7, "band_ppm": 50_000}
    row = operator.row("market", "RULED", "market", "list")
    assert (row["matching"], row["band_ppm"]) == ("pro_rata", 50_000)
    operator.said("market", "fee-tier", "RULED", "3", "--maker-fee-ppm", "-50", "--taker-fee-ppm", "90")
    refused = operator.refused(
        "market", "fee-tier", "RULED", "3", "--maker-fee-ppm", "-91", "--taker-fee-ppm", "90"
    )
    assert refused.startswith("error: INVALID_MARKET: ")
    for state in ("pre_open", "suspended", "cancel_only", "open"):
        operator.said("market", "state", "RULED", state)
        assert operator.row("market", "RULED", "market", "list")["state"] == state
    operator.said("market", "state", "RULED", "closing")
    until(
        lambda: operator.row("market", "RULED", "market", "list")["state"] == "closed", what="market closed"
    )
    assert operator.refused("market", "open", "RULED").startswith("error: STATE_NOT_ALLOWED: ")


def test_an_outcome_market_from_a_terminal(operator: Operator) -> None:
    said = operator.said(
        "outcome", "create", "cup", "x", "y", "z", "--asset", "USD", "--lot-size", "0.01", "--qty-max", "100",
        "--commission-ppm", "20000",
    )  # fmt: skip
    assert said == "odds market cup created, open\n"
    operator.said("outcome", "create", "wet", "--asset", "USD", "--lot-size", "1", "--qty-max", "100")
    with operator.client() as trader, operator.client("demo-2", "demo-2-secret") as other:
        trader.back("cup:x", odds="3", stake="10")
        other.lay("cup:x", odds="3", stake="10")
        trader.lay("cup:y", odds="1.5", stake="2", persists=True)
        other.lay("cup:y", odds="1.4", stake="2", persists=True)
    rows = operator.rows("account", "positions", "demo-1")
    assert [(r["outcome"], r["result"], r["worst"]) for r in rows if r["market"] == "cup"] == [
        ("x", "20", "20"), ("y", "-10", "-11"), ("z", "-10", "-10"),
    ]  # fmt: skip
    operator.said("order", "cancel-where", "--market", "cup:y", "--side", "lay", "--price-high", "1.4")
    assert [o["market"] for o in operator.rows("account", "orders", "demo-2")].count("cup:y") == 0
    assert operator.refused("order", "cancel-where").startswith("error: MISSING_FIELD: ")
    operator.said("outcome", "in-play", "cup", "--bet-delay", "1.5")
    assert operator.row("market", "cup", "outcome", "list") == {
        "market": "cup", "model": "odds", "state": "open", "asset": "USD", "outcomes": ["x", "y", "z"],
        "in_play": True, "bet_delay_ms": 1_500, "commission_ppm": 20_000, "house": "",
    }  # fmt: skip
    operator.said("market", "state", "cup", "halted")
    operator.said(
        "outcome", "void-trades", "cup", "--start", "2020-01-01T00:00:00Z", "--end", "1600000000000000000"
    )
    assert operator.refused("outcome", "void-trades", "cup", "--start", "x", "--end", "1").startswith(
        "error: WRONG_TYPE: "
    )
    operator.said("outcome", "add-runner", "cup", "w")
    operator.said("outcome", "remove-runner", "cup", "z", "--reduction-ppm", "100000")
    until(
        lambda: operator.row("market", "cup", "outcome", "list")["outcomes"] == ["x", "y", "w"],
        what="runner removed",
    )
    for name in ("cup", "wet"):
        operator.said("market", "state", name, "closing")
        until(lambda: operator.row("market", name, "outcome", "list")["state"] == "closed", what=name)  # noqa: B023
    operator.said("outcome", "settle", "cup", "x")
    operator.said("outcome", "void", "wet")
    until(lambda: operator.row("market", "cup", "outcome", "list")["state"] == "settled", what="settled")
    until(lambda: operator.row("market", "wet", "outcome", "list")["state"] == "voided", what="voided")
    assert not [r for r in operator.rows("account", "positions", "demo-1") if r["market"] == "cup"]


def test_the_kill_switch(operator: Operator) -> None:
    operator.said("account", "create", "cat")
    operator.said("deposit", "cat", "USD", "1000")
    (key,) = operator.rows("key", "create", "cat", "--account", "cat")
    with operator.client("cat", key["secret"]) as trader:
        placed = trader.place("BTC-USD", "buy", price="10", qty="1", client_order_id="first")
        (shown,) = operator.rows("account", "orders", "cat")
        assert shown == {
            "order_id": placed.order_id, "client_order_id": "first", "market": "BTC-USD", "side": "buy",
            "price": "10", "qty": "1", "filled": "0", "left": "1", "waits": "",
            "trigger_price": "",
        }  # fmt: skip
        operator.said("account", "block", "cat")
        assert operator.row("account", "cat", "account", "list")["state"] == "blocked"
        until(lambda: not operator.rows("account", "orders", "cat"), what="no open orders")
        with pytest.raises(Rejected, match="ACCOUNT_BLOCKED"):
            trader.place("BTC-USD", "buy", price="10", qty="1")
        operator.said("account", "unblock", "cat")
        assert trader.place("BTC-USD", "buy", price="10", qty="1").order_id


def test_keys_are_made_listed_and_revoked(operator: Operator) -> None:
    said = operator.said("key", "create", "made", "--account", "demo-1", "--role", "reader")
    secret = said.split("secret: ")[1].split()[0]
    with operator.client("made", secret) as reader:
        assert reader.balances()["BTC"]
    told = operator.run(
        "key", "create", "given", "--account", "demo-2", "--secret-file", "-", stdin="a given secret\n"
    )
    assert told.exit_code == 0
    assert "secret" not in told.stdout
    with operator.client("given", "a given secret") as trader:
        assert trader.account == "demo-2"
    assert operator.row("key", "given", "key", "list") == {
        "key": "given", "roles": ["reader", "trader"], "accounts": ["demo-2"],
    }  # fmt: skip
    operator.said("key", "revoke", "given")
    with pytest.raises(SessionError, match="LOGON_FAILED"), operator.client("given", "a given secret"):
        pass
    assert operator.refused("key", "revoke", "given").startswith("error: UNKNOWN_KEY: ")
    assert operator.refused("key", "create", "made", "--account", "demo-1").startswith(
        "error: ALREADY_EXISTS: "
    )


def test_the_last_administrator_is_not_revoked_by_mistake(operator: Operator) -> None:
    assert "expected another key with the role admin" in operator.refused("key", "revoke", DEMO_KEY)
    assert operator.rows("key", "list")


def test_an_administrator_revokes_the_own_key(operator: Operator) -> None:
    (key,) = operator.rows("key", "create", "boss", "--account", "operator", "--role", "admin")
    boss = ("--key", "boss", "--secret", key["secret"])
    assert operator.said("key", "revoke", "boss", options=boss) == "key boss revoked\n"
    assert operator.refused("asset", "list", options=boss).startswith("error: LOGON_FAILED: ")


def test_a_secret_that_is_too_short_is_not_taken(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("short\n")
    refused = operator.refused("key", "create", "no", "--account", "demo-1", "--secret-file", str(file))
    assert refused == "error: OUT_OF_RANGE: expected a secret of 8 or more characters, was 5"


def test_single_orders(operator: Operator) -> None:
    with operator.client() as trader:
        placed = trader.place("ETH-USD", "buy", price="10", qty="2", client_order_id="one")
    name = ("ETH-USD", "--order-id", str(placed.order_id))
    (shown,) = operator.rows("order", "show", *name, "--account", "demo-1")
    assert (shown["account"], shown["price"], shown["left"]) == ("demo-1", "10", "2")
    refused = operator.refused("order", "cancel", *name, "--account", "demo-1")
    assert refused.startswith("error: NOT_AUTHORIZED: ")
    said = operator.said("order", "cancel", *name, options=TRADER)
    assert said == f"order {placed.order_id} cancelled, 0 of it had traded\n"
    (kept,) = operator.rows("order", "show", "ETH-USD", "--client-order-id", "one", options=TRADER)
    assert (kept["answer"], kept["order_id"], kept["filled"]) == ("OK", placed.order_id, "0")
    assert operator.refused("order", "show", *name, options=TRADER).startswith("error: UNKNOWN_ORDER: ")
    assert operator.refused("order", "show", "ETH-USD").startswith("error: MISSING_FIELD: ")
    assert operator.refused("order", "show", "XRP-USD", "--order-id", "1").startswith(
        "error: UNKNOWN_MARKET: "
    )


def test_a_trader_is_no_operator(operator: Operator) -> None:
    for words in (["account", "create", "mine"], ["key", "list"], ["market", "halt", "BTC-USD"]):
        assert operator.refused(*words, options=TRADER).startswith("error: NOT_AUTHORIZED: ")


def test_errors_for_programs_have_the_one_shape(operator: Operator) -> None:
    line = operator.refused("market", "halt", "XRP-USD", "--json")
    assert json.loads(line) == {
        "code": "UNKNOWN_MARKET", "number": 305, "detail": "expected a market that exists, was XRP-USD",
        "retryable": False, "outcome": "rejected",
    }  # fmt: skip


def test_a_wrong_secret_is_one_line(operator: Operator) -> None:
    refused = operator.refused("market", "list", options=("--key", DEMO_KEY, "--secret", "no such secret"))
    assert refused.startswith("error: LOGON_FAILED: ")


def test_no_gateway_is_one_line(operator: Operator, tmp_path: Path) -> None:
    options = ("--gateway", f"ipc://{operator.venue.folder}/none", *TRADER, "--timeout", "0.2")
    assert operator.refused("market", "list", options=options).startswith("error: NOT_READY: ")


def test_the_demo_key_is_for_the_demo_venue_alone(operator: Operator) -> None:
    """Named gateways and venues with a seed of their own get no key that everybody knows."""
    for options in (("--gateway", operator.gateway), ("--set", "seed.file="), ("--key", "operator")):
        refused = operator.refused("market", "list", options=options)
        assert refused.startswith("error: NOT_LOGGED_ON: expected "), options
    settings = load()
    for endpoint in ("tcp://127.0.0.1:7001", "tcp://[::1]:7001", "tcp://[::ffff:127.0.0.1]:7001"):
        assert is_demo(settings, endpoint)
    assert is_demo(settings, "ipc:///run/zeropit/gateway")
    assert not is_demo(settings, "tcp://10.0.0.1:7001")
    assert not is_demo(settings, "tcp://127.example.com:7001")
    assert not is_demo(load(overrides=["seed.file=/etc/zeropit/seed.toml"]), "tcp://127.0.0.1:7001")


def test_the_demo_key_is_the_shipped_one() -> None:
    keys = tomllib.loads((ROOT / "config" / "seed.toml").read_text("utf-8"))["keys"]
    admins = [key for key in keys if Role.ADMIN.name.lower() in key["roles"]]
    assert [(key["key_id"], key["secret"]) for key in admins] == [(DEMO_KEY, DEMO_SECRET)]


def test_key_and_secret_come_from_the_environment(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEROPIT_KEY", "demo-2")
    monkeypatch.setenv("ZEROPIT_SECRET", "demo-2-secret")
    done = operator.run("order", "cancel", "BTC-USD", "--order-id", "1", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stderr)["code"] == Code.UNKNOWN_ORDER.name
