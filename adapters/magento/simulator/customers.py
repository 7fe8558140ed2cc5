"""Customer accounts: created, merged, searched and deleted as Magento 2.4.7 does."""

import re
from typing import Any

from . import criteria, fields
from .access import hashed
from .answers import ApiError, no_such, required
from .call import Call
from .criteria import Table, columns
from .shop import Shop
from .state import Doc, State, packed, unpacked, without_nulls
from .stores import REGIONS

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)*$")
_TAKEN = "A customer with the same email address already exists in an associated website."
_ORDER = (
    "id", "group_id", "default_billing", "default_shipping", "confirmation", "created_at", "updated_at", "created_in",
    "dob", "email", "firstname", "lastname", "middlename", "prefix", "suffix", "gender", "store_id", "taxvat",
    "website_id",
)  # fmt: skip
_ADDRESS_TEXTS = (
    "country_id", "street", "company", "telephone", "fax", "postcode", "city", "firstname", "lastname", "middlename",
    "prefix", "suffix", "vat_id",
)  # fmt: skip
GROUPS = ("NOT LOGGED IN", "General", "Wholesale", "Retailer")
MAX_ADDRESSES = 100


def table(shop: Shop) -> Table:
    """Return what can be searched: the account's own fields and the custom attributes that exist."""
    types = {name: kind for name, kind in fields.TYPES["customer"].items() if kind in ("int", "float", "string")}
    types |= {"entity_id": "int"} | dict.fromkeys(shop.config.customer_attributes, "string")
    real = {name: name for name in ("id", "email", "website_id", "created_at", "updated_at")} | {"entity_id": "id"}
    real |= {code: f"json_extract(attributes, '$.{code}') COLLATE NOCASE" for code in shop.config.customer_attributes}

    def unknown(field: str) -> ApiError:
        return ApiError(400, 'The "%1" attribute name is invalid. Reset the name and try again.', [field])

    return Table("customer", "id", columns(types, real, unknown))


def index_attributes(shop: Shop) -> None:
    """Make the custom attributes searchable without reading every account."""
    for code in shop.config.customer_attributes:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", code):
            raise ValueError(f"{code!r} is no attribute code: small letters, digits and underscores")
        extract = f"json_extract(attributes, '$.{code}') COLLATE NOCASE"
        shop.state.run(f"CREATE INDEX IF NOT EXISTS customer_{code} ON customer ({extract})")


def show(state: State, doc: Doc, attributes: Doc) -> Doc:
    """Return an account as the API shows it."""
    shown: Doc = {name: doc[name] for name in _ORDER if doc.get(name) is not None}
    addresses = state.docs("customer_address", "customer_id", doc["id"], "id")
    shown["addresses"] = [show_address(doc, address) for address in addresses]
    shown["disable_auto_group_change"] = doc.get("disable_auto_group_change") or 0
    shown["extension_attributes"] = {"is_subscribed": False}
    pairs = [{"attribute_code": code, "value": value} for code, value in attributes.items()]
    return {**shown, "custom_attributes": pairs} if pairs else shown


def show_address(customer: Doc, address: Doc) -> Doc:
    """Return an address as the API shows it; the default flags appear only where they are true."""
    flags = {
        f"default_{kind}": True
        for kind in ("shipping", "billing")
        if customer.get(f"default_{kind}") == str(address["id"])
    }
    return without_nulls(address) | flags


def load(shop: Shop, customer_id: int) -> tuple[Doc, Doc]:
    """Return an account and its custom attributes.

    Raises
    ------
    ApiError
        404 where there is none.
    """
    row = shop.state.one("SELECT doc, attributes FROM customer WHERE id = ?", customer_id)
    if row is None:
        raise no_such("customerId", customer_id)
    return unpacked(row["doc"]), unpacked(row["attributes"])


async def get(call: Call) -> Doc:
    """``GET /V1/customers/{id}``."""
    return show(call.shop.state, *load(call.shop, call.id))


