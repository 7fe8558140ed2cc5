"""Signatures: PHP's natural order of parameters, and PHP's encoding."""

import base64
import hashlib
import hmac
import re
from urllib.parse import unquote

from adapters.magento.config import OAuth1
from adapters.magento.search import Filter, criteria
from adapters.magento.signing import authorization, base_string, natural_order, query

AUTH = OAuth1(consumer_key="ck", consumer_secret="c s", access_token="at", access_token_secret="t&s")


def test_orders_as_strnatcmp_does() -> None:
    """Runs of digits by value, all else by byte, the shorter first."""
    names = ["a10", "a9", "a", "a9b", "A1", "a%5B10%5D", "a%5B9%5D", "a%5B0%5D", "b1", "_", "a1"]
    assert sorted(names, key=natural_order) == [
        "A1", "_", "a", "a%5B0%5D", "a%5B9%5D", "a%5B10%5D", "a1", "a9", "a9b", "a10", "b1",
    ]  # fmt: skip


def test_eleven_filter_groups_are_signed_in_natural_order() -> None:
    filters = [Filter("entity_id", "gt", str(number)) for number in range(11)]
    text = unquote(base_string("GET", "http://shop.example/rest/V1/orders", criteria(filters, size=5)))
    groups = re.findall(r"filterGroups%5D%5B(\d+)%5D%5Bfilters%5D%5B0%5D%5Bvalue", text)
    assert groups == [str(number) for number in range(11)]


def test_base_string_names_method_address_and_encoded_parameters() -> None:
    text = base_string("get", "HTTPS://Shop.Example:443/rest/V1/orders", [("b", "x y+z"), ("a[0]", "ü~")])
    assert text == (
        "GET&https%3A%2F%2Fshop.example%2Frest%2FV1%2Forders&a%255B0%255D%3D%25C3%25BC~%26b%3Dx%2520y%252Bz"
    )


def test_keeps_a_port_that_is_not_the_schemes_own() -> None:
    assert "127.0.0.1%3A8780" in base_string("GET", "http://127.0.0.1:8780/rest/V1/orders", [])


def test_header_carries_the_signature_of_the_base_string() -> None:
    url, pairs = "http://shop.example/rest/V1/orders", [("fields", "items[a b]")]
    header = authorization(AUTH, "GET", url, pairs, ("n", 1700000000))
    given = {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', header)}
    signature = given.pop("oauth_signature")
    signed = base_string("GET", url, [*pairs, *given.items()])
    expected = hmac.new(b"c%20s&t%26s", signed.encode(), hashlib.sha256).digest()
    assert signature == base64.b64encode(expected).decode()
    assert given == {
        "oauth_consumer_key": "ck", "oauth_nonce": "n", "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": "1700000000", "oauth_token": "at", "oauth_version": "1.0",
    }  # fmt: skip


def test_every_request_has_a_nonce_of_its_own() -> None:
    url = "http://shop.example/rest/V1/orders"
    assert authorization(AUTH, "GET", url, []) != authorization(AUTH, "GET", url, [])


def test_query_uses_no_plus_for_a_space() -> None:
    assert query([("a[0]", "b c"), ("d", "e+f")]) == "a%5B0%5D=b%20c&d=e%2Bf"
