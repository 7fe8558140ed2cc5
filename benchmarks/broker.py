"""The broker of a benchmark: a private node, or one that is given, and what the harness asks of it."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from bus.config import BrokerConfig
from bus.topology import connect, declare, topology
from orderbus.services import TABLE
from tests.rabbitmq import RabbitNode


class Bench:
    """One virtual host of a broker, seen by the harness.

    Parameters
    ----------
    url:
        AMQP URL of an empty virtual host.
    node:
        The node that it is on.
    """

    def __init__(self, url: str, node: RabbitNode) -> None:
        self.url = url
        self.pid = node.pid
        self._node = node
        self.config = BrokerConfig(url=url)
        self._connection = connect(self.config)
        self._channel = self._connection.default_channel

    def __enter__(self) -> "Bench":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.release()

    def depth(self, queue: str) -> int:
        """Return how many messages are ready in a queue."""
        return int(self._channel.queue_declare(queue, passive=True).message_count)

    def purge(self, queue: str) -> int:
        """Drop what is ready in a queue and return how many messages that were."""
        return int(self._channel.queue_purge(queue))

    def unacknowledged(self, queue: str) -> int:
        """Return how many messages of a quorum queue its consumers hold."""
        vhost = self.url.rpartition("/")[2]
        return int(
            self._node.eval(
                f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>)), '
                "{ok, {_, Held}, _} = "
                "ra:local_query(amqqueue:get_pid(Q), fun rabbit_fifo:query_messages_checked_out/1), Held."
            )
        )

    def fresh(self, *queues: str) -> None:
        """Make the bus's whole topology, with these queues empty and without a history."""
        for queue in queues:
            self._channel.queue_delete(queue)
        declare(self._channel, topology(TABLE, self.config))


@contextmanager
def private_broker() -> Iterator[Bench]:
    """Start a node for the benchmark and end it afterwards."""
    node = RabbitNode()
    try:
        node.start()
        with Bench(node.new_vhost(), node) as bench:
            yield bench
    finally:
        node.close()


@contextmanager
def c_programs() -> Iterator[Path]:
    """Compile the programs on librabbitmq and yield the directory that holds them.

    Raises
    ------
    RuntimeError
        When there is no compiler or no librabbitmq, with what to do.
    """
    sources = Path(__file__).with_name("c")
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("There is no C compiler. Run scripts/provision bench.")
    with tempfile.TemporaryDirectory(prefix="orderbus-bench-") as directory:
        for source in sorted(sources.glob("*.c")):
            program = Path(directory) / source.stem
            done = subprocess.run(
                [compiler, "-O2", "-Wall", "-o", program, source, "-lrabbitmq"],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"{source.name} does not compile; run scripts/provision bench. {done.stderr}")
        yield Path(directory)
