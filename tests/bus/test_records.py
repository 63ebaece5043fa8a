"""The reference page of commands and events is what the records say."""

import subprocess
import sys
from pathlib import Path

import pytest

from bus.codec import field_forms
from bus.commands import COMMAND_CLASSES
from bus.events import EVENT_CLASSES
from bus.records import main, markdown

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "records.md"


def test_the_page_is_current() -> None:
    """Make it again with ``python -m bus.records --markdown > docs/reference/records.md``."""
    assert PAGE.read_text() == markdown()


def test_every_record_and_field_is_on_the_page() -> None:
    """Each record has its heading, each field its row, and a description."""
    sections = PAGE.read_text().split("\n### ")
    for number, record in [*COMMAND_CLASSES.items(), *EVENT_CLASSES.items()]:
        (section,) = [text for text in sections if text.startswith(f"{number} {record.__name__}\n")]
        assert record.__doc__ and not record.__doc__.startswith(f"{record.__name__}(")
        for name in record._fields:
            assert f"\n| `{name}` |" in section


def test_every_field_of_a_command_has_a_form() -> None:
    """Numbers say their range, texts their characters."""
    for command in COMMAND_CLASSES.values():
        forms = field_forms(command)
        for name, kind in command.__annotations__.items():
            assert forms[name] or kind not in (int, str)


def test_the_command_line_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """Anything but --markdown is told its use."""
    ran = subprocess.run(
        [sys.executable, "-m", "bus.records", "--markdown"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == markdown()
    assert main([]) == 2 and "usage" in capsys.readouterr().err
