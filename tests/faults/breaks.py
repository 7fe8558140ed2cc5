"""Builds of the software that are broken on purpose: what the suite must notice."""

import shutil
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("adapters", "bus", "orderbus", "router", "schemas", "state", "tests")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "recordings", "golden", "*.pyc")


class Edit(Struct, frozen=True):
    """One change of a file: `old` stands there exactly once."""

    file: str
    old: str
    new: str


ACK_BEFORE_CONFIRM = (
    Edit(
        "bus/runner.py",
        "        self.lane.publish(outputs, published)\n\n    def _done",
        "        self.lane.settle(incoming)\n        self.lane.publish(outputs, lambda problem: None)\n\n    def _done",
    ),
)
"""A message is acknowledged when its outputs are sent, not when the broker has them."""
NO_LOOK_UP_BEFORE_CREATE = (Edit("adapters/ecc/orders.py", 'existing = str(opened["EV_VBELN"])', 'existing = ""'),)
"""A sales order is created without a look whether it is there."""
LOCK_OF_SCOPE_1 = (Edit("adapters/ecc/orders.py", 'UPDATE_TASK_INHERITS = "2"', 'UPDATE_TASK_INHERITS = "1"'),)
"""The order's lock ends with its session, while the update task of a commit is still at work."""
WATERMARK_BEFORE_CONFIRM = (
    Edit(
        "adapters/magento/publisher.py",
        "        await self._place(page, publish, again=False)\n        if page.rows:\n",
        "        if page.rows:\n",
    ),
    Edit(
        "adapters/magento/publisher.py",
        "            self._cursor = last\n",
        "            self._cursor = last\n        await self._place(page, publish, again=False)\n",
    ),
)
"""The publisher moves its watermark before it publishes what lies behind it."""
RELEASE_BEFORE_HOLD = (
    Edit(
        "adapters/ecc/holds.py",
        '        with sessions.take() as session:\n            added = session.call("Z_ORDERBUS_PENDING_ADD", '
        'IS_PENDING=row)\n            if added["ES_ROW"]["CLEARED"]:\n                return '
        "_written(session, config, command.ref, key)\n",
        "        def later() -> None:\n            with sessions.take() as session:\n"
        '                session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=row)\n\n'
        "        __import__('threading').Timer(4.0, later).start()\n",
    ),
)
"""An order is said to be held before ECC has its row, and the release looks for rows too early."""
EMAIL_AS_CUSTOMER_KEY = (
    Edit(
        "schemas/identifiers.py",
        '    if account_id is not None:\n        return f"{website}:{account_id}"\n',
        "",
    ),
)
"""An account is known by its e-mail address, which a guest may use too, and which the bus itself changes."""
NUMBER_NOT_WRITTEN = (
    Edit("adapters/magento/order_numbers.py", "if text(seen.order.ext_order_id) != number:", "if False:"),
)
"""Orders are acknowledged and their numbers are not written."""
LOSS_NOT_REPORTED = (
    Edit(
        "adapters/magento/order_numbers.py",
        "if not losses(before, Snapshot(after, invoices)):",
        "if True:",
    ),
)
"""What a write-back made Magento lose is not looked for."""
FAILURES_SWALLOWED = (
    Edit(
        "bus/runner.py",
        "        verdict = retry.judge(",
        "        if not isinstance(error, retry.Transient):\n"
        "            self.lane.settle(incoming)\n            return\n"
        "        verdict = retry.judge(",
    ),
)
"""A message that can never be handled vanishes without a dead letter."""
RETRIED_FOR_EVER = (
    Edit("bus/retry.py", "    if reason is None:\n", "    if reason is None or isinstance(failure, Permanent):\n"),
)
"""A message that can never be handled is tried again and again."""


def broken(directory: Path, edits: tuple[Edit, ...]) -> Path:
    """Copy the code, break the copy, and return where it is.

    Raises
    ------
    AssertionError
        The code has changed so that a break does not apply any more.
    """
    for package in PACKAGES:
        shutil.copytree(ROOT / package, directory / package, ignore=LEFT_OUT)
    for edit in edits:
        path = directory / edit.file
        source = path.read_text()
        assert source.count(edit.old) == 1, f"{edit.file} holds {edit.old!r} {source.count(edit.old)} times"
        path.write_text(source.replace(edit.old, edit.new))
    return directory
