"""Answering changes from code: with threads, with tasks, and by one process of several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from support.worlds import THREE_TIERS
from tiercel.config.settings import RouteSettings, Settings, StoreSettings
from tiercel.domain.changes import Change
from tiercel.domain.errors import AlreadyDecided, InvalidInput, NotFound
from tiercel.library.router import AsyncRouter, Router
from tiercel.services.rating.intake import FeedbackRequest

ROUTE = RouteSettings(match="*", policy="tier-rules", changes="approval")


def settings_in(folder: Path, route: RouteSettings = ROUTE) -> Settings:
    store = StoreSettings(url=f"sqlite:///{folder / 'kept.db'}")
    return Settings(store=store, models=THREE_TIERS, routes=(route,))


def ask(router: Router | AsyncRouter) -> Change:
    """Ratings that call for a higher tier."""
    rating = FeedbackRequest(workflow="w", stage="s", tier="cheap", quality=0.2)
    router.intake.send([rating] * 20)[1].result(10)
    (asked,) = router.approvals("pending")
    return asked


def test_a_change_is_approved_from_a_thread(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with Router(settings=settings, store=settings.store.url) as router:
        asked = ask(router)
        assert router.approve(asked.id, by="ada", reason="seen").status == "approved"
        assert router.decide("w", "s").proposal.greedy == "middle"
        with pytest.raises(AlreadyDecided, match="by ada: approved by ada: seen"):
            router.reject(asked.id, reason="late")
        with pytest.raises(NotFound):
            router.approve("change_0")
        with pytest.raises(ValueError, match="maybe"):
            router.approvals("maybe")
    with Router(settings=settings, store=settings.store.url) as again:
        assert [change.decided_by for change in again.approvals()] == ["ada"]
        assert again.decide("w", "s").proposal.greedy == "middle"


async def test_a_change_is_rejected_from_a_task(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with AsyncRouter(settings=settings, store=settings.store.url) as router:
        asked = ask(router)
        with pytest.raises(InvalidInput, match="reason: is required"):
            await router.reject(asked.id, reason="")
        rejected = await router.reject(asked.id, by="grace", reason="too dear")
        assert (rejected.status, rejected.note) == ("rejected", "too dear")
        assert router.decide("w", "s").proposal.greedy == "small"


async def test_a_rollout_is_stopped_from_a_task(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, replace(ROUTE, changes="rollout"))
    async with AsyncRouter(settings=settings, store=settings.store.url) as router:
        rating = FeedbackRequest(workflow="w", stage="s", tier="cheap", quality=0.2)
        router.intake.send([rating] * 20)[1].result(10)
        (rolling,) = router.approvals("rolling")
        assert rolling.share == 0.05
        stopped = await router.stop_rollout(rolling.id, by="ada", reason="not on a Friday")
        assert stopped.status == "rolled-back"


def test_a_process_without_the_routes_may_answer_and_the_next_with_them_goes_on(tmp_path: Path) -> None:
    """`tiercel approvals approve` on another machine need not have the configuration."""
    settings = settings_in(tmp_path, replace(ROUTE, changes="approval-then-rollout"))
    with Router(settings=settings, store=settings.store.url) as router:
        asked = ask(router)
    with Router(THREE_TIERS, store=settings.store.url) as elsewhere:
        assert elsewhere.approve(asked.id, by="ada").status == "approved"
    with Router(settings=settings, store=settings.store.url) as back:
        back.changes.check()
        back.learner.flush(10)
        (rolling,) = back.approvals()
        assert (rolling.status, rolling.share, rolling.decided_by) == ("rolling", 0.05, "ada")
