"""Results of `tiercel evaluate` and `tiercel ope` that were kept in a folder."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

MAX_FILES = 20
MAX_BYTES = 5_000_000
NO_FOLDER = 'no folder is named: write evaluations = "FOLDER" under [dashboard] in tiercel.toml'
EMPTY = "the folder holds no .json file: keep results there with tiercel evaluate --json or tiercel ope --json"


class _File(NamedTuple):
    """A file, and by what one sees that it was written anew."""

    path: Path
    changed_ns: int
    size: int


class Evaluations:
    """The newest results of a folder. What was read is kept until the file is written anew."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder) if folder else None
        self._read: dict[_File, dict[str, Any]] = {}

    def newest(self) -> tuple[list[dict[str, Any]], str | None]:
        """Up to `MAX_FILES` results, the newest first, and what there is to say where there is none.

        A file that cannot be read, is too large or is no result is there with its `problem`.
        """
        if self._folder is None:
            return [], NO_FOLDER
        try:
            files = _files(self._folder)
        except OSError as error:
            return [], f"the folder of evaluations cannot be read: {error.strerror}"
        # one assignment: another thread sees what was read before or what is read now
        self._read = {file: self._read.get(file) or _result(file) for file in files}
        return list(self._read.values()), None if files else EMPTY


def _files(folder: Path) -> list[_File]:
    found = []
    for path in folder.iterdir():
        if path.suffix == ".json":
            try:
                status = path.stat()
            except FileNotFoundError:  # removed since it was listed, or a link to nothing
                continue
            if stat.S_ISREG(status.st_mode):
                found.append(_File(path, status.st_mtime_ns, status.st_size))
    return sorted(found, key=lambda file: (-file.changed_ns, file.path.name))[:MAX_FILES]


def _result(file: _File) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": file.path.stem,
        "kind": None,
        "measured_at": datetime.fromtimestamp(file.changed_ns / 1e9, UTC).isoformat(),
        "table": None,
        "settings": {},
        "policies": {},
        "baselines": {},
        "problem": None,
    }
    if file.size > MAX_BYTES:
        return {**described, "problem": f"is larger than {MAX_BYTES:,} bytes"}
    try:
        held = msgspec.json.decode(file.path.read_bytes())
    except OSError as error:
        return {**described, "problem": f"cannot be read: {error.strerror}"}
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return {**described, "problem": f"is no JSON: {str(error)[:200]}"}
    if not isinstance(held, dict) or not _is_figures(held.get("policies")):
        return {**described, "problem": "is no result of tiercel evaluate or tiercel ope: it has no policies"}
    kept = _of_log(held) if "logged" in held else _of_table(held)
    return {**described, "policies": held["policies"], **kept}


def _is_figures(held: object) -> bool:
    """Whether it holds figures by name."""
    return isinstance(held, dict) and all(isinstance(figures, dict) for figures in held.values())


def _of_table(held: Mapping[str, Any]) -> dict[str, Any]:
    """A replay over a table of outcomes."""
    table = held.get("table")
    details = table if isinstance(table, dict) else {}
    models, settings, baselines = details.get("models"), held.get("settings"), held.get("baselines")
    said = f"{details.get('queries', '?')} queries, {len(models) if isinstance(models, dict) else '?'} models"
    return {
        "kind": "evaluate",
        "table": said,
        "settings": settings if isinstance(settings, dict) else {},
        "baselines": baselines if _is_figures(baselines) else {},
    }


def _of_log(held: Mapping[str, Any]) -> dict[str, Any]:
    """An estimate from a log."""
    names = ("route", "rows", "learned_from", "since", "until", "assumptions")
    return {
        "kind": "ope",
        "table": held.get("log"),
        "settings": {name: held[name] for name in names if name in held},
        "baselines": {"as logged": held["logged"]} if isinstance(held["logged"], dict) else {},
    }
