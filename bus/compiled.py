"""The hot modules of engine and gateway as machine code, when compiled from exactly these sources.

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

MODULES = {
    "bus": ("answers", "codec", "frames"),
    "engine": (
        "accounts", "batch", "book", "cancels", "crossing", "entry", "exchange", "fills", "implied", "ladder",
        "levels", "matching", "outcomes", "risk", "state", "states", "timers", "trading",
    ),
    "gateway": ("desk", "flow", "links", "post", "private", "requests", "sessions"),
}  # fmt: skip
"""The modules that are compiled, together, by package."""

_SHAPES = ("commands", "events", "errors")
_ROOT = Path(__file__).resolve().parent.parent

mode: Literal["compiled", "python"] = "python"
"""Which of the two this process runs."""

_found: Path | None = None


def sources() -> list[Path]:
    """Return the files that a build depends on."""
    own = [_ROOT / package / f"{name}.py" for package, names in MODULES.items() for name in names]
    return own + [_ROOT / "bus" / f"{name}.py" for name in _SHAPES]


def build_folder() -> Path:
    """Return where a build of exactly these sources for this Python lies, or would lie."""
    digest = hashlib.sha256(sysconfig.get_config_var("EXT_SUFFIX").encode())
    for path in sources():
        digest.update(path.read_bytes())
    base = os.environ.get("ZEROPIT_COMPILED_DIR") or _ROOT / "var" / "compiled"
    return Path(base) / digest.hexdigest()[:16]


def use(package: str, package_path: list[str]) -> None:
    """Let a package find its compiled modules first, if there are any to be used.

    Called by the ``__init__`` of each package of `MODULES`; under another name (the SDK's wheel) the same
    files are plain Python.
    """
    global mode, _found
    if package not in MODULES or os.environ.get("ZEROPIT_PURE_PYTHON"):
        return
    if _found is None:
        _found = build_folder()
        if (_found / "engine").is_dir():
            sys.path.append(str(_found))
            mode = "compiled"
    if mode == "compiled":
        package_path.insert(0, str(_found / package))
