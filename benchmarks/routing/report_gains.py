"""The page's part about few and late ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.routing.gains import above
from benchmarks.routing.published import MOST_LOST_AT_TENTH
from benchmarks.routing.tables import interval, mark, markdown, paragraph, usd

Figures = Mapping[str, Any]


def gains_text(section: Figures) -> str:
    """The gain over the hull with few and late ratings."""
    alarms = "; ".join(
        f"{table}: {found['alarms']} in {found['labels']:,} ratings ({1000 * found['alarms'] / found['labels']:.2f} in"
        " 1,000)"
        for table, found in section["alarms"].items()
    )
    return "\n".join(
        [
            "## Gain over the best fixed mix, with few and late ratings",
            "",
            paragraph(
                f"""
                The gain over the hull in the last half of the stream, at budgets spread evenly by logarithm
                between the cheapest and the dearest model. RouteLLM's streams are 3,000 queries drawn for each
                repeat (5,000 where ratings are 3,000 requests late; ParetoBandit's stream is shorter than that).
                `above 0`: where the interval is; to be three or more with all rated. With a tenth rated none may
                be below {MOST_LOST_AT_TENTH:g}.
                """
            ),
            "",
            _table(section["rows"]),
            "",
            paragraph(
                f"""
                No model changes in these streams, so every alarm (above: in 1,000 ratings) is false: {alarms}. To be
                below 1 in 1,000.
                """
            ),
            "",
        ]
    )


def _table(rows: Sequence[Figures]) -> str:
    conditions = dict.fromkeys((row["table"], row["rate"], row["delay"]) for row in rows)
    found = []
    for table, rate, delay in conditions:
        here = [row for row in rows if (row["table"], row["rate"], row["delay"]) == (table, rate, delay)]
        count, of = above(rows, table, rate, delay)
        worst = min(row["gain_last_half"]["mean"] for row in here)
        said = f"{count} of {of}"
        if rate == 1.0 and delay == 0:
            said += f" {mark(count >= 3)}"
        least = f"{worst:+.4f}" + (f" {mark(worst >= MOST_LOST_AT_TENTH)}" if (rate, delay) == (0.1, 0) else "")
        cells = [f"{usd(row['budget_usd'])}: {interval(row['gain_last_half'], signed=True)}" for row in here]
        false = 1000 * sum(row["alarms"] for row in here) / max(1, sum(row["labels"] for row in here))
        found.append((table, f"{rate:.0%}", f"{delay:,}", *cells, said, least, f"{false:.2f}", str(here[0]["repeats"])))
    width = max(len(row) for row in found) - 7
    head = (
        "table",
        "rated",
        "delay",
        *(f"budget {i}" for i in range(1, width + 1)),
        "above 0",
        "least",
        "alarms",
        "repeats",
    )
    return markdown(head, found)
