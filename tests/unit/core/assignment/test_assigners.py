import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from tiercel.core.adaptive import AdaptiveConfig
from tiercel.core.assignment import AdaptiveAutoAssigner, AutoAssigner
from tiercel.domain.catalogue import Agent, ModelProfile
from tiercel.domain.errors import InvalidInput, MissingDependency, UnknownAgent, UnknownModel
from tiercel.domain.matching import AssignmentDecision, Penalty
from tiercel.domain.samples import SAMPLE_AGENTS, SAMPLE_MODELS

LLAMA, MISTRAL, TINY = (model.model_id for model in SAMPLE_MODELS)
LOW = Penalty("low_success_rate", 0.5)


@dataclass(frozen=True)
class Metrics:
    total_requests: int = 0
    success_rate: float | None = None
    avg_latency_ms: float | None = None


class Tracker:
    def __init__(self, **metrics: Metrics) -> None:
        self.metrics = metrics
        self.asked: Counter[str] = Counter()

    def model_metrics(self, model_id: str) -> Metrics:
        self.asked[model_id] += 1
        return self.metrics.get(model_id, Metrics())


def observed_samples() -> Tracker:
    """llama 20 x (100 + 5i ms, all ok), mistral 20 x (400 + 10i ms, the first 12 ok)."""
    return Tracker(
        **{
            LLAMA: Metrics(20, 1.0, sum(100 + 5 * i for i in range(20)) / 20),
            MISTRAL: Metrics(20, 12 / 20, sum(400 + 10 * i for i in range(12)) / 12),
        }
    )


def models_of(decisions: list[AssignmentDecision]) -> list[str]:
    return [decision.model_id for decision in decisions]


@pytest.mark.parametrize(
    ("strategy", "models", "total"),
    [
        ("greedy", [LLAMA, LLAMA, MISTRAL], 271.75),
        ("balanced", [LLAMA, LLAMA, MISTRAL], 271.75),
        ("optimal", [LLAMA, MISTRAL, TINY], 256.25),
    ],
)
def test_samples(strategy: str, models: list[str], total: float) -> None:
    decisions = AutoAssigner(agents=SAMPLE_AGENTS, models=SAMPLE_MODELS).assign(strategy)
    assert models_of(decisions) == models
    assert sum(decision.capability_score for decision in decisions) == total
    assert [decision.agent_id for decision in decisions] == [agent.agent_id for agent in SAMPLE_AGENTS]
    for decision in decisions:
        assert decision.method == strategy
        assert decision.performance_score == decision.capability_score
        assert (decision.performance_adjustment, decision.has_performance_data) == (0.0, False)
        assert (decision.success_rate, decision.avg_latency_ms, decision.penalties) == (None, None, ())


def test_a_decision_carries_what_speaks_for_it() -> None:
    agent = replace(SAMPLE_AGENTS[0], required=("coding", "vision"))
    (decision,) = AutoAssigner(agents=[agent], models=SAMPLE_MODELS[:1]).assign()
    assert (decision.agent_name, decision.model_name) == ("GPU agent 1", "LLaMA 3 70B")
    assert decision.overlap == ("coding", "high_accuracy", "long_context")
    assert decision.missing_required == ("vision",)


def test_optimal_with_capacities() -> None:
    assigner = AutoAssigner(agents=SAMPLE_AGENTS, models=SAMPLE_MODELS)
    assert models_of(assigner.assign("optimal", capacity=None)) == [LLAMA, LLAMA, MISTRAL]
    assert models_of(assigner.assign("optimal", capacity=2)) == [LLAMA, LLAMA, MISTRAL]
    assert models_of(assigner.assign("optimal", capacity={LLAMA: 2, MISTRAL: 0})) == [LLAMA, LLAMA, TINY]
    only = AutoAssigner(agents=SAMPLE_AGENTS, models=SAMPLE_MODELS[:1]).assign("optimal")
    assert [(decision.agent_id, decision.model_id) for decision in only] == [("agent_gpu_2", LLAMA)]


