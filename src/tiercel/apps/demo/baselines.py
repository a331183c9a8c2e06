"""What the choices without a router would have reached on the same prompts, from the same table.

Nothing is run for them: the table has every model's quality and cost for every prompt, and the latency a model would
have had is drawn as the upstream draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tiercel.apps.demo.table import MODELS, Prompt, latency_ms
from tiercel.core.replay.baselines import mix_of
from tiercel.core.replay.table import ModelFigures


@dataclass(frozen=True, slots=True)
class Figures:
    """Means per request over the prompts of a run: quality 0..1, cost in USD, latency in ms as measured."""

    quality: float
    cost_usd: float
    latency_ms: float


def served_by(models: Sequence[str], prompts: Sequence[Prompt], seed: int) -> Figures:
    """The figures where `models[i]` answers `prompts[i]`."""
    recorded = [prompt.recorded[model] for model, prompt in zip(models, prompts, strict=True)]
    return Figures(
        quality=fmean(r.quality for r in recorded),
        cost_usd=fmean(r.cost_usd for r in recorded),
        latency_ms=fmean(latency_ms(p, m, seed)[1] for m, p in zip(models, prompts, strict=True)),
    )


def fixed(prompts: Sequence[Prompt], seed: int) -> dict[str, Figures]:
    """Each model serving everything, by its tier, cheapest first."""
    return {model.tier: served_by([model.model_id] * len(prompts), prompts, seed) for model in MODELS}


def random_choice(choices: Sequence[Figures]) -> Figures:
    """What drawing one of `choices` for every request comes to in expectation."""
    share = 1 / len(choices)
    return blend([(share, figures) for figures in choices])


def best_mix(choices: Sequence[Figures], cost_usd: float) -> Figures:
    """The best that drawing between two of `choices` with fixed odds can do at a mean cost of at most `cost_usd`.

    Known only in hindsight. Where even the cheapest costs more, it is the cheapest.
    """
    figures = [ModelFigures("", own.quality, own.cost_usd, own.latency_ms) for own in choices]
    return blend(list(zip(mix_of(figures, budget_usd=cost_usd), choices, strict=True)))


def blend(parts: Sequence[tuple[float, Figures]]) -> Figures:
    """The weighted sum of figures."""
    return Figures(
        quality=sum(weight * figures.quality for weight, figures in parts),
        cost_usd=sum(weight * figures.cost_usd for weight, figures in parts),
        latency_ms=sum(weight * figures.latency_ms for weight, figures in parts),
    )
