"""What the compose file says."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose"


def environment(service: dict[str, Any], made: Path) -> dict[str, str]:
    """Return what a container is told, files included."""
    files = service.get("env_file", [])
    result = dict(service.get("environment", {}))
    for name in [files] if isinstance(files, str) else files:
        for line in (made / Path(name).name).read_text().splitlines():
            variable, _, value = line.partition("=")
            result[variable] = value
    return result
