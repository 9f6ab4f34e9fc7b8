"""Delivery: against real receivers and in real processes."""
