-- The tables as people read them: decimals for ticks, lots and atoms, words for numbers.

-- Exact: a product of numerics has no rounding (a quotient would).
CREATE FUNCTION decimal_of(units numeric, decimals integer) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN trim_scale(units * ('1e-' || decimals)::numeric);

CREATE VIEW markets_decimal AS
SELECT m.market, m.base, m.quote,
       decimal_of(m.tick_mantissa, m.tick_decimals) AS tick_size,
       decimal_of(m.lot_atoms, b.decimals) AS lot_size,
       m.maker_fee_ppm, m.taker_fee_ppm,
       CASE m.state WHEN 1 THEN 'open' WHEN 2 THEN 'halted' END AS state,
       b.decimals AS base_decimals, q.decimals AS quote_decimals, m.time
FROM markets m JOIN assets b ON b.asset = m.base JOIN assets q ON q.asset = m.quote;

CREATE VIEW trades_decimal AS
SELECT t.market, t.trade_id, t.time, t.time_ns, t.seq,
       decimal_of(t.price_ticks::numeric * m.tick_mantissa, m.tick_decimals) AS price,
       decimal_of(t.qty_lots::numeric * m.lot_atoms, b.decimals) AS quantity,
       decimal_of(t.price_ticks::numeric * t.qty_lots * m.unit_atoms, q.decimals) AS quote_quantity,
       CASE t.taker_side WHEN 1 THEN 'buy' WHEN 2 THEN 'sell' END AS taker_side,
       t.maker_account, t.maker_order_id, t.taker_account, t.taker_order_id
FROM trades t JOIN markets m ON m.market = t.market
     JOIN assets b ON b.asset = m.base JOIN assets q ON q.asset = m.quote;

CREATE VIEW orders_decimal AS
SELECT o.order_id, o.account, o.client_order_id, o.market,
       CASE o.side WHEN 1 THEN 'buy' WHEN 2 THEN 'sell' END AS side,
       CASE o.order_type WHEN 1 THEN 'limit' WHEN 2 THEN 'market' END AS order_type,
       CASE o.time_in_force WHEN 1 THEN 'GTC' WHEN 2 THEN 'IOC' WHEN 3 THEN 'FOK' END AS time_in_force,
       o.post_only,
       CASE o.status WHEN 1 THEN 'open' WHEN 2 THEN 'filled' WHEN 3 THEN 'cancelled' END AS status,
       decimal_of(o.price_ticks::numeric * m.tick_mantissa, m.tick_decimals) AS price,
       decimal_of(o.qty_lots::numeric * m.lot_atoms, b.decimals) AS quantity,
       decimal_of(o.budget_atoms, q.decimals) AS budget,
       decimal_of(o.left_lots::numeric * m.lot_atoms, b.decimals) AS quantity_left,
       decimal_of(o.filled_lots::numeric * m.lot_atoms, b.decimals) AS quantity_filled,
       decimal_of(o.filled_atoms, q.decimals) AS quote_filled,
       decimal_of(o.fee_atoms, CASE o.side WHEN 1 THEN b.decimals ELSE q.decimals END) AS fee,
       o.reason, o.created, o.updated, o.updated_seq
FROM orders o JOIN markets m ON m.market = o.market
     JOIN assets b ON b.asset = m.base JOIN assets q ON q.asset = m.quote;

CREATE VIEW balances_decimal AS
SELECT c.account, c.asset,
       decimal_of(c.available_atoms, a.decimals) AS available,
       decimal_of(c.held_atoms, a.decimals) AS held, c.updated_seq
FROM balances c JOIN assets a ON a.asset = c.asset;

CREATE VIEW balance_changes_decimal AS
SELECT c.account, c.asset, c.time, c.time_ns, c.seq, c.event,
       decimal_of(c.available_atoms, a.decimals) AS available_change,
       decimal_of(c.held_atoms, a.decimals) AS held_change
FROM balance_changes c JOIN assets a ON a.asset = c.asset;

CREATE VIEW candles_decimal AS
SELECT c.market, c.interval_s, c.time,
       decimal_of(c.open_ticks::numeric * m.tick_mantissa, m.tick_decimals) AS open,
       decimal_of(c.high_ticks::numeric * m.tick_mantissa, m.tick_decimals) AS high,
       decimal_of(c.low_ticks::numeric * m.tick_mantissa, m.tick_decimals) AS low,
       decimal_of(c.close_ticks::numeric * m.tick_mantissa, m.tick_decimals) AS close,
       decimal_of(c.qty_lots * m.lot_atoms, b.decimals) AS volume,
       decimal_of(c.quote_atoms, q.decimals) AS quote_volume, c.trades
FROM candles c JOIN markets m ON m.market = c.market
     JOIN assets b ON b.asset = m.base JOIN assets q ON q.asset = m.quote;
