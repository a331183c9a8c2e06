"""The page's parts about change and about valuing policies from logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.routing.tables import count, interval, mark, markdown, paragraph

Figures = Mapping[str, Any]

MOST_RATINGS = 30
LEAST_NEWCOMER = 0.3
MOST_FALSE = 1.0
"""Alarms in 1,000 ratings where no model changed."""
MEMORY = 1000


def scenarios_text(section: Figures) -> str:
    """Scenarios, false alarms, and the safe policy."""
    rows = section["rows"]
    return "\n".join(
        [
            "## When things change",
            "",
            paragraph(
                f"""
                `contextual` on made-up tables with the qualities named (three kinds of requests, a noisy rating
                of every answer unless said) and on {section["on"]}; {rows[0]["repeats"]} repeats, 3,000 requests.
                Counts are medians over the repeats, with the worst one; *acted*: its share of requests fell below
                half of what it was, or rose above it again.
                """
            ),
            "",
            "### A model gets worse, and is mended",
            "",
            _drops(rows),
            "",
            paragraph(
                f"""
                To be acted on within {MOST_RATINGS} ratings of that model; a recovery within one memory (700 to
                {MEMORY:,} ratings of all models).
                """
            ),
            "",
            "### New models and prices",
            "",
            _arrivals(rows),
            "",
            "### What is no change of a model",
            "",
            _steady(rows),
            "",
            "![Shares over time](routing/scenarios.svg)",
            "",
            "### The promise of `safe`",
            "",
            paragraph(
                f"""
                `max_quality_loss = {section["epsilon"]:g}` on {section["on"]}: how many runs lost more than that
                to the incumbent, on average over the run.
                """
            ),
            "",
            _safe(section),
            "",
        ]
    )


def _drops(rows: Sequence[Figures]) -> str:
    found = []
    for row in rows:
        if "drop" not in row["name"]:
            continue
        for number, change in enumerate(row["changes"]):
            acted, what = change["acted_ratings"], row["what"] if number == 0 else "it is what it was again"
            what += f" ({', '.join(change['models'])})"
            median = acted["median"]
            if number == 0:
                met = mark(median is not None and median < MOST_RATINGS) if "mild" not in row["name"] else ""
            else:
                requests = change["acted_requests"]["median"]
                met = mark(requests is not None and requests <= MEMORY)
            shares = f"{change['share_before']:.0%} -> {change['share_after']:.0%}"
            requests_text = count(change["acted_requests"])
            found.append((what, count(change["alarm_ratings"]), f"{count(acted)} {met}", requests_text, shares))
    head = ("change", "ratings until noticed", "ratings until acted", "requests until acted", "share before -> after")
    return markdown(head, found)


def _arrivals(rows: Sequence[Figures]) -> str:
    found = []
    for row in rows:
        change = row["changes"][-1] if row["changes"] else None
        if change is None or "drop" in row["name"]:
            continue
        share = change["newcomer_share"]
        if share["mean"] is None:
            said = f"share {change['share_before']:.0%} before, {change['first_share']:.0%} of the next 10 requests"
        else:
            said = f"{interval(share, digits=2)} of its best kind of request within 500"
            if row["name"].startswith("cheap"):
                said += f" {mark(share['mean'] > LEAST_NEWCOMER)}"
        found.append((row["what"], said, f"{change['share_after']:.0%}"))
    return markdown(("change", "soon", "share in all that followed"), found)


def _steady(rows: Sequence[Figures]) -> str:
    found = []
    for row in rows:
        if row["changes"]:
            continue
        false = 1000 * row["alarms"] / max(row["labels"], 1)
        shares = ", ".join(f"{model} {_third(s, 1):.0%} -> {_third(s, 2):.0%}" for model, s in row["shares"].items())
        found.append(
            (
                row["what"],
                f"{row['alarms']} in {row['labels']:,}: {false:.2f} in 1,000 {mark(false < MOST_FALSE)}",
                shares,
            )
        )
    return markdown(("scenario", "false alarms", "shares, middle third -> last third"), found)


def _third(shares: Figures, number: int) -> float:
    means: Sequence[float] = shares["mean"]
    part = means[len(means) * number // 3 : len(means) * (number + 1) // 3]
    return sum(part) / len(part)


def _safe(section: Figures) -> str:
    rows = [
        (
            row["incumbent"],
            f"{row['above']} of {row['runs']} {mark(row['above'] == 0)}",
            interval(row["lost"], signed=True),
            f"{row['worst']:+.4f}",
            interval(row["cost_of_incumbent"], digits=3),
        )
        for row in section["safe"]
    ]
    return markdown(("incumbent", "runs above", "lost", "worst", "cost / the incumbent's"), rows)


def coverage_text(section: Figures) -> str:
    """How often off-policy intervals hold the truth where the gate passes."""
    held = [
        (
            name,
            [
                row["held"][name]
                for row in section["rows"]
                if row["passed"] >= section["enough"] and name in row["held"]
            ],
        )
        for name in section["columns"]
    ]
    rows = [
        (name, str(len(values)), f"{min(values):.2f}", f"{sum(values) / len(values):.3f}")
        for name, values in held
        if values
    ]
    refused = [row for row in section["rows"] if row["passed"] == 0]
    return "\n".join(
        [
            "## Valuing other policies from a log",
            "",
            paragraph(
                f"""
                `tiercel ope` on logs drawn from ParetoBandit's table, where the truth is known: {section["logs"]}
                logs of each of {len(section["rows"])} kinds, targets and sizes. How often the 95 % interval held
                the truth in those that passed the gate (cases where at least {section["enough"]} did);
                {len(refused)} cases were refused every time, for want of overlap. With so few logs a case at .95
                shows .88 now and then; every case is in the figures, and `python -m
                benchmarks.routing.ope_coverage` runs more logs.
                """
            ),
            "",
            markdown(("figure", "cases", "least", "mean"), rows),
            "",
        ]
    )
