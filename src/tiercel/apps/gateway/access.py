"""Who a request is from, and whether they may."""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Mapping
from itertools import islice

from tiercel.apps.gateway.body import Scope, headers
from tiercel.apps.gateway.errors import HttpError
from tiercel.apps.gateway.hosts import Hosts
from tiercel.apps.gateway.login_limit import LoginLimit
from tiercel.config.settings import Settings
from tiercel.core.keyring import Holder, Keyring, Session
from tiercel.domain.access import Role
from tiercel.domain.errors import ConfigurationError, Problem
from tiercel.ports import Clock

log = logging.getLogger("tiercel.gateway")

CALLER, ROLE, SESSION = "tiercel.caller", "tiercel.role", "tiercel.session"
"""What `Access.admit` notes in a request's scope: the key's name, its role, and the session, where there is one."""

LOCAL = Holder("local", Role.ADMIN)
"""Who calls a gateway without keys: anyone on this machine."""

COOKIES = ("__Host-tiercel_session", "tiercel_session")
"""Names of a session's cookie: where the browser came by https, and where not."""

_COOKIE = re.compile(rf"(?:^|;)[ \t]*({'|'.join(COOKIES)})=([^;\s]*)")
_MAX_COOKIES = 4
_UNTOLD = "who calls could not be told, so nobody was let in"
_READING = ("GET", "HEAD", "OPTIONS")


class Access:
    """The gateway's door. `keys` are those of `settings.keys` by name; only their digests are kept.

    Raises `ConfigurationError` where one is missing: a key that cannot be had must not open anything.
    """

    def __init__(self, settings: Settings, keys: Mapping[str, str], clock: Clock) -> None:
        missing = [i for i, key in enumerate(settings.keys) if not keys.get(key.name)]
        if missing:
            raise ConfigurationError([Problem(f"keys[{i}].key_env", "the key was not given") for i in missing])
        held = [(Holder(key.name, key.role), keys[key.name]) for key in settings.keys]
        self.keyring = Keyring(held, session_s=settings.server.session_s) if held else None
        self.limit = LoginLimit(clock)
        self._hosts = Hosts(settings)
        self._clock = clock

    def admit(self, scope: Scope, needed: Role | None) -> None:
        """Note who calls, or refuse. `needed` is the least role that may; None lets everyone in.

        Raises 421 for an unknown name, 401 without a valid key or session, 403 for a foreign page, a session's change
        without its token, or a role that may not.
        """
        index = headers(scope)
        self._hosts.check_host(index)
        changing = scope["method"] not in _READING
        session: Session | None = None
        if self.keyring is None:
            holder: Holder | None = LOCAL
            foreign = changing
        else:
            holder, session = self._identified(self.keyring, index)
            if holder is None and needed is not None:
                raise refused()
            # a key in a header was put there by a program; cookies, a browser sends by itself
            foreign = changing and (holder is None or session is not None)
        if foreign:
            self._hosts.check_origin(index)
        if holder is None:
            return
        if needed is not None:
            if session is not None and changing:
                _check_csrf(session, index)
            if not holder.role.may(needed):
                raise HttpError(403, f"this needs the role {needed}; {holder.name!r} is {holder.role}", "forbidden")
        scope[CALLER], scope[ROLE] = holder
        scope[SESSION] = session

    def session(self, token: str) -> Session | None:
        """The session of a token, where it is one now."""
        return None if self.keyring is None else self.keyring.session(token, now_s=self._clock.now().timestamp())

    def begin(self, key: str) -> str | None:
        """The token of a new session, or None where nobody holds the key."""
        try:
            begun = self.keyring and self.keyring.begin(key.encode(), now_s=self._clock.now().timestamp())
        except Exception:  # as below
            log.exception(_UNTOLD)
            begun = None
        return begun or None

    def _identified(self, keyring: Keyring, index: Mapping[bytes, bytes]) -> tuple[Holder | None, Session | None]:
        try:
            presented = _presented(index)
            if presented is None:
                for token in _tokens(index):
                    session = self.session(token)
                    if session is not None:
                        return session.holder, session
            # also for none at all, so that a refusal always takes the same way
            return keyring.holder(presented or b""), None
        except Exception:  # whatever is wrong with the keys, it opens nothing
            log.exception(_UNTOLD)
            return None, None


def refused() -> HttpError:
    """401, the same for no key, a wrong one, and one that cannot be read."""
    message = "a valid key is needed: send it as 'authorization: Bearer KEY', or sign in"
    return HttpError(401, message, "invalid_api_key", headers={"www-authenticate": "Bearer"})


def _presented(index: Mapping[bytes, bytes]) -> bytes | None:
    """The key in the headers. Another scheme than Bearer is for a proxy in front."""
    scheme, _, key = index.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return key.strip()
    return index.get(b"x-api-key")


def _tokens(index: Mapping[bytes, bytes]) -> list[str]:
    """The values of the session's cookies, those that came by https first; of very many the first few."""
    sent = index.get(b"cookie", b"").decode("latin-1")
    pairs = [match.groups() for match in islice(_COOKIE.finditer(sent), _MAX_COOKIES)]
    return [value for wanted in COOKIES for name, value in pairs if name == wanted]


def _check_csrf(session: Session, index: Mapping[bytes, bytes]) -> None:
    if not hmac.compare_digest(index.get(b"x-tiercel-csrf", b""), session.csrf.encode()):
        raise HttpError(403, "a session's change needs x-tiercel-csrf: GET /session says its value", "csrf")
