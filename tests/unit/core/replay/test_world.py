from __future__ import annotations

from dataclasses import replace

import pytest

from support.outcomes import Scripted, always, noisy, outcomes
from tiercel.core.replay.books import Terms
from tiercel.core.replay.catalogue import profiles
from tiercel.core.replay.driver import replay
from tiercel.core.replay.world import SCENARIOS, World, degraded, newcomer_of
from tiercel.domain.catalogue import Price

TABLE = noisy(300, [1.0, 1.0, 1.0], [0.1, 0.2, 0.4])


def test_the_model_most_chosen_gets_worse_a_third_in() -> None:
    # m2 is believed in more often, m1 is chosen more often by then
    trace = replay(TABLE, Scripted(lambda number: "m1" if number < 60 else "m2"), Terms(scenario=SCENARIOS["degrade"]))
    assert [(c.at, c.model) for c in trace.changes] == [(100, 1)]
    for number, step in enumerate(trace.steps):
        qualities = [recorded.quality for recorded in step.offer if recorded is not None]
        assert qualities == [1.0, 0.6 if number >= 100 else 1.0, 1.0]
        assert [r.cost_usd for r in step.offer if r is not None] == [r.cost_usd for r in step.query.recorded]


def test_by_how_much_may_be_chosen() -> None:
    trace = replay(TABLE, always("m0"), Terms(scenario=degraded(0.85)))
    assert trace.steps[100].recorded.quality == pytest.approx(0.85)


def test_it_is_mended_two_thirds_in() -> None:
    policy = Scripted(lambda number: "m1" if number < 120 else "m2")
    trace = replay(TABLE, policy, Terms(scenario=SCENARIOS["recover"]))
    assert [(c.at, c.model) for c in trace.changes] == [(100, 1), (200, 1)]
    assert [i for i, step in enumerate(trace.steps) if step.offer != step.query.recorded] == list(range(100, 200))


def test_a_worse_answer_is_rated_as_worse() -> None:
    policy = always("m0")
    replay(TABLE, policy, Terms(scenario=SCENARIOS["degrade"]))
    assert [rating.quality for rating in policy.ratings] == [1.0] * 100 + [0.6] * 200


def test_the_dearest_model_in_use_gets_cheaper_half_way() -> None:
    # m2 had less than a twentieth of the requests so far, so it is m1 that is used
    policy = Scripted(lambda number: "m2" if number < 6 else f"m{number % 2}")
    trace = replay(TABLE, policy, Terms(scenario=SCENARIOS["price"]))
    assert [(c.at, c.model) for c in trace.changes] == [(150, 1)]
    after = trace.steps[-1]
    assert [r.cost_usd for r in after.offer if r is not None] == pytest.approx([0.1, 0.02, 0.4])
    assert [r.quality for r in after.offer if r is not None] == [1.0, 1.0, 1.0]


def test_a_price_that_is_known_changes_at_once() -> None:
    priced = tuple(replace(model, price=Price(1.0, 2.0)) for model in profiles(TABLE))
    world = World(TABLE, priced, SCENARIOS["price"], requests=10)
    world.reach(4, [0, 1])
    assert [model.price for model in world.eligible] == [Price(1.0, 2.0)] * 3
    world.reach(5, [0, 1])
    assert [model.price for model in world.eligible] == [Price(1.0, 2.0), Price(0.1, 0.2), Price(1.0, 2.0)]


def test_the_newcomer_is_not_there_until_half_way() -> None:
    policy = always("m0", share=0.5)
    trace = replay(TABLE, policy, Terms(scenario=SCENARIOS["arrive"], newcomer=1))
    for number, (step, situation) in enumerate(zip(trace.steps, policy.situations, strict=True)):
        there = number >= 150
        assert (step.offer[1] is not None) is there
        assert ("m1" in {model.model_id for model in situation.eligible}) is there
        assert (step.probabilities[1] > 0) is there


def test_the_newcomer_is_the_one_the_others_miss_most() -> None:
    middle_is_good = outcomes([("a", [(0.2, 0.1), (0.9, 0.2), (0.95, 0.9)])])
    assert newcomer_of(middle_is_good) == 1
    best_is_far_better = outcomes([("a", [(0.2, 0.1), (0.25, 0.2), (0.95, 0.9)])])
    assert newcomer_of(best_is_far_better) == 2
    assert newcomer_of(outcomes([("a", [(0.5, 0.1)])])) == 0


def test_without_changes_the_table_is_as_it_is() -> None:
    trace = replay(TABLE, always("m0"))
    assert all(step.offer is step.query.recorded for step in trace.steps)
    assert trace.changes == ()


def test_before_any_request_the_dearest_model_counts_as_used() -> None:
    world = World(TABLE, profiles(TABLE), SCENARIOS["price"], requests=1)
    world.reach(0, [])
    assert world.applied[0].model == 2
