"""Logon, and the end of a session: one connection is one session, and when it dies, its unit of work is rolled back."""

import asyncio
from collections.abc import Callable, Mapping

from adapters.ecc.rfc import LogonError
from adapters.ecc.simulator import update
from adapters.ecc.simulator.faults import DeadSessionLingers, LogonRefused
from adapters.ecc.simulator.system import RfcSession, System, loop_time


def log_on(system: System, credentials: Mapping[str, str], hang_up: Callable[[], None]) -> RfcSession:
    """Open a session.

    Parameters
    ----------
    credentials:
        ``client``, ``user``, ``passwd`` and ``lang``.
    hang_up:
        Breaks the session's connection.

    Raises
    ------
    LogonError
        ``RFC_LOGON_FAILURE``.
    """
    config = system.config
    language = credentials.get("lang", "").upper()
    if system.faults.take(LogonRefused, "", (), loop_time()) is not None:
        raise LogonError("User is locked. Please notify the person responsible", "RFC_LOGON_FAILURE")
    if credentials.get("client") != config.client:
        raise LogonError("Client is not available in this system", "RFC_LOGON_FAILURE")
    if credentials.get("user", "").upper() != config.user.upper() or credentials.get("passwd") != config.passwd:
        raise LogonError("Name or password is incorrect (repeat logon)", "RFC_LOGON_FAILURE")
    if language not in config.languages:
        raise LogonError("Select one of the installed languages", "RFC_LOGON_FAILURE")
    system.logons += 1
    died = asyncio.get_running_loop().create_future()
    session = RfcSession(f"session-{system.logons}", config.user, language, hang_up, died)
    system.sessions[session.id] = session
    return session


def connection_lost(system: System, session: RfcSession) -> None:
    """Note that a session's connection is gone: it ends now, or when the call that it runs has ended."""
    if not session.died.done():
        session.died.set_result(None)
        if not session.busy:
            end(system, session)


def end(system: System, session: RfcSession) -> None:
    """End a session: what it has not committed is gone, and every lock is free that no commit handed on."""
    if system.sessions.pop(session.id, None) is None:
        return
    lingers = system.faults.take(DeadSessionLingers, "", session.keys, loop_time())
    if lingers is not None and session.died.done():
        asyncio.get_running_loop().call_later(lingers.seconds, _roll_back, system, session)
    else:
        _roll_back(system, session)


def _roll_back(system: System, session: RfcSession) -> None:
    update.roll_back(system, session)
    system.locks.free(session.id)
