"""The deterministic exchange: books, matching, accounts; its journal, archive, recovery and service."""

from .compiled import use

use(__path__)
