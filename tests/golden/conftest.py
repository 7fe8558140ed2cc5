"""The simulated ECC that prices the recorded orders."""

from tests.ecc.conftest import ecc, sessions, start_ecc

__all__ = ["ecc", "sessions", "start_ecc"]
