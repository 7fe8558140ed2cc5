"""``orderbus check``: is everything there that a configuration names."""

import asyncio
from pathlib import Path

import click

from orderbus import check as checks
from orderbus.commands.options import config_option, json_option, print_json
from orderbus.config import load
from orderbus.services import TABLE


@click.command()
@config_option
@json_option
@click.pass_context
def check(context: click.Context, config_path: Path | None, as_json: bool) -> None:
    """Connect to everything that the configuration names and say of each whether it is fine, or what to do.

    Changes nothing. Exit status 1 if something is not fine.

    Example: orderbus check --config orderbus.toml
    """
    config = load(config_path).config

    async def collect() -> list[checks.Finding]:
        findings = []
        async for finding in checks.check(config, TABLE):
            findings.append(finding)
            if not as_json:
                click.echo(f"{'ok ' if finding.fine else 'NO '} {finding.part}: {finding.what}")
                if finding.remedy:
                    click.echo(f"     {finding.remedy}")
        return findings

    findings = asyncio.run(collect())
    fine = all(finding.fine for finding in findings)
    if as_json:
        print_json({"fine": fine, "findings": findings})
    context.exit(0 if fine else 1)
