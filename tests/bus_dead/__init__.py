"""Tests of the dead letters and of permissions, on a real broker."""
