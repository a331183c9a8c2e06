"""How the gateway logs: a line per record, as text or as JSON, that nothing in a record can end or forge.

A record carries the id of the request in whose course it was made, and of a decision where it is about one.
"""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The request that this task, or a thread it waits for, is working on."""

TEXT, JSON = "text", "json"
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class TextLines(logging.Formatter):
    """Time, level, logger, ids and message; a traceback follows in lines of its own, each indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines, without the last end of line."""
        ids = "".join(f" {name}={value}" for name, value in _ids(record).items())
        lines = [f"{_time(record)} {record.levelname} {record.name}{ids}: {record.getMessage()}"]
        lines += [f"  {line}" for line in _traceback(self, record).split("\n") if line]
        return "\n".join(_on_one_line(line) for line in lines)


class JsonLines(logging.Formatter):
    """An object per line, in ASCII: time, level, logger, message, and where known request_id, decision_id, error."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line, without its end."""
        told = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_ids(record),
        }
        trouble = _traceback(self, record)
        return json.dumps({**told, "error": trouble} if trouble else told, ensure_ascii=True)


def log_configuration(log_format: str) -> dict[str, Any]:
    """For `logging.config.dictConfig`: everything of level warning and above to standard error, in that format."""
    lines = f"{__name__}.{(JsonLines if log_format == JSON else TextLines).__qualname__}"
    return {
        "formatters": {"lines": {"()": lines}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "loggers": {"_granian": {"handlers": ["console"], "level": "WARNING", "propagate": False}},
        "root": {"handlers": ["console"], "level": "WARNING"},
    }


def _ids(record: logging.LogRecord) -> dict[str, str]:
    ids = {
        "request_id": getattr(record, "request_id", "") or REQUEST_ID.get(),
        "decision_id": getattr(record, "decision_id", ""),
    }
    return {name: str(value) for name, value in ids.items() if value}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = [formatter.formatException(record.exc_info) if record.exc_info else "", record.stack_info or ""]
    return "\n".join(part for part in parts if part)


def _on_one_line(text: str) -> str:
    return _BREAKS.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
