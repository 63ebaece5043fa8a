"""The examples end with statements that agree, and a journal that gives the same bytes again."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from scripts._examples.__main__ import EXAMPLES, run
from tests.conftest import ALL


@pytest.mark.parametrize("name", list(EXAMPLES) if ALL else ["football"])
def test_a_whole_market_is_explained_to_the_atom(name: str, short_dir: Path) -> None:
    printed = StringIO()
    figures = run(name, short_dir / "venue", 2, Console(file=printed, width=120))
    assert figures["agrees"] is True, printed.getvalue()
    assert "executed again" in printed.getvalue()
