"""How the broker is reached, and how patient the bus is."""

from typing import Annotated

from kombu.utils.url import parse_url
from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
"""A span of time that must not be zero."""
Rung = Annotated[int, Meta(ge=1, le=86_400)]
"""Whole seconds that a message waits in one queue of the retry ladder."""

MEMORY = "memory"
"""URL scheme of the embedded broker."""
SCHEMES = ("amqp", "amqps", MEMORY)


class BrokerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The broker, and the limits within which messages are tried, retried and given up."""

    url: str = "memory://"
    """``amqp://user:password@host:port/vhost``, ``amqps://`` for TLS, several joined by ``;`` for fail-over,
    or ``memory://`` for a broker inside the process."""
    ca_file: str = ""
    """PEM file of the authority that signed the broker's certificate; empty: the system's authorities."""
    cert_file: str = ""
    """PEM file of the client's own certificate, where the broker asks for one."""
    key_file: str = ""
    """PEM file of the key to `cert_file`."""
    heartbeat: Annotated[int, Meta(ge=1, le=600)] = 30
    """Seconds; a peer that is silent for two of them is taken for dead."""
    connect_timeout: Seconds = 5.0
    """Seconds for one address to answer and to shake hands; also for any single answer of the broker's later."""
    start_timeout: Seconds = 30.0
    """Seconds to keep looking for a broker at start before giving up."""
    stop_timeout: Seconds = 20.0
    """Seconds to finish what is in hand when stopping; what is left then is delivered again to somebody else."""
    reconnect_delay: Seconds = 10.0
    """Longest pause between two attempts to reconnect; the first is a fraction of a second."""
    confirm_timeout: Seconds = 30.0
    """Seconds to wait for the broker to confirm a message; then its channel is given up and all is sent again."""
    check_interval: Seconds = 5.0
    """Seconds between two looks whether every queue is there that should receive what this process publishes."""
    retry_delays: Annotated[tuple[Rung, ...], Meta(min_length=1, max_length=20)] = (1, 5, 30, 120, 600)
    """The rungs of the retry ladder; attempts beyond the last one repeat it."""
    max_attempts: Annotated[int, Meta(ge=1, le=1000)] = 8
    """Attempts of a message whose handler fails transiently; then it is dead-lettered."""
    bug_attempts: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Attempts of a message whose handler raises anything but a `schemas.failures.Failure`."""
    delivery_limit: Annotated[int, Meta(ge=1, le=10_000)] = 20
    """Deliveries of a message that kills its process or loses its connection; then it is dead-lettered."""
    max_message_bytes: Annotated[int, Meta(ge=1024, le=64_000_000)] = 4_000_000
    """Largest body, in and out."""
    breaker_delays: Annotated[tuple[Seconds, ...], Meta(min_length=1, max_length=20)] = (1, 2, 5, 10)
    """Seconds for which a service takes no work in, at most, after the first, second ... outage in a row."""

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses in the order in which they are tried."""
        return tuple(self.url.split(";"))

    @property
    def embedded(self) -> bool:
        """Whether the broker lives in the process."""
        return self.urls[0].startswith(f"{MEMORY}:")

    def __post_init__(self) -> None:
        """Refuse what no single field's type can."""
        for url in self.urls:
            scheme, separator, _ = url.partition("://")
            if not separator or scheme not in SCHEMES:
                msg = f"url: expected one of {', '.join(f'{known}://' for known in SCHEMES)}"
                raise ValueError(msg)
            try:
                address(url)
            except ValueError:
                # Its own text may quote a part of the password.
                raise ValueError("url: host and port cannot be read; a password needs %-encoding") from None
        if self.embedded and len(self.urls) > 1:
            raise ValueError("url: memory:// has no fail-over")
        if list(self.retry_delays) != sorted(set(self.retry_delays)):
            raise ValueError("retry_delays: each must be longer than the one before")
        if self.key_file and not self.cert_file:
            raise ValueError("key_file: needs cert_file")


def address(url: str) -> str:
    """Return where a broker URL points, without user and password, for logs and error texts.

    >>> address("amqp://orderbus:secret@broker:5673/shop")
    'broker:5673/shop'
    """
    parts = parse_url(url)
    port = parts["port"] or (5671 if parts["transport"] == "amqps" else 5672)
    return f"{parts['hostname'] or 'localhost'}:{port}/{parts['virtual_host'] or ''}"
