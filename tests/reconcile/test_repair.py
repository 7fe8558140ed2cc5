"""What can be healed is healed by the real services, through a real broker, and stays healed."""

import contextlib
import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection

from adapters.contacts.directory import contacts
from adapters.ecc.registrations import NAME as REGISTRATIONS
from adapters.magento import ledger
from state import watermark
from state.database import open_database
from tests.flow.buying import buy, guest, prospect, registered
from tests.processes import free_port, wait_until
from tests.reconcile.conftest import Told, World, configure
from tests.stack import DEFAULT_CUSTOMER, SERVICES, Stack

OTHERS = [name for name in SERVICES if name != "reconcile"]


@pytest.fixture
def running(tmp_path: Path, broker_url: str, postgres_url: str) -> Iterator[World]:
    """Yield both simulators, a topology and a database; no service runs yet."""
    stack = Stack(tmp_path, broker_url, postgres_url, settings={"ecc": 'registration = "manual"\nsessions = 8'})
    configure(stack, grace=1, interval=0.5, repair=True)
    stack.start_systems()
    stack.prepare()
    world = World(stack)
    yield world
    world.close()


def start(stack: Stack, name: str, *services: str) -> None:
    """Run several services in one process."""
    port = stack.http_ports[name] = free_port()
    arguments = ["run", *services, "--config", str(stack.config), "--http-port", str(port)]
    stack.processes[name] = stack._server(name, arguments)
    stack.wait_ready(name)


def eventually(world: World, expected: dict[int, list[str]]) -> Told:
    """Reconcile until these findings are there, once everything else has had its time."""
    deadline = time.monotonic() + 60
    while (told := world.reconcile(expect=1 if expected else 0)).kinds() != expected or told.counts.get("in-flight"):
        assert time.monotonic() < deadline, json.dumps(
            [told.kinds(), expected, told.answer["counts"], world.stack.pending_orders()]
        )
    return told


def healed(world: World) -> None:
    """Wait until reconciling finds nothing, and nothing is on its way."""
    stack, deadline = world.stack, time.monotonic() + 60
    while unfinished := stack.unfinished() + [row["order_key"] for row in stack.pending_orders() if not row["cleared"]]:
        assert time.monotonic() < deadline, (unfinished, stack.run("dead", "list"), stack.processes["services"].tail())
        time.sleep(0.1)
    told = eventually(world, {})
    assert set(told.counts) <= {"matched", "not-due"}


def test_what_was_lost_is_found_and_healed_by_the_services_themselves(running: World) -> None:
    world, stack = running, running.stack
    buyers = [registered(0), registered(1), registered(2), *(guest(number) for number in range(5))]
    unnumbered, fine, lost, cancelled, unnoticed, expired, refused, sold = buy(stack.shop_url, buyers)
    # The message that placed this one was published, and vanished.
    database = open_database(_url(stack))
    ledger.settle(database, {str(lost): "vanished"}, [])
    start(stack, "services", *OTHERS)
    wait_until(lambda: len(stack.pending_orders()) == 5, "the guests' orders wait")
    wait_until(lambda: world.order(unnumbered)["ext_order_id"], "a number is written back")
    keys = {int(row["magento_order_id"]): row["customer_key"] for row in stack.pending_orders()}

    world.cancel(cancelled)
    world.sell_by_hand(sold)
    world.register(keys[refused], kunnr="0000099999")
    wait_until(lambda: "store's default" in stack.run("dead", "list", "--json"), "the release is refused", every=0.5)
    # By now whoever wrote it has read it back.
    world.write_number(unnumbered, "")
    world.register(keys[refused], kunnr="0000010001")
    # From here on nobody notices who is registered, as if the messages that say so had been lost.
    watermark.advance(database, REGISTRATIONS, ("2099-01-01T00:00:00Z", ""))
    database.close()
    assert world.lease(keys[expired], 1) == 1
    world.register(keys[expired])
    world.register(keys[unnoticed])

    broken = {
        unnumbered: ["missing-number-in-magento"],
        lost: ["missing-in-ecc"],
        cancelled: ["cancelled-while-waiting"],
        unnoticed: ["pending-though-registered"],
        expired: ["release-lease-expired"],
        refused: ["pending-though-registered"],
        sold: ["missing-number-in-magento", "flag-not-set"],
    }
    told = eventually(world, broken)
    assert all(finding["repairable"] for finding in told.findings)

    first = world.reconcile("--repair", expect=0)
    published = {int(one["order_id"]): one["published"] for one in first.findings if one["order_id"]}
    assert published == {
        unnumbered: "order.synced",
        lost: "order.placed",
        cancelled: "order.withdrawn",
        unnoticed: "customer.registered",
        expired: "customer.registered",
        refused: "order.released",
        sold: "order.synced",
    }
    # The directory did not learn of some of them either, unless what is published for their orders has told it.
    customers = [one for one in first.findings if one["sap_customer_number"]]
    assert {(one["kind"], one["published"]) for one in customers} <= {("contact-missing", "customer.registered")}
    assert first.answer["repaired"] == 8 + len(customers)
    # At once again, whatever is healed by then: it changes nothing.
    again = world.run("--repair", expect=0)
    assert "`orderbus dead list`" in again or "Nothing to do" in again

    healed(world)
    assert Counter(document["purch_no_c"] for document in stack.sales_orders()) == {
        world.key(order_id): 1 for order_id in (fine, *broken) if order_id != cancelled
    }
    reasons = {int(row["magento_order_id"]): row["reason"] for row in stack.pending_orders()}
    assert reasons == {cancelled: "CANCELLED", **dict.fromkeys((unnoticed, expired, refused, sold), "SYNCED")}
    sold_to = {document["purch_no_c"]: document["kunnr"] for document in stack.sales_orders()}
    assert sold_to[world.key(refused)] == "0000010001"

    # The same on a schedule: the service finds what is broken, heals it, and says so in its metrics.
    start(stack, "reconcile", "reconcile")
    wait_until(lambda: metric(stack, 'orderbus_reconcile_orders{standing="matched"}') == 7, "a sweep has ended")
    assert metric(stack, 'orderbus_reconcile_findings{kind="missing-number-in-magento"}') == 0
    world.write_number(unnumbered, "")
    wait_until(lambda: world.order(unnumbered)["ext_order_id"], "the number is written back once more")
    wait_until(lambda: metric(stack, 'orderbus_reconcile_repairs_total{routing_key="order.synced"}'), "it is counted")
    assert metric(stack, "orderbus_reconcile_duration_seconds") > 0
    assert abs(metric(stack, "orderbus_reconcile_last_run_timestamp_seconds") - time.time()) < 60
    stack.processes.pop("reconcile").terminate()
    healed(world)


