"""Trades that count otherwise from some event on: those of a removed runner, and voided ones.

Invariant: a revision changes the trades before its own seq alone, and a market's positions are made anew from
all its trades; so the tables are the same wherever the stream was cut into batches.
"""

from collections.abc import Iterator

from bus.commands import MarketModel, Side

from .arrays import bigints, texts
from .batch import Batch
from .sql import Statement

_VOID_RUNNER = """
UPDATE trades SET void = true FROM unnest(%b::text[], %b::text[], %b::bigint[]) AS new (market, name, seq)
WHERE trades.market = new.market || ':' || new.name AND trades.seq < new.seq"""
# Winnings are a lot's odds less 1.00; they are cut to whole ones trade by trade.
_REDUCE = """
UPDATE trades SET value_ticks = 100 * qty_lots
    + div((value_ticks - 100 * qty_lots)::numeric * (1000000 - new.reduction_ppm), 1000000)::bigint
FROM unnest(%b::text[], %b::bigint[], %b::bigint[]) AS new (market, seq, reduction_ppm)
WHERE trades.market IN (SELECT market FROM markets WHERE outcome_market = new.market)
AND trades.seq < new.seq AND NOT trades.void"""
_VOID_TIME = """
UPDATE trades SET void = true
FROM unnest(%b::text[], %b::bigint[], %b::bigint[], %b::bigint[]) AS new (market, seq, from_ns, to_ns)
WHERE trades.market IN (SELECT market FROM markets WHERE outcome_market = new.market)
AND trades.seq < new.seq AND trades.time_ns >= new.from_ns AND trades.time_ns < new.to_ns"""
_DROP_POSITIONS = "DELETE FROM positions WHERE outcome_market = ANY (%b::text[])"
# The buyer is the taker or, where the taker sells and in an auction, in the maker's place. Who backs sells.
_MAKE_POSITIONS = f"""
INSERT INTO positions (account, outcome_market, market, lots, value_ticks, updated_seq)
SELECT account, outcome_market, market, sum(sign * qty_lots), sum(sign * value_ticks), max(seq)
FROM (
    SELECT t.*, m.outcome_market, side.account,
           CASE WHEN (side.buys = (m.model = {MarketModel.BINARY.value})) THEN 1 ELSE -1 END AS sign
    FROM markets AS m JOIN trades AS t ON t.market = m.market AND NOT t.void
    CROSS JOIN LATERAL (VALUES (t.taker_account, t.taker_side = {Side.BUY.value}),
                               (t.maker_account, t.taker_side <> {Side.BUY.value})) AS side (account, buys)
    WHERE m.outcome_market = ANY (%b::text[])
) AS bets GROUP BY account, outcome_market, market"""


def revisions_of(batch: Batch) -> Iterator[Statement]:
    """Yield what makes trades count otherwise, in order, and the positions of their markets anew."""
    if not batch.revisions:
        return
    for one in batch.revisions:
        market, seq = texts([one.market]), bigints([one.seq])
        if not one.runner:
            times = (bigints([one.from_ns]), bigints([one.to_ns]))
            yield Statement(_VOID_TIME, (market, seq, *times))
            continue
        yield Statement(_VOID_RUNNER, (market, texts([one.runner]), seq))
        if one.reduction_ppm:
            yield Statement(_REDUCE, (market, seq, bigints([one.reduction_ppm])))
    revised = texts(list(dict.fromkeys(one.market for one in batch.revisions)))
    yield Statement(_DROP_POSITIONS, (revised,))
    yield Statement(_MAKE_POSITIONS, (revised,))
