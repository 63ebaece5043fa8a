"""Where settings come from: a TOML file, the environment, flags; checked before anything else happens.

Invariant: a component that runs has only valid settings, and they never change while it runs. Later
wins: defaults, ``config/zeropit.toml`` (or ``ZEROPIT_CONFIG``, ``--config``), environment
``ZEROPIT_<SECTION>__<KEY>``, flags ``--set section.key=value``. An unknown section or key is an error
wherever it stands: a misspelt limit would silently be no limit.
"""

import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError

from .errors import SettingsError
from .sections import (
    INTERNAL,
    Archive,
    Curve,
    Endpoints,
    Engine,
    Feed,
    Gateway,
    Journal,
    Logs,
    Metrics,
    Recorder,
    Seed,
    Stream,
    Venue,
)

IPC_PATH_BYTES_MAX = 100
"""The system's limit for a socket path is 107; some room is left for a suffix."""

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds ``bus/`` and ``config/`` in a checkout."""


class Settings(BaseSettings):
    """All settings, frozen. Made by `load`, which also fills in ``{data_dir}`` and ``{run_dir}``."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="ZEROPIT_", env_nested_delimiter="__"
    )

    venue: Venue = Venue()
    endpoints: Endpoints = Endpoints()
    curve: Curve = Curve()
    engine: Engine = Engine()
    journal: Journal = Journal()
    archive: Archive = Archive()
    gateway: Gateway = Gateway()
    recorder: Recorder = Recorder()
    feed: Feed = Feed()
    stream: Stream = Stream()
    metrics: Metrics = Metrics()
    logs: Logs = Logs()
    seed: Seed = Seed()


def load(config: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Return the settings from file, environment and ``section.key=value`` overrides.

    Parameters
    ----------
    config
        The TOML file; without it ``ZEROPIT_CONFIG``, else ``config/zeropit.toml`` here or in the checkout
        (no file at all: defaults).
    overrides
        Assignments that win over everything else.

    Raises
    ------
    SettingsError
        Naming the first key that is wrong: "expected X, was Y".
    """
    in_file = _read_toml(config)
    flags = _parse_overrides(overrides)
    _refuse_unknown_environment(os.environ)

    class Sourced(Settings):
        """The settings with this call's sources."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (
                InitSettingsSource(settings_cls, flags),
                env_settings,
                InitSettingsSource(settings_cls, in_file),
            )

    try:
        found = Sourced()
    except ValidationError as error:
        raise SettingsError(_first_problem(error)) from None
    except SourceError as error:
        cause = error.__cause__ or error
        raise SettingsError(f"expected JSON in the environment for a list or section: {cause}") from None
    settings = _filled_in(found)
    _check_endpoints(settings)
    _check_limits(settings)
    return settings


def seed_path(settings: Settings) -> Path | None:
    """Return the seed file, looked for here and then in the checkout; None when none is wanted."""
    if not settings.seed.file:
        return None
    path = Path(settings.seed.file)
    for candidate in (path, ROOT / path):
        if candidate.is_file():
            return candidate
    raise SettingsError(f"seed.file: expected a file, was {settings.seed.file!r}")


def markdown() -> str:
    """Return the reference page of all settings, made from the models."""
    lines = [
        "# Settings",
        "",
        "Made by `python -m bus.settings --markdown`. Later wins: the defaults below, the TOML file",
        "(`config/zeropit.toml`, or `ZEROPIT_CONFIG`, or `--config FILE`), the environment",
        "(`ZEROPIT_<SECTION>__<KEY>`, for example `ZEROPIT_JOURNAL__SYNC=none`), flags",
        "(`--set journal.sync=none`). An unknown key is an error. A key's last words name its unit.",
        "`{data_dir}` and `{run_dir}` in a value stand for the two folders of the section `venue`.",
    ]
    for section, model in _sections().items():
        lines += ["", f"## {section}", "", (model.__doc__ or "").strip(), ""]
        lines += ["| key | default | what it does |", "|---|---|---|"]
        for key, field in model.model_fields.items():
            text = " ".join((field.description or "").split()).replace("|", "\\|")
            lines.append(f"| `{key}` | `{_shown(field.default)}` | {text} |")
    return "\n".join(lines) + "\n"


def _sections() -> dict[str, type[BaseModel]]:
    """Return the model of each section by its name."""
    return {name: type(field.default) for name, field in Settings.model_fields.items()}


def _shown(value: object) -> str:
    """Return a default as it would be written in TOML."""
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{part}"' for part in value) + "]"
    return f'"{value}"' if isinstance(value, str | Path) else str(value)


