"""From events to rows: what stands for a while (markets, accounts, terms, limits) and what rounds it off.

Invariant: as of `recorder.rows`: the same stretch of the stream ends in the same tables, however it is cut.
These events are few, but for settlements and indications, which are rows like any other.
"""

from collections.abc import Callable
from typing import Any

from bus.commands import AccountState, MarketModel, MarketState
from bus.events import (
    EVENT_NUMBERS,
    AccountCreated,
    AccountLimitsSet,
    AccountStateChanged,
    AccountTermsSet,
    AssetCreated,
    AuctionDone,
    AuctionIndicated,
    CashedOut,
    CommandRejected,
    Event,
    ExposureChanged,
    FeeTierSet,
    GroupSet,
    GroupTripped,
    InPlayTurned,
    MarketCreated,
    MarketRulesSet,
    MarketSettled,
    MarketStateChanged,
    OutcomeMarketCreated,
    PositionSettled,
    RunnerRemoved,
    TradesVoided,
)

from .batch import Batch, Revision

UNITS_PER_LOT = {int(MarketModel.BINARY): 10_000, int(MarketModel.ODDS): 100}
"""What a lot of an outcome market is divided into, by model: its ``unit_atoms`` is one part."""


def _command_rejected(batch: Batch, event: CommandRejected, seq: int, time_ns: int) -> None:
    batch.add("rejects", (seq, time_ns, event.account, event.command_id, event.code, event.detail))


def _asset_created(batch: Batch, event: AssetCreated, seq: int, time_ns: int) -> None:
    batch.add("assets", (event.asset, event.decimals, seq, time_ns))


def _market_created(batch: Batch, event: MarketCreated, seq: int, time_ns: int) -> None:
    batch.add("markets", (*event, MarketState.OPEN.value, seq, time_ns))
    if event.model == MarketModel.ODDS:
        name = event.market.partition(":")[2]
        batch.add("runners", (event.outcome_market, event.runner, name, event.market))
        batch.set("book_added", (event.outcome_market,))


def _outcome_market_created(batch: Batch, event: OutcomeMarketCreated, seq: int, time_ns: int) -> None:
    batch.add(
        "outcome_markets",
        (
            event.market, event.model, event.asset, event.lot_atoms,
            event.lot_atoms // UNITS_PER_LOT[event.model], event.qty_lots_max, event.commission_ppm,
            event.removal_rule, event.house, event.match_loss_max_atoms, event.house_loss_max_atoms,
            MarketState.OPEN.value, seq, time_ns,
        ),
    )  # fmt: skip
    if event.model == MarketModel.BINARY:
        batch.add("runners", (event.market, 0, "YES", event.market))
        batch.add("runners", (event.market, 1, "NO", ""))


def _market_state_changed(batch: Batch, event: MarketStateChanged, seq: int, time_ns: int) -> None:
    batch.set("market_state", (event.market, event.state))
    batch.set("outcome_market_state", (event.market, event.state))


def _market_rules_set(batch: Batch, event: MarketRulesSet, seq: int, time_ns: int) -> None:
    batch.set("market_rules", tuple(event))


def _in_play_turned(batch: Batch, event: InPlayTurned, seq: int, time_ns: int) -> None:
    batch.set("in_play", tuple(event))


def _runner_removed(batch: Batch, event: RunnerRemoved, seq: int, time_ns: int) -> None:
    batch.set("runner_removed", tuple(event), 2)
    batch.set("book_voided", (f"{event.market}:{event.runner}",))
    batch.revisions.append(Revision(event.market, seq, event.runner, event.reduction_ppm))


def _trades_voided(batch: Batch, event: TradesVoided, seq: int, time_ns: int) -> None:
    batch.revisions.append(Revision(event.market, seq, from_ns=event.from_ns, to_ns=event.to_ns))


