"""Whatever stands in a configuration file ends as a configuration, or as one line that says where it is wrong."""

import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orderbus.config import ConfigError, decode, load
from orderbus.masking import masked, secrets_of, shown
from orderbus.reference import EXAMPLE
from tests.hardening.fuzzing import clear, fuzzed, mutated

TEXT = EXAMPLE.read_text("utf-8")
DATA = tomllib.loads(TEXT)
ENVIRONMENT = {
    "ORDERBUS_BROKER_URL": "amqp://orderbus:s3cret-broker@broker/",
    "ORDERBUS_DATABASE_URL": "postgresql://orderbus:s3cret-database@db/orderbus",
    **{f"MAGENTO_{name}": "s3cret-shop" for name in ("CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN")},
    "MAGENTO_ACCESS_TOKEN_SECRET": "s3cret-shop",
    "ORDERBUS_ECC_PASSWORD": "s3cret-ecc",
}


def tried(data: Any) -> None:
    """Decode; what decodes can be shown without its secrets, and what does not is refused without them."""
    try:
        loaded = decode(data, "orderbus.toml", ENVIRONMENT)
    except ConfigError as failure:
        said = str(clear(failure))
    else:
        secrets_of(loaded)
        said = f"{masked(loaded)} {list(shown(loaded))}"
    assert "s3cret" not in said


@fuzzed(300)
@given(data=mutated(DATA))
def test_values(data: Any) -> None:
    tried(data if isinstance(data, dict) else {})


@fuzzed(100)
@given(data=st.data())
def test_text(tmp_path_factory: Any, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TEXT)))
    upto = data.draw(st.integers(at, min(len(TEXT), at + 20)))
    octets = TEXT[:at].encode() + data.draw(st.binary(max_size=10)) + TEXT[upto:].encode()
    path: Path = tmp_path_factory.getbasetemp() / "fuzzed.toml"
    path.write_bytes(octets)
    try:
        load(path, ENVIRONMENT)
    except ConfigError as failure:
        clear(failure)


URLS = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"(amqps?|memory|postgresql|sqlite|https?)://[a-z:@/\[\]%;.0-9]{0,30}", fullmatch=True),
)


@fuzzed(200)
@given(broker=URLS, database=URLS, shop=URLS)
def test_addresses(broker: str, database: str, shop: str) -> None:
    environment = ENVIRONMENT | {"ORDERBUS_BROKER_URL": broker, "ORDERBUS_DATABASE_URL": database}
    try:
        decode(DATA | {"magento": DATA["magento"] | {"url": shop}}, "orderbus.toml", environment)
    except ConfigError as failure:
        clear(failure)
