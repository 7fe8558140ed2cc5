"""Locks and the update task: what a retry sees that comes while a lost commit is still at work."""

from collections.abc import Callable

import pytest

from adapters.ecc.rfc import AbapApplicationError, CommunicationError, Session
from adapters.ecc.simulator.locks import ForeignLockError, LockTable
from tests.ecc_simulator.conftest import Ecc, created, opened


def foreign_lock(session: Session) -> bool:
    """Say whether another holds the order's lock; one that was free is free again."""
    try:
        opened(session)
        session.rollback()
    except AbapApplicationError as error:
        return error.key == "FOREIGN_LOCK"
    return False


def test_an_owner_may_ask_again_and_nobody_else() -> None:
    table = LockTable()
    table.enqueue("order:1", "one", 2)
    table.enqueue("order:1", "one", 2)
    with pytest.raises(ForeignLockError) as error:
        table.enqueue("order:1", "other", 2)
    assert error.value.holder.owner == "one"


def test_only_scope_2_is_handed_on() -> None:
    table = LockTable()
    table.enqueue("a", "session", 1)
    table.enqueue("b", "session", 2)
    assert table.hand_on("session", "update") == ("b",)
    table.free("session")
    assert [lock.argument for lock in table.all()] == ["b"]


@pytest.mark.parametrize("scope", ["1", "2"])
def test_the_key_is_held_against_other_sessions(ecc: Ecc, scope: str) -> None:
    session = ecc.connect()
    opened(session, scope=scope)
    assert foreign_lock(ecc.connect())
    assert opened(ecc.connect(), "default-000000002") == ""


def test_a_rollback_frees_scope_2_and_keeps_scope_1(ecc: Ecc) -> None:
    session = ecc.connect()
    opened(session)
    session.rollback()
    assert not foreign_lock(ecc.connect())
    opened(session, scope="1")
    session.rollback()
    assert foreign_lock(ecc.connect())


def test_a_commit_with_nothing_to_update_hands_nothing_on(ecc: Ecc) -> None:
    session = ecc.connect()
    opened(session)
    session.commit()
    assert foreign_lock(ecc.connect())


def test_the_update_frees_a_lock_of_scope_2_and_the_session_end_one_of_scope_1(ecc: Ecc) -> None:
    for scope, held in (("2", False), ("1", True)):
        key = f"default-{scope}"
        session = ecc.connect()
        opened(session, key, scope)
        created(session, key)
        session.commit()
        assert (ecc.counts()["locks"] == 1) is held
        session.close()
        assert ecc.counts()["locks"] == 0


def lose_a_commit_at_work(ecc: Ecc, scope: str) -> None:
    """End as a process does that dies after COMMIT WORK: its session is gone, its update task at work."""
    ecc.fault("slow_update", seconds=1.0)
    ecc.fault("connection_lost", when="during", function="BAPI_TRANSACTION_COMMIT")
    session = ecc.connect()
    assert opened(session, scope=scope) == ""
    created(session)
    with pytest.raises(CommunicationError):
        session.commit()
    ecc.eventually(lambda: ecc.counts()["sessions"] == 0)
    assert ecc.counts()["update_requests"] == 1


def test_scope_2_makes_a_retry_wait_for_the_update_that_outlives_its_session(ecc: Ecc) -> None:
    lose_a_commit_at_work(ecc, "2")
    assert foreign_lock(ecc.connect())
    ecc.eventually(lambda: not foreign_lock(ecc.connect()))
    assert opened(ecc.connect()) == "0000000001"
    assert ecc.counts()["sales_orders"] == 1


def test_scope_1_lets_a_retry_look_too_early_and_make_a_duplicate(ecc: Ecc) -> None:
    lose_a_commit_at_work(ecc, "1")
    session = ecc.connect()
    assert opened(session, scope="1") == ""
    created(session)
    session.commit()
    ecc.eventually(lambda: ecc.counts()["update_requests"] == 0)
    assert ecc.counts()["sales_orders"] == 2
    assert ecc.counts()["duplicates"] == 1


def test_the_document_is_seen_when_the_update_has_run_and_not_before(start_ecc: Callable[..., Ecc]) -> None:
    ecc = start_ecc(update_seconds=0.3)
    session = ecc.connect()
    created(session)
    assert session.call("BAPI_TRANSACTION_COMMIT")["RETURN"]["TYPE"] == ""
    assert ecc.counts()["sales_orders"] == 0
    ecc.eventually(lambda: ecc.counts()["sales_orders"] == 1)
    created(session, "default-000000002")
    session.commit()
    assert ecc.counts()["sales_orders"] == 2


def test_a_function_module_that_commits_commits_what_the_session_did_before(ecc: Ecc) -> None:
    session = ecc.connect()
    vbeln = created(session)["SALESDOCUMENT"]
    session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING={"ORDER_KEY": "k", "CUSTOMER_KEY": "c", "MAGENTO_ORDER_ID": "1"})
    session.rollback()
    ecc.eventually(lambda: [order["vbeln"] for order in ecc.get("sales-orders")["items"]] == [vbeln])
