"""The shape of the code: a function fits on a screen, a module says what it is for."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("bus", "engine", "gateway", "recorder", "feed", "scripts", "tests")
FUNCTION_LINES_MAX = 70


def files() -> Iterator[Path]:
    """Yield all Python files of the repository."""
    yield ROOT / "zeropit.py"
    for folder in FOLDERS:
        skipped = {"build", "node_modules"}
        yield from sorted(p for p in (ROOT / folder).rglob("*.py") if not skipped & set(p.parts))


def test_functions_fit_on_a_screen() -> None:
    long: list[str] = []
    for path in files():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines")
    assert not long, f"expected at most {FUNCTION_LINES_MAX} lines a function, was:\n" + "\n".join(long)


def test_modules_say_what_they_are_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent, f"expected a docstring in each module, was none in {silent}"


def test_every_test_folder_is_a_package() -> None:
    """Without ``tests/__init__.py``, ``tests/bus/__init__.py`` would shadow the real ``bus``."""
    folders = {
        path.parent for path in (ROOT / "tests").rglob("test_*.py") if "node_modules" not in path.parts
    }
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]
