"""The service ``ecc-releases``: a registered customer's waiting orders are handed out, each once per lease."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.ecc.config import EccConfig
from adapters.ecc.dictionary import FUNCTIONS
from adapters.ecc.mapping.fields import check
from adapters.ecc.sessions import Sessions
from adapters.ecc.times import to_ecc_rounded_up
from schemas.envelope import Handler, Message
from schemas.failures import Permanent
from schemas.messages import Body, OrderReleased, ReleaseOrders
from schemas.order import OrderRef

LEASES = uuid.UUID("2b1f6f0e-6a53-5c0e-9a55-0d3c8a7d9b11")
"""Name space of lease ids."""


def release_orders(
    sessions: Sessions, config: EccConfig, leased_before: datetime | None = None
) -> Handler[ReleaseOrders]:
    """Return the handler that hands out a customer's uncleared rows; it blocks.

    The lease belongs to the message: delivered again after a crash it gets the same rows, while another message about
    the same customer gets none of them until the lease has run out.

    Parameters
    ----------
    leased_before:
        Leases begun before this time count as ended: the start of the process, where its messages died with the one
        before (the embedded broker). ``None`` where only their expiry ends them.
    """
    ended = "" if leased_before is None else to_ecc_rounded_up(leased_before)

    def release(message: Message[ReleaseOrders]) -> Sequence[Body]:
        command = message.body
        lease = str(uuid.uuid5(LEASES, message.envelope.id))
        rows = _rows(sessions, config, command.customer_key, lease, ended)
        return [
            OrderReleased(
                ref=OrderRef(
                    store=str(row["STORE"]),
                    order_id=str(row["MAGENTO_ORDER_ID"]),
                    increment_id=str(row["INCREMENT_ID"]),
                ),
                customer_key=command.customer_key,
                registration=command.registration,
            )
            for row in rows
        ]

    return release


def _rows(
    sessions: Sessions, config: EccConfig, customer_key: str, lease: str, ended: str
) -> Iterator[Mapping[str, Any]]:
    """Yield the rows page by page; ECC continues behind the last row's key."""
    key = FUNCTIONS["Z_ORDERBUS_PENDING_GET"].imports["IV_CUSTOMER_KEY"].type
    if not isinstance(key, str):
        check(key, customer_key, "Release of a customer's orders")
    after = ""
    more = True
    while more:
        with sessions.take() as session:
            page = session.call(
                "Z_ORDERBUS_PENDING_GET",
                IV_CUSTOMER_KEY=customer_key,
                IV_LEASE_ID=lease,
                IV_LEASE_SECONDS=config.lease_seconds,
                IV_LEASED_BEFORE=ended,
                IV_AFTER=after,
                IV_MAX_ROWS=config.page_size,
                IV_PEEK="",
            )
        rows = page["ET_ROWS"]
        yield from rows
        more = bool(page["EV_MORE"])
        if more and (not rows or str(rows[-1]["ORDER_KEY"]) == after):
            raise Permanent(
                "Z_ORDERBUS_PENDING_GET says that there are more rows, but does not go on.",
                "Correct the function module in ECC as docs/ecc-interfaces.md describes it, and retry.",
            )
        after = str(rows[-1]["ORDER_KEY"]) if rows else ""
