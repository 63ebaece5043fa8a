"""A football match: home, draw or away, from the first bets through two goals to the settlement.

Shows cross-matching (a house account joins bets on all three outcomes), the turn in-play with lapsing and
persisting bets, the bet delay, suspensions, a cash out, and commission on net winnings.
"""

from bus.errors import Rejected

from .bots import bet, odds_for
from .stage import ASSET, Stage

MARKET = "ARS-CHE"
RUNNERS = ("home", "draw", "away")
NEEDS = ("direct", "cross")


def play(stage: Stage) -> None:
    """Play the whole match."""
    operator = stage.operator
    for name in ("ann", "bob", "cat", "dan", "eve", "fay"):
        stage.add_bot(name, "2000")
    stage.add_account("house", "5000")
    operator.create_outcome_market(
        MARKET, ASSET, runners=RUNNERS, lot_size="0.01", qty_max="1000", commission_ppm=20_000, house="house",
        match_loss_max="0.50", house_loss_max="20",
    )  # fmt: skip
    for bot in stage.bots.values():
        bot.markets()
    stage.tell("Before the match: home 45 %, draw 28 %, away 27 %")
    bet(stage, MARKET, {"home": 450_000, "draw": 280_000, "away": 270_000}, 25)
    stage.positions(MARKET)
    stage.tell("fay offers enough for bob to close half of what he has")
    offer(stage, MARKET, "fay", {"home": 440_000, "draw": 270_000, "away": 260_000})
    cash_out(stage, MARKET, "bob", "0.5")
    stage.tell("Kick-off: bets that do not persist lapse; new ones that could match wait 0.2 s")
    operator.turn_in_play(MARKET, bet_delay_s=0.2)
    bet(stage, MARKET, {"home": 470_000, "draw": 290_000, "away": 240_000}, 6)
    _goal(stage, "1:0", {"home": 680_000, "draw": 210_000, "away": 110_000})
    _goal(stage, "1:1", {"home": 360_000, "draw": 400_000, "away": 240_000})
    _goal(stage, "2:1", {"home": 800_000, "draw": 170_000, "away": 30_000})
    stage.positions(MARKET)
    stage.tell("Final whistle: closed and settled, home wins")
    end(stage, MARKET, "home")


def _goal(stage: Stage, score: str, chances_ppm: dict[str, int]) -> None:
    """Suspend, cancel what rests, go on at new chances."""
    stage.tell(f"Goal, {score}: suspended, emptied, opened again")
    stage.operator.set_market_state(MARKET, "suspended")
    stage.operator.cancel_market(MARKET)
    stage.operator.set_market_state(MARKET, "open")
    bet(stage, MARKET, chances_ppm, 6)


def offer(stage: Stage, market: str, name: str, chances_ppm: dict[str, int]) -> None:
    """Let a bot back every runner with much, at odds that others may take."""
    for runner, chance in chances_ppm.items():
        stage.try_order(stage.bots[name], f"{market}:{runner}", "back", price=odds_for(chance, 0), qty="150")


def cash_out(stage: Stage, market: str, name: str, share: str) -> None:
    """Let a bot close a share of its position, or say why it cannot."""
    try:
        left = stage.bots[name].cash_out(market, share=share)
    except Rejected as refusal:
        stage.console.print(f"{name}: {refusal}")
    else:
        stage.console.print(f"{name} now has {left.results if left is not None else 'nothing'}")


def end(stage: Stage, market: str, *winners: str) -> None:
    """Close a market, wait until its books are empty, and settle it."""
    stage.operator.set_market_state(market, "closing")
    stage.venue.until(lambda: _state(stage, market) == "closed", "the market closed")
    stage.operator.settle(market, *winners)
    stage.venue.until(lambda: _state(stage, market) == "settled", "the market settled")


def _state(stage: Stage, market: str) -> str:
    return stage.operator.outcome_markets()[market].state
