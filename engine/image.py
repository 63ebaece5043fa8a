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

from .accounts import Account, Balance, Chain, Kept
from .book import Market, Order
from .state import Job, Limits, State

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
    yield from _rows("market", map(_market_row, state.markets.values()))
    yield from _rows("account", map(_account_row, state.accounts.values()))
    yield from _rows("job", map(_job_row, state.jobs))
    for market in state.markets.values():
        for half in (market.bids, market.asks):
            yield from _rows("order", map(_order_row, half.orders()))
    queued = state.due_ids.in_order()
    yield from _rows("queued", map(_kept_row, queued))
    lingering = (a.ids[command_id] for a in state.accounts.values() for command_id in a.lingering)
    yield from _rows("lingering", map(_kept_row, lingering))
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
            else:
                restore_row = _RESTORERS[kind]
                for row in rows:
                    restore_row(state, row)
    except (FormError, KeyError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise _invalid(f"chunks of version {IMAGE_VERSION}", repr(error)) from error
    if not ended or not state.now_ns:
        raise _invalid("a head and an end mark", "incomplete")
    for order in sorted(chained, key=lambda order: order.order_id):
        order.account.chains[order.market.name].add(order)
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
        market.last_price_ticks,
    )  # fmt: skip


def _restore_market(state: State, row: tuple[Any, ...]) -> None:
    spec = decode_event(row[0])
    assert isinstance(spec, MarketCreated)
    market = Market(spec)
    _, market_state, busy, market.market_seq, market.last_trade_id, market.last_price_ticks = row
    market.mark(state=market_state, busy=busy)
    state.add_book(market)


def _account_row(account: Account) -> tuple[Any, ...]:
    return (
        account.name, account.state, account.busy, account.seq,
        tuple((asset, b.available, b.held) for asset, b in account.balances.items()),
        tuple(account.chains),
    )  # fmt: skip


def _restore_account(state: State, row: tuple[Any, ...]) -> None:
    name, account_state, busy, seq, balances, chains = row
    account = state.accounts.setdefault(name, Account(name))
    account.mark(state=account_state, busy=busy)
    account.seq = seq
    account.balances = {asset: Balance(available, held) for asset, available, held in balances}
    account.chains = {market: Chain() for market in chains}


def _order_row(order: Order) -> tuple[Any, ...]:
    return (
        order.order_id, order.client_order_id, order.account.name, order.market.name, order.side,
        order.post_only, order.price_ticks, order.qty_lots, order.left_lots, order.accepted_ns,
    )  # fmt: skip


def _restore_order(state: State, row: tuple[Any, ...]) -> Order:
    order_id, client_order_id, account, market, side, post_only, price, qty, left, accepted_ns = row
    owner, book = state.accounts[account], state.markets[market]
    order = Order(order_id, client_order_id, owner, book, side, post_only, price, qty, accepted_ns)
    order.left_lots = left
    book.half(side).add(order)
    owner.open_orders += 1
    state.orders[order_id] = order
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


def _job_row(job: Job) -> tuple[Any, ...]:
    account = job.account.name if job.account is not None else ""
    market = job.market.name if job.market is not None else ""
    return (job.owner, job.command_id, account, market, job.reason, job.orders)


def _restore_job(state: State, row: tuple[Any, ...]) -> None:
    owner, command_id, account, market, reason, orders = row
    job = Job(
        owner,
        command_id,
        state.accounts[account] if account else None,
        state.markets[market] if market else None,
        reason,
    )
    job.orders = orders
    state.jobs.append(job)


_RESTORERS: dict[str, Callable[[State, tuple[Any, ...]], None]] = {
    "market": _restore_market,
    "account": _restore_account,
    "job": _restore_job,
    "queued": _restore_queued,
    "lingering": _restore_lingering,
}
