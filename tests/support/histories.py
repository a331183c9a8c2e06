"""Strategies for events: few ids, decisions and sources, so that ids repeat and sources change their mind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from support.happenings import MODELS, SEGMENTS, alert, decision, feedback, outcome, signal, standing
from tiercel.domain.events import Event, Feedback, Label, Outcome
from tiercel.domain.request import Segment

labels = st.builds(
    lambda vector, expected, tick, weight, era: Label(
        vector, "text-1" if vector else "", expected, tick=tick, weight=weight, era=era
    ),
    st.sampled_from([(), (0.0, 1.5, -0.25), (3.0, 0.0, 2.75)]),
    st.sampled_from([None, 0.5]),
    st.sampled_from([0.0, 0.5, 3.25, 70.0, 140.5]),
    st.sampled_from([1.0, 1.0, 0.0]),
    st.sampled_from([0, 0, 1]),
)
"""What learning needs to know, in one basis, half-lives apart and over two eras."""


def ratings(numbers: st.SearchStrategy[int], seconds: st.SearchStrategy[float]) -> st.SearchStrategy[Feedback]:
    """Ratings, most of them of few decisions by few sources."""

    def build(feedback_id: str, about: int | None, segment: Segment, label: Label, **rest: Any) -> Feedback:  # noqa: ANN401
        if about is None:
            rating = feedback(feedback_id, segment=segment, **rest)
        else:
            segment = SEGMENTS[about % len(SEGMENTS)]
            rating = feedback(feedback_id, segment=segment, decision_id=f"dec_{about}", **rest)
        return replace(rating, label=label)

    return st.builds(
        build,
        numbers.map("feedback_{}".format),
        st.none() | st.integers(0, 5),
        st.sampled_from(SEGMENTS),
        quality=st.sampled_from([0.0, 0.25, 0.3, 0.7, 1.0]),
        seconds=seconds,
        tier=st.sampled_from(("cheap", "capable", "premium")),
        model=st.sampled_from(("", *MODELS)),
        source=st.sampled_from(["", "user:1", "user:2"]),
        label=labels,
    )


def outcomes(numbers: st.SearchStrategy[int], seconds: st.SearchStrategy[float]) -> st.SearchStrategy[Outcome]:
    """Outcomes of few decisions."""
    return st.builds(
        lambda number, second, model, success, latency_ms, agent_id, label: replace(
            outcome(
                number,
                seconds=second,
                segment=SEGMENTS[number % len(SEGMENTS)],
                model=model,
                success=success,
                latency_ms=latency_ms,
                agent_id=agent_id,
                completion_id=f"cmpl_{number}",
            ),
            label=label,
        ),
        numbers,
        seconds,
        st.sampled_from(MODELS),
        st.booleans(),
        st.sampled_from([0.0, 0.5, 80.0, 1234.5, 1e9]),
        st.sampled_from(["", "a", "z"]),
        labels,
    )


def events(*, numbers: int = 30, seconds: st.SearchStrategy[float] | None = None) -> st.SearchStrategy[Event]:
    """Anything that happens, in any order."""
    number = st.integers(0, numbers)
    second = seconds if seconds is not None else st.integers(0, 40 * 86_400).map(float)
    return st.one_of(
        ratings(number, second),
        ratings(number, second),
        outcomes(number, second),
        st.builds(lambda n, s: decision(n, seconds=s, segment=SEGMENTS[n % len(SEGMENTS)]), number, second),
        st.builds(lambda n, s: standing(n, seconds=s, segment=SEGMENTS[n % 3]), number, second),
        st.builds(lambda n, s: alert(n, seconds=s), number, second),
        st.builds(lambda n, s: alert(n, seconds=s, resolved_s=s + 1), number, second),
        st.builds(lambda n, s: signal(n, seconds=s, to_agent=("", "a", "z")[n % 3]), number, second),
    )
