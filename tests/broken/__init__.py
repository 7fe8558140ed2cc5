"""Breaks of the code, made on purpose to see that a test catches each."""
