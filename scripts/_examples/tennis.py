"""A tennis match of two runners, from the first bets through a voided minute to the settlement.

Shows implied matching (backing one is laying the other), the turn in-play without delay, a cash out in-play,
trades made void by time, and an account that met both books.
"""

import time

from .bots import bet
from .football import cash_out, end, offer
from .stage import ASSET, Stage

MARKET = "final"
RUNNERS = ("anna", "bella")
NEEDS = ("direct", "implied")


def play(stage: Stage) -> None:
    """Play the whole match."""
    operator = stage.operator
    for name in ("ann", "bob", "cat", "dan", "eve", "fay"):
        stage.add_bot(name, "2000")
    operator.create_outcome_market(
        MARKET, ASSET, runners=RUNNERS, lot_size="0.01", qty_max="1000", commission_ppm=20_000
    )
    for bot in stage.bots.values():
        bot.markets()
    stage.tell("Before the match: anna 55 %")
    bet(stage, MARKET, {"anna": 550_000, "bella": 450_000}, 25)
    stage.positions(MARKET)
    stage.tell("First point: in-play, without delay")
    operator.turn_in_play(MARKET)
    bet(stage, MARKET, {"anna": 600_000, "bella": 400_000}, 8)
    stage.tell("eve offers enough for cat to close a third of what she has")
    offer(stage, MARKET, "eve", {"anna": 590_000, "bella": 390_000})
    cash_out(stage, MARKET, "cat", "0.333333")
    stage.tell("A wrong score was shown: what was traded meanwhile is void")
    began_ns = time.time_ns()
    bet(stage, MARKET, {"anna": 200_000, "bella": 800_000}, 4)
    operator.set_market_state(MARKET, "suspended")
    operator.cancel_market(MARKET)
    operator.void_trades(MARKET, began_ns, time.time_ns())
    stage.positions(MARKET)
    operator.set_market_state(MARKET, "open")
    stage.tell("The match goes on: anna 75 %")
    bet(stage, MARKET, {"anna": 750_000, "bella": 250_000}, 10)
    stage.positions(MARKET)
    stage.tell("Game, set and match: closed and settled, anna wins")
    end(stage, MARKET, "anna")
