"""What a configuration file may say, and how a mistake in it is answered."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from orderbus.config import Config, ConfigError, decode, load
from orderbus.masking import MASK, masked, secrets_of, shown

EXAMPLE = Path(__file__).parents[2] / "examples" / "orderbus.toml"
ENVIRONMENT = {
    "ORDERBUS_BROKER_URL": "amqp://bus:MARKED-BROKER@broker.example/shop",
    "ORDERBUS_DATABASE_URL": "postgresql://bus:MARKED%2FDATABASE@db.example/orderbus",
    "MAGENTO_CONSUMER_KEY": "MARKED-KEY",
    "MAGENTO_CONSUMER_SECRET": "MARKED-SECRET",
    "MAGENTO_ACCESS_TOKEN": "MARKED-TOKEN",
    "MAGENTO_ACCESS_TOKEN_SECRET": "MARKED-TOKEN-SECRET",
    "ORDERBUS_ECC_PASSWORD": "MARKED-PASSWORD",
}
Change = Callable[[dict[str, Any]], object]


def example() -> dict[str, Any]:
    return tomllib.loads(EXAMPLE.read_text())


def test_the_example_decodes() -> None:
    config = load(EXAMPLE, ENVIRONMENT).config
    assert config.broker.url == ENVIRONMENT["ORDERBUS_BROKER_URL"]
    assert config.magento.payment_gates == {"banktransfer": "paid"}
    assert config.ecc.store("b2b_en").sales_org == "2000"


def test_the_example_documents_every_default_truly() -> None:
    commented = re.sub(r"(?m)^#(?=[\w-]+ = )", "", EXAMPLE.read_text())
    assert commented != EXAMPLE.read_text()
    explicit = decode(tomllib.loads(commented), "all", ENVIRONMENT)
    implicit = decode(example(), "some", ENVIRONMENT)
    assert masked(explicit) == masked(implicit)
    assert explicit == implicit


def test_the_example_names_every_key() -> None:
    text = EXAMPLE.read_text()
    unnamed = {
        f"{struct.cls.__name__}.{field.encode_name}"
        for struct in structs(inspect.type_info(Config))
        if struct.cls.__name__ not in {"Bearer", "Simulator"}
        for field in struct.fields
        if not re.search(rf"(?m)(^#?|[{{ ,]|\[[\w.]*){re.escape(field.encode_name)}( =|\]|\.)", text)
    }
    assert unnamed == set()


def structs(type_: inspect.Type) -> list[inspect.StructType]:
    found: dict[type, inspect.StructType] = {}

    def walk(part: object) -> None:
        if isinstance(part, inspect.StructType):
            if part.cls in found:
                return
            found[part.cls] = part
            for field in part.fields:
                walk(field.type)
        elif isinstance(part, inspect.UnionType):
            for one in part.types:
                walk(one)
        elif isinstance(part, inspect.Type):
            for name in ("value_type", "item_type", "type"):
                walk(getattr(part, name, None))

    walk(type_)
    return list(found.values())


def test_no_section_takes_unknown_keys_or_changes_later() -> None:
    loose = [
        part.cls
        for part in structs(inspect.type_info(Config))
        if not (part.cls.__struct_config__.frozen and part.cls.__struct_config__.forbid_unknown_fields)
    ]
    assert loose == []


def nested(*path: str, **values: object) -> Change:
    def change(data: dict[str, Any]) -> None:
        for key in path:
            data = data[key]
        data.update(values)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (nested("magento", page_size="many"), "orderbus.toml: magento.page_size: expected int, got str."),
        (nested("magento", page_size=0), "orderbus.toml: magento.page_size: expected int >= 1."),
        (nested("magento", pagesize=1), "orderbus.toml: magento.pagesize: unknown key; did you mean page_size?"),
        (nested(magneto={}), "orderbus.toml: magneto: unknown key; did you mean magento?"),
        (nested(magento=1), "orderbus.toml: magento: expected table, got int."),
        (nested(broker="amqp://"), "orderbus.toml: broker: expected table, got str."),
        (lambda data: data["magento"].pop("url"), "orderbus.toml: magento.url: this key is required."),
        (lambda data: data.pop("ecc"), "orderbus.toml: ecc: this key is required."),
        (nested("magento", url="shop.example"), "orderbus.toml: magento: url must be like https://shop.example."),
        (
            nested("magento", "auth", type="oath1"),
            "orderbus.toml: magento.auth.type: expected one of bearer, oauth1, got oath1.",
        ),
        (
            nested("ecc", registration="automatc"),
            "orderbus.toml: ecc.registration: expected one of automatic, manual, got automatc.",
        ),
        (
            nested("ecc", "connection", usr="x"),
            "orderbus.toml: ecc.connection.usr: unknown key; did you mean user?",
        ),
        (
            nested("ecc", "stores", "b2b_en", currency_decimals={"EUR": 2, "HUF": "none"}),
            "orderbus.toml: ecc.stores.b2b_en.currency_decimals.HUF: expected int, got str.",
        ),
        (
            nested("ecc", "stores", "b2b_en", doc_type="TA"),
            "orderbus.toml: ecc.stores.b2b_en.doc_type: unknown key; did you mean document_type?",
        ),
        (
            nested("magento", "payment_gates", checkmo="soon"),
            "orderbus.toml: magento.payment_gates.checkmo: expected one of always, authorized, never, paid, got soon.",
        ),
        (
            nested("broker", retry_delays=[1, "x"]),
            "orderbus.toml: broker.retry_delays[1]: expected int, got str.",
        ),
        (nested("http", port=70_000), "orderbus.toml: http.port: expected int <= 65535."),
        (nested("log", level="LOUD"), "expected one of DEBUG, ERROR, INFO, WARNING, got LOUD."),
        (
            nested("magento", "auth", access_token="${NOT_SET}"),
            "orderbus.toml: magento.auth.access_token: the environment variable NOT_SET is not set.",
        ),
        (
            nested("magento", "auth", access_token="${file:/nowhere/token}"),
            "the file /nowhere/token cannot be read (No such file or directory).",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(change: Change, said: str) -> None:
    data = example()
    change(data)
    with pytest.raises(ConfigError) as failure:
        decode(data, "orderbus.toml", ENVIRONMENT)
    assert said in str(failure.value)
    assert "MARKED" not in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_value_from_a_file_comes_without_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("MARKED IN FILE\n")
    data = example()
    nested("magento", "auth", access_token=f"${{file:{tmp_path}/token}}")(data)
    loaded = decode(data, "orderbus.toml", ENVIRONMENT)
    assert msgspec.to_builtins(loaded.config.magento.auth)["access_token"] == "MARKED IN FILE"
    assert "MARKED IN FILE" in secrets_of(loaded)


def test_a_secret_of_another_service_need_not_be_there() -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if "ECC" not in name}
    with pytest.raises(ConfigError, match="ORDERBUS_ECC_PASSWORD is not set"):
        decode(example(), "orderbus.toml", environment)
    with pytest.raises(ConfigError, match="ORDERBUS_ECC_PASSWORD is not set"):
        decode(example(), "orderbus.toml", environment, sections=("ecc", "broker"))
    decode(example(), "orderbus.toml", environment, sections=("magento", "broker"))
    data = example()
    nested("magento", url="${SHOP_URL}")(data)
    decode(data, "orderbus.toml", {"ORDERBUS_DATABASE_URL": "sqlite:///bus.db"}, sections=("database",))


def test_the_environment_stands_above_the_file() -> None:
    data = example()
    nested("broker", url="memory://")(data)
    del data["database"]
    config = decode(data, "orderbus.toml", ENVIRONMENT).config
    assert config.broker.url == ENVIRONMENT["ORDERBUS_BROKER_URL"]
    assert config.database.url == ENVIRONMENT["ORDERBUS_DATABASE_URL"]


def test_what_is_no_configuration_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no configuration file .*absent.toml") as failure:
        load(tmp_path / "absent.toml", {})
    assert "config example" in failure.value.remedy
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        load(tmp_path, {})
    broken = tmp_path / "broken.toml"
    broken.write_text("[magento]\nurl = https://shop.example\n")
    with pytest.raises(ConfigError, match=r"broken\.toml: not TOML: .*line 2"):
        load(broken, {})
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not TOML"):
        load(broken, {})


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orderbus.toml").write_text(EXAMPLE.read_text())
    (tmp_path / "other.toml").write_text(EXAMPLE.read_text().replace("https://shop.example", "https://other.example"))
    assert load(None, ENVIRONMENT).config.magento.url == "https://shop.example"
    assert load(None, ENVIRONMENT | {"ORDERBUS_CONFIG": "other.toml"}).config.magento.url == "https://other.example"


def test_what_is_shown_has_no_secrets_and_decodes_again() -> None:
    loaded = load(EXAMPLE, ENVIRONMENT)
    text = "\n".join(shown(loaded))
    assert "MARKED" not in text
    assert f"amqp://bus:{MASK}@broker.example/shop" in text
    again = decode(tomllib.loads(text), "shown", {})
    assert masked(again) == masked(loaded)


def test_every_secret_is_known_as_one() -> None:
    assert set(secrets_of(load(EXAMPLE, ENVIRONMENT))) == {
        "MARKED-BROKER",
        "MARKED%2FDATABASE",
        "MARKED/DATABASE",
        *(value for value in ENVIRONMENT.values() if "://" not in value),
    }
