"""What must be true when everything is over, whatever went wrong: pure functions of what the systems hold."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from orderbus.services import TABLE
from tests.faults.recovery import Awaited
from tests.faults.state import Final, Letter, ShopOrder

MISSING_CONTACT = "contact missing"
"""Kind of the violation that the deletion of the queue of contacts may explain."""
SOON: Mapping[Awaited, float] = {"broker": 30.0, "ECC": 30.0, "publisher": 20.0}
"""Seconds in which work has to go on, on a small and busy machine."""


class Violation(Struct, frozen=True):
    """An invariant that does not hold."""

    kind: str
    """``lost``, ``duplicated``, ``unacknowledged``, ``stuck`` ..."""
    what: str


class Expected(Struct, frozen=True, kw_only=True):
    """What a run did on purpose."""

    unfit: Collection[int] = ()
    """Orders that ECC cannot take."""
    letters: Mapping[str, tuple[str, str]] = {}
    """Message ids that must be dead letters: of which service, and for what reason."""


Invariant = Callable[[Final, Expected], Iterator[Violation]]


def every_order_is_one_sales_order(final: Final, expected: Expected) -> Iterator[Violation]:
    """Each order that was not cancelled has exactly one sales order, and no sales order stands without its order."""
    found = Counter(document.key for document in final.sales_orders)
    for order in final.orders:
        count = found.pop(order.key, 0)
        if count > 1:
            yield Violation("duplicated", f"order {order.number} has {count} sales orders")
        elif count == 0 and order.state != "canceled" and order.id not in expected.unfit:
            yield Violation("lost", f"order {order.number} ({order.state}) has no sales order")
        elif count and order.id in expected.unfit:
            yield Violation("unfit", f"order {order.number} cannot be in ECC, and is")
    for key in found:
        yield Violation("duplicated", f"sales order of {key}, which the shop does not know")


def every_sales_order_is_right(final: Final, expected: Expected) -> Iterator[Violation]:
    """Each sales order has the net value that the shop shows, and its buyer's customer."""
    del expected
    orders = {order.key: order for order in final.orders}
    registered = {key: one.number for one in final.customers for key in one.keys}
    for document in final.sales_orders:
        order = orders.get(document.key)
        if order is None:
            continue
        if document.net != order.net:
            yield Violation("value", f"order {order.number}: {order.net} in the shop, {document.net} in ECC")
        customer = registered.get(order.customer_key) or final.account_numbers.get(order.customer_key, "")
        if document.customer != customer:
            yield Violation("customer", f"order {order.number} of customer {customer or 'none'}: {document.customer}")


def every_number_is_written_back(final: Final, expected: Expected) -> Iterator[Violation]:
    """Each order in the shop carries the number of its sales order, and no other."""
    del expected
    numbers: dict[str, set[str]] = defaultdict(set)
    for document in final.sales_orders:
        numbers[document.key].add(document.number)
    for order in final.orders:
        wanted = numbers.get(order.key, {""})
        if order.written_back not in wanted:
            yield Violation(
                "unacknowledged", f"order {order.number} shows {order.written_back!r}, ECC {sorted(wanted)}"
            )


def every_flag_is_set(final: Final, expected: Expected) -> Iterator[Violation]:
    """Each row of the pending table is closed, with the reason that fits its order."""
    orders = {order.key: order for order in final.orders}
    taken = {document.key for document in final.sales_orders}
    for row in final.rows:
        order = orders.get(row.key)
        if order is None:
            yield Violation("flag", f"row {row.key} belongs to no order")
        elif order.id in expected.unfit:
            continue
        elif row.cleared != "X":
            yield Violation("flag", f"order {order.number} still waits")
        elif (row.reason == "SYNCED") != (row.key in taken):
            yield Violation("flag", f"order {order.number} is closed as {row.reason}")


def every_customer_is_one(final: Final, expected: Expected) -> Iterator[Violation]:
    """Each buyer whose order was held is one customer in ECC with one contact person, and nobody else was made one."""
    del expected
    buyers = {order.key: order.customer_key for order in final.orders}
    held = {buyers.get(row.key, row.customer_key) for row in final.rows}
    found = Counter(key for one in final.customers for key in one.keys)
    for key in held | set(found):
        if found[key] != 1:
            yield Violation("customers", f"{_veiled(key)} is {found[key]} customers in ECC")
        elif key not in held:
            yield Violation("customers", f"{_veiled(key)} is a customer in ECC though nothing was held for it")
    for one in final.customers:
        if len(one.keys) != 1:
            yield Violation("customers", f"customer {one.number} has {len(one.keys)} registrations")
        if len(one.contacts) != 1:
            yield Violation("customers", f"customer {one.number} has {len(one.contacts)} contact persons")


def every_account_carries_its_number(final: Final, expected: Expected) -> Iterator[Violation]:
    """Each account of a customer that was registered carries its number."""
    del expected
    for one in final.customers:
        for key in one.keys:
            if key in final.account_numbers and final.account_numbers[key] != one.number:
                yield Violation("accounts", f"account {key} carries {final.account_numbers[key]!r}, not {one.number}")


