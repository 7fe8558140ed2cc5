"""Whatever ECC answers, in RETURN tables or from our function modules, ends as a message or as a clear failure."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.ecc import rfc
from adapters.ecc.check import check
from adapters.ecc.clear_flags import clear_synced, clear_withdrawn
from adapters.ecc.customers import register_customers
from adapters.ecc.dictionary import FUNCTIONS, STRUCTURES, Field
from adapters.ecc.failures import call_failure, check_return, connect_failure
from adapters.ecc.holds import hold_orders
from adapters.ecc.orders import add_sales_orders
from adapters.ecc.registrations import NAME, poll_registrations
from adapters.ecc.releases import release_orders
from adapters.ecc.sessions import Sessions
from schemas import messages as m
from schemas.envelope import Publication
from schemas.failures import Failure
from state.database import Database, open_database
from state.kept import Lease
from state.migrations import migrate
from tests.ecc.examples import CONFIG, customer, message, order
from tests.hardening.fuzzing import VALUES, clear, fuzzed

REGISTRATION = m.Registration("0000012345", "0000000077")
REF = order().ref
ONE_PAGE = replace(CONFIG, page_size=3)
GOOD = {
    "EV_VBELN": "0000000123",
    "SALESDOCUMENT": "0000000123",
    "KUNNR": "0000010001",
    "PARNR": "0000000077",
    "REGISTERED_AT": "2026-11-23T03:00:00Z",
    "CHANGED_AT": "2026-11-23T03:00:00Z",
    "EV_NOW": "2026-11-23T03:00:00Z",
    "CREDIT_LIMIT": "5.00",
}
ERRORS = (
    rfc.AbapApplicationError,
    rfc.AbapRuntimeError,
    rfc.CommunicationError,
    rfc.RfcTimeoutError,
    rfc.LogonError,
    rfc.RfcError,
)
KEYS = (
    "",
    "FOREIGN_LOCK",
    "INVALID_KEY",
    "FU_NOT_FOUND",
    "RFC_NO_AUTHORITY",
    "RFC_INVALID_PARAMETER",
    "\n\0",
    "x" * 5000,
)


def usual(field: Field) -> str:
    """Return what a field holds when all is well, as far as anybody can say."""
    return GOOD.get(field.name, "")


@st.composite
def rows(draw: st.DrawFn, structure: str) -> Any:
    """Draw a structure: fields as they should be, some of them hostile or missing."""
    row: Any = {name: usual(field) for name, field in STRUCTURES[structure].items()}
    for name in draw(st.lists(st.sampled_from(sorted(row)), max_size=3, unique=True)):
        if draw(st.booleans()):
            row[name] = draw(VALUES)
        else:
            del row[name]
    return row


@st.composite
def answered(draw: st.DrawFn, function: str) -> Any:
    """Draw what a function module returns; pyrfc goes by the interface that the module has in ECC."""
    described = FUNCTIONS[function]
    answer: dict[str, Any] = {}
    for name, parameter in described.exports.items():
        answer[name] = usual(parameter.type) if isinstance(parameter.type, Field) else draw(rows(parameter.type))
    for name, parameter in described.tables.items():
        assert isinstance(parameter.type, str)
        answer[name] = draw(st.lists(rows(parameter.type), max_size=4))
    for name in draw(st.lists(st.sampled_from(sorted(answer)), max_size=2, unique=True)) if answer else ():
        if draw(st.integers(0, 2)):
            answer[name] = draw(VALUES)
        else:
            del answer[name]
    return answer


class Scripted:
    """A session whose answers are drawn; every call may fail in any way a call can."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self._calls = 0

    def call(self, function: str, /, **_: Any) -> Mapping[str, Any]:
        self._calls += 1
        assert self._calls < 50, "this goes on for ever"
        if self._data.draw(st.integers(0, 9)) == 0:
            kind, key = self._data.draw(st.sampled_from(ERRORS)), self._data.draw(st.sampled_from(KEYS))
            raise kind(self._data.draw(st.text(max_size=50)), key)
        answer: Mapping[str, Any] = self._data.draw(answered(function), label=function)
        return answer

    def commit(self) -> Mapping[str, Any]:
        return self.call("BAPI_TRANSACTION_COMMIT", WAIT="X").get("RETURN", {})  # type: ignore[no-any-return]

    def rollback(self) -> None:
        self.call("BAPI_TRANSACTION_ROLLBACK")

    def close(self) -> None:
        """Nothing is open."""


