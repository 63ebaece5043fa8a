"""The reference page of the command line, made from the commands themselves: ``python -m scripts._cli``.

Invariant: what a command's ``--help`` says is what the page says.
"""

from collections.abc import Iterator

import click

import zeropit

HEAD = """# Command line

Made by `python -m scripts._cli`. `zeropit COMMAND --help` says the same. A command that fails prints one
line (`error: CODE: expected X, was Y`, see [errors](errors.md)) and exits with 1; with wrong settings or
wrong usage with 2; a defect of ours with 70. `--json` prints one JSON object a line.

## Components

`zeropit engine`, `zeropit archive`, `zeropit gateway`, `zeropit recorder` and `zeropit feed` each run one
component in the foreground until SIGTERM or Ctrl-C, the same as `python -m engine`,
`python -m engine.archive` and so on. All take `--config FILE` and `--set section.key=value` (see
[settings](settings.md)). Exit codes: 0 stopped in order, 1 a known failure, 2 wrong settings, 70 a defect.

## Examples

A deposit that may be repeated after `OUTCOME_UNKNOWN`: under one id it is made once, and after the id's time
(some 15 s) not at all (`EXPIRED`).

```sh
id=$(zeropit admin id)
zeropit admin deposit demo-1 USD 100 --id "$id"
```

Rules of a market, terms and limits of an account; what is not named stays as it is:

```sh
zeropit admin market rules BTC-USD --band-ppm 50000
zeropit admin market fee-tier BTC-USD 1 --maker-fee-ppm -100 --taker-fee-ppm 500
zeropit admin account set-terms demo-1 --fee-tier 1 --prevention cancel_maker
zeropit admin account set-limits demo-1 --market BTC-USD --open-orders-max 50
```

An odds market from its creation to its settlement:

```sh
zeropit admin outcome create race anna bella cleo --asset USD \\
    --lot-size 0.01 --qty-max 1000 --commission-ppm 20000
zeropit admin outcome in-play race --bet-delay 5
zeropit admin account positions demo-1
zeropit admin market state race closing
zeropit admin outcome settle race anna
```
"""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield ("zeropit admin market list", the command) of everything but the components, in order."""
    context = click.Context(zeropit.cli)
    for name in zeropit.COMMANDS:
        command = zeropit.cli.get_command(context, name)
        assert command is not None
        yield from _below(f"zeropit {name}", command)


def _below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from _below(f"{path} {name}", child)


def page() -> str:
    """Return the page."""
    lines = [HEAD]
    for path, command in commands():
        depth = min(len(path.split()), 4)
        lines += [f"{'#' * depth} {path}", "", *_described(path, command)]
    return "\n".join(lines)


def _described(path: str, command: click.Command) -> Iterator[str]:
    """Yield the lines about one command: what it does, its usage, its options."""
    yield " ".join((command.help or "").replace("\b", "").split())
    yield ""
    context = click.Context(command, info_name=path)
    if not isinstance(command, click.Group):
        yield f"`{' '.join([path, *command.collect_usage_pieces(context)])}`"
        yield ""
    records = [
        record
        for parameter in command.params
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context))
    ]
    if records:
        yield "| option | what it does |"
        yield "|---|---|"
        for names, text in records:
            names, text = names.replace("|", "\\|"), text.replace("|", "\\|")
            yield f"| `{names}` | {text} |"
        yield ""


if __name__ == "__main__":
    print(page(), end="")
