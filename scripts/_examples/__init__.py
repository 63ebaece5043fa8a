"""Whole markets from creation to settlement, traded by bots over the SDK: ``scripts/example``."""