async def me(call: Call) -> Doc:
    """``GET /V1/customers/me``."""
    return show(call.shop.state, *load(call.shop, call.caller.customer_id or 0))


async def search(call: Call) -> Doc:
    """``GET /V1/customers/search``; custom attributes can be filtered."""
    wanted = call.criteria()
    page = criteria.find(call.shop.state.connection, table(call.shop), wanted)
    items = [show(call.shop.state, unpacked(row["doc"]), unpacked(row["attributes"])) for row in page.rows]
    return criteria.answer(items, page, wanted)


async def create(call: Call) -> Doc:
    """``POST /V1/customers``; the store code of the URL does not choose the website."""
    given = _given(call)
    password = call.body.get("password")
    await call.service_time()
    with call.shop.state.transaction():
        customer_id = add(call.shop, given, None if password is None else str(password))
    return show(call.shop.state, *load(call.shop, customer_id))


def add(shop: Shop, given: Doc, password: str | None) -> int:
    """Open an account, inside the caller's transaction; return its id.

    Raises
    ------
    ApiError
        400 for what the form would not take.
    """
    state = shop.state
    website = given.get("website_id") or (
        shop.stores.by_id[given["store_id"]].website_id if given.get("store_id") in shop.stores.by_id else None
    )
    website = website or shop.stores.default.website_id
    if not shop.stores.known_website(website):
        raise no_such("id", website)
    store = shop.stores.by_id.get(given.get("store_id") or 0)
    if store is None or store.website_id != website:
        store = shop.stores.first_of(website)
    now = state.clock.now()
    fixed = {
        "website_id": website,
        "store_id": store.id,
        "created_in": store.name,
        "created_at": now,
        "updated_at": now,
    }
    doc = {"group_id": 1, **_own(given), **fixed}
    _check(state, doc, 0)
    doc["id"] = state.next("customer")
    _save_addresses(state, doc, given.get("addresses") or [])
    attributes = _merged(shop, {}, given.get("custom_attributes"))
    _put(state, doc, attributes, None if password is None else hashed(password))
    return int(doc["id"])


async def update(call: Call) -> Doc:
    """``PUT /V1/customers/{id}``: merges; an id in the body wins over the one in the URL."""
    given = _given(call)
    customer_id = int(given.get("id") or call.id)
    load(call.shop, customer_id)
    await call.service_time()
    state = call.shop.state
    with state.transaction():
        doc, attributes = load(call.shop, customer_id)
        fixed = ("id", "created_at", "updated_at", "created_in")
        doc |= {name: value for name, value in _own(given).items() if name not in fixed}
        _check(state, doc, customer_id)
        if given.get("addresses") is not None:
            _save_addresses(state, doc, given["addresses"])
        doc["updated_at"] = state.clock.now()
        row = state.one("SELECT password FROM customer WHERE id = ?", customer_id)
        password = call.body.get("password")
        kept = row["password"] if row else None
        merged = _merged(call.shop, attributes, given.get("custom_attributes"))
        _put(state, doc, merged, kept if password is None else hashed(str(password)))
    return show(state, *load(call.shop, customer_id))


async def delete(call: Call) -> bool:
    """``DELETE /V1/customers/{id}``; the orders stay, with the number of an account that is gone."""
    customer_id = call.id
    load(call.shop, customer_id)
    await call.service_time()
    with call.shop.state.transaction():
        call.shop.state.run("DELETE FROM customer WHERE id = ?", customer_id)
        call.shop.state.run("DELETE FROM customer_address WHERE customer_id = ?", customer_id)
        # The foreign key of the orders is ON DELETE SET NULL.
        for row in call.shop.state.all("SELECT entity_id, doc FROM sales_order WHERE customer_id = ?", customer_id):
            doc = {name: value for name, value in unpacked(row["doc"]).items() if name != "customer_id"}
            sql = "UPDATE sales_order SET customer_id = NULL, doc = ? WHERE entity_id = ?"
            call.shop.state.run(sql, packed(doc), row["entity_id"])
    return True


