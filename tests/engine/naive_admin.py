"""What accounts and operators ask beside orders: mass cancels, timers, groups, states, limits, funds.

It protects the invariant that funds come from deposits alone.
"""

from fractions import Fraction
from typing import TYPE_CHECKING

from bus import commands as c
from bus import events as e
from bus.errors import Code

from . import naive_auctions as auctions
from . import naive_cancels as cancels
from .naive_state import Account, Book, Group, Job, Market, refuse_if

if TYPE_CHECKING:
    from .naive import Naive

GROUPS_MAX = 100
WHOLE = (e.CancelReason.MASS_CANCEL, e.CancelReason.ACCOUNT_BLOCKED, e.CancelReason.CANCEL_AFTER)


# ---- mass cancels and timers ------------------------------------------------------------------


def cancel_all(x: "Naive", command: c.CancelAll) -> None:
    """Cancel all orders of the account, in one market or in all."""
    books = x.books_named(command.market) if command.market else None
    refuse_if(x.account_is_busy(command.account), Code.ACCOUNT_BUSY)
    named = (command.account, command.market, command.command_id, e.CancelReason.MASS_CANCEL)
    cancels.begin_mass_cancel(x, named, books, of=command.account)


def cancel_matching(x: "Naive", command: c.CancelMatching) -> None:
    """Cancel the account's orders that match."""
    books = x.books_named(command.market) if command.market else None
    low, high = command.price_low_ticks, command.price_high_ticks
    refuse_if(high and low > high, Code.INVALID_COMBINATION)
    refuse_if(x.account_is_busy(command.account), Code.ACCOUNT_BUSY)
    named = (command.account, command.market, command.command_id, e.CancelReason.MASS_CANCEL)
    cancels.begin_mass_cancel(x, named, books, cancels.filtered(command.side, low, high), of=command.account)


def cancel_where(x: "Naive", command: c.CancelWhere) -> None:
    """Cancel all orders that match."""
    target = command.target_account
    refuse_if(target and target not in x.accounts, Code.UNKNOWN_ACCOUNT)
    books = x.books_named(command.market) if command.market else None
    low, high = command.price_low_ticks, command.price_high_ticks
    refuse_if(high and low > high, Code.INVALID_COMBINATION)
    named = (target, command.market, command.command_id, e.CancelReason.MASS_CANCEL)
    cancels.begin_mass_cancel(x, named, books, cancels.filtered(command.side, low, high), of=target)


def cancel_market(x: "Naive", command: c.CancelMarket) -> None:
    """Cancel all orders of a market."""
    books = x.books_named(command.market)
    mass_cancels = [j for j in x.jobs if j.kind == "cancel" and j.reason != e.CancelReason.MARKET_CLOSING]
    busy = any(name in job.busy_books for job in mass_cancels for name in books)
    refuse_if(busy, Code.MARKET_BUSY)
    named = ("", command.market, command.command_id, e.CancelReason.MARKET_CANCELLED)
    cancels.begin_mass_cancel(x, named, books)


def set_account_state(x: "Naive", command: c.SetAccountState) -> None:
    """Block (and cancel all) or activate an account."""
    target = command.target_account
    refuse_if(target not in x.accounts, Code.UNKNOWN_ACCOUNT)
    x.accounts[target].state = command.state
    x.emit(e.AccountStateChanged(target, x.account_seq(target), command.state))
    whole = [j for j in x.jobs if j.busy_account == target and j.reason in WHOLE and not j.market]
    if command.state == c.AccountState.BLOCKED and not whole:
        named = (target, "", command.command_id, e.CancelReason.ACCOUNT_BLOCKED)
        cancels.begin_mass_cancel(x, named, None, of=target)


def cancel_after(x: "Naive", command: c.CancelAfter) -> None:
    """Set the dead-man timer."""
    due_ns = x.now + command.timeout_ns if command.timeout_ns else 0
    x.accounts[command.account].cancel_after_ns = due_ns
    x.emit(e.CancelAfterSet(command.account, x.account_seq(command.account), due_ns))


def set_group(x: "Naive", command: c.SetGroup) -> None:
    """Make, reset or remove an order group."""
    groups = x.accounts[command.account].groups
    if command.lots_max == 0:
        refuse_if(command.group not in groups, Code.UNKNOWN_GROUP)
        groups.pop(command.group).removed = True
    elif command.group in groups:
        group = groups[command.group]
        group.lots_max, group.window_ns = command.lots_max, command.window_ns
        group.traded, group.tripped = [], False
    else:
        refuse_if(len(groups) >= GROUPS_MAX, Code.TOO_MANY_ENTRIES)
        made = Group(command.group, command.account, command.lots_max, command.window_ns)
        groups[command.group] = made
    seq = x.account_seq(command.account)
    x.emit(e.GroupSet(command.account, seq, command.group, command.lots_max, command.window_ns))


