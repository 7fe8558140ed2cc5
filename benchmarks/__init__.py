"""What the bus costs, measured side by side: ``python -m benchmarks --help``."""
