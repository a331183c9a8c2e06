"""A test set that was run through the gateway is a table; conversations and policies' decisions are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.happenings import REVIEW, decision, feedback, outcome
from tiercel.core.replay.table import Recorded, table_of
from tiercel.domain.decision import Decision
from tiercel.domain.events import Event
from tiercel.domain.request import Segment
from tiercel.services.deciding.router import REQUESTED
from tiercel.services.valuing.compared_models import compared_models
from tiercel.services.valuing.logged_history import history_of


def asked(number: int, model: str, session: str, *, policy: str = REQUESTED, segment: Segment = REVIEW) -> Decision:
    made = decision(number, seconds=number, segment=segment)
    return replace(made, policy=policy, model=model, session_id=session)


def answer(number: int, model: str, *qualities: float) -> list[Event]:
    rated = [
        feedback(f"f{number}/{i}", quality, decision_id=f"dec_{number}", model=model, source=f"user:{i}")
        for i, quality in enumerate(qualities)
    ]
    return [outcome(number, model=model), *rated]


def test_every_models_answer_to_a_question_is_a_row() -> None:
    events: list[Event] = []
    for number, (session, model) in enumerate([(s, m) for s in ("q1", "q2", "q3") for m in ("small", "large")]):
        events += [asked(number, model, session), *answer(number, model, 0.5, 1.0)]
    table = table_of(compared_models(history_of(events)))
    assert (sorted(table.models), [query.id for query in table.queries], table.tasks, table.incomplete) == (
        ["large", "small"],
        ["review/analysis/q1", "review/analysis/q2", "review/analysis/q3"],
        ("review/analysis",),
        0,
    )
    assert set(table.queries[0].recorded) == {Recorded(0.75, 0.000123, 120.5, 150, 80)}


@pytest.mark.parametrize(
    "events",
    [
        [],
        [asked(1, "small", "q"), *answer(1, "small", 1.0)],
        [asked(1, "small", ""), asked(2, "large", ""), *answer(1, "small", 1.0), *answer(2, "large", 1.0)],
        [
            *(asked(n, model, "chat") for n, model in enumerate(["small", "large", "small"])),
            *(event for n, model in enumerate(["small", "large"]) for event in answer(n, model, 1.0)),
        ],
        [
            asked(1, "small", "q", policy="contextual"),
            asked(2, "large", "q"),
            *answer(1, "small", 1.0),
            *answer(2, "large", 1.0),
        ],
        [
            asked(1, "small", "q"),
            asked(2, "large", "q", segment=("agent", "a")),
            *answer(1, "small", 1.0),
            *answer(2, "large", 1.0),
        ],
    ],
    ids=["nothing", "one model", "no session", "a conversation", "a policy's choice", "another stage"],
)
def test_what_is_no_comparison_is_left_out(events: list[Event]) -> None:
    assert compared_models(history_of(events)) == []


def test_what_is_not_known_of_one_is_a_hole() -> None:
    asked_each = [asked(n, model, "q") for n, model in enumerate(["small", "large", "middle"])]
    unmeasured = feedback("f0", 0.5, decision_id="dec_0")
    unrated = answer(1, "large")
    rows = compared_models(history_of([*asked_each, unmeasured, *unrated, *answer(2, "middle", 1.0)]))
    assert [(row.model, row.recorded.quality, row.recorded.cost_usd) for row in rows] == [
        ("small", 0.5, None),
        ("middle", 1.0, 0.000123),
    ]
