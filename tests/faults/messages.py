"""Faults of messages: twice, out of order, unreadable, unknown, too large; and one poisonous order among good ones."""

import json
import random
import uuid
from typing import Any

from orderbus.services import ROW_NAMED
from schemas.topics import TOPIC_OF
from tests.faults.bench import CONSUMERS, Bench
from tests.faults.plan import Entry
from tests.faults.wire import Taken, channel, overheard, put, take, taken

ALONE = "broker"
LISTEN = 2.0
"""Seconds of listening for messages to copy."""
HUGE = 5_000_000
"""Bytes; more than the bus takes."""


def _overheard(bench: Bench, service: str, most: int) -> list[Taken]:
    keys = [topic.routing_key for topic in ROW_NAMED[service].bindings]
    return overheard(bench.url(), keys, most, LISTEN)


def duplicates(bench: Bench, draws: random.Random) -> None:
    """Deliver messages of a service again, each up to three times, late and in another order."""
    service = draws.choice(CONSUMERS)
    copies = [one for one in _overheard(bench, service, 20) for _ in range(draws.randint(1, 3))]
    draws.shuffle(copies)
    with channel(bench.url()) as publishing:
        for one in copies:
            put(publishing, f"orderbus.{service}", one.headers, one.message_id, one.body)


def reordered(bench: Bench, draws: random.Random) -> None:
    """Put what waits in a queue into another order."""
    service = draws.choice(CONSUMERS)
    queue = f"orderbus.{service}"
    with channel(bench.url()) as shuffling:
        # Frozen, the service keeps what it holds, and the rest can be shuffled.
        bench.freeze(service)
        try:
            found = take(shuffling, queue, 30)
            draws.shuffle(found)
            for message in found:
                one = taken(message)
                put(shuffling, queue, one.headers, one.message_id, one.body)
                shuffling.basic_ack(message.delivery_tag)
        finally:
            bench.thaw(service)


def _valid_headers(service: str, identifier: str, draws: random.Random) -> dict[str, Any]:
    topic = TOPIC_OF[draws.choice(ROW_NAMED[service].consumes)]
    return {"cloudEvents_id": identifier, "cloudEvents_type": topic.type_name, "cloudEvents_source": "/faults"}


def _sent(bench: Bench, service: str, headers: dict[str, Any], identifier: str, body: bytes) -> None:
    with channel(bench.url()) as publishing:
        put(publishing, f"orderbus.{service}", headers, identifier, body)


def _drawn(draws: random.Random) -> tuple[str, str]:
    return draws.choice(CONSUMERS), str(uuid.UUID(int=draws.getrandbits(128)))


def undecodable(bench: Bench, draws: random.Random) -> None:
    """Send a body that is no JSON, or JSON that is no message."""
    service, identifier = _drawn(draws)
    body = draws.choice((b"\xff\xfe\x00", b'{"order": ', b"[]", b'{"ref": 5}', b"[" * 50_000, b""))
    _sent(bench, service, _valid_headers(service, identifier, draws), identifier, body)
    bench.expected_letters[identifier] = (service, "undecodable")


def no_envelope(bench: Bench, draws: random.Random) -> None:
    """Send a message without any of the headers that say what it is."""
    service, identifier = _drawn(draws)
    _sent(bench, service, {}, identifier, b"{}")
    bench.expected_letters[identifier] = (service, "unknown-type")


def unknown_version(bench: Bench, draws: random.Random) -> None:
    """Send a message of a version that nobody knows yet."""
    service, identifier = _drawn(draws)
    headers = _valid_headers(service, identifier, draws)
    headers["cloudEvents_type"] = headers["cloudEvents_type"].replace(".v1", ".v9")
    _sent(bench, service, headers, identifier, b"{}")
    bench.expected_letters[identifier] = (service, "unknown-type")


def huge(bench: Bench, draws: random.Random) -> None:
    """Send a body of 5 MB."""
    service, identifier = _drawn(draws)
    body = b'{"text": "' + b"x" * HUGE + b'"}'
    _sent(bench, service, _valid_headers(service, identifier, draws), identifier, body)
    bench.expected_letters[identifier] = (service, "too-large")


def unknown_fields(bench: Bench, draws: random.Random) -> None:
    """Send messages again with an id of their own and with fields that a later version may have."""
    service = draws.choice(CONSUMERS)
    for one in _overheard(bench, service, 3):
        body = json.loads(one.body)
        body["later"] = {"added": [1, 2, 3]}
        identifier = str(uuid.UUID(int=draws.getrandbits(128)))
        headers = {**one.headers, "cloudEvents_id": identifier, "cloudEvents_later": "yes"}
        with channel(bench.url()) as publishing:
            put(publishing, f"orderbus.{service}", headers, identifier, json.dumps(body).encode())


def poison(bench: Bench, draws: random.Random) -> None:
    """Place an order that ECC cannot take, in the middle of good ones."""
    bench.poison(draws.randrange(20))


CATALOGUE = (
    Entry("duplicates", duplicates, weight=3, alone=ALONE),
    Entry("reordered", reordered, weight=2, alone=ALONE),
    Entry("undecodable", undecodable, weight=2, alone=ALONE),
    Entry("no envelope", no_envelope, alone=ALONE),
    Entry("unknown version", unknown_version, alone=ALONE),
    Entry("unknown fields", unknown_fields, weight=2, alone=ALONE),
    Entry("body of 5 MB", huge, alone=ALONE),
    Entry("poison order", poison),
)
