"""Who may do what: the roles that keys have."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a key allows, the least first; each role may also do what those before it may.

    A viewer reads what tiercel knows, a caller uses the models and says how it went, an admin also decides.
    """

    VIEWER = "viewer"
    CALLER = "caller"
    ADMIN = "admin"

    def may(self, needed: Role) -> bool:
        """Whether this role may do what `needed` may."""
        return _RANK[self] >= _RANK[needed]


_RANK = {role: rank for rank, role in enumerate(Role)}
