"""Exchanges, queues and bindings: what the table of services makes of the broker.

::

    orderbus.events (topic) ----+--> orderbus.<service> --> its consumer
    orderbus.commands (direct) -+        ^      |  | refused, or delivered too often
                                         |      |  +--> orderbus.dead (direct) --> orderbus.<service>.dead
    orderbus.requeue (direct) -----------+      | a try that failed, published by its service
        ^  after its TTL                        v
        +------ orderbus.retry.<n>s (queue) <-- orderbus.retry.<n>s (fanout), with the service's queue as key
"""

import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import amqp
from kombu.utils.url import parse_url
from msgspec import Struct

from bus.config import BrokerConfig, address
from bus.service import Row
from bus.transport import client
from schemas.failures import Failure, Outage, Permanent
from schemas.topics import COMMANDS, EVENTS

DEAD = "orderbus.dead"
"""Direct exchange: dead letters, by the name of the queue where they failed."""
REQUEUE = "orderbus.requeue"
"""Direct exchange: messages whose wait is over, by the name of the queue they return to."""

APPLY = "Run `orderbus topology apply` with a user that may configure the broker, or start the service that owns it."


def dead_queue(service: str) -> str:
    """Return the name of a service's dead-letter queue."""
    return f"orderbus.{service}.dead"


def retry_name(seconds: int) -> str:
    """Return the name of a rung of the retry ladder, the same for its exchange and its queue."""
    return f"orderbus.retry.{seconds}s"


class Exchange(Struct, frozen=True):
    """An exchange to declare."""

    name: str
    kind: str


class Queue(Struct, frozen=True):
    """A quorum queue to declare."""

    name: str
    arguments: Mapping[str, str | int]


class Binding(Struct, frozen=True):
    """A binding to declare."""

    queue: str
    exchange: str
    key: str


