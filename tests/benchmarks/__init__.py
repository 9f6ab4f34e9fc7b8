"""Measurements, to be run by hand: nothing here is a test, and nothing here fails for being slow."""
