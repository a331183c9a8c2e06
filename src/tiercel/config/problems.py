"""From what a validator found wrong to words for the operator, without ever showing a secret."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tiercel.domain.errors import Problem

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:api_?key|key|secret|token|password|passwd|credentials?|auth|authorization)$", re.IGNORECASE
)
_SECRET_VALUE = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|ghp|hf|AIza)[-_A-Z]\S{8,}|\bBearer\s|AKIA[0-9A-Z]{12}|[A-Za-z0-9+/=]{32,}"
)
_SHOWN = 80
_LISTED = 20

_EXPECTED: Mapping[str, tuple[str, str]] = {
    "missing": ("missing", "is required"),
    "string_type": ("type", "must be a string"),
    "int_type": ("type", "must be a whole number"),
    "float_type": ("type", "must be a number"),
    "bool_type": ("type", "must be true or false"),
    "list_type": ("type", "must be a list"),
    "dict_type": ("type", "must be a table"),
    "model_type": ("type", "must be a table"),
    "model_attributes_type": ("type", "must be a table"),
    "finite_number": ("range", "must be finite"),
    "greater_than": ("range", "must be above {gt:g}"),
    "greater_than_equal": ("range", "must be at least {ge:g}"),
    "less_than": ("range", "must be below {lt:g}"),
    "less_than_equal": ("range", "must be at most {le:g}"),
    "too_short": ("range", "must have at least {min_length} item"),
    "int_parsing_size": ("range", "is too large"),
}

_SECRET = "a secret must not stand in the file: put it into an environment variable and name that"  # noqa: S105 - a message


def expectation(error_type: str, context: Mapping[str, Any]) -> tuple[str, str] | None:
    """The kind of a problem and what is expected, for one of pydantic's error types; None for one not worded here."""
    found = _EXPECTED.get(error_type)
    return (found[0], found[1].format(**context)) if found else None


def dotted(location: Sequence[str | int]) -> str:
    """("models", 2, "tier") as "models[2].tier"; keys that TOML would quote are quoted."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=True)
            path += f".{key}" if path else key
    return path


def is_secret_key(key: str) -> bool:
    """Whether a key of that name would hold a secret (`api_key`), not the name of its variable (`api_key_env`)."""
    return _SECRET_KEY.search(key) is not None


def shown(value: object) -> str:
    """A found value in a form fit for a message: short, printable, and "" where it may be a secret."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and _SECRET_VALUE.search(value):
        return ""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A question after the one of `known` that is close to `word`, or "" where none is."""
    close = difflib.get_close_matches(word, [str(name) for name in known], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown_key(location: tuple[int | str, ...], value: object, known: Collection[str]) -> Problem:
    """A key that is no key of its table; what it holds is not shown where it may be a secret."""
    key = str(location[-1])
    if is_secret_key(key):
        place = next((name for name in known if name.endswith("_env")), "")
        return Problem(dotted(location), _SECRET + (f" in {place}" if place else ""), "", "value")
    hint = did_you_mean(key, known) or f"; known here: {', '.join(known)}"
    return Problem(dotted(location), f"is no key tiercel knows{hint}", shown(value), "unknown")


def one_of(word: str, known: Collection[str], what: str) -> str:
    """That `word` is not among `known`: the nearest of them, and all where they are few."""
    names = list(dict.fromkeys(str(name) for name in known))
    if not names:
        return f"must be a {what}, and there is none"
    listed = ", ".join(names) if len(names) <= _LISTED else f"one of {len(names)}"
    return f"must be a {what} ({listed}){did_you_mean(word, names)}"
