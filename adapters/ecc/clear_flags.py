"""The service ``ecc-clear-flags``: the pending row of an order that waits no longer is closed."""

from collections.abc import Mapping, Sequence

from adapters.ecc.config import EccConfig
from adapters.ecc.keys import order_key
from adapters.ecc.sessions import Sessions
from schemas.envelope import Handler, Message
from schemas.messages import Body, OrderCleared, OrderSynced, OrderWithdrawn
from schemas.order import OrderRef

REASONS: Mapping[str, str] = {"cancelled": "CANCELLED", "deleted": "DELETED"}
"""Why an order was withdrawn, and REASON of its row."""


def clear_synced(sessions: Sessions, config: EccConfig) -> Handler[OrderSynced]:
    """Return the handler that closes the row of an order that ECC has taken, if it has one; it blocks."""

    def clear(message: Message[OrderSynced]) -> Sequence[Body]:
        synced = message.body
        had_row = _clear(sessions, config, synced.ref, IV_REASON="SYNCED", IV_VBELN=synced.sales_order)
        return [OrderCleared(ref=synced.ref, had_row=had_row, sales_order=synced.sales_order)]

    return clear


def clear_withdrawn(sessions: Sessions, config: EccConfig) -> Handler[OrderWithdrawn]:
    """Return the handler that closes the row of an order that was cancelled or deleted while it waited; it blocks."""

    def clear(message: Message[OrderWithdrawn]) -> Sequence[Body]:
        withdrawn = message.body
        had_row = _clear(sessions, config, withdrawn.ref, IV_REASON=REASONS[withdrawn.reason])
        return [OrderCleared(ref=withdrawn.ref, had_row=had_row, reason=withdrawn.reason)]

    return clear


def _clear(sessions: Sessions, config: EccConfig, ref: OrderRef, **reason: str) -> bool:
    with sessions.take() as session:
        cleared = session.call("Z_ORDERBUS_PENDING_CLEAR", IV_ORDER_KEY=order_key(config, ref), **reason)
    return bool(cleared["EV_FOUND"])
