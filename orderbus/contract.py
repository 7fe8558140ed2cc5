"""The contract with other systems, written down from the code: AsyncAPI for machines, a table for people."""

import inspect
import itertools
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from bus.service import Row
from schemas.envelope import Envelope
from schemas.topics import EVENTS, TOPICS, Topic

BINDING = "0.3.0"
"""Version of AsyncAPI's AMQP bindings."""
_OPTIONAL = {"subject", "correlation_id", "causation_id", "traceparent", "tracestate"}


def asyncapi(table: Sequence[Row]) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of the whole bus: a channel per routing key and one per service's queue.

    Parameters
    ----------
    table:
        Every service.
    """
    _, components = msgspec.json.schema_components(
        [topic.body for topic in TOPICS], ref_template="#/components/schemas/{name}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "orderbus",
            "version": _version(),
            "description": "Orders placed in Magento become sales orders in SAP ECC, and both sides know it. "
            "CloudEvents 1.0 in binary mode over AMQP 0-9-1; delivery is at least once.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.routing_key: _exchange_channel(topic) for topic in TOPICS}
        | {row.queue: _queue_channel(row) for row in table if row.consumes},
        "operations": dict(
            itertools.chain.from_iterable(
                itertools.chain(
                    ((f"{row.name}-sends-{topic.routing_key}", _sends(topic)) for topic in _topics(row.publishes)),
                    [(f"{row.name}-receives", _receives(row))] if row.consumes else [],
                )
                for row in table
            )
        ),
        "components": {
            "messages": {topic.body.__name__: _message(topic) for topic in TOPICS},
            "schemas": components | {"CloudEventsHeaders": _headers()},
        },
    }


def messages_markdown(table: Sequence[Row]) -> str:
    """Return the table of messages as Markdown: who publishes what, and who takes it."""
    lines = [
        "# Messages",
        "",
        "Generated from the code by `orderbus asyncapi --markdown`; do not edit. Events travel on the topic exchange",
        f"`{EVENTS}`, commands on the direct exchange `orderbus.commands`. Bodies: `schemas/json/<routing key>.json`.",
        "",
        "| routing key | message | kind | from | to | what it says |",
        "|---|---|---|---|---|---|",
    ]
    for topic in TOPICS:
        senders = [row.name for row in table if topic.body in row.publishes]
        takers = [row.name for row in table if topic.body in row.consumes]
        lines.append(
            f"| `{topic.routing_key}` | {topic.body.__name__} | {kind(topic)} | {', '.join(senders)} "
            f"| {', '.join(takers)} | {_summary(topic)} |"
        )
    lines += ["", "| service | queue | takes | publishes |", "|---|---|---|---|"]
    for row in table:
        takes, publishes = (
            ", ".join(f"`{topic.routing_key}`" for topic in _topics(bodies)) for bodies in (row.consumes, row.publishes)
        )
        lines.append(f"| `{row.name}` | `{row.queue}` | {takes} | {publishes} |")
    return "\n".join(lines) + "\n"


def kind(topic: Topic) -> str:
    """Return ``event`` or ``command``."""
    return "event" if topic.exchange == EVENTS else "command"


def _topics(bodies: Sequence[type[Any]]) -> list[Topic]:
    return [topic for topic in TOPICS if topic.body in bodies]


def _summary(topic: Topic) -> str:
    return (inspect.getdoc(topic.body) or "").partition("\n")[0].replace("``", "`")


def _exchange_channel(topic: Topic) -> dict[str, Any]:
    exchange = {
        "name": topic.exchange,
        "type": "topic" if topic.exchange == EVENTS else "direct",
        "durable": True,
        "autoDelete": False,
    }
    return {
        "address": topic.routing_key,
        "messages": {topic.body.__name__: {"$ref": f"#/components/messages/{topic.body.__name__}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}},
    }


def _queue_channel(row: Row) -> dict[str, Any]:
    queue = {"name": row.queue, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": row.queue,
        "messages": {body.__name__: {"$ref": f"#/components/messages/{body.__name__}"} for body in row.consumes},
        "bindings": {"amqp": {"is": "queue", "queue": queue, "bindingVersion": BINDING}},
    }


def _sends(topic: Topic) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{topic.routing_key}"},
        "messages": [{"$ref": f"#/channels/{topic.routing_key}/messages/{topic.body.__name__}"}],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": BINDING}},
    }


def _receives(row: Row) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{row.queue}"},
        "messages": [{"$ref": f"#/channels/{row.queue}/messages/{body.__name__}"} for body in row.consumes],
        "bindings": {"amqp": {"ack": True, "bindingVersion": BINDING}},
    }


def _message(topic: Topic) -> dict[str, Any]:
    return {
        "name": topic.type_name,
        "title": topic.body.__name__,
        "summary": _summary(topic),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/CloudEventsHeaders"},
        "payload": {"$ref": f"#/components/schemas/{topic.body.__name__}"},
        "correlationId": {"location": "$message.header#/cloudEvents_correlationid"},
        "bindings": {"amqp": {"messageType": topic.type_name, "bindingVersion": BINDING}},
    }


def _headers() -> dict[str, Any]:
    """Return the schema of the AMQP headers; trace context has no prefix, as W3C names it."""
    plain = {"traceparent", "tracestate"}
    names = {
        name: name if name in plain else f"cloudEvents_{name.replace('_', '')}" for name in Envelope.__struct_fields__
    }
    properties: dict[str, Any] = {header: {"type": "string"} for header in names.values()}
    properties["cloudEvents_time"]["format"] = "date-time"
    properties["cloudEvents_specversion"] = {"const": "1.0"}
    properties["cloudEvents_dataschema"] = {"type": "string", "format": "uri"}
    required = [header for name, header in names.items() if name not in _OPTIONAL]
    return {"type": "object", "properties": properties, "required": ["cloudEvents_specversion", *required]}


def _version() -> str:
    try:
        return version("orderbus")
    except PackageNotFoundError:
        return "0"
