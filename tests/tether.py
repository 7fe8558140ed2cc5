"""Runs a server for exactly as long as its parent lives.

Run as a script, in a process of its own, by `tests.processes.Server`: starts the command in a process group of its
own, prints its process id, and kills the group when standard input ends, which the kernel sees to even if the parent
was killed. Exits with the command's status. Imports nothing of the project, so that it starts at once.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading


def main(user: str, remove: str, command: list[str]) -> None:
    """Run `command`.

    Parameters
    ----------
    user:
        User to run it as, or empty. Only the command changes its user: the interpreter may lie where only root reads.
    remove:
        Directory to remove if the parent goes before the command does, or empty.
    command:
        Command line.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,
        user=user or None,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
    )
    print(child.pid, flush=True)  # noqa: T201 - the parent reads it

    orphaned = threading.Event()

    def kill_with_parent() -> None:
        sys.stdin.buffer.read()
        orphaned.set()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if remove:
            shutil.rmtree(remove, ignore_errors=True)
        os._exit(0)

    watcher = threading.Thread(target=kill_with_parent, daemon=True)
    watcher.start()
    status = child.wait()
    if orphaned.is_set():
        watcher.join()
    os._exit(status & 0xFF)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
