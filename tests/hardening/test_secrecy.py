"""Secrets and personal data stay inside, whatever fails: real processes, marked values, every output searched."""

import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kombu
import pytest
from msgspec.structs import replace

from schemas import messages as m
from tests.bus.sample import order
from tests.flow.buying import Buyer, Person, buy
from tests.hardening.raw import put
from tests.processes import Server, free_port, wait_until
from tests.stack import ADMIN_TOKEN, DEFAULT_CUSTOMER, SERVICES, Stack, post

ECC_PASSWORD = "MARKED-ecc-password-7Q"
PERSON = Person(
    email="zmarkedmail.person@zmarkedhost.example",
    first_name="Zmarkedfirst",
    # Longer than a name in ECC may be: the order and its customer end in the dead letters.
    last_name="Zmarkedlast" + "x" * 60,
    company="Zmarkedcompany",
    city="Zmarkedcity",
    street=("Zmarkedstreet 1",),
    telephone="030 99887711",
)
PERSONAL = ("zmarked", "030 99887711")
BROKEN = b'{"order": {"buyer": {"email": "zmarkedmail@x.example", "key": 7}}, "zmarked": "Zmarkedfirst'


def marked_order() -> m.AddSalesOrder:
    """Return an order whose lines do not add up, of somebody with marked data."""
    whole = order(1)
    buyer = replace(whole.buyer, email=PERSON.email, first_name=PERSON.first_name, last_name=PERSON.last_name)
    address = replace(
        whole.billing, first_name=PERSON.first_name, last_name="Zmarkedlast", street=PERSON.street, city=PERSON.city
    )
    marked = replace(whole, buyer=buyer, billing=address, delivery=address, comment="Zmarkedcomment")
    return m.AddSalesOrder(replace(marked, totals=replace(whole.totals, net=whole.totals.net + 1)), "0000010001")


@pytest.fixture
def stack(tmp_path: Path, broker_url: str, postgres_url: str) -> Iterator[Stack]:
    """Yield a stack that logs all it can, not started."""
    made = Stack(
        tmp_path,
        broker_url,
        postgres_url,
        settings={"broker": "start_timeout = 1.0\nbug_attempts = 2", "ecc": "sessions = 1"},
        ecc_options=["--password", ECC_PASSWORD],
    )
    text = made.config.read_text().replace('passwd = "simulator"', f'passwd = "{ECC_PASSWORD}"')
    made.config.write_text(text + '\n[log]\nlevel = "DEBUG"\n')
    try:
        yield made
    finally:
        made.close()


def secrets(stack: Stack) -> list[str]:
    """Return every secret of a stack's configuration."""
    urls = [line.split('"')[1] for line in stack.config.read_text().splitlines() if line.startswith("url = ")]
    passwords = [urlsplit(url).password for url in urls]
    return [ADMIN_TOKEN, ECC_PASSWORD, *filter(None, passwords)]


def assert_free(output: str, forbidden: list[str], where: str) -> None:
    """Check that none of the values stands in an output, however it is cased."""
    for value in forbidden:
        at = output.lower().find(value.lower())
        assert at < 0, f"{where}: {output[max(0, at - 300) : at + 300]}"


def metrics(stack: Stack) -> str:
    """Return the metrics of every service."""
    texts = []
    for name, port in stack.http_ports.items():
        if name in stack.processes:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as response:
                texts.append(response.read().decode())
    return "\n".join(texts)


def headers_of_the_dead(broker_url: str) -> list[dict[str, Any]]:
    """Return the headers of every dead letter."""
    found = []
    with kombu.Connection(broker_url) as connection:
        channel = connection.default_channel
        for service in SERVICES:
            while (message := channel.basic_get(f"orderbus.{service}.dead", no_ack=False)) is not None:
                found.append(message.headers)
    return found


def start_defective(stack: Stack, service: str) -> None:
    """Start a service whose handlers have a defect."""
    port = stack.http_ports[service] = free_port()
    arguments = ["run", service, "--config", str(stack.config), "--http-port", str(port)]
    command = [sys.executable, "-m", "tests.hardening.defective", *arguments]
    stack.processes[service] = Server(command, log=stack.directory / f"{service}.log", env=stack._environment())
    stack.wait_ready(service)


