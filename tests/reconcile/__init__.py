"""Comparing Magento with ECC, and healing."""
