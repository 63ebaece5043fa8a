"""A binary market, "rain tomorrow": a call auction, continuous trading with stops and icebergs, settlement.

Shows that selling YES needs no YES, that bought and sold contracts free each other's funds at once, and what
every account has at the end.
"""

from bus.client import NewOrder

from .bots import trade
from .football import end
from .stage import ASSET, Stage

MARKET = "rain"
NEEDS = ("direct", "auction")


def play(stage: Stage) -> None:
    """Play the whole market."""
    operator = stage.operator
    for name in ("ann", "bob", "cat", "dan", "eve"):
        stage.add_bot(name, "500")
    operator.create_outcome_market(MARKET, ASSET, lot_size="1", qty_max="10000", commission_ppm=10_000)
    for bot in stage.bots.values():
        bot.markets()
    stage.tell("Orders gather; then one price for all that cross")
    operator.set_market_state(MARKET, "pre_open")
    trade(stage, MARKET, 400_000, 6)
    operator.set_market_state(MARKET, "open")
    stage.positions(MARKET)
    ann, bob = stage.bots["ann"], stage.bots["bob"]
    stage.tell("ann protects herself with a stop, bob offers much and shows little; clouds come up")
    stage.try_order(ann, MARKET, "buy", price="0.7500", qty="20", stop="0.6000")
    stage.try_order(bob, MARKET, "sell", price="0.5800", qty="100", display="10")
    for chance in (450_000, 500_000, 560_000, 620_000, 660_000):
        trade(stage, MARKET, chance, 6)
    stage.positions(MARKET)
    stage.tell("A pair for eve: sell at a profit, or at the market if it falls")
    pair = (
        NewOrder(MARKET, "sell", price="0.9500", qty="5"),
        NewOrder(MARKET, "sell", price="0.2000", qty="5", stop="0.4000"),
    )
    stage.bots["eve"].place_pair("oco", *pair)
    trade(stage, MARKET, 800_000, 6)
    stage.positions(MARKET)
    stage.tell("It rains: closed and settled, YES")
    end(stage, MARKET, "YES")
