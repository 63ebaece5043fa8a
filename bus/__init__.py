"""The shared leaf: commands, events, wire codec, units, errors, sockets, streams, settings, service, SDK.

Imports none of the other packages, and only relatively inside itself, so that the same folder is
also built as the stand-alone wheel ``zeropit-client`` (see ``bus/pyproject.toml``).
"""

from .compiled import use

use(__name__, __path__)
