"""The commands ``zeropit journal verify`` and ``zeropit journal inspect``.

Invariant: both only read, so they may run beside a live engine; `verify` exits with 1 if the next start
would refuse the journal or pass over a snapshot.
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bus.codec import decode_command, unpack
from bus.commands import INT_MAX, Command
from bus.errors import ZeropitError
from bus.events import Event
from bus.frames import decode_commands_frame, decode_events_frame
from bus.settings import load
from engine.disk import OsDisk
from engine.journal_report import JournalReport, Located, SegmentReport, inspect, verify
from engine.recovery import snapshots_folder

_config = click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML).")
_set = click.option(
    "--set", "overrides", multiple=True, metavar="section.key=value", help="Override a setting."
)
_dir = click.option("--dir", "folder", help="Journal folder (default: journal.dir of the settings).")


@click.group()
def journal() -> None:
    """Look at the engine's journal and snapshots."""


@journal.command("verify")
@_config
@_set
@_dir
def verify_command(config: Path | None, overrides: tuple[str, ...], folder: str | None) -> None:
    """Check every record, segment and snapshot; exit 1 if something is wrong."""
    folder = folder or load(config, overrides).journal.dir
    report = verify(OsDisk(), folder, snapshots_folder(folder))
    console = _console()
    console.print(_segment_table(report))
    if report.snapshots:
        console.print(_snapshot_table(report))
    click.echo(_summary(report))
    for problem in report.problems:
        click.echo(str(problem), err=True)
    if report.problems or not report.segments:
        sys.exit(1)


@journal.command("inspect")
@_config
@_set
@_dir
@click.option("--from-seq", default=1, show_default=True, help="Begin with the record that holds this seq.")
@click.option("--limit", default=20, show_default=True, help="Records to show.")
@click.option("--full", is_flag=True, help="Show every command and event, not only their number.")
def inspect_command(
    config: Path | None,
    overrides: tuple[str, ...],
    folder: str | None,
    from_seq: int,
    limit: int,
    full: bool,
) -> None:
    """Show records: where they lie, their seqs and time, what was ordered and what came of it."""
    folder = folder or load(config, overrides).journal.dir
    last_seq, shown = from_seq - 1, 0
    if full:
        for located in inspect(OsDisk(), folder, from_seq, limit):
            last_seq, shown = located.record.last_seq, shown + 1
            click.echo(f"{located.segment} byte {located.offset}, rules {located.record.rules_version}")
            for line in (*_command_lines(located), *_event_lines(located)):
                click.echo(f"  {line}")
        _say_end(last_seq, limit - shown)
        return
    table = _table(
        "segment", "offset >", "seq >", "last seq >", "time (UTC)", "rules >", "commands", "events"
    )
    for located in inspect(OsDisk(), folder, from_seq, limit):
        record = located.record
        last_seq, shown = record.last_seq, shown + 1
        table.add_row(
            located.segment.removesuffix(".journal").lstrip("0"),
            str(located.offset),
            str(record.first_seq),
            str(record.last_seq),
            _time(record.now_ns),
            str(record.rules_version),
            Text(_counted(_command_lines(located))),
            Text(_counted([line.split(" ", 1)[1] for line in _event_lines(located)])),
        )
    _console().print(table)
    _say_end(last_seq, limit - shown)


def _say_end(last_seq: int, missing: int) -> None:
    """Say that the records ended before the limit: reading alone cannot tell the end from damage there."""
    if missing > 0:
        click.echo(f"no record after seq {last_seq}: the end, or damage (zeropit journal verify)", err=True)


def _command_lines(located: Located) -> list[str]:
    """Return one line a command: gateway, link and number, then the command."""
    lines = []
    try:
        frames: Sequence[bytes] = unpack(located.record.commands)
        for data in frames:
            frame = decode_commands_frame(data, INT_MAX)
            for i, (_session, _request_id, fields) in enumerate(frame.items):
                lines.append(f"{_command(fields)} from {frame.gateway}/{frame.link}/{frame.first_number + i}")
    except (ZeropitError, TypeError) as error:
        lines.append(f"no frames of commands ({error})")
    return lines


def _command(fields: Sequence[object]) -> str:
    try:
        return _shown(decode_command(fields))
    except ZeropitError as error:
        return f"Malformed({error.code.name})"


def _shown(record: Command | Event) -> str:
    """Return a command or event as text; of keys and salts only the length."""
    values = zip(record._fields, record, strict=True)
    fields = (f"{name}=<{len(v)} bytes>" if isinstance(v, bytes) else f"{name}={v!r}" for name, v in values)
    return f"{type(record).__name__}({', '.join(fields)})"


def _event_lines(located: Located) -> list[str]:
    """Return one line an event: its seq, then the event."""
    try:
        frame = decode_events_frame(located.record.events)
        return [f"{seq} {_shown(event)}" for seq, event in frame.events_with_seq()]
    except (ZeropitError, TypeError) as error:
        return [f"- no frame of events ({error})"]


def _counted(lines: Sequence[str]) -> str:
    """Return how many lines begin with each name: ``3 OrderAccepted, 1 TradeExecuted``."""
    counts: dict[str, int] = {}
    for line in lines:
        name = line.partition("(")[0].strip()
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _segment_table(report: JournalReport) -> Table:
    table = _table("segment", "first seq >", "last seq >", "records >", "used >", "size >", "state")
    for segment in report.segments:
        end = segment.end
        table.add_row(
            segment.name,
            str(int(segment.name.partition(".")[0])),
            str(end.next_seq - 1) if end else "?",
            str(end.records) if end else "?",
            str(end.offset) if end else "?",
            str(segment.segment_bytes),
            Text(_state(segment)),
        )
    return table


def _state(segment: SegmentReport) -> str:
    if segment.problem is not None:
        return segment.problem.code.name
    return "full" if segment.end is not None and segment.end.sealed else "open"


def _snapshot_table(report: JournalReport) -> Table:
    table = _table("snapshot", "covers seq >", "payload bytes >", "state")
    for snapshot in report.snapshots:
        table.add_row(
            snapshot.name,
            str(snapshot.position.seq) if snapshot.position else "?",
            str(snapshot.payload_bytes),
            Text("valid" if snapshot.problem is None else snapshot.problem.code.name),
        )
    return table


def _summary(report: JournalReport) -> str:
    if not report.segments:
        return f"no journal in {report.folder}"
    parts = [
        f"venue {report.venue_id.hex()}, engine {report.engine}: {report.records} records up to seq "
        f"{report.last_seq}, {len(report.problems) or 'no'} problems"
    ]
    if report.tail is not None:
        tail = report.tail
        parts.append(
            f"an unfinished record at byte {tail.offset} of {tail.file} ({tail.size_bytes} bytes, "
            f"seq {tail.first_seq}): the next start cuts it"
        )
    return "\n".join(parts)


def _time(now_ns: int) -> str:
    whole, rest = divmod(now_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%d %H:%M:%S}.{rest:09d}"


def _table(*columns: str) -> Table:
    """Return a table; a column named with `` >`` holds numbers. Only commands and events may wrap."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        wraps = column in ("commands", "events")
        justify: Literal["left", "right"] = "right" if column.endswith(" >") else "left"
        table.add_column(column.removesuffix(" >"), justify=justify, no_wrap=not wraps)
    return table


def _console() -> Console:
    """Return a console that does not cut tables when the output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=200)
