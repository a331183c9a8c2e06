"""Tables drawn from assumptions: as assumed, the same for the same seed, and refused where nothing can be said."""

from __future__ import annotations

import pickle
from statistics import fmean

import pytest

from tiercel.core.policies.random import RandomPolicy
from tiercel.core.replay.books import Terms
from tiercel.core.replay.driver import replay
from tiercel.core.replay.imagined import Assumptions, expected_strengths, imagine
from tiercel.core.replay.settling import WINDOW, settled
from tiercel.domain.catalogue import ModelProfile, Price
from tiercel.domain.errors import InvalidInput

MODELS = (
    ModelProfile(model_id="a", tier="cheap", price=Price(0.1, 0.4)),
    ModelProfile(model_id="b", tier="capable", price=Price(0.5, 2.0)),
    ModelProfile(model_id="c", tier="premium", price=Price(2.5, 10.0)),
)
CERTAIN = Assumptions(requests=1_500, stages=3, uncertainty=0.0, difficulty=0.0, spread=0.0)


def test_what_is_certain_comes_out_as_said() -> None:
    drawn = imagine(MODELS, CERTAIN, seed=1)
    assert drawn.strengths == {"a": 0.60, "b": 0.75, "c": 0.90}
    for figures in drawn.table.figures():
        # of 1,500 betas with four pseudo-counts the mean is within four standard errors, .02
        assert figures.quality == pytest.approx(drawn.strengths[figures.model_id], abs=0.025)
    costs = [figures.cost_usd or 0.0 for figures in drawn.table.figures()]
    assert costs == sorted(costs)
    for query in drawn.table.queries[:50]:
        for model, recorded in zip(MODELS, query.recorded, strict=True):
            assert model.price is not None
            assert recorded.prompt_tokens is not None
            assert recorded.completion_tokens is not None
            assert recorded.cost_usd == model.price.cost_usd(recorded.prompt_tokens, recorded.completion_tokens)
    assert len(drawn.table.tasks) == 3


def test_equal_seeds_draw_equal_worlds() -> None:
    few = Assumptions(requests=50)
    assert imagine(MODELS, few, seed=3) == imagine(MODELS, few, seed=3)
    assert imagine(MODELS, few, seed=3) != imagine(MODELS, few, seed=4)


def test_uncertain_strengths_spread_as_assumed() -> None:
    one = Assumptions(requests=1, uncertainty=0.1)
    drawn = [imagine(MODELS, one, seed).strengths["b"] for seed in range(300)]
    assert fmean(drawn) == pytest.approx(0.75, abs=0.025)
    assert fmean((value - 0.75) ** 2 for value in drawn) ** 0.5 == pytest.approx(0.1, rel=0.2)


def test_declared_capabilities_count_within_a_tier() -> None:
    models = [
        ModelProfile(model_id=name, tier="cheap", capabilities={"coding": strength}, price=Price(1, 1))
        for name, strength in (("weak", 0.4), ("strong", 0.8))
    ]
    assert [round(strength, 6) for _, strength in expected_strengths(models)] == [0.54, 0.66]


@pytest.mark.parametrize(
    ("models", "message"), [(MODELS[:1], "at least two"), ((MODELS[0], ModelProfile(model_id="free")), "price")]
)
def test_what_cannot_be_imagined_is_refused(models: tuple[ModelProfile, ...], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        imagine(models, CERTAIN, seed=0)


def test_a_policy_that_never_changes_has_settled_at_once() -> None:
    table = imagine(MODELS, CERTAIN, seed=1).table
    found = settled(replay(table, RandomPolicy(), Terms()))
    assert found is not None
    assert (found.requests, found.ratings) == (0, 0)
    short = replay(table, RandomPolicy(), Terms(requests=4 * WINDOW - 1))
    assert settled(short) is None


def test_a_model_can_be_sent_to_another_process() -> None:
    model = ModelProfile(model_id="m", capabilities={"coding": 0.5}, price=Price(1, 2))
    assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301 - made one line above
