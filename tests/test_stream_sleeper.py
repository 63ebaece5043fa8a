"""A subscriber that sleeps, with high-water marks of 1, against the real engine and archive."""

from pathlib import Path
from random import Random

from bus.replay.player import Player
from bus.service import Host
from bus.stream import Stream
from tests.poll import until
from tests.replays import MARKET, replaying, synthetic_steps

STEPS = 20_000
NAP_EVERY = 8_000


def test_a_subscriber_with_high_water_marks_of_1_that_sleeps_ends_with_every_event(short_dir: Path) -> None:
    steps = synthetic_steps(Random(60), STEPS)
    without = ["recorder", "feed"]
    with replaying(short_dir, steps, "engine.stream_hwm=1", without=without) as replay:
        host = Host("archive", replay.venue.settings())
        stream = Stream.connect(host, from_start=True, rcvhwm=1)
        seqs: list[int] = []

        def wake() -> bool:
            for applied in stream.poll():
                seqs.extend(seq for seq, _event in applied.events())
            return stream.joined

        until(wake, 60.0, "the stream joined")
        naps = 0

        def nap(answered: int) -> None:
            # Looks at the stream for a moment now and then and sleeps through the rest.
            nonlocal naps
            if answered >= (naps + 1) * NAP_EVERY:
                naps += 1
                wake()

        with replay.client() as client:
            player = Player(client, MARKET, replay.accounts)
            player.play(replay.steps, nap)
        last_seq = int(replay.admin.query("status")["seq"])

        def has_all() -> bool:
            wake()
            return bool(seqs) and seqs[-1] >= last_seq

        until(has_all, 60.0, "every event")
        stream.close()
        host.close()
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) >= STEPS
    assert stream.replayed > 0 and stream.gaps >= 1 and stream.gaps == stream.repairs
