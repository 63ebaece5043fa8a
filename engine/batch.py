"""One batch: frames of commands in, the bytes of one journal record out.

Invariant: the bytes published are the bytes journalled, and running the journalled commands again at the
journalled time from the state before them gives the same bytes; so the live engine and recovery run
this same code.
"""

from collections.abc import Sequence
from typing import Any, Final

from bus.codec import check_command, encode_command, pack, unpack
from bus.commands import INT_MAX, Command
from bus.errors import Code, JournalError
from bus.events import EVENT_NUMBERS, CommandRejected
from bus.frames import (
    CommandsFrame,
    EventsPacker,
    Head,
    decode_commands_frame,
    encode_commands_frame,
)

from .exchange import Exchange
from .state import Array

_REJECTED: Final = EVENT_NUMBERS[CommandRejected]

INTERNAL = 0
"""Gateway number of the engine's own commands (start, continue, seed)."""


class Batch:
    """Executes frames of commands at one time and collects what came of them.

    Parameters
    ----------
    exchange
        The exchange that executes.
    venue_id, engine
        For the stream's head.
    now_ns
        The time of all its commands.
    """

    __slots__ = ("_exchange", "_follow_ups", "_frames", "_packer", "commands", "engine", "first_seq", "kinds",
                 "now_ns", "rejects", "venue_id")  # fmt: skip

    def __init__(self, exchange: Exchange, venue_id: bytes, engine: str, now_ns: int) -> None:
        self._exchange = exchange
        self._frames: list[bytes] = []
        self._packer = EventsPacker()
        self.venue_id = venue_id
        self.engine = engine
        self.now_ns = now_ns
        self.first_seq = exchange.next_seq
        self.commands = 0
        self._follow_ups = 0
        self.kinds: dict[int, int] = {}
        self.rejects: dict[int, int] = {}

    @property
    def events(self) -> int:
        """Events so far."""
        return self._exchange.next_seq - self.first_seq

    @property
    def last_seq(self) -> int:
        """Seq of the last event so far."""
        return self._exchange.next_seq - 1

    def take(self, data: bytes, frame: CommandsFrame) -> None:
        """Execute a frame that came from a gateway; ``data`` are its bytes."""
        gateway, lane, link, number, items = frame
        state = self._exchange.state
        execute, now_ns = self._exchange.execute_linked_array, self.now_ns
        add, kinds = self._packer.add, self.kinds
        for session, request_id, fields in items:
            seq = state.next_seq
            events = execute(gateway, lane, link, number, fields, now_ns)
            number += 1
            add((seq, gateway, session, request_id, events))
            kind: Any = fields[0] if fields else 0
            if type(kind) is int:
                kinds[kind] = kinds.get(kind, 0) + 1
            if events[0][0] == _REJECTED:
                self._count_reject(events[0])
            if (state.trips or state.triggered) and self._exchange.may_follow:
                self._follow_up()
        self._frames.append(data)
        self.commands += len(items)

    def _follow_up(self) -> None:
        """Carry out what comes right behind a command, each step as a transaction of the engine's own."""
        exchange = self._exchange
        for _ in range(exchange.state.limits.follow_ups_per_command_max):
            seq = exchange.next_seq
            events = exchange.follow_up(self.now_ns)
            if events is None:
                break
            self._packer.add((seq, INTERNAL, 0, 0, events))
            self._follow_ups += 1
        exchange.end_follow_ups()

    def take_internal(self, command: Command) -> None:
        """Execute one of the engine's own commands."""
        fields = encode_command(command)
        self._run_internal(fields)
        frame = CommandsFrame(INTERNAL, 0, 0, 0, [(0, 0, fields)])
        self._frames.append(encode_commands_frame(frame))

    def _run_internal(self, fields: Array) -> None:
        seq = self._exchange.next_seq
        events = self._exchange.execute_array(fields, self.now_ns)
        self._packer.add((seq, INTERNAL, 0, 0, events))
        self.commands += 1
        if events[0][0] == _REJECTED:
            self._count_reject(events[0])

    def _count_reject(self, event: Array) -> None:
        code: int = event[3]
        self.rejects[code] = self.rejects.get(code, 0) + 1

    def take_again(self, data: bytes) -> None:
        """Execute a journalled frame."""
        frame = decode_commands_frame(data, INT_MAX)
        if frame.gateway != INTERNAL:
            self.take(data, frame)
            return
        for _, _, fields in frame.items:
            self._run_internal(check_command(fields))

    def commands_bytes(self) -> bytes:
        """Return the commands part of the record: the frames as received."""
        return pack(self._frames)

    def events_bytes(self) -> bytes:
        """Return the events part of the record, which is the frame to publish."""
        head = Head(
            self.venue_id, self.engine, self._exchange.state.epoch, self.first_seq, self.last_seq, self.now_ns
        )
        return self._packer.frame(head, self.commands + self._follow_ups)


def replay_record(
    exchange: Exchange, venue_id: bytes, engine: str, now_ns: int, commands: bytes | memoryview,
    events: bytes | memoryview,
) -> None:  # fmt: skip
    """Execute a journalled record again and compare the events byte for byte.

    Raises
    ------
    JournalError
        JOURNAL_REPLAY_DIFFERS, naming the first event that differs.
    """
    batch = Batch(exchange, venue_id, engine, now_ns)
    frames: Sequence[bytes] = unpack(commands)
    for data in frames:
        batch.take_again(data)
    executed = batch.events_bytes()
    if executed != events:
        raise JournalError(
            Code.JOURNAL_REPLAY_DIFFERS,
            "expected the journalled events from executing the journalled commands again, was different:"
            f" {_first_difference(bytes(events), executed)}",
        )


def _first_difference(journalled: bytes, executed: bytes) -> str:
    one, two = unpack(journalled), unpack(executed)
    if one[2:8] != two[2:8]:
        return f"head {one[2:8]} was executed as {two[2:8]}"
    for left, right in zip(one[8], two[8], strict=False):
        if left != right:
            for i, (a, b) in enumerate(zip(left[4], right[4], strict=False)):
                if a != b:
                    return f"seq {left[0] + i}: {a} was executed as {b}"
            return f"transaction at seq {left[0]}: {left} was executed as {right}"
    return "number of transactions"