def test_who_missed_a_registered_customer_learns_of_it(running: World) -> None:
    """The message reached neither the directory nor the shop: their queues were deleted when it was published."""
    world, stack = running, running.stack
    (order_id,) = buy(stack.shop_url, [prospect(0)])
    start(stack, "services", *OTHERS)
    wait_until(stack.pending_orders, "the order waits")
    (row,) = stack.pending_orders()
    world.register(row["customer_key"])
    wait_until(lambda: world.order(order_id)["ext_order_id"], "the order's number is written back")
    customer = world.registration(row["customer_key"])
    account = row["magento_customer_id"]
    with contextlib.closing(open_database(_url(stack))) as database:
        assert [one.sap_customer_number for one in contacts(database)] == [customer["KUNNR"]]
        database.execute("DELETE FROM contact")
        world.write_account(account, DEFAULT_CUSTOMER)
        deadline = time.monotonic() + 60
        while (told := world.reconcile()).customers() != {customer["KUNNR"]: ["contact-missing", "account-differs"]}:
            assert time.monotonic() < deadline, told.findings
        assert {one["account_id"] for one in told.findings} == {account}

        start(stack, "reconcile", "reconcile")
        name = 'orderbus_reconcile_repairs_total{routing_key="customer.registered"}'
        wait_until(lambda: metric(stack, name) >= 2, "both findings are healed by one message")
        wait_until(lambda: world.reconcile().findings == [], "nothing is found any more")
        (known,) = contacts(database)
    assert (known.customer_key, known.contact_person) == (row["customer_key"], customer["PARNR"])
    healed(world)


def test_repairing_needs_every_queue(running: World) -> None:
    """Without the services' queues a message would reach nobody, so nothing is compared at all."""
    text = running.stack.config.read_text()
    running.stack.config.write_text(text.replace("check_interval = 1.0", "check_interval = 1.0\nstart_timeout = 1.0"))
    _delete_queue(running.stack, "orderbus.router")
    output = running.run("--repair", expect=75)
    assert "orderbus.router is missing on the broker" in output


def metric(stack: Stack, name: str) -> float:
    """Return a metric of the service `reconcile`, 0 where it is not there."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.http_ports['reconcile']}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), 0.0)


def _url(stack: Stack) -> str:
    return stack.config.read_text().partition("[database]")[2].partition('url = "')[2].partition('"')[0]


def _delete_queue(stack: Stack, name: str) -> None:
    url = stack.config.read_text().partition('url = "')[2].partition('"')[0]
    with Connection(url) as connection:
        connection.default_channel.queue_delete(name)
