"""The deterministic exchange: books, matching, accounts; its journal, archive, recovery and service."""

from bus.compiled import use

use(__name__, __path__)
