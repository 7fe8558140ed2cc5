"""Tests of the simulated ECC and its client."""
