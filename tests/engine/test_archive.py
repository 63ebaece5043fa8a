"""The archive over a real journal on a real disk: never beyond what is committed, whatever is asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bus import sockets
from bus.errors import Code
from bus.frames import Head, encode_events_frame
from bus.query import Asker
from bus.query_frames import Replay, Replayed, encode_replay
from bus.stream import Stream
from engine.archive import Replayer
from engine.disk import OsDisk
from tests.engine.writer import OTHER_VENUE, VENUE, Writer
from tests.poll import until
from tests.processes import Processes

CHUNK_BYTES = 4_096


@pytest.fixture
def writer(short_dir: Path) -> Iterator[Writer]:
    with Writer(short_dir / "journal") as made:
        yield made


@pytest.fixture
def replayer(writer: Writer) -> Iterator[Replayer]:
    made = Replayer(OsDisk(), str(writer.folder), chunk_bytes_max=CHUNK_BYTES, segments_open_max=2)
    yield made
    made.close()


def ask(replayer: Replayer, from_seq: int, venue_id: bytes = VENUE, bytes_max: int = 1 << 40) -> Replayed:
    return replayer.answer(Replay(7, venue_id, from_seq, bytes_max))


def replay_all(replayer: Replayer, from_seq: int = 1) -> list[bytes]:
    frames: list[bytes] = []
    heads: list[Head] = []
    while True:
        answer = ask(replayer, from_seq)
        assert answer.code == Code.OK, answer.detail
        if not answer.frames:
            return frames
        frames += answer.frames
        heads = [Writer.head_of(frame) for frame in answer.frames]
        assert heads[0].first_seq <= from_seq <= heads[0].last_seq
        from_seq = heads[-1].last_seq + 1


def test_what_the_stream_has_shown_is_replayed_byte_for_byte(writer: Writer, replayer: Replayer) -> None:
    published = [writer.write(events) for events in (1, 5, 300, 2, 40) * 20]
    replayer.hear(writer.head)
    assert replay_all(replayer) == published
    assert ask(replayer, 3).frames[0] == published[1]


def test_chunks_are_bounded_and_hold_at_least_one_batch(writer: Writer, replayer: Replayer) -> None:
    for _ in range(200):
        writer.write(3)
    large = writer.write(400)
    replayer.hear(writer.head)
    assert sum(map(len, ask(replayer, 1).frames)) <= CHUNK_BYTES
    assert len(ask(replayer, 1, bytes_max=1).frames) == 1
    assert len(large) > CHUNK_BYTES
    assert list(ask(replayer, writer.last_seq).frames) == [large]


def test_nothing_is_served_that_the_stream_has_not_shown(writer: Writer, replayer: Replayer) -> None:
    first = writer.write(3)
    replayer.hear(writer.head)
    writer.write(3, sync=False)
    assert replay_all(replayer) == [first]
    answer = ask(replayer, 4)
    assert (answer.code, answer.committed_seq, list(answer.frames)) == (Code.OK, 3, [])
    replayer.hear(writer.head)
    assert len(replay_all(replayer)) == 2


def test_with_the_engine_away_all_is_served_that_a_later_record_proves(
    writer: Writer, replayer: Replayer
) -> None:
    published = [writer.write(3) for _ in range(500)]
    assert replayer.head is None
    assert replay_all(replayer) == published[:-1]
    assert replayer.committed_seq == 3 * 499


def test_with_the_engine_away_unsynced_records_are_not_served(short_dir: Path) -> None:
    with Writer(short_dir / "journal", sync="none") as writer:
        for _ in range(10):
            writer.write(3)
        replayer = Replayer(OsDisk(), str(writer.folder), chunk_bytes_max=CHUNK_BYTES, segments_open_max=2)
        assert replay_all(replayer) == []
        replayer.hear(writer.head)
        assert len(replay_all(replayer)) == 10
        replayer.close()


def test_segments_made_while_reading_are_followed(writer: Writer, replayer: Replayer) -> None:
    published: list[bytes] = []
    seen: list[bytes] = []
    for _ in range(40):
        published += [writer.write(20) for _ in range(5)]
        replayer.hear(writer.head)
        seen += replay_all(replayer, writer.last_seq - 5 * 20 + 1)
    assert seen == published
    assert writer.journal.segments_made > 2
    assert replay_all(replayer) == published


def test_an_empty_journal_has_nothing_yet(short_dir: Path) -> None:
    replayer = Replayer(OsDisk(), str(short_dir / "none"), chunk_bytes_max=CHUNK_BYTES, segments_open_max=2)
    assert ask(replayer, 1) == Replayed(7, Code.OK, "", 0, [])
    replayer.close()


def test_another_venue_is_refused(writer: Writer, replayer: Replayer) -> None:
    writer.write(3)
    replayer.hear(writer.head)
    assert ask(replayer, 1, OTHER_VENUE).code == Code.STREAM_OTHER_VENUE


def test_a_stream_of_another_venue_shows_nothing(writer: Writer, replayer: Replayer) -> None:
    writer.write(3)
    replayer.hear(writer.head._replace(venue_id=OTHER_VENUE, last_seq=99))
    assert ask(replayer, 1).committed_seq == 0


def test_who_is_ahead_of_the_journal_has_seen_another_one(writer: Writer, replayer: Replayer) -> None:
    writer.write(3)
    replayer.hear(writer.head)
    assert ask(replayer, 4).code == Code.OK
    assert ask(replayer, 5).code == Code.STREAM_REWOUND


def test_who_heard_the_engine_sooner_than_the_archive_is_not_refused(
    writer: Writer, replayer: Replayer
) -> None:
    writer.write(3)
    replayer.hear(writer.head)
    writer.write(3)
    writer.write(3)
    assert ask(replayer, 8).code == Code.OK


def test_shown_events_that_the_journal_does_not_hold_are_said(writer: Writer, replayer: Replayer) -> None:
    writer.write(3)
    replayer.hear(writer.head._replace(last_seq=9))
    assert ask(replayer, 5).code == Code.JOURNAL_SEGMENT_MISSING


def test_a_new_epoch_is_read_anew(writer: Writer, replayer: Replayer) -> None:
    writer.write(3)
    replayer.hear(writer.head)
    replay_all(replayer)
    writer.restart()
    replayer.hear(writer.head)
    assert [Writer.head_of(frame).epoch for frame in replay_all(replayer)] == [1, 2]


# The process.


def test_a_consumer_joins_through_the_real_archive_while_the_journal_is_written(short_dir: Path) -> None:
    """Start with nothing, lose everything live for a while, kill the archive: every event arrives once."""
    with Processes(short_dir) as venue:
        settings = venue.settings()
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        folder = Path(settings.journal.dir)
        with Writer(folder, publish=(context, settings.endpoints.engine_stream)) as writer:
            for _ in range(50):
                writer.write(7)
            venue.start("archive")
            sub = sockets.connect(context, "SUB", settings.endpoints.engine_stream, topics=[b""])
            dealer = sockets.connect(context, "DEALER", settings.endpoints.archive, immediate=True)
            stream = Stream(sub, dealer, settings.stream, from_start=True)
            seqs: list[int] = []

            def caught_up() -> bool:
                writer.heartbeat()
                for applied in stream.poll():
                    seqs.extend(seq for seq, _event in applied.events())
                return stream.joined and seqs[-1:] == [writer.last_seq]

            until(caught_up, what="the first join")
            venue.kill("archive")
            sub.disconnect(settings.endpoints.engine_stream)
            for _ in range(50):
                writer.write(7)
            sub.connect(settings.endpoints.engine_stream)
            until(lambda: caught_up() or stream.lag_events, what="the gap to be noticed")
            venue.start("archive")
            until(caught_up, what="the repair")
            assert seqs == list(range(1, writer.last_seq + 1))
            assert (stream.gaps, stream.repairs) == (1, 1)
            stream.close()
        context.destroy(linger=0)


def test_garbage_is_answered_or_dropped_and_the_archive_lives(short_dir: Path) -> None:
    with Processes(short_dir) as venue:
        settings = venue.settings()
        folder = Path(settings.journal.dir)
        with Writer(folder) as writer:
            writer.write(3)
            writer.write(3)
        venue.start("archive")
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        dealer = sockets.connect(context, "DEALER", settings.endpoints.archive)
        whole = encode_replay(Replay(3, VENUE, 1, 1_000_000))
        for size in range(len(whole)):
            dealer.send(whole[:size])
        dealer.send_multipart([b"", whole])
        dealer.send(encode_events_frame(Head(VENUE, "engine-1", 1, 1, 0, 1), ()))
        dealer.send(whole[:1] + b"\x07" + whole[2:])
        asker = Asker(dealer, settings.stream)
        asker.replay(VENUE, 1, 1_000_000)
        replies = until(asker.poll, what="an answer")
        answer = replies[0].unwrap()
        assert isinstance(answer, Replayed)
        assert [Writer.head_of(frame).last_seq for frame in answer.frames] == [3]
        assert asker.strays > 0
        asker.close()
        context.destroy(linger=0)