def _market_settled(batch: Batch, event: MarketSettled, seq: int, time_ns: int) -> None:
    batch.set("settled", (event.market, seq, time_ns, event.accounts, event.dust_atoms))
    for winner in event.winners:
        batch.set("winner", (event.market, winner), 2)


def _position_settled(batch: Batch, event: PositionSettled, seq: int, time_ns: int) -> None:
    batch.add(
        "settlements",
        (
            event.account, seq, time_ns, event.market, event.released_atoms, event.net_atoms,
            event.commission_atoms,
        ),
    )  # fmt: skip


def _exposure_changed(batch: Batch, event: ExposureChanged, seq: int, time_ns: int) -> None:
    row = (event.account, seq, time_ns, event.market, event.held_change_atoms, event.shortfall_atoms)
    batch.add("exposure_changes", row)


def _auction_told(batch: Batch, event: AuctionIndicated | AuctionDone, seq: int, time_ns: int) -> None:
    imbalance_lots = event.imbalance_lots if isinstance(event, AuctionIndicated) else 0
    number = EVENT_NUMBERS[type(event)]
    row = (event.market, seq, time_ns, number, event.price_ticks, event.lots, imbalance_lots)
    batch.add("auctions", row)


def _cashed_out(batch: Batch, event: CashedOut, seq: int, time_ns: int) -> None:
    before, after = (",".join(map(str, atoms)) for atoms in (event.before_atoms, event.after_atoms))
    row = (event.account, seq, time_ns, event.market, event.command_id, event.share_ppm, before, after)
    batch.add("cash_outs", row)


def _account_created(batch: Batch, event: AccountCreated, seq: int, time_ns: int) -> None:
    batch.add("accounts", (event.account, AccountState.ACTIVE.value, seq, time_ns))


def _account_state_changed(batch: Batch, event: AccountStateChanged, seq: int, time_ns: int) -> None:
    batch.set("account_state", (event.account, event.state))


def _account_terms_set(batch: Batch, event: AccountTermsSet, seq: int, time_ns: int) -> None:
    terms = (event.unfunded, event.fee_tier, event.prevention, event.prevention_group)
    batch.set("account_terms", (event.account, *terms))


def _account_limits_set(batch: Batch, event: AccountLimitsSet, seq: int, time_ns: int) -> None:
    batch.set("account_limits", (event.account, *event[2:], seq), 2)


def _fee_tier_set(batch: Batch, event: FeeTierSet, seq: int, time_ns: int) -> None:
    batch.set("fee_tiers", (*event, seq), 2)


def _group_set(batch: Batch, event: GroupSet, seq: int, time_ns: int) -> None:
    batch.set("order_groups", (event.account, event.group, event.lots_max, event.window_ns, seq), 2)


def _group_tripped(batch: Batch, event: GroupTripped, seq: int, time_ns: int) -> None:
    batch.add("group_trips", (event.account, seq, time_ns, event.group, event.lots))


HANDLERS: dict[type[Event], Callable[[Batch, Any, int, int], None]] = {
    CommandRejected: _command_rejected,
    AssetCreated: _asset_created,
    MarketCreated: _market_created,
    OutcomeMarketCreated: _outcome_market_created,
    MarketStateChanged: _market_state_changed,
    MarketRulesSet: _market_rules_set,
    InPlayTurned: _in_play_turned,
    RunnerRemoved: _runner_removed,
    TradesVoided: _trades_voided,
    MarketSettled: _market_settled,
    PositionSettled: _position_settled,
    ExposureChanged: _exposure_changed,
    AuctionIndicated: _auction_told,
    AuctionDone: _auction_told,
    CashedOut: _cashed_out,
    AccountCreated: _account_created,
    AccountStateChanged: _account_state_changed,
    AccountTermsSet: _account_terms_set,
    AccountLimitsSet: _account_limits_set,
    FeeTierSet: _fee_tier_set,
    GroupSet: _group_set,
    GroupTripped: _group_tripped,
}
"""What adds the rows of an event: ``(batch, event, seq, time_ns)``."""
