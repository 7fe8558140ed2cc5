"""Lets ``python -m orderbus`` do what the command ``orderbus`` does."""

from orderbus.cli import main

main()
