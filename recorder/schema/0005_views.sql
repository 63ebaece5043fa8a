-- The views with what 0004 added, behind the columns that they had.

CREATE FUNCTION state_name(state smallint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (ARRAY['open', 'halted', 'pre_open', 'suspended', 'cancel_only', 'closing', 'closed', 'settled',
                  'voided'])[state];

CREATE FUNCTION model_name(model smallint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (ARRAY['spot', 'binary', 'odds'])[model];

CREATE OR REPLACE VIEW markets_decimal AS
SELECT m.market, m.base, m.quote,
       decimal_of(m.tick_mantissa, m.tick_decimals) AS tick_size,
       decimal_of(m.lot_atoms, b.decimals) AS lot_size,
       m.maker_fee_ppm, m.taker_fee_ppm,
       state_name(m.state) AS state,
       b.decimals AS base_decimals, q.decimals AS quote_decimals, m.time,
       model_name(m.model) AS model, m.outcome_market, m.runner
FROM markets m JOIN assets b ON b.asset = m.base JOIN assets q ON q.asset = m.quote;

CREATE OR REPLACE VIEW trades_decimal AS
SELECT t.market, t.trade_id, t.time, t.time_ns, t.seq,
       decimal_of(t.price_ticks::numeric * m.tick_mantissa, m.tick_decimals) AS price,
       decimal_of(t.qty_lots::numeric * m.lot_atoms, b.decimals) AS quantity,
       decimal_of(t.price_ticks::numeric * t.qty_lots * m.unit_atoms, q.decimals) AS quote_quantity,
       CASE t.taker_side WHEN 1 THEN 'buy' WHEN 2 THEN 'sell' END AS taker_side,
       t.maker_account, t.maker_order_id, t.taker_account, t.taker_order_id,
       (ARRAY['direct', 'implied', 'cross', 'auction'])[t.kind + 1] AS kind,
       CASE t.taker_side WHEN 1 THEN t.taker_account ELSE t.maker_account END AS buyer,
       CASE t.taker_side WHEN 1 THEN t.maker_account ELSE t.taker_account END AS seller,
       t.void
FROM trades t JOIN markets m ON m.market = t.market
     JOIN assets b ON b.asset = m.base JOIN assets q ON q.asset = m.quote;

CREATE OR REPLACE VIEW orders_decimal AS
SELECT o.order_id, o.account, o.client_order_id, o.market,
       CASE o.side WHEN 1 THEN 'buy' WHEN 2 THEN 'sell' END AS side,
       CASE o.order_type WHEN 1 THEN 'limit' WHEN 2 THEN 'market' END AS order_type,
       (ARRAY['GTC', 'IOC', 'FOK', 'GTT', 'DAY'])[o.time_in_force] AS time_in_force,
       o.post_only,
       CASE o.status WHEN 1 THEN 'open' WHEN 2 THEN 'filled' WHEN 3 THEN 'cancelled' END AS status,
       decimal_of(o.price_ticks::numeric * m.tick_mantissa, m.tick_decimals) AS price,
       decimal_of(o.qty_lots::numeric * m.lot_atoms, b.decimals) AS quantity,
       decimal_of(o.budget_atoms, q.decimals) AS budget,
       decimal_of(o.left_lots::numeric * m.lot_atoms, b.decimals) AS quantity_left,
       decimal_of(o.filled_lots::numeric * m.lot_atoms, b.decimals) AS quantity_filled,
       decimal_of(o.filled_atoms, q.decimals) AS quote_filled,
       decimal_of(o.fee_atoms, CASE o.side WHEN 1 THEN b.decimals ELSE q.decimals END) AS fee,
       o.reason, o.created, o.updated, o.updated_seq,
       decimal_of(t.display_lots::numeric * m.lot_atoms, b.decimals) AS display,
       (ARRAY['stop', 'take_profit', 'trailing'])[t.trigger] AS trigger,
       decimal_of(t.trigger_ticks::numeric * m.tick_mantissa, m.tick_decimals) AS trigger_price,
       to_timestamp(nullif(t.expires_ns, 0) / 1000000000.0) AS expires,
       (ARRAY['trigger', 'pair', 'bet_delay'])[t.waits] AS waits,
       nullif(t.group_name, '') AS group_name,
       p.other_order_id
FROM orders o JOIN markets m ON m.market = o.market
     JOIN assets b ON b.asset = m.base JOIN assets q ON q.asset = m.quote
     LEFT JOIN order_terms t ON t.order_id = o.order_id
     LEFT JOIN order_pairs p ON p.order_id = o.order_id;

-- What each account gets if an outcome comes true, by its trades so far: one row an outcome that was not
-- removed, for each market that the account has traded in.
CREATE VIEW position_results AS
SELECT h.account, h.outcome_market, r.runner, r.name,
       coalesce(b.lots, 0) AS lots, coalesce(b.value_ticks, 0) AS value_ticks,
       o.unit_atoms * CASE
           WHEN o.model = 3 THEN coalesce(b.value_ticks, 0) - 100 * h.lots
           WHEN r.runner = 0 THEN 10000 * h.lots - h.value_ticks
           ELSE - h.value_ticks END AS result_atoms
FROM (SELECT account, outcome_market, sum(lots) AS lots, sum(value_ticks) AS value_ticks
      FROM positions GROUP BY account, outcome_market) AS h
     JOIN outcome_markets o ON o.market = h.outcome_market
     JOIN runners r ON r.market = h.outcome_market AND NOT r.removed
     LEFT JOIN positions b ON b.account = h.account AND b.outcome_market = h.outcome_market AND b.market = r.book;

CREATE VIEW position_results_decimal AS
SELECT p.account, p.outcome_market, p.runner, p.name, decimal_of(p.result_atoms, a.decimals) AS result
FROM position_results p JOIN outcome_markets o ON o.market = p.outcome_market
     JOIN assets a ON a.asset = o.asset;

CREATE VIEW settlements_decimal AS
SELECT s.market, s.account, s.time, s.time_ns, s.seq,
       decimal_of(s.released_atoms, a.decimals) AS released, decimal_of(s.net_atoms, a.decimals) AS net,
       decimal_of(s.commission_atoms, a.decimals) AS commission
FROM settlements s JOIN outcome_markets o ON o.market = s.market JOIN assets a ON a.asset = o.asset;

CREATE VIEW outcome_markets_decimal AS
SELECT o.market, model_name(o.model) AS model, o.asset, state_name(o.state) AS state, o.in_play,
       decimal_of(o.lot_atoms, a.decimals) AS lot_size, o.commission_ppm, nullif(o.house, '') AS house,
       (SELECT array_agg(r.name ORDER BY r.runner) FROM runners r WHERE r.market = o.market AND NOT r.removed)
           AS runners,
       (SELECT array_agg(r.name ORDER BY r.runner) FROM runners r WHERE r.market = o.market AND r.winner)
           AS winners,
       o.time
FROM outcome_markets o JOIN assets a ON a.asset = o.asset;
