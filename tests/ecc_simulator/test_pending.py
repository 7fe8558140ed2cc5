"""Held orders: a row is recorded once, handed out once per lease, and closed once."""

import itertools
import time
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.ecc.rfc import AbapApplicationError, Session
from adapters.ecc.simulator.state import timestamp
from tests.ecc_simulator.conftest import Ecc, created, pending


def add(session: Session, row: Mapping[str, str]) -> Mapping[str, Any]:
    return session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=row)


def get(session: Session, lease: str, **given: Any) -> list[str]:
    """Return the numbers of the rows that a page holds."""
    parameters = {"IV_CUSTOMER_KEY": "1:42", "IV_LEASE_ID": lease, "IV_LEASE_SECONDS": 60, "IV_MAX_ROWS": 100}
    rows = session.call("Z_ORDERBUS_PENDING_GET", **{**parameters, **given})["ET_ROWS"]
    return [row["MAGENTO_ORDER_ID"] for row in rows]


def clear(session: Session, number: int, reason: str = "CANCELLED", vbeln: str = "") -> tuple[str, str]:
    answer = session.call(
        "Z_ORDERBUS_PENDING_CLEAR", IV_ORDER_KEY=f"default-{number:09}", IV_REASON=reason, IV_VBELN=vbeln
    )
    return answer["EV_FOUND"], answer["EV_CHANGED"]


@pytest.fixture
def session(ecc: Ecc) -> Session:
    """Return a session of an ECC that holds three orders of one customer and one of another."""
    session = ecc.connect()
    for number in (3, 1, 2):
        add(session, pending(number))
        ecc.clock.advance(1)
    add(session, pending(4, "1:43"))
    return session


def test_a_row_that_exists_is_left_as_it_is(ecc: Ecc) -> None:
    session = ecc.connect()
    first = add(session, pending(1))
    assert (first["EV_EXISTED"], first["ES_ROW"]["CLEARED"]) == ("", "")
    again = add(session, pending(1, "1:99", EMAIL="other@example.com"))
    assert (again["EV_EXISTED"], again["ES_ROW"]) == ("X", first["ES_ROW"])
    clear(session, 1)
    assert add(session, pending(1))["ES_ROW"]["CLEARED"] == "X"
    assert ecc.counts()["pending"] == 1


@pytest.mark.parametrize("wrong", [{"ORDER_KEY": ""}, {"CUSTOMER_KEY": ""}, {"PLACED_AT": "yesterday"}])
def test_a_row_without_its_keys_is_refused(ecc: Ecc, wrong: dict[str, str]) -> None:
    with pytest.raises(AbapApplicationError) as error:
        add(ecc.connect(), {**pending(1), **wrong})
    assert error.value.key == "INVALID_ROW"
    assert ecc.counts()["locks"] == 0


def test_rows_are_handed_out_oldest_first_and_once_per_lease(session: Session) -> None:
    assert get(session, "one") == ["3", "1", "2"]
    assert get(session, "other") == []
    assert get(session, "one") == ["3", "1", "2"]


def test_a_lease_that_ran_out_is_over(ecc: Ecc, session: Session) -> None:
    assert get(session, "one", IV_MAX_ROWS=1) == ["3"]
    assert get(session, "other") == ["1", "2"]
    ecc.clock.advance(59)
    assert get(session, "third") == []
    ecc.clock.advance(2)
    assert get(session, "third") == ["3", "1", "2"]
    assert get(session, "one") == []


def test_leases_begun_before_a_time_count_as_over(ecc: Ecc, session: Session) -> None:
    assert get(session, "one", IV_MAX_ROWS=2) == ["3", "1"]
    ecc.clock.advance(2)
    start = timestamp(ecc.clock())
    ecc.clock.advance(2)
    assert get(session, "other", IV_LEASED_BEFORE=start, IV_MAX_ROWS=1) == ["3"]
    assert get(session, "third", IV_LEASED_BEFORE=start) == ["1", "2"]


def test_looking_takes_no_lease(session: Session) -> None:
    get(session, "one", IV_MAX_ROWS=1)
    assert get(session, "", IV_PEEK="X") == ["3", "1", "2"]
    clear(session, 1)
    assert get(session, "", IV_PEEK="X") == ["3", "2"]
    assert get(session, "", IV_PEEK="X", IV_CUSTOMER_KEY="") == ["3", "1", "2", "4"]
    assert get(session, "other") == ["2"]


