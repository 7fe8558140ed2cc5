"""The benchmarks' command line; importing it imports every part."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_part_is_named_in_the_help() -> None:
    command = [sys.executable, "-m", "benchmarks", "--help"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    parts = ("route", "publish", "latency", "footprint", "flow", "scale", "release", "first-load", "backlog")
    assert [part for part in parts if f"  {part} " not in printed] == []
