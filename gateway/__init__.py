"""The doors: sessions, authentication, limits, validation and the routing of replies."""

from bus.compiled import use

use(__name__, __path__)
