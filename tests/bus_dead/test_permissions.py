"""A service's user can do what its row says, and nothing else."""

import json
import re

import amqp
import kombu
import pytest

from bus import dead, topology
from bus.config import BrokerConfig
from bus.permissions import OPERATOR, RETRY, Permission, definitions, operator, permission
from bus.service import Row
from orderbus.services import TABLE
from schemas.topics import COMMANDS, EVENTS, TOPIC_OF
from tests.processes import wait_until
from tests.rabbitmq import RabbitNode

ROW = {row.name: row for row in TABLE}


def user(rabbitmq: RabbitNode, vhost_url: str, allowed: Permission) -> str:
    """Make the user on the node, permissions on routing keys included, and return its URL."""
    vhost = vhost_url.rpartition("/")[2]
    name = f"{allowed.user}-{vhost}"
    url = rabbitmq.add_user(name, (allowed.configure, allowed.write, allowed.read), vhost=vhost)
    rabbitmq.eval(
        f'rabbit_auth_backend_internal:set_topic_permissions(<<"{name}">>, <<"{vhost}">>, <<"{EVENTS}">>, '
        f'<<{json.dumps(allowed.routing_keys)}>>, <<".*">>, <<"tests">>), ok.'
    )
    return url


@pytest.fixture
def applied(broker_url: str) -> str:
    topology.apply(BrokerConfig(url=broker_url), TABLE)
    return broker_url


def refused(url: str, exchange: str, key: str) -> bool:
    """Whether the broker refuses that user a message."""
    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
        channel = connection.default_channel
        try:
            channel.basic_publish(amqp.Message("x"), exchange=exchange, routing_key=key, mandatory=True)
        except amqp.AccessRefused:
            return True
        except amqp.ChannelError as error:
            if "NO_ROUTE" not in str(error):
                raise
    return False


def unreadable(url: str, queue: str) -> bool:
    with kombu.Connection(url) as connection:
        try:
            connection.default_channel.basic_get(queue)
        except amqp.AccessRefused:
            return True
    return False


@pytest.mark.parametrize("row", [ROW["router"], ROW["ecc-orders"], ROW["contacts"]], ids=lambda row: row.name)
def test_a_service_may_what_its_row_says_and_nothing_else(rabbitmq: RabbitNode, applied: str, row: Row) -> None:
    url = user(rabbitmq, applied, permission(row))
    published = {TOPIC_OF[body] for body in row.publishes}
    allowed = {(topic.exchange, topic.routing_key) for topic in published}
    # Only topic exchanges know permissions on routing keys; the direct one is the router's alone.
    commands = any(topic.exchange == COMMANDS for topic in published)
    for topic in TOPIC_OF.values():
        way = (topic.exchange, topic.routing_key)
        expected = way in allowed or (topic.exchange == COMMANDS and commands)
        assert refused(url, *way) != expected, way
    assert not refused(url, topology.DEAD, row.queue)
    assert not refused(url, topology.retry_name(5), row.queue)
    assert refused(url, "", ROW["magento-orders"].queue), "the default exchange reaches every queue"
    assert refused(url, topology.REQUEUE, row.queue)
    for other in TABLE:
        assert unreadable(url, other.queue) == (other != row)
        assert unreadable(url, topology.dead_queue(other.name))
    with kombu.Connection(url) as connection, pytest.raises(amqp.AccessRefused):
        connection.default_channel.queue_declare("orderbus.new")
    with kombu.Connection(url) as connection, pytest.raises(amqp.AccessRefused):
        connection.default_channel.queue_delete(row.queue)
    with kombu.Connection(url) as connection, pytest.raises(amqp.AccessRefused):
        connection.default_channel.queue_bind(row.queue, EVENTS, "#")


def test_the_operator_declares_the_topology_and_handles_dead_letters(rabbitmq: RabbitNode, broker_url: str) -> None:
    url = user(rabbitmq, broker_url, operator())
    config = BrokerConfig(url=url)
    assert topology.apply(config, TABLE)
    assert topology.check(config, TABLE) == []
    with kombu.Connection(broker_url, transport_options={"confirm_publish": True}) as connection:
        message = amqp.Message("x", message_id="one")
        connection.default_channel.basic_publish(
            message, exchange=topology.DEAD, routing_key="orderbus.contacts", mandatory=True
        )
    assert [letter.id for letter in dead.list_dead(config, TABLE)] == ["one"]
    assert [letter.id for letter in dead.retry(config, TABLE, ["one"])] == ["one"]
    assert refused(url, EVENTS, "order.placed")


def test_a_broker_takes_the_definitions(rabbitmq: RabbitNode, broker_url: str) -> None:
    vhost = broker_url.rpartition("/")[2]
    passwords = {name: f"password of {name}" for name in (OPERATOR, *ROW)}
    file = rabbitmq.directory / "definitions.json"
    file.write_bytes(kombu.utils.json.dumps(definitions(TABLE, passwords, vhost=vhost)).encode())
    try:
        rabbitmq.ctl("import_definitions", str(file))
        topology.apply(BrokerConfig(url=rabbitmq.url(vhost, user=OPERATOR, password=passwords[OPERATOR])), TABLE)
        url = rabbitmq.url(vhost, user="magento-orders", password=passwords["magento-orders"])
        wait_until(lambda: not refused(url, EVENTS, "order.placed"), "the user may publish")
        assert refused(url, EVENTS, "order.synced")
    finally:
        for name in passwords:
            rabbitmq.eval(f'catch rabbit_auth_backend_internal:delete_user(<<"{name}">>, <<"tests">>), ok.')


def test_the_expression_of_the_retry_ladder_is_that_of_its_names() -> None:
    assert re.fullmatch(RETRY, topology.retry_name(86_400))
