import pytest

from tiercel.core.capability import CapabilityScorer, match_score
from tiercel.domain.catalogue import Agent, ModelProfile
from tiercel.domain.samples import SAMPLE_AGENTS, SAMPLE_MODELS

LLAMA = SAMPLE_MODELS[0]


def model(context_length: int = 4096, **capabilities: float) -> ModelProfile:
    return ModelProfile(model_id="m", capabilities=capabilities, context_length=context_length)


@pytest.mark.parametrize(
    ("agent", "scores"),
    [
        (SAMPLE_AGENTS[0], (92.25, 77.25, 43.5)),
        (SAMPLE_AGENTS[1], (93.0, 86.0, 50.5)),
        (SAMPLE_AGENTS[2], (76.5, 86.5, 78.0)),
    ],
)
def test_samples_score_as_published(agent: Agent, scores: tuple[float, ...]) -> None:
    scorer = CapabilityScorer()
    assert tuple(scorer.score_match(agent, m).match_score for m in SAMPLE_MODELS) == scores


@pytest.mark.parametrize(
    ("required", "preferred", "min_context", "profile", "expected"),
    [
        ((), (), 0, model(), 100.0),  # nothing asked for: everything is met
        ((), (), 8192, model(4096), 95.0),  # half the context wanted
        ((), (), 4096, model(4096), 100.0),
        (("coding",), (), 2048, model(), 30.0),  # an absent capability is worth 0
        (("coding",), (), 2048, model(coding=0.0), 30.0),
        (("coding",), (), 2048, model(coding=1.0), 100.0),
        (("coding", "math"), (), 2048, model(coding=0.6), 51.0),
        ((), ("vision",), 2048, model(), 80.0),
        ((), ("vision", "audio"), 2048, model(vision=0.5), 85.0),
        (("house_style",), (), 2048, model(house_style=0.9), 93.0),  # names that only this catalogue knows
        (("coding",), ("coding",), 2048, model(coding=0.5), 55.0),
    ],
)
def test_formula(
    required: tuple[str, ...], preferred: tuple[str, ...], min_context: int, profile: ModelProfile, expected: float
) -> None:
    assert match_score(required, preferred, min_context, profile) == expected


def test_float_noise_decides_no_tie() -> None:
    needs = ("coding", "math", "vision")
    one = match_score(needs, (), 0, model(coding=0.1, math=0.2, vision=0.3))
    other = match_score(needs, (), 0, model(coding=0.3, math=0.2, vision=0.1))
    assert 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1
    assert one == other == 44.0


def test_require_all_excludes_instead_of_lowering() -> None:
    profile = model(coding=0.9)
    assert match_score(("coding", "math"), (), 2048, profile) == 61.5
    assert match_score(("coding", "math"), (), 2048, profile, require_all=True) == 0.0
    assert match_score(("coding",), ("math",), 2048, profile, require_all=True) == 73.0

    strict = CapabilityScorer().score_match(Agent(agent_id="a", required=["coding", "math"], require_all=True), profile)
    lenient = CapabilityScorer().score_match(Agent(agent_id="a", required=["coding", "math"]), profile)
    assert (strict.match_score, strict.excluded) == (0.0, True)
    assert (lenient.match_score, lenient.excluded) == (61.5, False)
    assert strict.missing_required == lenient.missing_required == ("math",)


def test_result_says_what_overlaps_and_what_is_missing() -> None:
    agent = Agent(
        agent_id="a",
        required=["coding", "vision", "reasoning"],
        preferred=["reasoning", "audio", "long_context"],
    )
    match = CapabilityScorer().score_match(agent, LLAMA)
    assert match.agent_id == "a"
    assert match.model_id == "llama3-70b"
    assert match.overlap == ("coding", "reasoning", "long_context")
    assert match.missing_required == ("vision",)
    assert (match.required_matched, match.required_total) == (2, 3)
    assert (match.preferred_matched, match.preferred_total) == (2, 3)


def test_all_pairs_best_first_ties_in_catalogue_order() -> None:
    pairs = CapabilityScorer().score_all_pairs(SAMPLE_AGENTS, SAMPLE_MODELS)
    assert [pair.match_score for pair in pairs] == [93.0, 92.25, 86.5, 86.0, 78.0, 77.25, 76.5, 50.5, 43.5]
    assert (pairs[0].agent_id, pairs[0].model_id) == ("agent_gpu_2", "llama3-70b")

    twins = [ModelProfile(model_id=name, capabilities={"general": 0.5}) for name in ("second", "first")]
    agents = [Agent(agent_id="a", required=["general"]), Agent(agent_id="b", required=["general"])]
    tied = CapabilityScorer().score_all_pairs(iter(agents), iter(twins))
    assert [(pair.model_id, pair.agent_id) for pair in tied] == [
        ("second", "a"),
        ("second", "b"),
        ("first", "a"),
        ("first", "b"),
    ]


def test_all_pairs_of_nothing() -> None:
    assert CapabilityScorer().score_all_pairs(SAMPLE_AGENTS, []) == []
    assert CapabilityScorer().score_all_pairs([], SAMPLE_MODELS) == []
