"""What came of a study: figures of every baseline and policy, and all of it as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from tiercel.apps.evaluation.study import Job, Study, settings_json
from tiercel.core.hull import Point
from tiercel.core.replay.baselines import baselines, hull_of_table
from tiercel.core.replay.catalogue import tier_of
from tiercel.core.replay.figures import Result, RunFigures, result_of
from tiercel.core.replay.frontier import CurveFigures, curve_figures, hull_figures
from tiercel.core.replay.reactions import ReactionSummary

INTERVALS = "95 %, Student's t over the repeats; a baseline's are exact"


@dataclass(frozen=True, slots=True)
class Frontier:
    """A policy at several budgets (USD per request), and the figures of the curve."""

    points: Sequence[tuple[float, Result]]
    curve: CurveFigures


@dataclass(frozen=True, slots=True)
class HullVertex:
    """A model on the hindsight hull."""

    model: str
    cost_usd: float
    quality: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The whole result. `frontiers` and `hull_curve` are there where a frontier was asked for."""

    study: Study
    hull: Sequence[HullVertex]
    baselines: Mapping[str, Result]
    policies: Mapping[str, Result]
    frontiers: Mapping[str, Frontier]
    hull_curve: CurveFigures | None

    def json(self) -> dict[str, Any]:
        """As JSON. Two runs with equal settings differ in `decide_us` alone, a measured time."""
        policies = {name: _result_json(result) for name, result in self.policies.items()}
        for name, frontier in self.frontiers.items():
            points = [{"budget_usd": budget, **_result_json(result)} for budget, result in frontier.points]
            policies[name] |= {"frontier": points, **asdict(frontier.curve)}
        return {
            "table": _table_json(self.study),
            "settings": {**settings_json(self.study.settings), "intervals": INTERVALS},
            "hull": [asdict(vertex) for vertex in self.hull],
            **({"hull_frontier": asdict(self.hull_curve)} if self.hull_curve else {}),
            "baselines": {name: _result_json(result) for name, result in self.baselines.items()},
            "policies": policies,
        }


def evaluation_of(study: Study, runs: Mapping[Job, RunFigures]) -> Evaluation:
    """The result of a study all of whose jobs are done."""
    settings, table = study.settings, study.table

    def result(policy: str, budget_usd: float | None) -> Result:
        jobs = [Job(policy, budget_usd, repeat) for repeat in range(settings.repeats)]
        budget = study.mode_of(jobs[0]).budget_usd
        return result_of(table.models, [runs[job] for job in jobs], budget_usd=budget)

    frontiers = {}
    if settings.frontier:
        for policy in settings.policies:
            points = [(budget, result(policy, budget)) for budget in study.budgets()]
            frontiers[policy] = Frontier(points, _curve(study, [reached for _, reached in points]))
    return Evaluation(
        study=study,
        hull=_hull(study),
        baselines=baselines(
            table,
            budget_usd=settings.mode.budget_usd,
            target_quality=settings.mode.target_quality,
            prior=study.warm,
        ),
        policies={policy: result(policy, None) for policy in settings.policies},
        frontiers=frontiers,
        hull_curve=hull_figures(table) if settings.frontier else None,
    )


def _curve(study: Study, results: Sequence[Result]) -> CurveFigures:
    points = [Point(result.cost_usd or 0.0, result.quality) for result in results]
    return curve_figures(study.table, points, [result.share[study.table.models[-1]] for result in results])


def _hull(study: Study) -> list[HullVertex]:
    hull = hull_of_table(study.table)
    vertices = set(hull.vertices) if hull else set()
    return [
        HullVertex(model.model_id, model.cost_usd, model.quality)
        for model in study.table.figures()
        if model.cost_usd is not None and (model.cost_usd, model.quality) in vertices
    ]


def _table_json(study: Study) -> dict[str, Any]:
    table = study.table
    return {
        "queries": len(table.queries),
        "dropped_queries": table.incomplete,
        "warm_start_queries": len(study.warm.queries) if study.warm else 0,
        "tasks": len(table.tasks),
        "models": {
            model.model_id: {
                "tier": tier_of(rank, len(table.models)),
                "quality": model.quality,
                "cost_usd": model.cost_usd,
                "latency_ms": model.latency_ms,
            }
            for rank, model in enumerate(table.figures())
        },
    }


_SUMMARISED = frozenset({"runs", "scenario"})


def _result_json(result: Result) -> dict[str, Any]:
    values = {f.name: getattr(result, f.name) for f in fields(result) if f.name not in _SUMMARISED}
    scenario: ReactionSummary | None = result.scenario
    if scenario is not None:
        values |= asdict(scenario)
    return values
