"""Feedback on its way in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from support.routing import bench
from tiercel.domain.errors import InvalidInput
from tiercel.domain.request import RequestContext
from tiercel.services.rating.intake import FeedbackIntake, FeedbackRequest

REVIEW = RequestContext(workflow="review", stage="analysis")


def test_a_rating_sent_again_is_the_same_whoever_answered_in_between() -> None:
    with bench() as b:
        decision = b.router.decide(REVIEW)
        rating = FeedbackRequest(id="mine", decision_id=decision.id, quality=0.4, source="user:1")
        b.intake.send([rating])[1].result(10)
        b.learner.record(b.router.outcome(decision, success=True, latency_ms=9.0, model="large"))
        assert b.intake.send([rating])[1].result(10).conflicts == ()
        for other in (
            replace(rating, quality=0.5),
            replace(rating, source="user:2"),
            replace(rating, metadata={"a": 1}),
        ):
            assert b.intake.send([other])[1].result(10).conflicts == ("mine",)


@pytest.mark.parametrize("retention_s", [1e12, float("inf")])
def test_feedback_may_be_kept_for_ever(retention_s: float) -> None:
    with bench() as b:
        intake = FeedbackIntake(b.router, b.learner, retention_s=retention_s)
        long_ago = b.clock.now() - timedelta(days=10_000)
        given = FeedbackRequest(quality=1, workflow="w", stage="s", tier="cheap", given_at=long_ago)
        assert intake.prepare(given).recorded_at == long_ago


@pytest.mark.parametrize("quality", [None, "0.5", True, -0.1, 1.1, float("nan"), float("inf"), 10**400])
def test_what_is_no_quality_is_refused(quality: float) -> None:
    with bench() as b, pytest.raises(InvalidInput, match="quality"):
        b.intake.prepare(FeedbackRequest(quality=quality, workflow="w", stage="s", tier="cheap"))