# ---- administration ---------------------------------------------------------------------------


def create_asset(x: "Naive", command: c.CreateAsset) -> None:
    """Create an asset."""
    refuse_if(command.asset in x.assets, Code.ALREADY_EXISTS)
    refuse_if(len(x.assets) >= x.limits.assets_max, Code.TOO_MANY_ENTRIES)
    x.assets[command.asset] = command.decimals
    x.emit(e.AssetCreated(command.asset, command.decimals))


def create_market(x: "Naive", m: c.CreateMarket) -> None:
    """Create a market whose notionals are whole and fit."""
    refuse_if(m.market in x.markets, Code.ALREADY_EXISTS)
    refuse_if(len(x.books) >= x.limits.markets_max, Code.TOO_MANY_ENTRIES)
    refuse_if(m.base not in x.assets or m.quote not in x.assets, Code.UNKNOWN_ASSET)
    refuse_if(m.base == m.quote, Code.INVALID_MARKET)
    tick = Fraction(m.tick_mantissa, 10**m.tick_decimals)
    lot = Fraction(m.lot_atoms, 10 ** x.assets[m.base])
    unit = tick * lot * 10 ** x.assets[m.quote]
    refuse_if(unit.denominator != 1 or unit < 1, Code.INVALID_MARKET)
    refuse_if(m.price_ticks_max * m.qty_lots_max * unit > c.INT_MAX, Code.INVALID_MARKET)
    refuse_if(m.qty_lots_max * m.lot_atoms > c.INT_MAX, Code.INVALID_MARKET)
    made = e.MarketCreated(*m[3:9], int(unit), *m[9:])
    market = Market(m.market)
    x.markets[m.market] = market
    x.books[m.market] = Book(made, market, len(x.books))
    market.books.append(x.books[m.market])
    x.emit(made)


def create_account(x: "Naive", command: c.CreateAccount) -> None:
    """Create an account."""
    refuse_if(command.new_account in x.accounts, Code.ALREADY_EXISTS)
    refuse_if(len(x.accounts) >= x.limits.accounts_max, Code.TOO_MANY_ENTRIES)
    x.accounts[command.new_account] = Account()
    x.emit(e.AccountCreated(command.new_account))


def create_key(x: "Naive", command: c.CreateKey) -> None:
    """Create a key."""
    refuse_if(command.key_id in x.keys, Code.ALREADY_EXISTS)
    refuse_if(len(x.keys) >= x.limits.keys_max, Code.TOO_MANY_ENTRIES)
    known = all(account in x.accounts for account in command.accounts)
    refuse_if(not known, Code.UNKNOWN_ACCOUNT)
    x.keys.append(command.key_id)
    x.emit(e.KeyCreated(*command[3:]))


def revoke_key(x: "Naive", command: c.RevokeKey) -> None:
    """Revoke a key."""
    refuse_if(command.key_id not in x.keys, Code.UNKNOWN_KEY)
    x.keys.remove(command.key_id)
    x.emit(e.KeyRevoked(command.key_id))


def deposit(x: "Naive", command: c.Deposit) -> None:
    """Add funds."""
    account, asset, amount = command.to_account, command.asset, command.amount_atoms
    refuse_if(account not in x.accounts, Code.UNKNOWN_ACCOUNT)
    refuse_if(asset not in x.assets, Code.UNKNOWN_ASSET)
    refuse_if(x.issued.get(asset, 0) + amount > c.INT_MAX, Code.AMOUNT_OUT_OF_RANGE)
    x.issued[asset] = x.issued.get(asset, 0) + amount
    x.move(account, asset, amount, 0)
    x.emit(e.Deposited(account, x.account_seq(account), asset, amount))


def withdraw(x: "Naive", command: c.Withdraw) -> None:
    """Take funds out."""
    account, asset, amount = command.from_account, command.asset, command.amount_atoms
    refuse_if(account not in x.accounts, Code.UNKNOWN_ACCOUNT)
    refuse_if(asset not in x.assets, Code.UNKNOWN_ASSET)
    refuse_if(x.owes(account), Code.SHORTFALL)
    refuse_if(x.available(account, asset) < amount, Code.INSUFFICIENT_FUNDS)
    x.issued[asset] -= amount
    x.move(account, asset, -amount, 0)
    x.emit(e.Withdrawn(account, x.account_seq(account), asset, amount))


