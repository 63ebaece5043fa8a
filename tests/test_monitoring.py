"""Alert rules and dashboard: every metric that they name is one that the code counts."""

import json
import re
from pathlib import Path

from scripts._metrics import declared

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config"
PACKAGES = ("bus", "engine", "gateway", "recorder", "feed")
PREFIX = re.compile(r"^zeropit_(engine|archive|gateway|recorder|feed)_")


def counted() -> set[str]:
    """Return the names that the code declares, without their component."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {name for path in files for name, _, _ in declared(path)}


def named(text: str) -> set[str]:
    """Return the metric names in a text, without component and a histogram's suffix."""
    found = re.findall(r"\bzeropit_(?:engine|archive|gateway|recorder|feed)_[a-z_]+", text)
    return {PREFIX.sub("", name).removesuffix("_bucket") for name in found}


def test_rules_name_what_is_counted() -> None:
    names = named((CONFIG / "prometheus" / "zeropit.rules.yml").read_text("utf-8"))
    assert names
    assert not names - counted()


def test_dashboard_names_what_is_counted() -> None:
    text = (CONFIG / "grafana" / "zeropit.json").read_text("utf-8")
    assert json.loads(text)["uid"] == "zeropit"
    names = named(text)
    assert names
    assert not names - counted()
