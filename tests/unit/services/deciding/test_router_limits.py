"""Hard limits where decisions are made: excluded with a reason, and nobody left is an error that says so."""

from __future__ import annotations

import pytest

from tiercel import Router
from tiercel.config.settings import RouteSettings, Settings
from tiercel.domain.catalogue import ModelProfile, Price
from tiercel.domain.errors import NoEligibleModel

MODELS = (
    ModelProfile(model_id="small", tier="cheap", price=Price(1.0, 2.0)),
    ModelProfile(model_id="large", tier="premium", price=Price(100.0, 200.0)),
)


def settings(max_cost_usd: float) -> Settings:
    return Settings(models=MODELS, routes=(RouteSettings(max_cost_usd=max_cost_usd),))


def test_who_is_too_dear_is_a_candidate_with_its_reason() -> None:
    with Router(settings=settings(0.01)) as router:
        decision = router.decide("w", "s", prompt_tokens=100)
    reasons = {c.model_id: c.excluded for c in decision.proposal.candidates}
    assert decision.model == "small"
    assert decision.propensity == 1.0
    assert reasons["small"] is None
    assert reasons["large"] is not None
    assert "more than the limit of $0.01" in reasons["large"]


def test_where_nobody_is_cheap_enough_nobody_serves() -> None:
    with Router(settings=settings(1e-9)) as router, pytest.raises(NoEligibleModel, match="limit"):
        router.decide("w", "s", prompt_tokens=100)
