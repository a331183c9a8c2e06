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
from tiercel.apps.demo.learned import Learned, Move
from tiercel.apps.demo.replay import Progress
from tiercel.apps.demo.table import MODELS
from tiercel.domain.catalogue import ModelTier

CHEAPEST, BEST = "always cheapest", "always best"
OTHERS: Mapping[str, str] = {ModelTier.CHEAP: CHEAPEST, ModelTier.CAPABLE: "always capable", ModelTier.PREMIUM: BEST}
RANDOM, MIX = "random", "best mix"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a run: how many requests it had and how good their answers were, and what serves it now and why."""

    name: str
    requests: int
    quality: float
    tiers: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Lag:
    """How late ratings came: so many requests and seconds (medians) after the answers they rate."""

    ratings: int
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """The whole result. `others` are the choices without tiercel by name; `shares` are of requests, by model.

    `routing` is a digest of which model answered which prompt: equal digests, equal routing. `booked_usd` is the sum
    of all costs in the gateway's own books.
    """

    requests: int
    tiercel: Figures
    others: Mapping[str, Figures]
    shares: Mapping[str, float]
    stages: Sequence[Stage]
    moves: Sequence[Move]
    lag: Lag | None
    routing: str
    booked_usd: float
    took_s: float

    def json(self) -> dict[str, Any]:
        """As JSON. Everything but what is under "run" is the same for the same options."""
        return {
            "requests": self.requests,
            "tiercel": self._row(self.tiercel),
            **{name.replace(" ", "_"): self._row(figures) for name, figures in self.others.items()},
            "saved_against_always_best": {
                "cost_share": 1 - self.tiercel.cost_usd / self.others[BEST].cost_usd,
                "quality_points": 100 * (self.others[BEST].quality - self.tiercel.quality),
            },
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

    def _row(self, figures: Figures) -> dict[str, float]:
        return {**asdict(figures), "total_cost_usd": figures.cost_usd * self.requests}


def result_of(progress: Progress, learned: Learned, took_s: float) -> Result:
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
    qualities: dict[str, list[float]] = {}
    for prompt, reply in zip(progress.plan.prompts, progress.replies, strict=True):
        qualities.setdefault(prompt.stage, []).append(prompt.recorded[reply.model].quality)
    stages = [
        Stage(name, len(rated), fmean(rated), standing.tiers, standing.reason)
        for name, rated in qualities.items()
        for standing in (learned.standings[name],)
    ]
    return sorted(stages, key=lambda stage: (-stage.requests, stage.name))


def _without_time(move: Move) -> dict[str, Any]:
    fields = asdict(move)
    del fields["changed_at"]
    return fields


def _lag(progress: Progress) -> Lag | None:
    if not progress.lags:
        return None
    requests, seconds = zip(*progress.lags, strict=True)
    return Lag(len(progress.lags), round(median(requests)), median(seconds))
