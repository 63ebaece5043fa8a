"""From what is on disk to a running exchange: newest snapshot, then the journal executed again.

Invariant: the state after recovery is the state that wrote the journal, proven by comparing each event
byte for byte; anything else stops the start and says what was expected. Only after that does a new
epoch begin, with a journalled `StartEngine`.
"""

from dataclasses import dataclass

from bus.errors import Code, JournalError

from .batch import replay_record
from .disk import Disk
from .exchange import Exchange
from .image import dump, restore
from .journal import Journal, SyncPolicy
from .journal_reader import JournalReader
from .snapshots import Snapshot, SnapshotHead, newest_valid, write_snapshot
from .state import RULES_VERSION

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Recovered:
    """What recovery found: a locked journal, the exchange as of its end, and how it came about."""

    journal: Journal
    exchange: Exchange
    snapshot_seq: int
    records_executed: int
    problems: tuple[JournalError, ...]


def recover(
    disk: Disk,
    folder: str,
    *,
    engine: str,
    new_venue_id: bytes,
    now_ns: int,
    clock_behind_s_max: int,
    sync: SyncPolicy,
    sync_interval_ns: int,
    segment_bytes: int,
) -> Recovered:
    """Lock the journal, check it, and bring an exchange to its end; O(journal since the snapshot).

    Raises
    ------
    JournalError
        Locked, damaged, foreign; JOURNAL_REPLAY_DIFFERS; JOURNAL_OTHER_RULES; CLOCK_BEHIND.
    """
    search = newest_valid(disk, snapshots_folder(folder), engine=engine)
    found = search.found
    journal = Journal.open(
        disk, folder, engine=engine, new_venue_id=new_venue_id,
        venue_id=found.head.venue_id if found is not None else None,
        sync=sync, sync_interval_ns=sync_interval_ns, segment_bytes=segment_bytes,
        resume=found.head.position if found is not None else None,
    )  # fmt: skip
    try:
        exchange = _from_snapshot(found) if found is not None else Exchange()
        records = _execute_again(disk, folder, journal, exchange)
        behind_s = (exchange.state.now_ns - now_ns) / _SECOND_NS
        if behind_s > clock_behind_s_max:
            raise JournalError(
                Code.CLOCK_BEHIND,
                f"expected a clock at most {clock_behind_s_max} s behind the journal, was {behind_s:.1f} s"
                " behind: set the clock right and start again",
            )
    except BaseException:
        journal.close()
        raise
    return Recovered(journal, exchange, found.head.seq if found is not None else 0, records, search.problems)


def snapshots_folder(journal_folder: str) -> str:
    """Return the folder of the snapshots of a journal."""
    return f"{journal_folder}/snapshots"


def write_clean_snapshot(disk: Disk, folder: str, journal: Journal, exchange: Exchange, keep: int) -> str:
    """Write the snapshot of a clean stop; return its path.

    Raises
    ------
    JournalError
        It could not be written; the journal alone is enough to start again.
    """
    journal.flush()
    state, end = exchange.state, journal.position
    head = SnapshotHead(
        end.seq, end.chain, journal.venue_id, journal.engine, state.epoch, RULES_VERSION, state.now_ns
    )
    return write_snapshot(disk, snapshots_folder(folder), head, dump(state), keep=keep)


def _from_snapshot(snapshot: Snapshot) -> Exchange:
    exchange = Exchange(state=restore(snapshot.chunks()))
    if exchange.next_seq != snapshot.head.seq + 1:
        raise JournalError(
            Code.SNAPSHOT_INVALID,
            f"expected a state as of seq {snapshot.head.seq}, was {exchange.next_seq - 1} ({snapshot.path})",
        )
    return exchange


def _execute_again(disk: Disk, folder: str, journal: Journal, exchange: Exchange) -> int:
    """Execute every record behind the exchange's state and compare; return how many there were."""
    reader = JournalReader(disk, folder, venue_id=journal.venue_id, engine=journal.engine)
    count = 0
    try:
        if exchange.next_seq > journal.last_seq:
            return 0
        for record in reader.records(exchange.next_seq):
            if record.rules_version != RULES_VERSION:
                raise JournalError(
                    Code.JOURNAL_OTHER_RULES, _other_rules(record.rules_version, record.first_seq)
                )
            replay_record(
                exchange, journal.venue_id, journal.engine, record.now_ns, record.commands, record.events
            )
            count += 1
    finally:
        reader.close()
    if exchange.next_seq != journal.last_seq + 1:
        raise JournalError(
            Code.JOURNAL_REPLAY_DIFFERS,
            f"expected to end at seq {journal.last_seq}, was {exchange.next_seq - 1}",
        )
    return count


def _other_rules(version: int, seq: int) -> str:
    return (
        f"expected records of rules version {RULES_VERSION} behind the newest snapshot, was version"
        f" {version} at seq {seq}: start the release with rules version {version}, stop it in order (it"
        " writes a snapshot), then start this release"
    )
