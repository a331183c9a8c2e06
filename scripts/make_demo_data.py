"""Makes the demo's data from the outcome tables it replays.

    python scripts/make_demo_data.py FOLDER

reads paretobandit.parquet and provider_latency.parquet in FOLDER and writes, under src/tiercel/apps/demo/data:

outcomes.jsonl.gz  one line per prompt of the test split, in the published order: the prompt, its task, and for each of
                   the three models the recorded quality and cost
latencies.jsonl    one line per model: the measured requests that stand in for its latency

Nothing is invented: a value that was not recorded is null. Running it again writes the same bytes (the same content
where another zlib compresses it). Needs pyarrow, which the dev group installs.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

DESTINATION = Path(__file__).parent.parent / "src" / "tiercel" / "apps" / "demo" / "data"

MODELS = {
    "llama-3.1-8b": "meta-llama/llama-3.1-8b-instruct",
    "mistral-large-2512": "mistralai/mistral-large-2512",
    "gemini-2.5-pro": "google/gemini-2.5-pro",
}
"""What the demo calls a model, and what the table does."""

COUNTED_BY = "google/gemini-2.5-flash"
"""The one model of the table whose token counts were recorded; its count of a prompt's tokens is kept."""

STAND_INS = {
    "llama-3.1-8b": ("fireworks", "llama-2-7b-chat"),
    "mistral-large-2512": ("fireworks", "llama-2-70b-chat"),
    "gemini-2.5-pro": ("bedrock", "llama-2-70b-chat"),
}
"""The host and model whose measured latencies stand in for a model's own, which nobody recorded: small for small."""


def main() -> None:
    """Read the folder from the command line and write both files."""
    parser = argparse.ArgumentParser(description="make the demo's data from the outcome tables")
    parser.add_argument("source", type=Path, help="the folder with paretobandit.parquet and provider_latency.parquet")
    source: Path = parser.parse_args().source
    outcomes = _lines(_outcomes(_rows(source / "paretobandit.parquet")))
    latencies = _lines(_latencies(_rows(source / "provider_latency.parquet")))
    # without a time stamp and a file name in its head, the compressed file depends on its content alone
    (DESTINATION / "outcomes.jsonl.gz").write_bytes(gzip.compress(outcomes, compresslevel=9, mtime=0))
    (DESTINATION / "latencies.jsonl").write_bytes(latencies)


def _rows(table: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(table).to_pylist()
    return rows


def _lines(records: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in records).encode()


def _outcomes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    prompts: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["split"] == "test":
            prompts.setdefault(row["query_id"], {})[row["model"]] = row
    return [_outcome(query_id, recorded) for query_id, recorded in prompts.items()]


def _outcome(query_id: str, recorded: dict[str, dict[str, Any]]) -> dict[str, Any]:
    first = next(iter(recorded.values()))
    return {
        "id": query_id,
        "task": first["task"],
        "prompt": first["prompt"],
        "prompt_tokens": recorded.get(COUNTED_BY, {}).get("prompt_tokens"),
        "quality": {model: recorded[name]["quality"] for model, name in MODELS.items()},
        "cost_usd": {model: recorded[name]["cost_usd"] for model, name in MODELS.items()},
    }


def _latencies(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "model": model,
            "host": host,
            "measured": measured,
            "ttft_and_total_ms": [
                [round(row["ttft_ms"], 1), round(row["latency_ms"], 1)]
                for row in rows
                if (row["provider"], row["model"]) == (host, measured) and row["error_code"] is None
            ],
        }
        for model, (host, measured) in STAND_INS.items()
    ]


if __name__ == "__main__":
    main()