class Topology(Struct, frozen=True):
    """What is declared, in this order."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


def topology(rows: Iterable[Row], config: BrokerConfig) -> Topology:
    """Return what the services of some rows need for themselves, the shared exchanges and retry ladder included."""
    exchanges = [
        Exchange(EVENTS, "topic"),
        Exchange(COMMANDS, "direct"),
        Exchange(DEAD, "direct"),
        Exchange(REQUEUE, "direct"),
    ]
    queues, bindings = [], []
    for seconds in config.retry_delays:
        rung = retry_name(seconds)
        exchanges.append(Exchange(rung, "fanout"))
        queues.append(Queue(rung, {"x-message-ttl": seconds * 1000, **_dead_lettering(REQUEUE)}))
        bindings.append(Binding(rung, rung, ""))
    for row in rows:
        arguments = {
            "x-delivery-limit": config.delivery_limit,
            "x-dead-letter-routing-key": row.queue,
            **_dead_lettering(DEAD),
        }
        queues += [Queue(row.queue, arguments), Queue(dead_queue(row.name), _KEPT)]
        bindings += [Binding(row.queue, topic.exchange, topic.routing_key) for topic in row.bindings]
        bindings += [Binding(row.queue, REQUEUE, row.queue), Binding(dead_queue(row.name), DEAD, row.queue)]
    return Topology(tuple(exchanges), tuple(queues), tuple(bindings))


_KEPT: Mapping[str, str | int] = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
"""Looking at a dead letter counts as a delivery, and RabbitMQ 4 drops a message after 20 if nothing else is said."""


def _dead_lettering(exchange: str) -> dict[str, str | int]:
    """Return the arguments by which a quorum queue hands a message on without losing it."""
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def needed(rows: Iterable[Row], table: Iterable[Row], config: BrokerConfig) -> tuple[str, ...]:
    """Return the queues without which some services must not publish.

    Their own, the retry ladder, their dead letters, and each queue of the table that takes something they publish: the
    broker reports an event as delivered when any one queue took it.
    """
    rows = tuple(rows)
    published = {body for row in rows for body in row.publishes}
    own = [queue.name for queue in topology(rows, config).queues]
    downstream = [row.queue for row in table if published.intersection(row.consumes)]
    return tuple(dict.fromkeys(own + downstream))


def declare(channel: Any, wanted: Topology) -> list[str]:
    """Declare what is not there yet, as far as the user's permissions go.

    Parameters
    ----------
    channel:
        A kombu channel; one that the broker closes over a refusal opens itself again.

    Returns
    -------
    list
        Names of what the user may not declare.

    Raises
    ------
    Permanent
        Something of that name exists with other properties.
    """
    refused = []
    steps: list[tuple[str, Any, dict[str, Any]]] = [
        (exchange.name, channel.exchange_declare, {"exchange": exchange.name, "type": exchange.kind})
        for exchange in wanted.exchanges
    ]
    steps = [(name, call, {**arguments, "durable": True, "auto_delete": False}) for name, call, arguments in steps]
    steps += [
        (
            queue.name,
            channel.queue_declare,
            {"queue": queue.name, "durable": True, "auto_delete": False, "arguments": dict(queue.arguments)},
        )
        for queue in wanted.queues
    ]
    steps += [
        (
            f"{binding.exchange} -> {binding.queue}",
            channel.queue_bind,
            {"queue": binding.queue, "exchange": binding.exchange, "routing_key": binding.key},
        )
        for binding in wanted.bindings
    ]
    for name, call, arguments in steps:
        try:
            call(**arguments)
        except (amqp.AccessRefused, amqp.NotFound):
            # Not found: a binding whose exchange or queue was refused just before.
            refused.append(name)
        except amqp.PreconditionFailed as error:
            raise Permanent(
                f"{name} exists on the broker with other properties: {error.reply_text}.",
                "Empty and delete it, then run `orderbus topology apply`; or set the configuration back.",
            ) from error
    return refused


def missing(channel: Any, *, exchanges: Iterable[str] = (), queues: Iterable[str] = ()) -> list[str]:
    """Return the names of exchanges and queues that do not exist; needs no permission to configure."""
    absent = []
    steps = [(name, channel.exchange_declare, {"exchange": name, "type": "direct"}) for name in exchanges]
    steps += [(name, channel.queue_declare, {"queue": name}) for name in queues]
    for name, call, arguments in steps:
        try:
            call(**arguments, passive=True)
        except amqp.NotFound:
            absent.append(name)
    return absent


def apply(config: BrokerConfig, table: Sequence[Row]) -> list[str]:
    """Declare everything that the table needs; what is there already is left alone.

    Returns
    -------
    list
        One line for each thing declared.

    Raises
    ------
    Outage
        No broker answers.
    Permanent
        The broker refuses the user, or something exists with other properties.
    """
    whole = topology(table, config)
    with connect(config) as connection:
        refused = declare(connection.default_channel, whole)
    if refused:
        raise Permanent(
            f"The broker's user may not declare {', '.join(refused[:3])}{' and more' if refused[3:] else ''}.",
            "Use a user with configure, write and read permission on orderbus.*.",
        )
    return [
        *(f"exchange {exchange.name} ({exchange.kind})" for exchange in whole.exchanges),
        *(f"queue {queue.name}" for queue in whole.queues),
        *(f"binding {binding.exchange} -> {binding.queue} ({binding.key})" for binding in whole.bindings),
    ]


def check(config: BrokerConfig, table: Sequence[Row]) -> list[str]:
    """Return the names of exchanges and queues of the table that the broker does not have.

    Raises
    ------
    Outage
        No broker answers.
    Permanent
        The broker refuses the user.
    """
    whole = topology(table, config)
    with connect(config) as connection:
        found = missing(
            connection.default_channel,
            exchanges=[exchange.name for exchange in whole.exchanges],
            queues=[queue.name for queue in whole.queues],
        )
    # A rung of the retry ladder is an exchange and a queue of the same name.
    return list(dict.fromkeys(found))


def connect(config: BrokerConfig) -> Any:
    """Return a plain connection for one-off work, to the first of the configured addresses that answers.

    Raises
    ------
    Outage
        No broker answers.
    Permanent
        The broker refuses the user or the virtual host.
    """
    failure: Failure | None = None
    for url in config.urls:
        connection = client(url, ssl=tls(config, url), connect_timeout=config.connect_timeout)
        try:
            connection.connect()
        except CONNECTION_ERRORS as error:
            connection.release()
            failure = explained(error, url)
        else:
            return connection
    assert failure is not None  # noqa: S101 - there is at least one URL
    raise failure


CONNECTION_ERRORS: tuple[type[Exception], ...] = (amqp.ConnectionError, amqp.ChannelError, OSError)
"""What py-amqp raises when a connection cannot be made or is lost; bad certificates and DNS names are `OSError`."""


def explained(error: Exception, url: str) -> Failure:
    """Return what a failed attempt to connect means, without secrets."""
    where = address(url)
    if isinstance(error, amqp.AccessRefused):
        return Permanent(
            f"The broker at {where} refused the user name or password.", "Correct the user and password in broker.url."
        )
    if isinstance(error, amqp.NotAllowed):
        return Permanent(
            f"The broker at {where} does not give the user this virtual host.",
            "Create it and grant the user permissions on it, or correct broker.url.",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return Outage(
            f"The certificate of the broker at {where} was refused: {error.verify_message.rstrip('.')}.",
            "Name the authority that signed it in broker.ca_file, and in broker.url the host that it was issued for.",
        )
    if isinstance(error, ssl.SSLError):
        said = (error.reason or "no reason given").replace("_", " ").lower()
        return Outage(
            f"The broker at {where} does not agree on TLS: {said}.",
            "Name its TLS port in broker.url, usually 5671; where it asks for one, the client's certificate in "
            "broker.cert_file.",
        )
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return Outage(f"No broker answered at {where}: {reason}.", "Start it, or correct broker.url.")


def tls(config: BrokerConfig, url: str) -> dict[str, Any] | bool:
    """Return kombu's TLS options for a URL: certificate and host name are always verified.

    Raises
    ------
    Permanent
        A file of the configuration cannot be read, or is not what it should be.
    """
    if not url.startswith("amqps:"):
        return False
    options: dict[str, Any] = {"server_hostname": parse_url(url)["hostname"] or "localhost"}
    if config.ca_file:
        options["ca_certs"] = _usable("ca_file", config.ca_file, ssl.SSLContext.load_verify_locations)
    if config.cert_file:
        key_file = config.key_file or None
        options["certfile"] = _usable(
            # An empty password keeps OpenSSL from asking for one at the terminal.
            "cert_file",
            config.cert_file,
            lambda context, path: context.load_cert_chain(path, key_file, ""),
        )
        options["keyfile"] = key_file
    return options


def _usable(key: str, path: str, load: Callable[[ssl.SSLContext, str], None]) -> str:
    """Return a path once its file is known to load; py-amqp's own error would not say which file it was."""
    try:
        load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), path)
    except OSError as error:  # ssl.SSLError is one
        reason = "it holds no PEM of that kind" if isinstance(error, ssl.SSLError) else error.strerror
        remedy = f"Correct broker.{key}{' and broker.key_file' if key == 'cert_file' else ''}."
        raise Permanent(f"broker.{key} names {path}, which cannot be used: {reason}.", remedy) from None
    return path
