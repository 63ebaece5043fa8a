"""Answers from committed state, given between batches.

Invariant: a query changes nothing and sees only whole batches, so ``seq`` says exactly as of when; every
answer is bounded by a page. An image is taken at once and handed out page by page, so that all its pages
are as of one seq.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from bus.codec import encode_event
from bus.commands import OrderType, Side, TimeInForce
from bus.errors import Code, FormError, error_for
from bus.events import AssetCreated, TradeKind

from . import checks
from .accounts import Account
from .book import Market, Order
from .exchange import Exchange
from .state import RULES_VERSION, Refusal

Row = tuple[Any, ...]


class Queries:
    """Answers queries about an exchange.

    Parameters
    ----------
    page_entries_max
        Rows of one answer or image page.
    images_max, image_ttl_ns
        Images held at a time, and how long one that is not read is held.
    facts
        Further facts for ``status`` (journal policy, start time).
    """

    def __init__(
        self,
        exchange: Exchange,
        page_entries_max: int,
        images_max: int,
        image_ttl_ns: int,
        facts: Callable[[], dict[str, object]],
    ) -> None:
        self._exchange = exchange
        self._page_entries_max = page_entries_max
        self._images_max = images_max
        self._image_ttl_ns = image_ttl_ns
        self._facts = facts
        self._images: dict[int, tuple[int, int, list[Row]]] = {}
        self._last_image_id = 0
        self._queries: dict[str, tuple[Callable[..., Any], tuple[type, ...]]] = {
            "status": (self._status, ()),
            "assets": (self._assets, ()),
            "markets": (self._markets, ()),
            "keys": (self._keys, ()),
            "accounts": (self._accounts, (str, int)),
            "balances": (self._balances, (str,)),
            "order": (self._order, (str, str, int, str)),
            "answer": (self._answer, (str, str)),
            "open_orders": (self._open_orders, (str, str, int, int)),
            "account_image": (self._account_image, (str,)),
            "positions": (self._positions, (str, str, int)),
            "outcome_markets": (self._outcome_markets, ()),
            "limits": (self._limits, (str,)),
            "totals": (self._totals, ()),
        }

    def answer(self, query: str, args: tuple[Any, ...], now_ns: int) -> tuple[int, Any]:
        """Return ``(seq, result)``: the state as of ``seq``.

        Raises
        ------
        ZeropitError
            UNSUPPORTED_TYPE, MISSING_FIELD, UNSUPPORTED_FIELD or WRONG_TYPE for a query that is not one;
            UNKNOWN_… for what does not exist; IMAGE_GONE.
        """
        seq = self._exchange.next_seq - 1
        try:
            if query == "image":
                what, argument = _checked(args, (str, str))
                return seq, self._begin_image(what, argument, seq, now_ns)
            if query == "image_page":
                image_id, page = _checked(args, (int, int))
                return self._image_page(image_id, page, now_ns)
            known = self._queries.get(query)
            if known is None:
                raise FormError(Code.UNSUPPORTED_TYPE, f"expected a query of the engine, was {query!r:.80}")
            return seq, known[0](*_checked(args, known[1]))
        except Refusal as refusal:
            raise error_for(refusal.code, refusal.detail) from None

    def _status(self) -> dict[str, object]:
        state = self._exchange.state
        return {
            "epoch": state.epoch,
            "rules_version": RULES_VERSION,
            "seq": state.next_seq - 1,
            "markets": len(state.markets),
            "accounts": len(state.accounts),
            "orders": len(state.orders),
            "jobs": len(state.jobs),
            **self._facts(),
        }

    def _assets(self) -> list[Row]:
        return [encode_event(AssetCreated(*item)) for item in self._exchange.state.assets.items()]

    def _markets(self) -> list[Row]:
        return [
            (
                encode_event(m.spec), m.state, m.market_seq, m.last_trade_id, m.last_price_ticks,
                int(m.matching), m.first_share_ppm, m.band_ppm, m.indicated,
            )
            for m in self._exchange.state.markets.values()
        ]  # fmt: skip

    def _keys(self) -> list[Row]:
        return [encode_event(key) for key in self._exchange.state.keys.values()]

    def _accounts(self, after: str, limit: int) -> list[Row]:
        accounts = self._exchange.state.accounts
        names = sorted(name for name in accounts if name > after)
        return [
            (name, accounts[name].state, accounts[name].seq) for name in islice(names, self._bounded(limit))
        ]

    def _balances(self, name: str) -> Row:
        account = self._exchange.state.account(name)
        return (account.seq, _balance_rows(account))

    def _order(self, name: str, market: str, order_id: int, client_order_id: str) -> Row:
        state = self._exchange.state
        account = state.account(name)
        if not order_id:
            kept = account.ids.get(client_order_id)
            order_id = kept.order_id if kept is not None else 0
        order = state.orders.get(order_id)
        if order is None or order.account is not account or (market and order.market.name != market):
            named = client_order_id or order_id
            raise Refusal(Code.UNKNOWN_ORDER, f"expected an open order of {name}, was {named}")
        return _order_row(order)

    def _answer(self, name: str, command_id: str) -> Row:
        kept = self._exchange.state.account(name).ids.get(command_id)
        if kept is None:
            raise Refusal(Code.UNKNOWN_ORDER, f"expected an id that is kept for {name}, was {command_id}")
        return kept.answer

    def _open_orders(self, name: str, market: str, after_order_id: int, limit: int) -> Row:
        account = self._exchange.state.account(name)
        if market:
            self._exchange.state.market(market)
        orders = (o for o in _orders_by_id(account, market) if o.order_id > after_order_id)
        return (account.seq, [_order_row(o) for o in islice(orders, self._bounded(limit))])

    def _positions(self, name: str, after: str, limit: int) -> Row:
        account = self._exchange.state.account(name)
        markets = sorted(market for market in account.positions if market > after)
        rows = [
            (
                market, position.held_atoms, position.need_atoms - position.held_atoms, position.results(),
                position.worst_results(),
            )
            for market in islice(markets, self._bounded(limit))
            for position in (account.positions[market],)
        ]  # fmt: skip
        return (account.seq, rows)

    def _outcome_markets(self) -> list[Row]:
        return [
            (
                encode_event(outcome.spec), outcome.books[0].state, outcome.in_play, outcome.bet_delay_ns,
                [name for at, name in enumerate(outcome.runners) if at not in outcome.live], outcome.runners,
                [
                    (book, int(TradeKind.IMPLIED if outcome.has_implied else TradeKind.CROSS), side, *offer)
                    for (book, side), offer in outcome.offered.items()
                ],
            )
            for outcome in self._exchange.state.outcome_markets.values()
        ]  # fmt: skip

    def _limits(self, name: str) -> Row:
        account = self._exchange.state.account(name)
        limits = [
            (market, one.order_lots_max, one.order_atoms_max, one.open_orders_max, one.position_max)
            for market, one in sorted((account.limits or {}).items())
        ]
        group = account.family if not account.family.startswith("\0") else ""
        terms = (account.unfunded, account.fee_tier, int(account.prevention), group)
        return (account.seq, terms, limits)

    def _account_image(self, name: str) -> Row:
        account = self._exchange.state.account(name)
        if account.open_orders > self._page_entries_max:
            raise FormError(
                Code.OUT_OF_RANGE,
                f"expected at most {self._page_entries_max} open orders in one answer (use image),"
                f" was {account.open_orders}",
            )
        return (account.seq, _balance_rows(account), [_order_row(o) for o in _orders_by_id(account, "")])

    def _totals(self) -> list[Row]:
        return [(asset, *sums) for asset, sums in checks.totals(self._exchange.state).items()]

    def _begin_image(self, what: str, argument: str, seq: int, now_ns: int) -> Row:
        if what == "book":
            pages = self._book_pages(self._exchange.state.market(argument))
        elif what == "account":
            pages = self._account_pages(self._exchange.state.account(argument))
        else:
            raise FormError(Code.OUT_OF_RANGE, f"expected an image of book or account, was {what!r:.40}")
        images = self._images
        for image_id in [i for i, held in images.items() if now_ns - held[1] > self._image_ttl_ns]:
            del images[image_id]
        self._last_image_id += 1
        if len(pages) > 1:
            if len(images) >= self._images_max:
                del images[next(iter(images))]
            images[self._last_image_id] = (seq, now_ns, pages)
        return (self._last_image_id, len(pages), pages[0])

    def _image_page(self, image_id: int, page: int, now_ns: int) -> tuple[int, Row]:
        held = self._images.get(image_id)
        if held is None or not 0 <= page < len(held[2]):
            raise error_for(Code.IMAGE_GONE, f"expected an image that is held, was {image_id} page {page}")
        self._images[image_id] = (held[0], now_ns, held[2])
        return held[0], held[2][page]

    def _book_pages(self, market: Market) -> list[Row]:
        levels = (
            (int(side), level.price_ticks, level.lots, level.count)
            for side, half in ((Side.BUY, market.bids), (Side.SELL, market.asks))
            for level in half.levels()
        )
        return [(market.market_seq, block) for block in self._blocks(levels)]

    def _account_pages(self, account: Account) -> list[Row]:
        blocks = self._blocks(_order_row(order) for order in _orders_by_id(account, ""))
        return [
            (account.seq, _balance_rows(account) if not page else [], block)
            for page, block in enumerate(blocks)
        ]

    def _blocks(self, rows: Iterator[Row]) -> list[list[Row]]:
        blocks = [list(islice(rows, self._page_entries_max))]
        while block := list(islice(rows, self._page_entries_max)):
            blocks.append(block)
        return blocks

    def _bounded(self, limit: int) -> int:
        return max(0, min(limit, self._page_entries_max))


def _orders_by_id(account: Account, market: str) -> Iterator[Order]:
    chains = [chain for name, chain in account.chains.items() if not market or name == market]
    return iter(sorted((o for chain in chains for o in chain), key=lambda order: order.order_id))


def _balance_rows(account: Account) -> list[Row]:
    return [(asset, balance.available, balance.held) for asset, balance in account.balances.items()]


def _order_row(order: Order) -> Row:
    terms = order.terms
    kind, time_in_force = int(OrderType.LIMIT), int(TimeInForce.GTC)
    display_lots = trigger = trigger_ticks = expires_ns = waits = 0
    group = ""
    if terms is not None:
        kind, time_in_force, display_lots = terms.order_type, terms.time_in_force, terms.display_lots
        trigger, trigger_ticks = terms.trigger, terms.trigger_ticks
        expires_ns, waits = terms.expires_ns, terms.waits
        group = terms.group.name if terms.group is not None else ""
    return (
        order.order_id, order.client_order_id, order.account.name, order.market.name, int(order.side),
        kind, time_in_force, order.post_only, order.price_ticks, order.qty_lots, order.filled_lots,
        order.total_left, order.held_atoms, order.accepted_ns, display_lots, trigger, trigger_ticks,
        expires_ns, waits, group,
    )  # fmt: skip


def _checked(args: tuple[Any, ...], kinds: tuple[type, ...]) -> tuple[Any, ...]:
    if len(args) < len(kinds):
        raise FormError(Code.MISSING_FIELD, f"expected {len(kinds)} arguments, was {len(args)}")
    if len(args) > len(kinds):
        raise FormError(Code.UNSUPPORTED_FIELD, f"expected {len(kinds)} arguments, was {len(args)}")
    for value, kind in zip(args, kinds, strict=True):
        if type(value) is not kind:
            raise FormError(Code.WRONG_TYPE, f"expected {kind.__name__}, was {value!r:.80}")
    return args
