"""The tables' schemas, and rows in and out of Parquet files. Imported only where pyarrow is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tiercel.adapters.parquet_log.rows import Row
from tiercel.domain.errors import InvalidInput

_READ = 1_000
_TEXT, _NUMBER, _WHOLE, _FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()
_TIME = pa.timestamp("us", tz="UTC")
_TEXTS, _NUMBERS = pa.list_(_TEXT), pa.list_(_NUMBER)
_NAMED_NUMBERS = pa.map_(_TEXT, _NUMBER)
_PLACE = {"segment": _TEXTS, "workflow": _TEXT, "stage": _TEXT}
_CANDIDATE = {
    "model": _TEXT,
    "tier": _TEXT,
    "probability": _NUMBER,
    "score": _NUMBER,
    "excluded": _TEXT,
    "quality": _NUMBER,
    "cost_usd": _NUMBER,
    "deviation": _NUMBER,
    "success_rate": _NUMBER,
}
_LABEL = pa.struct(
    {
        "vector": _NUMBERS,
        "basis": _TEXT,
        "expected": _NUMBER,
        "tick": _NUMBER,
        "weight": _NUMBER,
        "era": _WHOLE,
        "logged_us": _WHOLE,
        "arm": _TEXT,
    }
)
_RATING = {"quality": _NUMBER, "recorded_at": _TIME, "tier": _TEXT, "model": _TEXT, "label": _LABEL}

SCHEMAS: Mapping[str, pa.Schema] = {
    table: pa.schema({"position": _WHOLE, **columns})
    for table, columns in {
        "decisions": {
            "decision_id": _TEXT,
            "decided_at": _TIME,
            **_PLACE,
            "agent_id": _TEXT,
            "session_id": _TEXT,
            "policy": _TEXT,
            "policy_version": _TEXT,
            "model": _TEXT,
            "tier": _TEXT,
            "propensity": _NUMBER,
            "greedy": _TEXT,
            "reason": _TEXT,
            "candidates": pa.list_(pa.struct(_CANDIDATE)),
            "details": _NAMED_NUMBERS,
            "requires": _TEXTS,
            "features": _NAMED_NUMBERS,
            "vector": _NUMBERS,
            "basis": _TEXT,
            "will_judge": _FLAG,
            "judge_rate": _NUMBER,
            "degraded": _FLAG,
        },
        "outcomes": {
            "decision_id": _TEXT,
            "recorded_at": _TIME,
            **_PLACE,
            "agent_id": _TEXT,
            "model": _TEXT,
            "tier": _TEXT,
            "success": _FLAG,
            "error": _TEXT,
            "latency_ms": _NUMBER,
            "first_token_ms": _NUMBER,
            "prompt_tokens": _WHOLE,
            "completion_tokens": _WHOLE,
            "usage_estimated": _FLAG,
            "cost_usd": _NUMBER,
            "fallback_from": _TEXT,
            "match_score": _NUMBER,
            "completion_id": _TEXT,
            "label": _LABEL,
        },
        "feedback": {
            "feedback_id": _TEXT,
            "decision_id": _TEXT,
            "recorded_at": _TIME,
            **_PLACE,
            "model": _TEXT,
            "tier": _TEXT,
            "quality": _NUMBER,
            "source": _TEXT,
            "metadata": _TEXT,
            "clamped": _FLAG,
            "replaces": pa.struct(_RATING),
            "label": _LABEL,
        },
        "standings": {
            "changed_at": _TIME,
            **_PLACE,
            "policy": _TEXT,
            "previous": _TEXT,
            "current": _TEXT,
            "reason": _TEXT,
            "confidence": _NUMBER,
            "revision": _WHOLE,
            "evidence": _TEXT,
        },
        "alerts": {
            "alert_id": _TEXT,
            "timestamp": _TIME,
            "severity": _TEXT,
            "alert_type": _TEXT,
            "message": _TEXT,
            "model_id": _TEXT,
            **_PLACE,
            "rule": _TEXT,
            "metric_value": _NUMBER,
            "threshold_value": _NUMBER,
            "resolved_at": _TIME,
        },
        "acknowledgements": {"alert_id": _TEXT, "recorded_at": _TIME, "by": _TEXT, "note": _TEXT},
        "notices": {
            "channel": _TEXT,
            "subject": _TEXT,
            "alert_id": _TEXT,
            "severity": _TEXT,
            "occasion": _TEXT,
            "recorded_at": _TIME,
            "state": _TEXT,
            "attempt": _WHOLE,
            "claim": _TEXT,
            "error": _TEXT,
        },
        "signals": {
            "signal_id": _TEXT,
            "recorded_at": _TIME,
            "from_agent": _TEXT,
            "to_agent": _TEXT,
            "name": _TEXT,
            "payload": _TEXT,
        },
    }.items()
}
_LATER = frozenset({"rule"})
"""Columns that tables did not have from the beginning."""


def batch_of(table: str, rows: Sequence[Row]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Rows in Arrow's form, about a fifth of the memory."""
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMAS[table])


def write(path: Path, table: str, batches: Sequence[Any]) -> None:
    """A file of those batches. Raises `OSError`."""
    written = pa.Table.from_batches(batches, schema=SCHEMAS[table])
    parquet.write_table(written, path, compression="zstd")


def read(path: Path, table: str) -> Iterator[Row]:
    """The rows of a file, times in microseconds since the epoch. Raises `InvalidInput`."""
    schema = pa.schema([_with_whole_times(field) for field in SCHEMAS[table]])
    try:
        found = _with_later_columns(parquet.ParquetFile(path).read(), schema).select(schema.names).cast(schema)
    except (pa.ArrowException, KeyError, OSError) as error:
        raise InvalidInput(f"{path} cannot be read as a part of an export: {error}") from error
    for batch in found.to_batches(max_chunksize=_READ):
        yield from batch.to_pylist()


def _with_later_columns(found: pa.Table, schema: pa.Schema) -> pa.Table:
    """An export of an older version lacks what events have learned to say since: that is not known of its own."""
    for field in schema:
        if field.name in _LATER and field.name not in found.column_names:
            found = found.append_column(field, pa.nulls(len(found), field.type))
    return found


def _with_whole_times(field: pa.Field) -> pa.Field:
    """Python's datetimes of a named zone need a table of zones, which not every machine has."""
    if field.type == _TIME:
        return field.with_type(_WHOLE)
    if pa.types.is_struct(field.type):
        return field.with_type(pa.struct([_with_whole_times(member) for member in field.type]))
    return field
