from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.outbox import MemoryOutbox
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.statistics.fold import fold
from tiercel.domain.catalogue import ModelTier
from tiercel.domain.errors import BufferFull, Conflict, InvalidInput, StoreUnavailable
from tiercel.domain.events import Event, Feedback
from tiercel.domain.quality import QualityStats
from tiercel.domain.request import stage_segment
from tiercel.ports import Appended, Fold
from tiercel.services.ids import new_feedback_id
from tiercel.services.rating.feedback_loop import FeedbackService
from tiercel.testing import EPOCH, ManualClock

WEEK_S = 604_800


class ObservedStore(MemoryStore):
    """A memory store that counts the ratings it hands out, and goes away when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.asked = 0
        self.ratings_read = 0

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        self._reach()
        return super().append(events, fold)

    def feedback_history(self, workflow: str, stage: str, tier: str | None, limit: int) -> Sequence[Feedback]:
        self._reach()
        ratings = super().feedback_history(workflow, stage, tier, limit)
        self.ratings_read += len(ratings)
        return ratings

    def _reach(self) -> None:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("pulled out")


def numbered() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"feedback_{next(numbers)}"


class Fixture:
    """A loop over a store of its own, and short ways to fill it."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - whatever the loop takes
        self.clock = ManualClock()
        self.store = ObservedStore()
        self.loop = FeedbackService(self.store, fold=fold, clock=self.clock, new_id=numbered(), **options)

    def rate(self, tier: str, *qualities: float, workflow: str = "w", stage: str = "s") -> None:
        for quality in qualities:
            self.clock.advance(0.001)
            assert self.loop.record_feedback(workflow, stage, tier, quality)

    def average(self, **where: str) -> float | None:
        stats = self.loop.get_quality_stats(where.get("workflow", "w"), where.get("stage", "s"))
        return None if stats is None else stats.avg_quality


@pytest.fixture
def it() -> Fixture:
    return Fixture()


def test_a_rating_is_recorded_as_given(it: Fixture) -> None:
    metadata = {"tokens": 150, "nested": {"a": [1, None]}, "source": "user:1"}
    feedback_id = it.loop.record_feedback("code-review", "analysis", ModelTier.CHEAP, 0.85, metadata=metadata)
    metadata["tokens"] = 0
    (entry,) = it.loop.get_feedback_history("code-review", "analysis")
    assert entry.to_dict() == {
        "feedback_id": feedback_id,
        "workflow_name": "code-review",
        "stage_name": "analysis",
        "tier": "cheap",
        "quality_score": 0.85,
        "timestamp": EPOCH.isoformat(),
        "metadata": {"tokens": 150, "nested": {"a": [1, None]}, "source": "user:1"},
    }
    (event,) = it.store.feedback_history("code-review", "analysis", None, 10)
    assert (event.segment, event.source, type(event.tier)) == (stage_segment("code-review", "analysis"), "user:1", str)


@pytest.mark.parametrize("source", [None, 3, ["user"], ""])
def test_a_source_that_is_no_text_stays_mere_metadata(it: Fixture, source: object) -> None:
    it.loop.record_feedback("w", "s", "cheap", 1, {"source": source})
    (event,) = it.store.feedback_history("w", "s", None, 1)
    assert event.source == ""
    assert event.metadata == {"source": source}


