"""What each service's RabbitMQ user may do, as little as it needs, derived from the table of services.

Every service has a user of its own name. It declares nothing: ``orderbus topology apply`` does, as the user `OPERATOR`.
What RabbitMQ cannot restrict is the routing key on exchanges that are not topics, so a service that may dead-letter or
retry its own messages could address another's queue there.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from bus.service import Row
from bus.topology import DEAD
from schemas.topics import EVENTS, TOPIC_OF

OPERATOR = "orderbus-operator"
"""User that declares the topology and handles dead letters."""
NOTHING = "^$"
RETRY = r"orderbus\.retry\.[0-9]+s"
"""Exchanges of the retry ladder, whatever its rungs are configured to be."""
OF_THE_BUS = r"^orderbus\."


class Permission(Struct, frozen=True):
    """What one user may do in the bus's virtual host, as regular expressions of names."""

    user: str
    configure: str
    write: str
    read: str
    routing_keys: str
    """Routing keys with which it may publish to `schemas.topics.EVENTS`."""


def permission(row: Row) -> Permission:
    r"""Return what a service needs: to read its own queue, and to publish what its row says.

    >>> permission(Row("contacts")).read
    '^(orderbus\\.contacts)$'
    """
    topics = [TOPIC_OF[body] for body in row.publishes]
    exchanges = [DEAD, *(topic.exchange for topic in topics)]
    keys = [re.escape(topic.routing_key) for topic in topics if topic.exchange == EVENTS]
    return Permission(
        user=row.name,
        configure=NOTHING,
        write=_any_of([RETRY, *(re.escape(name) for name in dict.fromkeys(exchanges))]),
        read=_any_of([re.escape(row.queue)]),
        routing_keys=_any_of(keys) if keys else NOTHING,
    )


def operator() -> Permission:
    """Return what declaring the topology and handling dead letters needs.

    RabbitMQ lets only those declare a queue that dead-letters who may read it, so this user may read every queue of the
    bus. It publishes to the default exchange, by which a dead letter returns to where it failed, and no event.
    """
    return Permission(OPERATOR, OF_THE_BUS, r"^(orderbus\..+|amq\.default)$", OF_THE_BUS, NOTHING)


def definitions(table: Sequence[Row], passwords: Mapping[str, str], *, vhost: str = "/") -> dict[str, Any]:
    """Return users and permissions as RabbitMQ's definitions, for its setting ``load_definitions``.

    Parameters
    ----------
    passwords:
        By user: the name of each service, and `OPERATOR`. Only salted hashes of them are returned.
    vhost:
        Virtual host of the bus.

    Raises
    ------
    KeyError
        A user has no password.
    """
    permissions = [operator(), *(permission(row) for row in table)]
    return {
        "vhosts": [{"name": vhost}],
        "users": [
            {
                "name": each.user,
                "password_hash": password_hash(passwords[each.user]),
                "hashing_algorithm": "rabbit_password_hashing_sha512",
                "tags": [],
            }
            for each in permissions
        ],
        "permissions": [
            {
                "user": each.user,
                "vhost": vhost,
                "configure": each.configure,
                "write": each.write,
                "read": each.read,
            }
            for each in permissions
        ],
        "topic_permissions": [
            {"user": each.user, "vhost": vhost, "exchange": EVENTS, "write": each.routing_keys, "read": ".*"}
            for each in permissions
        ],
    }


def password_hash(password: str, salt: bytes | None = None) -> str:
    """Return a password as RabbitMQ stores it: four octets of salt and the SHA-512 of salt and password, in Base64."""
    salt = secrets.token_bytes(4) if salt is None else salt
    return base64.b64encode(salt + hashlib.sha512(salt + password.encode()).digest()).decode()


def _any_of(expressions: Iterable[str]) -> str:
    return f"^({'|'.join(expressions)})$"
