"""What the publisher remembers, on both kinds of database."""

from msgspec.structs import replace

from adapters.magento.ledger import SkippedOrder, published_among, settle, skipped_orders
from state.database import Database

SKIP = SkippedOrder("1", "000000001", "default", "state", "state is holded", "2026-11-23 03:00:00")


def test_remembers_what_was_published(database: Database) -> None:
    many = {str(number): f"id-{number}" for number in range(1200)}
    settle(database, many, [])
    settle(database, {"7": "another"}, [])
    assert published_among(database, [*many, "5000"]) == set(many)
    assert database.execute("SELECT publication FROM magento_published WHERE order_id = '7'") == [("another",)]


def test_returns_a_skip_once_per_change_and_reason(database: Database) -> None:
    assert settle(database, {}, [SKIP]) == [SKIP]
    assert settle(database, {}, [SKIP]) == []
    for changed in (replace(SKIP, updated_at="2026-11-23 03:00:01"), replace(SKIP, reason="payment")):
        assert settle(database, {}, [changed]) == [changed]
    assert skipped_orders(database) == [replace(SKIP, reason="payment")]


def test_forgets_a_skip_once_the_order_is_published(database: Database) -> None:
    other = replace(SKIP, order_id="2", updated_at="2026-11-23 03:00:09")
    settle(database, {}, [SKIP, other])
    assert skipped_orders(database, limit=1) == [other]
    settle(database, {"2": "id-2"}, [])
    assert skipped_orders(database) == [SKIP]


def test_takes_what_a_database_would_refuse(database: Database) -> None:
    hostile = replace(SKIP, increment_id="9" * 5000, store="x\0y", detail="\0" + "z" * 5000)
    settle(database, {}, [hostile])
    (stored,) = skipped_orders(database)
    assert (stored.store, len(stored.increment_id), len(stored.detail)) == ("xy", 64, 1000)
