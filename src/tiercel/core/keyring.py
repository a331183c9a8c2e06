"""The keys of a gateway, known by their digests, and sessions: signed with them and stored nowhere.

A session's token is

    <the key's mark>.<when it began, in seconds>.<HMAC-SHA-256 of what stands before>

signed with a secret derived from the digest of the key it was begun with. So every gateway that has this key knows the
session, and it ends when the key is taken away or changed, whatever becomes of the other keys.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from tiercel.domain.access import Role


class Holder(NamedTuple):
    """Who holds a key, and what it allows."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Session:
    """Whose session it is, when it ends (seconds since 1970), and the token its changes have to show."""

    holder: Holder
    expires_at_s: float
    csrf: str = field(repr=False)


class _Key:
    """A holder, and what is derived from the key; the key itself is not kept."""

    __slots__ = ("csrf_secret", "digest", "holder", "mark", "session_secret")

    def __init__(self, holder: Holder, key: str) -> None:
        self.holder = holder
        self.digest = _digest(key.encode())
        self.mark = _derived(self.digest, b"mark").hex()[:16]
        self.session_secret = _derived(self.digest, b"session")
        self.csrf_secret = _derived(self.digest, b"csrf")


class Keyring:
    """Every key that opens the gateway. `session_s` is how long a session lasts."""

    def __init__(self, keys: Iterable[tuple[Holder, str]], *, session_s: float) -> None:
        self._keys = tuple(_Key(holder, key) for holder, key in keys)
        self._by_mark = {key.mark: key for key in self._keys}
        self.session_s = session_s

    def holder(self, presented: bytes) -> Holder | None:
        """Who holds the presented key, or None. Every key is compared, whether or not one fits."""
        found = self._find(presented)
        return None if found is None else found.holder

    def begin(self, presented: bytes, *, now_s: float) -> str | None:
        """The token of a session begun with a key at `now_s`, or None where nobody holds it."""
        key = self._find(presented)
        if key is None:
            return None
        begun = f"{key.mark}.{int(now_s)}"
        return f"{begun}.{_signature(key.session_secret, begun)}"

    def session(self, token: str, *, now_s: float) -> Session | None:
        """The session of a token, or None: not ours, changed, over, or begun with a key that is no more.

        One that began in the future, because a clock was set back, lasts as long before as after it.
        """
        begun, _, signature = token.rpartition(".")
        mark, _, since = begun.partition(".")
        key = self._by_mark.get(mark)
        if key is None or not (token.isascii() and since.isdecimal() and len(since) <= 12):
            return None
        if not hmac.compare_digest(signature, _signature(key.session_secret, begun)):
            return None
        if not -self.session_s <= now_s - int(since) < self.session_s:
            return None
        return Session(key.holder, int(since) + self.session_s, _signature(key.csrf_secret, begun))

    def _find(self, presented: bytes) -> _Key | None:
        digest = _digest(presented)
        found: _Key | None = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _derived(digest: bytes, use: bytes) -> bytes:
    return hmac.digest(digest, b"tiercel " + use, "sha256")


def _signature(secret: bytes, text: str) -> str:
    return hmac.digest(secret, text.encode(), "sha256").hex()
