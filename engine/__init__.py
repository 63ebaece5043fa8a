"""The deterministic exchange: books, matching, accounts; its journal, archive, recovery and service."""
