"""Scores stay in 0..100, and better never scores worse."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.adaptive import AdaptiveConfig, adapt, adaptive_score
from tiercel.core.capability import CapabilityScorer, match_score
from tiercel.domain.catalogue import CAPABILITIES, Agent, ModelProfile

strengths = st.floats(0, 1)
models = st.builds(
    ModelProfile,
    model_id=st.just("m"),
    capabilities=st.dictionaries(st.sampled_from(CAPABILITIES), strengths),
    context_length=st.integers(1, 2_000_000),
)
names = st.lists(st.sampled_from(CAPABILITIES), max_size=6)
agents = st.builds(
    Agent,
    agent_id=st.just("a"),
    required=names,
    preferred=names,
    min_context_length=st.integers(0, 2_000_000),
    require_all=st.booleans(),
)
scores = st.floats(0, 100)
latencies = st.none() | st.floats(0, 1e6)


@st.composite
def configs(draw: st.DrawFn) -> AdaptiveConfig:
    parts = draw(st.tuples(*[st.floats(0.01, 1)] * 3))
    return AdaptiveConfig(
        capability_weight=parts[0] / sum(parts),
        success_rate_weight=parts[1] / sum(parts),
        latency_weight=parts[2] / sum(parts),
        min_acceptable_success_rate=draw(st.floats(0.01, 1)),
        max_acceptable_latency_ms=draw(st.floats(1, 10_000)),
        min_requests_for_performance=draw(st.integers(1, 50)),
    )


@given(agents, models)
def test_a_match_is_in_bounds_and_accounts_for_every_need(agent: Agent, model: ModelProfile) -> None:
    match = CapabilityScorer().score_match(agent, model)
    assert 0.0 <= match.match_score <= 100.0
    assert match.excluded == (agent.require_all and bool(match.missing_required))
    assert match.excluded == (match.match_score == 0.0)
    assert len(set(match.overlap)) == len(match.overlap)
    assert set(match.overlap) | set(match.missing_required) == (
        set(agent.required) | {name for name in agent.preferred if model.capabilities.get(name)}
    )
    assert match.required_matched == sum(name in match.overlap for name in agent.required)
    assert match.preferred_matched == sum(name in match.overlap for name in agent.preferred)


@given(names, names, models, st.sampled_from(CAPABILITIES), strengths)
def test_a_stronger_model_never_matches_worse(
    required: list[str], preferred: list[str], model: ModelProfile, name: str, strength: float
) -> None:
    stronger = ModelProfile(
        model_id="m",
        capabilities={**model.capabilities, name: max(strength, model.capabilities.get(name, 0.0))},
        context_length=model.context_length,
    )
    assert match_score(required, preferred, 4096, stronger) >= match_score(required, preferred, 4096, model)


@given(scores, st.integers(0, 100), st.floats(0, 1), latencies, configs())
def test_an_adapted_score_is_in_bounds_and_adds_up(
    capability: float, requests: int, success_rate: float, latency_ms: float | None, config: AdaptiveConfig
) -> None:
    result = adapt(capability, requests, success_rate, latency_ms, config)
    assert 0.0 <= result.performance_score <= 100.0
    assert result.performance_score == adaptive_score(capability, requests, success_rate, latency_ms, config)
    assert math.isclose(result.performance_adjustment, result.performance_score - capability, abs_tol=1e-9)
    assert result.has_performance_data == (requests >= config.min_requests_for_performance)
    assert result.has_performance_data or (result.performance_score, result.penalties) == (capability, ())


@given(scores, scores, st.floats(0, 1), st.floats(0, 1), latencies, latencies, configs())
def test_better_figures_never_score_worse(  # noqa: PLR0917 - a pair of each figure
    capability: float,
    capability_too: float,
    rate: float,
    rate_too: float,
    latency_ms: float | None,
    latency_too_ms: float | None,
    config: AdaptiveConfig,
) -> None:
    better = adaptive_score(
        max(capability, capability_too),
        100,
        max(rate, rate_too),
        _faster(latency_ms, latency_too_ms),
        config,
    )
    for one, one_rate, one_ms in ((capability, rate, latency_ms), (capability_too, rate_too, latency_too_ms)):
        if one_ms is not None:
            assert better >= adaptive_score(one, 100, one_rate, one_ms, config) - 1e-9


def _faster(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else min(one, other)
