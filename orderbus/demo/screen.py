"""What the demo shows while it runs, and the table at its end."""

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from orderbus.demo.outcome import Fate, stage

STAGES = ("arrived", "in ECC", "waiting", "placed")


class Screen:
    """Live progress of a run on a terminal; a line whenever something changed where there is none.

    Parameters
    ----------
    console:
        Where to write.
    orders:
        How many orders the run is about.
    """

    def __init__(self, console: Console, orders: int) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:<8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[detail]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._placed = self._progress.add_task("placed", total=orders, detail="in the shop")
        self._arrived = self._progress.add_task("arrived", total=orders, detail="")
        self._orders = orders
        self._last = ""

    def __enter__(self) -> "Screen":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, placed: int, counts: Counter[str]) -> None:
        """Show how many orders are placed, and how far they have come."""
        detail = ", ".join(f"{counts[stage]} {stage}" for stage in STAGES[1:] if counts[stage])
        self._progress.update(self._placed, completed=placed)
        self._progress.update(self._arrived, completed=counts["arrived"], detail=detail)
        line = f"placed {placed}/{self._orders}, arrived {counts['arrived']}" + (f" ({detail})" if detail else "")
        if not self._console.is_terminal and line != self._last:
            self._console.print(line)
            self._last = line


def table_of(fates: Sequence[Fate]) -> Table:
    """Return the table of what became of each order; it fits eighty columns where all arrived."""
    complete = all(fate.arrived for fate in fates)
    headings = ("order", "buyer", "SAP customer", "contact", "SAP order", "in shop", "flag", "result")
    table = Table(title="What became of each order", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in headings[:-1] if complete else headings:
        table.add_column(heading, no_wrap=True)
    for fate in fates:
        written = (
            "✓" if fate.written_back and fate.written_back in fate.sales_orders else fate.written_back or "missing"
        )
        cells = (
            fate.order,
            fate.kind,
            fate.sap_customer or "none",
            fate.contact_person,
            " ".join(fate.sales_orders) or "none",
            written,
            fate.flag or "waits",
            stage(fate) if fate.totals_agree else "totals differ",
        )
        table.add_row(*cells[: len(table.columns)], style="" if fate.arrived else "red")
    return table
