-- Order types, risk, auctions and outcome markets: binary contracts and odds.

-- model: 1 spot, 2 binary, 3 odds. The book of an outcome market has its name and the number of its runner.
ALTER TABLE markets
    ADD COLUMN model smallint NOT NULL DEFAULT 1,
    ADD COLUMN outcome_market text NOT NULL DEFAULT '',
    ADD COLUMN runner integer NOT NULL DEFAULT 0,
    ADD COLUMN matching smallint NOT NULL DEFAULT 1,
    ADD COLUMN first_share_ppm bigint NOT NULL DEFAULT 0,
    ADD COLUMN band_ppm bigint NOT NULL DEFAULT 0;
CREATE INDEX books_of_outcome_market ON markets (outcome_market) WHERE outcome_market <> '';

ALTER TABLE accounts
    ADD COLUMN unfunded boolean NOT NULL DEFAULT false,
    ADD COLUMN fee_tier smallint NOT NULL DEFAULT 0,
    ADD COLUMN prevention smallint NOT NULL DEFAULT 1,
    ADD COLUMN prevention_group text NOT NULL DEFAULT '';

-- kind: 0 direct, 1 implied, 2 cross, 3 auction. An auction trade has no taker: its taker_side is 0, the
-- columns of the maker are the buyer's, those of the taker the seller's. refund_atoms: what became available
-- to the taker again, maker_released_atoms: to the maker. Of outcome markets alone: value_ticks, price times
-- lots, less what removed runners took off; void, when it does not count.
ALTER TABLE trades
    ADD COLUMN kind smallint NOT NULL DEFAULT 0,
    ADD COLUMN maker_released_atoms bigint NOT NULL DEFAULT 0,
    ADD COLUMN value_ticks bigint NOT NULL DEFAULT 0,
    ADD COLUMN void boolean NOT NULL DEFAULT false;

-- fee_atoms are fees paid alone; rebate_atoms what was received, in the asset that the takers received.
ALTER TABLE orders ADD COLUMN rebate_atoms bigint NOT NULL DEFAULT 0;

-- Of orders placed with more than the plain terms, and of those that waited. trigger_ticks of a trailing stop
-- is its first. waits: 0 nothing, 1 its trigger, 2 its pair, 3 the bet delay; of an order that was cancelled,
-- what it waited for.
CREATE TABLE order_terms (
    order_id bigint PRIMARY KEY,
    display_lots bigint NOT NULL,
    min_lots bigint NOT NULL,
    trigger smallint NOT NULL,
    trigger_ticks bigint NOT NULL,
    trail_ticks bigint NOT NULL,
    expires_ns bigint NOT NULL,
    prevention smallint NOT NULL,
    group_name text NOT NULL,
    persists boolean NOT NULL,
    waits smallint NOT NULL
);

-- Each order of a pair has a row. kind: 1 one cancels the other, 2 the first triggers the second.
CREATE TABLE order_pairs (
    order_id bigint PRIMARY KEY,
    other_order_id bigint NOT NULL,
    kind smallint NOT NULL,
    is_first boolean NOT NULL,
    command_id text NOT NULL,
    seq bigint NOT NULL
);

-- A fill is a trade (21) or an auction trade (33).
DROP INDEX trades_of_account;
CREATE INDEX fills_of_account ON order_events (account, seq) WHERE event IN (21, 33);

-- Whose change it was; 0: of no order (or recorded before this column was there).
ALTER TABLE balance_changes ADD COLUMN order_id bigint NOT NULL DEFAULT 0;

-- Every 512 changes or so, what a balance was then: a statement begins to add at the last one before it.
ALTER TABLE balances ADD COLUMN changes bigint NOT NULL DEFAULT 0;
CREATE TABLE balance_marks (
    account text NOT NULL,
    asset text NOT NULL,
    seq bigint NOT NULL,
    available_atoms numeric NOT NULL,
    held_atoms numeric NOT NULL,
    PRIMARY KEY (account, asset, seq)
);
UPDATE balances AS b SET changes = c.changes
FROM (SELECT account, asset, count(*) AS changes FROM balance_changes GROUP BY account, asset) AS c
WHERE c.account = b.account AND c.asset = b.asset;
INSERT INTO balance_marks
SELECT account, asset, seq, available, held
FROM (SELECT account, asset, seq, sum(available_atoms) OVER so_far AS available,
             sum(held_atoms) OVER so_far AS held, row_number() OVER so_far AS number
      FROM balance_changes WINDOW so_far AS (PARTITION BY account, asset ORDER BY seq)) AS running
WHERE number % 512 = 0;

