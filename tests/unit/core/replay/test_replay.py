from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.outcomes import Scripted, always, noisy, outcomes
from tiercel.bootstrap import POLICIES, build_policy
from tiercel.config.settings import RouteSettings, Settings
from tiercel.core.beliefs.costs import USUAL_COMPLETION_TOKENS
from tiercel.core.policies.base import Policy
from tiercel.core.replay.books import SOURCE, WARM_POLICY, Features, Terms
from tiercel.core.replay.catalogue import profiles, tokens_of
from tiercel.core.replay.driver import offered, replay
from tiercel.core.replay.figures import run_figures
from tiercel.core.replay.table import OutcomeTable, Recorded
from tiercel.core.statistics.fold import model_key, segment_model_key
from tiercel.core.statistics.label_clock import HALF_LIFE_LABELS
from tiercel.domain.catalogue import Price
from tiercel.domain.decision import Decision
from tiercel.domain.events import Outcome, StandingChange
from tiercel.domain.request import stage_segment

TABLE = noisy(120, [0.4, 0.9], [0.1, 0.2], tasks=3)


def policy_of(name: str, table: OutcomeTable = TABLE) -> Policy:
    return build_policy(RouteSettings(policy=name, budget_usd_per_request=0.15), Settings(models=profiles(table)))


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_equal_seeds_give_equal_traces(name: str) -> None:
    terms = Terms(feedback_rate=0.5, delay=3, seed=7)
    once, again = (replay(TABLE, policy_of(name), terms, repeat=2) for _ in range(2))
    assert once == again
    other = replay(TABLE, policy_of(name), terms, repeat=3)
    assert [step.query.id for step in once.steps] != [step.query.id for step in other.steps]
    assert [step.rated for step in once.steps] != [step.rated for step in other.steps]


def test_every_policy_gets_the_same_order_draws_and_coins() -> None:
    terms = Terms(feedback_rate=0.5)
    one, other = replay(TABLE, always("m0", share=0.5), terms), replay(TABLE, always("m1"), terms)
    assert [(s.query.id, s.rated) for s in one.steps] == [(s.query.id, s.rated) for s in other.steps]
    # what is drawn for does not matter either: m0 and m1 in turn lose the lower half of [0, 1)
    mirrored = replay(TABLE, always("m1", share=0.5), terms)
    assert [s.chosen for s in one.steps] == [s.chosen for s in mirrored.steps]


def test_a_fixed_policy_gets_exactly_what_its_model_has() -> None:
    for index, model in enumerate(TABLE.figures()):
        policy = build_policy(RouteSettings(policy="fixed", model=model.model_id), Settings(models=profiles(TABLE)))
        whole = run_figures(replay(TABLE, policy)).whole
        assert (whole.quality, whole.cost_usd) == (model.quality, model.cost_usd)
        assert {step.chosen for step in replay(TABLE, always(model.model_id)).steps} == {index}


def test_every_query_is_asked_once() -> None:
    trace = replay(TABLE, always("m0"))
    assert Counter(step.query.id for step in trace.steps) == Counter(query.id for query in TABLE.queries)
    assert len(replay(TABLE, always("m0"), Terms(requests=10)).steps) == 10


def test_a_trace_says_what_the_policy_proposed_and_what_was_drawn() -> None:
    trace = replay(TABLE, Scripted(lambda number: f"m{number % 2}", share=0.25))
    for number, step in enumerate(trace.steps):
        assert step.greedy == number % 2
        assert step.probabilities[step.greedy] == 0.75
        assert sum(step.probabilities) == 1.0
        assert step.recorded == step.query.recorded[step.chosen]
    assert 0.1 < sum(step.chosen != step.greedy for step in trace.steps) / len(trace.steps) < 0.4


@given(delay=st.integers(0, 130), rate=st.sampled_from([0.0, 0.3, 1.0]))
def test_exactly_the_rated_are_rated_exactly_so_late(delay: int, rate: float) -> None:
    policy = always("m0")
    trace = replay(TABLE, policy, Terms(feedback_rate=rate, delay=delay))
    number_of = {decision.id: number for number, decision in enumerate(policy.decisions)}
    given_at = {rating.decision_id: number for number, batch in enumerate(policy.batches) for rating in batch
                if rating in policy.ratings}  # fmt: skip
    rated = [number for number, step in enumerate(trace.steps) if step.rated]
    assert sorted(number_of[i] for i in given_at) == [n for n in rated if n + delay < len(trace.steps)]
    assert all(at == number_of[decision_id] + delay for decision_id, at in given_at.items())
    if rate in {0.0, 1.0}:
        assert len(rated) == rate * len(trace.steps)


