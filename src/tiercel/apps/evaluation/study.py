"""What is to be evaluated: policies on a table under terms, and one replay of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tiercel.adapters.outcome_table import read_rows
from tiercel.bootstrap import POLICIES, build_policy
from tiercel.config.settings import RouteSettings, Settings
from tiercel.core.features import Basis
from tiercel.core.policies.base import Policy
from tiercel.core.replay.books import STEP_S, Features, Terms
from tiercel.core.replay.catalogue import profiles
from tiercel.core.replay.driver import replay
from tiercel.core.replay.figures import RunFigures, run_figures
from tiercel.core.replay.frontier import budgets
from tiercel.core.replay.table import OutcomeTable, model_named, table_of
from tiercel.core.replay.world import SCENARIOS
from tiercel.domain.errors import InvalidInput, Problem

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """What a policy is to reach: at most one of a target quality, a budget and weights; with none, its own default."""

    target_quality: float | None = None
    budget_usd: float | None = None
    quality_weight: float | None = None
    cost_weight: float | None = None
    latency_weight: float | None = None

    @classmethod
    def of(cls, route: RouteSettings) -> Mode:
        """What a route's policy is to reach."""
        return cls(
            target_quality=route.target_quality,
            budget_usd=route.budget_usd_per_request,
            quality_weight=route.quality_weight,
            cost_weight=route.cost_weight,
            latency_weight=route.latency_weight,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """The options of `tiercel evaluate`; what they mean stands in its help.

    `frontier` is how many budgets are tried besides the mode (0: none). `incumbent` is the model that serves today.
    """

    file: Path
    policies: tuple[str, ...]
    mode: Mode = Mode()
    split: str = ""
    warm_start: str = ""
    models: tuple[str, ...] = ()
    segment: str = "task"
    feedback_rate: float = 1.0
    delay: int = 0
    judged: bool = False
    scenario: str = "none"
    repeats: int = 20
    seed: int = 0
    frontier: int = 0
    incumbent: str = ""
    step_s: float = STEP_S


@dataclass(frozen=True, slots=True)
class Job:
    """One replay: of a policy in the study's mode (`budget_usd` None) or at a budget of the frontier."""

    policy: str
    budget_usd: float | None
    repeat: int


@dataclass(frozen=True, slots=True)
class Study:
    """The settings with the tables they name."""

    settings: EvaluationSettings
    table: OutcomeTable
    warm: OutcomeTable | None
    terms: Terms

    def budgets(self) -> tuple[float, ...]:
        """The frontier's budgets in USD per request."""
        return budgets(self.table, self.settings.frontier) if self.settings.frontier else ()

    def jobs(self) -> list[Job]:
        """Every replay there is to run."""
        return [
            Job(policy, budget, repeat)
            for policy in self.settings.policies
            for budget in (None, *self.budgets())
            for repeat in range(self.settings.repeats)
        ]

    def mode_of(self, job: Job) -> Mode:
        """What the policy is to reach in a replay."""
        return self.settings.mode if job.budget_usd is None else Mode(budget_usd=job.budget_usd)

    def policy_of(self, job: Job) -> Policy:
        """A fresh policy, as a route of these settings would have it."""
        mode = self.mode_of(job)
        route = RouteSettings(
            policy=job.policy,
            model=self.settings.incumbent,
            target_quality=mode.target_quality,
            budget_usd_per_request=mode.budget_usd,
            quality_weight=mode.quality_weight,
            cost_weight=mode.cost_weight,
            latency_weight=mode.latency_weight,
        )
        return build_policy(route, Settings(models=profiles(self.table)))

    def run(self, job: Job) -> RunFigures:
        """One replay in figures."""
        policy, incumbent = self.policy_of(job), self.settings.incumbent
        trace = replay(
            self.table,
            policy,
            self.terms,
            repeat=job.repeat,
            warm=self.warm,
            features=features_of(policy),
            timer_ns=time.perf_counter_ns,
        )
        return run_figures(
            trace,
            budget_usd=self.mode_of(job).budget_usd,
            incumbent=self.table.models.index(incumbent) if incumbent else None,
        )


def features_of(policy: Policy) -> Features | None:
    """What reads the prompt for a policy."""
    basis = Basis()
    return Features(basis=basis.name, read=basis.read) if policy.reads_prompt else None


def study_of(settings: EvaluationSettings) -> Study:
    """The study that settings describe, its tables read. Raises `InvalidInput`, `MissingDependency`."""
    settings = replace(settings, policies=_policies(settings.policies))
    if settings.warm_start and settings.warm_start == (settings.split or settings.warm_start):
        said = "must be another split than the one evaluated, named by --split"
        raise InvalidInput([Problem("warm_start", said, repr(settings.warm_start))])
    rows = read_rows(settings.file)
    table = table_of(rows, split=settings.split, models=settings.models)
    if settings.mode.budget_usd is not None and not table.has_costs:
        raise InvalidInput("a budget needs costs, which this table does not have")
    if settings.incumbent:
        settings = replace(settings, incumbent=model_named(settings.incumbent, table.models, path="incumbent"))
    warm = table_of(rows, split=settings.warm_start, models=table.models) if settings.warm_start else None
    terms = Terms(
        feedback_rate=settings.feedback_rate,
        delay=settings.delay,
        segmented=settings.segment == "task",
        judged=settings.judged,
        scenario=SCENARIOS[settings.scenario],
        seed=settings.seed,
        step_s=settings.step_s,
    )
    return Study(settings, table, _in_order(warm, table) if warm else None, terms)


def _policies(names: Sequence[str]) -> tuple[str, ...]:
    """The policies by those names, once each; "all" is every one there is."""
    wanted = dict.fromkeys(name for given in names for name in (POLICIES if given == ALL else (given,)))
    unknown = [name for name in wanted if name not in POLICIES]
    if unknown:
        said = f"must be one of {', '.join(POLICIES)}, {ALL}"
        raise InvalidInput([Problem("policy", said, repr(name), "unknown") for name in unknown])
    return tuple(wanted)


def _in_order(warm: OutcomeTable, table: OutcomeTable) -> OutcomeTable:
    """The table with its models in the order of another's."""
    places = [warm.models.index(model) for model in table.models]
    queries = tuple(replace(q, recorded=tuple(q.recorded[place] for place in places)) for q in warm.queries)
    return replace(warm, models=table.models, queries=queries)


def settings_json(settings: EvaluationSettings) -> dict[str, Any]:
    """The settings as they stand in a result; the same for the same options."""
    values = asdict(settings)
    values["file"] = settings.file.name
    return values
