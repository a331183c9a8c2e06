"""What the Redis client raises, as tiercel's errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions

from tiercel.domain.errors import StoreError, StoreUnavailable

_AWAY: tuple[type[Exception], ...] = (
    exceptions.ConnectionError,  # refused, broken, LOADING, and who we are is not accepted
    exceptions.TimeoutError,
    exceptions.AuthorizationError,
    exceptions.NoPermissionError,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.ClusterError,
    exceptions.RedisClusterException,  # nobody of the Cluster can be asked, or nobody has the slot
    exceptions.ClusterDownError,
    exceptions.MasterDownError,
    exceptions.TryAgainError,
    exceptions.AskError,  # and MOVED
    exceptions.ExecAbortError,
    exceptions.NoScriptError,
)
AWAY_WORDS = (
    *("ASK", "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH", "NOPERM", "NOREPLICAS"),
    *("NOSCRIPT", "OOM", "READONLY", "TRYAGAIN", "UNBLOCKED", "WRONGPASS"),
)
"""Error codes of answers after which the same call may succeed later.

Whoever runs the server can mend a refused login or a full memory while events wait in the buffer: that is no reason to
drop them.
"""

# the code comes first, or within "Error running script (...): @user_script: 8: -OOM ..."
_AWAY_CODE = re.compile(rf"(?:^|: -?)(?:{'|'.join(AWAY_WORDS)})\b")


def translated(error: Exception, place: str) -> StoreError:
    """The tiercel error for the client's; `place` says which server, without its password."""
    said = f"{place}: {str(error) or type(error).__name__}"
    if isinstance(error, _AWAY) or _AWAY_CODE.search(str(error)):
        return StoreUnavailable(said)
    return StoreError(said)


@contextmanager
def translating(place: str) -> Iterator[None]:
    """Whatever the client raises within becomes a `StoreError`."""
    try:
        yield
    except (exceptions.RedisError, exceptions.RedisClusterException) as error:
        raise translated(error, place) from error
