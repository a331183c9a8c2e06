"""What a call is expected to cost: tokens as they were, prices as they are."""

from __future__ import annotations

import pytest

from support.happenings import at
from tiercel.core.beliefs.costs import (
    PSEUDO_CALLS,
    USUAL_COMPLETION_TOKENS,
    USUAL_PROMPT_TOKENS,
    CostBeliefs,
)
from tiercel.core.beliefs.evidence import Kind
from tiercel.core.statistics.fold import fold, micros, usage_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.usage import HALF_LIFE_S
from tiercel.domain.catalogue import ModelProfile, Price
from tiercel.domain.events import Label, Outcome
from tiercel.domain.request import stage_segment

BASIS = "text-1"
HERE = stage_segment("w", "here")
THERE = stage_segment("w", "there")
SHAPES = (0, 5)


def model(name: str, price: Price | None = Price(1.0, 2.0)) -> ModelProfile:  # noqa: B008 - frozen
    return ModelProfile(model_id=name, tier="cheap", price=price)


def calls(
    name: str,
    count: int,
    *,
    tokens: tuple[int, int] | None = None,
    cost_usd: float | None = None,
    kind: Kind = (HERE, 0),
    days: float = 0.0,
) -> list[Outcome]:
    prompt, completion = tokens or (None, None)
    return [
        Outcome(
            decision_id=f"{name}/{kind}/{days}/{i}",
            recorded_at=at(days * 86_400),
            segment=kind[0],
            model=name,
            tier="cheap",
            success=True,
            latency_ms=1.0,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost_usd=cost_usd,
            label=Label((float(kind[1]), 0.5), BASIS),
        )
        for i in range(count)
    ]


def expect(
    events: list[Outcome], models: list[ModelProfile], kind: Kind = (HERE, 0), *, days: float = 0.0
) -> list[float]:
    knowledge = Knowledge()
    knowledge.add(fold(events))
    return CostBeliefs(knowledge, BASIS, micros(at(days * 86_400))).expect(kind, models, knowledge)


def test_before_any_call_a_price_says_what_an_ordinary_answer_costs() -> None:
    usual = (USUAL_PROMPT_TOKENS * 1.0 + USUAL_COMPLETION_TOKENS * 2.0) / 1e6
    assert expect([], [model("a")]) == [pytest.approx(usual)]


def test_many_calls_outweigh_the_price_list() -> None:
    (cost,) = expect(calls("a", 5_000, tokens=(1_000, 2_000)), [model("a")])
    assert cost == pytest.approx(5_000 / 1e6, rel=0.01)


def test_few_calls_are_shrunk_to_what_is_usual() -> None:
    usual = (USUAL_PROMPT_TOKENS + 2 * USUAL_COMPLETION_TOKENS) / 1e6
    costs = [expect(calls("a", n, tokens=(1_000, 2_000)), [model("a")])[0] for n in (0, 1, 5, 50)]
    assert costs == sorted(costs)
    assert usual == pytest.approx(costs[0])
    assert costs[1] - usual < 0.5 * (5_000 / 1e6 - usual)
    assert PSEUDO_CALLS == 5.0


def test_a_price_change_acts_at_once() -> None:
    """On all that was learned: tokens are kept, not dollars."""
    events = calls("a", 50, tokens=(1_000, 2_000), cost_usd=0.005) + calls("b", 50, tokens=(1_000, 2_000))
    before = expect(events, [model("a"), model("b")])
    after = expect(events, [model("a", Price(0.1, 0.2)), model("b")])
    assert after[0] == pytest.approx(before[0] / 10, rel=1e-9)
    assert after[1] == pytest.approx(before[1], rel=1e-9)


def test_a_model_that_never_answered_here_is_as_much_dearer_here_as_the_others() -> None:
    """Both are priced alike; this segment's answers are ten times as long."""
    events = [
        *calls("a", 200, tokens=(500, 300), kind=(THERE, 0)),
        *calls("b", 200, tokens=(500, 300), kind=(THERE, 0)),
        *calls("a", 200, tokens=(5_000, 3_000)),
    ]
    a, b = expect(events, [model("a"), model("b")])
    usual = expect(events, [model("b")])[0]
    assert b > 1.4 * usual
    assert a > b, "what it does itself is known better"


def test_shapes_of_one_segment_cost_their_own() -> None:
    events = [
        *calls("a", 100, tokens=(100, 100), kind=(HERE, SHAPES[0])),
        *calls("a", 100, tokens=(100, 2_000), kind=(HERE, SHAPES[1])),
    ]
    short, long = (expect(events, [model("a")], (HERE, shape))[0] for shape in SHAPES)
    assert long > 5 * short


@pytest.mark.parametrize("count", [0, 1])
def test_a_model_of_unknown_price_is_taken_for_as_dear_as_the_dearest(count: int) -> None:
    unpriced = model("dark", None)
    events = calls("dark", count, tokens=(10, 10))
    assert expect(events, [model("a"), unpriced, model("b", Price(10.0, 20.0))])[1] == pytest.approx(0.011)
    assert expect(events, [unpriced]) == [0.0]


def test_without_a_price_what_calls_cost_is_learned() -> None:
    (cost,) = expect(calls("dark", 40, cost_usd=0.25), [model("dark", None)])
    assert cost == pytest.approx(0.25)


def test_habits_of_a_month_ago_weigh_little() -> None:
    old = calls("a", 100, tokens=(0, 10_000))
    new = calls("a", 100, tokens=(0, 1_000), days=28)
    (cost,) = expect([*old, *new], [model("a")], days=28)
    faded = 2.0 ** (-28 * 86_400 / HALF_LIFE_S)
    assert faded == 1 / 16
    assert cost == pytest.approx((100 * faded * 0.02 + 100 * 0.002) / (100 * faded + 100), rel=0.06)


def test_another_basis_knows_other_shapes() -> None:
    knowledge = Knowledge()
    knowledge.add(fold(calls("a", 100, tokens=(0, 10_000))))
    of_another = CostBeliefs(knowledge, "text-2", micros(at(0))).expect((HERE, 0), [model("a")], knowledge)
    assert of_another == expect([], [model("a")])


@pytest.mark.parametrize("count", [5, 8])
def test_calls_that_are_being_added_cost_nothing_less(count: int) -> None:
    """A reader may see them counted in their shape and not yet in the total."""
    knowledge = Knowledge()
    knowledge.add(fold(calls("a", count, tokens=(5_000, 3_000), cost_usd=0.011)))
    usage = knowledge.usage(usage_key(HERE, "a", BASIS))
    assert usage is not None
    usage.total = tuple(0.0 for _ in usage.total)
    (cost,) = CostBeliefs(knowledge, BASIS, micros(at(0))).expect((HERE, 0), [model("a")], knowledge)
    assert 0.0011 < cost < 0.011
