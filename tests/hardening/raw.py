"""Messages put straight into a service's queue, as a publisher of another system might."""

from typing import Any

import amqp
import kombu
import msgspec

_json = msgspec.json.Encoder(decimal_format="string")


def put(url: str, queue: str, type_name: str, body: Any, *, ca_file: str = "", **headers: str) -> None:
    """Put a message into a queue and wait for the broker's confirm.

    Parameters
    ----------
    body:
        Bytes as they are; anything else as JSON.
    ca_file:
        For an ``amqps://`` URL, the authority to trust.
    headers:
        CloudEvents attributes in place of the usual ones.
    """
    attributes = {"specversion": "1.0", "id": "from-outside", "source": "/tests", "type": type_name} | headers
    tls = {"ca_certs": ca_file, "server_hostname": "localhost"} if ca_file else False
    with kombu.Connection(url, ssl=tls, transport_options={"confirm_publish": True}) as connection:
        message = amqp.Message(
            body if isinstance(body, bytes) else _json.encode(body),
            message_id=attributes["id"],
            content_type="application/json",
            application_headers={f"cloudEvents_{name}": value for name, value in attributes.items()},
        )
        connection.default_channel.basic_publish(message, exchange="", routing_key=queue, mandatory=True)
