"""Part ``publish``: confirmed publishing, one by one and many in flight, from asyncio and from threads."""

import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.broker import c_programs, private_broker
from benchmarks.contender import Contender, python
from benchmarks.message import template
from benchmarks.report import Comparison, Part, race
from benchmarks.rounds import Race
from orderbus.services import ROUTER
from schemas.messages import OrderPlaced
from schemas.topics import TOPIC_OF

INBOX = ROUTER.queue
PLACED = TOPIC_OF[OrderPlaced]
IN_FLIGHT = "1000"
THREADS = "32"
ENDLESS = "1000000000"

ONE_BY_ONE = "orderbus, one by one"
MANY = "orderbus, many in flight"
FROM_THREADS = f"orderbus, {THREADS} blocking threads"
AIOPIKA_ONE = "aio-pika, uvloop, one by one"
AIOPIKA_MANY = "aio-pika, uvloop, many in flight"
KOMBU_ONE = "kombu, one by one"
KOMBU_THREADS = f"kombu, {THREADS} blocking threads, a connection each"
C_ONE = "C, librabbitmq, one by one"
C_MANY = "C, librabbitmq, many in flight"

COMPARISONS = (
    Comparison("many in flight against one by one", MANY, ONE_BY_ONE, 8, 12),
    Comparison(f"{THREADS} threads against one by one", FROM_THREADS, ONE_BY_ONE),
    Comparison("one by one against C", ONE_BY_ONE, C_ONE),
    Comparison("many in flight against C", MANY, C_MANY),
    Comparison("many in flight against aio-pika", MANY, AIOPIKA_MANY),
    Comparison(f"{THREADS} threads against kombu's", FROM_THREADS, KOMBU_THREADS),
)

METHOD = (
    "Each contender, its own process, publishes orders to one quorum queue until it is stopped, each message confirmed "
    f"and mandatory; many in flight: up to {IN_FLIGHT} unconfirmed. The clock runs from its tenth to its last message, "
    "seen in the queue. CPU is from /proc."
)


def contenders() -> list[Contender]:
    """Return who competes."""
    c_words = ("{programs}/publish", "{url}", PLACED.exchange, PLACED.routing_key, PLACED.type_name, ENDLESS)
    ours = "benchmarks.contenders.orderbus_publish"
    return [
        Contender(ONE_BY_ONE, python(ours, "{url}", "{body}", "loop", "1"), share=0.1),
        Contender(MANY, python(ours, "{url}", "{body}", "loop", IN_FLIGHT)),
        Contender(FROM_THREADS, python(ours, "{url}", "{body}", "threads", THREADS), share=0.5),
        Contender(AIOPIKA_ONE, python("benchmarks.contenders.aiopika_publish", "{url}", "{body}", "1"), share=0.1),
        Contender(
            AIOPIKA_MANY, python("benchmarks.contenders.aiopika_publish", "{url}", "{body}", IN_FLIGHT), share=0.4
        ),
        Contender(KOMBU_ONE, python("benchmarks.contenders.kombu_publish", "{url}", "{body}", "1"), share=0.1),
        Contender(KOMBU_THREADS, python("benchmarks.contenders.kombu_publish", "{url}", "{body}", THREADS), share=0.2),
        Contender(C_ONE, (*c_words, "1", "{body}"), share=0.1),
        Contender(C_MANY, (*c_words, IN_FLIGHT, "{body}")),
    ]


def run(rounds: int, messages: int, console: Console, only: tuple[str, ...] = ()) -> Part:
    """Measure the part."""
    chosen = [one for one in contenders() if not only or any(word in one.name for word in only)]
    with c_programs() as programs, private_broker() as bench, tempfile.NamedTemporaryFile(suffix=".json") as body:
        Path(body.name).write_bytes(template())
        words = {"url": bench.url, "programs": str(programs), "body": body.name}
        run_of = Race(bench, INBOX, words, prepare=lambda _total: bench.fresh(INBOX))
        samples = run_of.run(chosen, rounds, messages, console)
    return race("publish", METHOD, samples, COMPARISONS)
