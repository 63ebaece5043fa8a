"""The recorder: writes the engine's stream into PostgreSQL or TimescaleDB, exactly once, and answers history."""
