"""Faults of the broker and of the network before it."""

import random
import re
from collections import Counter
from collections.abc import Sequence

from bus.config import BrokerConfig
from bus.topology import apply
from orderbus.services import ROW_NAMED, TABLE
from tests.faults.bench import CONSUMERS, RETRY_DELAYS, Bench
from tests.faults.plan import Entry, Healing, Injector
from tests.faults.wire import delete_when_empty
from tests.rabbitmq import RabbitNode

ALONE = "broker"

TAKERS = Counter(body for row in TABLE for body in row.consumes)
ALONE_TAKING = tuple(row.name for row in TABLE if row.consumes and all(TAKERS[body] == 1 for body in row.consumes))
"""Services that alone take each of their messages: whoever publishes one is told when their queue is missing."""
SHARING = ("magento-customers", "magento-order-numbers", "ecc-clear-flags", "contacts")
"""Services that share an event with others. The broker counts it as delivered when any one queue takes it, so what is
published between the deletion of theirs and the next look for it has to be found by `orderbus reconcile`."""


def _down(node: RabbitNode, seconds: float) -> Healing:
    return Healing(seconds, node.start)


def restart(bench: Bench, draws: random.Random) -> Healing:
    """Stop a node in good order and start it again."""
    node = draws.choice(bench.nodes)
    node.stop()
    return _down(node, draws.uniform(0.0, 3.0))


def kill(bench: Bench, draws: random.Random) -> Healing:
    """Kill a node as ``kill -9`` does and start it again."""
    node = draws.choice(bench.nodes)
    node.settle()
    node.kill()
    return _down(node, draws.uniform(0.0, 3.0))


def kill_leader(bench: Bench, draws: random.Random) -> Healing:
    """Kill the node that leads a service's queue."""
    queue = f"orderbus.{draws.choice(CONSUMERS)}"
    answer = bench.node.eval(
        f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{bench.vhost}">>, queue, <<"{queue}">>)), '
        "{ok, _, {_, Leader}} = ra:members(amqqueue:get_pid(Q)), Leader."
    )
    name = re.sub(r"['\s]", "", answer)
    node = next(node for node in bench.nodes if node.name == name)
    node.settle()
    node.kill()
    return _down(node, draws.uniform(1.0, 5.0))


def memory_alarm(bench: Bench, draws: random.Random) -> Healing:
    """Have the broker block everybody who publishes."""
    node = bench.node
    node.raise_memory_alarm()
    return Healing(draws.uniform(0.5, 6.0), node.clear_memory_alarm)


def close_connections(bench: Bench, draws: random.Random) -> None:
    """Close every connection as an operator can."""
    del draws
    for node in bench.nodes:
        node.close_all_connections(bench.vhost)


def delete_queue(services: Sequence[str]) -> Injector:
    """Return the fault that deletes a queue and declares it again a little later.

    What a queue holds goes with it, whatever the software; so it is deleted in a moment when it holds nothing.
    """

    def inject(bench: Bench, draws: random.Random) -> Healing | None:
        service = draws.choice(services)
        consumed = set(ROW_NAMED[service].consumes)
        feeding = [
            name for name in bench.services if consumed.intersection(ROW_NAMED[name.partition("#")[0]].publishes)
        ]
        if not delete_when_empty(bench, f"orderbus.{service}", feeding):
            raise TimeoutError(f"the queue of {service} never ran empty")
        if service in SHARING:
            bench.to_repair.append(f"queue of {service} deleted")

        def redeclare() -> None:
            apply(BrokerConfig(url=bench.url(), retry_delays=RETRY_DELAYS), TABLE)

        return Healing(draws.uniform(0.0, 3.0), redeclare)

    return inject


def cut(bench: Bench, draws: random.Random) -> None:
    """Cut every connection to the broker."""
    draws.choice(bench.proxies).cut()


def unreachable(bench: Bench, draws: random.Random) -> Healing:
    """Let no connection to the broker stand for a while."""
    proxy = draws.choice(bench.proxies)
    proxy.refuse()
    return Healing(draws.uniform(0.5, 5.0), proxy.restore)


def stall(bench: Bench, draws: random.Random) -> Healing:
    """Pass nothing on in one direction or both, for less or more than two heartbeats."""
    proxy = draws.choice(bench.proxies)
    proxy.stall(*draws.choice((("to_server",), ("to_client",), ("to_server", "to_client"))))
    return Healing(draws.choice((1.0, 4.0, 14.0)), proxy.restore)


def delay(bench: Bench, draws: random.Random) -> Healing:
    """Pass everything on late."""
    proxy = draws.choice(bench.proxies)
    proxy.delay(draws.uniform(0.05, 0.4))
    return Healing(draws.uniform(2.0, 6.0), proxy.restore)


CATALOGUE = (
    Entry("restart", restart, alone=ALONE),
    Entry("kill -9", kill, alone=ALONE),
    Entry("leader killed", kill_leader, weight=2, alone=ALONE, nodes=3),
    Entry("memory alarm", memory_alarm, alone=ALONE),
    Entry("connections closed", close_connections, weight=2, alone=ALONE),
    Entry("queue deleted", delete_queue(ALONE_TAKING), weight=2, alone=ALONE),
    Entry("queue of a shared event deleted", delete_queue(SHARING), alone=ALONE),
    Entry("network cut", cut, weight=2, alone=ALONE),
    Entry("network refuses", unreachable, alone=ALONE),
    Entry("network stalls", stall, alone=ALONE),
    Entry("network slow", delay, alone=ALONE),
)
