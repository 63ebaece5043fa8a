"""The documentation is tested: links resolve, commands exist, code runs, nothing is left out.

A Python block marked ``python run`` runs by itself. One marked ``python venue`` runs against a demo venue
that the test starts; the default endpoints in it are replaced by those of that venue. Further blocks of a
page go on where its earlier ones ended.
"""

import contextlib
import io
import re
import shlex
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import zeropit
from bus.settings import Settings
from scripts._cli import commands, page
from tests.processes import Processes

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
DEFAULT_ENDPOINTS = {
    "tcp://127.0.0.1:7001": "gateway",
    "tcp://127.0.0.1:7011": "feed_stream",
    "tcp://127.0.0.1:7012": "feed_query",
}

_fence = re.compile(r"^```(.*?)\n(.*?)^```", re.M | re.S)
_link = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def name(path: Path) -> str:
    """Return a page's path as it is shown in the names of tests."""
    return str(path.relative_to(ROOT))


def prose(text: str) -> str:
    """Return a page without its code: there is no link in it."""
    return re.sub(r"`[^`\n]*`", "", _fence.sub("", text))


def blocks(path: Path, *languages: str) -> list[str]:
    """Return the code blocks of a page that are marked as one of some languages."""
    return [body for info, body in _fence.findall(path.read_text("utf-8")) if info.strip() in languages]


def anchors(path: Path) -> set[str]:
    """Return the anchors that a page's headings have where it is shown."""
    headings = re.findall(r"^#+ (.+)$", _fence.sub("", path.read_text("utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_resolve(path: Path) -> None:
    broken = []
    for target in _link.findall(prose(path.read_text("utf-8"))):
        if re.match(r"https?:|mailto:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert not broken, f"expected links that resolve in {name(path)}, was {broken}"


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "README.md"
    listed = {(DOCS / link.partition("#")[0]).resolve() for link in _link.findall(index.read_text("utf-8"))}
    # Decisions have an index of their own.
    own = {index, *(DOCS / "adr").glob("[0-9]*.md")}
    missing = [name(path) for path in DOCS.rglob("*.md") if path not in listed | own]
    assert not missing, f"expected every page in docs/README.md, was without {missing}"


def test_command_line_reference_is_what_the_commands_say() -> None:
    written = (DOCS / "reference" / "cli.md").read_text("utf-8")
    assert written == page(), "run: python -m scripts._cli > docs/reference/cli.md"


def shell_lines() -> Iterator[tuple[str, list[str]]]:
    """Yield (page, words) of every call of ``zeropit`` in a shell block."""
    for path in PAGES:
        for block in blocks(path, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                while words and ("=" in words[0] or words[0] in ("sudo", "$")):
                    words = words[1:]
                if words and Path(words[0]).name == "zeropit":
                    yield name(path), words[1:]


def test_commands_in_the_pages_exist() -> None:
    known = {path.removeprefix("zeropit "): command for path, command in commands()}
    seen = 0
    for where, words in shell_lines():
        seen += 1
        if words[0] in zeropit.COMPONENTS:
            continue
        path, rest = words[0], words[1:]
        options = _options(known.get(path))
        while rest:
            word, *rest = rest
            if word.startswith("--"):
                assert word.partition("=")[0] in options, f"{where}: zeropit {path} has no {word}"
            elif f"{path} {word}" in known:
                path = f"{path} {word}"
                options |= _options(known[path])
        assert path in known, f"{where}: expected a command, was zeropit {path}"
        assert not isinstance(known[path], click.Group), f"{where}: zeropit {path} is only a group"
    assert seen


def _options(command: click.Command | None) -> set[str]:
    if command is None:
        return set()
    return {"--help", *(option for parameter in command.params for option in parameter.opts)}


def test_toml_in_the_pages_is_settings() -> None:
    """Every block of TOML that has a section of the settings names keys that exist."""
    seen = 0
    for path in PAGES:
        for block in blocks(path, "toml"):
            for section, values in tomllib.loads(block).items():
                if section in Settings.model_fields:
                    seen += 1
                    known = type(Settings.model_fields[section].default).model_fields
                    assert set(values) <= set(known), f"{name(path)}: [{section}] {values}"
    assert seen


def test_settings_named_in_the_pages_exist() -> None:
    """``section.key`` in code is a setting, wherever the section is one."""
    sections = Settings.model_fields
    wrong = []
    for path in PAGES:
        for section, key in re.findall(r"`([a-z]+)\.([a-z_]+)`", path.read_text("utf-8")):
            if section not in sections or key in type(sections[section].default).model_fields:
                continue
            if not (ROOT / section / f"{key}.py").exists() and key not in ("py", "md", "toml"):
                wrong.append(f"{name(path)}: {section}.{key}")
    assert not wrong


def test_every_alarm_has_its_heading() -> None:
    rules = (ROOT / "config" / "prometheus" / "zeropit.rules.yml").read_text("utf-8")
    alarms = re.findall(r"alert: (\w+)", rules)
    headings = re.findall(r"^### (\w+)$", (DOCS / "operate" / "alarms.md").read_text("utf-8"), re.M)
    assert headings == alarms


def test_decisions_are_numbered_and_listed() -> None:
    files = sorted(path.name for path in (DOCS / "adr").glob("[0-9]*.md"))
    assert [int(file[:4]) for file in files] == list(range(1, len(files) + 1))
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (DOCS / "adr" / "README.md").read_text("utf-8"))
    assert listed == files


def test_files_named_in_the_pages_exist() -> None:
    named = re.compile(r"`((?:bus|engine|gateway|recorder|feed|config|scripts|tests|docs)/[\w./-]+)`")
    missing = []
    for path in PAGES:
        for file in named.findall(path.read_text("utf-8")):
            if not (ROOT / file).exists() and not list(ROOT.glob(file)):
                missing.append(f"{name(path)}: {file}")
    assert not missing


def run_blocks(path: Path, language: str, replaced: dict[str, str]) -> str:
    """Run a page's blocks one after the other; return what they print."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()
    for number, block in enumerate(blocks(path, language)):
        for old, new in replaced.items():
            block = block.replace(old, new)
        with contextlib.redirect_stdout(printed):
            exec(compile(block, f"{name(path)} block {number}", "exec"), names)
    return printed.getvalue()


@pytest.mark.parametrize("path", [p for p in PAGES if blocks(p, "python run")], ids=name)
def test_code_runs(path: Path) -> None:
    assert run_blocks(path, "python run", {})


@pytest.fixture(scope="module")
def endpoints() -> Iterator[dict[str, str]]:
    """The endpoints of a running demo venue by the default ones."""
    folder = Path(tempfile.mkdtemp(prefix="zp"))
    try:
        with Processes(folder) as venue:
            venue.start_all(("engine", "archive", "gateway", "feed"))
            taken = {
                **venue.start_info("gateway").endpoints,
                **venue.start_info("feed").endpoints,
            }
            yield {default: taken[key] for default, key in DEFAULT_ENDPOINTS.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("path", [p for p in PAGES if blocks(p, "python venue")], ids=name)
def test_code_runs_on_a_venue(path: Path, endpoints: dict[str, str]) -> None:
    assert run_blocks(path, "python venue", endpoints)


def test_first_order_takes_five_lines() -> None:
    (block,) = blocks(ROOT / "README.md", "python venue")
    assert len(block.strip().splitlines()) <= 5
