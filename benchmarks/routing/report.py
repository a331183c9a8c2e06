"""docs/routing.md, from the figures alone: every number on the page is measured or cited, none is written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.routing.published import (
    BUDGETS_USD,
    MOST_SPEND,
    PARETOBANDIT_COLD,
    PARETOBANDIT_WARM,
    ROUTELLM,
    ROUTELLM_TARGETS,
    TARGETS,
    UNSEGMENTED_LOSS,
)
from benchmarks.routing.report_gains import gains_text
from benchmarks.routing.report_scenarios import coverage_text, scenarios_text
from benchmarks.routing.tables import interval, mark, markdown, paragraph, points, usd

Figures = Mapping[str, Any]

_HEAD = """# What routing achieves

This page and its pictures are written by one command, from the figures it measures
([benchmarks/results/routing.json](../benchmarks/results/routing.json)):

    pip install --group bench
    python -m benchmarks.routing --data DIR      # DIR holds paretobandit.parquet and routellm.parquet

Every repeat draws another order, other choices and other ratings from seed 0 and its number; all policies of a table
get the same. Intervals are Student's t at 95 % over the repeats: they tell what order and chance change, and not how
other queries would come out. A policy learns from nothing but ratings of what it chose. Hyper-parameters were fixed on
ParetoBandit's validation split and used unchanged everywhere else. What is replayed, and what each figure means, is in
[evaluate.md](evaluate.md).
"""

_LIMITS = """## Limits

- A cold start loses at first: see the learning curves. With few labels or many models it takes longer.
- Where one fixed model is already the best choice for the budget, trying others costs something, and nothing is gained.
- Qualities and costs are recorded; latencies, tool calls and conversations are not in these tables.
- RouteLLM's costs are derived from estimated tokens; read its rows by shares of strong calls.
- paretobandit's own encoder has to be downloaded and was not; its paper's figures are of another encoder and of priors
  from 8,374 prompts.
  vowpalwabbit's price was chosen in hindsight, for the best result within the budget; it has no pacing of its own.
