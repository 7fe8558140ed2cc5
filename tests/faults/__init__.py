"""Faults of every kind against the whole system, and what must be true when they are over."""
