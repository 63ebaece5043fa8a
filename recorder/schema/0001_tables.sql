-- What the venue decided, as tables. Prices are ticks, quantities lots, amounts atoms (bigint); the views
-- of 0002 show them as decimals. Every time is kept twice: to the nanosecond (time_ns) and, cut to the
-- microsecond, as timestamptz. Keys hold the time where TimescaleDB makes a hypertable of the table.

-- How far the stream is recorded; written in the same transaction as the rows. At most one row.
CREATE TABLE position (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    venue_id bytea NOT NULL,
    engine text NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    time_ns bigint NOT NULL
);

CREATE TABLE assets (
    asset text PRIMARY KEY,
    decimals integer NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL
);

CREATE TABLE markets (
    market text PRIMARY KEY,
    base text NOT NULL,
    quote text NOT NULL,
    tick_mantissa bigint NOT NULL,
    tick_decimals integer NOT NULL,
    lot_atoms bigint NOT NULL,
    unit_atoms bigint NOT NULL,
    price_ticks_max bigint NOT NULL,
    qty_lots_max bigint NOT NULL,
    maker_fee_ppm bigint NOT NULL,
    taker_fee_ppm bigint NOT NULL,
    state smallint NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL
);

CREATE TABLE accounts (
    account text PRIMARY KEY,
    state smallint NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL
);

-- Built in: no event creates them.
INSERT INTO accounts (account, state, seq, time, time_ns)
VALUES ('operator', 1, 0, 'epoch', 0), ('fees', 1, 0, 'epoch', 0);

CREATE TABLE trades (
    market text NOT NULL,
    trade_id bigint NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL,
    price_ticks bigint NOT NULL,
    qty_lots bigint NOT NULL,
    taker_side smallint NOT NULL,
    maker_account text NOT NULL,
    maker_order_id bigint NOT NULL,
    maker_fee_atoms bigint NOT NULL,
    taker_account text NOT NULL,
    taker_order_id bigint NOT NULL,
    taker_fee_atoms bigint NOT NULL,
    refund_atoms bigint NOT NULL,
    PRIMARY KEY (market, trade_id, time)
);
CREATE INDEX trades_of_market_by_time ON trades (market, time_ns);

-- An order as it stands now. status: 1 open, 2 filled, 3 cancelled. filled_atoms: quote paid or received
-- before fees. reason: of the cancel, else 0.
CREATE TABLE orders (
    order_id bigint PRIMARY KEY,
    account text NOT NULL,
    client_order_id text NOT NULL,
    market text NOT NULL,
    side smallint NOT NULL,
    order_type smallint NOT NULL,
    time_in_force smallint NOT NULL,
    post_only boolean NOT NULL,
    price_ticks bigint NOT NULL,
    qty_lots bigint NOT NULL,
    budget_atoms bigint NOT NULL,
    left_lots bigint NOT NULL,
    filled_lots bigint NOT NULL,
    filled_atoms bigint NOT NULL,
    fee_atoms bigint NOT NULL,
    status smallint NOT NULL,
    reason smallint NOT NULL,
    created timestamptz NOT NULL,
    created_ns bigint NOT NULL,
    updated timestamptz NOT NULL,
    updated_ns bigint NOT NULL,
    updated_seq bigint NOT NULL
) WITH (fillfactor = 70); -- room for the new version of a row beside the old one
CREATE INDEX orders_of_account ON orders (account, order_id);

-- Everything that happened to an order. event: the event's number on the wire; a trade is here twice,
-- once for each of its orders. qty_lots: traded, or the new total.
CREATE TABLE order_events (
    order_id bigint NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL,
    event smallint NOT NULL,
    account text NOT NULL,
    account_seq bigint NOT NULL,
    market text NOT NULL,
    price_ticks bigint NOT NULL,
    qty_lots bigint NOT NULL,
    left_lots bigint NOT NULL,
    trade_id bigint NOT NULL,
    fee_atoms bigint NOT NULL,
    reason smallint NOT NULL,
    PRIMARY KEY (order_id, seq, time)
);
CREATE INDEX trades_of_account ON order_events (account, seq) WHERE event = 21;

-- Commands that the engine refused.
CREATE TABLE rejects (
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL,
    account text NOT NULL,
    command_id text NOT NULL,
    code smallint NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (seq, time)
);

-- What each event did to an account's balance in an asset.
CREATE TABLE balance_changes (
    account text NOT NULL,
    asset text NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    time_ns bigint NOT NULL,
    event smallint NOT NULL,
    available_atoms bigint NOT NULL,
    held_atoms bigint NOT NULL,
    PRIMARY KEY (account, asset, seq, time)
);

-- The sums of balance_changes. numeric: no sum can overflow and stop the recorder.
CREATE TABLE balances (
    account text NOT NULL,
    asset text NOT NULL,
    available_atoms numeric NOT NULL,
    held_atoms numeric NOT NULL,
    updated_seq bigint NOT NULL,
    PRIMARY KEY (account, asset)
) WITH (fillfactor = 50);

-- Candles of 1 second, minute, hour and day; longer ones are made of them when asked. Only intervals that
-- had a trade. They are kept in the transaction of their trades, so they are exact at the position.
CREATE TABLE candles (
    market text NOT NULL,
    interval_s integer NOT NULL,
    time timestamptz NOT NULL,
    start_ns bigint NOT NULL,
    open_ticks bigint NOT NULL,
    high_ticks bigint NOT NULL,
    low_ticks bigint NOT NULL,
    close_ticks bigint NOT NULL,
    qty_lots numeric NOT NULL,
    quote_atoms numeric NOT NULL,
    trades bigint NOT NULL,
    PRIMARY KEY (market, interval_s, time)
) WITH (fillfactor = 50);
