"""A folder on a real disk: the benches refuse one in memory, where a temporary folder may well be."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import report


@pytest.fixture
def real_disk() -> Iterator[Path]:
    """A folder beside the sources, removed afterwards."""
    var = report.ROOT / "var"
    var.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=var, prefix="b"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
