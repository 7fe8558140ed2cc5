"""Which implementation of the RFC seam a configuration names, and the password it logs on with."""

import os

from adapters.ecc import netweaver
from adapters.ecc.config import EccConfig, NetWeaver, Simulator
from adapters.ecc.rfc import Connect, Session
from adapters.ecc.sessions import Sessions
from adapters.ecc.simulator.client import SimulatorConnection
from adapters.ecc.simulator.client import connect as connect_simulator
from schemas.failures import Permanent


def open_sessions(config: EccConfig) -> Sessions:
    """Return the pool of sessions that a configuration describes; nothing is connected yet.

    Raises
    ------
    Permanent
        The password is missing, or pyrfc is.
    """
    return Sessions(
        connector(config),
        size=config.sessions,
        idle_seconds=config.idle_seconds,
        wait_seconds=config.call_timeout,
    )


def connector(config: EccConfig) -> Connect:
    """Return what opens one session.

    Raises
    ------
    Permanent
        The password is missing, or pyrfc is.
    """
    connection = config.connection
    passwd = _passwd(connection)
    if isinstance(connection, NetWeaver):
        return netweaver.connector(connection, passwd, config.call_timeout)

    params = SimulatorConnection(
        url=connection.url,
        client=connection.client,
        user=connection.user,
        passwd=passwd,
        lang=connection.lang,
        timeout=config.call_timeout,
    )

    def connect() -> Session:
        return connect_simulator(params)

    return connect


def _passwd(connection: Simulator | NetWeaver) -> str:
    passwd = connection.passwd or os.environ.get(connection.passwd_env, "")
    if not passwd and not (isinstance(connection, NetWeaver) and connection.snc_mode == "1"):
        raise Permanent(
            f"The password of ECC's user {connection.user!r} is not set.",
            f"Set the environment variable {connection.passwd_env}.",
        )
    return passwd