def _given(call: Call) -> Doc:
    if not isinstance(call.body, dict) or not isinstance(call.body.get("customer"), dict):
        raise required("customer")
    given = dict(call.body["customer"])
    given["custom_attributes"] = _pairs(given.get("custom_attributes"))
    given = fields.checked("customer", given)
    if given.get("addresses") is not None:
        if len(given["addresses"]) > MAX_ADDRESSES:
            raise ApiError(400, f"The simulator takes at most {MAX_ADDRESSES} addresses.")
        given["addresses"] = [fields.checked("customer_address", each) for each in given["addresses"]]
    return given


def _pairs(given: Any) -> list[Doc]:
    """Return custom attributes as a list of pairs; Magento takes a map as well (``customers/33_*``)."""
    if isinstance(given, dict):
        return [{"attribute_code": code, "value": value} for code, value in given.items()]
    return [each for each in given or [] if isinstance(each, dict)] if isinstance(given, list) else []


def _own(given: Doc) -> Doc:
    return {name: value for name, value in given.items() if name in _ORDER or name == "disable_auto_group_change"}


def _merged(shop: Shop, before: Doc, given: list[Doc] | None) -> Doc:
    """Return the attributes after a save: unknown ones are dropped without a word, null removes one."""
    after = dict(before)
    for pair in given or []:
        code, value = pair.get("attribute_code"), pair.get("value")
        after[str(code)] = None if value is None else str(value)
    return {code: after[code] for code in shop.config.customer_attributes if after.get(code) is not None}


def _check(state: State, doc: Doc, customer_id: int) -> None:
    for name, label in (("firstname", "First Name"), ("lastname", "Last Name")):
        if not doc.get(name):
            raise ApiError(400, f'"{label}" is a required value.')
        if len(doc[name]) > 255:
            raise ApiError(400, f"{label} is not valid!")
    if not _EMAIL.match(doc.get("email") or ""):
        raise ApiError(400, '"Email" is not a valid email address.')
    if not 0 <= int(doc.get("group_id") or 0) < len(GROUPS):
        raise ApiError(400, "The specified customer group id does not exist.")
    sql = "SELECT id FROM customer WHERE email = ? AND website_id = ? AND id <> ?"
    if state.one(sql, doc["email"], doc["website_id"], customer_id):
        raise ApiError(400, _TAKEN)


def _put(state: State, doc: Doc, attributes: Doc, password: str | None) -> None:
    extra = {"attributes": packed(attributes), "password": password}
    state.put("customer", without_nulls(doc), ("id", "email", "website_id", "created_at", "updated_at"), extra)


def _save_addresses(state: State, customer: Doc, given: list[Doc]) -> None:
    """Replace the addresses: one with an id is changed, one without is new, and any that is not given is deleted."""
    existing = {doc["id"]: doc for doc in state.docs("customer_address", "customer_id", customer["id"], "id")}
    state.run("DELETE FROM customer_address WHERE customer_id = ?", customer["id"])
    kept = set()
    for each in given:
        address_id = each.get("id")
        before = existing.get(address_id, {}) if address_id is not None else {}
        if address_id is not None and not before:
            raise no_such("addressId", address_id)
        number = address_id or state.next("customer_address")
        doc = _address({**before, **each}, number, customer["id"])
        state.put("customer_address", doc, ("id", "customer_id"))
        kept.add(str(number))
        for kind in ("billing", "shipping"):
            if each.get(f"default_{kind}"):
                customer[f"default_{kind}"] = str(number)
    for kind in ("billing", "shipping"):
        if customer.get(f"default_{kind}") not in kept:
            customer.pop(f"default_{kind}", None)