def test_pages_continue_behind_the_last_row(session: Session) -> None:
    answer = session.call("Z_ORDERBUS_PENDING_GET", IV_CUSTOMER_KEY="1:42", IV_MAX_ROWS=2, IV_PEEK="X")
    assert answer["EV_MORE"] == "X"
    assert get(session, "one", IV_AFTER=answer["ET_ROWS"][-1]["ORDER_KEY"]) == ["2"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"IV_MAX_ROWS": 0},
        {"IV_MAX_ROWS": 1001},
        {"IV_LEASE_SECONDS": 0},
        {"IV_LEASE_ID": ""},
        {"IV_CUSTOMER_KEY": ""},
        {"IV_AFTER": "no-such-row"},
        {"IV_LEASED_BEFORE": "yesterday"},
    ],
)
def test_a_page_needs_sound_arguments(session: Session, wrong: dict[str, Any]) -> None:
    with pytest.raises(AbapApplicationError) as error:
        get(session, "one", **wrong)
    assert error.value.key == "INVALID_ARGUMENT"


def test_a_row_is_closed_once(session: Session, ecc: Ecc) -> None:
    assert clear(session, 1, "DELETED") == ("X", "X")
    assert clear(session, 1, "CANCELLED") == ("X", "")
    assert clear(session, 9) == ("", "")
    closed = next(row for row in ecc.get("pending-orders")["items"] if row["cleared"])
    assert (closed["order_key"], closed["reason"]) == ("default-000000001", "DELETED")
    assert get(session, "one") == ["3", "2"]


def test_synced_needs_a_sales_order_that_exists(ecc: Ecc, session: Session) -> None:
    vbeln = created(session)["SALESDOCUMENT"]
    session.commit()
    assert clear(session, 1, "SYNCED", vbeln) == ("X", "X")
    for reason, number in (("SYNCED", "0000004711"), ("LOST", "")):
        with pytest.raises(AbapApplicationError) as error:
            clear(ecc.connect(), 2, reason, number)
        assert error.value.key == "INVALID_ARGUMENT"
    assert ecc.counts()["uncleared"] == 3


def test_a_locked_row_is_a_foreign_lock(ecc: Ecc, session: Session) -> None:
    ecc.fault("lock_held", object="EZORDERBUS_PEND", key="default-000000001", for_seconds=60)
    with pytest.raises(AbapApplicationError) as error:
        clear(session, 1)
    assert error.value.key == "FOREIGN_LOCK"


def test_ten_thousand_rows_take_a_time_that_grows_as_they_do(ecc: Ecc) -> None:
    database = ecc.simulator.config.database
    assert database == ":memory:"

    async def fill() -> None:
        ecc.simulator.system.database.executemany(
            "INSERT INTO zorderbus_pend (order_key, customer_key, magento_order_id, added_at) VALUES (?, '1:42', ?, ?)",
            [(f"default-{n:09}", str(n), f"2026-01-01T00:{n // 60 % 60:02}:{n % 60:02}Z") for n in range(10_000)],
        )

    ecc._run(fill())
    session = ecc.connect()
    seen: list[str] = []
    seconds: list[float] = []
    after = ""
    for _ in itertools.count():
        began = time.perf_counter()
        answer = session.call(
            "Z_ORDERBUS_PENDING_GET",
            IV_CUSTOMER_KEY="1:42",
            IV_LEASE_ID="one",
            IV_LEASE_SECONDS=600,
            IV_MAX_ROWS=500,
            IV_AFTER=after,
        )
        seconds.append(time.perf_counter() - began)
        seen += [row["MAGENTO_ORDER_ID"] for row in answer["ET_ROWS"]]
        after = answer["ET_ROWS"][-1]["ORDER_KEY"]
        if not answer["EV_MORE"]:
            break
    assert len(seen) == len(set(seen)) == 10_000
    assert len(seconds) == 20
    # Pages that cost more the further behind they stand would make the last five the dearest by far.
    assert min(seconds[-5:]) < 3 * min(seconds[:5]) + 0.01
