"""Tests of orderbus."""
