"""Tests of the messaging runtime."""