@pytest.mark.parametrize("score", [float("nan"), True, False, "0.8", None, -0.1, 1.5, float("inf"), [0.5]])
def test_a_score_that_is_none_is_answered_with_no_id(
    it: Fixture, score: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert it.loop.record_feedback("w", "s", "cheap", score) == ""  # type: ignore[arg-type]
    assert it.loop.get_feedback_history("w", "s") == []
    assert "quality_score must be a number in 0..1, found" in caplog.text


@pytest.mark.parametrize(("score", "expected"), [(0, 0.0), (1, 1.0), (0.0, 0.0), (1.0, 1.0)])
def test_the_ends_of_the_range_count(it: Fixture, score: float, expected: float) -> None:
    assert it.loop.record_feedback("w", "s", "cheap", score)
    assert it.average() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", "s", "cheap"), "workflow_name: must not be empty"),
        (("w", "", "cheap"), "stage_name: must not be empty"),
        (("w", None, "cheap"), "stage_name: must be a string"),
        (("w" * 257, "s", "cheap"), "workflow_name: must be at most 256 bytes"),
        (("w\ud800", "s", "cheap"), "workflow_name: must be valid Unicode"),
        (("w", "s", "ultra"), "tier: must be one of cheap, capable, premium .found 'ultra'"),
        (("w", "s", ""), "tier: must be one of cheap, capable, premium"),
        (("w", "s", None), "tier: must be one of cheap, capable, premium"),
    ],
)
def test_names_and_tiers_that_cannot_be_are_refused(it: Fixture, arguments: tuple[str, str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        it.loop.record_feedback(*arguments, 0.5)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ([1], "metadata: must be a mapping"),
        ({"at": EPOCH}, "metadata: must be JSON"),
        ({"score": float("nan")}, "metadata: must be JSON"),
        ({"text": "x" * 17_000}, "metadata: must be at most 16384 bytes"),
        ({"source": "x" * 257}, "metadata.source: must be at most 256 bytes"),
    ],
)
def test_metadata_that_no_store_could_keep_is_refused(it: Fixture, metadata: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        it.loop.record_feedback("w", "s", "cheap", 0.5, metadata)


def test_history_is_newest_first_and_limited(it: Fixture) -> None:
    it.rate("cheap", 0.1, 0.2)
    it.rate("capable", 0.3)
    it.rate("cheap", 0.4)

    def scores(tier: str | None = None, limit: int = 100) -> list[float]:
        return [entry.quality_score for entry in it.loop.get_feedback_history("w", "s", tier, limit)]

    assert scores() == [0.4, 0.3, 0.2, 0.1]
    assert scores(limit=2) == [0.4, 0.3]
    assert scores(limit=0) == []
    assert scores(tier=ModelTier.CHEAP, limit=2) == [0.4, 0.2]
    assert scores(tier="premium") == []


@pytest.mark.parametrize("limit", [-1, True, 1.5, None, "9"])
def test_a_limit_that_is_no_count_is_refused(it: Fixture, limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit: must be a whole number of at least 0"):
        it.loop.get_feedback_history("w", "s", limit=limit)


def test_stats(it: Fixture) -> None:
    assert it.loop.get_quality_stats("w", "s") is None
    it.rate("cheap", 0.9, 0.9, 0.6, 0.6)
    it.rate("premium", 1.0)
    assert it.loop.get_quality_stats("w", "s", "cheap") == QualityStats(
        "w", "s", "cheap", avg_quality=0.75, min_quality=0.6, max_quality=0.9, sample_count=4, recent_trend=-1 / 3
    )
    everything = it.loop.get_quality_stats("w", "s")
    assert everything is not None
    assert (everything.tier, everything.sample_count, everything.avg_quality) == ("all", 5, 0.8)
    assert it.loop.get_quality_stats("w", "s", "capable") is None


def test_fault_4_the_newest_100_ratings_count(it: Fixture) -> None:
    it.rate("cheap", *[0.95] * 100, *[0.30] * 100)
    for stats in (it.loop.get_quality_stats("w", "s"), it.loop.get_quality_stats("w", "s", "cheap")):
        assert stats is not None
        assert (stats.avg_quality, stats.max_quality, stats.sample_count) == (0.30, 0.30, 100)
    assert it.loop.recommend_tier("w", "s").recommended_tier == "capable"


@pytest.mark.parametrize(("age_s", "seen"), [(0, True), (WEEK_S, True), (WEEK_S + 1, False), (-3600, True)])
def test_ratings_are_seen_for_a_week(it: Fixture, *, age_s: float, seen: bool) -> None:
    it.loop.record_feedback("w", "s", "cheap", 0.5)
    it.clock.step(age_s)  # -3600: a clock set back makes no rating vanish
    assert (it.loop.get_feedback_history("w", "s") != []) is seen
    assert (it.loop.recommend_tier("w", "s").reason != "No feedback data available") is seen


@pytest.mark.parametrize(
    ("given_tier", "current", "recommended"),
    [(None, "unknown", "cheap"), ("premium", "premium", "premium"), (ModelTier.CAPABLE, "capable", "capable")],
)
def test_recommendation_without_data(it: Fixture, given_tier: str | None, current: str, recommended: str) -> None:
    it.rate("cheap", 0.5, workflow="another")
    advice = it.loop.recommend_tier("w", "s", given_tier)
    assert (advice.current_tier, advice.recommended_tier, advice.confidence, advice.reason, advice.stats) == (
        current, recommended, 0.0, "No feedback data available", {},
    )  # fmt: skip


def test_the_current_tier_is_that_of_the_newest_rating(it: Fixture) -> None:
    it.rate("premium", *[0.8] * 10)
    it.rate("cheap", 0.8)
    advice = it.loop.recommend_tier("w", "s")
    assert (advice.current_tier, advice.reason) == ("cheap", "Insufficient data (need 10 samples, have 1)")
    assert set(advice.stats) == {"premium", "cheap"}
    assert advice.stats["premium"].sample_count == 10


def test_a_current_tier_without_data_stays_though_others_have_some(it: Fixture) -> None:
    it.rate("premium", 0.8)
    advice = it.loop.recommend_tier("w", "s", "cheap")
    assert (advice.recommended_tier, advice.reason) == ("cheap", "Insufficient data (need 10 samples, have 0)")


@pytest.mark.parametrize(
    ("quality", "samples", "recommended", "confidence", "reason"),
    [
        (0.65, 9, "cheap", 0.0, "Insufficient data (need 10 samples, have 9)"),
        (0.65, 10, "capable", 0.5, "Low quality (0.65) - upgrade for better results"),
        (0.65, 14, "capable", 0.7, "Low quality (0.65) - upgrade for better results"),
        (0.65, 20, "capable", 1.0, "Low quality (0.65) - upgrade for better results"),
        (0.7, 10, "cheap", 0.5, "Acceptable quality (0.70) - maintain current tier"),
        (0.9, 14, "cheap", 0.7, "Acceptable quality (0.90) - maintain current tier"),
    ],
)
def test_recommendation(
    it: Fixture, *, quality: float, samples: int, recommended: str, confidence: float, reason: str
) -> None:
    it.rate("cheap", *[quality] * samples)
    advice = it.loop.recommend_tier("w", "s")
    assert (advice.recommended_tier, advice.confidence, advice.reason) == (recommended, confidence, reason)


@pytest.mark.parametrize(("lower", "samples", "recommended"), [
    (0.86, 10, "capable"), (0.85, 10, "premium"), (0.86, 9, "premium"), (1.0, 1, "premium"),
])  # fmt: skip
def test_going_down_needs_evidence_from_below(it: Fixture, lower: float, samples: int, recommended: str) -> None:
    it.rate("capable", *[lower] * samples)
    it.rate("premium", *[0.95] * 20)
    assert it.loop.recommend_tier("w", "s").recommended_tier == recommended


def test_an_unknown_current_tier_is_refused(it: Fixture) -> None:
    with pytest.raises(InvalidInput, match="current_tier: must be one of cheap, capable, premium"):
        it.loop.recommend_tier("w", "s", "ultra")


def test_ratings_of_a_program_with_other_tiers_are_not_mistaken_for_own(it: Fixture) -> None:
    other = FeedbackService(it.store, fold=fold, clock=it.clock, new_id=lambda: "feedback_x", tiers=("small", "large"))
    it.rate("capable", 0.8)
    it.rate("cheap", 0.8)
    it.clock.advance(1)
    other.record_feedback("w", "s", "small", 0.1)
    assert it.loop.recommend_tier("w", "s").current_tier == "cheap"
    assert other.recommend_tier("w", "s").current_tier == "small"
    assert other.recommend_tier("w", "s", "large").reason == "Insufficient data (need 10 samples, have 0)"


def test_fault_12_a_recommendation_reads_the_same_however_much_history_there_is() -> None:
    def ratings_read(history: int) -> int:
        it = Fixture()
        events = [
            Feedback(
                id=f"{tier}{i}", recorded_at=EPOCH, segment=stage_segment("w", f"s{i % 2}"), tier=tier, quality=0.95
            )
            for tier in it.loop.tiers
            for i in range(history)
        ]
        it.store.append(events, fold)
        it.loop.recommend_tier("w", "s0")
        return it.store.ratings_read

    assert ratings_read(1_000) == ratings_read(10_000) <= 3 * 100 + 1


def test_underperforming_stages_are_strictly_below_and_the_worst_comes_first(it: Fixture) -> None:
    it.rate("cheap", 0.6, 0.7, stage="a")
    it.rate("cheap", 0.2, stage="b:*")
    it.rate("premium", 0.7, stage="a")
    it.rate("cheap", 0.1, workflow="another")
    found = it.loop.get_underperforming_stages("w")
    assert [(label, stats.avg_quality) for label, stats in found] == [("b:*/cheap", 0.2), ("a/cheap", 0.65)]
    assert [label for label, _ in it.loop.get_underperforming_stages("w", quality_threshold=0.71)] == [
        "b:*/cheap", "a/cheap", "a/premium",
    ]  # fmt: skip
    assert it.loop.get_underperforming_stages("*") == []
    it.clock.advance(WEEK_S + 60)
    assert it.loop.get_underperforming_stages("w") == []


def test_clearing(it: Fixture) -> None:
    it.rate("cheap", 0.5, 0.5, stage="a")
    it.rate("premium", 0.5, stage="b")
    it.rate("cheap", 0.5, stage="*")
    it.rate("cheap", 0.5, workflow="ww", stage="a")
    assert it.loop.clear_feedback("w", stage_name="*") == 1
    assert it.loop.clear_feedback("*") == 0
    assert it.loop.clear_feedback("w", "a") == 2
    assert it.loop.clear_feedback("w") == 1
    assert it.loop.clear_feedback("w") == 0
    assert it.average(workflow="ww", stage="a") == 0.5
    with pytest.raises(InvalidInput, match="stage_name: must not be empty"):
        it.loop.clear_feedback("w", "")


NAMES = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.sampled_from(
    [
        "*",
        "a",
        "a:b",
        "a:b:c",
        "b",
        "b:c",
        "?",
        "[ab]",
        "a*",
        "tier",
        "cheap",
        "ü",
        "u\u0308",
        "%",
        "_",
        "a/b",
        "\n",
        "\x1f",
    ]
)


@given(here=st.tuples(NAMES, NAMES), there=st.tuples(NAMES, NAMES))
def test_names_never_leak(here: tuple[str, str], there: tuple[str, str]) -> None:
    it = Fixture()
    it.rate("cheap", 0.2, workflow=here[0], stage=here[1])
    assert it.loop.get_feedback_history(*here)[0].workflow_name == here[0]
    assert it.loop.get_underperforming_stages(here[0])[0][0] == f"{here[1]}/cheap"
    if here != there:
        assert it.loop.get_feedback_history(*there) == []
        assert it.loop.clear_feedback(*there) == 0
        assert it.loop.recommend_tier(*there).reason == "No feedback data available"
    if here[0] != there[0]:
        assert it.loop.get_underperforming_stages(there[0]) == []
        assert it.loop.clear_feedback(there[0]) == 0
    assert it.average(workflow=here[0], stage=here[1]) == 0.2


@pytest.mark.parametrize("spelling", [str.upper, str.lower])
def test_constants_are_overridden_for_the_loop_and_for_single_workflows(spelling: Callable[[str], str]) -> None:
    strict = {spelling("QUALITY_THRESHOLD"): 0.8, spelling("FEEDBACK_TTL"): 60}
    it = Fixture(**{spelling("MIN_SAMPLES"): 5}, per_workflow={"strict": strict})
    assert (it.loop.MIN_SAMPLES, FeedbackService.MIN_SAMPLES) == (5, 10)
    for workflow in ("w", "strict"):
        it.rate("cheap", *[0.75] * 5, workflow=workflow)
    assert it.loop.recommend_tier("w", "s").reason == "Acceptable quality (0.75) - maintain current tier"
    assert it.loop.recommend_tier("strict", "s").reason == "Low quality (0.75) - upgrade for better results"
    assert it.loop.get_underperforming_stages("w") == []
    assert len(it.loop.get_underperforming_stages("strict")) == 1
    it.clock.advance(61)
    assert it.average(workflow="w") == 0.75
    assert it.average(workflow="strict") is None


def test_the_published_constants() -> None:
    assert (FeedbackService.FEEDBACK_TTL, FeedbackService.MIN_SAMPLES, FeedbackService.QUALITY_THRESHOLD) == (
        604_800, 10, 0.7,
    )  # fmt: skip


def test_settings_that_cannot_be_are_refused_all_at_once() -> None:
    with pytest.raises(InvalidInput) as error:
        Fixture(
            tiers=("a", "a", ""),
            FEEDBACK_TTL=0,
            MIN_SAMPLES=101,
            QUALITY_THRESHOLD=float("nan"),
            per_workflow={"w": {"MIN_SAMPLES": 2.5, "TTL": 3}},
        )
    assert [problem.path for problem in error.value.problems] == [
        "tiers[2]", "tiers", "FEEDBACK_TTL", "MIN_SAMPLES", "QUALITY_THRESHOLD", "per_workflow['w'].MIN_SAMPLES",
        "per_workflow['w'].TTL",
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="tiers: must name at least one tier"):
        Fixture(tiers=())


def test_fault_11_ratings_given_while_the_store_is_away_are_delivered(
    it: Fixture, caplog: pytest.LogCaptureFixture
) -> None:
    it.rate("cheap", 0.1)
    it.store.away = True
    it.rate("cheap", 0.2, 0.3)
    assert (it.loop.status().buffered, it.loop.status().error) == (2, "pulled out")
    with pytest.raises(StoreUnavailable):
        it.loop.recommend_tier("w", "s")
    it.store.away = False
    it.clock.advance(1.0)
    it.rate("cheap", 0.4)
    assert (it.loop.status().buffered, it.loop.status().committed) == (0, 4)
    history = it.loop.get_feedback_history("w", "s")
    assert [entry.quality_score for entry in history] == [0.4, 0.3, 0.2, 0.1]
    assert history[1].timestamp == EPOCH + timedelta(milliseconds=3)  # when it was given, not when it got through
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]  # away, and back


@pytest.mark.parametrize("read", [
    lambda loop: [entry.quality_score for entry in loop.get_feedback_history("w", "s")] == [0.3],
    lambda loop: loop.get_quality_stats("w", "s").avg_quality == 0.3,
    lambda loop: loop.recommend_tier("w", "s").current_tier == "cheap",
    lambda loop: loop.get_underperforming_stages("w") != [],
    lambda loop: loop.clear_feedback("w") == 1,
])  # fmt: skip
def test_reading_delivers_first_what_waits(it: Fixture, read: Callable[[FeedbackService], bool]) -> None:
    it.store.away = True
    it.rate("cheap", 0.3)
    it.store.away = False
    assert read(it.loop)


def test_a_full_buffer_is_said_to_the_caller() -> None:
    it = Fixture(max_buffered=2)
    it.store.away = True
    it.rate("cheap", 0.5, 0.5)
    with pytest.raises(BufferFull, match=r"away .pulled out. and 2 batches wait for it already: this one is not kept"):
        it.loop.record_feedback("w", "s", "cheap", 0.5)
    it.store.away = False
    it.loop.commits.finish()
    assert (it.loop.status().committed, it.loop.status().dropped) == (2, 1)


def test_with_an_outbox_ratings_survive_and_a_store_that_is_away_is_not_asked_each_time() -> None:
    outbox = MemoryOutbox(limit=3)
    it = Fixture(outbox=outbox)
    it.store.away = True
    it.rate("cheap", 0.1, 0.2, 0.3)
    assert (it.loop.status().kept, it.store.asked) == (3, 1)
    with pytest.raises(BufferFull, match="the outbox takes 3"):
        it.loop.record_feedback("w", "s", "cheap", 0.4)
    again = FeedbackService(it.store, fold=fold, clock=it.clock, new_id=numbered(), outbox=outbox)
    it.store.away = False
    assert [entry.quality_score for entry in again.get_feedback_history("w", "s")] == [0.3, 0.2, 0.1]
    assert outbox.waiting == 0


def test_of_threads_that_rate_together_each_is_told_of_its_own() -> None:
    loop = FeedbackService(MemoryStore(), fold=fold, clock=ManualClock(), new_id=new_feedback_id)
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda n: loop.record_feedback("w", f"s{n % 3}", "cheap", 0.5), range(200)))
    assert len(set(told)) == 200
    assert loop.status().committed == 200


