"""Tests of the venue, one folder a package; what crosses packages lies here."""
