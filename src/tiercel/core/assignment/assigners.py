"""Gives each online agent a model, by declared capability alone or by what the models' calls did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from tiercel.core.adaptive import AdaptiveConfig, Tracker, adapt_match
from tiercel.core.assignment.strategies import (
    Capacity,
    Penalties,
    balanced,
    capacities,
    greedy,
    load_aware,
    loads,
    optimal,
    penalised,
)
from tiercel.core.capability import SCORE_DIGITS, CapabilityScorer
from tiercel.domain.catalogue import Agent, AgentStatus, ModelProfile
from tiercel.domain.errors import InvalidInput, Problem, UnknownAgent, UnknownModel
from tiercel.domain.matching import AdaptiveScore, AssignmentDecision, CapabilityMatch

DEFAULT_TARGET_UTILISATION = 0.8


class _Roster:
    """Agents and models in the order in which they were registered, and the match of every pair of them."""

    def __init__(self, agents: Iterable[Agent], models: Iterable[ModelProfile]) -> None:
        self.agents = tuple(agents)
        self.models = tuple(models)
        self.model_ids = [model.model_id for model in self.models]
        repeated = _repeated("agents", [agent.agent_id for agent in self.agents])
        repeated += _repeated("models", self.model_ids)
        if repeated:
            raise InvalidInput(repeated)
        self.online = [agent for agent in self.agents if agent.status == AgentStatus.ONLINE]
        self._scorer = CapabilityScorer()

    def matches(self) -> list[list[CapabilityMatch]]:
        """A row per online agent, a column per model."""
        return [[self._scorer.score_match(agent, model) for model in self.models] for agent in self.online]

    def pair(self, agent_id: str, model_id: str) -> tuple[Agent, ModelProfile, CapabilityMatch]:
        """Any agent, online or not, and any model. Raises `UnknownAgent` and `UnknownModel`."""
        agent = next((agent for agent in self.agents if agent.agent_id == agent_id), None)
        if agent is None:
            raise UnknownAgent(agent_id)
        model = next((model for model in self.models if model.model_id == model_id), None)
        if model is None:
            raise UnknownModel(model_id)
        return agent, model, self._scorer.score_match(agent, model)


def _repeated(path: str, ids: Sequence[str]) -> list[Problem]:
    return [
        Problem(f"{path}[{i}].id", "must be unique", repr(repeated))
        for i, repeated in enumerate(ids)
        if repeated in ids[:i]
    ]


class AutoAssigner:
    """Assigns models to agents by declared capability alone.

    Raises `InvalidInput` when two agents or two models share an id.
    """

    strategies: ClassVar[tuple[str, ...]] = ("greedy", "balanced", "optimal")

    def __init__(self, agents: Iterable[Agent], models: Iterable[ModelProfile]) -> None:
        self._roster = _Roster(agents, models)

    def assign(self, strategy: str = "greedy", *, capacity: Capacity = 1) -> list[AssignmentDecision]:
        """One decision per online agent that gets a model, in the agents' order.

        "greedy" gives each its best model, "balanced" takes 5 points off per earlier use, "optimal" finds the greatest
        total score. `capacity` bounds "optimal" only, whose rule needs a bound. Raises `InvalidInput` for an unknown
        strategy or a bad capacity, `MissingDependency` for "optimal" without scipy. Cost: agents x models scores of
        a few us, and the solver's (see `strategies.optimal`).
        """
        roster = self._roster
        limits = capacities(capacity, roster.model_ids)
        matches = roster.matches()
        scores = [[match.match_score for match in row] for row in matches]
        match strategy:
            case "greedy":
                chosen = greedy(scores)
            case "balanced":
                chosen = balanced(scores)
            case "optimal":
                chosen = optimal(scores, limits)
            case _:
                raise _unknown_strategy(strategy, self.strategies)
        return [
            _decision(agent, roster.models[j], row[j], _unadapted(row[j]), strategy)
            for agent, row, j in zip(roster.online, matches, chosen, strict=True)
            if j is not None
        ]

    def assign_manual(self, agent_id: str, model_id: str) -> AssignmentDecision:
        """The decision that somebody took: any agent, online or not, and any model.

        Raises `UnknownAgent` and `UnknownModel`.
        """
        agent, model, match = self._roster.pair(agent_id, model_id)
        return _decision(agent, model, match, _unadapted(match), "manual")


class AdaptiveAutoAssigner:
    """Assigns models to agents by capability corrected with what `tracker` saw the models do.

    Raises `InvalidInput` when two agents or two models share an id.
    """

    strategies: ClassVar[tuple[str, ...]] = ("adaptive", "load_aware")

    def __init__(
        self,
        agents: Iterable[Agent],
        models: Iterable[ModelProfile],
        tracker: Tracker,
        config: AdaptiveConfig | None = None,
    ) -> None:
        self._roster = _Roster(agents, models)
        self._tracker = tracker
        self._config = config or AdaptiveConfig()

    def assign(
        self,
        strategy: str = "adaptive",
        *,
        capacity: Capacity = 1,
        load: Mapping[str, int] | None = None,
        target_utilisation: float = DEFAULT_TARGET_UTILISATION,
    ) -> list[AssignmentDecision]:
        """One decision per online agent that gets a model, in the agents' order.

        "adaptive" gives each the model of the best corrected score. "load_aware" also counts how much of its
        `capacity` a model has in use: the agents in `load` (per model id) and those of this run. Its scores are
        multiplied by 1 - 0.3 * utilisation, and by 0.8 above `target_utilisation` (in (0, 1]); full models are left
        out. The other arguments bear on "load_aware" only. Raises `InvalidInput` for what is not allowed. Asks the
        tracker once per model.
        """
        roster = self._roster
        limits = capacities(capacity, roster.model_ids)
        used = loads(load or {}, roster.model_ids)
        if not 0.0 < target_utilisation <= 1.0:
            found = repr(target_utilisation)
            raise InvalidInput([Problem("target_utilisation", "must be above 0 and at most 1", found, "range")])
        metrics = [self._tracker.model_metrics(model_id) for model_id in roster.model_ids]
        matches = roster.matches()
        adapted = [
            [adapt_match(match, seen, self._config) for match, seen in zip(row, metrics, strict=True)]
            for row in matches
        ]
        scores = [[score.performance_score for score in row] for row in adapted]
        match strategy:
            case "adaptive":
                chosen = greedy(scores)
                burdens: list[Penalties] = [()] * len(scores)
            case "load_aware":
                chosen, burdens = load_aware(scores, limits, used, target_utilisation)
            case _:
                raise _unknown_strategy(strategy, self.strategies)
        return [
            _decision(agent, roster.models[j], match_row[j], _burdened(score_row[j], burden), strategy)
            for agent, match_row, score_row, j, burden in zip(
                roster.online, matches, adapted, chosen, burdens, strict=True
            )
            if j is not None
        ]

    def assign_manual(self, agent_id: str, model_id: str) -> AssignmentDecision:
        """The decision that somebody took, with the scores as they stand: any agent, online or not, and any model.

        Raises `UnknownAgent` and `UnknownModel`.
        """
        agent, model, match = self._roster.pair(agent_id, model_id)
        score = adapt_match(match, self._tracker.model_metrics(model_id), self._config)
        return _decision(agent, model, match, score, "manual")


def _unknown_strategy(strategy: str, allowed: Sequence[str]) -> InvalidInput:
    return InvalidInput([Problem("strategy", f"must be one of {', '.join(allowed)}", repr(strategy), "unknown")])


def _unadapted(match: CapabilityMatch) -> AdaptiveScore:
    return AdaptiveScore(
        capability_score=match.match_score,
        performance_score=match.match_score,
        performance_adjustment=0.0,
        has_performance_data=False,
    )


def _burdened(score: AdaptiveScore, penalties: Penalties) -> AdaptiveScore:
    final = penalised(score.performance_score, penalties)
    return replace(
        score,
        performance_score=final,
        performance_adjustment=round(final - score.capability_score, SCORE_DIGITS),
        penalties=score.penalties + penalties,
    )


def _decision(
    agent: Agent, model: ModelProfile, match: CapabilityMatch, score: AdaptiveScore, method: str
) -> AssignmentDecision:
    return AssignmentDecision(
        agent_id=agent.agent_id,
        agent_name=agent.agent_name,
        model_id=model.model_id,
        model_name=model.model_name,
        capability_score=score.capability_score,
        performance_score=score.performance_score,
        performance_adjustment=score.performance_adjustment,
        has_performance_data=score.has_performance_data,
        success_rate=score.success_rate,
        avg_latency_ms=score.avg_latency_ms,
        penalties=score.penalties,
        method=method,
        overlap=match.overlap,
        missing_required=match.missing_required,
    )
