"""Tests of the routing rules."""
