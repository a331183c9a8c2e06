"""Capability matching: what an agent or a request needs x what a model declares -> 0..100.

match = 100 * (0.70 * required + 0.20 * preferred + 0.10 * context), where required and preferred are the mean
strengths over the listed capabilities (1 for an empty list) and context is the share of the wanted context length
that the model has (at most 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tiercel.domain.catalogue import Agent, ModelProfile
from tiercel.domain.matching import CapabilityMatch

REQUIRED_POINTS = 70.0
PREFERRED_POINTS = 20.0
CONTEXT_POINTS = 10.0
SCORE_DIGITS = 10
"""Scores are rounded to this many decimals: the noise of floating point must not decide a tie."""


def match_score(
    required: Sequence[str],
    preferred: Sequence[str],
    min_context_length: int,
    model: ModelProfile,
    *,
    require_all: bool = False,
) -> float:
    """How well `model` meets the needs, 0..100; about 2 us, for the request path.

    With `require_all`, 0 means that a required capability is missing and the model must not be used. Without it the
    score is above 0.
    """
    strengths = model.capabilities
    if require_all and not all(map(strengths.get, required)):
        return 0.0
    context = 1.0 if model.context_length >= min_context_length else model.context_length / min_context_length
    points = (
        REQUIRED_POINTS * _mean_strength(required, strengths)
        + PREFERRED_POINTS * _mean_strength(preferred, strengths)
        + CONTEXT_POINTS * context
    )
    return round(points, SCORE_DIGITS)


def _mean_strength(listed: Sequence[str], strengths: Mapping[str, float]) -> float:
    if not listed:
        return 1.0
    total = 0.0
    for capability in listed:
        total += strengths.get(capability, 0.0)
    return total / len(listed)


class CapabilityScorer:
    """Scores models for agents by declared capabilities alone."""

    def score_match(self, agent: Agent, profile: ModelProfile) -> CapabilityMatch:
        """The match of one pair, with what overlaps and what is missing."""
        strengths = profile.capabilities
        required = [name for name in agent.required if strengths.get(name)]
        preferred = [name for name in agent.preferred if strengths.get(name)]
        missing = tuple(dict.fromkeys(name for name in agent.required if not strengths.get(name)))
        return CapabilityMatch(
            agent_id=agent.agent_id,
            model_id=profile.model_id,
            match_score=match_score(
                agent.required, agent.preferred, agent.min_context_length, profile, require_all=agent.require_all
            ),
            overlap=tuple(dict.fromkeys(required + preferred)),
            missing_required=missing,
            required_matched=len(required),
            required_total=len(agent.required),
            preferred_matched=len(preferred),
            preferred_total=len(agent.preferred),
            excluded=agent.require_all and bool(missing),
        )

    def score_all_pairs(self, agents: Iterable[Agent], models: Iterable[ModelProfile]) -> list[CapabilityMatch]:
        """Every pair, excluded ones too, best first; ties in the order of the models, then of the agents."""
        agents = tuple(agents)
        pairs = [self.score_match(agent, model) for model in models for agent in agents]
        return sorted(pairs, key=lambda pair: -pair.match_score)
