"""What a log line carries, and what it never does."""

import io
import json
import logging
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from orderbus import logs
from orderbus.masking import without_secrets

CORRELATION: ContextVar[str] = ContextVar("correlation", default="")
SECRETS = ("MARKED-SECRET", "MARKED-SECRET-LONGER")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    text = io.StringIO()
    logs.set_up("INFO", sorted(SECRETS, key=len, reverse=True), correlation=CORRELATION, stream=text)
    yield text
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_what_was_given(stream: io.StringIO) -> None:
    token = CORRELATION.set("order-1")
    logging.getLogger("orderbus.test").info("Took %s.", "it\nall", extra={"attempt": 2})
    CORRELATION.reset(token)
    (line,) = lines(stream)
    assert line["message"] == "Took it\nall."
    assert (line["level"], line["logger"], line["correlation_id"], line["attempt"]) == (
        "INFO",
        "orderbus.test",
        "order-1",
        2,
    )
    assert str(line["time"]).endswith("+00:00")


def test_a_records_own_correlation_id_stands_above(stream: io.StringIO) -> None:
    logging.getLogger("orderbus.test").info("x", extra={"correlation_id": "order-2"})
    logging.getLogger("orderbus.test").info("x")
    first, second = lines(stream)
    assert first["correlation_id"] == "order-2"
    assert "correlation_id" not in second


def test_no_secret_gets_through(stream: io.StringIO) -> None:
    logger = logging.getLogger("orderbus.test")
    logger.warning("It said MARKED-SECRET-LONGER to %s", "MARKED-SECRET", extra={"seen": ["MARKED-SECRET"]})
    try:
        int(f"with {SECRETS[0]}")
    except ValueError:
        logger.exception("Failed.")
    text = stream.getvalue()
    assert "MARKED" not in text
    assert "LONGER" not in text
    assert "invalid literal" in text


def test_a_traceback_shows_no_values(stream: io.StringIO) -> None:
    customer = "jane" + ".doe@acme.example"
    try:
        [][len(customer)]
    except IndexError:
        logging.getLogger("orderbus.test").exception("Failed.")
    assert "Traceback" in stream.getvalue()
    assert customer not in stream.getvalue()


def test_nothing_below_the_level(stream: io.StringIO) -> None:
    logging.getLogger("orderbus.test").debug("x")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "text",
    [
        "amqp://bus:MARKED@broker/x",
        "amqps://bus:MARK@ED@broker;amqp://bus:MARKED@other",
        "postgresql+psycopg://bus:MARKED@db",
        "Authorization: Bearer MARKED.MARKED",
        "authorization: basic TUFSS0VE=MARKED",
        'OAuth oauth_signature="MARKED", oauth_token="MARKED"',
        "passwd=MARKED&user=x",
        '{"access_token_secret": "MARKED", "x": 1}',
        "{'consumer_key': 'MARKED'}",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    clean = without_secrets(text)
    assert "MARK" not in clean
    assert "ED@" not in clean


def test_plain_text_stays() -> None:
    text = "Order 000000012 of store default: https://shop.example/rest said 404; token bucket is full"
    assert without_secrets(text) == text
