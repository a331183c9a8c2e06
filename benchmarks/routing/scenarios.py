"""What changes while requests come: how soon a policy notices, acts, and comes back; and what does not disturb it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any

from benchmarks.routing.data import DEMO, MADE_UP, Source
from benchmarks.routing.measures import WINDOW, Measured, Spec
from benchmarks.routing.plan import Plan, Results, Section, band, summary

from tiercel.core.replay.books import Judging, Terms
from tiercel.core.replay.world import Scenario, arriving, degraded, recovering, repriced

DROP = 0.50 / 0.95
MILD = 0.85
EPSILON = 0.02
SAFE_RUNS = 100
_TRIO = ("small:0.80:0.0001", "middle:0.95:0.001", "other:0.90:0.002")
_CLOSE = ("small:0.80:0.0001", "middle:0.95:0.001", "large:0.96:0.01")
_QUERIES = 3_000
_DROUGHT = Judging(begin=1 / 3, end=2 / 3, rate=0.0)
_STRICT = Judging(begin=1 / 2, factor=0.8)


@dataclass(frozen=True, slots=True)
class Scene:
    """One scenario. `budget_usd` None: the policy's own goal, to be within .02 of the best model."""

    name: str
    what: str
    scenario: Scenario = ()
    models: tuple[str, ...] = _TRIO
    graded: bool = True
    rate: float = 1.0
    budget_usd: float | None = None
    newcomer: int | None = None
    judgings: tuple[Judging, ...] = ()
    recorded: bool = False


SCENES = (
    Scene("drop", "the most used model .95 -> .50, silently", degraded(DROP)),
    Scene("drop, pass or fail", "the same, of answers that are right or wrong", degraded(DROP), graded=False),
    Scene("drop, 30 % rated", "the same with 30 % of the answers rated", degraded(DROP), rate=0.3),
    Scene("drop and recovery", ".95 -> .50, and back a third of the stream later", recovering(DROP)),
    Scene("mild drop", "the most used model's quality x .85", degraded(MILD)),
    Scene("drop on ParetoBandit", "the most used model x .53, budget $6.6e-4", degraded(DROP), (), budget_usd=6.6e-4,
          recorded=True),
    Scene("mild drop on ParetoBandit", "the most used model x .85, budget $6.6e-4", degraded(MILD), (),
          budget_usd=6.6e-4, recorded=True),
    Scene("cheap and good newcomer", "a model of .95 at a third of the middle one's cost arrives", arriving(),
          (*_TRIO, "new:0.95:0.0003"), newcomer=1),
    Scene("dear and good newcomer", "a model of .99 at thirty times the middle one's cost arrives", arriving(),
          (*_TRIO, "new:0.99:0.03"), newcomer=3),
    Scene("bad newcomer", "a model of .60 at a third of the middle one's cost arrives", arriving(),
          (*_TRIO, "new:0.60:0.0003"), newcomer=1),
    Scene("price cut", "the dearest model in use costs a tenth, budget $4e-4", repriced(0.1), _TRIO[:2],
          budget_usd=4e-4),
    Scene("label drought", "no ratings in the middle third", judgings=(_DROUGHT,)),
    Scene("stricter judge", "from half-way on every rating is x .8; no model changed", judgings=(_STRICT,)),
    Scene("stationary", "nothing changes"),
    Scene("stationary, pass or fail", "the same, of answers that are right or wrong", graded=False),
    Scene("stationary, close call", "nothing changes; a dearer model is .01 better", models=_CLOSE),
    Scene("stationary, close call, pass or fail", "the same, of answers that are right or wrong", models=_CLOSE,
          graded=False),
)  # fmt: skip
"""Every scenario; the models of a made-up table are "name:mean quality:mean cost in USD"."""


def lines(plan: Plan) -> list[Spec]:
    """Every scenario, and the safe policy against two incumbents."""
    found = [_spec(plan, scene) for scene in SCENES if not plan.quick or not scene.recorded]
    real, short = plan.paretobandit, plan.table(plan.paretobandit).models
    for incumbent in short[1:]:
        named = incumbent.rpartition("/")[2]
        found.append(
            Spec(
                row=("safe", named),
                source=real,
                policy="contextual",
                repeats=plan.repeats if plan.quick else SAFE_RUNS // 2,
                loss=EPSILON,
                incumbent=incumbent,
            )
        )
    return found


