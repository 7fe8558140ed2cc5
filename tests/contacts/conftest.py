"""Databases to test on."""

from tests.databases import database, empty_database, postgres_database

__all__ = ["database", "empty_database", "postgres_database"]
