"""The order key: the one value by which ECC finds an order of a shop again."""

from adapters.ecc.config import EccConfig
from schemas.failures import Permanent
from schemas.order import OrderRef

LONGEST_ORDER_KEY = 35
"""Characters of VBKD-BSTKD and -BSTKD_E, and of ``ORDER_KEY`` in the custom function modules."""


def order_key(config: EccConfig, ref: OrderRef) -> str:
    """Return an order's key, unique over stores: prefix, store and increment id.

    ``default-000000011``, behind the prefix. Store codes hold no hyphen, so two orders never share a key.

    Raises
    ------
    Permanent
        The key would be longer than the field that holds it, or its parts are not what a shop gives.
    """
    if not ref.increment_id.strip() or not ref.store.replace("_", "").isalnum():
        raise Permanent(
            f"The order with id {ref.order_id!r} has no increment id or no valid store code.",
            "Look at the order in the shop: only one that was placed through it can be written to ECC.",
        )
    key = f"{config.order_key_prefix}{ref.store}-{ref.increment_id}"
    if len(key) > LONGEST_ORDER_KEY:
        raise Permanent(
            f"The order key {key!r} has {len(key)} characters, the purchase order number takes {LONGEST_ORDER_KEY}.",
            "Shorten `order_key_prefix`, or the store's code, before the store's first order.",
        )
    return key
