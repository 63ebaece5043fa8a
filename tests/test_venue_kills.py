"""The whole venue, killed and starved while orders flow: nothing acknowledged is lost, doubled or reordered.

Each test ends with the demo's whole reconciliation: journal, answers, database, feed, books, balances and
the exchange alone.
"""

import time
from pathlib import Path
from random import Random

import pytest

from bus.fleet import MODULES
from bus.replay.flow import differing, flow_of
from bus.replay.player import Player
from scripts._demo.__main__ import EXPECTED_IDENTICAL, ROOT
from scripts._demo.fetch import fetch_capture
from tests.conftest import ALL
from tests.replays import MARKET, Killer, replaying, synthetic_steps

SEEDS = range(12) if ALL else range(3)
STEPS = 20_000


@pytest.mark.parametrize("seed", SEEDS)
def test_each_component_killed_at_a_random_moment_changes_nothing(short_dir: Path, seed: int) -> None:
    random = Random(seed)
    with replaying(short_dir, synthetic_steps(random, STEPS)) as replay:
        # The two that an order passes through are killed twice.
        components = [*MODULES, "engine", "gateway"]
        random.shuffle(components)
        killer = Killer(random, replay.venue, components, STEPS)
        with replay.client() as client:
            player = Player(client, MARKET, replay.accounts)
            player.play(replay.steps, killer.watch)
        killer.finish()
        compared = replay.compare(player)
    assert sorted(killer.killed) == sorted(components)
    # An engine that is killed again before it has begun leaves no epoch.
    epochs = compared.told.epochs
    assert epochs in ({1, 2}, {1, 2, 3})


def test_all_components_killed_at_once_change_nothing(short_dir: Path) -> None:
    random = Random(52)
    with replaying(short_dir, synthetic_steps(random, STEPS)) as replay:
        killer = Killer(random, replay.venue, list(MODULES), STEPS, at_once=True)
        with replay.client() as client:
            player = Player(client, MARKET, replay.accounts)
            player.play(replay.steps, killer.watch)
        killer.finish()
        replay.compare(player)


if ALL:

    @pytest.mark.parametrize("seed", range(4))
    def test_each_component_killed_while_the_whole_recording_is_played(short_dir: Path, seed: int) -> None:
        random = Random(seed)
        capture = fetch_capture(ROOT / "var" / "capture")
        steps = flow_of(capture).steps
        with replaying(short_dir, steps, accounts=50) as replay:
            components = [*MODULES, *MODULES]
            random.shuffle(components)
            killer = Killer(random, replay.venue, components, len(steps))
            with replay.client() as client:
                player = Player(client, MARKET, replay.accounts)
                player.play(replay.steps, killer.watch)
            killer.finish()
            compared = replay.compare(player)
        identical, _lines = differing(compared.trades, capture.trades)
        assert identical == EXPECTED_IDENTICAL


def test_a_recorder_that_was_stopped_for_the_whole_replay_ends_with_every_row(short_dir: Path) -> None:
    steps = synthetic_steps(Random(50), STEPS)
    with replaying(short_dir, steps, without=["recorder"]) as replay:
        with replay.client() as client:
            player = Player(client, MARKET, replay.accounts)
            player.play(replay.steps)
        replay.venue.start("recorder")
        replay.compare(player)


def test_a_client_that_sends_everything_twice_changes_nothing(short_dir: Path) -> None:
    steps = synthetic_steps(Random(51), STEPS // 2)
    with replaying(short_dir, steps) as replay:
        until_ns = time.time_ns() + 55 * 10**9
        with replay.client() as client:
            player = Player(client, MARKET, replay.accounts, times=2, until_ns=until_ns)
            player.play(replay.steps)
        # And once more from the beginning, by another session.
        with replay.client() as client:
            again = Player(client, MARKET, replay.accounts, until_ns=until_ns)
            again.play(replay.steps)
        compared = replay.compare(player)
    assert player.contradictions == []
    assert again.outcomes == player.outcomes
    assert compared.told.counts["CommandRepeated"] == 2 * len(steps)
