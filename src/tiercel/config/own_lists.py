"""Arrays of tables whose rules stand where their entries are used: [[rules]] and [[notify]]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from tiercel.config.notify import NotifySettings
from tiercel.config.problems import shown, unknown_key
from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.errors import InvalidInput, Problem

_Entry = type[AlertRule | NotifySettings]
_ENTRIES: Mapping[str, _Entry] = {"rules": AlertRule, "notify": NotifySettings}
Tables = dict[str, list[dict[str, Any]]]


def with_own_lists(raw: Mapping[str, Any]) -> tuple[Tables, list[Problem]]:
    """The entries as they may be given to their types, and what is wrong with them.

    What is no array of tables is left out: the schema says so.
    """
    tables: Tables = {}
    problems: list[Problem] = []
    for name, of in _ENTRIES.items():
        given = raw.get(name)
        if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
            continue
        found = [_entry(name, i, of, entry) for i, entry in enumerate(given)]
        tables[name] = [entry for entry, _ in found]
        problems += [problem for _, some in found for problem in some] + _twice(name, given)
    return tables, problems


def _entry(name: str, i: int, of: _Entry, entry: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    known = {field.name: field for field in fields(of)}
    problems = [unknown_key((name, i, key), value, known) for key, value in entry.items() if key not in known]
    kept: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items() if key in known
    }
    missing = [key for key, field in known.items() if field.default is MISSING and key not in kept]
    problems += [Problem(f"{name}[{i}].{key}", "is required", "", "missing") for key in missing]
    if not missing:
        try:
            of(**kept)
        except InvalidInput as error:
            problems += [Problem(f"{name}[{i}].{p.path}", p.message, p.found, p.kind) for p in error.problems]
    return kept, problems


def _twice(name: str, given: list[dict[str, Any]]) -> list[Problem]:
    names = [entry.get("name") for entry in given]
    message = f"must be unique: another of [[{name}]] has it already"
    return [
        Problem(f"{name}[{i}].name", message, shown(named))
        for i, named in enumerate(names)
        if named is not None and named in names[:i]
    ]
