"""The error tree: stable codes, one JSON shape, and a documented cause and cure for each."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import (
    RETRYABLE,
    UNKNOWN_OUTCOME,
    Code,
    FormError,
    HistoryError,
    JournalError,
    OutcomeUnknown,
    Rejected,
    ServiceError,
    SessionError,
    SettingsError,
    StreamError,
    ZeropitError,
    error_for,
)

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "errors.md").read_text()
CODES = [code for code in Code if code is not Code.OK]
FAMILIES = {1: FormError, 2: SessionError, 3: Rejected, 5: ServiceError}
EVERY_CODE = pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)


def family_of(code: Code) -> type[ZeropitError]:
    """Return the class of a code by its number, as the tree is drawn."""
    if code in UNKNOWN_OUTCOME:
        return OutcomeUnknown
    if 400 <= code < 450:
        return StreamError
    if 450 <= code < 500:
        return JournalError
    return HistoryError if code >= 550 else FAMILIES[code // 100]


@EVERY_CODE
def test_a_code_from_the_wire_is_its_class_of_error(code: Code) -> None:
    """Code and detail come through; an unknown outcome is never a reject."""
    error = error_for(int(code), "expected 1, was 2")
    assert type(error) is family_of(code)
    assert error.code is code and error.detail == "expected 1, was 2"
    assert str(error) == f"{code.name}: expected 1, was 2"
    assert isinstance(error, Rejected) <= (error.outcome == "rejected")


@EVERY_CODE
def test_one_json_shape(code: Code) -> None:
    """Pinned: what a client of any door gets."""
    assert error_for(code, "why").as_json() == {
        "code": code.name,
        "number": int(code),
        "detail": "why",
        "retryable": code in RETRYABLE,
        "outcome": "unknown" if code in UNKNOWN_OUTCOME else "rejected",
    }


def test_form_errors_and_final_rejects_are_not_retryable() -> None:
    """Unchanged, they can only be refused again."""
    assert not [code for code in RETRYABLE if code < 200 or 300 <= code < 500]
    assert UNKNOWN_OUTCOME <= RETRYABLE


def test_settings_errors_carry_their_code() -> None:
    """The one class that knows its code."""
    error = SettingsError("expected a port, was x")
    assert error.code is Code.SETTINGS_INVALID and isinstance(error, ServiceError)


@given(st.integers().filter(lambda number: number not in set(Code)))
def test_an_unknown_number_is_malformed_and_named(number: int) -> None:
    """A later version's code is not guessed at."""
    error = error_for(number, "why")
    assert error.code is Code.MALFORMED and str(number) in error.detail and "why" in error.detail


@EVERY_CODE
def test_the_page_has_cause_and_cure_of_each_code(code: Code) -> None:
    """A heading, a cause, a cure, and what the code itself says of retrying and outcome."""
    found = re.search(
        rf"^### {code.name} \({int(code)}\)\n\n"
        r"- \*\*Cause:\*\* (?P<cause>.+)\n"
        r"- \*\*Cure:\*\* (?P<cure>.+)\n"
        r"- \*\*Retryable:\*\* (?P<retryable>yes|no)\. \*\*Outcome:\*\* (?P<outcome>rejected|unknown)\.$",
        PAGE,
        re.MULTILINE,
    )
    assert found, f"expected cause, cure, retryable and outcome under ### {code.name} ({int(code)})"
    error = error_for(code, "")
    assert found["retryable"] == ("yes" if error.retryable else "no")
    assert found["outcome"] == error.outcome
    assert len(found["cause"]) > 20 and len(found["cure"]) > 15


def test_the_page_has_no_other_codes() -> None:
    """A code that is gone must leave the page."""
    assert re.findall(r"^### (\w+)", PAGE, re.MULTILINE) == [code.name for code in CODES]


def test_the_settings_that_the_page_names_exist() -> None:
    """A cure that names a setting must name a real one."""
    settings = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text()
    named = set(re.findall(r"`((?:engine|journal|gateway|recorder|feed)\.\w+)`", PAGE))
    assert len(named) > 10
    for name in named:
        section, key = name.split(".")
        body = settings.split(f"\n## {section}\n")[1].split("\n## ")[0]
        assert f"| `{key}` |" in body, name
