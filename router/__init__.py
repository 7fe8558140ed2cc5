"""Routing rules: pure functions from a message to the commands that follow from it; no I/O."""
