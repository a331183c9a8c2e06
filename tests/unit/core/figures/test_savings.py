from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from support.happenings import at
from tiercel.core.figures.readings import Books, books
from tiercel.core.figures.savings import REST, Savings, best_of, savings
from tiercel.core.figures.tallies import Tally
from tiercel.core.figures.windows import recent
from tiercel.core.statistics.fold import fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import Price
from tiercel.domain.events import Event, Feedback, Outcome
from tiercel.domain.performance import TimeRange
from tiercel.domain.request import Segment, agent_segment, stage_segment

HERE, THERE = stage_segment("w", "here"), stage_segment("w", "there")
NOW_S = at(24 * 3600).timestamp()
ORDER = ("small", "middle", "large")


def call(number: int, model: str, cost_usd: float | None, *, segment: Segment = HERE, tokens: int = 100) -> Outcome:
    return Outcome(
        decision_id=f"dec_{number}",
        recorded_at=at(number % 86_000),
        segment=segment,
        model=model,
        tier="cheap",
        success=True,
        latency_ms=10.0,
        prompt_tokens=tokens,
        completion_tokens=tokens,
        cost_usd=cost_usd,
    )


def rating(number: int, model: str, quality: float, *, segment: Segment = HERE) -> Feedback:
    return Feedback(
        id=f"f_{segment}_{model}_{number}",
        recorded_at=at(number % 86_000),
        segment=segment,
        tier="cheap",
        quality=quality,
        model=model,
    )


def ratings(model: str, quality: float, count: int = 20, *, segment: Segment = HERE) -> list[Event]:
    return [rating(n, model, quality, segment=segment) for n in range(count)]


def read(events: Iterable[Event]) -> Books:
    knowledge = Knowledge()
    knowledge.add(fold(events))
    knowledge.compact(NOW_S)
    window = recent(TimeRange.LAST_24_HOURS, NOW_S)
    return knowledge.look(lambda state: books(state, window, window))


def saved(events: Iterable[Event], price: Callable[[str], Price | None] = lambda _: None) -> Savings:
    found = read(events)
    result = savings(found.cells, found.whole, price)
    assert isinstance(result, Savings), result
    return result


def why_not(events: Iterable[Event]) -> str:
    found = read(events)
    result = savings(found.cells, found.whole, lambda _: None)
    assert isinstance(result, str)
    return result


def test_nothing_is_invented() -> None:
    assert why_not([]) == "no call in this time"
    assert why_not([call(1, "small", None)]) == "no call of this time has a known cost"
    assert "10 ratings" in why_not([call(1, "small", 0.1), *ratings("small", 0.9, 9)])
    assert "was not called" in why_not([call(1, "small", 0.1), *ratings("small", 0.5), *ratings("large", 0.9)])


def test_by_the_best_models_own_calls_in_the_segment() -> None:
    calls = [call(n, "small", 0.01) for n in range(30)] + [call(n, "large", 0.10) for n in range(100, 110)]
    result = saved([*calls, *ratings("small", 0.6), *ratings("large", 0.9)])
    assert result.usd == pytest.approx(30 * 0.09)
    assert result.low_usd == pytest.approx(2.7), "its calls never differ"
    assert result.high_usd == pytest.approx(2.7)
    assert result.share == pytest.approx(30 * 0.09 / (40 * 0.10))
    assert (result.against, result.requests) == ({"large": 40}, 40)
    assert result.estimated_from == {"segment": 30, "model": 0, "price": 0}
    assert result.quality_difference is not None
    assert result.quality_difference.mean == pytest.approx(30 / 40 * -0.3)
    assert result.quality_difference.low < 30 / 40 * -0.3 < result.quality_difference.high


def test_else_by_all_its_calls_and_else_by_its_price() -> None:
    rated = [*ratings("small", 0.6), *ratings("large", 0.9)]
    elsewhere = [call(n, "large", 0.10, segment=THERE) for n in range(100, 110)]
    result = saved([call(1, "small", 0.01), *elsewhere, *rated])
    assert result.usd == pytest.approx(0.09)
    assert result.estimated_from["model"] == 1
    result = saved([call(1, "small", 0.01), *rated], {"large": Price(100.0, 300.0)}.get)
    assert result.usd == pytest.approx(0.04 - 0.01)
    assert result.estimated_from["price"] == 1
    assert result.low_usd is result.high_usd is None
    assert "price" in (result.interval_reason or "")


