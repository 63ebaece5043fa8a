"""The exchange's core as machine code, when it was compiled from exactly these sources.

Invariant: compiled or not, the same commands give the same bytes (tests compare, and recovery compares
every event whichever wrote it); a build is used only if the hash of the sources in its folder's name is
that of the sources at hand, so an edit is never shadowed by an old build.

``scripts/compile`` makes the build with mypyc where a C compiler is there; without it the same modules
run as plain Python at some two thirds of the speed. ``ZEROPIT_PURE_PYTHON=1`` says not to use it.
"""

import hashlib
import os
import sys
import sysconfig
from pathlib import Path
from typing import Literal

MODULES = ("accounts", "admin", "batch", "book", "checks", "exchange", "mass", "matching", "state", "trading")
"""The engine's modules that are compiled, together."""

_SHAPES = ("commands", "events", "errors", "codec")
_ROOT = Path(__file__).resolve().parent.parent

mode: Literal["compiled", "python"] = "python"
"""Which of the two this process runs."""


def sources() -> list[Path]:
    """Return the files that a build depends on."""
    own = [_ROOT / "engine" / f"{name}.py" for name in MODULES]
    return own + [_ROOT / "bus" / f"{name}.py" for name in _SHAPES]


def build_folder() -> Path:
    """Return where a build of exactly these sources for this Python lies, or would lie."""
    digest = hashlib.sha256(sysconfig.get_config_var("EXT_SUFFIX").encode())
    for path in sources():
        digest.update(path.read_bytes())
    base = os.environ.get("ZEROPIT_COMPILED_DIR") or _ROOT / "var" / "compiled"
    return Path(base) / digest.hexdigest()[:16]


def use(package_path: list[str]) -> None:
    """Let the package ``engine`` find its compiled modules first, if there are any to be used."""
    global mode
    if os.environ.get("ZEROPIT_PURE_PYTHON"):
        return
    folder = build_folder()
    if (folder / "engine").is_dir():
        package_path.insert(0, str(folder / "engine"))
        sys.path.append(str(folder))
        mode = "compiled"