@pytest.mark.parametrize(
    ("agent_id", "scores"),
    [
        ("agent_gpu_1", (93.1375, 34.7625, 43.5)),
        ("agent_gpu_2", (93.5875, 37.3875, 50.5)),
        ("agent_cpu_1", (83.6875, 37.5375, 78.0)),
    ],
)
def test_observed_samples_score_as_published(agent_id: str, scores: tuple[float, ...]) -> None:
    assigner = AdaptiveAutoAssigner(agents=SAMPLE_AGENTS, models=SAMPLE_MODELS, tracker=observed_samples())
    decisions = [assigner.assign_manual(agent_id, model.model_id) for model in SAMPLE_MODELS]
    assert tuple(decision.performance_score for decision in decisions) == scores
    assert [decision.penalties for decision in decisions] == [(), (LOW,), ()]
    assert [decision.has_performance_data for decision in decisions] == [True, True, False]
    assert [decision.avg_latency_ms for decision in decisions] == [147.5, 455.0, None]


def test_adaptive_takes_the_best_corrected_score() -> None:
    tracker = observed_samples()
    assigner = AdaptiveAutoAssigner(
        agents=SAMPLE_AGENTS, models=SAMPLE_MODELS, tracker=tracker, config=AdaptiveConfig()
    )
    decisions = assigner.assign()
    assert [(d.model_id, d.performance_score) for d in decisions] == [
        (LLAMA, 93.1375),
        (LLAMA, 93.5875),
        (LLAMA, 83.6875),
    ]
    assert decisions[0].performance_adjustment == 0.8875
    assert {decision.method for decision in decisions} == {"adaptive"}
    assert tracker.asked == {LLAMA: 1, MISTRAL: 1, TINY: 1}


def test_load_aware_reports_the_score_it_compared() -> None:
    model = ModelProfile(model_id="m", capabilities={"coding": 6 / 7})  # matches at 90
    assigner = AdaptiveAutoAssigner(
        agents=[Agent(agent_id="a", required=["coding"])], models=[model], tracker=Tracker()
    )
    (decision,) = assigner.assign("load_aware", capacity=10, load={"m": 6})
    assert (decision.capability_score, decision.performance_score) == (90.0, 73.8)
    assert decision.performance_adjustment == -16.2
    assert [penalty.kind for penalty in decision.penalties] == ["load"]
    (decision,) = assigner.assign("load_aware", capacity=10, load={"m": 6}, target_utilisation=0.5)
    assert decision.performance_score == 59.04
    assert [penalty.kind for penalty in decision.penalties] == ["load", "over_target"]
    assert assigner.assign("load_aware", capacity=6, load={"m": 6}) == []


def test_manual_takes_any_agent_and_any_model() -> None:
    away = replace(SAMPLE_AGENTS[0], status="offline", required=("vision",), require_all=True)
    plain = AutoAssigner(agents=[away], models=SAMPLE_MODELS)
    adaptive = AdaptiveAutoAssigner(agents=[away], models=SAMPLE_MODELS, tracker=observed_samples())
    for assigner in (plain, adaptive):
        decision = assigner.assign_manual("agent_gpu_1", TINY)
        assert (decision.model_id, decision.method, decision.capability_score) == (TINY, "manual", 0.0)
        with pytest.raises(UnknownAgent):
            assigner.assign_manual("nobody", TINY)
        with pytest.raises(UnknownModel):
            assigner.assign_manual("agent_gpu_1", "nothing")


EVERY = [*AutoAssigner.strategies, *AdaptiveAutoAssigner.strategies]


def assign(strategy: str, agents: Sequence[Agent], models: Sequence[ModelProfile]) -> list[AssignmentDecision]:
    if strategy in AutoAssigner.strategies:
        return AutoAssigner(agents=agents, models=models).assign(strategy)
    return AdaptiveAutoAssigner(agents=agents, models=models, tracker=Tracker()).assign(strategy)


@pytest.mark.parametrize("strategy", EVERY)
class TestEveryStrategy:
    agent = Agent(agent_id="a", required=["general"])
    twins = tuple(ModelProfile(model_id=name, capabilities={"general": 0.5}) for name in ("z", "y", "x"))

    def test_only_online_agents(self, strategy: str) -> None:
        agents = [Agent(agent_id=s, status=s) for s in ("offline", "online", "maintenance")]
        assert [d.agent_id for d in assign(strategy, agents, self.twins)] == ["online"]

    def test_ties_go_to_the_model_registered_first(self, strategy: str) -> None:
        assert models_of(assign(strategy, [self.agent], self.twins)) == ["z"]

    def test_an_excluded_model_is_never_assigned(self, strategy: str) -> None:
        strict = replace(self.agent, required=("vision",), require_all=True)
        assert assign(strategy, [strict], self.twins) == []
        seeing = ModelProfile(model_id="seeing", capabilities={"vision": 0.01}, context_length=1)
        assert models_of(assign(strategy, [strict], [*self.twins, seeing])) == ["seeing"]

    def test_nothing_to_assign(self, strategy: str) -> None:
        assert assign(strategy, [self.agent], []) == []
        assert assign(strategy, [], self.twins) == []


