"""Traces read back, and drawn."""