- Made-up tables show how fast a policy reacts, not how often models change.
"""


def page(figures: Figures) -> str:
    """The whole page, with the sections there are figures of."""
    texts = {
        "budgets": budgets_text,
        "ranking": ranking_text,
        "gains": gains_text,
        "scenarios": scenarios_text,
        "ope": coverage_text,
    }
    parts = [_HEAD, *(text(figures[name]) for name, text in texts.items() if name in figures), _LIMITS]
    parts.append(_provenance(figures))
    return "\n".join(parts)


def _provenance(figures: Figures) -> str:
    rows = [
        (name, section["measured_at"], section["commit"], f"{section['seconds']} s", "yes" if section["quick"] else "")
        for name, section in figures.items()
    ]
    said = "Sources: ParetoBandit (arXiv 2604.00136), RouteLLM (arXiv 2406.18665); both tables are Apache-2.0."
    return f"## Measured\n\n{markdown(('section', 'at', 'commit', 'took', 'smoke only'), rows)}\n\n{said}\n"


def budgets_text(section: Figures) -> str:
    """Quality for a budget."""
    rows = section["rows"]
    return "\n".join(
        [
            "## Quality for a budget",
            "",
            paragraph(
                f"""
                {_on(section)}. Cold start, every answer rated at once. The targets hold for a spend of at most
                {MOST_SPEND:g} x the budget.
                """
            ),
            "",
            _against_published(rows),
            "",
            f"Without task labels the quality may be {UNSEGMENTED_LOSS:g} lower than with them.",
            "",
            "![Quality against cost](routing/frontier.svg)",
            "",
            "### All policies and the opponents",
            "",
            _warm(section),
            "",
            _policies_table(rows),
            *_missing(section),
            "",
            "### Learning",
            "",
            paragraph(
                f"""
                The gain over the hull in each sixteenth of the stream, against that part's own hull (above 0: no
                fixed mix of the models could have done as well for the money). {_alarms(section)}
                """
            ),
            "",
            "![Learning curves](routing/learning.svg)",
            "",
        ]
    )


def _warm(section: Figures) -> str:
    return paragraph(
        f"""
        Each runs on the same replays. The opponents are given what tiercel reads of a prompt, and the task.
        vowpalwabbit squarecb's fixed price of money is, of a grid, the one that did best within the budget, in
        hindsight (empty where none met it). *Warm*: what one model, drawn evenly, did with each of the
        {section["warm_queries"]:,} prompts of the other split is learned first; everything else is cold.
        """
    )


def _on(section: Figures) -> str:
    if section["table"] == "demo":
        return f"The demo's table, {section['queries']:,} prompts"
    return f"ParetoBandit's {section['split']} split, {section['queries']:,} prompts, the paper's three models"


def _alarms(section: Figures) -> str:
    found = section["stationary"]
    return f"No model changes here; {found['alarms']} alarms in {found['labels']:,} ratings were false."


def _missing(section: Figures) -> list[str]:
    return [f"\nNo figures of {name}: {why}." for name, why in section["missing"].items()]


def _against_published(rows: Sequence[Figures]) -> str:
    found = []
    for budget, warm, cold, target in zip(BUDGETS_USD, PARETOBANDIT_WARM, PARETOBANDIT_COLD, TARGETS, strict=True):
        by_task = _find(rows, "contextual", "task", budget)
        without = _find(rows, "contextual", "none", budget)
        if by_task is None or without is None:
            continue
        quality, spend = by_task["quality"]["mean"], by_task["spend_over_budget"]
        lost = quality - without["quality"]["mean"]
        found.append(
            (
                usd(budget),
                interval(by_task["quality"]),
                f"{spend:.3f}",
                interval(by_task["gain"], signed=True),
                interval(by_task["gain_last_half"], signed=True),
                f"{target:.3f} {mark(quality >= target and spend <= MOST_SPEND)}",
                interval(without["quality"]),
                f"{without['spend_over_budget']:.3f}",
                f"{lost:+.4f} {mark(lost <= UNSEGMENTED_LOSS)}",
                f"{warm:.3f}",
                "" if cold is None else f"{cold:.3f}",
            )
        )
    head = (
        "budget", "quality", "spend / budget", "gain over hull", "in the last half", "target",
        "quality without tasks", "spend / budget", "less by", "published, warm", "published, cold",
    )  # fmt: skip
    return markdown(head, found)


def _find(rows: Sequence[Figures], policy: str, segment: str, budget: float) -> Figures | None:
    return next((r for r in rows if (r["policy"], r["segment"], r["budget_usd"]) == (policy, segment, budget)), None)


def _policies_table(rows: Sequence[Figures]) -> str:
    budgets = sorted({row["budget_usd"] for row in rows})
    lines = dict.fromkeys((row["policy"], row["segment"]) for row in rows)
    found = []
    for policy, segment in lines:
        cells = [policy, segment]
        repeats = 0
        for budget in budgets:
            row = _find(rows, policy, segment, budget)
            if row is None:
                cells.append("")
                continue
            repeats = row["repeats"]
            cells.append(f"{points(row['quality'])} x{row['spend_over_budget']:.2f} {_gain(row)}")
        found.append((*cells, str(repeats)))
    said = "In each cell: quality, spend over budget, gain over the hull at what was spent, over the whole stream."
    return f"{said}\n\n{markdown(('policy', 'segment', *(usd(b) for b in budgets), 'repeats'), found)}"


def _gain(row: Figures) -> str:
    return f"({row['gain']['mean']:+.4f})"


def ranking_text(section: Figures) -> str:
    """RouteLLM's figures."""
    rows = []
    for row in section["rows"]:
        published = ROUTELLM[row["benchmark"]]
        targets = ROUTELLM_TARGETS.get((row["benchmark"], row["learned"]), {})
        met = [
            row[name]["mean"] >= bound if name == "apgr" else row[name]["mean"] <= bound
            for name, bound in targets.items()
        ]
        aims = ", ".join(
            f"{name.upper()} {'>=' if name == 'apgr' else '<='} {bound:g}" for name, bound in targets.items()
        )
        rows.append(
            (
                row["benchmark"],
                row["learned"],
                f"{row['labels']:,} of {row['queries']:,}",
                interval(row["apgr"]),
                interval(row["cpt50"], digits=1),
                interval(row["cpt80"], digits=1),
                f"{aims} {mark(all(met))}" if targets else "",
                f"{published['apgr']:.3f}, {published['cpt50']:.1f}, {published['cpt80']:.1f}",
            )
        )
    head = ("benchmark", "learned from", "labels", "APGR", "CPT50", "CPT80", "target", "published: APGR, CPT50, CPT80")
    return "\n".join(
        [
            "## Ranking queries by what the strong model adds",
            "",
            paragraph(
                f"""
                RouteLLM's tables (GPT-4 and Mixtral-8x7B) and figures. `contextual` learns from some queries
                drawn by chance, is frozen, and ranks the others by the expected quality of the strong model minus
                the weak one's; {section["rows"][0]["repeats"]} draws. The published figures are RouteLLM's best
                on each benchmark (on MMLU with gold labels). Random has .500, 50 and 80. MT-Bench, with 72
                queries, is too small to learn from and left out (published: {ROUTELLM["mtbench"]["apgr"]:.3f}).
                """
            ),
            "",
            markdown(head, rows),
            "",
            "![Gap recovered against strong calls](routing/ranking.svg)",
            "",
        ]
    )
