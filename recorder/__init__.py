"""The recorder: the engine's stream into PostgreSQL or TimescaleDB, exactly once, and history from it."""
