"""What every test gets: hypothesis profiles, and a folder short enough for ipc sockets."""

import os

# Tests look into and bend the exchange's modules, which only plain Python allows; the processes that
# they start run what a user runs.
os.environ["ZEROPIT_PURE_PYTHON"] = "1"

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ALL = bool(os.environ.get("ZEROPIT_TEST_ALL"))
"""Whether more seeds and cases are wanted (``scripts/test --all``)."""

# Deadlines are timing assertions: the machine may be shared.
settings.register_profile("few", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("all", settings.get_profile("few"), max_examples=1_000)
settings.load_profile("all" if ALL else "few")


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A private folder whose path leaves room for socket names (a socket path has 107 bytes at most)."""
    folder = Path(tempfile.mkdtemp(prefix="zp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of the person who runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith("ZEROPIT_") and name != "ZEROPIT_TEST_ALL":
            monkeypatch.delenv(name)
