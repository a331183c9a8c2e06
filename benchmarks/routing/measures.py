"""One line of a table of the benchmark, one repeat of it, and what is kept of a replay."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from benchmarks.routing.data import Source, table
from benchmarks.routing.opponents import OPPONENTS, opponent

from tiercel.bootstrap import build_policy
from tiercel.config.settings import RouteSettings, Settings
from tiercel.core.beliefs.change import POLICY as DRIFT
from tiercel.core.features import Basis
from tiercel.core.policies.base import Policy
from tiercel.core.replay.books import BEGIN, Features, Terms
from tiercel.core.replay.catalogue import profiles
from tiercel.core.replay.driver import Trace, replay
from tiercel.core.replay.figures import part_of, run_figures
from tiercel.core.replay.table import OutcomeTable
from tiercel.domain.request import RequestContext

WINDOWS = 16
"""So many points has a learning curve."""
WINDOW = 50
"""So many requests go into a point of a picture of shares."""

Measured = dict[str, Any]


class Line(Protocol):
    """What a section asks for: something measured so often, each time with another repeat's draws."""

    @property
    def row(self) -> tuple[str, ...]:
        """What tells it from the section's other lines."""
        ...

    @property
    def repeats(self) -> int:
        """How often."""
        ...

    def measured(self, repeat: int, folder: Path | None) -> Measured:
        """One repeat, in a process that may be another."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One line: a policy on a table under terms, `repeats` times.

    `loss` is the `max_quality_loss` of a policy that is made safe; `price` the fixed price of money (quality points per
    USD) of one that has no budget. `keep` names what is kept besides the figures: "curve" or "shares".
    `warm` is a table of the same models from which is learned first.
    """

    row: tuple[str, ...]
    source: Source
    policy: str
    repeats: int
    terms: Terms = field(default_factory=Terms)
    budget_usd: float | None = None
    loss: float | None = None
    incumbent: str = ""
    price: float | None = None
    keep: str = ""
    warm: Source | None = None

    def measured(self, repeat: int, folder: Path | None) -> Measured:
        """See `measure`."""
        return measure(self, repeat, folder)


def measure(spec: Spec, repeat: int, folder: Path | None) -> Measured:
    """One replay in figures that fit into JSON. Equal arguments give equal ones, but for `seconds`."""
    began = time.perf_counter()
    outcomes = table(spec.source, folder)
    policy = policy_of(spec, outcomes)
    features = read_features() if policy.reads_prompt else None
    warm = table(spec.warm, folder) if spec.warm else None
    trace = replay(outcomes, policy, spec.terms, repeat=repeat, warm=warm, features=features)
    kept = figures_of(trace, spec, outcomes)
    if spec.keep == "curve":
        kept["curve"] = curve(trace)
    if spec.keep == "shares":
        kept["shares"] = shares(trace)
    return kept | {"seconds": time.perf_counter() - began}


def policy_of(spec: Spec, outcomes: OutcomeTable) -> Policy:
    """A fresh policy: one of tiercel's, as a route of these settings would have it, or an opponent."""
    models = profiles(outcomes)
    if spec.policy in OPPONENTS:
        return opponent(spec.policy, outcomes, models, budget_usd=spec.budget_usd, price=spec.price or 0.0)
    route = RouteSettings(
        policy=spec.policy,
        budget_usd_per_request=spec.budget_usd,
        quality_weight=None if spec.price is None else 1.0,
        cost_weight=spec.price,
        max_quality_loss=spec.loss,
        incumbent=spec.incumbent,
    )
    return build_policy(route, Settings(models=models))


@cache
def read_features() -> Features:
    """What reads prompts. A prompt's figures are the same in every repeat, so they are kept."""
    basis = Basis()
    known: dict[tuple[str, int], tuple[float, ...]] = {}

    def read(request: RequestContext) -> tuple[float, ...]:
        key = (request.prompt, request.prompt_tokens)
        if key not in known:
            known[key] = basis.read(request)
        return known[key]

    return Features(basis=basis.name, read=read)


def figures_of(trace: Trace, spec: Spec, outcomes: OutcomeTable) -> Measured:
    """What is kept of every replay."""
    incumbent = outcomes.models.index(spec.incumbent) if spec.incumbent else None
    run = run_figures(trace, budget_usd=spec.budget_usd, incumbent=incumbent)
    alarms = [change for change in trace.standings if change.policy == DRIFT]
    kept: Measured = {
        "quality": run.whole.quality,
        "cost_usd": run.whole.cost_usd,
        "gain": run.whole.gain_over_hull,
        "gain_last_half": run.last_half.gain_over_hull,
        "overdraft_usd": run.overdraft_usd,
        "alarms": len(alarms),
        "labels": sum(step.rated for step in trace.steps),
        "share": list(run.share),
    }
    if incumbent is not None:
        lost = [step.query.recorded[incumbent].quality - step.recorded.quality for step in trace.steps]
        spent = fmean(step.query.recorded[incumbent].cost_usd or 0.0 for step in trace.steps)
        kept |= {"lost": fmean(lost), "cost_of_incumbent": (run.whole.cost_usd or 0.0) / spent}
    if trace.changes:
        kept["changes"] = [
            {
                "model": trace.models[reaction.model],
                "at": reaction.at,
                "ratings": reaction.ratings,
                "requests": reaction.requests,
                "share_before": reaction.share_before,
                "share_after": reaction.share_after,
                "newcomer_share": reaction.newcomer_share,
                "alarm_ratings": alarm_ratings(trace, reaction.model, reaction.at),
                "first_share": first_share(trace, reaction.model, reaction.at),
            }
            for reaction in run.reactions
        ]
    return kept


def alarm_ratings(trace: Trace, model: int, at: int) -> int | None:
    """How many ratings of the model's answers since request `at` were given when it was found to have changed."""
    found = [
        round((change.changed_at - BEGIN).total_seconds() / trace.terms.step_s)
        for change in trace.standings
        if change.policy == DRIFT and change.segment[-1] == trace.models[model]
    ]
    after = min((request for request in found if request >= at), default=None)
    if after is None:
        return None
    given = trace.steps[at : max(at, after + 1 - trace.terms.delay)]
    return sum(step.rated and step.chosen == model for step in given)


def first_share(trace: Trace, model: int, at: int, count: int = 10) -> float:
    """The model's part of the first few requests since `at`, of those believed best served by it."""
    return fmean(step.greedy == model for step in trace.steps[at : at + count])


def curve(trace: Trace) -> list[float | None]:
    """The gain over the hull of each of so many equal parts of the stream, against the part's own hull."""
    edges = [len(trace.steps) * i // WINDOWS for i in range(WINDOWS + 1)]
    return [part_of(trace.steps[left:right]).gain_over_hull for left, right in pairwise(edges)]


def shares(trace: Trace) -> list[list[float]]:
    """Each model's share of every so many requests, in the order of the table's models."""
    parts = [trace.steps[i : i + WINDOW] for i in range(0, len(trace.steps), WINDOW)]
    return [[_share([step.chosen for step in part], model) for part in parts] for model in range(len(trace.models))]


def _share(chosen: Sequence[int], model: int) -> float:
    return sum(one == model for one in chosen) / len(chosen)