-- in_play, bet_delay_ns: since it was turned in-play. settled_…: of its settlement (0: none yet).
CREATE TABLE outcome_markets (
    market text PRIMARY KEY,
    model smallint NOT NULL,
    asset text NOT NULL,
    lot_atoms bigint NOT NULL,
    unit_atoms bigint NOT NULL,
    qty_lots_max bigint NOT NULL,
    commission_ppm bigint NOT NULL,
    removal_rule smallint NOT NULL,
    house text NOT NULL,
    match_loss_max_atoms bigint NOT NULL,
    house_loss_max_atoms bigint NOT NULL,
    state smallint NOT NULL,
    in_play boolean NOT NULL DEFAULT false,
    bet_delay_ns bigint NOT NULL DEFAULT 0,
    settled_seq bigint NOT NULL DEFAULT 0,
    settled_ns bigint NOT NULL DEFAULT 0,
    settled_accounts bigint NOT NULL DEFAULT 0,
    dust_atoms bigint NOT NULL DEFAULT 0,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL
);

-- The outcomes: of a binary market YES (0) and NO (1), of which YES has the book.
CREATE TABLE runners (
    market text NOT NULL,
    runner integer NOT NULL,
    name text NOT NULL,
    book text NOT NULL,
    removed boolean NOT NULL DEFAULT false,
    reduction_ppm bigint NOT NULL DEFAULT 0,
    winner boolean NOT NULL DEFAULT false,
    PRIMARY KEY (market, runner)
);

-- What an account's trades in a book amount to: lots bought (binary) or backed (odds) less those sold or laid,
-- and their value in ticks times lots. position_results makes results of them.
CREATE TABLE positions (
    account text NOT NULL,
    outcome_market text NOT NULL,
    market text NOT NULL,
    lots numeric NOT NULL,
    value_ticks numeric NOT NULL,
    updated_seq bigint NOT NULL,
    PRIMARY KEY (account, outcome_market, market)
) WITH (fillfactor = 70);
CREATE INDEX positions_of_outcome_market ON positions (outcome_market);

CREATE TABLE settlements (
    account text NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL,
    market text NOT NULL,
    released_atoms bigint NOT NULL,
    net_atoms bigint NOT NULL,
    commission_atoms bigint NOT NULL,
    PRIMARY KEY (seq)
);
CREATE INDEX settlements_of_account ON settlements (account, seq);
CREATE INDEX settlements_of_market ON settlements (market, seq);

-- Held funds changed by a removed runner or voided trades; shortfall_atoms: what an account then lacked.
CREATE TABLE exposure_changes (
    account text NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL,
    market text NOT NULL,
    held_change_atoms bigint NOT NULL,
    shortfall_atoms bigint NOT NULL,
    PRIMARY KEY (account, seq)
);

-- event 32: what an uncross would do; 34: what it did.
CREATE TABLE auctions (
    market text NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL,
    event smallint NOT NULL,
    price_ticks bigint NOT NULL,
    qty_lots bigint NOT NULL,
    imbalance_lots bigint NOT NULL,
    PRIMARY KEY (market, seq)
);

CREATE TABLE cash_outs (
    account text NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL,
    market text NOT NULL,
    command_id text NOT NULL,
    share_ppm bigint NOT NULL,
    before_atoms bigint[] NOT NULL,
    after_atoms bigint[] NOT NULL,
    PRIMARY KEY (account, seq)
);

CREATE TABLE account_limits (
    account text NOT NULL,
    market text NOT NULL,
    order_lots_max bigint NOT NULL,
    order_atoms_max bigint NOT NULL,
    open_orders_max bigint NOT NULL,
    position_max bigint NOT NULL,
    updated_seq bigint NOT NULL,
    PRIMARY KEY (account, market)
);

CREATE TABLE fee_tiers (
    market text NOT NULL,
    tier smallint NOT NULL,
    maker_fee_ppm bigint NOT NULL,
    taker_fee_ppm bigint NOT NULL,
    updated_seq bigint NOT NULL,
    PRIMARY KEY (market, tier)
);

-- lots_max 0: it was removed. It is tripped while it has a trip above updated_seq.
CREATE TABLE order_groups (
    account text NOT NULL,
    group_name text NOT NULL,
    lots_max bigint NOT NULL,
    window_ns bigint NOT NULL,
    updated_seq bigint NOT NULL,
    PRIMARY KEY (account, group_name)
);

CREATE TABLE group_trips (
    account text NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL,
    group_name text NOT NULL,
    lots bigint NOT NULL,
    PRIMARY KEY (account, seq)
);
