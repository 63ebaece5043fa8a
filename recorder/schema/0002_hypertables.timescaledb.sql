-- On TimescaleDB, what grows with time becomes hypertables: chunks of a week, the keys as they are.
-- migrate_data: a database that got the extension later keeps its rows.
SELECT create_hypertable('trades', by_range('time', INTERVAL '7 days'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('order_events', by_range('time', INTERVAL '7 days'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('rejects', by_range('time', INTERVAL '7 days'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('balance_changes', by_range('time', INTERVAL '7 days'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('candles', by_range('time', INTERVAL '28 days'),
                         create_default_indexes => false, migrate_data => true);
