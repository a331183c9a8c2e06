"""The newest calls and ratings of a key."""

from __future__ import annotations

import pytest

from tiercel.core.statistics.recent_outcomes import OutcomeSample, RecentOutcomes
from tiercel.core.statistics.recent_ratings import RatingSample, RecentRatings

MS = 1_000_000


def calls(pattern: str) -> RecentOutcomes:
    """One call a second: + succeeded in 100 ms, - failed in 1 ms."""
    return RecentOutcomes.of(
        [
            OutcomeSample(n * MS, f"d{n}", mark == "+", (100 if mark == "+" else 1) * MS)
            for n, mark in enumerate(pattern)
        ]
    )


@pytest.mark.parametrize(
    ("pattern", "figures"),
    [
        ("", (0, 0, None, None, 0)),
        ("+", (1, 1, 1.0, 100.0, 0)),
        ("---", (3, 0, 0.0, None, 3)),
        ("++-+--", (6, 3, 0.5, 100.0, 2)),
        ("-" * 60 + "+" * 100, (100, 100, 1.0, 100.0, 0)),
    ],
)
def test_outcomes_in_figures(pattern: str, figures: tuple[object, ...]) -> None:
    assert tuple(calls(pattern).summary()) == figures


def test_a_window_of_outcomes_has_a_floor() -> None:
    recent = calls("-" * 50 + "+" * 10)
    assert recent.summary(since_us=50 * MS).requests == 10
    assert recent.summary(since_us=55 * MS).requests == 5
    assert recent.summary(since_us=55 * MS, at_least=20).requests == 20
    assert recent.summary(since_us=999 * MS, at_least=1_000).requests == 60


def test_known_fault_3_tens_of_failures_are_seen_after_ten_thousand_successes() -> None:
    rate = calls("+" * 10_000 + "-" * 11).summary().success_rate
    assert rate is not None
    assert rate < 0.90


def test_a_summary_is_of_what_is_there_now() -> None:
    recent = calls("+")
    assert recent.summary().requests == 1
    recent.add(OutcomeSample(9 * MS, "d9", False, MS))
    assert recent.summary().consecutive_failures == 1
    recent.add(OutcomeSample(9 * MS, "d9", False, MS))
    assert recent.summary().requests == len(recent) == 2


def rated(*given: tuple[str, str, int]) -> RecentRatings:
    """(source, subject, quality in tenths), one a second."""
    recent = RecentRatings()
    for n, (source, subject, tenths) in enumerate(given):
        recent.add(source, RatingSample(n * MS, subject, tenths * 100_000_000))
    return recent


def test_a_later_rating_of_the_same_subject_by_the_same_source_takes_its_place() -> None:
    recent = rated(("a", "d1", 2), ("b", "d1", 4), ("a", "d1", 8), ("a", "d2", 6))
    assert [(source, sample.subject, sample.quality_nano // 100_000_000) for source, sample in recent] == [
        ("b", "d1", 4),
        ("a", "d1", 8),
        ("a", "d2", 6),
    ]
    assert recent.summary().mean == pytest.approx(0.6)


def test_an_older_rating_that_arrives_late_takes_no_place() -> None:
    recent = rated(("a", "d1", 2), ("a", "d1", 8))
    recent.add("a", RatingSample(0, "d1", 5))
    assert [sample.quality_nano for _, sample in recent] == [800_000_000]


def test_known_fault_15_one_source_with_100000_ratings_crowds_out_nobody() -> None:
    honest = [(f"user:{n % 20}", f"d{n}", 9) for n in range(100)]
    recent = rated(*honest)
    before = recent.summary().mean
    for n in range(100_000):
        recent.add("mallory", RatingSample((200 + n) * MS, f"d{n}", 0))
    voices = [source for source, _ in recent]
    assert voices.count("mallory") == RecentRatings.PER_SOURCE
    assert len(voices) - voices.count("mallory") == len(honest)
    after = recent.summary().mean
    assert before == pytest.approx(0.9)
    assert after == pytest.approx(0.9, abs=0.05)


def test_the_number_of_ratings_is_bounded_whoever_gives_them() -> None:
    recent = rated(*((f"user:{n}", "d1", 5) for n in range(2_000)))
    assert len(recent) == RecentRatings.LIMIT
    assert min(sample.at_us for _, sample in recent) == 1_600 * MS
