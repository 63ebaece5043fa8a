"""Who may import whom: packages meet only over sockets, cores reach nothing outside, the SDK stays small."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bus", "engine", "gateway", "recorder", "feed")

OUTSIDE_WORLD = {
    "asyncio", "multiprocessing", "os", "pathlib", "psycopg", "random", "secrets", "select", "selectors",
    "signal", "socket", "subprocess", "threading", "time", "uuid", "zmq",
}  # fmt: skip
"""What a pure core must not import: clock, disk, sockets and randomness come in as arguments."""

ENGINE_SHELL = {
    "__main__", "archive", "cli", "disk", "journal", "journal_reader", "queries", "recovery",
    "seed", "segments", "service", "snapshots",
}  # fmt: skip
"""The engine's modules that may touch the world; all the others are its core."""

PURE = {
    "bus": {"codec", "commands", "effects", "errors", "events", "frames", "units"},
    "gateway": {"desk"},
    "recorder": {"rows"},
    "feed": {"bars", "candles", "depth", "markets", "queries", "starting", "telling", "tickers", "trades"},
}
"""Pure modules of the other packages."""


def modules(package: str) -> list[Path]:
    """Return the Python files of a package."""
    return sorted(path for path in (ROOT / package).rglob("*.py") if "build" not in path.parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (relative level, module) of every import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module:
                yield node.level, node.module
            else:
                yield from ((node.level, alias.name) for alias in node.names)


def tops(path: Path) -> set[str]:
    """Return the top-level names that a file imports absolutely."""
    return {name.partition(".")[0] for level, name in imports(path) if level == 0}


def is_pure(package: str, path: Path) -> bool:
    """Say whether a module belongs to a pure core."""
    if path.parent != ROOT / package:
        return False
    return path.stem not in ENGINE_SHELL if package == "engine" else path.stem in PURE[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_meet_only_over_sockets(package: str) -> None:
    allowed = {package, "bus"} if package != "bus" else set()
    for path in modules(package):
        others = tops(path) & {*PACKAGES, "zeropit", "tests", "scripts"} - allowed
        assert not others, f"{path.relative_to(ROOT)} imports {others}"


@pytest.mark.parametrize("package", PACKAGES)
def test_pure_cores_reach_nothing_outside(package: str) -> None:
    for path in modules(package):
        if is_pure(package, path):
            reached = tops(path) & OUTSIDE_WORLD
            assert not reached, f"{path.relative_to(ROOT)} is a pure core and imports {reached}"


def test_sdk_needs_pyzmq_and_msgpack_alone() -> None:
    """Follow the relative imports from bus/client: nothing reached needs more than the wheel's two."""
    pending = [ROOT / "bus" / "__init__.py", *modules("bus/client")]
    reached: set[Path] = set()
    while pending:
        path = pending.pop()
        if path in reached:
            continue
        reached.add(path)
        foreign = {top for top in tops(path) if top not in sys.stdlib_module_names} - {"zmq", "msgpack"}
        assert not foreign, f"{path.relative_to(ROOT)} is reached from bus/client and imports {foreign}"
        for level, name in imports(path):
            if level:
                target = path.parents[level - 1].joinpath(*name.split("."))
                pending += [p for p in (target.with_suffix(".py"), target / "__init__.py") if p.is_file()]


def test_bus_needs_no_import_of_its_own_name() -> None:
    """The wheel zeropit-client holds the same folder under another name."""
    assert not [path for path in modules("bus") if "bus" in tops(path)]
