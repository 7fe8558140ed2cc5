"""The BAPI call of every recorded order, as a file that people read."""
