"""RouteLLM's game: learn from some labelled queries, then rank the others by how much the strong model would add.

The policy learns from N queries drawn by chance what one model, drawn evenly, did with each (or what both did), is
frozen, and says of every other query what it expects of either model. Sending the top k to the strong model, for every
k, gives the curve of which RouteLLM's figures are read (see tiercel.core.replay.frontier).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.routing.data import Source, table
from benchmarks.routing.measures import Measured, read_features
from benchmarks.routing.plan import Plan, Results, Section, band, summary
from benchmarks.routing.published import ROUTELLM, ROUTELLM_LABELS

from tiercel.bootstrap import build_policy
from tiercel.config.settings import RouteSettings, Settings
from tiercel.core.replay.books import Books, Terms
from tiercel.core.replay.catalogue import profiles
from tiercel.core.replay.driver import warm_up
from tiercel.core.replay.table import OutcomeTable, Query

ONE, BOTH, UNSEGMENTED = "one outcome of each", "both outcomes", "one outcome of each, no subject"
_POINTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingSpec:
    """One line: so many `labels` of a benchmark, learned so."""

    row: tuple[str, ...]
    source: Source
    labels: int
    full: bool
    segmented: bool
    repeats: int

    def measured(self, repeat: int, folder: Path | None) -> Measured:
        """The curve's figures for one draw of the queries learned from."""
        outcomes = table(self.source, folder)
        draw = random.Random(f"0/{repeat}/learned")
        order = draw.sample(range(len(outcomes.queries)), len(outcomes.queries))
        learned = [outcomes.queries[i] for i in order[: self.labels]]
        asked = [outcomes.queries[i] for i in order[self.labels :]]
        terms = Terms(warm_rate=1.0, warm_full=self.full, segmented=self.segmented)
        added = gains(replace(outcomes, queries=tuple(learned)), asked, terms, draw)
        recovered = recovered_at(added, asked)
        return curve_figures(recovered)


def gains(learned: OutcomeTable, asked: Sequence[Query], terms: Terms, draw: random.Random) -> list[float]:
    """What the strong model is expected to add to each query by a policy that learned from others."""
    models = profiles(learned)
    policy = build_policy(RouteSettings(quality_weight=1.0, cost_weight=0.0), Settings(models=models))
    books = Books(policy, models, terms, read_features())
    warm_up(books, learned, draw)
    found = []
    for query in asked:
        decision = books.decide(query, models, rated=False, uniform=0.5)
        weak, strong = (candidate.quality or 0.0 for candidate in decision.proposal.candidates)
        found.append(strong - weak)
    return found


def recovered_at(added: Sequence[float], asked: Sequence[Query]) -> list[float]:
    """The part of the gap recovered with the top k queries sent to the strong model, for k from none to all.

    Queries of which the same is expected stand in the order given, which is drawn.
    """
    order = sorted(range(len(asked)), key=lambda i: -added[i])
    steps = [asked[i].recorded[1].quality - asked[i].recorded[0].quality for i in order]
    gap = sum(steps)
    return [sum_ / gap for sum_ in accumulate(steps, initial=0.0)]


def curve_figures(recovered: Sequence[float]) -> dict[str, Any]:
    """APGR (0..1), CPT50 and CPT80 (percent), and a few points of the curve."""
    count = len(recovered) - 1
    area = (sum(recovered) - (recovered[0] + recovered[-1]) / 2) / count
    return {
        "apgr": area,
        "cpt50": 100 * next(k for k, part in enumerate(recovered) if part >= 0.5) / count,
        "cpt80": 100 * next(k for k, part in enumerate(recovered) if part >= 0.8) / count,
        "curve": [recovered[count * i // _POINTS] for i in range(_POINTS + 1)],
    }


def lines(plan: Plan) -> list[RankingSpec]:
    """MMLU and GSM8K, each learned in every way."""
    ways = {ONE: (False, True), BOTH: (True, True), UNSEGMENTED: (False, False)}
    return [
        RankingSpec(
            row=(benchmark, way),
            source=Source("routellm", task=benchmark),
            labels=labels,
            full=full,
            segmented=segmented,
            repeats=plan.repeats,
        )
        for benchmark, labels in ROUTELLM_LABELS.items()
        for way, (full, segmented) in ways.items()
        if benchmark == "mmlu" or segmented
    ]


def figures(plan: Plan, results: Results) -> dict[str, Any]:
    """A row for each benchmark and way."""
    rows = []
    for spec, measured in results.items():
        benchmark, way = spec.row
        rows.append(
            {
                "benchmark": benchmark,
                "learned": way,
                "labels": ROUTELLM_LABELS[benchmark],
                "queries": len(plan.table(Source("routellm", task=benchmark)).queries),
                "repeats": len(measured),
                **{name: summary(measured, name) for name in ("apgr", "cpt50", "cpt80")},
                "curve": band([one["curve"] for one in measured]),
            }
        )
    return {"rows": rows, "published": ROUTELLM}


SECTION = Section("ranking", needs_folder=True, lines=lines, figures=figures)
