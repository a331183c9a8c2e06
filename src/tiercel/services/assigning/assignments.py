"""Which agent is given which model, on the record.

An assignment is the standing of an agent's own segment: it is logged, survives the process and is shared by all who
share the store. Of two changes made at the same time one is recorded first, and the other is made again after it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from tiercel.core.adaptive import AdaptiveConfig, Tracker
from tiercel.core.assignment import AdaptiveAutoAssigner, AutoAssigner, Capacity
from tiercel.domain.catalogue import Agent, AgentStatus, ModelProfile
from tiercel.domain.errors import Conflict, InvalidInput, NotFound, Problem, StoreUnavailable
from tiercel.domain.events import StandingChange
from tiercel.domain.matching import AssignmentDecision
from tiercel.domain.request import agent_segment
from tiercel.services.learning.learner import Learner

POLICY = "assignment"
"""The policy under which assignments stand."""
STRATEGIES = (*AutoAssigner.strategies, *AdaptiveAutoAssigner.strategies)
ACKNOWLEDGE_S = 1.0
_ATTEMPTS = 5


class AssignmentStatus(StrEnum):
    """Whether an agent has the model, or had it taken away."""

    ACTIVE = "active"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an agent was given last. `decision` has the fields of `AssignmentDecision`; `revision` counts changes.

    `id` is the agent's, for as long as it is configured. `changed_at` is aware UTC.
    """

    id: str
    status: AssignmentStatus
    changed_at: datetime
    revision: int
    previous_model_id: str
    decision: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As plain values: the decision's fields, and those of the record beside them."""
        return {
            **self.decision,
            "assignment_id": self.id,
            "status": self.status,
            "changed_at": self.changed_at.isoformat(),
            "revision": self.revision,
            "previous_model_id": self.previous_model_id or None,
        }


@dataclass(frozen=True, slots=True)
class Recorded:
    """Assignments as they were made; `durable` is False while they wait for a store that is away."""

    assignments: tuple[Assignment, ...]
    durable: bool


