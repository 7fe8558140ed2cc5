"""A simulated ECC on a real socket in a thread of its own, and calls as the adapter makes them."""

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.ecc.rfc import Session
from adapters.ecc.simulator.client import SimulatorConnection, connect
from adapters.ecc.simulator.config import SimulatorConfig
from adapters.ecc.simulator.server import Simulator

PATIENCE = 15.0
"""Seconds that a test waits for what must happen."""


class Clock:
    """ECC's clock, which a test can move."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class Ecc:
    """A running simulator as a test sees it."""

    def __init__(self, config: SimulatorConfig) -> None:
        self.config = config
        self.clock = Clock()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.sessions: list[Session] = []
        self.start()

    def start(self, port: int = 0) -> None:
        self.simulator = Simulator(self.config, port=port, clock=self.clock)
        self.url = self._run(self.simulator.start())

    def stop(self) -> None:
        self._run(self.simulator.stop())

    def end(self) -> None:
        for session in self.sessions:
            session.close()
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()

    def _run(self, coroutine: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result(PATIENCE)

    def connect(self, **given: Any) -> Session:
        session = connect(SimulatorConnection(url=self.url, **{"timeout": PATIENCE, **given}))
        self.sessions.append(session)
        return session

    def get(self, path: str) -> Any:
        return self._http("GET", path)

    def post(self, path: str, body: Any) -> Any:
        return self._http("POST", path, body)

    def fault(self, kind: str, **fields: Any) -> None:
        self.post("faults", {"kind": kind, **fields})

    def _http(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_simulator/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return json.load(response)

    def counts(self) -> Any:
        return self.get("counts")

    def eventually(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.005)


@pytest.fixture
def start_ecc() -> Iterator[Callable[..., Ecc]]:
    started: list[Ecc] = []

    def start(**config: Any) -> Ecc:
        started.append(Ecc(SimulatorConfig(**config)))
        return started[-1]

    yield start
    for ecc in started:
        ecc.end()


@pytest.fixture
def ecc(start_ecc: Callable[..., Ecc]) -> Ecc:
    return start_ecc()


def order(key: str = "default-000000001", **changes: Any) -> dict[str, Any]:
    """Return a sales order of two mugs at 10.00 and freight of 5.00 as parameters of the BAPI."""
    parameters: dict[str, Any] = {
        "ORDER_HEADER_IN": {
            "DOC_TYPE": "TA",
            "SALES_ORG": "1000",
            "DISTR_CHAN": "10",
            "DIVISION": "00",
            "PURCH_NO_C": key,
            "CURRENCY": "EUR",
        },
        "ORDER_PARTNERS": [{"PARTN_ROLE": "AG", "PARTN_NUMB": "0000010001"}],
        "ORDER_ITEMS_IN": [{"ITM_NUMBER": "000010", "MATERIAL": "MUG-01", "PLANT": "1000", "SALES_UNIT": "ST"}],
        "ORDER_SCHEDULES_IN": [{"ITM_NUMBER": "000010", "SCHED_LINE": "0001", "REQ_QTY": Decimal(2)}],
        "ORDER_CONDITIONS_IN": [
            condition("PR00", "10", item="000010", COND_P_UNT=Decimal(1), COND_UNIT="ST"),
            condition("HD00", "5"),
        ],
    }
    return {**parameters, **changes}


def condition(type_: str, value: str, item: str = "000000", **fields: Any) -> dict[str, Any]:
    return {"ITM_NUMBER": item, "COND_TYPE": type_, "COND_VALUE": Decimal(value), "CURRENCY": "EUR", **fields}


def with_header(**fields: Any) -> dict[str, Any]:
    """Return an order whose header differs in some fields."""
    parameters = order()
    return {**parameters, "ORDER_HEADER_IN": {**parameters["ORDER_HEADER_IN"], **fields}}


def opened(session: Session, key: str = "default-000000001", scope: str = "2") -> str:
    """Lock an order and return its sales order's number, if it has one."""
    found: str = session.call("Z_ORDERBUS_ORDER_OPEN", IV_ORDER_KEY=key, IV_SCOPE=scope)["EV_VBELN"]
    return found


def created(session: Session, key: str = "default-000000001", **changes: Any) -> Mapping[str, Any]:
    return session.call("BAPI_SALESORDER_CREATEFROMDAT2", **order(key, **changes))


def messages(answer: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [(row["TYPE"], row["ID"], row["NUMBER"]) for row in answer["RETURN"]]


def pending(number: int, customer_key: str = "1:42", **fields: str) -> dict[str, str]:
    return {
        "ORDER_KEY": f"default-{number:09}",
        "CUSTOMER_KEY": customer_key,
        "MAGENTO_CUSTOMER_ID": "42",
        "MAGENTO_ORDER_ID": str(number),
        "INCREMENT_ID": f"{number:09}",
        "STORE": "default",
        "WEBSITE": "1",
        "EMAIL": "acme.jane.doe@acme.example",
        "PLACED_AT": "2026-01-01T00:00:00Z",
        **fields,
    }


def customer(key: str = "1:42", company: str = "", **fields: Any) -> dict[str, Any]:
    return {
        "CUSTOMER_KEY": key,
        "COMPANY_KEY": company,
        "EMAIL": "jane.doe@acme.example",
        "ORIGINAL_EMAIL": "acme.jane.doe@acme.example",
        "NAME1": "ACME",
        "FIRST_NAME": "Jane",
        "LAST_NAME": "Doe",
        "COUNTRY": "DE",
        "CURRENCY": "EUR",
        "SALES_ORG": "1000",
        "DISTR_CHAN": "10",
        "DIVISION": "00",
        "REF_CUSTOMER": "0000000001",
        "CREDIT_AREA": "1000",
        "CREDIT_LIMIT": Decimal("500.00"),
        "CREDIT_CURRENCY": "EUR",
        "MAGENTO_CUSTOMER_ID": "42",
        "STORE": "default",
        "WEBSITE": "1",
        **fields,
    }
