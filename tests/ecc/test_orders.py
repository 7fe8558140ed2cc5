"""An order becomes one sales order, whatever happens to the connection, the process or the update task."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.ecc.config import EccConfig
from adapters.ecc.connect import open_sessions
from adapters.ecc.customers import register_customers
from adapters.ecc.orders import add_sales_orders
from adapters.ecc.sessions import Conversation, Sessions
from adapters.ecc.simulator.faults import (
    ConnectionLost,
    DeadSessionLingers,
    LockHeld,
    LogonRefused,
    ReturnMessage,
    ShortDump,
    Shutdown,
    SlowCall,
    SlowUpdate,
    UpdateTerminated,
)
from schemas.envelope import Handler
from schemas.failures import Failure, Outage, Permanent, Transient
from schemas.messages import AddSalesOrder, CustomerRegistered, OrderSynced, RegisterCustomer
from schemas.order import Buyer, Payment
from tests.ecc.conftest import Ecc
from tests.ecc.examples import add, customer, handled, line, message, order
from tests.processes import wait_until

BAPI = "BAPI_SALESORDER_CREATEFROMDAT2"
COMMIT = "BAPI_TRANSACTION_COMMIT"
OPEN = "Z_ORDERBUS_ORDER_OPEN"
KEY = "default-000000011"


def handler(ecc: Ecc, sessions: Sessions, **changes: Any) -> Handler[AddSalesOrder]:
    return add_sales_orders(sessions, ecc.configure(**changes), lambda _key, _number: None)


def synced(handle: Handler[AddSalesOrder], *given: Any) -> OrderSynced:
    (body,) = handled(handle, add(*given))
    assert isinstance(body, OrderSynced)
    return body


def until_synced(handle: Handler[AddSalesOrder], seconds: float = 30) -> tuple[OrderSynced, list[Failure]]:
    """Deliver the message again after each transient failure, as the bus does, without its delays."""
    failures: list[Failure] = []
    done: list[OrderSynced] = []

    def once() -> bool:
        try:
            done.append(synced(handle, order()))
        except Transient as failure:
            failures.append(failure)
        return bool(done)

    wait_until(once, "the order is synced", seconds=seconds, every=0.01)
    return done[0], failures


def the_only_one(ecc: Ecc, key: str = KEY) -> dict[str, Any]:
    ecc.wait_for_updates()
    (found,) = ecc.sales_orders(key)
    return found


class TestOnce:
    """Nothing goes wrong, but messages come again and at once."""

    def test_an_order_is_written_with_the_shops_net_value_and_tax(self, ecc: Ecc, sessions: Sessions) -> None:
        result = synced(handler(ecc, sessions), order(), "0000010001")
        written = the_only_one(ecc)
        assert result == OrderSynced(order().ref, written["vbeln"], "0000010001")
        assert Decimal(written["net_value"]) == Decimal("50.00")
        assert Decimal(written["tax_amount"]) == Decimal("9.50")
        assert written["kunnr"] == "0000010001"

    def test_again_finds_it(self, ecc: Ecc, sessions: Sessions) -> None:
        handle = handler(ecc, sessions)
        first = synced(handle, order())
        again = synced(handle, order())
        assert again == replace(first, existed=True)
        assert again.sales_order == the_only_one(ecc)["vbeln"]

    def test_one_that_exists_is_found_though_it_could_not_be_mapped_any_more(
        self, ecc: Ecc, sessions: Sessions
    ) -> None:
        first = synced(handler(ecc, sessions), order())
        changed = replace(order(), items=())
        assert synced(handler(ecc, sessions), changed).sales_order == first.sales_order

    def test_with_the_key_in_the_other_field_the_look_up_follows(self, ecc: Ecc, sessions: Sessions) -> None:
        handle = handler(ecc, sessions, key_field="purch_no_s")
        placed = order(payment=Payment("purchaseorder", "4500012345/7"))
        first = synced(handle, placed)
        assert synced(handle, placed) == replace(first, existed=True)
        written = the_only_one(ecc)
        assert (written["purch_no_c"], written["purch_no_s"]) == ("4500012345/7", KEY)

    def test_the_same_increment_id_of_another_store_is_another_order(self, ecc: Ecc, sessions: Sessions) -> None:
        handle = handler(ecc, sessions)
        synced(handle, order())
        other = replace(order(), ref=replace(order().ref, store="fr"))
        assert not synced(handle, other).existed
        assert ecc.counts()["sales_orders"] == 2

    def test_duplicates_in_parallel_make_one(self, ecc: Ecc) -> None:
        pool = open_sessions(ecc.configure(sessions=8))
        handle = handler(ecc, pool)
        together = threading.Barrier(8)

        def deliver(_number: int) -> OrderSynced:
            together.wait(30)
            return until_synced(handle)[0]

        with ThreadPoolExecutor(8) as threads:
            results = list(threads.map(deliver, range(8)))
        pool.close()
        assert {result.sales_order for result in results} == {the_only_one(ecc)["vbeln"]}
        assert sum(not result.existed for result in results) == 1

    def test_many_orders_in_parallel_each_make_one(self, ecc: Ecc) -> None:
        pool = open_sessions(ecc.configure(sessions=4))
        handle = handler(ecc, pool)
        with ThreadPoolExecutor(4) as threads:
            results = list(threads.map(lambda n: synced(handle, order(increment_id=f"{n:09}")), range(40)))
        pool.close()
        counts = ecc.counts()
        assert counts["sales_orders"] == len({result.sales_order for result in results}) == 40
        assert counts["logons"] <= 4


class TestContact:
    """Which contact person stands in the order."""

    def test_the_commands_contact_person_goes_first(self, ecc: Ecc, sessions: Sessions) -> None:
        registered = ecc_customer_with_contact(ecc, sessions)
        result = synced(handler(ecc, sessions), order(), registered[0], registered[1])
        assert result.contact_person == registered[1]
        assert {"PARTN_ROLE": "AP", "PARTN_NUMB": registered[1]}.items() <= the_only_one(ecc)["partners"][-1].items()

    def test_else_the_one_that_the_bus_knows(self, ecc: Ecc, sessions: Sessions) -> None:
        kunnr, parnr = ecc_customer_with_contact(ecc, sessions)
        asked: list[tuple[str, str]] = []

        def contact_of(key: str, sap_customer_number: str) -> str:
            asked.append((key, sap_customer_number))
            return parnr

        handle = add_sales_orders(sessions, ecc.configure(), contact_of)
        assert synced(handle, order(), kunnr).contact_person == parnr
        assert asked == [("1:42", kunnr)]

    def test_else_the_one_that_ecc_registered_which_the_bus_is_yet_to_learn_of(
        self, ecc: Ecc, sessions: Sessions
    ) -> None:
        kunnr, parnr = ecc_customer_with_contact(ecc, sessions)
        assert synced(handler(ecc, sessions), order(), kunnr).contact_person == parnr
        written = the_only_one(ecc)
        assert {"PARTN_ROLE": "AP", "PARTN_NUMB": parnr}.items() <= written["partners"][-1].items()
        # Found again it is told again, and the lock is not kept.
        assert synced(handler(ecc, sessions), order(), kunnr).contact_person == parnr
        assert ecc.counts()["locks"] == 0

    def test_none_of_an_account_that_was_moved_to_another_customer(self, ecc: Ecc, sessions: Sessions) -> None:
        ecc_customer_with_contact(ecc, sessions)
        assert synced(handler(ecc, sessions), order(), "0000010001").contact_person == ""
        assert "AP" not in {partner["PARTN_ROLE"] for partner in the_only_one(ecc)["partners"]}

    def test_a_key_too_long_to_be_registered_is_nobodys(self, ecc: Ecc, sessions: Sessions) -> None:
        placed = order(buyer=Buyer("1:" + "9" * 99, "erika@example.com", account_id="9"))
        assert synced(handler(ecc, sessions), placed).contact_person == ""


def ecc_customer_with_contact(ecc: Ecc, sessions: Sessions) -> tuple[str, str]:
    command = message(RegisterCustomer(customer(), "erika@example.com"))
    (body,) = handled(register_customers(sessions, ecc.configure()), command)
    assert isinstance(body, CustomerRegistered)
    return body.registration.sap_customer_number, body.registration.contact_person


class TestFaults:
    """What can go wrong between the bus and ECC."""

    @pytest.mark.parametrize("when", ["before", "during", "after", "afterwards"])
    @pytest.mark.parametrize("function", [OPEN, BAPI, COMMIT])
    def test_a_connection_lost_anywhere(self, ecc: Ecc, sessions: Sessions, function: str, when: Any) -> None:
        handle = handler(ecc, sessions)
        ecc.arm(ConnectionLost(function=function, when=when))
        result, failures = until_synced(handle)
        assert result.sales_order == the_only_one(ecc)["vbeln"]
        # After the commit's answer nothing more is asked of the connection.
        assert len(failures) >= (0 if (function, when) == (COMMIT, "afterwards") else 1)

    @pytest.mark.parametrize("when", ["during", "after"])
    def test_a_lost_commit_while_the_update_task_runs_on(self, start_ecc: Callable[..., Ecc], when: Any) -> None:
        ecc = start_ecc(update_seconds=0.4)
        pool = open_sessions(ecc.configure())
        ecc.arm(ConnectionLost(function=COMMIT, when=when))
        result, failures = until_synced(handler(ecc, pool))
        pool.close()
        assert result.existed
        assert result.sales_order == the_only_one(ecc)["vbeln"]
        if when == "during":
            # The retry met the update task's lock, and waited for what it was writing.
            assert any("lock" in failure.cause for failure in failures)

    def test_a_session_that_died_between_the_bapi_and_the_commit_leaves_nothing(
        self, ecc: Ecc, sessions: Sessions
    ) -> None:
        """As a process that is killed there: the connection ends without a word."""
        handle = handler(ecc, sessions)
        ecc.arm(ConnectionLost(function=BAPI, when="afterwards"))
        with pytest.raises(Transient):
            synced(handle, order())
        ecc.wait_for_updates()
        assert ecc.counts()["sales_orders"] == 0
        assert not synced(handle, order()).existed
        the_only_one(ecc)

    def test_a_dead_session_that_ecc_has_not_noticed_is_waited_for(self, ecc: Ecc, sessions: Sessions) -> None:
        ecc.arm(DeadSessionLingers(seconds=0.3), ConnectionLost(function=BAPI, when="after"))
        result, failures = until_synced(handler(ecc, sessions))
        assert result.sales_order == the_only_one(ecc)["vbeln"]
        assert any("lock" in failure.cause for failure in failures)

    @pytest.mark.parametrize("function", [OPEN, BAPI, COMMIT])
    def test_a_call_that_succeeds_after_its_caller_gave_up(self, ecc: Ecc, function: str) -> None:
        pool = open_sessions(ecc.configure(call_timeout=0.25))
        ecc.arm(SlowCall(function=function, seconds=0.75))
        result, failures = until_synced(handler(ecc, pool))
        pool.close()
        assert result.sales_order == the_only_one(ecc)["vbeln"]
        assert "no answer in time" in failures[0].cause

    def test_a_slow_update_is_waited_for_within_the_timeout(self, ecc: Ecc, sessions: Sessions) -> None:
        ecc.arm(SlowUpdate(function=COMMIT, seconds=0.3))
        assert not synced(handler(ecc, sessions), order()).existed
        the_only_one(ecc)

    def test_an_update_that_was_terminated_is_tried_again(self, ecc: Ecc, sessions: Sessions) -> None:
        handle = handler(ecc, sessions)
        ecc.arm(UpdateTerminated(function=COMMIT))
        with pytest.raises(Transient, match="S& 101"):
            synced(handle, order())
        assert not synced(handle, order()).existed
        the_only_one(ecc)

    @pytest.mark.parametrize("kind", ["E", "A"])
    def test_a_refusal_is_permanent_commits_nothing_and_frees_the_lock(
        self, ecc: Ecc, sessions: Sessions, kind: Any
    ) -> None:
        handle = handler(ecc, sessions)
        ecc.arm(ReturnMessage(function=BAPI, type=kind, id="V1", number="384", message="Sales unit is not defined"))
        with pytest.raises(Permanent, match=r"Sales unit is not defined \(V1 384\)"):
            synced(handle, order())
        assert COMMIT not in ecc.counts()["calls"]
        assert not synced(handle, order()).existed

    def test_a_lock_that_the_bapi_meets_is_transient(self, ecc: Ecc, sessions: Sessions) -> None:
        ecc.arm(ReturnMessage(function=BAPI, id="MC", number="601", message="Object requested is currently locked"))
        with pytest.raises(Transient, match="MC 601"):
            synced(handler(ecc, sessions), order())

    def test_a_short_dump_is_tried_again(self, ecc: Ecc, sessions: Sessions) -> None:
        ecc.arm(ShortDump(function=BAPI))
        assert len(until_synced(handler(ecc, sessions))[1]) == 1
        the_only_one(ecc)

    def test_a_foreign_lock_is_waited_for(self, ecc: Ecc, sessions: Sessions) -> None:
        ecc.arm(LockHeld(key=KEY, for_seconds=0.2))
        failures = until_synced(handler(ecc, sessions))[1]
        assert failures
        assert not any(isinstance(failure, Outage) for failure in failures)

    def test_ecc_down_and_a_refused_logon_are_outages(self, ecc: Ecc, sessions: Sessions) -> None:
        handle = handler(ecc, sessions)
        ecc.arm(LogonRefused())
        with pytest.raises(Outage, match="refused the logon"):
            synced(handle, order())
        ecc.arm(Shutdown(for_seconds=60))
        with pytest.raises(Outage, match="cannot be reached"):
            synced(handle, order())
        ecc.stop()
        with pytest.raises(Outage, match="cannot be reached"):
            synced(handle, order())

    @pytest.mark.parametrize("seed", range(3))
    def test_connections_that_break_at_random(self, start_ecc: Callable[..., Ecc], seed: int) -> None:
        ecc = start_ecc(error_rate=0.15, seed=seed, update_seconds=0.01)
        pool = open_sessions(ecc.configure())
        handle = handler(ecc, pool)

        def deliver(number: int) -> str:
            for _ in range(1000):
                try:
                    return synced(handle, order(increment_id=f"{number:09}")).sales_order
                except Transient:
                    continue
            raise AssertionError("never synced")

        with ThreadPoolExecutor(4) as threads:
            numbers = list(threads.map(deliver, [n % 20 for n in range(60)]))
        pool.close()
        ecc.wait_for_updates()
        written = ecc.sales_orders()
        assert len(written) == 20 == len({found["purch_no_c"] for found in written})
        assert set(numbers) == {found["vbeln"] for found in written}


class TestBadInput:
    """What ends in one clear line."""

    def test_a_currency_that_ecc_does_not_know(self, ecc: Ecc, sessions: Sessions) -> None:
        with pytest.raises(Permanent, match="'XTS' is not defined"):
            synced(handler(ecc, sessions), order(currency="XTS"))

    def test_an_order_without_lines(self, ecc: Ecc, sessions: Sessions) -> None:
        with pytest.raises(Permanent, match="no lines"):
            synced(handler(ecc, sessions), replace(order(), items=()))

    def test_a_customer_number_that_is_too_long(self, ecc: Ecc, sessions: Sessions) -> None:
        with pytest.raises(Permanent, match="PARTN_NUMB takes 10"):
            synced(handler(ecc, sessions), order(), "12345678901")

    def test_a_material_that_ecc_does_not_know_leaves_no_lock(self, ecc: Ecc, sessions: Sessions) -> None:
        with pytest.raises(Permanent, match="Material NONE is not defined"):
            synced(handler(ecc, sessions), order(line("1", "NONE", "1", "10", "1.90")))
        ecc.wait_for_updates()
        assert ecc.counts()["sales_orders"] == 0


class TestTheTestsCanFail:
    """Breaks of the guarantee that the tests above would miss if they looked at nothing."""

    def test_a_lock_of_scope_1_makes_a_duplicate(
        self, start_ecc: Callable[..., Ecc], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.ecc.orders.UPDATE_TASK_INHERITS", "1")
        ecc = start_ecc(update_seconds=0.4)
        pool = open_sessions(ecc.configure())
        ecc.arm(ConnectionLost(function=COMMIT, when="during"))
        until_synced(handler(ecc, pool))
        pool.close()
        ecc.wait_for_updates()
        assert ecc.counts()["duplicates"] == 1

    def test_no_look_up_makes_a_duplicate(self, ecc: Ecc, sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
        call = Conversation.call

        def blind(self: Conversation, function: str, /, **parameters: Any) -> Any:
            found = dict(call(self, function, **parameters))
            return found | {"EV_VBELN": "", "EV_KUNNR": ""} if function == OPEN else found

        monkeypatch.setattr(Conversation, "call", blind)
        handle = handler(ecc, sessions)
        synced(handle, order())
        synced(handle, order())
        assert ecc.counts()["duplicates"] == 1


def test_a_missing_password_says_which_variable_to_set(monkeypatch: pytest.MonkeyPatch, ecc: Ecc) -> None:
    monkeypatch.delenv("ORDERBUS_ECC_PASSWORD", raising=False)
    config: EccConfig = ecc.configure()
    with pytest.raises(Permanent, match="password"):
        open_sessions(replace(config, connection=replace(config.connection, passwd="")))
    monkeypatch.setenv("ORDERBUS_ECC_PASSWORD", "simulator")
    with open_sessions(replace(config, connection=replace(config.connection, passwd=""))).take() as session:
        session.call("RFC_PING")
