"""The demo: 30 minutes of a real market through the whole venue, and a reconciliation of every part."""
