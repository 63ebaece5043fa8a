"""What history tells of money: balances and their changes, statements, positions, settlements.

Invariant: a statement's changes add up to the balance that it names after each of them, to the atom. Pure:
arguments in, SQL out.
"""

from bus.commands import INT_MAX

from .batch import Row
from .page import Page


def balance_changes(account: str, asset: str, after_seq: int, limit: int) -> Page:
    """Ask for every change of a balance."""
    return Page(
        "SELECT seq, time_ns, event, asset, available_atoms, held_atoms FROM balance_changes "
        "WHERE account = %b AND asset = %b AND seq > %b ORDER BY seq LIMIT %b",
        (account, asset, after_seq, limit),
    )


def balances(account: str, after_asset: str, limit: int) -> Page:
    """Ask for balances by asset."""
    return Page(
        "SELECT asset, available_atoms, held_atoms, updated_seq, changes FROM balances "
        "WHERE account = %b AND asset > %b ORDER BY asset LIMIT %b",
        (account, after_asset, limit),
        lambda row: (row[0], int(row[1]), int(row[2]), *row[3:]),
    )


def statement(account: str, asset: str, after_seq: int, limit: int) -> Page:
    """Ask for every change of a balance, why, and what it was afterwards; oldest first."""
    return _statement_page((account, asset), "seq > %b", "ASC", after_seq, limit)


def last_statement(account: str, asset: str, before_seq: int, limit: int) -> Page:
    """Ask as `statement` does, for the newest before a seq."""
    return _statement_page((account, asset), "seq < %b", "DESC", before_seq or INT_MAX, limit)


_STATEMENT = """
WITH page AS (
    SELECT * FROM balance_changes WHERE account = %b AND asset = %b AND {where} ORDER BY seq {order} LIMIT %b
), mark AS MATERIALIZED (
    SELECT seq, available_atoms, held_atoms FROM balance_marks
    WHERE account = %b AND asset = %b AND seq < (SELECT min(seq) FROM page) ORDER BY seq DESC LIMIT 1
), since AS MATERIALIZED (
    SELECT coalesce(sum(available_atoms), 0) AS available, coalesce(sum(held_atoms), 0) AS held
    FROM balance_changes WHERE account = %b AND asset = %b
    AND seq > coalesce((SELECT seq FROM mark), 0) AND seq < (SELECT min(seq) FROM page)
), opening AS MATERIALIZED (
    SELECT since.available + coalesce((SELECT available_atoms FROM mark), 0) AS available,
           since.held + coalesce((SELECT held_atoms FROM mark), 0) AS held FROM since
)
SELECT c.seq, c.time_ns, c.event, c.available_atoms, c.held_atoms,
       opening.available + sum(c.available_atoms) OVER so_far, opening.held + sum(c.held_atoms) OVER so_far,
       coalesce(e.market, s.market, x.market, ''), c.order_id, coalesce(e.trade_id, 0),
       coalesce(e.price_ticks, 0), coalesce(e.qty_lots, 0),
       coalesce(e.fee_atoms, s.commission_atoms, 0), coalesce(e.reason, 0)
FROM opening CROSS JOIN page AS c
LEFT JOIN order_events AS e ON e.order_id = c.order_id AND e.seq = c.seq AND e.time = c.time
LEFT JOIN settlements AS s ON c.event = 50 AND s.seq = c.seq
LEFT JOIN exposure_changes AS x ON c.event = 49 AND x.account = c.account AND x.seq = c.seq
WINDOW so_far AS (ORDER BY c.seq) ORDER BY c.seq {order}"""


def _statement_page(whose: tuple[str, str], where: str, order: str, seq: int, limit: int) -> Page:
    """Return a page of a statement: its changes, what they belong to, and the balance after each.

    The balance before the page is that of the last mark, and the changes since.
    """
    return Page(
        _STATEMENT.format(where=where, order=order),
        (*whose, seq, limit, *whose, *whose),
        _statement_row,
        order == "DESC",
    )


def _statement_row(row: Row) -> Row:
    """Turn the balances, which are numeric in the database, into integers."""
    return (*row[:5], int(row[5]), int(row[6]), *row[7:])


def positions(account: str, after_market: str, limit: int) -> Page:
    """Ask for positions in outcome markets and what they give in each outcome."""
    return Page(
        "SELECT p.outcome_market, o.model, o.asset, o.state, array_agg(p.name ORDER BY p.runner), "
        "array_agg(p.lots ORDER BY p.runner), array_agg(p.value_ticks ORDER BY p.runner), "
        "array_agg(p.result_atoms ORDER BY p.runner) FROM position_results AS p "
        "JOIN outcome_markets AS o ON o.market = p.outcome_market "
        "WHERE p.account = %b AND p.outcome_market IN (SELECT DISTINCT outcome_market FROM positions "
        "WHERE account = %b AND outcome_market > %b ORDER BY outcome_market LIMIT %b) "
        "GROUP BY p.outcome_market, o.model, o.asset, o.state ORDER BY p.outcome_market",
        (account, account, after_market, limit),
        lambda row: (*row[:5], *(tuple(map(int, column)) for column in row[5:])),
    )


def settlements(account: str, after_seq: int, limit: int) -> Page:
    """Ask how positions were settled."""
    return Page(
        "SELECT seq, time_ns, market, released_atoms, net_atoms, commission_atoms FROM settlements "
        "WHERE account = %b AND seq > %b ORDER BY seq LIMIT %b",
        (account, after_seq, limit),
    )


def cash_outs(account: str, after_seq: int, limit: int) -> Page:
    """Ask for positions that were closed by a share."""
    return Page(
        "SELECT seq, time_ns, market, command_id, share_ppm, before_atoms, after_atoms FROM cash_outs "
        "WHERE account = %b AND seq > %b ORDER BY seq LIMIT %b",
        (account, after_seq, limit),
    )


def outcome_markets(after_market: str, limit: int) -> Page:
    """Ask for outcome markets with their runners and how they ended."""
    runners = ", ".join(
        f"array_agg(r.{column} ORDER BY r.runner)"
        for column in ("runner", "name", "book", "removed", "reduction_ppm", "winner")
    )
    return Page(
        "SELECT o.market, o.model, o.asset, o.state, o.in_play, o.bet_delay_ns, o.lot_atoms, o.unit_atoms, "
        "o.commission_ppm, o.house, o.settled_seq, o.settled_ns, o.settled_accounts, o.dust_atoms, "
        f"{runners} FROM (SELECT * FROM outcome_markets WHERE market > %b ORDER BY market LIMIT %b) AS o "
        "JOIN runners AS r ON r.market = o.market GROUP BY o.market, o.model, o.asset, o.state, o.in_play, "
        "o.bet_delay_ns, o.lot_atoms, o.unit_atoms, o.commission_ppm, o.house, o.settled_seq, o.settled_ns, "
        "o.settled_accounts, o.dust_atoms ORDER BY o.market",
        (after_market, limit),
        lambda row: (*row[:14], tuple(zip(*row[14:], strict=True))),
    )
