"""An outcome table of a catalogue that nobody measured: qualities and tokens drawn from assumptions. Pure.

For what-if only: what a policy does with such a table says how it behaves under these assumptions (how much it spends,
how soon it settles, what fewer ratings cost), and nothing of how good the models are.

    strength of model a    .60, .75, .90 for the tiers from the lowest to the highest, moved by .3 times what its
                           declared capabilities are above the others' mean, and by a normal draw of `uncertainty`
    difficulty of stage s  a normal draw of `difficulty`
    aptitude of a in s     a normal draw of `spread`
    quality of an answer   beta with the mean of the three sums, within .02..0.98, and `PSEUDO_COUNTS`
    tokens                 lognormal: prompts like the stage's, completions like the stage's and the model's
    cost                   tokens times the catalogue's price
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tiercel.core.replay.table import OutcomeRow, OutcomeTable, Recorded, table_of
from tiercel.domain.catalogue import DEFAULT_TIERS, ModelProfile
from tiercel.domain.errors import InvalidInput, Problem

LOWEST, HIGHEST = 0.60, 0.90
"""The strength of the lowest and of the highest tier."""
_CAPABLE = 0.3
_BOUND = 0.02
PSEUDO_COUNTS = 4.0
"""How alike the answers of one model in one stage are: the sum of the beta's parameters."""
USUAL_PROMPT, USUAL_COMPLETION = 500.0, 300.0
_BETWEEN, _WITHIN = 0.6, 0.5
"""Standard deviations of the logarithm of tokens: between stages (half of it between models), and within."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Standard deviations in quality points, and how many requests of how many stages there are."""

    requests: int = 2_000
    stages: int = 6
    uncertainty: float = 0.05
    difficulty: float = 0.08
    spread: float = 0.08


@dataclass(frozen=True, slots=True)
class Imagined:
    """A drawn table, and every model's assumed strength, over all stages."""

    table: OutcomeTable
    strengths: dict[str, float]


def imagine(models: Sequence[ModelProfile], assumptions: Assumptions, seed: int) -> Imagined:
    """Draw a table. Equal arguments give equal tables.

    Raises `InvalidInput` for models without a price, of which no cost can be said, and for fewer than two models.
    """
    _check(models)
    chance = random.Random(f"{seed}/imagined")  # noqa: S311 - reproducible is the purpose
    strengths = {m.model_id: s + chance.gauss(0.0, assumptions.uncertainty) for m, s in expected_strengths(models)}
    verbosity = {model.model_id: chance.gauss(0.0, _BETWEEN / 2) for model in models}
    stages = [_Stage.drawn(f"stage-{i + 1}", models, assumptions, chance) for i in range(assumptions.stages)]
    rows = []
    for number in range(assumptions.requests):
        stage = chance.choice(stages)
        prompt_tokens = _tokens(USUAL_PROMPT, stage.prompt, chance)
        for model in models:
            mean = strengths[model.model_id] + stage.difficulty + stage.aptitude[model.model_id]
            completion_tokens = _tokens(USUAL_COMPLETION, stage.completion + verbosity[model.model_id], chance)
            recorded = Recorded(
                quality=_quality(mean, chance),
                cost_usd=model.price.cost_usd(prompt_tokens, completion_tokens) if model.price else None,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
            )
            rows.append(OutcomeRow(f"q{number}", model.model_id, recorded, task=stage.name))
    return Imagined(table_of(rows), strengths)


def expected_strengths(models: Sequence[ModelProfile]) -> list[tuple[ModelProfile, float]]:
    """What tier and capabilities say of every model, before any draw."""
    tiers = [tier for tier in DEFAULT_TIERS if any(model.tier == tier for model in models)]
    tiers += sorted({model.tier for model in models} - set(tiers))
    own = {m.model_id: sum(m.capabilities.values()) / len(m.capabilities) for m in models if m.capabilities}
    usual = sum(own.values()) / len(own) if own else 0.0
    step = (HIGHEST - LOWEST) / max(1, len(tiers) - 1)
    return [
        (model, LOWEST + step * tiers.index(model.tier) + _CAPABLE * (own.get(model.model_id, usual) - usual))
        for model in models
    ]


@dataclass(frozen=True, slots=True)
class _Stage:
    name: str
    difficulty: float
    aptitude: dict[str, float]
    prompt: float
    completion: float

    @classmethod
    def drawn(
        cls, name: str, models: Sequence[ModelProfile], assumptions: Assumptions, chance: random.Random
    ) -> _Stage:
        return cls(
            name,
            chance.gauss(0.0, assumptions.difficulty),
            {model.model_id: chance.gauss(0.0, assumptions.spread) for model in models},
            chance.gauss(0.0, _BETWEEN),
            chance.gauss(0.0, _BETWEEN),
        )


def _quality(mean: float, chance: random.Random) -> float:
    within = min(max(mean, _BOUND), 1.0 - _BOUND)
    return chance.betavariate(PSEUDO_COUNTS * within, PSEUDO_COUNTS * (1.0 - within))


def _tokens(usual: float, log_factor: float, chance: random.Random) -> int:
    return max(1, round(usual * math.exp(log_factor + chance.gauss(0.0, _WITHIN))))


def _check(models: Sequence[ModelProfile]) -> None:
    if len(models) < 2:
        raise InvalidInput([Problem("models", "must be at least two, or there is nothing to choose", str(len(models)))])
    unpriced = [model.model_id for model in models if model.price is None]
    if unpriced:
        said = "must have a price, in the file or in the price list, or nobody can say what they would cost"
        raise InvalidInput([Problem("models", said, ", ".join(unpriced), "missing")])