def set_market_state(x: "Naive", command: c.SetMarketState) -> None:
    """Change a market's state; an opening may uncross it, CLOSING empties it."""
    s = c.MarketState
    refuse_if(command.market not in x.markets, Code.UNKNOWN_MARKET)
    market = x.markets[command.market]
    refuse_if(x.is_changing(market), Code.MARKET_BUSY)
    allowed = (s.OPEN, s.HALTED, s.PRE_OPEN, s.SUSPENDED, s.CANCEL_ONLY)
    wrong = market.state not in allowed or command.state not in (*allowed, s.CLOSING)
    refuse_if(wrong, Code.STATE_NOT_ALLOWED)
    for job in list(x.jobs):
        if job.kind == "uncross" and market.books[0].name in job.busy_books:
            x.jobs.remove(job)
            if job.price:
                x.emit(e.AuctionDone(job.market, job.price if job.lots else 0, job.lots))
    gathered, market.state = market.state == s.PRE_OPEN, command.state
    x.emit(e.MarketStateChanged(market.name, command.state))
    for book in market.books:
        if market.state != s.PRE_OPEN:
            book.indication_due_ns = 0
        else:
            book.indicated = (0, 0, 0)
            book.indication_due_ns = x.now + x.limits.indication_interval_ns
    names = [book.name for book in market.books]
    if market.state == s.OPEN:
        books = [book for book in market.books if gathered or book.crossed]
        if market.outcome is not None:
            books = [book for book in books if book.made.runner not in market.outcome.removed]
        if books:
            job = Job("uncross", busy_books=names)
            job.steps = auctions.uncross(x, job, books)
            x.begin(job)
    elif market.state == s.CLOSING:
        named = ("", market.name, command.command_id, e.CancelReason.MARKET_CLOSING)
        cancels.begin_mass_cancel(x, named, names, closing=market)


def set_market_rules(x: "Naive", command: c.SetMarketRules) -> None:
    """Set how a market matches, and its band."""
    refuse_if(command.market not in x.markets, Code.UNKNOWN_MARKET)
    market = x.markets[command.market]
    two = market.outcome is not None and market.outcome.two
    refuse_if(two and command.matching == c.MatchingRule.PRO_RATA, Code.WRONG_MARKET_MODEL)
    market.matching, market.first_share_ppm, market.band_ppm = command[4:]
    x.emit(e.MarketRulesSet(*command[3:]))


def set_fee_tier(x: "Naive", command: c.SetFeeTier) -> None:
    """Set the fees of a tier."""
    refuse_if(command.market not in x.markets, Code.UNKNOWN_MARKET)
    market = x.markets[command.market]
    refuse_if(market.outcome is not None, Code.WRONG_MARKET_MODEL)
    refuse_if(command.maker_fee_ppm < -command.taker_fee_ppm, Code.INVALID_MARKET)
    market.tiers[command.tier] = (command.maker_fee_ppm, command.taker_fee_ppm)
    x.emit(e.FeeTierSet(*command[3:]))


def set_account_terms(x: "Naive", command: c.SetAccountTerms) -> None:
    """Set what an account is."""
    target = command.target_account
    refuse_if(target not in x.accounts, Code.UNKNOWN_ACCOUNT)
    account = x.accounts[target]
    below = any(have[0] < 0 for have in account.balances.values())
    refuse_if(account.unfunded and not command.unfunded and below, Code.INSUFFICIENT_FUNDS)
    account.unfunded, account.tier, account.prevention, account.prevention_group = command[4:]
    x.emit(e.AccountTermsSet(target, x.account_seq(target), *command[4:]))


def set_account_limits(x: "Naive", command: c.SetAccountLimits) -> None:
    """Set an account's limits."""
    target, market = command.target_account, command.market
    refuse_if(target not in x.accounts, Code.UNKNOWN_ACCOUNT)
    refuse_if(market and market not in x.markets, Code.UNKNOWN_MARKET)
    made = e.AccountLimitsSet(target, x.account_seq(target), *command[4:])
    x.accounts[target].limits.pop(market, None)
    if any(command[5:]):
        x.accounts[target].limits[market] = made
    x.emit(made)
