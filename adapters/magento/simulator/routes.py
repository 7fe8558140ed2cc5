"""The routes of the simulated API: method, path, the right they need, and who answers."""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from . import billing, checkout, customers, lifecycle, orders
from .access import ANONYMOUS, SELF, Gate
from .call import Call
from .checkout import Cart
from .shop import Shop
from .state import Doc

Handler = Callable[[Call], Awaitable[Any]]
CartAction = Callable[[Shop, Cart, Doc], Any]

VIEW = "Magento_Sales::actions_view"
CREATE = "Magento_Sales::create"
CUSTOMER = "Magento_Customer::customer"
MANAGE = "Magento_Customer::manage"
STORE = "Magento_Backend::store"
INVOICES = "Magento_Sales::sales_invoice"
SHIPMENTS = "Magento_Sales::shipment"
MEMOS = "Magento_Sales::creditmemo"


class Route(Struct, frozen=True):
    """What answers a request, and the ACL resource that it needs."""

    method: str
    path: str
    resource: str
    handler: Handler


class Match(Struct, frozen=True):
    """A route with the parts of the path that it names."""

    route: Route
    path: Mapping[str, str]


class Router:
    """Finds the route of a request."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._by_shape: dict[tuple[str, int], list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            pattern = re.compile(re.sub(r"\\?\{(\w+)\\?\}", r"(?P<\1>[^/]+)", re.escape(route.path)))
            self._by_shape.setdefault((route.method, route.path.count("/")), []).append((pattern, route))

    def find(self, method: str, path: str) -> Match | None:
        """Return the route of a raw path such as ``/V1/orders/1``, or None; exact paths stand before patterns."""
        for pattern, route in self._by_shape.get((method, path.count("/")), ()):
            if match := pattern.fullmatch(path):
                return Match(route, {name: unquote(value) for name, value in match.groupdict().items()})
        return None


def routes_of(gate: Gate) -> tuple[Route, ...]:
    """Return all routes; `gate` issues the tokens."""
    return (
        *_access(gate),
        Route("GET", "/V1/store/storeViews", STORE, _store_views),
        Route("GET", "/V1/store/websites", STORE, _websites),
        *_ORDERS,
        *_DOCUMENTS,
        *_CUSTOMERS,
        *_carts("guest-carts/{cart}", ANONYMOUS, _guest_cart),
        *_carts("carts/mine", SELF, _customer_cart),
        Route("POST", "/V1/guest-carts", ANONYMOUS, _open_guest_cart),
        Route("POST", "/V1/carts/mine", SELF, _open_customer_cart),
    )


def _access(gate: Gate) -> tuple[Route, ...]:
    async def admin(call: Call) -> str:
        return gate.admin_token(call.body)

    async def customer(call: Call) -> str:
        return gate.customer_token(call.body, call.store.website_id)

    return (
        Route("POST", "/V1/integration/admin/token", ANONYMOUS, admin),
        Route("POST", "/V1/integration/customer/token", ANONYMOUS, customer),
    )


async def _store_views(call: Call) -> list[Doc]:
    return call.shop.stores.views()


async def _websites(call: Call) -> list[Doc]:
    return call.shop.stores.websites()


async def _guest_cart(call: Call) -> Cart:
    return checkout.guest_cart(call.shop, call.path["cart"])


async def _customer_cart(call: Call) -> Cart:
    return checkout.customer_cart(call.shop, call.caller.customer_id or 0)


async def _open_guest_cart(call: Call) -> str | None:
    return checkout.open_cart(call.shop, call.store, None).masked_id


async def _open_customer_cart(call: Call) -> int:
    return checkout.open_cart(call.shop, call.store, call.caller.customer_id).id


def _carts(prefix: str, resource: str, cart_of: Callable[[Call], Awaitable[Cart]]) -> tuple[Route, ...]:
    def acting(action: CartAction) -> Handler:
        async def handle(call: Call) -> Any:
            await call.service_time()
            cart = await cart_of(call)
            return action(call.shop, cart, call.body if isinstance(call.body, dict) else {})

        return handle

    def showing(show: Callable[[Shop, Cart], Any]) -> Handler:
        return acting(lambda shop, cart, _body: show(shop, cart))

    async def coupon(call: Call) -> bool:
        return checkout.set_coupon(call.shop, await cart_of(call), call.path["code"])

    return (
        Route("GET", f"/V1/{prefix}/items", resource, showing(checkout.list_items)),
        Route("POST", f"/V1/{prefix}/items", resource, acting(checkout.add_item)),
        Route("GET", f"/V1/{prefix}/totals", resource, showing(checkout.show_totals)),
        Route("PUT", f"/V1/{prefix}/coupons/{{code}}", resource, coupon),
        Route("POST", f"/V1/{prefix}/estimate-shipping-methods", resource, acting(checkout.shipping_methods)),
        Route("POST", f"/V1/{prefix}/shipping-information", resource, acting(checkout.set_shipping)),
        Route("POST", f"/V1/{prefix}/payment-information", resource, acting(checkout.pay)),
    )


_ORDERS = (
    Route("GET", "/V1/orders", VIEW, orders.search),
    Route("GET", "/V1/orders/items", VIEW, orders.search_items),
    Route("GET", "/V1/orders/{id}", VIEW, orders.get),
    Route("GET", "/V1/orders/{id}/statuses", VIEW, orders.status),
    Route("POST", "/V1/orders", CREATE, orders.save),
    Route("PUT", "/V1/orders/create", CREATE, orders.save),
    Route("PUT", "/V1/orders/{id}", CREATE, orders.save_address),
    Route("GET", "/V1/orders/{id}/comments", VIEW, lifecycle.list_comments),
    Route("POST", "/V1/orders/{id}/comments", "Magento_Sales::comment", lifecycle.add_comment),
    Route("POST", "/V1/orders/{id}/cancel", "Magento_Sales::cancel", lifecycle.cancel),
    Route("POST", "/V1/orders/{id}/hold", "Magento_Sales::hold", lifecycle.hold),
    Route("POST", "/V1/orders/{id}/unhold", "Magento_Sales::unhold", lifecycle.unhold),
    Route("POST", "/V1/orders/{id}/emails", "Magento_Sales::emails", lifecycle.send_email),
    Route("POST", "/V1/order/{id}/invoice", INVOICES, billing.invoice),
    Route("POST", "/V1/order/{id}/ship", "Magento_Sales::ship", lifecycle.ship),
    Route("POST", "/V1/order/{id}/refund", MEMOS, billing.refund),
)
_DOCUMENTS = (
    Route("GET", "/V1/invoices", INVOICES, partial(lifecycle.search_documents, table="sales_invoice")),
    Route("GET", "/V1/invoices/{id}", INVOICES, partial(lifecycle.get_document, table="sales_invoice")),
    Route("POST", "/V1/invoices/comments", INVOICES, lifecycle.add_invoice_comment),
    Route("GET", "/V1/shipments", SHIPMENTS, partial(lifecycle.search_documents, table="sales_shipment")),
    Route("POST", "/V1/shipment/track", SHIPMENTS, lifecycle.add_track),
    Route("GET", "/V1/shipment/{id}", SHIPMENTS, partial(lifecycle.get_document, table="sales_shipment")),
    Route("GET", "/V1/creditmemos", MEMOS, partial(lifecycle.search_documents, table="sales_creditmemo")),
    Route("GET", "/V1/creditmemo/{id}", MEMOS, partial(lifecycle.get_document, table="sales_creditmemo")),
)
_CUSTOMERS = (
    Route("GET", "/V1/customers/search", CUSTOMER, customers.search),
    Route("GET", "/V1/customers/me", SELF, customers.me),
    Route("GET", "/V1/customers/{id}", CUSTOMER, customers.get),
    Route("POST", "/V1/customers", ANONYMOUS, customers.create),
    Route("PUT", "/V1/customers/{id}", MANAGE, customers.update),
    Route("DELETE", "/V1/customers/{id}", "Magento_Customer::delete", customers.delete),
    Route("GET", "/V1/customers/addresses/{id}", CUSTOMER, customers.address),
    Route("GET", "/V1/customers/{id}/billingAddress", CUSTOMER, partial(customers.default_address, kind="billing")),
    Route("GET", "/V1/customers/{id}/shippingAddress", CUSTOMER, partial(customers.default_address, kind="shipping")),
    Route("GET", "/V1/customerGroups/search", "Magento_Customer::group", customers.search_groups),
    Route("GET", "/V1/attributeMetadata/customer/attribute/{code}", ANONYMOUS, customers.attribute),
    Route("GET", "/V1/attributeMetadata/customer/custom", ANONYMOUS, customers.custom_attributes),
)
