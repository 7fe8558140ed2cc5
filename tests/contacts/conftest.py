"""Databases to test on."""

from tests.databases import database, database_url, empty_database, postgres_database

__all__ = ["database", "database_url", "empty_database", "postgres_database"]
