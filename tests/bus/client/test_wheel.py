"""The stand-alone wheel: built, installed into a clean virtualenv, and traded with."""

import hashlib
import json
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.processes import Processes

ROOT = Path(__file__).parents[3]
NEEDS = [f"{name}=={version(name)}" for name in ("pyzmq", "msgpack")]

TRADE = """
import json, sys
from importlib.metadata import distributions
from zeropit_client.client import Client, MarketData

gateway, stream, query = sys.argv[1:]
with Client(gateway, key="demo-1", secret="demo-1-secret") as client, MarketData(stream, query) as data:
    book = data.ready(data.depth("BTC-USD"))
    order = client.place("BTC-USD", "buy", price="100.00", qty="0.5")
    assert data.until(lambda: book.market_seq == 1, 30)
    found = {
        "status": order.status,
        "held": client.balances()["USD"].held,
        "bids": book.bids(1),
        "loaded": sorted(name for name in sys.modules if name.partition(".")[0] == "bus"),
        "installed": sorted(distribution.name.lower() for distribution in distributions()),
    }
print(json.dumps(found))
"""


def run(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{words[:4]}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The wheel, built from a copy (the build writes into its source)."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "bus", source, ignore=shutil.ignore_patterns("build", "__pycache__", "*.egg-info"))
    flags = ("--no-build-isolation", "--no-deps", "--no-index", "--quiet")
    run(sys.executable, "-m", "pip", "wheel", *flags, "-w", tmp_path, source)
    (built,) = tmp_path.glob("zeropit_client-*.whl")
    return built


@pytest.fixture
def clean_python(wheel: Path) -> Iterator[Path]:
    """The interpreter of a virtualenv that holds the wheel and its two requirements alone.

    The requirements are kept under ``var/`` for the next run; the wheel is installed each time.
    """
    key = hashlib.sha256(" ".join([sys.version, *NEEDS]).encode()).hexdigest()[:12]
    folder = ROOT / "var" / "test-venvs" / f"sdk-{key}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True, symlinks=True)
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *NEEDS)
        (folder / "complete").touch()
    flags = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--force-reinstall")
    run(python, "-m", "pip", "install", *flags, wheel)
    yield python


def test_the_wheel_holds_the_client_and_says_it_is_typed(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {f"zeropit_client/client/{path.name}" for path in (ROOT / "bus" / "client").glob("*.py")}
    assert modules <= names
    assert "zeropit_client/py.typed" in names
    assert not [name for name in names if name.startswith(("bus/", "client/"))]


def test_trades_from_a_clean_virtualenv(clean_python: Path, short_dir: Path) -> None:
    with Processes(short_dir) as venue:
        venue.start_all(("engine", "archive", "gateway", "feed"))
        endpoints = [f"ipc://{short_dir}/run/{name}" for name in ("gateway", "feed_stream", "feed_query")]
        script = short_dir / "trade.py"
        script.write_text(TRADE)
        found = json.loads(run(clean_python, "-I", "-W", "error", script, *endpoints))
    assert found["status"] == "open"
    assert found["held"] == "50"
    assert found["bids"] == [[10_000, 50_000_000]]
    assert found["loaded"] == []
    assert set(found["installed"]) <= {"zeropit-client", "pyzmq", "msgpack", "pip", "setuptools"}
