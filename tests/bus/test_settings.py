"""Settings: what wins over what, what is refused and how it is said, and that every key is documented."""

from pathlib import Path

import pytest

from bus import sections
from bus.errors import SettingsError
from bus.settings import Settings, load, markdown, seed_path

ROOT = Path(__file__).parent.parent.parent


def test_reference_page_is_what_the_models_say() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    assert page == markdown(), "run: python -m bus.settings --markdown > docs/reference/settings.md"


def test_every_key_has_a_description() -> None:
    for name, field in Settings.model_fields.items():
        for key, setting in type(field.default).model_fields.items():
            assert setting.description, f"{name}.{key} has no description"


def test_shipped_file_is_valid_and_changes_nothing() -> None:
    assert load(ROOT / "config" / "zeropit.toml") == load(Path("/dev/null"))


def test_flags_win_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "z.toml"
    file.write_text("[engine]\nlinks_max = 1\nimages_max = 1\nbatch_frames_max = 1\n")
    monkeypatch.setenv("ZEROPIT_ENGINE__IMAGES_MAX", "2")
    monkeypatch.setenv("ZEROPIT_ENGINE__BATCH_FRAMES_MAX", "2")
    engine = load(file, ["engine.batch_frames_max=3"]).engine
    assert (engine.links_max, engine.images_max, engine.batch_frames_max) == (1, 2, 3)
    assert engine.batch_commands_max == sections.Engine().batch_commands_max


def test_file_named_by_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "z.toml"
    file.write_text("[logs]\nlevel = 'debug'\n")
    monkeypatch.setenv("ZEROPIT_CONFIG", str(file))
    assert load().logs.level == "debug"


def test_database_has_a_variable_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROPIT_DATABASE", "postgresql://somewhere/zeropit")
    assert load().recorder.database == "postgresql://somewhere/zeropit"


def test_folders_are_filled_in() -> None:
    settings = load(overrides=["venue.run_dir=/tmp/r", "venue.data_dir=/tmp/d"])
    assert settings.endpoints.engine_stream == "ipc:///tmp/r/engine.stream"
    assert settings.journal.dir == "/tmp/d/journal"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("engine.links_max=0", "engine.links_max: expected greater than or equal to 1, was 0"),
        ("engine.links_max=many", "engine.links_max: expected a valid integer"),
        (
            "engine.events_per_transaction_max=402",
            "engine.fills_per_order_max: expected four times it and 8 within events_per_transaction_max (40",
        ),
        ("recorder.database=nonsense", "recorder.database: expected a PostgreSQL URL or key=value words"),
        ("recorder.database=mysql://a/b", "recorder.database: expected a PostgreSQL URL or key=value words"),
        ("engine.command_validity_s_max=86401", "engine.command_validity_s_max: expected less than or equal"),
        ("engine.linx_max=1", "expected a known setting (name, "),
        ("engin.links_max=1", "expected a known setting (venue, "),
        ("journal.sync=maybe", "journal.sync: expected 'always', 'interval' or 'none', was 'maybe'"),
        (
            "endpoints.gateway=nowhere",
            "endpoints.gateway: expected ipc://PATH or tcp://HOST:PORT, was 'nowhere'",
        ),
        (
            "endpoints.archive=tcp://127.0.0.1:1",
            "endpoints.archive: expected ipc, or tcp with the curve section",
        ),
        ("venue.run_dir=/" + "x" * 100, "endpoints.engine_commands: expected a path of at most 100 bytes"),
        ("curve.allowed_dir=keys", "curve.server_secret_file: expected all four curve settings or none"),
        ("engine.name=UPPER", "engine.name: expected string should match pattern"),
        ("engine", "expected --set section.key=value, was 'engine'"),
        ("engine=1", "expected --set section.key=value, was 'engine=1'"),
    ],
)
def test_wrong_value_is_named(override: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(overrides=[override])
    assert caught.value.detail.startswith(message)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ZEROPIT_ENGINE__LINX_MAX", "1"), ("ZEROPIT_ENGIN__X", "1"), ("ZEROPIT_FEED__CANDLE_INTERVALS", "1m")],
)
def test_wrong_environment_is_refused(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError):
        load()


@pytest.mark.parametrize("content", ["engine = 3", "[engine]\nx", "[engine]\nx = 1", "\udcff"])
def test_wrong_file_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "z.toml"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError):
        load(file)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected a readable settings file"):
        load(tmp_path / "none.toml")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().engine.links_max = 3


def test_seed_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert seed_path(load()) == ROOT / "config" / "seed.toml"
    assert seed_path(load(overrides=["seed.file="])) is None
    with pytest.raises(SettingsError, match=r"seed\.file: expected a file"):
        seed_path(load(overrides=["seed.file=none.toml"]))
