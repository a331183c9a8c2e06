"""Runs a command and ends it when whoever started it is gone, however that came about.

Run as a process: python guard.py COMMAND ... with a pipe as its input. When the pipe closes, because
its other end was closed or its owner was killed, the command gets SIGTERM, then after `GRACE_S` SIGKILL, and with it
every process of its group. It imports the standard library only, for one stands between the demo and each of its
children.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

GRACE_S = 12.0


def main() -> None:
    """Guard the command given as arguments; exits as it does."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 - our own
    threading.Thread(target=_end_when_alone, args=(child,), daemon=True).start()
    status = child.wait()
    _kill_group(child)
    sys.exit(status if status >= 0 else 128 - status)


def _end_when_alone(child: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        _kill_group(child)


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
