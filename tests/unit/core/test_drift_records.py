"""What is watched of an event, and a shift in the log and in words."""

import math
from dataclasses import replace

import pytest

from support.happenings import REVIEW, at, feedback
from tiercel.core.beliefs.forgetting import EVERYWHERE, Metric
from tiercel.core.beliefs.level import Span
from tiercel.core.beliefs.shift import Shift, State
from tiercel.core.drift_records import breach_of, in_words, key_of, samples_of, shift_of, standing_of
from tiercel.domain.alerts import AlertKey, AlertType, Severity
from tiercel.domain.events import CLIENT_LEFT, Label, Outcome, Rating

SINCE_US = round(at(60).timestamp() * 1e6)
LATENCY = Shift(
    metric=Metric.LATENCY,
    segment=REVIEW,
    model_id="small",
    state=State.DRIFTED,
    size=2.5,
    before=Span(math.log(410), math.log(400), math.log(420), 900),
    after=Span(math.log(815), math.log(770), math.log(860), 26),
    samples=26,
    since_us=SINCE_US,
    at_us=SINCE_US + 30_000_000,
    turns=1,
)
QUALITY = replace(
    LATENCY,
    metric=Metric.QUALITY,
    segment=EVERYWHERE,
    size=-1.5,
    before=Span(0.81, 0.79, 0.83, 300),
    after=Span(0.98, 0.9, 1.06, 20),
)
COST = replace(QUALITY, metric=Metric.COST, before=Span(math.log(0.002), -6.3, -6.1, 50), size=1.0)


def call(**changes: object) -> Outcome:
    made = Outcome(
        decision_id="d1",
        recorded_at=at(0),
        segment=REVIEW,
        model="small",
        tier="cheap",
        success=True,
        latency_ms=200.0,
        prompt_tokens=500,
        completion_tokens=250,
        cost_usd=0.0015,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_latency_and_cost_of_a_call_are_watched_as_logarithms() -> None:
    latency, cost = samples_of(call())
    assert (latency.metric, cost.metric) == (Metric.LATENCY, Metric.COST)
    assert math.exp(latency.value) == pytest.approx(200.0)
    assert math.exp(cost.value) == pytest.approx(0.0015)


def test_a_longer_prompt_is_no_other_cost_and_a_longer_answer_is() -> None:
    def cost_of(prompt: int, completion: int) -> float:
        usd = (prompt + 4 * completion) / 1e6
        return samples_of(call(prompt_tokens=prompt, completion_tokens=completion, cost_usd=usd))[1].value

    assert cost_of(8_000, 250) == pytest.approx(cost_of(500, 250))
    assert cost_of(500, 1_000) > cost_of(500, 250) + 0.8


def test_a_call_that_failed_or_that_nobody_waited_for_says_nothing() -> None:
    assert samples_of(call(success=False, error="timeout")) == []
    assert samples_of(call(error=CLIENT_LEFT)) == []


def test_what_costs_nothing_or_is_not_priced_is_watched_for_its_latency() -> None:
    for cost in (None, 0.0):
        assert [sample.metric for sample in samples_of(call(cost_usd=cost))] == [Metric.LATENCY]
    assert len(samples_of(call(prompt_tokens=None))) == 2


def test_ratings_count_that_are_heard_and_new() -> None:
    given = replace(feedback("f1", 0.4), label=Label(expected=0.7))
    (sample,) = samples_of(given)
    assert (sample.metric, sample.value, sample.expected) == (Metric.QUALITY, 0.4, 0.7)
    revised = Rating(0.9, at(0), "cheap", "small")
    for silent in (
        replace(given, model=""),
        replace(given, label=Label(weight=0.0)),
        replace(given, replaces=revised),
    ):
        assert samples_of(silent) == []


@pytest.mark.parametrize("shift", [LATENCY, QUALITY, COST, replace(COST, state=State.BACK)])
def test_the_log_gives_back_what_it_was_told(shift: Shift) -> None:
    standing = standing_of(shift, State.STEADY, 1)
    assert shift_of(standing) == shift
    assert standing.segment == ((*REVIEW, "model", "small") if shift.segment else ("model", "small"))


def test_words() -> None:
    assert in_words(LATENCY) == (
        "Latency of small in review/analysis rose from 410 ms (400 to 420) to 815 ms (770 to 860): "
        f"26 calls since {at(60):%Y-%m-%d %H:%M:%S} UTC"
    )
    assert in_words(QUALITY).startswith("Quality of small fell from 0.81 (0.79 to 0.83) to 0.98 (0.90 to 1.00): 26 rat")
    assert in_words(replace(COST, state=State.BACK)).startswith("Cost of small is back at its level before, $0.002 a")
    assert "is taken to be usual at" in in_words(replace(LATENCY, state=State.SETTLED))


def test_what_is_worse_is_a_warning_and_what_is_better_is_told() -> None:
    breach = breach_of(LATENCY)
    assert (breach.severity, breach.message) == (Severity.WARNING, in_words(LATENCY))
    assert breach.metric_value == pytest.approx(815.0)
    assert breach.threshold_value == pytest.approx(410.0)
    severities = [breach_of(replace(shift, size=-shift.size)).severity for shift in (LATENCY, QUALITY, COST)]
    assert severities == [Severity.INFO] * 3
    assert breach_of(QUALITY).severity is Severity.WARNING
    assert key_of(LATENCY) == AlertKey(AlertType.DRIFT, "small", REVIEW, "latency")
