"""Tests of the ECC adapter."""