def test_a_rating_tells_the_quality_of_the_chosen_model_and_nothing_else() -> None:
    policy = Scripted(lambda number: f"m{number % 2}")
    trace = replay(TABLE, policy)
    ratings = {rating.decision_id: rating for rating in policy.ratings}
    for decision, step in zip(policy.decisions, trace.steps, strict=True):
        rating = ratings[decision.id]
        assert (rating.model, rating.quality, rating.source) == (decision.model, step.recorded.quality, SOURCE)
        assert rating.label.weight == 1.0
    told = {(event.decision_id, event.model) for batch in policy.batches for event in batch
            if isinstance(event, Outcome)}  # fmt: skip
    assert told == {(decision.id, decision.model) for decision in policy.decisions}


def test_a_decision_is_told_before_what_came_of_it_and_what_came_of_it_before_the_next() -> None:
    policy = always("m0")
    replay(TABLE, policy, Terms(feedback_rate=1.0))
    for number, (batch, decision) in enumerate(zip(policy.batches, policy.decisions, strict=True)):
        assert batch[0] == decision
        assert [type(event).__name__ for event in batch] == ["Decision", "Outcome", "Feedback"]
        assert policy.situations[number].now_us == round(decision.decided_at.timestamp() * 1e6)
    assert len(policy.situations[-1].knowledge.ratings(model_key("m0"))) > 0


def test_the_task_is_the_segment_or_nothing_is() -> None:
    seen, blind = always("m0"), always("m0")
    trace = replay(TABLE, seen)
    replay(TABLE, blind, Terms(segmented=False))
    assert [s.segment for s in seen.situations] == [stage_segment("evaluate", s.query.task) for s in trace.steps]
    assert {s.segment for s in blind.situations} == {stage_segment("evaluate", "default")}


def test_the_incumbent_is_the_model_the_segment_was_last_believed_served_best_by() -> None:
    policy = Scripted(lambda number: f"m{number % 2}", share=0.5)
    trace = replay(TABLE, policy)
    held: dict[str, str] = {}
    for situation, step in zip(policy.situations, trace.steps, strict=True):
        assert situation.incumbent == held.get(step.query.task, "")
        held[step.query.task] = trace.models[step.greedy]


def test_the_clock_of_calls_stands_still_where_nothing_drifts() -> None:
    policy = always("m1")
    replay(TABLE, policy, Terms(), repeat=0)
    assert policy.ratings[-1].label.tick > 0
    assert {event.label.tick for batch in policy.batches for event in batch if isinstance(event, Outcome)} == {0.0}


def test_who_reads_the_prompt_is_given_figures_which_its_ratings_carry() -> None:
    policy = always("m0")
    features = Features(basis="b1", read=lambda request: (1.0, float(len(request.prompt))))
    trace = replay(TABLE, policy, features=features)
    told = [event for batch in policy.batches for event in batch if isinstance(event, Outcome)]
    vectors = [(1.0, float(len(step.query.prompt))) for step in trace.steps]
    assert [(s.vector, s.basis) for s in policy.situations] == [(vector, "b1") for vector in vectors]
    assert [rating.label.vector for rating in policy.ratings] == vectors
    assert [outcome.label.vector for outcome in told] == vectors


def test_a_policy_may_know_beforehand_what_will_be_rated() -> None:
    policy = always("m0")
    trace = replay(TABLE, policy, Terms(feedback_rate=0.3, judged=True))
    assert [s.will_judge for s in policy.situations] == [step.rated for step in trace.steps]
    assert {s.judge_rate for s in policy.situations} == {0.3}
    unaware = always("m0")
    replay(TABLE, unaware, Terms(feedback_rate=0.3))
    assert {s.will_judge for s in unaware.situations} == {None}


