"""The command line: thin, the same as the modules, and never a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

import zeropit

ROOT = Path(__file__).parents[1]


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``zeropit`` with some arguments."""
    return subprocess.run(
        [sys.executable, str(ROOT / "zeropit.py"), *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
    )


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for name in (*zeropit.COMPONENTS, *zeropit.COMMANDS):
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", list(zeropit.COMMANDS))
def test_every_command_has_help(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert f"Usage: zeropit {name}" in done.stdout


@pytest.mark.parametrize("name", list(zeropit.COMPONENTS))
def test_components_are_their_modules(name: str) -> None:
    """``zeropit engine --help`` is the help of ``python -m engine``, under the same name."""
    by_command = run(name, "--help")
    by_module = subprocess.run(
        [sys.executable, "-m", zeropit.COMPONENTS[name], "--help"], capture_output=True, text=True, timeout=60
    )
    assert by_command.returncode == by_module.returncode == 0, by_command.stderr
    assert by_command.stdout == by_module.stdout
    assert f"usage: zeropit {name}" in by_command.stdout


def test_wrong_setting_is_one_line(tmp_path: Path) -> None:
    done = run("status", "--set", "venue.nothing=1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: SETTINGS_INVALID: expected a known setting")
    assert len(done.stderr.splitlines()) == 1


def test_status_of_nothing(tmp_path: Path) -> None:
    done = run("status", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "nothing runs in var/run\n")


def test_defect_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(zeropit.COMMANDS, "broken", "bus.errors:no_such_command")
    monkeypatch.setattr(sys, "argv", ["zeropit", "broken"])
    with pytest.raises(SystemExit) as caught:
        zeropit.main()
    assert caught.value.code == 70
    assert len(capsys.readouterr().err.splitlines()) == 1
