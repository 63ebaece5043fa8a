"""A real TimescaleDB for the tests: PostgreSQL compiled to WebAssembly, served by ``server.mjs``."""
