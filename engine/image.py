"""The whole state as plain data and back: what a snapshot file holds.

Invariant: ``restore(dump(state))`` gives a state that answers every later command as the first one would:
queues keep their order, orders their places, ids their answers. The form has its own version; another
version is refused, never guessed.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from bus.codec import check_command, decode_event, encode_event, pack, unpack
from bus.errors import Code, FormError, JournalError
from bus.events import KeyCreated, MarketCreated

from . import auction, groups, mass, openings, outcome_rows, pairs, risk, rules, runners, settling, waiting
from .accounts import Account, Balance, Chain, Kept
from .book import Market, Order, Terms
from .jobs import Job
from .state import Limits, State

IMAGE_VERSION = 2
_CHUNK_ROWS = 10_000


def dump(state: State) -> Iterator[bytes]:
    """Yield the state as chunks of MessagePack, each at most some 10,000 rows; O(state)."""
    head = (
        IMAGE_VERSION, state.now_ns, state.next_seq, state.epoch, state.limits.as_wire(),
        tuple(state.assets.items()), tuple(state.issued.items()),
        tuple((*key, *at) for key, at in state.links.items()),
        tuple(encode_event(key) for key in state.keys.values()),
    )  # fmt: skip
    yield pack(("head", (head,)))
    yield from _rows("market", map(_market_row, state.books))
    yield from _rows("account", map(_account_row, state.accounts.values()))
    markets = state.outcome_markets.values()
    yield from _rows("outcome", map(outcome_rows.outcome_row, markets))
    yield from _rows("group", map(groups.group_row, _groups(state)))
    for market in state.books:
        for half in (market.bids, market.asks):
            yield from _rows("order", map(_order_row, half.orders()))
        if market.stops is not None:
            yield from _rows("waiting", map(_order_row, market.stops.orders.values()))
    yield from _rows("pair", sorted(map(pairs.pair_row, _pairs(state))))
    yield from _rows("position", (outcome_rows.position_row(p) for m in markets for p in m.positions))
    yield from _rows("bet", (outcome_rows.bet_row(m.name, bet) for m in markets for bet in m.bets))
    yield from _rows("queued", map(_kept_row, state.due_ids.in_order()))
    lingering = (a.ids[command_id] for a in state.accounts.values() for command_id in a.lingering)
    yield from _rows("lingering", map(_kept_row, lingering))
    yield from _rows("batch", ((*key, rows) for key, rows in state.batch_outcomes.items()))
    trips = ((g.account.name, g.name, g.account.groups.get(g.name) is g) for g in state.trips)
    yield from _rows("trip", trips)
    yield from _rows("triggered", map(waiting.queue_row, state.triggered.values()))
    yield from _rows(
        "late", ((n, o, due_ns) for n, late in state.overdue.items() for o, due_ns in late.items())
    )
    yield from _rows("timer", iter(state.timers.rows()))
    yield from _rows("job", ((_JOB_NUMBERS[type(job)], *job.row()) for job in state.jobs))
    yield pack(("end", ()))


def restore(chunks: Iterable[bytes]) -> State:
    """Return the state that `dump` wrote.

    Raises
    ------
    JournalError
        SNAPSHOT_INVALID when the form is not this version's or something is missing.
    """
    state, ended = State(Limits()), False
    chained: list[Order] = []
    try:
        for chunk in chunks:
            kind, rows = unpack(chunk)
            if kind == "head":
                _restore_head(state, rows[0])
            elif kind == "end":
                ended = True
            elif kind == "order":
                chained.extend(_restore_order(state, row) for row in rows)
            elif kind == "waiting":
                chained.extend(_restore_waiting(state, row) for row in rows)
            else:
                restore_row = _RESTORERS[kind]
                for row in rows:
                    restore_row(state, row)
    except (FormError, KeyError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise _invalid(f"chunks of version {IMAGE_VERSION}", repr(error)) from error
    if not ended or not state.now_ns:
        raise _invalid("a head and an end mark", "incomplete")
    for order in sorted(chained, key=lambda order: order.order_id):
        chain = order.account.chains[order.market.name]
        chain.add(order)
        chain.change(order.side, order.total_left)
    outcome_rows.restore_shortfalls(state)
    return state


def _rows(kind: str, rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    iterator = iter(rows)
    while block := tuple(islice(iterator, _CHUNK_ROWS)):
        yield pack((kind, block))


def _invalid(expected: str, was: str) -> JournalError:
    return JournalError(Code.SNAPSHOT_INVALID, f"expected a state image with {expected}, was {was}")


def _restore_head(state: State, head: tuple[Any, ...]) -> None:
    version, now_ns, next_seq, epoch, limits, assets, issued, links, keys = head
    if version != IMAGE_VERSION:
        raise _invalid(f"version {IMAGE_VERSION}", str(version))
    state.now_ns, state.next_seq, state.epoch, state.limits = now_ns, next_seq, epoch, Limits(*limits)
    state.fills_max = state.limits.fills_per_order_max
    state.assets.update(assets)
    state.issued.update(issued)
    for gateway, lane, link, number in links:
        state.links[(gateway, lane)] = (link, number)
    for row in keys:
        key = decode_event(row)
        assert isinstance(key, KeyCreated)
        state.keys[key.key_id] = key


def _market_row(market: Market) -> tuple[Any, ...]:
    return (
        encode_event(market.spec), market.state, market.busy, market.market_seq, market.last_trade_id,
        market.last_price_ticks, market.gathering, market.indicated, rules.market_row(market),
    )  # fmt: skip


def _restore_market(state: State, row: tuple[Any, ...]) -> None:
    spec = decode_event(row[0])
    assert isinstance(spec, MarketCreated)
    market = Market(spec)
    _, market_state, busy, market.market_seq, market.last_trade_id, market.last_price_ticks = row[:6]
    market.gathering, market.indicated = row[6:8]
    rules.restore_market(market, row[8])
    market.mark(state=market_state, busy=busy)
    state.add_book(market)


def _account_row(account: Account) -> tuple[Any, ...]:
    return (
        account.name, account.state, account.busy, account.seq,
        tuple((asset, b.available, b.held) for asset, b in account.balances.items()),
        tuple(account.chains), account.unfunded, account.fee_tier, account.prevention, account.family,
        risk.limits_rows(account), account.cancel_after_ns, tuple(account.net_lots.items()),
    )  # fmt: skip


def _restore_account(state: State, row: tuple[Any, ...]) -> None:
    name, account_state, busy, seq, balances, chains = row[:6]
    account = state.accounts.setdefault(name, Account(name))
    account.mark(state=account_state, busy=busy)
    account.seq = seq
    account.balances = {asset: Balance(available, held) for asset, available, held in balances}
    account.chains = {market: Chain() for market in chains}
    account.unfunded, account.fee_tier, account.prevention, account.family = row[6:10]
    risk.restore_limits(account, row[10])
    account.cancel_after_ns = row[11]
    account.net_lots = dict(row[12])


def _groups(state: State) -> Iterator[groups.Group]:
    for account in state.accounts.values():
        yield from account.groups.values()


def _pairs(state: State) -> Iterator[pairs.Pair]:
    for order in state.orders.values():
        pair = order.terms.pair if order.terms is not None else None
        if pair is not None and pair.first is order:
            yield pair


def _order_row(order: Order) -> tuple[Any, ...]:
    return (
        order.order_id, order.client_order_id, order.account.name, order.market.name, order.side,
        order.post_only, order.price_ticks, order.qty_lots, order.left_lots, order.accepted_ns,
        _terms_row(order.terms) if order.terms is not None else None,
    )  # fmt: skip


def _terms_row(terms: Terms) -> tuple[Any, ...]:
    group = terms.group.name if terms.group is not None and terms.group.lots_max else ""
    return (
        terms.order_type, terms.time_in_force, terms.display_lots, terms.hidden_lots, terms.min_lots,
        terms.trigger, terms.trigger_ticks, terms.trail_ticks, terms.expires_ns, terms.prevention,
        terms.persists, terms.waits, terms.budget_atoms, terms.best_ticks, group,
    )  # fmt: skip


def _new_order(state: State, row: tuple[Any, ...]) -> Order:
    order_id, client_order_id, account, market, side, post_only, price, qty, left, accepted_ns, extra = row
    owner, book = state.accounts[account], state.markets[market]
    order = Order(order_id, client_order_id, owner, book, side, post_only, price, qty, accepted_ns)
    order.left_lots = left
    if extra is not None:
        terms = order.terms = Terms(extra[0], extra[1])
        terms.display_lots, terms.hidden_lots, terms.min_lots, terms.trigger = extra[2:6]
        terms.trigger_ticks, terms.trail_ticks, terms.expires_ns, terms.prevention = extra[6:10]
        terms.persists, terms.waits, terms.budget_atoms, terms.best_ticks = extra[10:14]
        terms.group = owner.groups[extra[14]] if extra[14] else None
    owner.open_orders += 1
    state.orders[order_id] = order
    return order


def _restore_order(state: State, row: tuple[Any, ...]) -> Order:
    order = _new_order(state, row)
    order.market.half(order.side).add(order)
    return order


def _restore_waiting(state: State, row: tuple[Any, ...]) -> Order:
    order = _new_order(state, row)
    waiting.restore_order(state, order)
    return order


def _kept_row(kept: Kept) -> tuple[Any, ...]:
    return (kept.account.name, kept.fields, *kept.answer)


def _restore_kept(state: State, row: tuple[Any, ...]) -> Kept:
    name, fields, *answer = row
    account = state.accounts[name]
    kept = Kept(account, check_command(fields), *_answer(answer))
    account.ids[fields[1]] = kept
    return kept


def _answer(answer: list[Any]) -> tuple[int, int, int, int, int, str]:
    code, seq, order_id, filled, left, detail = answer
    return code, seq, order_id, filled, left, detail


def _restore_queued(state: State, row: tuple[Any, ...]) -> None:
    kept = _restore_kept(state, row)
    state.due_ids.add(kept, kept.fields[3])


def _restore_lingering(state: State, row: tuple[Any, ...]) -> None:
    kept = _restore_kept(state, row)
    kept.account.lingering[kept.fields[1]] = None


def _restore_batch(state: State, row: tuple[Any, ...]) -> None:
    account, command_id, rows = row
    state.batch_outcomes[(account, command_id)] = rows


def _restore_trip(state: State, row: tuple[str, str, bool]) -> None:
    """Let the mass cancel of a tripped group be still to come, also of one that was removed since."""
    name, group_name, is_kept = row
    account = state.accounts[name]
    state.trips.append(account.groups[group_name] if is_kept else groups.Group(account, group_name, 0, 0))


def _restore_late(state: State, row: tuple[int, int, int]) -> None:
    number, order_id, due_ns = row
    state.overdue.setdefault(number, {})[order_id] = due_ns


def _restore_timer(state: State, row: tuple[int, int, int | str]) -> None:
    state.timers.set(*row)


def _restore_job(state: State, row: tuple[Any, ...]) -> None:
    state.jobs.append(_JOBS[row[0]][1](state, row[1:]))


_JOBS: dict[int, tuple[type[Job], Callable[[State, tuple[Any, ...]], Job]]] = {
    1: (mass.MassCancel, mass.restore_mass_cancel),
    2: (openings.Closing, openings.restore_closing),
    3: (auction.Uncross, auction.restore_uncross),
    4: (settling.Settlement, settling.restore_settlement),
    5: (settling.Undoing, settling.restore_undoing),
    6: (runners.Adding, runners.restore_adding),
    7: (runners.Removal, runners.restore_removal),
}
_JOB_NUMBERS: dict[type[Job], int] = {cls: number for number, (cls, _) in _JOBS.items()}

_RESTORERS: dict[str, Callable[[State, Any], object]] = {
    "market": _restore_market,
    "account": _restore_account,
    "outcome": outcome_rows.restore_outcome,
    "group": groups.restore_group,
    "pair": pairs.restore_pair,
    "position": outcome_rows.restore_position,
    "bet": outcome_rows.restore_bet,
    "queued": _restore_queued,
    "lingering": _restore_lingering,
    "batch": _restore_batch,
    "trip": _restore_trip,
    "triggered": waiting.restore_queue,
    "late": _restore_late,
    "timer": _restore_timer,
    "job": _restore_job,
}
