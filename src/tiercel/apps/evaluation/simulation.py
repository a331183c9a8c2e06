"""What-if: policies on a catalogue that nobody measured, replayed as `tiercel evaluate` replays a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, median
from typing import Any

from tiercel.apps.evaluation.study import Mode, features_of
from tiercel.bootstrap import build_policy
from tiercel.config.settings import RouteSettings, Settings
from tiercel.core.replay.books import Terms
from tiercel.core.replay.catalogue import profiles
from tiercel.core.replay.driver import replay
from tiercel.core.replay.figures import Result, RunFigures, result_of, run_figures
from tiercel.core.replay.imagined import Assumptions, imagine
from tiercel.core.replay.settling import Settled, settled
from tiercel.core.replay.table import ModelFigures
from tiercel.domain.catalogue import ModelProfile, ModelTier, Price

SAMPLE = (
    ModelProfile(model_id="small", tier=ModelTier.CHEAP, price=Price(0.10, 0.40)),
    ModelProfile(model_id="medium", tier=ModelTier.CAPABLE, price=Price(0.50, 2.00)),
    ModelProfile(model_id="large", tier=ModelTier.PREMIUM, price=Price(2.50, 10.00)),
)
"""The catalogue of who has none yet: three tiers, each about five times as dear as the one below."""


@dataclass(frozen=True, slots=True)
class Job:
    """One replay of one drawn table; equal `repeat`s have equal tables."""

    policy: str
    feedback_rate: float
    repeat: int


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a job. `models` are the drawn table's means, and `figures.share` is in the catalogue's order."""

    figures: RunFigures
    settled: Settled | None
    models: tuple[ModelFigures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The catalogue, the assumptions, and who decides for what goal (`route`)."""

    models: tuple[ModelProfile, ...]
    assumptions: Assumptions
    route: RouteSettings
    policies: tuple[str, ...]
    feedback_rates: tuple[float, ...]
    delay: int
    repeats: int
    seed: int

    def jobs(self) -> list[Job]:
        """Every replay there is to run."""
        return [
            Job(policy, rate, repeat)
            for policy in self.policies
            for rate in self.feedback_rates
            for repeat in range(self.repeats)
        ]

    def run(self, job: Job) -> Run:
        """Draw the table and replay it."""
        table = imagine(self.models, self.assumptions, self.seed * 1_000_003 + job.repeat).table
        policy = build_policy(replace(self.route, policy=job.policy), Settings(models=profiles(table)))
        terms = Terms(feedback_rate=job.feedback_rate, delay=self.delay, seed=self.seed)
        trace = replay(table, policy, terms, repeat=job.repeat, features=features_of(policy))
        figures = run_figures(trace, budget_usd=self.route.budget_usd_per_request)
        place = {model_id: i for i, model_id in enumerate(table.models)}
        share = tuple(figures.share[place[model.model_id]] for model in self.models)
        drawn = {figures.model_id: figures for figures in table.figures()}
        return Run(replace(figures, share=share), settled(trace), tuple(drawn[model.model_id] for model in self.models))


@dataclass(frozen=True, slots=True)
class Outcome:
    """A policy at one feedback rate. `ratings_to_settle` is the median over repeats, None where most did not."""

    policy: str
    feedback_rate: float
    result: Result
    settled_share: float
    requests_to_settle: float | None
    ratings_to_settle: float | None

    def json(self) -> dict[str, Any]:
        """As JSON."""
        named = ("quality", "cost_usd", "share", "quality_ci", "cost_ci", "gain_over_hull", "gain_ci", "regret")
        late = ("quality_last_half", "cost_last_half", "gain_over_hull_last_half", "gain_last_half_ci")
        values = {name: getattr(self.result, name) for name in (*named, *late, "spend_over_budget")}
        own = {name: getattr(self, name) for name in ("policy", "feedback_rate")}
        ends = ("settled_share", "requests_to_settle", "ratings_to_settle")
        return {**own, **values, **{name: getattr(self, name) for name in ends}}


def outcomes_of(simulation: Simulation, runs: Mapping[Job, Run]) -> list[Outcome]:
    """What every policy came to at every feedback rate."""
    found = []
    for policy in simulation.policies:
        for rate in simulation.feedback_rates:
            of_one = [runs[Job(policy, rate, repeat)] for repeat in range(simulation.repeats)]
            result = result_of(
                [model.model_id for model in simulation.models],
                [run.figures for run in of_one],
                budget_usd=simulation.route.budget_usd_per_request,
            )
            ends = [run.settled for run in of_one]
            known = [end for end in ends if end is not None]
            most = len(known) > len(ends) / 2
            found.append(
                Outcome(
                    policy,
                    rate,
                    result,
                    len(known) / len(ends),
                    median(end.requests for end in known) if most else None,
                    median(end.ratings for end in known) if most else None,
                )
            )
    return found


def drawn_models(simulation: Simulation, runs: Mapping[Job, Run]) -> dict[str, dict[str, float]]:
    """Each model's assumed quality and cost: the mean over the drawn tables, and the least and greatest quality."""
    first = simulation.policies[0], simulation.feedback_rates[0]
    drawn: Sequence[Sequence[ModelFigures]] = [runs[Job(*first, repeat)].models for repeat in range(simulation.repeats)]
    found = {}
    for i, model in enumerate(simulation.models):
        qualities = [models[i].quality for models in drawn]
        costs = [models[i].cost_usd or 0.0 for models in drawn]
        found[model.model_id] = {
            "quality": fmean(qualities),
            "lowest": min(qualities),
            "highest": max(qualities),
            "cost_usd": fmean(costs),
        }
    return found


def simulation_json(simulation: Simulation, runs: Mapping[Job, Run]) -> dict[str, Any]:
    """The whole result; the same for the same options."""
    return {
        "measured": False,
        "note": NOTE,
        "assumptions": {**asdict(simulation.assumptions), "models": drawn_models(simulation, runs)},
        "settings": {
            "policies": list(simulation.policies),
            "feedback_rates": list(simulation.feedback_rates),
            "delay": simulation.delay,
            "repeats": simulation.repeats,
            "seed": simulation.seed,
            **asdict(Mode.of(simulation.route)),
        },
        "results": [outcome.json() for outcome in outcomes_of(simulation, runs)],
    }


NOTE = "Qualities are assumed, not measured: this says how policies behave, not how good the models are."
