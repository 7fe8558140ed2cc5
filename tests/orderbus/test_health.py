"""What a supervisor is told."""

import socket

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from orderbus.health import AddressTaken, serving


async def get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def test_ready_and_alive_follow_the_process() -> None:
    problems: list[str] = ["Queue orderbus.router is missing."]
    living = [True]
    async with serving("127.0.0.1", 0, problems=lambda: problems, alive=lambda: living[0]) as port:
        status, text = await get(port, "/readyz")
        assert status == 503
        assert "orderbus.router is missing" in text
        problems.clear()
        assert (await get(port, "/readyz"))[0] == 200
        assert (await get(port, "/healthz"))[0] == 200
        living[0] = False
        assert (await get(port, "/healthz"))[0] == 503
        assert (await get(port, "/nothing"))[0] == 404
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(port, "/healthz")


async def test_metrics_are_prometheus_text() -> None:
    registry = CollectorRegistry()
    Counter("orderbus_things", "Things.", registry=registry).inc(3)
    async with serving("127.0.0.1", 0, problems=list, alive=lambda: True, registry=registry) as port:
        status, text = await get(port, "/metrics")
    assert status == 200
    assert "orderbus_things_total 3.0" in text


async def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressTaken, match=f"Port {port} of 127.0.0.1 is in use"):
            async with serving("127.0.0.1", port, problems=list, alive=lambda: True):
                raise AssertionError("It must not serve.")


async def test_an_address_of_another_machine() -> None:
    with pytest.raises(AddressTaken, match="cannot be listened on"):
        async with serving("192.0.2.1", 1, problems=list, alive=lambda: True):
            raise AssertionError("It must not serve.")