def _read_toml(config: Path | None) -> dict[str, Any]:
    """Read the settings file that applies; {} when there is none and none was asked for."""
    named = config or (Path(os.environ["ZEROPIT_CONFIG"]) if os.environ.get("ZEROPIT_CONFIG") else None)
    default = Path("config/zeropit.toml")
    path = named or next((p for p in (default, ROOT / default) if p.is_file()), None)
    try:
        content = tomllib.loads(path.read_text("utf-8")) if path else {}
    except OSError as error:
        raise SettingsError(
            f"expected a readable settings file, was {str(path)!r} ({error.strerror})"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"expected TOML in {str(path)!r}, was something else: {error}") from None
    database = os.environ.get("ZEROPIT_DATABASE")
    if database:
        section = content.get("recorder", {})
        content["recorder"] = {**(section if isinstance(section, dict) else {}), "database": database}
    return content


def _parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Turn ``section.key=value`` into a nested dict; a value that is TOML is taken as that, else as text."""
    nested: dict[str, Any] = {}
    for override in overrides:
        name, equals, text = override.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and section and key):
            raise SettingsError(f"expected --set section.key=value, was {override!r}")
        try:
            value = tomllib.loads(f"value = {text.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        nested.setdefault(section, {})[key] = value
    return nested


def _refuse_unknown_environment(environment: Mapping[str, str]) -> None:
    """Refuse a ``ZEROPIT_X__Y`` that is no setting."""
    sections = _sections()
    for variable in environment:
        if not (variable.upper().startswith("ZEROPIT_") and "__" in variable):
            continue
        section, _, key = variable[len("ZEROPIT_") :].lower().partition("__")
        if section not in sections or key not in sections[section].model_fields:
            raise SettingsError(f"expected ZEROPIT_<SECTION>__<KEY> of a known setting, was {variable}")


def _first_problem(error: ValidationError) -> str:
    """Say the first thing that is wrong as "key: expected X, was Y"."""
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        model = _sections().get(str(problem["loc"][0])) if len(problem["loc"]) > 1 else Settings
        known = ", ".join(model.model_fields) if model else ""
        return f"expected a known setting ({known}), was {key!r}"
    expected = problem["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"{key}: expected {expected[:1].lower()}{expected[1:]}, was {problem['input']!r}"


def _filled_in(found: Settings) -> Settings:
    """Return plain settings with the two folders put into the values that name them."""
    folders = {"{data_dir}": str(found.venue.data_dir), "{run_dir}": str(found.venue.run_dir)}

    def filled(value: object) -> object:
        if isinstance(value, str):
            for placeholder, folder in folders.items():
                value = value.replace(placeholder, folder)
        return value

    sections: dict[str, Any] = {}
    for name in Settings.model_fields:
        section: BaseModel = getattr(found, name)
        update = {key: filled(getattr(section, key)) for key in type(section).model_fields}
        sections[name] = section.model_copy(update=update)
    return Settings.model_construct(**sections)


def _check_endpoints(settings: Settings) -> None:
    """Refuse ipc paths that the system cannot bind, and internal sockets that anyone could reach."""
    curve = settings.curve.model_dump()
    if any(curve.values()) and not all(curve.values()):
        empty = next(key for key, value in curve.items() if not value)
        raise SettingsError(f"curve.{empty}: expected all four curve settings or none, was ''")
    for key in Endpoints.model_fields:
        endpoint: str = getattr(settings.endpoints, key)
        if endpoint.startswith("ipc://") and len(endpoint.encode()) - len("ipc://") > IPC_PATH_BYTES_MAX:
            raise SettingsError(
                f"endpoints.{key}: expected a path of at most {IPC_PATH_BYTES_MAX} bytes, was {endpoint!r}"
            )
        if key in INTERNAL and endpoint.startswith("tcp://") and not all(curve.values()):
            raise SettingsError(
                f"endpoints.{key}: expected ipc, or tcp with the curve section set, was {endpoint!r}"
            )


def _check_limits(settings: Settings) -> None:
    """Refuse limits that contradict each other: the events of an order's fills must fit its transaction."""
    events_max, fills_max = settings.engine.events_per_transaction_max, settings.engine.fills_per_order_max
    if 4 * fills_max + 8 > events_max:
        raise SettingsError(
            "engine.fills_per_order_max: expected four times it and 8 within events_per_transaction_max"
            f" ({events_max}), was {fills_max}"
        )


def main(argv: Sequence[str]) -> int:
    """Print the reference page (``--markdown``)."""
    if list(argv) != ["--markdown"]:
        print("usage: python -m bus.settings --markdown", file=sys.stderr)
        return 2
    print(markdown(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
