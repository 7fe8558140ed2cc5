"""The command ``orderbus``: its subcommands by name, and what its exit status tells whoever started it."""

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from schemas.failures import Failure, Transient

OK = 0
FAILURE = 1
"""It failed, and will fail again unless somebody does something."""
MISUSE = 2
"""The command line or the configuration is wrong; nothing was started."""
TEMPORARY = 75
"""EX_TEMPFAIL of sysexits.h: something else is away; starting again later may do."""
INTERRUPTED = 130

COMMANDS = {
    "run": "run:run",
    "demo": "demo:demo",
    "check": "check:check",
    "routes": "routes:routes",
    "topology": "topology:topology",
    "dead": "dead:dead",
    "skipped": "skipped:skipped",
    "contacts": "contacts:contacts",
    "reconcile": "reconcile:reconcile",
    "database": "database:database",
    "config": "config:config",
    "simulate": "simulate:simulate",
    "schemas": "schemas:schemas",
    "asyncapi": "asyncapi:asyncapi",
}
"""Module in `orderbus.commands` and the command's name there."""


class LazyGroup(click.Group):
    """A group whose subcommands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the names in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import and return a subcommand."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"orderbus.commands.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand, or say which one may have been meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Exit status: 0 done, 1 failed, 2 wrong command line or configuration, 75 something else is away for now.",
)
@click.version_option(package_name="orderbus", message="orderbus %(version)s")
def cli() -> None:
    """Turn Magento orders into SAP ECC sales orders, once, and tell both sides.

    Example: orderbus demo --orders 20
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process; a failure ends in one line, ``orderbus: cause. remedy``."""
    sys.exit(status_of(arguments))


def status_of(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    try:
        result = cli.main(args=arguments, prog_name="orderbus", standalone_mode=False)
        # `ctx.exit(n)` comes back as n; commands themselves return None, or a status.
        status = result if isinstance(result, int) else OK
        sys.stdout.flush()
    except click.ClickException as error:
        return _say(_usage(error), MISUSE)
    except (click.Abort, KeyboardInterrupt):
        return _say("Interrupted.", INTERRUPTED)
    except Failure as failure:
        return _say(str(failure), _status(failure))
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does; there is nobody to tell, and flushing would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except Exception as error:  # noqa: BLE001 - the last resort: a defect ends in one line too
        if os.environ.get("ORDERBUS_DEBUG"):
            from orderbus.masking import without_secrets  # noqa: PLC0415 - only who looks for a defect pays

            click.echo(without_secrets(traceback.format_exc()), err=True, nl=False)
        what = f"{type(error).__name__} at {_where(error)}"
        return _say(
            f"This is a defect in orderbus ({what}). Set ORDERBUS_DEBUG=1 to see where, and report it.", FAILURE
        )
    return status


def _status(failure: Failure) -> int:
    if isinstance(failure, Transient):
        return TEMPORARY
    # By name: the classes live in modules that a command may not have imported.
    return MISUSE if type(failure).__name__ in {"ConfigError", "AddressTaken"} else FAILURE


def _usage(error: click.ClickException) -> str:
    message = error.format_message().strip()
    path = getattr(getattr(error, "ctx", None), "command_path", "orderbus")
    return f"{message}{'' if message.endswith(('.', '?')) else '.'} `{path} --help` explains."


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "unknown"  # noqa: PTH119


def _say(text: str, status: int) -> int:
    click.echo(f"orderbus: {' '.join(text.split())}", err=True)
    return status