@pytest.mark.parametrize("strategy", ["balanced", "optimal", "load_aware"])
def test_agents_do_not_herd(strategy: str) -> None:
    """Known fault 7: every agent was sent to the one model that scores best."""
    agents = [Agent(agent_id=f"agent-{i}", required=["general"]) for i in range(3)]
    models = [ModelProfile(model_id=f"m{i}", capabilities={"general": 0.90 - 0.02 * i}) for i in range(3)]
    assert models_of(assign("greedy", agents, models)) == ["m0", "m0", "m0"]
    assert sorted(models_of(assign(strategy, agents, models))) == ["m0", "m1", "m2"]


def test_load_aware_spreads_before_a_model_is_full() -> None:
    agents = [Agent(agent_id=f"agent-{i}", required=["general"]) for i in range(6)]
    models = [ModelProfile(model_id=f"m{i}", capabilities={"general": 0.90 - 0.02 * i}) for i in range(3)]
    assigner = AdaptiveAutoAssigner(agents=agents, models=models, tracker=Tracker())
    assert Counter(models_of(assigner.assign("load_aware", capacity=6))) == {"m0": 2, "m1": 2, "m2": 2}


def test_optimal_is_not_greedy() -> None:
    """Known fault 10: a strategy by that name that took each agent's best in turn."""
    agents = [
        Agent(agent_id="either", required=["coding"]),
        Agent(agent_id="only-one", required=["math"]),
    ]
    models = [
        ModelProfile(model_id="both", capabilities={"coding": 0.9, "math": 0.9}),
        ModelProfile(model_id="coder", capabilities={"coding": 0.8}),
    ]
    decisions = AutoAssigner(agents=agents, models=models).assign("optimal")
    assert models_of(decisions) == ["coder", "both"]
    assert sum(d.capability_score for d in decisions) == 179.0  # in turn: 93 + 30


@pytest.mark.parametrize(
    ("assigner", "allowed"),
    [
        (AutoAssigner(agents=[], models=[]), "greedy, balanced, optimal"),
        (AdaptiveAutoAssigner(agents=[], models=[], tracker=Tracker()), "adaptive, load_aware"),
    ],
)
def test_an_unknown_strategy_names_the_known_ones(assigner: AutoAssigner | AdaptiveAutoAssigner, allowed: str) -> None:
    with pytest.raises(InvalidInput, match=f"strategy: must be one of {allowed} \\(found 'best'\\)"):
        assigner.assign("best")


def test_bad_arguments() -> None:
    assigner = AdaptiveAutoAssigner(agents=SAMPLE_AGENTS, models=SAMPLE_MODELS, tracker=Tracker())
    for target in (0.0, -1.0, 1.1, float("nan")):
        with pytest.raises(InvalidInput, match="target_utilisation"):
            assigner.assign("load_aware", target_utilisation=target)
    with pytest.raises(InvalidInput, match=r"capacity\.gpt"):
        assigner.assign("load_aware", capacity={"gpt": 1})
    with pytest.raises(InvalidInput, match=r"load\.llama3-70b"):
        assigner.assign("load_aware", load={LLAMA: -1})


def test_ids_must_be_unique() -> None:
    with pytest.raises(InvalidInput) as caught:
        AutoAssigner(agents=[SAMPLE_AGENTS[0]] * 2, models=[*SAMPLE_MODELS, SAMPLE_MODELS[1]])
    assert [problem.path for problem in caught.value.problems] == ["agents[1].id", "models[3].id"]


def test_optimal_without_scipy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    assigner = AutoAssigner(agents=SAMPLE_AGENTS, models=SAMPLE_MODELS)
    with pytest.raises(MissingDependency, match=r"pip install 'tiercel\[optimal\]'"):
        assigner.assign("optimal")
    assert len(assigner.assign("greedy")) == 3
