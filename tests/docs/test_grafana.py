"""grafana/tiercel.json asks for metrics that there are, by labels that they have, and its panels lie side by side."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tiercel.apps.gateway.prometheus import (
    AGENTS,
    INFO,
    LATENCY,
    MODEL_METRICS,
    PROCESS_METRICS,
    ModelMetric,
    ProcessMetric,
)

REPOSITORY = Path(__file__).parents[2]
BOARD: dict[str, Any] = json.loads((REPOSITORY / "grafana" / "tiercel.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
VARIABLES: list[dict[str, Any]] = BOARD["templating"]["list"]

OWN = {"instance"}
"""Labels that scraping adds."""
LABELS: dict[str, set[str]] = {
    **{metric.name: {"model", "tier"} for metric in MODEL_METRICS},
    **{metric.name: set() for metric in PROCESS_METRICS},
    LATENCY: {"model", "tier", "quantile"},
    f"{LATENCY}_sum": {"model", "tier"},
    f"{LATENCY}_count": {"model", "tier"},
    INFO: {"version"},
    AGENTS: {"status"},
}
METRICS: list[ModelMetric | ProcessMetric] = [*MODEL_METRICS, *PROCESS_METRICS]
COUNTERS = {metric.name for metric in METRICS if metric.kind == "counter"}
COUNTERS |= {f"{LATENCY}_sum", f"{LATENCY}_count"}
SELECTOR = re.compile(r"\b(tiercel_\w+)(?:\{([^}]*)\})?(\[[^\]]+\])?")
FUNCTIONS = {"sum", "max", "rate", "increase", "count", "by", "and"}


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_names_metrics_and_labels_that_there_are(query: str) -> None:
    selected = SELECTOR.findall(query)
    assert selected
    for name, matchers, window in selected:
        assert name in LABELS, name
        assert set(re.findall(r"(\w+)=~?\"", matchers)) <= LABELS[name] | OWN
        assert bool(window) is (name in COUNTERS), f"{name}: rates are of counters, and of them only"
    rest = SELECTOR.sub("", query)
    grouped = {label for labels in re.findall(r"by \(([^)]*)\)", rest) for label in labels.split(", ")}
    assert grouped <= set.union(*(LABELS[name] for name, _, _ in selected)) | OWN
    words = set(re.findall(r"[a-z_]+", re.sub(r"by \([^)]*\)", "by", rest)))
    assert words <= FUNCTIONS
    assert query.count("(") == query.count(")")


def test_every_metric_of_models_is_on_the_board() -> None:
    shown = {name for query in QUERIES for name, _, _ in SELECTOR.findall(query)}
    assert {metric.name for metric in MODEL_METRICS} <= shown


def test_models_are_not_counted_once_for_each_gateway_that_shares_their_store() -> None:
    of_models = {metric.name for metric in MODEL_METRICS} | {f"{LATENCY}_sum", f"{LATENCY}_count", LATENCY}
    for query in QUERIES:
        for name in {name for name, _, _ in SELECTOR.findall(query)} & of_models:
            assert re.search(rf"max(?: by \([^)]*\))? \(?(?:rate\(|increase\()?{name}", query) or f"max({name}" in query


def test_variables_ask_for_labels_that_there_are() -> None:
    asked = [variable["definition"] for variable in VARIABLES if variable["type"] == "query"]
    for name, label in (re.fullmatch(r"label_values\((\w+), (\w+)\)", query).groups() for query in asked):  # type: ignore[union-attr]
        assert label in LABELS[name] | OWN
    used = set(re.findall(r"\$(\w+)", " ".join(QUERIES)))
    assert used <= {variable["name"] for variable in VARIABLES} | {"__rate_interval"}


def test_panels_are_told_apart_and_explained_and_lie_side_by_side() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert all(panel["description"].endswith(".") for panel in PANELS)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in PANELS), "no server of ours is named in it"