def test_calls_that_failed_do_not_make_the_best_ones_answers_shorter() -> None:
    rated = [*ratings("small", 0.6), *ratings("large", 0.9)]
    failed = [
        replace(call(n, "small", None), success=False, prompt_tokens=None, completion_tokens=None)
        for n in range(50, 60)
    ]
    result = saved([call(1, "small", 0.01), *failed, *rated], {"large": Price(100.0, 300.0)}.get)
    assert result.usd == pytest.approx(0.04 - 0.01)
    assert result.requests == 1


def test_a_best_model_that_nothing_was_compared_with_is_not_named() -> None:
    there = [call(1, "dear", None, segment=THERE), *ratings("dear", 0.9, segment=THERE)]
    here = [call(2, "small", 0.01), call(3, "large", 0.1), *ratings("small", 0.6), *ratings("large", 0.9)]
    assert saved([*there, *here]).against == {"large": 2}


def test_one_call_of_the_best_model_is_no_interval() -> None:
    result = saved([call(1, "small", 0.01), call(2, "large", 0.1), *ratings("small", 0.6), *ratings("large", 0.9)])
    assert result.usd == pytest.approx(0.09)
    assert result.low_usd is None
    assert "once only" in (result.interval_reason or "")


def test_each_segment_has_its_own_best_model_and_agents_are_counted() -> None:
    agent = agent_segment("a")
    events: list[Event] = []
    for segment, best in ((HERE, "large"), (THERE, "small"), (agent, "large")):
        events += [call(n, "small", 0.01, segment=segment) for n in range(10)]
        events += [call(n, "large", 0.10, segment=segment) for n in range(20, 30)]
        for model in ("small", "large"):
            events += ratings(model, 0.9 if model == best else 0.4, segment=segment)
    result = saved(events)
    # with the agent and here 10 small calls each save .09; there 10 large ones cost .09 more than the best
    assert result.usd == pytest.approx(0.9)
    assert result.against == {"large": 40, "small": 20}
    assert result.requests == 60
    assert set(read(events).cells) == {HERE, THERE, REST}


def test_the_best_has_the_highest_lower_bound_not_the_highest_mean() -> None:
    found = read([*ratings("small", 0.95, 10), *ratings("large", 0.92, 500), *ratings("middle", 1.0, 9)])
    assert best_of(found.whole) == "large"
    assert best_of({"none": Tally()}) is None


def test_of_very_many_segments_all_are_looked_at_as_one() -> None:
    events: list[Event] = []
    for number in range(501):
        segment = stage_segment("w", str(number))
        events += [call(number, "small", 0.01, segment=segment), call(number, "large", 0.1, segment=segment)]
    result = saved([*events, *ratings("small", 0.5), *ratings("large", 0.9)])
    assert result.usd == pytest.approx(501 * 0.09)
    assert result.requests == 1002
    assert set(read(events).cells) == {REST}


def simulated(seed: int) -> tuple[float, list[Event]]:
    """Calls drawn by a mixture in three segments, what each would have cost on the best model, and ratings."""
    draw = random.Random(seed)
    events: list[Event] = []
    truth = 0.0
    for place, segment in enumerate((HERE, THERE, agent_segment("a"))):
        means = (0.001, 0.004, 0.02 * (1 + place))
        for number in range(draw.randint(20, 400)):
            # costs depend on the request: what is long for one model is long for the other
            length = draw.lognormvariate(0, 0.7)
            costs = [mean * length * draw.lognormvariate(0, 0.3) for mean in means]
            chosen = draw.choices(range(3), (0.75, 0.1, 0.15))[0]
            truth += costs[2] - costs[chosen]
            at_s = draw.randrange(80_000)
            events.append(call(at_s + 86_000 * number, ORDER[chosen], costs[chosen], segment=segment))
        for model, quality in zip(ORDER, (0.5, 0.7, 0.9), strict=True):
            events += ratings(model, quality, 30, segment=segment)
    return truth, events


def test_the_interval_covers_what_would_have_been_saved() -> None:
    covered = 0
    for seed in range(200):
        truth, events = simulated(seed)
        result = saved(events)
        assert result.against.keys() == {"large"}
        assert result.low_usd is not None
        assert result.high_usd is not None
        covered += result.low_usd <= truth <= result.high_usd
    assert covered >= 0.9 * 200
