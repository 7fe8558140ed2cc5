"""The breaks: each takes one guarantee away, and names the test that must notice."""

from msgspec import Struct


class Break(Struct, frozen=True):
    """One place of the code, made wrong."""

    name: str
    file: str
    """Path from the project's root."""
    old: str
    """Text that occurs in the file once."""
    new: str
    test: str
    """What pytest is told to run."""


BREAKS = (
    Break(
        "confirms off",
        "bus/lane.py",
        """\
            self._sequence += 1
            self._sent[self._sequence] = Sent(outgoing, whole, now)
""",
        """\
            self._sequence += 1
            whole.one_ended(None)
""",
        "tests/bus/test_conformance.py::test_an_unroutable_command_is_tried_again_and_never_taken_for_sent",
    ),
    Break(
        "ack before confirm",
        "bus/runner.py",
        """\
        self.lane.publish(outputs, published)
""",
        """\
        self.lane.settle(incoming)
        self.lane.publish(outputs, published)
""",
        "tests/bus/test_rabbitmq.py::test_an_input_is_not_acknowledged_before_its_outputs_are_confirmed",
    ),
    Break(
        "watermark moved before confirm",
        "adapters/magento/publisher.py",
        """\
        await self._place(page, publish, again=False)
        if page.rows:
            last = page.rows[-1].mark
            reached = last if page.date is None else min(last, _clock_mark(page.date))
            mark = (reached.updated_at, str(reached.entity_id))
            await asyncio.to_thread(watermark.advance, self._database, WATERMARK, mark)
            self._cursor = last
""",
        """\
        if page.rows:
            last = page.rows[-1].mark
            reached = last if page.date is None else min(last, _clock_mark(page.date))
            mark = (reached.updated_at, str(reached.entity_id))
            await asyncio.to_thread(watermark.advance, self._database, WATERMARK, mark)
            self._cursor = last
        await self._place(page, publish, again=False)
""",
        "tests/magento/test_publisher.py::test_a_page_that_fails_later_is_read_again",
    ),
    Break(
        "no look-up before create",
        "adapters/ecc/orders.py",
        """existing = str(opened["EV_VBELN"])""",
        """existing = \"\"""",
        "tests/ecc/test_orders.py::TestOnce::test_again_finds_it",
    ),
    Break(
        "lock of scope 1",
        "adapters/ecc/orders.py",
        """UPDATE_TASK_INHERITS = "2\"""",
        """UPDATE_TASK_INHERITS = "1\"""",
        "tests/ecc/test_orders.py::TestFaults::test_a_lost_commit_while_the_update_task_runs_on",
    ),
    # The customer is registered and its orders are released while this one is not among them yet.
    Break(
        "release before hold",
        "adapters/ecc/holds.py",
        """\
        with sessions.take() as session:
            added = session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=row)
            if added["ES_ROW"]["CLEARED"]:
                return _written(session, config, command.ref, key)
""",
        """\
        def record() -> None:
            with sessions.take() as session:
                session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=row)

        import threading

        threading.Timer(3.0, record).start()
""",
        "tests/flow/test_new_customers.py::test_a_prospect_becomes_a_customer_of_its_own",
    ),
    Break(
        "e-mail as customer key",
        "schemas/identifiers.py",
        """\
    if account_id is not None:
        return f"{website}:{account_id}"
""",
        "",
        "tests/flow/test_new_customers.py::test_a_guest_with_the_address_of_a_waiting_account_is_another_customer",
    ),
    Break(
        "stop without finishing",
        "orderbus/process.py",
        """\
            stack.push_async_callback(runtime.stop)
""",
        "",
        "tests/flow/test_processes.py::test_a_process_told_to_stop_finishes_a_request",
    ),
)
"""Every break that ``make broken`` makes."""
