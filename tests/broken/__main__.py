"""Breaks a copy of the code, one break at a time, and names the test that caught each.

``python -m tests.broken`` runs them all; ``python -m tests.broken NAME ...`` some. It ends with 1 when a break was not
caught, or when the test that should catch it fails on the whole code already.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import click

from tests.broken.breaks import BREAKS, Break

ROOT = Path(__file__).resolve().parent.parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".build", ".orderbus", "__pycache__", ".*_cache", ".hypothesis")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the breaks and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.broken", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(one.name for one in BREAKS))
    wanted = set(parser.parse_args(arguments).names)
    unknown = wanted - {one.name for one in BREAKS}
    if unknown:
        parser.error(f"there is no break {', '.join(sorted(unknown))}")
    chosen = [one for one in BREAKS if not wanted or one.name in wanted]
    status = 0
    for one in chosen:
        verdict, fine = _try(one)
        click.echo(f"{one.name:<32} {verdict}")
        status |= not fine
    click.echo(f"{len(chosen)} breaks tried.")
    return int(status)


def _try(one: Break) -> tuple[str, bool]:
    with tempfile.TemporaryDirectory(prefix="orderbus-broken-") as directory:
        copy = Path(directory) / "orderbus"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        failed, output = _failures(copy, one.test)
        if failed or " passed" not in output:
            return f"its test does not pass on the whole code: {output[-500:]}", False
        path = copy / one.file
        source = path.read_text()
        if source.count(one.old) != 1:
            return f"does not apply: {one.file} holds its text {source.count(one.old)} times", False
        path.write_text(source.replace(one.old, one.new))
        failed, output = _failures(copy, one.test)
        if failed:
            return f"caught by {failed[0]}", True
        return f"NOT CAUGHT by {one.test}: {output[-500:]}", False


def _failures(tree: Path, test: str) -> tuple[list[str], str]:
    """Run a test in a tree, and return the names of the tests that failed and what pytest printed."""
    report = tree / "report.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--junitxml={report}", test]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=900, check=False)
    cases = ET.parse(report).iter("testcase") if report.exists() else ()
    failed = [
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    return failed, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
