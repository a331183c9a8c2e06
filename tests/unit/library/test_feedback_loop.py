from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiercel import bootstrap
from tiercel.adapters.memory_store import MemoryStore
from tiercel.domain.errors import InvalidInput, StoreUnavailable
from tiercel.library import feedback_loop
from tiercel.library.feedback_loop import FeedbackLoop
from tiercel.testing import ManualClock


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("TIERCEL_STORE", raising=False)
    feedback_loop._say_that_memory_forgets.cache_clear()
    yield
    feedback_loop._say_that_memory_forgets.cache_clear()


def test_it_works_with_no_server_and_says_once_that_memory_forgets(caplog: pytest.LogCaptureFixture) -> None:
    first, second = FeedbackLoop(), FeedbackLoop()
    feedback_id = first.record_feedback("w", "s", "cheap", 0.8)
    assert feedback_id.startswith("feedback_")
    made_at, chance = 6, 16  # bytes: milliseconds since the epoch, then 128 random bits
    assert len(bytes.fromhex(feedback_id.removeprefix("feedback_"))) == made_at + chance
    assert first.get_feedback_history("w", "s")[0].feedback_id == feedback_id
    assert second.get_feedback_history("w", "s") == []
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "feedback is kept in memory and will not outlive this process; to keep it, set"
        ' TIERCEL_STORE=sqlite:///feedback.db or give FeedbackLoop(store="sqlite:///feedback.db")'
    )


def test_a_store_that_is_asked_for_needs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    with FeedbackLoop("memory://") as loop:
        assert loop.record_feedback("w", "s", "cheap", 0.8)
    assert caplog.records == []


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_file_is_found_by_argument_or_variable(
    *, by_variable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path / 'feedback.db'}"
    if by_variable:
        monkeypatch.setenv("TIERCEL_STORE", url)
    with FeedbackLoop(None if by_variable else url) as loop:
        loop.record_feedback("w", "s", "premium", 0.25, {"tokens": 3})
    with FeedbackLoop(url) as again:
        (entry,) = again.get_feedback_history("w", "s")
    assert (entry.tier, entry.quality_score, entry.metadata) == ("premium", 0.25, {"tokens": 3})
    assert caplog.records == []


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("TIERCEL_STORE", " ")
    FeedbackLoop()
    assert "will not outlive" in caplog.text


def test_a_url_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(InvalidInput, match="postgres://"):
        FeedbackLoop("postgres://localhost")


def test_a_store_of_its_own_is_closed_and_a_shared_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[MemoryStore] = []

    def close(store: MemoryStore) -> None:
        closed.append(store)

    monkeypatch.setattr(MemoryStore, "close", close)
    store = bootstrap.open_store("memory://")
    with FeedbackLoop(store) as loop:
        loop.record_feedback("w", "s", "cheap", 0.8)
    assert closed == []
    assert len(FeedbackLoop(store).get_feedback_history("w", "s")) == 1
    own = FeedbackLoop("memory://")
    own.close()
    own.close()
    assert len(closed) == 1


def test_settings_reach_the_loop() -> None:
    clock = ManualClock()
    loop = FeedbackLoop(
        "memory://",
        tiers=("small", "large"),
        MIN_SAMPLES=1,
        per_workflow={"w": {"QUALITY_THRESHOLD": 0.9}},
        clock=clock,
        new_id=lambda: "feedback_mine",
    )
    assert loop.record_feedback("w", "s", "small", 0.85) == "feedback_mine"
    assert loop.recommend_tier("w", "s").reason == "Low quality (0.85) - upgrade to large tier"
    assert loop.recommend_tier("w", "t").recommended_tier == "small"
    assert (loop.MIN_SAMPLES, FeedbackLoop.MIN_SAMPLES) == (1, 10)


def test_what_waits_is_delivered_when_the_loop_goes_away_unclosed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "tiercel.feedback")  # a captured record would keep the loop alive
    store = bootstrap.open_store("memory://")
    loop = FeedbackLoop(store)

    def away(*_: object) -> None:
        raise StoreUnavailable("pulled out")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "append", away)
        loop.record_feedback("w", "s", "cheap", 0.8)
    del loop
    gc.collect()
    assert len(store.feedback_history("w", "s", None, 10)) == 1