def test_what_is_lost_at_the_end_is_said(it: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    it.store.away = True
    it.rate("cheap", 0.5, 0.5)
    it.loop.commits.finish()
    assert caplog.records[-1].getMessage() == "2 events could not be committed and are lost: pulled out"


def test_an_id_used_before_is_an_error() -> None:
    clock = ManualClock()
    loop = FeedbackService(MemoryStore(), fold=fold, clock=clock, new_id=lambda: "feedback_same")
    loop.record_feedback("w", "s", "cheap", 0.5)
    clock.advance(1)
    with pytest.raises(Conflict, match="feedback_same"):
        loop.record_feedback("w", "s", "cheap", 0.6)


def test_ids_used_before_do_not_hold_up_what_waits_behind_them(caplog: pytest.LogCaptureFixture) -> None:
    store = ObservedStore()
    ids = iter(["feedback_1", "feedback_1", "feedback_2", "feedback_3"])
    clock = ManualClock()
    loop = FeedbackService(store, fold=fold, clock=clock, new_id=lambda: next(ids))
    loop.record_feedback("w", "s", "cheap", 0.1)
    store.away = True
    loop.record_feedback("w", "s", "cheap", 0.2)
    loop.record_feedback("w", "s", "cheap", 0.3)
    store.away = False
    loop.record_feedback("w", "s", "cheap", 0.4)
    assert sorted(entry.quality_score for entry in loop.get_feedback_history("w", "s")) == [0.1, 0.3, 0.4]
    assert "their ids were used before: feedback_1" in caplog.text
