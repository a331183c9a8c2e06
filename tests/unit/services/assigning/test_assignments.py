"""Assignments on the record: shared, in order, and honest about a store that is away. The rules: core/assignment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from support.in_process import AwayStore
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.adaptive import AdaptiveConfig
from tiercel.domain.catalogue import Agent, AgentStatus
from tiercel.domain.errors import InvalidInput, NotFound, UnknownModel
from tiercel.domain.samples import SAMPLE_AGENTS, SAMPLE_MODELS
from tiercel.services.assigning import assignments as subject
from tiercel.services.assigning.assignments import STRATEGIES, Assignments, AssignmentStatus, assignment_id
from tiercel.services.learning.learner import Learner
from tiercel.services.watching.performance import Performance
from tiercel.testing import ManualClock

LLAMA, MISTRAL, TINY = (model.model_id for model in SAMPLE_MODELS)
FIRST = assignment_id(SAMPLE_AGENTS[0].agent_id)


class Processes:
    """Several processes over one store."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.clock = ManualClock()
        self.learners: list[Learner] = []

    def start(self, agents: tuple[Agent, ...] = SAMPLE_AGENTS) -> Assignments:
        learner = Learner(self.store, clock=self.clock)
        self.learners.append(learner)
        return Assignments(
            learner, agents=agents, models=SAMPLE_MODELS, tracker=Performance(learner), config=AdaptiveConfig()
        )


@pytest.fixture
def store() -> AwayStore:
    return AwayStore()


@pytest.fixture
def processes(store: AwayStore) -> Iterator[Processes]:
    started = Processes(store)
    yield started
    for learner in started.learners:
        learner.close()


def models(held: Assignments, **chosen: str) -> list[str]:
    return [assignment.decision["model_id"] for assignment in held.held(**chosen)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_is_decided_is_recorded_whole(processes: Processes, strategy: str) -> None:
    assigned = processes.start()
    recorded = assigned.assign_all(strategy)
    assert recorded.durable
    assert list(recorded.assignments) == assigned.held() == processes.start().held()
    first = recorded.assignments[0].to_dict()
    assert (first["assignment_id"], first["status"], first["method"]) == (FIRST, "active", strategy)
    assert (first["revision"], first["previous_model_id"]) == (1, None)
    assert {"overlap", "missing_required", "penalties", "success_rate", "agent_name", "model_name"} <= set(first)


def test_an_unknown_strategy_is_told_the_known_ones(processes: Processes) -> None:
    with pytest.raises(InvalidInput, match="greedy, balanced, optimal, adaptive, load_aware"):
        processes.start().assign_all("best")


def test_changes_made_at_once_both_count(processes: Processes) -> None:
    here, there = processes.start(), processes.start()
    here.assign_all("greedy")
    there.assign_all("optimal")
    here.reassign(FIRST, TINY)
    assert [(a.revision, a.previous_model_id) for a in processes.start().held()] == [
        (3, LLAMA),
        (2, LLAMA),
        (2, MISTRAL),
    ]


def test_a_change_is_seen_by_the_others(processes: Processes) -> None:
    here, there = processes.start(), processes.start()
    here.assign_all("greedy")
    processes.learners[1].catch_up()
    assert there.held() == here.held()


def test_with_the_store_away_it_is_said_and_kept(
    processes: Processes, store: AwayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "ACKNOWLEDGE_S", 0.01)
    assigned = processes.start()
    store.away = True
    recorded = assigned.assign_all("greedy")
    assert not recorded.durable
    assert [a.decision["model_id"] for a in recorded.assignments] == [LLAMA, LLAMA, MISTRAL]
    store.away = False
    processes.learners[0].flush(10)
    assert models(assigned) == [LLAMA, LLAMA, MISTRAL]


def test_what_is_removed_is_no_longer_active(processes: Processes) -> None:
    assigned = processes.start()
    assigned.assign_all("greedy")
    assigned.remove(FIRST)
    assert models(assigned, status=AssignmentStatus.ACTIVE) == [LLAMA, MISTRAL]
    assert models(assigned, status=AssignmentStatus.REMOVED) == [LLAMA]
    for unknown in (FIRST, "assignment_0", ""):
        with pytest.raises(NotFound):
            assigned.remove(unknown)
    with pytest.raises(UnknownModel):
        assigned.reassign(FIRST, "huge")


def test_load_counts_agents_that_are_not_assigned_anew(processes: Processes) -> None:
    assigned = processes.start()
    assigned.assign_all("greedy")
    offline = replace(SAMPLE_AGENTS[0], status=AgentStatus.OFFLINE)
    later = processes.start((offline, *SAMPLE_AGENTS[1:]))
    recorded = later.assign_all("load_aware", capacity=1)
    assert [a.decision["model_id"] for a in recorded.assignments] == [MISTRAL, TINY], "the offline agent keeps llama"


def test_any_agents_name_makes_an_id_fit_for_a_path(processes: Processes) -> None:
    agent = replace(SAMPLE_AGENTS[0], agent_id="../\u00fc ?#\x1f")
    assigned = processes.start((agent,))
    (made,) = assigned.assign_all("greedy").assignments
    assert made.id.replace("_", "").isalnum()
    assert assigned.get(made.id) == made


def test_who_is_assigned_is_asked_every_time(processes: Processes) -> None:
    learner = Learner(processes.store, clock=processes.clock)
    processes.learners.append(learner)
    now = [*SAMPLE_AGENTS]
    held = Assignments(
        learner,
        agents=SAMPLE_AGENTS,
        models=SAMPLE_MODELS,
        tracker=Performance(learner),
        config=AdaptiveConfig(),
        now=lambda: now,
    )
    assert len(held.assign_all("greedy").assignments) == 3
    now[0] = replace(now[0], status=AgentStatus.OFFLINE)
    for strategy in STRATEGIES:
        assert [a.decision["agent_id"] for a in held.assign_all(strategy, capacity=None).assignments] == [
            agent.agent_id for agent in SAMPLE_AGENTS[1:]
        ]
