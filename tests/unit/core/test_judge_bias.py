"""How far a judge can be trusted: known biases are found, their absence too, and few answers give no figure."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.judge_bias import (
    MIN_ANSWERS,
    Estimate,
    GradedAnswer,
    correlation,
    difference_of_means,
    graded_answers,
    judge_biases,
    mean_of,
    share,
)
from tiercel.domain.events import Feedback

qualities = st.floats(0, 1, allow_subnormal=False)
many = st.lists(qualities, min_size=MIN_ANSWERS, max_size=60)


def rating(source: str, quality: float, decision_id: str = "d1", **metadata: object) -> Feedback:
    return Feedback(
        id=f"{decision_id}/{source}",
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        segment=("stage", "w", "s"),
        tier="cheap",
        model="small",
        quality=quality,
        decision_id=decision_id,
        source=source,
        metadata=metadata,
    )


def answers(
    count: int, seed: int, *, lenient: float = 0.0, own: float = 0.0, per_token: float = 0.0
) -> list[GradedAnswer]:
    """Answers a judge "j" and others see alike, but for noise and what the judge adds."""
    chance = random.Random(seed)
    made = []
    for n in range(count):
        quality, tokens = chance.gauss(0.6, 0.1), chance.randrange(10, 200)
        model = "j" if n % 2 else "other"
        grade = quality + chance.gauss(lenient, 0.05) + own * (model == "j") + per_token * tokens
        made.append(GradedAnswer("j", model, grade, quality + chance.gauss(0, 0.05), tokens))
    return made


def test_grades_stand_beside_what_others_said_of_the_same_decision() -> None:
    found = graded_answers(
        [
            rating("judge:j", 0.8, completion_tokens=12),
            rating("user:1", 0.5),
            rating("user:2", 0.6),
            rating("judge:j", 0.4, "d2", completion_tokens=None),
            rating("judge:k", 0.5, "d2"),
            rating("user:1", 0.1, "d3"),
            rating("user:1", 0.2, ""),
            rating("judge:j", 0.2, ""),
        ]
    )
    assert found == [
        GradedAnswer("j", "small", 0.8, 0.55, 12),
        GradedAnswer("j", "small", 0.4),
        GradedAnswer("k", "small", 0.5),
    ]
    assert [bias.judge for bias in judge_biases(found)] == ["j", "k"]


def test_planted_biases_are_found_and_no_others() -> None:
    (fair,) = judge_biases(answers(400, 1))
    assert fair.difference.interval is not None
    assert fair.difference.interval[0] < 0 < fair.difference.interval[1]
    assert fair.self_preference.interval is not None
    assert fair.self_preference.interval[0] < 0 < fair.self_preference.interval[1]
    assert fair.length.interval is not None
    assert fair.length.interval[0] < 0 < fair.length.interval[1]
    assert fair.agreement.value is not None
    assert 0.7 < fair.agreement.value < 0.9
    (lenient,) = judge_biases(answers(400, 2, lenient=0.1))
    assert lenient.difference.value == pytest.approx(0.1, abs=0.02)
    assert lenient.self_preference.value == pytest.approx(0.0, abs=0.03)
    (vain,) = judge_biases(answers(400, 3, own=0.1))
    assert vain.self_preference.value == pytest.approx(0.1, abs=0.03)
    (wordy,) = judge_biases(answers(400, 4, per_token=0.002))
    assert wordy.length.interval is not None
    assert wordy.length.interval[0] > 0.5


def test_the_intervals_cover() -> None:
    """95 % of them; of 400 each, 92 % is three standard errors less."""
    chance = random.Random(5)
    hits = {"mean": 0, "difference": 0, "correlation": 0, "share": 0}
    for _ in range(400):
        first = [chance.gauss(1, 1) for _ in range(25)]
        second = [chance.gauss(0, 3) for _ in range(12)]
        echo = [0.6 * x + 0.8 * chance.gauss(0, 1) for x in first]
        drawn = sum(chance.random() < 0.3 for _ in range(40))
        hits["mean"] += covers(mean_of(first), 1.0)
        hits["difference"] += covers(difference_of_means(first, second), 1.0)
        hits["correlation"] += covers(correlation([x - 1 for x in first], echo), 0.6)
        hits["share"] += covers(share(drawn, 40), 0.3)
    assert min(hits.values()) >= 0.92 * 400, hits


def covers(estimate: Estimate, truth: float) -> bool:
    assert estimate.interval is not None
    return estimate.interval[0] <= truth <= estimate.interval[1]


@given(st.integers(0, MIN_ANSWERS - 1))
def test_few_answers_give_no_figure_but_say_how_few(count: int) -> None:
    few = answers(count, 6)
    note = f"not enough data (n = {count})"
    assert mean_of([a.grade for a in few]).to_dict() == {"n": count, "note": note}
    assert correlation([a.grade for a in few], [a.grade for a in few]).note == note
    assert share(0, count).note == note
    for bias in judge_biases(few):
        assert {bias.difference.note, bias.agreement.note, bias.length.note} == {note}
        assert bias.self_preference.note.startswith("not enough data (n = ")


def test_a_judge_that_nobody_contradicts_has_no_agreement_to_show() -> None:
    (bias,) = judge_biases([replace(a, others=None) for a in answers(50, 7)])
    plain = bias.to_dict()
    assert plain["agreement"] == plain["difference"] == {"n": 0, "note": "not enough data (n = 0)"}
    assert plain["self_preference"] == {"n": 0, "note": "not enough data (n = 0 and 0)"}
    assert plain["length"]["n"] == plain["grades"] == 50


def test_a_judge_of_other_models_only_cannot_prefer_itself() -> None:
    (bias,) = judge_biases([replace(a, model="other") for a in answers(50, 8)])
    assert bias.self_preference.note == "not enough data (n = 0 and 50)"


@given(qualities, st.integers(MIN_ANSWERS, 60))
def test_equal_grades_correlate_with_nothing(grade: float, count: int) -> None:
    estimate = correlation([grade] * count, [float(n) for n in range(count)])
    assert estimate.to_dict() == {"n": count, "note": f"no variation (n = {count})"}


@given(many, st.randoms(use_true_random=False))
def test_correlation_is_bounded_symmetric_and_blind_to_scale(first: list[float], chance: random.Random) -> None:
    second = [chance.random() for _ in first]
    estimate = correlation(first, second)
    if estimate.value is None or estimate.interval is None:
        return
    assert -1 <= estimate.interval[0] <= estimate.value <= estimate.interval[1] <= 1
    assert correlation(second, first).value == pytest.approx(estimate.value, abs=1e-9)
    assert correlation(first, [3 - 2 * y for y in second]).value == pytest.approx(-estimate.value, abs=1e-6)


@given(st.integers(MIN_ANSWERS, 500), st.data())
def test_a_share_lies_in_its_interval(count: int, data: st.DataObject) -> None:
    estimate = share(data.draw(st.integers(0, count)), count)
    assert estimate.interval is not None
    assert estimate.value is not None
    assert 0 <= estimate.interval[0] <= estimate.value <= estimate.interval[1] <= 1
