"""Rules and terms that the operator sets: of markets (matching, band, fee tiers) and of accounts.

Invariant: a rebate is never above the taker fee of its own tier; an account whose balances must not be below
zero has none that is.
"""

from bus.commands import (
    MarketModel,
    MatchingRule,
    SetAccountLimits,
    SetAccountTerms,
    SetFeeTier,
    SetMarketRules,
)
from bus.errors import Code
from bus.events import AccountLimitsSet, AccountTermsSet, FeeTierSet, MarketRulesSet

from . import outcomes, states
from .accounts import Account
from .book import Market
from .risk import AccountLimits
from .state import Refusal, State
from .trading import Done

_NOTHING: Done = (0, 0, 0)


class Rules:
    """Carries out the commands that set rules and terms."""

    def __init__(self, state: State) -> None:
        self._state = state

    def set_market_rules(self, _: Account, command: SetMarketRules) -> Done:
        """Set how a market matches, and its price band; of an outcome market for all its books."""
        books = states.books(self._state, command.market)
        outcome = books[0].outcome
        if (
            command.matching == MatchingRule.PRO_RATA
            and outcome is not None
            and outcome.model == MarketModel.ODDS
            and outcome.created_runners == 2
        ):
            raise Refusal(
                Code.WRONG_MARKET_MODEL,
                f"expected a market without implied matching for PRO_RATA, was {command.market}",
            )
        for book in books:
            book.matching = command.matching
            book.first_share_ppm = command.first_share_ppm
            book.band_ppm = command.band_ppm
        self._state.emit(MarketRulesSet(*command[3:]))
        return _NOTHING

    def set_fee_tier(self, _: Account, command: SetFeeTier) -> Done:
        """Set the fees of a tier in a spot market."""
        book = states.books(self._state, command.market)[0]
        if book.model != MarketModel.SPOT:
            raise Refusal(Code.WRONG_MARKET_MODEL, f"expected a spot market, was {command.market}")
        if -command.maker_fee_ppm > command.taker_fee_ppm:
            raise Refusal(
                Code.INVALID_MARKET,
                f"expected a rebate of at most the tier's taker fee of {command.taker_fee_ppm} ppm,"
                f" was {-command.maker_fee_ppm}",
            )
        book.tiers[command.tier] = (command.maker_fee_ppm, command.taker_fee_ppm)
        self._state.emit(FeeTierSet(*command[3:]))
        return _NOTHING

    def set_account_terms(self, _: Account, command: SetAccountTerms) -> Done:
        """Set whether an account is funded, its fee tier and its self-trade prevention."""
        account = self._state.account(command.target_account)
        if account.unfunded and not command.unfunded:
            for asset, balance in account.balances.items():
                if balance.available < 0:
                    raise Refusal(
                        Code.INSUFFICIENT_FUNDS,
                        f"expected no balance below 0, was {balance.available} atoms of {asset}",
                    )
        account.unfunded = command.unfunded
        outcomes.mark_short(account, self._state)
        account.fee_tier = command.fee_tier
        account.prevention = command.prevention
        account.family = command.prevention_group or "\0" + account.name
        account.seq += 1
        self._state.emit(AccountTermsSet(account.name, account.seq, *command[4:]))
        return _NOTHING

    def set_account_limits(self, _: Account, command: SetAccountLimits) -> Done:
        """Set an account's limits in one market, or in all that have none of their own (all 0: remove)."""
        account = self._state.account(command.target_account)
        if command.market:
            states.books(self._state, command.market)
        limits = account.limits or {}
        if any(command[5:]):
            limits[command.market] = AccountLimits(*command[5:])
        else:
            limits.pop(command.market, None)
        account.limits = limits or None
        account.seq += 1
        self._state.emit(AccountLimitsSet(account.name, account.seq, *command[4:]))
        return _NOTHING


Row = tuple[int, int, int, tuple[tuple[int, int, int], ...]]


def market_row(market: Market) -> Row:
    """Return the rules of a book as a row of a snapshot."""
    tiers = tuple((tier, *fees) for tier, fees in market.tiers.items())
    return (market.matching, market.first_share_ppm, market.band_ppm, tiers)


def restore_market(market: Market, row: Row) -> None:
    """Give a book the rules of a snapshot."""
    market.matching, market.first_share_ppm, market.band_ppm, tiers = row
    market.tiers = {tier: (maker, taker) for tier, maker, taker in tiers}
