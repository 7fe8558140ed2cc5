"""Part ``route``: consume, decode into the typed message, apply the routing rules, publish confirmed, acknowledge."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks.broker import Bench, c_programs, private_broker
from benchmarks.contender import Contender, python
from benchmarks.message import template
from benchmarks.report import Comparison, Part, race
from benchmarks.rounds import Race
from benchmarks.system import Settings, orderbus
from orderbus.services import ECC_ORDERS, ROUTER
from schemas.messages import AddSalesOrder, OrderPlaced
from schemas.topics import TOPIC_OF, Topic
from tests.processes import wait_until

INBOX = ROUTER.queue
OUTBOX = ECC_ORDERS.queue
PLACED = TOPIC_OF[OrderPlaced]
ADD = TOPIC_OF[AddSalesOrder]

LOAD_IN_FLIGHT = "2000"

OURS = "orderbus router"
FASTSTREAM = "FastStream, uvloop"
AIOPIKA = "aio-pika"
AIOPIKA_UVLOOP = "aio-pika, uvloop"
KOMBU = "kombu with confirms"
C = "C, librabbitmq (decodes nothing)"

ROUTER_COMMAND = orderbus("run", ROUTER.name, "--config", "{config}", "--http-port", "0")

COMPARISONS = (
    Comparison(f"rate against {FASTSTREAM}", OURS, FASTSTREAM, 6, 10),
    Comparison(f"rate against {AIOPIKA}", OURS, AIOPIKA, 3.5, 6),
    Comparison(f"rate against {AIOPIKA_UVLOOP}", OURS, AIOPIKA_UVLOOP, 3.5, 6),
    Comparison(f"rate against {KOMBU}", OURS, KOMBU, 9, 18),
    Comparison(f"rate against {C}", OURS, C, 0.5, 0.9),
    Comparison(f"client CPU against {AIOPIKA}", OURS, AIOPIKA, 0.25, 0.1, "client_us"),
    Comparison(f"client CPU against {AIOPIKA_UVLOOP}", OURS, AIOPIKA_UVLOOP, 0.25, 0.1, "client_us"),
)

PREFETCH = {FASTSTREAM: 1000, AIOPIKA: 1000, AIOPIKA_UVLOOP: 1000, KOMBU: 200, C: 1000}
"""Messages the broker may send a contender ahead: of those that `benchmarks.prefetch` tries, the quickest of each."""

METHOD = (
    "Each contender empties a queue filled beforehand, a process of its own, at its quickest prefetch "
    f"({', '.join(f'{name} {ahead}' for name, ahead in PREFETCH.items())}; see part prefetch). The clock runs from its "
    "tenth to its last message, seen in the queue that takes what it publishes; every message is persistent, confirmed "
    "and mandatory, and in the end each input is acknowledged, which is checked. The Python contenders decode the "
    "order, apply the same rules and encode the command; the C program copies the body as it is. Ratios are medians "
    "of the rounds' own ratios; CPU is from /proc."
)


def contenders(prefetch: Mapping[str, int] = PREFETCH) -> list[Contender]:
    """Return who competes, each with its prefetch."""

    def of(name: str) -> str:
        return str(prefetch[name])

    aiopika = "benchmarks.contenders.aiopika_route"
    return [
        Contender(OURS, ROUTER_COMMAND),
        Contender(
            FASTSTREAM,
            python("benchmarks.contenders.faststream_route", "{url}", INBOX, of(FASTSTREAM)),
            share=0.2,
        ),
        Contender(AIOPIKA, python(aiopika, "{url}", INBOX, of(AIOPIKA), "asyncio"), share=0.3),
        Contender(AIOPIKA_UVLOOP, python(aiopika, "{url}", INBOX, of(AIOPIKA_UVLOOP), "uvloop"), share=0.3),
        Contender(KOMBU, python("benchmarks.contenders.kombu_route", "{url}", INBOX, of(KOMBU)), share=0.1),
        Contender(C, ("{programs}/route", "{url}", INBOX, ADD.exchange, ADD.routing_key, of(C))),
    ]


def load(bench: Bench, programs: Path, topic: Topic, count: int, body: Path) -> None:
    """Publish messages quickly, numbered from 1, confirmed and mandatory.

    Parameters
    ----------
    body:
        File with a body in which ``@`` stands for the number's digits.

    Raises
    ------
    RuntimeError
        When the broker does not take them.
    """
    where = (bench.url, topic.exchange, topic.routing_key, topic.type_name)
    done = subprocess.run(
        [str(programs / "publish"), *where, str(count), LOAD_IN_FLIGHT, str(body)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The messages could not be published: {done.stderr}")


@contextmanager
def routing() -> Iterator[Race]:
    """Yield the race in which a contender empties the router's queue."""
    with c_programs() as programs, private_broker() as bench, tempfile.TemporaryDirectory() as directory:
        body = Path(directory) / "order.json"
        body.write_bytes(template())

        def prepare(total: int) -> None:
            bench.fresh(INBOX, OUTBOX)
            load(bench, programs, PLACED, total, body)
            wait_until(lambda: bench.depth(INBOX) == total, "the queue is filled")

        def check(contender: Contender, total: int) -> None:
            wait_until(lambda: bench.unacknowledged(INBOX) == 0, f"{contender.name} has acknowledged all")
            left, made = bench.depth(INBOX), bench.depth(OUTBOX)
            if left or made != total:
                raise RuntimeError(f"{contender.name} left {left} messages and made {made} of {total}.")

        config = Settings(bench.url).write(Path(directory))
        words = {"url": bench.url, "programs": str(programs), "config": str(config)}
        yield Race(bench, OUTBOX, words, prepare, check)


def run(rounds: int, messages: int, console: Console, only: tuple[str, ...] = ()) -> Part:
    """Measure the part."""
    chosen = [one for one in contenders() if not only or any(word in one.name for word in only)]
    with routing() as race_of:
        samples = race_of.run(chosen, rounds, messages, console)
    return race("route", METHOD, samples, COMPARISONS)
