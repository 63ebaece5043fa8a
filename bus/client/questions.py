"""Questions: markets, balances, open orders, what became of an id; answered from committed state.

Invariant: what is long is fetched in bounded pages.
"""

from typing import Any

from ..commands import MarketModel, MarketState, MatchingRule
from ..units import format_units
from .calls import Calls, call
from .pending import CommandAnswer
from .rows import AccountRules, Balance, Market, OpenOrder, OrderRow, OutcomeMarket, Position
from .turns import Steps

PAGE_ORDERS = 1_000


class Questions(Calls):
    """The calls that change nothing; ``account``: whose (default: the key's first account)."""

    @call
    def order(
        self, market: str, *, order_id: int = 0, client_order_id: str = "", account: str | None = None
    ) -> Steps[OpenOrder]:
        """Return an open order.

        Raises
        ------
        Rejected
            UNKNOWN_ORDER when it is not open (any longer); `answer_of` may still tell what became of it.
        """
        units = yield from self._units(market)
        row = yield from self._order_row(market, (order_id, client_order_id), account)
        return OpenOrder.of(row, units)

    @call
    def answer_of(self, command_id: str, *, account: str | None = None) -> Steps[CommandAnswer]:
        """Return the answer kept under an id (``client_order_id`` or ``command_id``).

        Ids are kept until their ``valid_until``, and while the order is open. UNKNOWN_ORDER: not executed
        so far, or forgotten.
        """
        kept = yield from self._query("answer", (account or self.account, command_id))
        code, seq, order_id, filled_lots, left_lots, detail = kept[:6]
        return CommandAnswer(code, seq, order_id, filled_lots, left_lots, detail, True)

    @call
    def open_orders(self, market: str = "", *, account: str | None = None) -> Steps[list[OpenOrder]]:
        """Return the account's open orders by order id (fetched in pages)."""
        found: list[OpenOrder] = []
        after = 0
        while True:
            args = (account or self.account, market, after, PAGE_ORDERS)
            result = yield from self._query("open_orders", args)
            for wire_row in result[1]:
                row = OrderRow.of(wire_row)
                found.append(OpenOrder.of(row, (yield from self._units(row.market))))
                after = row.order_id
            if not result[1]:
                return found

    @call
    def balances(self, account: str | None = None) -> Steps[dict[str, Balance]]:
        """Return the account's balances by asset."""
        result = yield from self._query("balances", (account or self.account,))
        found = {}
        for asset, available, held, *_ in result[1]:
            if asset not in self._decimals:
                yield from self._load_markets()
            decimals = self._decimals[asset]
            texts = (format_units(available, decimals), format_units(held, decimals))
            found[asset] = Balance(asset, *texts, available, held)
        return found

    @call
    def markets(self) -> Steps[dict[str, Market]]:
        """Return all markets by name, as they are now."""
        rows = yield from self._load_markets()
        found = {}
        for created, state, market_seq, last_trade_id, last_ticks, *rules in rows:
            units = self.units[created[1]]
            price = units.price(last_ticks) if last_trade_id else None
            found[created[1]] = Market(
                created[1],
                created[2],
                created[3],
                units.tick_size,
                units.lot_size,
                state == 1,
                market_seq,
                last_trade_id,
                price,
                units,
                MarketState(state).name.lower(),
                MarketModel(units.market.model).name.lower(),
                units.market.outcome_market,
                *_rules(rules),
            )
        return found

    @call
    def outcome_markets(self) -> Steps[dict[str, OutcomeMarket]]:
        """Return all binary and odds markets by name, as they are now."""
        return (yield from self._outcome_markets())

    @call
    def positions(self, account: str | None = None) -> Steps[list[Position]]:
        """Return the account's positions in outcome markets that are not settled, by market."""
        return (yield from self._positions(account))

    @call
    def limits(self, account: str | None = None) -> Steps[AccountRules]:
        """Return what the operator has set for the account: its terms, and its limits by market."""
        result = yield from self._query("limits", (account or self.account,))
        return AccountRules.of(result)

    @call
    def query(self, name: str, *args: object) -> Steps[Any]:
        """Ask one of the engine's queries (wire: QUERY) and return its raw result."""
        return (yield from self._query(name, args))


def _rules(rules: list[Any]) -> tuple[str, int, int]:
    """Return matching rule, first share and price band of a market row."""
    matching, first_share_ppm, band_ppm = rules[:3] if len(rules) >= 3 else (1, 0, 0)
    return MatchingRule(matching).name.lower(), first_share_ppm, band_ppm