def test_a_warm_start_shows_one_model_of_each_query_before_the_first_decision() -> None:
    policy = always("m0")
    warm = noisy(60, [0.4, 0.9], [0.1, 0.2], seed=2)
    replay(TABLE, policy, Terms(feedback_rate=0.5), warm=warm)
    before = policy.batches[: len(warm.queries)]
    shown = [event for batch in before for event in batch if isinstance(event, Outcome)]
    assert len(shown) == 60
    assert 15 < sum(outcome.model == "m0" for outcome in shown) < 45
    assert 15 < sum(len(batch) == 3 for batch in before) < 45
    decided = [event for batch in before for event in batch if isinstance(event, Decision)]
    assert {(decision.policy, decision.propensity) for decision in decided} == {(WARM_POLICY, 0.5)}
    assert not {decision.id for decision in decided} & {decision.id for decision in policy.decisions}
    assert len(policy.decisions) == len(TABLE.queries)


def test_a_warm_start_may_show_all_models_and_rate_at_its_own_rate() -> None:
    policy = always("m0")
    warm = noisy(10, [0.4, 0.9], [0.1, 0.2], seed=2)
    replay(TABLE, policy, Terms(feedback_rate=0.0, warm_rate=1.0, warm_full=True), warm=warm)
    assert len(policy.ratings) == 20
    assert len(policy.batches) == 20 + len(TABLE.queries)


def test_a_review_changes_what_serves_as_it_would_in_the_router() -> None:
    table = noisy(200, [0.1, 0.9], [0.1, 0.2])
    policy = build_policy(RouteSettings(policy="tier-rules"), Settings(models=profiles(table)))
    trace = replay(table, policy)
    assert [(change.previous, change.current) for change in trace.standings] == [("cheap", "premium")]
    assert all(isinstance(change, StandingChange) for change in trace.standings)
    assert [trace.models[step.greedy] for step in trace.steps][::199] == ["m0", "m1"]


def test_where_tokens_are_unknown_as_many_are_told_of_as_the_cost_buys_at_the_listed_price() -> None:
    dear = outcomes([("t", [(1.0, 0.1), (1.0, cost)]) for cost in (0.1, 0.3)])
    assert [model.price for model in profiles(dear)] == [
        Price(0.0, 0.1 / USUAL_COMPLETION_TOKENS * 1e6),
        Price(0.0, 0.2 / USUAL_COMPLETION_TOKENS * 1e6),
    ]
    policy = always("m1")
    replay(dear, policy)
    shown = [event for batch in policy.batches for event in batch if isinstance(event, Outcome)]
    assert {(o.prompt_tokens, o.completion_tokens, o.cost_usd, o.latency_ms) for o in shown} == {
        (0, USUAL_COMPLETION_TOKENS // 2, 0.1, 0.0),
        (0, USUAL_COMPLETION_TOKENS * 3 // 2, 0.3, 0.0),
    }


def test_what_neither_table_nor_price_tells_is_not_made_up() -> None:
    free = Recorded(1.0, 0.0)
    assert tokens_of(free, Price(0.0, 0.0)) == (None, None)
    assert tokens_of(free, None) == (None, None)
    assert tokens_of(Recorded(1.0, None), Price(0.0, 1.0)) == (None, None)
    assert tokens_of(Recorded(1.0, 0.5, None, 7, 9), Price(0.0, 1.0)) == (7, 9)


def test_a_model_that_is_not_there_does_nothing() -> None:
    with pytest.raises(ValueError, match="model 1 is not there"):
        offered((TABLE.queries[0].recorded[0], None), 1)


def test_ratings_fade_by_how_many_came_after_them() -> None:
    policy = always("m0")
    replay(noisy(HALF_LIFE_LABELS + 1, [0.5], [0.1]), policy)
    ticks = [rating.label.tick for rating in policy.ratings]
    assert ticks[0] == 0.0
    assert ticks[-1] == pytest.approx(1.0)


def test_learning_is_by_segment() -> None:
    table = outcomes([("a", [(1.0, 0.1)]), ("b", [(0.0, 0.1)])])
    policy = always("m0")
    replay(table, policy)
    knowledge = policy.situations[-1].knowledge
    assert len(knowledge.outcomes(segment_model_key(stage_segment("evaluate", "a"), "m0"))) == 1
