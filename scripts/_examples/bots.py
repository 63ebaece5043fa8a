"""Bots that bet and trade on their own opinion of how likely each outcome is.

Invariant: what a bot sends depends on the stage's chance, the probabilities given and nothing else; no float
becomes a price or an amount.
"""

from collections.abc import Mapping

from engine import ladder

from .stage import Stage

PPM = 1_000_000


def odds_for(probability_ppm: int, edge_ppm: int) -> str:
    """Return odds of the ladder at or below the fair ones for a probability, moved by an edge."""
    probability = max(probability_ppm * (PPM - edge_ppm) // PPM, 1_000)
    ticks = ladder.floor(100 * PPM, probability) or ladder.LOWEST_TICKS
    return f"{ticks // 100}.{ticks % 100:02}"


def bet(stage: Stage, market: str, chances_ppm: Mapping[str, int], rounds: int) -> None:
    """Let the bots place bets: each backs a little above, or lays a little below, what it thinks is fair."""
    random = stage.random
    for _ in range(rounds):
        for bot in stage.bots.values():
            runner = random.choice(list(chances_ppm))
            opinion = chances_ppm[runner] * random.randrange(900_000, 1_100_000) // PPM
            side = random.choice(("back", "lay"))
            edge = random.randrange(-10_000, 40_000) * (1 if side == "back" else -1)
            stage.try_order(
                bot,
                f"{market}:{runner}",
                side,
                price=odds_for(min(opinion, 960_000), edge),
                qty=str(random.randrange(2, 40)),
                persists=random.random() < 0.4,
            )


def trade(stage: Stage, market: str, chance_ppm: int, rounds: int) -> None:
    """Let the bots buy and sell YES of a binary market around a probability."""
    random = stage.random
    for _ in range(rounds):
        for bot in stage.bots.values():
            side = random.choice(("buy", "sell"))
            opinion = chance_ppm + random.randrange(-30_000, 30_000)
            ticks = min(max(opinion // 100 + random.randrange(-150, 150), 1), 9_999)
            stage.try_order(bot, market, side, price=f"0.{ticks:04}", qty=str(random.randrange(1, 50)))
