"""The service ``ecc-orders``: each order becomes one sales order, however often its message arrives.

In one session it locks the order's key, looks for its sales order, creates it and commits. Whoever dies before the
commit leaves nothing; whoever dies after it leaves an update task that holds the lock on (scope 2) until the sales
order can be found. So a retry either waits for that lock or finds what there is to find.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.ecc.config import EccConfig
from adapters.ecc.failures import RETRIED, check_return
from adapters.ecc.keys import order_key
from adapters.ecc.mapping.sales_order import FUNCTION, create_parameters
from adapters.ecc.sessions import Conversation, Sessions
from schemas.envelope import Handler, Message
from schemas.failures import Permanent, Transient
from schemas.identifiers import LONGEST_CUSTOMER_KEY, alpha
from schemas.messages import AddSalesOrder, Body, OrderSynced

UPDATE_TASK_INHERITS = "2"
"""Lock scope: COMMIT WORK hands the lock to the update task, which frees it when it ends."""


def add_sales_orders(
    sessions: Sessions, config: EccConfig, contact_of: Callable[[str, str], str | None]
) -> Handler[AddSalesOrder]:
    """Return the handler that writes an order to ECC; it blocks.

    Parameters
    ----------
    contact_of:
        Returns the contact person that is known for a customer key at a SAP customer, or ``None``; asked where a
        command names none. What it does not know yet, because the directory is behind, ECC says itself.
    """

    def add(message: Message[AddSalesOrder]) -> Sequence[Body]:
        command = message.body
        key = order_key(config, command.order.ref)
        buyer, sold_to = command.order.buyer.key, command.sap_customer_number
        known = command.contact_person or contact_of(buyer, sold_to)
        with sessions.take() as session:
            opened = session.call(
                "Z_ORDERBUS_ORDER_OPEN",
                IV_ORDER_KEY=key,
                IV_SCOPE=UPDATE_TASK_INHERITS,
                IV_FIELD=config.looked_in,
                # No customer is registered under a longer key, and a cut one might be another's.
                IV_CUSTOMER_KEY=buyer if len(buyer) <= LONGEST_CUSTOMER_KEY else "",
            )
            contact = known or _registered_contact(opened, sold_to)
            existing = str(opened["EV_VBELN"])
            if existing:
                session.rollback()
            sales_order = existing or _create(session, command, key, contact, config)
        return [
            OrderSynced(
                ref=command.order.ref,
                sales_order=sales_order,
                sap_customer_number=str(opened["EV_KUNNR"]) or sold_to,
                contact_person=contact,
                existed=bool(existing),
            )
        ]

    return add


def _registered_contact(opened: Mapping[str, Any], sold_to: str) -> str:
    """Return the contact person that ECC registered with the buyer; that of another customer it would refuse."""
    customer, person = str(opened["EV_CUST_KUNNR"]), str(opened["EV_CUST_PARNR"])
    return alpha(person) if person.strip("0 ") and alpha(customer) == alpha(sold_to) else ""


def _create(session: Conversation, command: AddSalesOrder, key: str, contact: str, config: EccConfig) -> str:
    """Create the sales order and commit it, in the session that holds the lock."""
    parameters = create_parameters(command.order, command.sap_customer_number, contact, config)
    created = session.call(FUNCTION, **parameters)
    check_return(created["RETURN"], f"Order {key}", config.transient_messages)
    sales_order = str(created["SALESDOCUMENT"])
    if not sales_order:
        raise Permanent(
            f"Order {key}: ECC reported no error, but gave no sales order number.",
            "Run the BAPI with the order's values in ECC (SE37) to see why, and retry.",
        )
    _commit(session, key)
    return sales_order


def _commit(session: Conversation, key: str) -> None:
    """Commit; a refusal may come after the update ran, so it is for the retry to look what became of the order."""
    outcome = session.commit()
    try:
        check_return([outcome], f"Order {key}, commit")
    except Permanent as refused:
        raise Transient(refused.cause, RETRIED) from refused
