"""A wrong configuration is refused at start, with the path of what is wrong and why."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from rich.pretty import pretty_repr

from adapters.ecc.config import EccConfig, NetWeaver, Simulator
from tests.ecc.examples import CONFIG

STORE = {
    "sales_org": "1000",
    "distribution_channel": "10",
    "division": "00",
    "document_type": "TA",
    "conditions": {"price": {"type": "PR00", "sent": "per_quantity"}, "freight": {"type": "HD00"}},
}
GOOD: dict[str, Any] = {"connection": {"type": "simulator", "url": "http://127.0.0.1:8090"}, "default": STORE}


def decoded(changes: dict[str, Any]) -> EccConfig:
    return msgspec.convert({**GOOD, **changes}, EccConfig)


def store(**changes: Any) -> dict[str, Any]:
    return {"default": {**STORE, **changes}}


def test_a_small_configuration_is_enough() -> None:
    config = decoded({})
    assert config.store("any").conditions.price.type == "PR00"
    assert decoded(store(credit_limit="2500.00")).store("any").credit_limit == 2500


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sesions": 3}, "sesions"),
        ({"sessions": 0}, r"\$.sessions"),
        ({"registration": "auto"}, r"\$.registration"),
        ({"key_field": "purch"}, r"\$.key_field"),
        ({"page_size": 1001}, r"\$.page_size"),
        ({"default": None}, "at least one store"),
        (store(sales_org="10000"), r"\$.default.sales_org"),
        (store(document_type=""), r"\$.default.document_type"),
        (store(conditions={"price": {"type": "PRICE"}}), r"\$.default.conditions.price.type"),
        (store(conditions={"price": {"type": "PR00"}, "round_off_limit": "5"}), "between 0 and 1"),
        (store(conditions={"price": {"type": "PR00"}, "round_off_limit": "NaN"}), "between 0 and 1"),
        (store(credit_limit="-1"), "credit_limit"),
        (store(credit_limit="NaN"), "credit_limit"),
        (store(credit_limit="1.001"), "credit_limit"),
        (store(time_zone="Mars/Olympus"), "Mars/Olympus"),
        (store(time_zone="../../etc/passwd"), "time_zone"),
        (store(materials={"a": "x" * 19}), r"\$.default.materials"),
        ({"connection": {"type": "odata"}}, r"\$.connection"),
        ({"connection": {"type": "rfc", "client": "100", "user": "u"}}, "ashost"),
        ({"connection": {"type": "rfc", "client": "100", "user": "u", "ashost": "h"}}, "sysnr"),
        ({"connection": {"type": "rfc", "client": "100", "ashost": "h", "sysnr": "00"}}, "user"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        decoded(changes)


def test_passwords_are_not_shown() -> None:
    rfc = NetWeaver(ashost="h", sysnr="00", client="100", user="u", passwd="hidden")
    simulator = Simulator(url="http://x", passwd="hidden")
    whole = replace(CONFIG, connection=simulator)
    assert "hidden" not in repr((rfc, simulator, whole))
    assert "hidden" not in pretty_repr((rfc, simulator, whole))
