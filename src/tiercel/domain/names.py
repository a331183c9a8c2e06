"""What a name may be: a workflow, stage, agent, session, source or tier as callers write it."""

from __future__ import annotations

from tiercel.domain.errors import Problem

MAX_NAME_BYTES = 256


def name_problem(path: str, name: object) -> Problem | None:
    """What is wrong with `name`, or None.

    Any character is allowed but control characters and lone surrogates: at most 256 bytes of UTF-8, not empty.
    """
    if not isinstance(name, str):
        return Problem(path, "must be a string", repr(name)[:80], "type")
    if not name:
        return Problem(path, "must not be empty", "''", "range")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return Problem(path, "must be valid Unicode", repr(name)[:80], "value")
    if size > MAX_NAME_BYTES:
        return Problem(path, f"must be at most {MAX_NAME_BYTES} bytes", f"{size} bytes", "range")
    if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in name):
        return Problem(path, "must not hold control characters", repr(name)[:80], "value")
    return None
