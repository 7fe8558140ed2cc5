"""Magento's error texts: placeholders filled in, e-mail addresses taken out, anything else recognised as none."""

import json

import pytest

from adapters.magento.errors import LONGEST_TEXT, error_text
from tests.magento.recordings import FOLDER, recording

RECORDED = sorted(
    path.relative_to(FOLDER).with_suffix("").as_posix()
    for path in FOLDER.rglob("*.json")
    if path.name != "swagger_sales_customer.json"
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("errors/404_customer", "No such entity with customerId = 123456"),
        ("auth/oauth1_sha1", "Signature method HMAC-SHA1 is not supported"),
        ("auth/none", "The consumer isn't authorized to access Magento_Backend::store."),
        ("errors/oauth_nonce_replay_same_ts", "The nonce is already being used by the consumer with ID 1"),
        ("order_update/20_nonexistent_id", "Please provide payment for the order."),
    ],
)
def test_fills_placeholders_in(name: str, text: str) -> None:
    assert error_text(json.dumps(recording(name)["response"]["body"]).encode()) == text


def test_every_recorded_error_has_a_text_without_open_placeholders() -> None:
    texts = []
    for name in RECORDED:
        response = recording(name)["response"]
        if response["status"] < 400 or not isinstance(response.get("body"), dict):
            continue
        text = error_text(json.dumps(response["body"]).encode())
        assert text, name
        if "parameters" in response["body"]:
            assert "%" not in text, name
        texts.append(text)
    assert len(texts) > 40


def test_recorded_pages_that_are_no_json_are_no_magento_error() -> None:
    for name in ("errors/503_maintenance", "errors/502_php_fpm_down", "errors/500_db_down", "errors/404_accept_xml"):
        assert error_text(recording(name)["response"]["text"].encode()) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b'{"message": 5}', b"\xff\xfe", b"[" * 100_000, b'{"message":' * 50_000],
)
def test_takes_anything(body: bytes) -> None:
    assert error_text(body) is None


def test_takes_e_mail_addresses_out() -> None:
    body = b'{"message": "\\"%value\\" is not a valid email (jane.doe@example.com).", "parameters": {"value": "x@y"}}'
    assert error_text(body) == '"<e-mail>" is not a valid email (<e-mail>).'


def test_is_bounded_and_leaves_strange_parameters() -> None:
    body = json.dumps({"message": "a %1 %2 %nope " + "x" * 10_000, "parameters": [{"b": 1}, 7]}).encode()
    text = error_text(body)
    assert text is not None
    assert text.startswith("a %1 7 %nope xx")
    assert len(text) == LONGEST_TEXT
