"""The doors: sessions, authentication, limits, validation and the routing of replies."""
