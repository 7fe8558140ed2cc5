"""The SAP order number, written to the shop's order with as little harm as Magento allows.

Every save of an order writes its items and its payment again with values read earlier in the same request, so that a
save racing with an invoice undoes part of the invoice, whatever its body. Hence the write is serial per order over all
replicas, keeps away from orders that have just changed, and what stood in the order before is looked for after it.
"""

import asyncio
import logging
import uuid
from collections.abc import Sequence

from adapters.magento import metrics
from adapters.magento.errors import MagentoError
from adapters.magento.losses import Snapshot, losses
from adapters.magento.mapping import UnreadableError, moment
from adapters.magento.rest_types import OrderJson, text
from adapters.magento.shop import Seen, Shop
from schemas.envelope import Handler, Message
from schemas.failures import Busy, Permanent, Transient
from schemas.messages import Body, OrderAcknowledged, OrderSynced
from state.database import Database
from state.kept import Lease

LONGEST_NUMBER = 32
"""Characters of ``ext_order_id``; Magento cuts what is longer without a word (recording ``order_update/08``)."""
LONGEST_WAIT = 3.0
"""Seconds of the quiet period that are waited for in place; longer waits go back to the queue."""
_MOST_WAITS = 3
_NOTHING_KNOWN = Snapshot(OrderJson(entity_id=0, updated_at="", created_at=""), ())
"""What stood in an order before a write by somebody who may have died before telling what it undid: the order is then
compared with its invoices alone."""

_log = logging.getLogger(__name__)


def write_order_numbers(shop: Shop, database: Database) -> Handler[OrderSynced]:
    """Return the handler that writes the SAP order number to Magento's order, and verifies it.

    An order that carries the number already is acknowledged without a write, though not without a look at what an
    earlier one may have undone. One that carries another number, or is
    gone though ECC holds it as a sales order, is a permanent error: only a person can say which of the two is right.

    Parameters
    ----------
    database:
        The bus's own database, for the lease per order.
    """

    async def write(message: Message[OrderSynced]) -> Sequence[Body]:
        ref, number = message.body.ref, message.body.sales_order
        if not 0 < len(number) <= LONGEST_NUMBER:
            raise Permanent(
                f"A SAP order number of {len(number)} characters does not fit into Magento's ext_order_id, which "
                f"takes 1 to {LONGEST_NUMBER}.",
                "Look at the sales order in ECC.",
            )
        async with Lease(database, f"magento-order:{ref.order_id}", str(uuid.uuid4())) as lease:
            await _alone(lease, ref.order_id)
            seen = await _quiet_order(shop, ref.order_id, number)
            before = _NOTHING_KNOWN
            if text(seen.order.ext_order_id) != number:
                before = await _snapshot_before(shop, ref.order_id, seen.order)
                await _alone(lease, ref.order_id)
                await _write(shop, ref.order_id, number)
            lost = await _verified(shop, ref.order_id, number, before)
        if lost:
            metrics.LOST_UPDATES.inc()
            _log.warning("Magento lost another change of order %s: %s.", ref.order_id, lost)
        return [OrderAcknowledged(ref=ref, sales_order=number, lost_update=lost)]

    return write


async def _alone(lease: Lease, order_id: str) -> None:
    """Go on only while every other process is kept from writing this order.

    A process that dies keeps it for seconds; one that was frozen learns here whether another has begun meanwhile.
    One that is frozen between here and Magento's answer may write beside that other. Both write the same number, for
    another one that stands there is refused; what a second save may undo of an invoice is looked for after it, as
    after every save.
    """
    if not await lease.mine():
        raise Busy(
            f"Magento's order {order_id} is being written by another process.",
            "It is tried again when that one has finished.",
        )


async def _quiet_order(shop: Shop, order_id: str, number: str) -> Seen:
    """Return the order once nobody has changed it for the quiet period, by the shop's own clock."""
    for _ in range(_MOST_WAITS):
        seen = _existing(await shop.order(order_id), order_id)
        stored = text(seen.order.ext_order_id)
        if stored and stored != number:
            raise Permanent(
                f"Magento's order {order_id} carries the number {stored[:64]}, ECC's sales order is {number}.",
                "Find out in ECC which sales order is right, then clear or correct ext_order_id in Magento.",
            )
        wait = 0.0 if stored else _seconds_to_quiet(seen, shop.config.quiet_period)
        if wait <= 0:
            return seen
        if wait > LONGEST_WAIT:
            break
        await asyncio.sleep(wait)
    raise Transient(
        f"Magento's order {order_id} was changed a moment ago.",
        "Its number is written when it has been left alone for magento.quiet_period.",
        retry_after=max(wait, 1.0),
    )


def _seconds_to_quiet(seen: Seen, quiet_period: float) -> float:
    if not quiet_period or seen.date is None:
        return 0.0
    try:
        age = (seen.date - moment(seen.order.updated_at)).total_seconds()
    except UnreadableError:
        return 0.0
    # An order dated in the future says nothing about its age; it is not waited for longer than a quiet period.
    return min(quiet_period - age, quiet_period)


async def _snapshot_before(shop: Shop, order_id: str, order: OrderJson) -> Snapshot:
    """Return the order with its invoices, read in this order: an invoice that is seen must then show in the items."""
    if text(order.state) == "new":
        return Snapshot(order, ())  # an invoice makes a new order one in processing
    invoices = await shop.invoices(order_id)
    return Snapshot(_existing(await shop.order(order_id), order_id).order, invoices)


async def _write(shop: Shop, order_id: str, number: str) -> None:
    try:
        async with asyncio.timeout(shop.config.request_timeout):
            await shop.write_order_number(order_id, number)
    except TimeoutError:
        raise Transient(
            f"Magento did not finish writing to order {order_id} in time.", "Look at the shop's load."
        ) from None
    except MagentoError as error:
        # An order deleted since is refused for want of a payment (recording order_update/20).
        _existing(await shop.order(order_id), order_id)
        raise Permanent(str(error), "Correct what Magento names, then send the message again.") from None


async def _verified(shop: Shop, order_id: str, number: str, before: Snapshot) -> str:
    """Read the order and its invoices back; return what the write has made Magento lose."""
    seen, invoices = await asyncio.gather(shop.order(order_id), shop.invoices(order_id))
    after = _existing(seen, order_id).order
    stored = text(after.ext_order_id)
    if stored != number:
        raise Transient(
            f"Magento's order {order_id} shows ext_order_id {stored[:64] or 'empty'} after {number} was written.",
            "It is written again; if that stays so, look for an extension that changes ext_order_id.",
        )
    if not losses(before, Snapshot(after, invoices)):
        return ""
    # An invoice that came between the two readings looks like a loss; it shows in the order by now.
    after = _existing(await shop.order(order_id), order_id).order
    return "; ".join(losses(before, Snapshot(after, invoices)))[:500]


def _existing(seen: Seen | None, order_id: str) -> Seen:
    if seen is None:
        raise Permanent(
            f"Magento has no order {order_id} any more, though ECC holds it as a sales order.",
            "Decide in ECC whether the sales order stands; nothing is left to write in Magento.",
        )
    return seen
