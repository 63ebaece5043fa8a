"""Whatever the crash: a prefix of what was appended is found, with everything that was synced in it."""

import errno
import random
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.journal import Journal, JournalWriteFailed, SyncPolicy
from tests.engine.disk_faults import FaultyDisk, PowerLoss
from tests.engine.journals import Batch, append, open_journal, read_all

POLICIES: list[SyncPolicy] = ["always", "interval", "none"]


class Run:
    """A journal under accidents, and what must be true of it.

    ``safe`` counts the batches that were acknowledged as durable; ``batches`` are all that were tried.
    """

    def __init__(self, seed: int, policy: SyncPolicy) -> None:
        self.chance = random.Random(seed)
        self.policy: SyncPolicy = policy
        self.disk = FaultyDisk()
        self.batches: list[Batch] = []
        self.safe = 0
        self.journal: Journal = open_journal(self.disk, sync=policy)

    def work(self, turns: int) -> None:
        """Append, sync and prepare like an engine loop."""
        for _ in range(turns):
            size = self.chance.choice((0, 8, 100, 300, 300, 900, 5000))
            first_seq = self.journal.last_seq + 1
            events = self.chance.randint(1, 4)
            # Noted before: a write cut short by the crash may yet be whole on the disk.
            del self.batches[sum(1 for batch in self.batches if batch[0] < first_seq) :]
            self.batches.append(self._expected(first_seq, events, size))
            append(self.journal, size, events)
            if self.chance.random() < 0.8:
                self.journal.sync()
                self._note_safe()
            if self.chance.random() < 0.5:
                self.journal.prepare_step(idle=self.chance.random() < 0.5, bytes_max=2048)

    def recover(self, power_losses_max: int = 3) -> None:
        """Open again, several times if the power fails on the way, and check what is there."""
        for _ in range(self.chance.randint(0, power_losses_max)):
            self.disk.power_loss_after(self.chance.randint(0, 12))
            with suppress(PowerLoss):
                open_journal(self.disk, sync=self.policy)
            self.disk.crash(self.chance.randint(0, 1 << 30))
        self.journal = open_journal(self.disk, sync=self.policy)
        found = read_all(self.disk)
        assert found == self.batches[: len(found)]
        assert len(found) >= self.safe
        assert self.journal.last_seq == (found[-1][1] if found else 0)
        self.batches = found
        self.safe = len(found)

    def _note_safe(self) -> None:
        self.safe = sum(1 for batch in self.batches if batch[1] <= self.journal.durable_seq)

    @staticmethod
    def _expected(first_seq: int, events: int, size: int) -> Batch:
        commands = b"C%d " % first_seq + b"c" * (size // 2)
        payload = b"E%d " % first_seq + b"e" * (size - size // 2)
        return first_seq, first_seq + events - 1, commands, payload


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 32), policy=st.sampled_from(POLICIES))
def test_crashes_lose_nothing_that_was_synced(seed: int, policy: SyncPolicy) -> None:
    run = Run(seed, policy)
    for _ in range(4):
        # Mostly in the middle of a call: a roll to the next segment has a dozen of them.
        run.disk.power_loss_after(run.chance.choice((3, 10, 40, 80)))
        with suppress(PowerLoss):
            run.work(run.chance.randint(0, 25))
        run.disk.crash(run.chance.randint(0, 1 << 30))
        run.recover()
    assert run.safe == len(run.batches)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    policy=st.sampled_from(POLICIES),
    call=st.sampled_from(
        ["pwritev", "pwrite", "fdatasync", "rename", "fsync_folder", "preallocate", "create"]
    ),
    number=st.sampled_from([errno.EIO, errno.ENOSPC]),
)
def test_a_refusing_disk_loses_nothing_that_was_synced(
    seed: int, policy: SyncPolicy, call: str, number: int
) -> None:
    run = Run(seed, policy)
    run.work(run.chance.randint(0, 15))
    run.disk.fail(call, number, times=run.chance.randint(1, 3))
    with suppress(JournalWriteFailed):
        run.work(run.chance.randint(0, 25))
    with suppress(JournalWriteFailed):
        run.journal.close()
    run.disk.kill()
    run.disk.crash(run.chance.randint(0, 1 << 30))
    run.recover()
    run.work(5)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_a_kill_without_power_loss_loses_nothing_at_all(seed: int) -> None:
    run = Run(seed, "none")
    for _ in range(3):
        run.work(run.chance.randint(0, 20))
        run.safe = len(run.batches)
        run.disk.kill()
        run.recover(power_losses_max=0)