def every_contact_is_in_the_directory_once(final: Final, expected: Expected) -> Iterator[Violation]:
    """Each customer registered in ECC has its contact person in the bus's database once, and nobody else has one."""
    del expected
    for one in final.customers:
        for key in one.keys:
            stored = final.contacts.get(key, ())
            if not stored:
                yield Violation(MISSING_CONTACT, f"{_veiled(key)} has no contact person in the directory")
            elif len(stored) > 1 or stored[0] not in one.contacts:
                yield Violation("contacts", f"{_veiled(key)}: {stored} in the directory, {one.contacts} in ECC")
    for key in final.contacts.keys() - {key for one in final.customers for key in one.keys}:
        yield Violation("contacts", f"{_veiled(key)} is in the directory and not in ECC")


def every_dead_letter_is_accounted_for(final: Final, expected: Expected) -> Iterator[Violation]:
    """Whatever cannot be handled is a dead letter with its reason, and nothing else is one."""
    orders = {f"default-{order.number}": order for order in final.orders}
    letters: dict[str, list[Letter]] = defaultdict(list)
    for letter in final.letters:
        letters[letter.id].append(letter)
        if not (letter.reason and letter.message and letter.remedy):
            yield Violation("dead letters", f"{letter.id} of {letter.service} does not say why it is one")
        if letter.id not in expected.letters and not _about(orders.get(letter.order), expected):
            yield Violation("dead letters", f"{letter.service}: {letter.reason}: {letter.message}")
    for identifier, (service, reason) in expected.letters.items():
        # Twice the same is one whose acknowledgement was lost: at least once holds for dead letters too.
        found = {(letter.service, letter.reason) for letter in letters.get(identifier, ())}
        if found != {(service, reason)}:
            yield Violation(
                "dead letters", f"{identifier} should be one of {service} ({reason}), found {found or 'none'}"
            )
    about = {letter.order for letter in final.letters}
    for order in final.orders:
        if order.id in expected.unfit and order.state != "canceled" and order.key not in about:
            yield Violation("lost", f"order {order.number}, which ECC cannot take, is no dead letter")


def every_queue_is_empty(final: Final, expected: Expected) -> Iterator[Violation]:
    """Nothing is left on its way, and every queue is there."""
    del expected
    for row in TABLE:
        if row.queue not in final.queues:
            yield Violation("stuck", f"{row.queue} is missing")
    for queue, total in final.queues.items():
        if total and not queue.endswith(".dead"):
            yield Violation("stuck", f"{queue} holds {total} messages")


def every_lost_update_is_reported(final: Final, expected: Expected) -> Iterator[Violation]:
    """Where a write-back undid an invoice, its acknowledgement says so."""
    del expected
    for lost in final.lost_updates:
        if lost.order not in final.reported:
            yield Violation(
                "lost update", f"order {lost.order}: {lost.invoiced} invoiced, {lost.shown} in the order, not reported"
            )


def every_service_stayed(final: Final, expected: Expected) -> Iterator[Violation]:
    """No service ended by itself, save for want of its broker or database."""
    del expected
    for exit_, count in final.exits.items():
        if not exit_.endswith(": 75"):
            yield Violation("exits", f"{exit_} ({count} times)")


def work_goes_on_soon(final: Final, expected: Expected) -> Iterator[Violation]:
    """Recovery comes in time once nothing else stands in its way."""
    del expected
    for one in final.returns:
        if one.calm > SOON[one.of]:
            ended = "took" if one.over else "had not recovered after"
            yield Violation("recovery", f"{one.of} {ended} {one.calm:.1f} s, and may take {SOON[one.of]:.0f}")


def nobody_rushes(final: Final, expected: Expected) -> Iterator[Violation]:
    """No system is overrun when it has just returned."""
    del expected
    for rush in final.rushes:
        if rush.seen > rush.may:
            yield Violation("rush", f"{rush.seen} {rush.of}, and at most {rush.may} may be")


INVARIANTS: Sequence[Invariant] = (
    every_order_is_one_sales_order,
    every_sales_order_is_right,
    every_number_is_written_back,
    every_flag_is_set,
    every_customer_is_one,
    every_account_carries_its_number,
    every_contact_is_in_the_directory_once,
    every_dead_letter_is_accounted_for,
    every_queue_is_empty,
    every_lost_update_is_reported,
    every_service_stayed,
    work_goes_on_soon,
    nobody_rushes,
)


def violations(final: Final, expected: Expected) -> list[Violation]:
    """Return everything that should not be."""
    return [found for invariant in INVARIANTS for found in invariant(final, expected)]


def _about(order: ShopOrder | None, expected: Expected) -> bool:
    return order is not None and order.id in expected.unfit


def _veiled(key: str) -> str:
    return key.partition("@")[0]
