"""Delivery: where spans go, what arrived there, and what happens when the process ends."""
