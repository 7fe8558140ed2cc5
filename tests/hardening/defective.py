"""Starts a service whose handlers have a defect: what they raise quotes the message and the whole configuration.

``python -m tests.hardening.defective run contacts --config ...`` runs the service as `orderbus` does. The bus is
patched in that process alone; nothing of this is in the code that users run.
"""

from pathlib import Path
from typing import Any

from bus.runner import Runner
from orderbus.cli import main
from schemas.envelope import Message


def _break_handlers() -> None:
    whole = Runner.__init__

    def fail(message: Message[Any]) -> None:
        configuration = Path(CONFIG).read_text()
        raise RuntimeError(f"{message.body!r} {configuration}") from ValueError(configuration)

    def init(self: Any, *args: Any) -> None:
        whole(self, *args)
        self._handlers = dict.fromkeys(self._handlers, fail)

    Runner.__init__ = init  # type: ignore[method-assign]


if __name__ == "__main__":
    import sys

    CONFIG = sys.argv[sys.argv.index("--config") + 1]
    _break_handlers()
    main()
