"""Comparing the shop's orders with ECC, and healing what can be healed."""
