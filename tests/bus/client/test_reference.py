"""The page of the SDK is true: each name is on it, and its first example runs."""

import re
from pathlib import Path

import pytest

import bus.client
from bus.client import AsyncClient, AsyncMarketData, Client, MarketData
from tests.processes import Processes

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "sdk.md").read_text("utf-8")
WORDS = set(re.findall(r"\w+", PAGE))
INNER = {
    "account", "next_id", "post", "run", "session", "timeout_s", "units", "valid_until_ns",
}  # fmt: skip
"""What is public for those who write drivers or commands of their own."""


def test_every_name_is_on_the_page() -> None:
    inside = {"CommandAnswer", "OrderRow"}
    assert not set(bus.client.__all__) - WORDS - inside
    assert all(hasattr(bus.client, name) for name in bus.client.__all__)


@pytest.mark.parametrize("client", [Client, AsyncClient, MarketData, AsyncMarketData])
def test_every_call_is_on_the_page(client: type) -> None:
    calls = {name for name in dir(client) if not name.startswith("_")}
    assert not calls - WORDS - INNER


def test_both_clients_have_the_same_calls() -> None:
    def names(client: type) -> set[str]:
        return {name for name in dir(client) if not name.startswith("_")}

    assert names(Client) ^ names(AsyncClient) == {"pump", "room"}
    assert names(MarketData) ^ names(AsyncMarketData) == {"pump"}


def test_the_first_example_runs(short_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    assert len(found[1].strip().splitlines()) <= 5
    with Processes(short_dir) as venue:
        venue.start_all(("engine", "archive", "gateway"))
        exec(found[1].replace("tcp://127.0.0.1:7001", f"ipc://{short_dir}/run/gateway"), {})
    assert " open " in capsys.readouterr().out
