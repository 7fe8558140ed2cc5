"""The service ``ecc-holds``: orders whose customer ECC does not know yet wait in its pending table."""

from collections.abc import Sequence

from adapters.ecc.config import EccConfig
from adapters.ecc.keys import order_key
from adapters.ecc.mapping.fields import fitted
from adapters.ecc.sessions import Conversation, Sessions
from adapters.ecc.times import to_ecc
from schemas.envelope import Handler, Message
from schemas.messages import Body, HoldOrder, OrderHeld, OrderSynced
from schemas.order import OrderRef


def hold_orders(sessions: Sessions, config: EccConfig) -> Handler[HoldOrder]:
    """Return the handler that records a held order; it blocks.

    A row that is cleared already is not reopened. If ECC has its order, that is said once more: the message that said
    so first may have died with the embedded broker, before the shop learnt the number.
    """

    def hold(message: Message[HoldOrder]) -> Sequence[Body]:
        command = message.body
        key = order_key(config, command.ref)
        customer = command.customer
        pending = {
            "ORDER_KEY": key,
            "CUSTOMER_KEY": customer.key,
            "MAGENTO_CUSTOMER_ID": customer.account_id or "",
            "MAGENTO_ORDER_ID": command.ref.order_id,
            "INCREMENT_ID": command.ref.increment_id,
            "STORE": command.ref.store,
            "WEBSITE": customer.website,
            "EMAIL": customer.email,
            "PLACED_AT": to_ecc(command.placed_at),
        }
        row = fitted("ZORDERBUS_S_PEND", pending, f"Order {key}, pending row")
        with sessions.take() as session:
            added = session.call("Z_ORDERBUS_PENDING_ADD", IS_PENDING=row)
            if added["ES_ROW"]["CLEARED"]:
                return _written(session, config, command.ref, key)
        return [OrderHeld(ref=command.ref, customer=customer)]

    return hold


def _written(session: Conversation, config: EccConfig, ref: OrderRef, key: str) -> Sequence[Body]:
    """Return the message that ECC has the order, or nothing where it was withdrawn."""
    opened = session.call(
        "Z_ORDERBUS_ORDER_OPEN",
        IV_ORDER_KEY=key,
        IV_SCOPE="2",
        IV_FIELD=config.looked_in,
    )
    session.rollback()
    sales_order = str(opened["EV_VBELN"])
    return [OrderSynced(ref, sales_order, str(opened["EV_KUNNR"]), existed=True)] if sales_order else ()
