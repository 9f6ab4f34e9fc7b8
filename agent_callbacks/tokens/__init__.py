"""Tokens: how many, and how that is known."""
