"""The messages' bodies as JSON Schema, one document per routing key, for systems that are not written in Python."""

import json
from pathlib import Path
from typing import Any

import msgspec

from schemas.topics import TOPICS, Topic

DIRECTORY = Path(__file__).with_name("json")
"""Where the documents are kept in the tree."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(topic: Topic) -> dict[str, Any]:
    """Return the schema of a topic's body, complete in itself."""
    (reference,), components = msgspec.json.schema_components((topic.body,), ref_template="#/$defs/{name}")
    return {"$schema": DIALECT, "$id": f"urn:{topic.type_name}", **reference, "$defs": components}


def documents() -> dict[str, str]:
    """Return the text of each document by its file name."""
    return {
        f"{topic.routing_key}.json": json.dumps(schema_of(topic), indent=2, sort_keys=True) + "\n" for topic in TOPICS
    }


def write(directory: Path = DIRECTORY) -> list[Path]:
    """Write the documents that are not as the code says, remove those of no topic, and return what changed."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = documents()
    changed = differences(directory)
    for path in changed:
        if path.name in wanted:
            path.write_text(wanted[path.name], "utf-8")
        else:
            path.unlink()
    return changed


def differences(directory: Path = DIRECTORY) -> list[Path]:
    """Return the documents that are missing, out of date, or of no topic."""
    wanted = documents()
    present = {path.name: path.read_text("utf-8") for path in directory.glob("*.json")}
    return [
        directory / name for name in sorted(wanted.keys() | present.keys()) if wanted.get(name) != present.get(name)
    ]
