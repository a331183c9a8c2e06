"""Ids nobody can guess or meet twice: 128 random bits after the time they were made at, and a word that says of what.

Everything that makes ids takes the function that does as an argument; these are the defaults. The operating system is
asked for many at a time, because asking costs several microseconds each.
"""

from __future__ import annotations

import os
import time
from itertools import count

_ID_BYTES = 16
_AT_A_TIME = 256
_ready: list[str] = []
_process = [os.urandom(8).hex()]
_requests = count()


def _renew() -> None:
    """A forked process must not hand out what its parent will."""
    _ready.clear()
    _process[0] = os.urandom(8).hex()


os.register_at_fork(after_in_child=_renew)


def _hex() -> str:
    try:
        return _ready.pop()
    except IndexError:
        # led by the time they were made, so that an index of ids grows at its end: random places cost a page each
        born = f"{time.time_ns() // 1_000_000:012x}"
        digits = os.urandom(_ID_BYTES * _AT_A_TIME).hex()
        width = 2 * _ID_BYTES
        made = [born + digits[start : start + width] for start in range(0, len(digits), width)]
        _ready.extend(made[1:])
        return made[0]


def new_decision_id() -> str:
    """The id of a decision."""
    return f"dec_{_hex()}"


def new_feedback_id() -> str:
    """The id of a rating that came without one."""
    return f"feedback_{_hex()}"


def new_alert_id() -> str:
    """The id of an alert."""
    return f"alert_{_hex()}"


def new_signal_id() -> str:
    """The id of a signal between agents."""
    return f"signal_{_hex()}"


def new_request_id() -> str:
    """The id of a request that came without one: unique, but no secret, for it gives access to nothing."""
    return f"req_{_process[0]}{next(_requests):08x}"
