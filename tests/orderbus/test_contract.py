"""The written contract is what the code says."""

import datetime as dt
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orderbus.contract import asyncapi, messages_markdown
from orderbus.services import TABLE
from schemas import jsonschema
from schemas.messages import OrderCleared, ReleaseOrders
from schemas.topics import TOPICS

ROOT = Path(__file__).parents[2]


def test_the_json_schemas_are_as_the_code_says() -> None:
    assert jsonschema.differences() == [], "run `orderbus schemas write`"
    assert len(list(jsonschema.DIRECTORY.glob("*.json"))) == len(TOPICS)


def test_the_table_of_messages_is_as_the_code_says() -> None:
    written = (ROOT / "docs" / "messages.md").read_text()
    assert written == messages_markdown(TABLE), "run `orderbus asyncapi --markdown > docs/messages.md`"


def test_writing_mends_what_differs(tmp_path: Path) -> None:
    jsonschema.write(tmp_path)
    (tmp_path / "order.placed.json").write_text("{}")
    (tmp_path / "order.held.json").unlink()
    (tmp_path / "order.gone.json").write_text("{}")
    wrong = ["order.gone.json", "order.held.json", "order.placed.json"]
    assert [path.name for path in jsonschema.differences(tmp_path)] == wrong
    assert [path.name for path in jsonschema.write(tmp_path)] == wrong
    assert jsonschema.differences(tmp_path) == []


def test_money_and_times_are_strings() -> None:
    schemas = {topic.routing_key: jsonschema.schema_of(topic) for topic in TOPICS}
    item = schemas["order.placed"]["$defs"]["Item"]["properties"]
    assert item["net"] == {"type": "string", "format": "decimal"}
    registered = schemas["customer.registered"]["$defs"]["CustomerRegistered"]["properties"]
    assert registered["registered_at"]["type"] == "string"
    assert msgspec.json.encode([Decimal("1.10"), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)]) == (
        b'["1.10","2026-01-01T00:00:00Z"]'
    )


def test_a_schema_lets_unknown_fields_pass() -> None:
    assert "additionalProperties" not in json.dumps([jsonschema.schema_of(topic) for topic in TOPICS])


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for inner in value.values() for found in references(inner)]
    return [found for inner in value for found in references(inner)] if isinstance(value, list) else []


def resolved(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def test_every_reference_leads_somewhere() -> None:
    for document in [asyncapi(TABLE), *(jsonschema.schema_of(topic) for topic in TOPICS)]:
        found = references(document)
        assert found
        for reference in found:
            assert resolved(document, reference)


def test_asyncapi_has_every_channel_and_operation() -> None:
    document = json.loads(json.dumps(asyncapi(TABLE)))
    assert document["asyncapi"] == "3.0.0"
    keys = {topic.routing_key for topic in TOPICS}
    queues = {row.queue for row in TABLE if row.consumes}
    assert set(document["channels"]) == keys | queues
    assert document["channels"]["order.placed"]["bindings"]["amqp"]["is"] == "routingKey"
    assert document["channels"]["orderbus.router"]["bindings"]["amqp"]["is"] == "queue"
    sends = {name for name, operation in document["operations"].items() if operation["action"] == "send"}
    assert sends == {
        f"{row.name}-sends-{topic.routing_key}" for topic in TOPICS for row in TABLE if topic.body in row.publishes
    }
    header = document["components"]["schemas"]["CloudEventsHeaders"]
    assert {"cloudEvents_id", "cloudEvents_specversion", "cloudEvents_correlationid"} <= set(header["properties"])
    assert document["components"]["messages"][OrderCleared.__name__]["name"] == "orderbus.order.cleared.v1"
    assert ReleaseOrders.__name__ in document["components"]["schemas"]


@pytest.mark.parametrize("arguments", [("asyncapi",), ("routes", "--json"), ("asyncapi", "--markdown"), ("routes",)])
def test_they_are_printed(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orderbus", *arguments], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    assert "order.placed" in done.stdout
    if "--markdown" not in arguments and arguments != ("routes",):
        json.loads(done.stdout)
