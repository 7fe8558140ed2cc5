"""The work itself, the same for every Python contender: only what carries the messages differs."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from router.policy import RoutingPolicy
from router.rules import decide
from schemas.messages import OrderPlaced
from schemas.topics import TOPIC_OF, Topic

DECODER = msgspec.json.Decoder(OrderPlaced)
ENCODER = msgspec.json.Encoder()
POLICY = RoutingPolicy(default_customer="0000000001")
ORDER_PLACED = TOPIC_OF[OrderPlaced]


class Outgoing(Struct, frozen=True):
    """A message to publish: persistent, mandatory, confirmed."""

    topic: Topic
    body: bytes
    message_id: str
    correlation_id: str
    headers: dict[str, Any]
    content_type: str = "application/json"


def outgoing(topic: Topic, body: bytes, message_id: str, correlation_id: str, causation_id: str = "") -> Outgoing:
    """Put the CloudEvents headers on a body."""
    headers: dict[str, Any] = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": message_id,
        "cloudEvents_source": "/orderbus/benchmarks",
        "cloudEvents_type": topic.type_name,
        "cloudEvents_time": datetime.now(UTC).isoformat(),
        "cloudEvents_subject": correlation_id,
        "cloudEvents_dataschema": f"urn:orderbus:schema:{topic.type_name}",
        "cloudEvents_correlationid": correlation_id,
    }
    if causation_id:
        headers["cloudEvents_causationid"] = causation_id
    return Outgoing(topic, body, message_id, correlation_id, headers)


def route(body: bytes, headers: Mapping[str, Any]) -> Outgoing:
    """Decode an OrderPlaced, apply the routing rules, and return the one command that follows."""
    (command,) = decide(POLICY, DECODER.decode(body))
    cause = str(headers["cloudEvents_id"])
    topic = TOPIC_OF[type(command)]
    message_id = hashlib.blake2b(f"{cause}/{topic.routing_key}".encode(), digest_size=16).hexdigest()
    return outgoing(topic, ENCODER.encode(command), message_id, str(headers["cloudEvents_correlationid"]), cause)


def order_placed(template: bytes, number: int) -> Outgoing:
    """Return the n-th order to publish, of a body with ``@`` in place of its number."""
    body = template.replace(b"@" * 9, b"%09d" % number)
    return outgoing(ORDER_PLACED, body, f"benchmark-{number:012d}", f"default/{number:09d}")
