"""What came of a run: tiercel beside the choices without it, and what it learned, as one record and as JSON."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

from tiercel.apps.demo import baselines
from tiercel.apps.demo.baselines import Figures
from tiercel.apps.demo.learned import Learned, Move, Standing
from tiercel.apps.demo.replay import Progress
from tiercel.apps.demo.table import MODELS, Prompt
from tiercel.core.hull import Hull, Point
from tiercel.domain.catalogue import ModelTier

CHEAPEST, BEST = "always cheapest", "always best"
OTHERS: Mapping[str, str] = {ModelTier.CHEAP: CHEAPEST, ModelTier.CAPABLE: "always capable", ModelTier.PREMIUM: BEST}
RANDOM, MIX = "random", "best mix"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a run: how many requests it had and how good their answers were.

    `alone` is the quality each tier's model would have had with all of them, `shares` how many of the newest half it
    had. `tier` is what serves the stage now and why, where the policy moves stages.
    """

    name: str
    requests: int
    quality: float
    alone: Mapping[str, float]
    shares: Mapping[str, float]
    tier: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Lag:
    """How late ratings came: so many requests and seconds (medians) after the answers they rate."""

    ratings: int
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Half:
    """The last half of a run, after the learning: its figures, and how far above its own hindsight hull they are."""

    figures: Figures
    gain: float


@dataclass(frozen=True, slots=True)
class Result:
    """The whole result. `others` are the choices without tiercel by name; `shares` are of requests, by model.

    `budget_usd` is what a request was to cost on average (None: no budget). `last_half` is None for a single request.
    `routing` is a digest of which model answered which prompt: equal digests, equal routing. `booked_usd` is the sum
    of all costs in the gateway's own books.
    """

    requests: int
    tiercel: Figures
    budget_usd: float | None
    last_half: Half | None
    others: Mapping[str, Figures]
    shares: Mapping[str, float]
    stages: Sequence[Stage]
    moves: Sequence[Move]
    lag: Lag | None
    routing: str
    booked_usd: float
    took_s: float

    @property
    def gain(self) -> float:
        """Quality above the hindsight hull of fixed mixes: above the best of them for the same money."""
        return self.tiercel.quality - self.others[MIX].quality

    @property
    def hull(self) -> Hull:
        """The best that fixed mixes can do, by what they cost."""
        return Hull.of(Point(self.others[name].cost_usd, self.others[name].quality) for name in OTHERS.values())

    def json(self) -> dict[str, Any]:
        """As JSON. For equal routing all is equal but what is under "run"."""
        return {
            "requests": self.requests,
            "tiercel": self._row(self.tiercel),
            **{name.replace(" ", "_"): self._row(figures) for name, figures in self.others.items()},
            "saved_against_always_best": {
                "cost_share": 1 - self.tiercel.cost_usd / self.others[BEST].cost_usd,
                "quality_points": 100 * (self.others[BEST].quality - self.tiercel.quality),
            },
            "budget": self._budget_json(),
            "hull": [point._asdict() for point in self.hull.vertices],
            "gain_over_hull": self.gain,
            "last_half": self._half_json(),
            "shares": dict(self.shares),
            "stages": {stage.name: asdict(stage) for stage in self.stages},
            "tier_changes": [_without_time(move) for move in self.moves],
            "routing_sha256": self.routing,
            "run": {
                "took_s": round(self.took_s, 3),
                "feedback": asdict(self.lag) if self.lag else None,
                "booked_cost_usd": self.booked_usd,
            },
        }

    def _budget_json(self) -> dict[str, float] | None:
        if self.budget_usd is None:
            return None
        return {"usd_per_request": self.budget_usd, "spend_over_budget": self.tiercel.cost_usd / self.budget_usd}

    def _half_json(self) -> dict[str, float] | None:
        half = self.last_half
        return None if half is None else {**asdict(half.figures), "gain_over_hull": half.gain}

    def _row(self, figures: Figures) -> dict[str, float]:
        return {**asdict(figures), "total_cost_usd": figures.cost_usd * self.requests}


def result_of(progress: Progress, learned: Learned, took_s: float, *, budget_usd: float | None = None) -> Result:
    """The result of a finished run."""
    plan, served = progress.plan, [reply.model for reply in progress.replies]
    tiercel = baselines.served_by(served, plan.prompts, plan.seed)
    fixed = baselines.fixed(plan.prompts, plan.seed)
    others = {OTHERS[tier]: figures for tier, figures in fixed.items()}
    choices = list(others.values())
    others[RANDOM] = baselines.random_choice(choices)
    others[MIX] = baselines.best_mix(choices, tiercel.cost_usd)
    counts = Counter(served)
    return Result(
        requests=len(served),
        tiercel=tiercel,
        budget_usd=budget_usd,
        last_half=_last_half(served, plan.prompts, plan.seed),
        others=others,
        shares={model.model_id: counts[model.model_id] / len(served) for model in MODELS},
        stages=_stages(progress, learned),
        moves=learned.moves,
        lag=_lag(progress),
        routing=hashlib.sha256("\n".join(served).encode()).hexdigest(),
        booked_usd=learned.booked_usd,
        took_s=took_s,
    )


def _stages(progress: Progress, learned: Learned) -> list[Stage]:
    """By how many requests they had."""
    asked: dict[str, list[tuple[Prompt, str]]] = {}
    for prompt, reply in zip(progress.plan.prompts, progress.replies, strict=True):
        asked.setdefault(prompt.stage, []).append((prompt, reply.model))
    stages = [_stage(name, of_stage, learned.standings.get(name)) for name, of_stage in asked.items()]
    return sorted(stages, key=lambda stage: (-stage.requests, stage.name))


def _stage(name: str, asked: Sequence[tuple[Prompt, str]], standing: Standing | None) -> Stage:
    newest = [model for _, model in asked[len(asked) // 2 :]]
    return Stage(
        name=name,
        requests=len(asked),
        quality=fmean(prompt.recorded[model].quality for prompt, model in asked),
        alone={model.tier: fmean(prompt.recorded[model.model_id].quality for prompt, _ in asked) for model in MODELS},
        shares={model.tier: newest.count(model.model_id) / len(newest) for model in MODELS},
        tier=standing.tier if standing else None,
        reason=standing.reason if standing else None,
    )


def _last_half(served: Sequence[str], prompts: Sequence[Prompt], seed: int) -> Half | None:
    half = len(served) // 2
    if not half:
        return None
    figures = baselines.served_by(served[half:], prompts[half:], seed)
    mix = baselines.best_mix(list(baselines.fixed(prompts[half:], seed).values()), figures.cost_usd)
    return Half(figures, figures.quality - mix.quality)


def _without_time(move: Move) -> dict[str, Any]:
    fields = asdict(move)
    del fields["changed_at"]
    return fields


def _lag(progress: Progress) -> Lag | None:
    if not progress.lags:
        return None
    requests, seconds = zip(*progress.lags, strict=True)
    return Lag(len(progress.lags), round(median(requests)), median(seconds))
