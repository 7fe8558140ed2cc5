"""State that survives a restart, state as JSON, and requests that make no sense."""

import http.client
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError

import pytest

from adapters.ecc.rfc import AbapApplicationError
from adapters.ecc.simulator.config import SimulatorConfig
from adapters.ecc.simulator.server import Simulator
from tests.ecc_simulator.conftest import Ecc, created, customer, opened, pending


@pytest.fixture
def file_ecc(start_ecc: Callable[..., Ecc], tmp_path: Path) -> Ecc:
    return start_ecc(database=str(tmp_path / "ecc.sqlite"))


def test_what_was_committed_survives_a_restart(file_ecc: Ecc) -> None:
    session = file_ecc.connect()
    created(session, "default-1")
    session.commit()
    session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=pending(1))
    registered = session.call("Z_ORDERBUS_CUSTOMER_REGISTER", IS_CUSTOMER=customer())["ES_CUSTOMER"]
    created(session, "default-2")
    file_ecc.stop()
    file_ecc.start()
    session = file_ecc.connect()
    assert opened(session, "default-1") == "0000000001"
    assert opened(session, "default-2") == ""
    assert file_ecc.counts()["pending"] == 1
    found = session.call("Z_ORDERBUS_CUSTOMER_REGISTER", IS_CUSTOMER=customer())
    assert (found["EV_CREATED"], found["ES_CUSTOMER"]) == ("", registered)
    assert created(session, "default-3")["SALESDOCUMENT"] > "0000000002"


def test_an_update_cut_off_by_a_stop_goes_on_at_the_next_start_under_its_lock(file_ecc: Ecc) -> None:
    file_ecc.fault("slow_update", seconds=60)
    session = file_ecc.connect()
    opened(session)
    created(session)
    session.call("BAPI_TRANSACTION_COMMIT")
    file_ecc.stop()
    file_ecc.config = SimulatorConfig(database=file_ecc.config.database, update_seconds=0.5)
    file_ecc.start()
    with pytest.raises(AbapApplicationError, match="FOREIGN_LOCK"):
        opened(file_ecc.connect())
    file_ecc.eventually(lambda: file_ecc.counts()["update_requests"] == 0)
    assert opened(file_ecc.connect()) == "0000000001"


def test_state_is_shown_in_pages(ecc: Ecc) -> None:
    session = ecc.connect()
    for number in range(1, 6):
        created(session, f"default-{number}")
        session.commit()
        session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=pending(number))
    for path, key in (("sales-orders", "vbeln"), ("pending-orders", "order_key"), ("customers", "kunnr")):
        whole = [item[key] for item in ecc.get(path)["items"]]
        seen: list[str] = []
        page = ecc.get(f"{path}?limit=2")
        while page["next"]:
            seen += [item[key] for item in page["items"]]
            page = ecc.get(f"{path}?limit=2&after={page['next']}")
        assert seen + [item[key] for item in page["items"]] == whole
        assert len(whole) >= 5
    assert [order["purch_no_c"] for order in ecc.get("sales-orders?key=default-3")["items"]] == ["default-3"]


def test_customers_are_shown_with_their_contacts_and_registrations(ecc: Ecc) -> None:
    made = ecc.connect().call("Z_ORDERBUS_CUSTOMER_REGISTER", IS_CUSTOMER=customer())["ES_CUSTOMER"]
    shown = next(item for item in ecc.get("customers")["items"] if item["kunnr"] == made["KUNNR"])
    assert (shown["origin"], shown["credit_limit"], shown["sales_area"]) == ("function", "500.00", "1000/10/00")
    assert [contact["parnr"] for contact in shown["contacts"]] == [made["PARNR"]]
    assert [row["customer_key"] for row in shown["registrations"]] == ["1:42"]


@pytest.mark.parametrize("path", ["sales-orders?limit=0", "customers?limit=many", "nowhere"])
def test_a_wrong_request_is_refused(ecc: Ecc, path: str) -> None:
    with pytest.raises(HTTPError) as error:
        ecc.get(path)
    assert error.value.code in {400, 404}
    assert json.load(error.value)["error"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/rfc/call", b'{"function": "RFC_PING"}'),
        ("/rfc/logon", b"not json"),
        ("/rfc/logon", b'{"user": 1}'),
        ("/rfc/nothing", b"{}"),
    ],
)
def test_nonsense_is_answered_and_harms_nobody(ecc: Ecc, path: str, body: bytes) -> None:
    connection = http.client.HTTPConnection(ecc.url.removeprefix("http://"))
    connection.request("POST", path, body)
    assert connection.getresponse().status >= 400
    connection.close()
    ecc.connect().call("RFC_PING")


def test_parameters_that_are_no_parameters_are_refused(ecc: Ecc) -> None:
    connection = http.client.HTTPConnection(ecc.url.removeprefix("http://"))
    logon = {"client": "100", "user": "ORDERBUS", "passwd": "simulator", "lang": "EN"}
    for path, body in (
        ("/rfc/logon", logon),
        ("/rfc/call", {"function": "Z_ORDERBUS_PENDING_ADD", "parameters": {"IS_PENDING": [[1]]}}),
        ("/rfc/call", {"function": "Z_ORDERBUS_ORDER_OPEN", "parameters": {"IV_ORDER_KEY": "x" * 36}}),
    ):
        connection.request("POST", path, json.dumps(body))
        answer = connection.getresponse().read()
    assert json.loads(answer)["error"]["key"] == "RFC_CONVERSION_FAILURE"
    connection.close()


async def test_a_port_in_use_is_an_error_and_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        simulator = Simulator(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            await simulator.start()
    with pytest.raises(RuntimeError, match="not running"):
        _ = simulator.system
    await simulator.stop()


async def test_two_simulators_share_nothing() -> None:
    one, other = Simulator(), Simulator()
    assert await one.start() != await other.start()
    one.system.database.execute("DELETE FROM customers")
    assert other.system.database.execute("SELECT COUNT(*) FROM customers").fetchone()[0] > 0
    await one.stop()
    await other.stop()


def test_it_is_fast_enough_never_to_be_what_is_measured(ecc: Ecc) -> None:
    session = ecc.connect()
    began = time.perf_counter()
    for number in range(100):
        opened(session, f"default-{number}")
        created(session, f"default-{number}")
        session.commit()
    assert 300 / (time.perf_counter() - began) > 75, "calls per second, on a machine that does other work too"
