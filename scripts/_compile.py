"""Compile the hot modules of engine and gateway with mypyc into ``var/compiled/<hash of its sources>``.

Does nothing when that build is there already. Exit code 1, with a reason, when it cannot be made: the
venue then runs the same modules as plain Python.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bus.compiled import MODULES, build_folder

ROOT = Path(__file__).resolve().parent.parent
COMPILE_S_MAX = 600


def main() -> int:
    """Make the build if it is missing."""
    folder = build_folder()
    if (folder / "engine").is_dir():
        return 0
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        work = Path(name)
        for package in MODULES:
            shutil.copytree(ROOT / package, work / package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", work)
        files = [f"{package}/{name}.py" for package, names in MODULES.items() for name in names]
        done = subprocess.run(
            [sys.executable, "-m", "mypyc", *files],
            cwd=work, env={**os.environ, "MYPYC_OPT_LEVEL": "2"}, capture_output=True, text=True,
            timeout=COMPILE_S_MAX, check=False,
        )  # fmt: skip
        if done.returncode:
            reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            print(f"not compiled, running as plain Python: {' '.join(reason)}", file=sys.stderr)
            return 1
        _keep(work, work / "build-kept")
        try:
            (work / "build-kept").rename(folder)
        except OSError:
            # Another process was faster with the same build.
            return 0 if (folder / "engine").is_dir() else 1
    _remove_others(folder)
    return 0


def _keep(work: Path, kept: Path) -> None:
    """Move the shared objects to where they are looked for."""
    kept.mkdir()
    for path in work.glob("*.so"):
        path.rename(kept / path.name)
    for package in MODULES:
        (kept / package).mkdir()
        for path in (work / package).glob("*.so"):
            path.rename(kept / package / path.name)


def _remove_others(folder: Path) -> None:
    """Remove builds of other sources, but not one that is just being made."""
    for other in folder.parent.iterdir():
        if other != folder and len(other.name) == len(folder.name) and (other / "engine").is_dir():
            shutil.rmtree(other, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
