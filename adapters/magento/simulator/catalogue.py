"""What the simulated shop sells: the products of the recorded orders, with German gross prices."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from .answers import ApiError

Kind = Literal["simple", "virtual", "configurable", "bundle"]


class Part(Struct, frozen=True):
    """A product inside a configurable or bundle."""

    sku: str
    quantity: int = 1


class Product(Struct, frozen=True):
    """A product that can be put into a cart."""

    id: int
    sku: str
    name: str
    gross: Decimal
    """Price in euro with 19 % German VAT."""
    kind: Kind = "simple"
    weight: Decimal | None = Decimal("1.5")
    decimal_quantity: bool = False
    variants: Mapping[int, str] = {}
    """SKU for each value of the configurable attribute."""
    parts: Mapping[int, Part] = {}
    """What a bundle consists of, by option id."""
    option_sku: str = ""
    """Suffix that the custom option 1 adds to the SKU."""
    option_gross: Decimal = Decimal(0)


COLOUR = "93"
"""Attribute id by which the shirt is configured."""
PRODUCTS: Mapping[str, Product] = {
    product.sku: product
    for product in (
        Product(1, "MUG-01", 'Kaffeebecher "Groß" ÄÖÜ', Decimal("11.90")),
        Product(2, "TEE-01", "Tee & Kräuter <Bio>", Decimal("23.80")),
        Product(3, "VIRT-01", "Gutschein-Service", Decimal("50.00"), kind="virtual", weight=None),
        Product(4, "SHIRT-RED", "Shirt Rot", Decimal("29.75")),
        Product(5, "SHIRT-BLUE", "Shirt Blau", Decimal("29.75")),
        Product(
            6, "SHIRT", "Shirt", Decimal("29.75"), kind="configurable", variants={4: "SHIRT-RED", 5: "SHIRT-BLUE"}
        ),
        Product(
            7, "SET-01", "Tassen-Set", Decimal("47.60"), kind="bundle", parts={1: Part("MUG-01", 2), 2: Part("TEE-01")}
        ),
        Product(
            8, "OPT-01", "Gravur-Becher", Decimal("20.00"), weight=Decimal("0.3"), option_sku="GRAV",
            option_gross=Decimal("5.00"),
        ),
        Product(9, "DEC-01", "Stoff Meterware", Decimal("10.00"), weight=Decimal("0.3"), decimal_quantity=True),
    )
}  # fmt: skip


class Chosen(Struct, frozen=True):
    """A product with its options chosen."""

    product: Product
    sku: str
    gross: Decimal
    children: tuple[tuple[Product, int], ...] = ()
    """Products inside, with their quantity per piece."""
    option: dict[str, Any] | None = None
    """``product_option`` as orders show it."""


def choose(sku: str, given: object) -> Chosen:
    """Return a product as a cart takes it.

    Parameters
    ----------
    given:
        ``product_option`` of the cart item.

    Raises
    ------
    ApiError
        404 for an unknown SKU, 400 for options that are missing or unknown.
    """
    product = PRODUCTS.get(sku)
    if product is None:
        raise ApiError(404, "The product that was requested doesn't exist. Verify the product and try again.")
    attributes = given.get("extension_attributes", {}) if isinstance(given, dict) else {}
    options = attributes if isinstance(attributes, dict) else {}
    if product.kind == "configurable":
        return _configured(product, _objects(options.get("configurable_item_options")))
    if product.kind == "bundle":
        return _bundled(product, _objects(options.get("bundle_options")))
    custom = _objects(options.get("custom_options"))
    if not product.option_sku or not custom:
        return Chosen(product, sku, product.gross)
    text = str(custom[0].get("option_value", ""))
    return Chosen(
        product,
        f"{sku}-{product.option_sku}",
        product.gross + product.option_gross,
        option=_option("custom_options", [{"option_id": "1", "option_value": text}]),
    )


def _objects(given: object) -> list[dict[str, Any]]:
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []


def _option(name: str, values: list[dict[str, Any]]) -> dict[str, Any]:
    return {"extension_attributes": {name: values}}


def _configured(product: Product, options: list[dict[str, Any]]) -> Chosen:
    value = int(options[0].get("option_value") or 0) if options else 0
    if value not in product.variants:
        raise ApiError(400, "You need to choose options for your item.")
    child = PRODUCTS[product.variants[value]]
    option = _option("configurable_item_options", [{"option_id": COLOUR, "option_value": value}])
    return Chosen(product, child.sku, child.gross, children=((child, 1),), option=option)


def _bundled(product: Product, options: list[dict[str, Any]]) -> Chosen:
    wanted = {int(option.get("option_id") or 0) for option in options}
    if wanted != set(product.parts):
        raise ApiError(400, "Please select all required options.")
    chosen = [{"option_id": each, "option_qty": 1, "option_selections": [each]} for each in product.parts]
    children = tuple((PRODUCTS[part.sku], part.quantity) for part in product.parts.values())
    return Chosen(product, product.sku, product.gross, children, _option("bundle_options", chosen))
