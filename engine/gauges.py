"""The engine's metrics; docs/reference/metrics.md lists them.

Invariant: a batch costs a handful of additions, whatever its size.
"""

from prometheus_client import CollectorRegistry

from bus.commands import COMMAND_CLASSES
from bus.errors import Code
from bus.metrics import SIZES, Meters

from .batch import Batch
from .exchange import Exchange
from .journal import Journal


class EngineMeters:
    """Counts what the engine does."""

    def __init__(self, registry: CollectorRegistry, journal: Journal, exchange: Exchange) -> None:
        meters = Meters(registry, "engine")
        state = exchange.state
        self.commands = meters.counts("commands_total", "Commands executed, by kind.", "kind")
        self.rejects = meters.counts("rejects_total", "Commands refused, by code.", "code")
        self.frames_dropped = meters.counter("frames_dropped_total", "Frames that were no commands frames.")
        self.queries = meters.counter("queries_total", "Queries answered.")
        self.batch_commands = meters.histogram("batch_commands", "Commands in a batch.", SIZES)
        self.execute_seconds = meters.histogram("execute_seconds", "Draining and executing a batch.")
        self.commit_seconds = meters.histogram("commit_seconds", "Journalling, syncing, publishing a batch.")
        self.clock_ahead = meters.gauge(
            "clock_ahead_seconds", "How far the stream's time is ahead of the clock."
        )
        meters.gauge("seq", "Last seq.", lambda: state.next_seq - 1)
        meters.gauge("epoch", "Epoch.", lambda: state.epoch)
        meters.gauge("open_orders", "Resting orders.", lambda: len(state.orders))
        meters.gauge("jobs", "Mass cancels under way.", lambda: len(state.jobs))
        meters.gauge(
            "journal_bytes", "Bytes appended to the journal since the start.", lambda: journal.appended_bytes
        )
        meters.gauge(
            "journal_unsynced_events",
            "Events not yet synced.",
            lambda: journal.last_seq - journal.durable_seq,
        )
        meters.gauge(
            "journal_segment_stalls",
            "Segments that had to be made in the loop because none was prepared.",
            lambda: journal.supply.stalls,
        )
        meters.gauge(
            "journal_supply_failing",
            "1 while the next segment cannot be prepared (disk full).",
            lambda: 1 if journal.supply.error else 0,
        )
        meters.info("journal_sync", "The journal's sync policy.", {"policy": journal.sync_policy})

    def batch(self, batch: Batch, began_ns: int, executed_ns: int, committed_ns: int) -> None:
        """Count a committed batch (times of a monotonic clock)."""
        for kind, count in batch.kinds.items():
            cls = COMMAND_CLASSES.get(kind)
            self.commands.add(cls.__name__ if cls is not None else "unknown", count)
        for code, count in batch.rejects.items():
            self.rejects.add(Code(code).name, count)
        self.batch_commands.observe(batch.commands)
        self.execute_seconds.observe((executed_ns - began_ns) / 1e9)
        self.commit_seconds.observe((committed_ns - executed_ns) / 1e9)

    def clock(self, ahead_ns: int) -> None:
        """Note how far the stream's time is ahead of the clock."""
        self.clock_ahead.value = max(0, ahead_ns) / 1e9
