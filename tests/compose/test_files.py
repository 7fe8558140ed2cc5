"""The compose file, its configuration and its secrets fit the table of services and each other."""

import json
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.ecc.simulator.config import SimulatorConfig as EccSystem
from bus.permissions import OPERATOR
from orderbus.commands.run import sections_of
from orderbus.config import load
from orderbus.services import TABLE
from tests.compose.files import COMPOSE, ROOT, environment

NAMES = [row.name for row in TABLE]


def test_every_service_is_a_container_of_its_own(compose: dict[str, Any]) -> None:
    run = {name: each["command"] for name, each in compose["services"].items() if each.get("command", [""])[0] == "run"}
    assert run == {name: ["run", name] for name in NAMES}


def test_every_container_is_checked_for_health_or_ends(compose: dict[str, Any]) -> None:
    dockerfile = (COMPOSE / "Dockerfile").read_text()
    assert "HEALTHCHECK" in dockerfile
    for name, each in compose["services"].items():
        assert each["image"] == "orderbus" or "test" in each["healthcheck"], name


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_told_what_it_needs_and_no_other_secret(compose: dict[str, Any], made: Path, name: str) -> None:
    told = environment(compose["services"][name], made)
    config = load(COMPOSE / "orderbus.toml", told, sections=sections_of([name])).config
    assert f"//{name}:" in config.broker.url
    assert config.broker.url.endswith("@rabbitmq:5672/orderbus")
    assert config.database.url.startswith("postgresql+psycopg://")
    assert ("MAGENTO_ACCESS_TOKEN" in told) == ("magento" in sections_of([name]))
    assert ("ORDERBUS_ECC_PASSWORD" in told) == ("ecc" in sections_of([name]))
    assert "POSTGRES_PASSWORD" not in told


def test_the_configuration_fits_the_simulated_ecc(compose: dict[str, Any], made: Path) -> None:
    told = environment(compose["services"]["ecc-orders"], made) | environment(
        compose["services"]["magento-orders"], made
    )
    config = load(COMPOSE / "orderbus.toml", told).config
    store, ecc = config.ecc.default, EccSystem()
    assert store is not None
    assert f"{store.sales_org}/{store.distribution_channel}/{store.division}" in ecc.sales_areas
    assert store.document_type in ecc.document_types
    assert store.credit_control_area in ecc.credit_areas
    assert store.reference_customer in {customer.kunnr for customer in ecc.customers}
    conditions = store.conditions
    for condition in (conditions.price, conditions.discount, conditions.freight, conditions.tax):
        assert condition is not None
        assert condition.type in ecc.condition_types


def test_secrets_are_private_and_the_broker_gets_hashes(made: Path) -> None:
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    definitions = (made / "definitions.json").read_text()
    assert {user["name"] for user in json.loads(definitions)["users"]} == {OPERATOR, *NAMES}
    for file in made.glob("*.env"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for name in (OPERATOR, *NAMES):
        password = (made / f"{name}.env").read_text().partition("@")[0].rpartition(":")[2]
        assert len(password) > 20
        assert password not in definitions


def test_secrets_that_are_there_are_kept(made: Path, tmp_path: Path) -> None:
    before = {file.name: file.read_text() for file in made.iterdir()}
    command = [sys.executable, str(COMPOSE / "make_secrets.py"), "--directory"]
    subprocess.run([*command, str(made)], check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True)
    assert {file.name: file.read_text() for file in made.iterdir()} == before
    (tmp_path / "contacts.env").write_text("ORDERBUS_BROKER_URL=amqp://mine\n")
    half = subprocess.run(
        [*command, str(tmp_path)], check=False, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert half.returncode == 1
    assert "passwords must fit each other" in half.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["contacts.env"]


def test_prometheus_asks_every_service(compose: dict[str, Any]) -> None:
    config = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert sorted(jobs["orderbus"]["dns_sd_configs"][0]["names"]) == sorted(NAMES)
    assert jobs["rabbitmq"]["static_configs"][0]["targets"][0].partition(":")[0] in compose["services"]


def test_the_image_holds_every_package() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    dockerfile = (COMPOSE / "Dockerfile").read_text().splitlines()
    ignored = (COMPOSE / "Dockerfile.dockerignore").read_text().splitlines()
    for package in packages:
        assert f"COPY {package} {package}" in dockerfile
        assert f"!{package}" in ignored


def test_what_is_mounted_is_there(compose: dict[str, Any], made: Path) -> None:
    for each in compose["services"].values():
        for mount in each.get("volumes", []):
            source = mount.partition(":")[0]
            if source.startswith("./secrets/"):
                assert (made / Path(source).name).exists()
            elif source.startswith("."):
                assert (COMPOSE / source).exists()
            else:
                assert source in compose["volumes"]
