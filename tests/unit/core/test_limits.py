"""Who exceeds a hard limit does not serve, and is told why; who recovered is asked again."""

from __future__ import annotations

import pytest

from support.happenings import REVIEW, at
from tiercel.core.limits import FEWEST, RETRY_S, Limits
from tiercel.core.statistics.fold import fold, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile, Price
from tiercel.domain.events import Outcome
from tiercel.domain.request import RequestContext, Segment, stage_segment

MODELS = (
    ModelProfile(model_id="small", tier="cheap", price=Price(1.0, 2.0)),
    ModelProfile(model_id="large", tier="premium", price=Price(100.0, 200.0)),
    ModelProfile(model_id="dark", tier="premium"),
)
ELSEWHERE = stage_segment("else", "where")


def calls(  # the newest of them now
    model: str, latency_ms: float, count: int = FEWEST, *, segment: Segment = REVIEW, success: bool = True
) -> list[Outcome]:
    return [
        Outcome(
            decision_id=f"{model}/{latency_ms}/{segment}/{i}",
            recorded_at=at(-i),
            segment=segment,
            model=model,
            tier="t",
            success=success,
            latency_ms=latency_ms,
        )
        for i in range(count)
    ]


def divided(
    limits: Limits, events: list[Outcome], *, later_s: float = 0.0, prompt_tokens: int = 1_000
) -> tuple[list[str], dict[str, str]]:
    knowledge = Knowledge()
    knowledge.add(fold(events))
    request = RequestContext(prompt_tokens=prompt_tokens)
    within, others = limits.divide(MODELS, request, REVIEW, knowledge, micros(at(later_s)))
    assert all(candidate.probability == 0.0 for candidate in others)
    return [m.model_id for m in within], {c.model_id: c.excluded or "" for c in others}


def test_without_limits_everybody_serves() -> None:
    assert not Limits()
    assert divided(Limits(), calls("small", 1e9)) == (["small", "large", "dark"], {})


def test_a_call_that_would_cost_too_much_is_not_made() -> None:
    limits = Limits(max_cost_usd=0.1)
    within, why = divided(limits, [])
    assert within == ["small"]
    assert why == {
        "large": "a call costs about $0.16, more than the limit of $0.1",
        "dark": "its price is unknown, and a call may cost at most $0.1",
    }
    assert divided(limits, [], prompt_tokens=0)[0] == ["small", "large"]
    assert "small" not in divided(limits, [], prompt_tokens=200_000)[0]


def test_nobody_may_be_left() -> None:
    knowledge = Knowledge()
    within, why = Limits(max_cost_usd=1e-9).divide(MODELS[:2], RequestContext(), REVIEW, knowledge, micros(at(0)))
    assert within == ()
    assert [candidate.model_id for candidate in why] == ["small", "large"]


def test_who_is_too_slow_does_not_serve_until_its_answers_are_old() -> None:
    limits = Limits(max_latency_ms=500)
    events = calls("small", 900) + calls("large", 400)
    within, why = divided(limits, events)
    assert within == ["large", "dark"]
    assert why == {"small": "95 of 100 answers take 900 ms, the limit is 500 ms"}
    assert divided(limits, events, later_s=RETRY_S - FEWEST)[0] == ["large", "dark"]
    assert divided(limits, events, later_s=RETRY_S + 1)[0] == ["small", "large", "dark"]


@pytest.mark.parametrize(("count", "excluded"), [(FEWEST - 1, False), (FEWEST, True)])
def test_few_answers_prove_nothing(count: int, excluded: bool) -> None:  # noqa: FBT001 - a table's column
    assert ("small" in divided(Limits(max_latency_ms=500), calls("small", 900, count))[1]) == excluded


@pytest.mark.parametrize(("slow", "excluded"), [(3, False), (8, True)])
def test_one_answer_in_twenty_may_be_late(slow: int, excluded: bool) -> None:  # noqa: FBT001 - likewise
    events = calls("small", 100, 100) + calls("small", 900, slow)
    assert ("small" in divided(Limits(max_latency_ms=500), events)[1]) == excluded


def test_failures_are_not_answers() -> None:
    assert divided(Limits(max_latency_ms=500), calls("small", 900, 40, success=False))[1] == {}


def test_where_a_model_did_not_answer_here_what_it_does_elsewhere_counts() -> None:
    limits = Limits(max_latency_ms=500)
    assert "small" in divided(limits, calls("small", 900, segment=ELSEWHERE))[1]
    both = calls("small", 900, 200, segment=ELSEWHERE) + calls("small", 100)
    assert divided(limits, both)[1] == {}


def test_where_nobody_is_fast_enough_the_fastest_serves() -> None:
    limits = Limits(max_latency_ms=100)
    events = calls("small", 900) + calls("large", 400) + calls("dark", 5_000)
    within, why = divided(limits, events)
    assert within == ["large"]
    assert set(why) == {"small", "dark"}
    dear = Limits(max_latency_ms=100, max_cost_usd=0.1)
    assert divided(dear, events)[0] == ["small"], "a cost limit is never exceeded"