def test_nothing_secret_or_personal_gets_out_when_orders_fail(stack: Stack, broker_url: str) -> None:
    stack.start_systems()
    stack.prepare()
    stack.start_services([name for name in SERVICES if name != "contacts"])
    start_defective(stack, "contacts")
    post(f"{stack.shop_url}/_simulator/faults", {"planned": [{"kind": "error", "method": "PUT"}]})
    fault = {"kind": "return_message", "function": "BAPI_SALESORDER*", "message": f"{PERSON.email} is not allowed"}
    post(f"{stack.ecc_url}/_simulator/faults", fault)

    short = Person(PERSON.email, "Zmarkedfirst", "Zmarkedlast", street=PERSON.street, city=PERSON.city)
    buy(
        stack.shop_url,
        [Buyer(PERSON, DEFAULT_CUSTOMER), Buyer(replace(short, email="zmarked2@x.example"), "0000010001")],
    )
    buy(stack.shop_url, [Buyer(replace(short, email="zmarked3@x.example"))])
    put(broker_url, "orderbus.router", "orderbus.order.placed.v1", BROKEN)
    put(broker_url, "orderbus.ecc-orders", "orderbus.ecc.order.add.v1", marked_order())

    # At least: ecc-registrations notices the new customer as well, and then contacts fails at it twice.
    expected = {"undecodable": 1, "permanent": 3, "bug": 1}

    def given_up() -> bool:
        counts = dict.fromkeys(expected, 0)
        for line in metrics(stack).splitlines():
            if line.startswith("orderbus_dead_lettered_total"):
                reason = line.partition('reason="')[2].partition('"')[0]
                counts[reason] += int(float(line.rpartition(" ")[2]))
        return all(counts[reason] >= least for reason, least in expected.items())

    wait_until(given_up, "every failure has come to its end", seconds=180, every=0.3)
    logs = {name: (stack.directory / f"{name}.log").read_text() for name in stack.http_ports}
    assert "Where it failed" in logs["contacts"]
    assert "dead-lettered (permanent)" in logs["ecc-orders"]
    shown = {"the log of " + name: text for name, text in logs.items()} | {
        "the metrics": metrics(stack),
        "dead list": stack.run("dead", "list"),
        "dead list --json": stack.run("dead", "list", "--json"),
        "the dead letters' headers": repr(headers_of_the_dead(broker_url)),
        "skipped": stack.run("skipped", "list"),
    }
    for where, output in shown.items():
        assert_free(output, [*secrets(stack), *PERSONAL], where)
    for command in (("config", "show"), ("check",), ("config", "show", "--json"), ("check", "--json")):
        assert_free(stack.run(*command), secrets(stack), " ".join(command))


@pytest.mark.parametrize("what", ["password", "host"])
def test_no_secret_gets_out_when_nothing_can_be_reached(stack: Stack, what: str) -> None:
    text = stack.config.read_text()
    before = secrets(stack)
    for secret in before:
        text = text.replace(secret, f"{secret}-MARKED-WRONG") if what == "password" else text
    if what == "host":
        text = text.replace("127.0.0.1", "nowhere.invalid")
    else:
        stack.start_systems()
    stack.config.write_text(text)
    said = stack.run("check", expect=1)
    for part in ("broker", "database", "magento", "ecc"):
        assert f"NO  {part}" in said
    outputs = [said, stack.run("config", "show")]
    for arguments in (["run", "contacts"], ["topology", "apply"], ["dead", "list"], ["database", "status"]):
        log = stack.directory / f"failed-{len(outputs)}"
        server = Server(stack.command(*arguments, "--config", str(stack.config)), log=log, env=stack._environment())
        assert server.wait(60) in {1, 75}, server.tail()
        outputs.append(log.read_text())
        assert "orderbus: " in outputs[-1]
        assert "Traceback" not in outputs[-1]
    for output in outputs:
        assert_free(output, [*before, "MARKED-WRONG"], "an output")
