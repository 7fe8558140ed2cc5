"""The configuration of a process: one TOML file, with secrets from the environment or from files."""

import os
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from adapters.ecc.config import EccConfig
from adapters.magento.config import MagentoConfig
from bus.config import BrokerConfig
from orderbus.refusal import Place, dotted, quoted, reason_of
from router.policy import RoutingPolicy
from schemas.failures import Failure

DEFAULT_PATH = Path("orderbus.toml")
PATH_VARIABLE = "ORDERBUS_CONFIG"
OVERRIDES = {"ORDERBUS_BROKER_URL": ("broker", "url"), "ORDERBUS_DATABASE_URL": ("database", "url")}
"""Environment variables that stand above the file."""
UNUSED: Mapping[Place, str] = {("broker", "url"): "memory://", ("magento", "url"): "http://unused.invalid"}
"""What stands for an address that this process does not use and was not told; it must have an address's form."""
LARGEST_FILE = 10_000_000
"""Bytes of a configuration or secret file; more is a mistake in its path."""


class ConfigError(Failure):
    """The configuration cannot be used as it is; nothing was started."""


class Database(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where contact persons, watermarks and leases are kept."""

    url: str = "sqlite:///.orderbus/orderbus.db"
    """``sqlite:///path`` or ``postgresql://user:password@host/name``."""


class Http(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where ``/metrics``, ``/healthz`` and ``/readyz`` are served."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    """0 turns it off."""


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged; a line of JSON each, on standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"


class Reconcile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Magento and ECC are compared; times are in seconds."""

    interval: Annotated[float, Meta(gt=0, le=31_536_000)] = 3600
    """From the end of one sweep of the service to the beginning of the next."""
    window: Annotated[float, Meta(gt=0, le=315_360_000)] = 604_800
    """How far back orders and registered customers are compared; pending rows are whatever their age."""
    grace: Annotated[float, Meta(ge=0, le=31_536_000)] = 900
    """How long a step may take before it counts as lost."""
    repair: bool = False
    """Whether the service heals what it finds; otherwise it only tells."""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a process is told."""

    magento: MagentoConfig
    ecc: EccConfig
    router: RoutingPolicy
    broker: BrokerConfig = BrokerConfig()
    database: Database = Database()
    http: Http = Http()
    log: Log = Log()
    reconcile: Reconcile = Reconcile()


class Loaded(Struct, frozen=True):
    """A configuration, and what must not be shown of it."""

    config: Config
    secret: frozenset[Place]
    """Paths of the values that came from the environment or a file; see `orderbus.masking`."""


def load(
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    sections: Collection[str] | None = None,
) -> Loaded:
    """Read and decode the configuration.

    Parameters
    ----------
    path:
        The file; by default the one that ``ORDERBUS_CONFIG`` names, or ``orderbus.toml`` in the working directory.
    environment:
        Where ``"${NAME}"`` is looked up; by default the process's own.
    sections:
        The sections this process uses, all by default. A secret that is not set is refused in these alone, so that a
        service need not be given another's.

    Raises
    ------
    ConfigError
        The file is missing, is not TOML, or has a key, type or value that is wrong.
    """
    environment = os.environ if environment is None else environment
    path = path or Path(environment.get(PATH_VARIABLE) or DEFAULT_PATH)
    return decode(_parsed(path), str(path), environment, sections=sections)


def decode(
    data: dict[str, Any],
    origin: str,
    environment: Mapping[str, str],
    *,
    sections: Collection[str] | None = None,
) -> Loaded:
    """Decode what a TOML file says; see `load`.

    Parameters
    ----------
    data:
        The file's tables; not changed.
    origin:
        The file's name, for error texts.
    """
    secret: dict[Place, str] = {}

    def resolved(value: Any, at: Place) -> Any:
        if isinstance(value, dict):
            return {key: resolved(inner, (*at, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [resolved(inner, (*at, index)) for index, inner in enumerate(value)]
        placeholder = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
        if placeholder is None:
            return value
        secret[at] = ""
        try:
            secret[at] = _fetched(placeholder[1], environment)
        except LookupError as error:
            if sections is not None and at[0] not in sections:
                return UNUSED.get(at, value)
            raise ConfigError(
                f"{origin}: {dotted(at)}: {error.args[0]}.", "Set it, or write the value itself."
            ) from None
        return secret[at]

    data = resolved(data, ())
    for variable, (section, key) in OVERRIDES.items():
        if (value := environment.get(variable)) and isinstance(data.setdefault(section, {}), dict):
            data[section][key] = value
    try:
        return Loaded(msgspec.convert(data, Config), frozenset(secret))
    except msgspec.ValidationError as error:
        at, reason = reason_of(error, data, Config)
        where = f"{origin}: {dotted(at)}" if at else origin
        cause = f"{where}: {_without(secret.values(), reason)}"
        raise ConfigError(
            cause if cause.endswith("?") else f"{cause}.",
            "`orderbus config example` prints every key with its meaning.",
        ) from None


def _without(secrets: Iterable[str], reason: str) -> str:
    """Return why a value is refused without the value, where it is a secret in a wrong place."""
    for value in filter(None, secrets):
        reason = reason.replace(quoted(value), "***")
    return reason


_PLACEHOLDER = re.compile(r"\$\{([^{}]+)\}")


def _parsed(path: Path) -> dict[str, Any]:
    remedy = f"Name one with --config or {PATH_VARIABLE}; `orderbus config example > {DEFAULT_PATH}` makes one."
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"The configuration file {path} is larger than {LARGEST_FILE} bytes.", remedy)
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {path}.", remedy) from None
    except OSError as error:
        raise ConfigError(f"The configuration file {path} cannot be read ({error.strerror}).", remedy) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}.", "Correct the file at that place.") from None


def _fetched(name: str, environment: Mapping[str, str]) -> str:
    """Return what a placeholder stands for; a `LookupError` says what is missing."""
    kind, separator, place = name.partition(":")
    if separator and kind == "file":
        try:
            with Path(place).open(encoding="utf-8") as file:
                return file.read(LARGEST_FILE).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise LookupError(f"the file {place} cannot be read ({why})") from None
    if not environment.get(name):
        raise LookupError(f"the environment variable {name} is not set")
    return environment[name]
