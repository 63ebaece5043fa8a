"""The command ``zeropit``: one name for everything that can be started, looked at or administered.

Invariant: this module knows where commands live and nothing else; a command's code is imported only when
it is called, so ``zeropit engine`` loads the engine alone. No traceback reaches the terminal.
"""

import importlib
import os
import runpy
import sys

import click

from bus.errors import SettingsError, ZeropitError

COMPONENTS = {
    "engine": "engine",
    "archive": "engine.archive",
    "gateway": "gateway",
    "recorder": "recorder",
    "feed": "feed",
}
"""Components by command: ``zeropit engine`` is ``python -m engine``."""

COMMANDS = {
    "up": "bus.fleet:up",
    "status": "bus.fleet:status",
    "journal": "engine.cli:journal",
    "admin": "bus.admin.commands:admin",
    "book": "feed.terminal:book",
    "replay": "bus.replay.command:replay",
}
"""Other commands: the module and the click command in it."""


class Commands(click.Group):
    """A group that imports a command only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, components first."""
        return [*COMPONENTS, *COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name in COMPONENTS:
            return _component(cmd_name, COMPONENTS[cmd_name])
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


def _component(name: str, module: str) -> click.Command:
    """Return the command that runs a component's module, arguments untouched."""

    @click.command(
        name,
        help=f"Run the {name} until stopped (the same as python -m {module}).",
        context_settings={"ignore_unknown_options": True, "help_option_names": []},
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        sys.argv = [f"zeropit {name}", *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zeropit")
def cli() -> None:
    """Zeropit, a trading venue of small processes on a ZeroMQ bus."""


def main() -> None:
    """Run the command line; a known error is one line and exit code 1 (2 for settings)."""
    try:
        cli.main(prog_name="zeropit")
    except SettingsError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except ZeropitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        if os.environ.get("ZEROPIT_TRACEBACK"):
            raise
        click.echo(f"internal error: {error!r} (ZEROPIT_TRACEBACK=1 shows where)", err=True)
        sys.exit(70)


if __name__ == "__main__":
    main()