def sessions(data: st.DataObject) -> Sessions:
    return Sessions(lambda: Scripted(data), size=1, wait_seconds=1)


HANDLED: dict[str, tuple[Any, m.Body]] = {
    "orders": (
        lambda pool: add_sales_orders(pool, CONFIG, lambda *_: None),
        m.AddSalesOrder(order(), "0000010001"),
    ),
    "holds": (lambda pool: hold_orders(pool, CONFIG), m.HoldOrder(REF, customer(), order().placed_at)),
    "customers": (
        lambda pool: register_customers(pool, CONFIG),
        m.RegisterCustomer(customer(), "erika@example.com"),
    ),
    "releases": (lambda pool: release_orders(pool, ONE_PAGE), m.ReleaseOrders("1:42", REGISTRATION)),
    "synced": (lambda pool: clear_synced(pool, CONFIG), m.OrderSynced(REF, "0000000123", "0000010001")),
    "withdrawn": (lambda pool: clear_withdrawn(pool, CONFIG), m.OrderWithdrawn(REF, "cancelled")),
}


@pytest.mark.parametrize("service", HANDLED)
@fuzzed(40)
@given(data=st.data())
def test_answers_to_a_message(service: str, data: st.DataObject) -> None:
    make, body = HANDLED[service]
    try:
        bodies = list(make(sessions(data))(message(body)))
    except Failure as failure:
        clear(failure)
    else:
        assert all(isinstance(each, m.Body) for each in bodies)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('fuzz') / Path('bus.db')}")
    migrate(database)
    yield database
    database.close()


class Prepared(Scripted):
    """A session whose answers were drawn before, since hypothesis draws on the test's own thread alone."""

    def __init__(self, answers: Sequence[Any]) -> None:
        self._answers = list(answers)

    def call(self, _function: str, /, **_: Any) -> Mapping[str, Any]:
        nothing = {"EV_MORE": "", "EV_NOW": GOOD["EV_NOW"], "ET_CUSTOMERS": []}
        answer: Mapping[str, Any] = self._answers.pop(0) if self._answers else nothing
        return answer


@fuzzed(40)
@given(answers=st.lists(answered("Z_ORDERBUS_CUSTOMERS_CHANGED"), min_size=1, max_size=5))
def test_customers_that_are_polled(database: Database, answers: list[Any]) -> None:
    published: list[Publication] = []

    async def publish(publications: Sequence[Publication]) -> None:
        published.extend(publications)

    database.execute("DELETE FROM watermark")
    pool = Sessions(lambda: Prepared(answers), size=1, wait_seconds=1)
    poll = poll_registrations(pool, ONE_PAGE, database, Lease(database, NAME, "fuzz"))

    async def look() -> None:
        # Several times: what one look remembers must not be in the way of the next.
        for _ in range(3):
            try:
                await poll(publish)
            except Failure as failure:
                clear(failure)

    asyncio.run(look())


@fuzzed(15)
@given(data=st.data())
def test_what_is_checked(data: st.DataObject) -> None:
    for finding in check(sessions(data), CONFIG):
        if finding.failure is not None:
            clear(finding.failure)


@fuzzed(150)
@given(table=st.lists(rows("BAPIRET2"), max_size=5), kinds=st.lists(st.sampled_from("SWIEAX"), max_size=5))
@example(table=[{"TYPE": "A"}], kinds=[])
@example(table=[{"TYPE": "E", "MESSAGE": "x" * 100_000, "ID": None, "NUMBER": 7}], kinds=[])
def test_return_tables(table: list[Any], kinds: list[str]) -> None:
    for row, kind in zip(table, kinds, strict=False):
        row["TYPE"] = kind
    refused = any(str(row.get("TYPE")) in {"E", "A"} for row in table)
    try:
        check_return(table, "Order default-000000011", [("MC", "601")])
    except Failure as failure:
        clear(failure)
        raised = True
    else:
        raised = False
    assert raised == refused


@fuzzed(200)
@given(kind=st.sampled_from(ERRORS), text=st.text(), key=st.one_of(st.sampled_from(KEYS), st.text()))
def test_errors(kind: type[rfc.RfcError], text: str, key: str) -> None:
    error = kind(text, key)
    for failure in (call_failure(error, "Z_ORDERBUS_PENDING_ADD"), connect_failure(error)):
        clear(failure)