def _spec(plan: Plan, scene: Scene) -> Spec:
    queries = 900 if plan.quick else _QUERIES
    source = plan.paretobandit if scene.recorded else Source(MADE_UP, models=scene.models, queries=queries)
    if source.name == MADE_UP:
        source = replace(source, graded=scene.graded)
    return Spec(
        row=("scene", scene.name),
        source=source,
        policy="contextual",
        repeats=plan.repeats,
        terms=Terms(
            feedback_rate=scene.rate,
            scenario=scene.scenario,
            newcomer=scene.newcomer,
            judgings=scene.judgings,
        ),
        budget_usd=scene.budget_usd,
        keep="shares",
    )


def figures(plan: Plan, results: Results) -> dict[str, Any]:
    """A row for each scenario with its shares over time, and one for each safe policy."""
    scenes = {scene.name: scene for scene in SCENES}
    rows, safe = [], []
    for spec, measured in results.items():
        assert isinstance(spec, Spec)  # noqa: S101 - these are the lines asked for
        if spec.row[0] == "safe":
            safe.append(_safe_row(spec.row[1], measured))
        else:
            models = [name.rpartition("/")[2] for name in plan.table(spec.source).models]
            rows.append(scene_row(scenes[spec.row[1]], models, measured))
    return {"rows": rows, "safe": safe, "epsilon": EPSILON, "window": WINDOW, "on": _real(plan)}


def _real(plan: Plan) -> str:
    return "the demo's table" if plan.paretobandit.name == DEMO else "ParetoBandit's test split"


def scene_row(scene: Scene, models: Sequence[str], measured: Sequence[Measured]) -> dict[str, Any]:
    """What came of all repeats of a scenario."""
    changes = [
        change_row([one["changes"][number] for one in measured])
        for number in range(len(measured[0].get("changes", ())))
    ]
    shares = [one["shares"] for one in measured]
    return {
        "name": scene.name,
        "what": scene.what,
        "repeats": len(measured),
        "quality": summary(measured, "quality"),
        "alarms": sum(one["alarms"] for one in measured),
        "labels": sum(one["labels"] for one in measured),
        "changes": changes,
        "turns": sorted({c["at"] for c in changes} | _judging_turns(scene, shares[0])),
        "shares": {model: band([one[i] for one in shares]) for i, model in enumerate(models)},
    }


def _judging_turns(scene: Scene, shares: Sequence[Sequence[float]]) -> set[int]:
    requests = len(shares[0]) * WINDOW
    return {round(end * requests) for j in scene.judgings for end in (j.begin, j.end) if end < 1}


def change_row(changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One change in all repeats. Medians count a repeat without the event as endless; None where that is the median."""
    return {
        "at": changes[0]["at"],
        "models": sorted({str(change["model"]).rpartition("/")[2] for change in changes}),
        "alarm_ratings": quantiles([change["alarm_ratings"] for change in changes]),
        "acted_ratings": quantiles([change["ratings"] for change in changes]),
        "acted_requests": quantiles([change["requests"] for change in changes]),
        "share_before": fmean(change["share_before"] for change in changes),
        "share_after": fmean(change["share_after"] for change in changes),
        "first_share": fmean(change["first_share"] for change in changes),
        "newcomer_share": summary(changes, "newcomer_share"),
    }


def quantiles(values: Sequence[int | None]) -> dict[str, float | None]:
    """The median and the worst of some counts, in which None is endless; and in what share there was one."""
    ordered = [math.inf if value is None else float(value) for value in values]
    return {
        "median": _finite(median(ordered)),
        "worst": _finite(max(ordered)),
        "share": fmean(math.isfinite(value) for value in ordered),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _safe_row(incumbent: str, measured: Sequence[Measured]) -> dict[str, Any]:
    lost = [float(one["lost"]) for one in measured]
    return {
        "incumbent": incumbent,
        "runs": len(lost),
        "above": sum(value > EPSILON for value in lost),
        "worst": max(lost),
        "lost": summary(measured, "lost"),
        "cost_of_incumbent": summary(measured, "cost_of_incumbent"),
    }


SECTION = Section("scenarios", needs_folder=False, lines=lines, figures=figures)
