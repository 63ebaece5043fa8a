"""The units: systemd itself finds nothing wrong with them, and they start the same commands as people do."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zeropit

UNITS = Path(__file__).parents[1] / "config" / "systemd"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the units whose commands exist on this machine."""
    copy = tmp_path / "units"
    shutil.copytree(UNITS, copy)
    for unit in copy.glob("*.service"):
        unit.write_text(unit.read_text().replace("/opt/zeropit/.venv/bin", str(Path(sys.executable).parent)))
    return copy


def test_a_unit_for_each_component() -> None:
    names = {unit.stem.removeprefix("zeropit-") for unit in UNITS.glob("*.service")}
    assert names == set(zeropit.COMPONENTS)
    target = (UNITS / "zeropit.target").read_text()
    for name in names:
        assert f"zeropit-{name}.service" in target
        assert f"/zeropit {name}\n" in (UNITS / f"zeropit-{name}.service").read_text()


def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    units = [*installed.glob("*.service"), *installed.glob("*.target")]
    assert len(units) == 6
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, units)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_units_are_hardened(installed: Path) -> None:
    for unit in installed.glob("*.service"):
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", str(unit)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-500:] + done.stderr
