"""Watermarks only move forward."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from state import watermark
from state.database import Database


def test_nothing_before_the_first(database: Database) -> None:
    assert watermark.read(database, "orders") is None
    assert watermark.advance(database, "orders", ("2026-01-01 00:00:00", "1"))
    assert watermark.read(database, "orders") == ("2026-01-01 00:00:00", "1")
    assert watermark.read(database, "others") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("2026-01-01 00:00:00", "1"), ("2026-01-01 00:00:01", "1")),
        (("2026-01-01 00:00:00", "9"), ("2026-01-01 00:00:00", "10")),
        (("2026-01-01 00:00:00", "000000099"), ("2026-01-01 00:00:00", "000000100")),
        (("2026-01-01T00:00:00Z", "1:100"), ("2026-01-01T00:00:00Z", "1:42")),
        (("2026-01-01T00:00:00Z", "1:guest:B@x.example"), ("2026-01-01T00:00:00Z", "1:guest:a@x.example")),
        (("2026-01-01 00:00:00", ""), ("2026-01-01 00:00:00", "1")),
    ],
)
def test_only_forward(database: Database, before: watermark.Mark, after: watermark.Mark) -> None:
    assert watermark.advance(database, "orders", before)
    assert watermark.advance(database, "orders", after)
    assert not watermark.advance(database, "orders", after)
    assert not watermark.advance(database, "orders", before)
    assert watermark.read(database, "orders") == after


def test_the_furthest_of_many_stays(database: Database) -> None:
    marks = [("2026-01-01 00:00:00", str(number)) for number in range(40)]
    with ThreadPoolExecutor(5) as threads:
        moved = list(threads.map(lambda mark: watermark.advance(database, "orders", mark), reversed(marks)))
    assert watermark.read(database, "orders") == marks[-1]
    assert moved[0]


@pytest.mark.parametrize("before", [None, ("2026-01-01 00:00:00", "1")])
def test_one_that_moves_in_between_is_not_overtaken(
    database: Database, monkeypatch: pytest.MonkeyPatch, before: watermark.Mark | None
) -> None:
    read, further = watermark.read, ("2026-01-01 00:00:00", "9")
    if before is not None:
        watermark.advance(database, "orders", before)

    def read_before_another_moves_it(database: Database, name: str) -> watermark.Mark | None:
        mark = read(database, name)
        monkeypatch.setattr(watermark, "read", read)
        assert watermark.advance(database, name, further)
        return mark

    monkeypatch.setattr(watermark, "read", read_before_another_moves_it)
    assert not watermark.advance(database, "orders", ("2026-01-01 00:00:00", "5"))
    assert watermark.read(database, "orders") == further


def test_forgotten_it_may_start_again(database: Database) -> None:
    watermark.advance(database, "orders", ("2026-01-01 00:00:00", "9"))
    watermark.forget(database, "orders")
    assert watermark.read(database, "orders") is None
    assert watermark.advance(database, "orders", ("2025-01-01 00:00:00", "1"))