class Assignments:
    """Makes, changes and removes assignments. Thread-safe; what changes something waits up to a second for the log.

    `now` gives the agents with the status that each has at the moment; without it they are what they are configured as.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        agents: Sequence[Agent],
        models: Sequence[ModelProfile],
        tracker: Tracker,
        config: AdaptiveConfig,
        now: Callable[[], Sequence[Agent]] | None = None,
    ) -> None:
        self._learner = learner
        self._agents = {assignment_id(agent.agent_id): agent for agent in agents}
        self._now = now or (lambda: agents)
        self._models = models
        self._tracker = tracker
        self._config = config

    def held(
        self, *, status: str | None = None, agent_id: str | None = None, model_id: str | None = None
    ) -> list[Assignment]:
        """The assignments of the configured agents, in their order; of some status, agent or model."""
        found = (self._standing(agent) for agent in self._agents.values())
        return [
            assignment
            for assignment in found
            if assignment is not None
            and status in (None, assignment.status)
            and agent_id in (None, assignment.decision["agent_id"])
            and model_id in (None, assignment.decision["model_id"])
        ]

    def assign_all(self, strategy: str, *, capacity: Capacity = 1) -> Recorded:
        """Give every online agent a model by one of `STRATEGIES`; `capacity` bears on "optimal" and "load_aware".

        Raises `InvalidInput` for what is not allowed, `MissingDependency` for "optimal" without scipy, `BufferFull`.
        """
        if strategy in AutoAssigner.strategies:
            by_capability = AutoAssigner(self._now(), self._models)
            return self._record(_given(by_capability.assign(strategy, capacity=capacity)))
        if strategy in AdaptiveAutoAssigner.strategies:
            agents = self._now()
            load = self._load(agents) if strategy == "load_aware" else {}
            return self._record(_given(self._adaptive(agents).assign(strategy, capacity=capacity, load=load)))
        allowed = f"must be one of {', '.join(STRATEGIES)}"
        raise InvalidInput([Problem("strategy", allowed, repr(strategy)[:80], "unknown")])

    def reassign(self, an_id: str, model_id: str) -> Recorded:
        """Give the agent of an assignment another model, whatever the scores.

        Raises `NotFound`, `UnknownModel`, `BufferFull`.
        """
        agent_id = self.get(an_id).decision["agent_id"]
        return self._record(_given([self._adaptive(self._now()).assign_manual(agent_id, model_id)]))

    def remove(self, an_id: str) -> Recorded:
        """Take the model away. Raises `NotFound` where there is no active assignment of that id, `BufferFull`."""
        held = self.get(an_id)
        if held.status is AssignmentStatus.REMOVED:
            raise _unknown(an_id)
        return self._record([_Wish(held.decision, active=False)])

    def get(self, an_id: str) -> Assignment:
        """The assignment of that id. Raises `NotFound`."""
        agent = self._agents.get(an_id)
        held = self._standing(agent) if agent else None
        if held is None:
            raise _unknown(an_id)
        return held

    def _adaptive(self, agents: Sequence[Agent]) -> AdaptiveAutoAssigner:
        return AdaptiveAutoAssigner(agents, self._models, self._tracker, self._config)

    def _load(self, agents: Sequence[Agent]) -> dict[str, int]:
        """How many agents that are not assigned anew hold each model."""
        online = {agent.agent_id for agent in agents if agent.status == AgentStatus.ONLINE}
        held = self.held(status=AssignmentStatus.ACTIVE)
        return dict(Counter(a.decision["model_id"] for a in held if a.decision["agent_id"] not in online))

    def _standing(self, agent: Agent) -> Assignment | None:
        standing = self._learner.knowledge.standing(POLICY, agent_segment(agent.agent_id))
        return None if standing is None else _assignment(standing)

    def _record(self, wishes: Sequence[_Wish]) -> Recorded:
        made: dict[str, StandingChange] = {}
        waiting = list(wishes)
        for _ in range(_ATTEMPTS):
            changes = [self._change(wish) for wish in waiting]
            made |= {change.segment[1]: change for change in changes}
            try:
                receipt = self._learner.record(*changes, timeout_s=ACKNOWLEDGE_S)
            except StoreUnavailable:
                return Recorded(tuple(map(_assignment, made.values())), durable=False)
            if receipt.kept:
                return Recorded(tuple(map(_assignment, made.values())), durable=False)
            logged = {event.id for event in receipt.accepted}
            waiting = [wish for wish, change in zip(waiting, changes, strict=True) if change.id not in logged]
            if not waiting:
                return Recorded(tuple(map(_assignment, made.values())), durable=True)
            # somebody else's change has that revision: ours comes after it
            self._learner.catch_up()
        raise Conflict(waiting[0].decision["agent_id"])

    def _change(self, wish: _Wish) -> StandingChange:
        segment = agent_segment(wish.decision["agent_id"])
        standing = self._learner.knowledge.standing(POLICY, segment)
        return StandingChange(
            changed_at=self._learner.clock.now(),
            segment=segment,
            policy=POLICY,
            previous=standing.current if standing else "",
            current=wish.decision["model_id"] if wish.active else "",
            reason=f"assigned: {wish.decision['method']}" if wish.active else "removed",
            confidence=wish.decision["performance_score"] / 100.0,
            revision=standing.revision + 1 if standing else 1,
            evidence=wish.decision,
        )


class _Wish(NamedTuple):
    """That an agent is to have the model of a decision, or no longer."""

    decision: Mapping[str, Any]
    active: bool


def _given(decisions: Sequence[AssignmentDecision]) -> list[_Wish]:
    return [_Wish(decision.to_dict(), active=True) for decision in decisions]


def assignment_id(agent_id: str) -> str:
    """The id of an agent's assignment: fit for a path, whatever characters the agent's has."""
    return f"assignment_{hashlib.sha256(agent_id.encode()).hexdigest()[:24]}"


def _assignment(standing: StandingChange) -> Assignment:
    return Assignment(
        id=assignment_id(standing.segment[1]),
        status=AssignmentStatus.ACTIVE if standing.current else AssignmentStatus.REMOVED,
        changed_at=standing.changed_at,
        revision=standing.revision,
        previous_model_id=standing.previous,
        decision=standing.evidence,
    )


def _unknown(an_id: str) -> NotFound:
    return NotFound(f"no assignment {an_id[:80]!r}")