def _address(given: Doc, number: int, customer_id: int) -> Doc:
    region: Doc = given["region"] if isinstance(given.get("region"), dict) else {}
    region_id = int(region.get("region_id") or given.get("region_id") or 0)
    known = REGIONS.get(region_id)
    shown: Doc = {"region_code": None, "region": region.get("region"), "region_id": region_id}
    if known:
        shown = {"region_code": known.code, "region": known.name, "region_id": known.id}
    texts = {name: given[name] for name in _ADDRESS_TEXTS if given.get(name)}
    return {"id": number, "customer_id": customer_id, "region": shown, "region_id": region_id, **texts}


async def address(call: Call) -> Doc:
    """``GET /V1/customers/addresses/{id}``."""
    number = call.id
    row = call.shop.state.one("SELECT customer_id, doc FROM customer_address WHERE id = ?", number)
    if row is None:
        raise no_such("addressId", number)
    return show_address(load(call.shop, row["customer_id"])[0], unpacked(row["doc"]))


async def default_address(call: Call, kind: str) -> Doc | None:
    """``GET /V1/customers/{id}/billingAddress`` and ``/shippingAddress``."""
    customer, _ = load(call.shop, call.id)
    row = call.shop.state.one(
        "SELECT doc FROM customer_address WHERE id = ?", int(customer.get(f"default_{kind}") or 0)
    )
    return None if row is None else show_address(customer, unpacked(row["doc"]))


async def attribute(call: Call) -> Doc:
    """``GET /V1/attributeMetadata/customer/attribute/{code}``."""
    code = call.path["code"]
    if code not in call.shop.config.customer_attributes:
        parameters = {
            "fieldName": "entityType",
            "fieldValue": "customer",
            "field2Name": "attributeCode",
            "field2Value": code,
        }
        raise ApiError(404, "No such entity with %fieldName = %fieldValue, %field2Name = %field2Value", parameters)
    return _metadata(code)


async def custom_attributes(call: Call) -> list[Doc]:
    """``GET /V1/attributeMetadata/customer/custom``."""
    return [_metadata(code) for code in call.shop.config.customer_attributes]


def _metadata(code: str) -> Doc:
    label = code.replace("_", " ").capitalize().replace("Sap", "SAP")
    return {
        "frontend_input": "text", "input_filter": "", "store_label": label, "validation_rules": [],
        "multiline_count": 0, "visible": True, "required": False, "data_model": "", "options": [],
        "frontend_class": "", "user_defined": True, "sort_order": 200, "frontend_label": label, "note": "",
        "system": False, "backend_type": "varchar", "is_used_in_grid": False, "is_visible_in_grid": False,
        "is_filterable_in_grid": False, "is_searchable_in_grid": False, "attribute_code": code,
    }  # fmt: skip


async def search_groups(call: Call) -> Doc:
    """``GET /V1/customerGroups/search``; filters are not simulated, there are four groups."""
    wanted = call.criteria()
    groups = [
        {"id": number, "code": code, "tax_class_id": 3, "tax_class_name": "Retail Customer"}
        for number, code in enumerate(GROUPS)
    ]
    return {"items": groups, "search_criteria": wanted.echo(), "total_count": len(groups)}


def take(shop: Shop, shown: Doc, password: str | None = None) -> None:
    """Load an account as the API showed it; one of the same id is replaced."""
    state = shop.state
    doc = {name: value for name, value in shown.items() if name in _ORDER or name == "disable_auto_group_change"}
    state.run("DELETE FROM customer_address WHERE customer_id = ?", doc["id"])
    for each in shown["addresses"]:
        kept = {name: value for name, value in each.items() if not name.startswith("default_")}
        state.put("customer_address", kept, ("id", "customer_id"))
        state.next("customer_address", each["id"])
    attributes = {pair["attribute_code"]: pair["value"] for pair in shown.get("custom_attributes", [])}
    _put(state, doc, attributes, None if password is None else hashed(password))
    state.next("customer", doc["id"])
