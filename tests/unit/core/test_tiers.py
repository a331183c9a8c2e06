from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.tiers import Figures, TierVerdict, mean_quality, no_feedback, quality_trend, recommend
from tiercel.domain.errors import InvalidInput

QUALITIES = st.floats(0.0, 1.0)
FIGURES = st.none() | st.tuples(st.integers(1, 100), QUALITIES)
LADDERS = (("cheap", "capable", "premium"), ("only",), ("small", "large"), ("s", "m", "l", "xl"))


@pytest.mark.parametrize(
    ("current", "here", "below", "expected"),
    [
        # 3: fewer than MIN_SAMPLES
        ("cheap", None, None, ("cheap", 0.0, "Insufficient data (need 10 samples, have 0)")),
        ("cheap", (9, 0.1), None, ("cheap", 0.0, "Insufficient data (need 10 samples, have 9)")),
        ("capable", (9, 0.99), (20, 0.99), ("capable", 0.0, "Insufficient data (need 10 samples, have 9)")),
        # 4: confidence = min(n / 20, 1)
        ("cheap", (10, 0.8), None, ("cheap", 0.5, "Acceptable quality (0.80) - maintain current tier")),
        ("cheap", (14, 0.8), None, ("cheap", 0.7, "Acceptable quality (0.80) - maintain current tier")),
        ("cheap", (20, 0.8), None, ("cheap", 1.0, "Acceptable quality (0.80) - maintain current tier")),
        ("cheap", (100, 0.8), None, ("cheap", 1.0, "Acceptable quality (0.80) - maintain current tier")),
        # 5: below 0.7
        ("cheap", (10, 0.65), None, ("capable", 0.5, "Low quality (0.65) - upgrade for better results")),
        ("capable", (20, 0.5), (20, 0.99), ("premium", 1.0, "Low quality (0.50) - upgrade to premium tier")),
        ("premium", (10, 0.6), None, ("premium", 1.0, "Already using premium tier (quality: 0.60)")),
        # 6: above 0.9 and not the lowest
        ("premium", (20, 0.95), (10, 0.86), ("capable", 1.0, "Excellent quality (0.95) - downgrade to save cost")),
        ("capable", (10, 0.95), (10, 0.86), ("cheap", 0.5, "Excellent quality (0.95) - downgrade to save cost")),
        (
            "premium",
            (20, 0.95),
            (20, 0.85),
            ("premium", 1.0, "Excellent quality (0.95) - keep premium for consistency"),
        ),
        ("premium", (20, 0.95), None, ("premium", 1.0, "Excellent quality (0.95) - keep premium for consistency")),
        ("capable", (20, 0.95), (20, 0.85), ("capable", 1.0, "Excellent quality (0.95) - keep capable tier")),
        ("capable", (20, 0.95), None, ("capable", 1.0, "Excellent quality (0.95) - keep capable tier")),
        # 7: the boundaries themselves, and the lowest tier
        ("cheap", (20, 0.7), None, ("cheap", 1.0, "Acceptable quality (0.70) - maintain current tier")),
        ("premium", (20, 0.7), (20, 0.99), ("premium", 1.0, "Acceptable quality (0.70) - maintain current tier")),
        ("premium", (20, 0.9), (20, 0.99), ("premium", 1.0, "Acceptable quality (0.90) - maintain current tier")),
        ("cheap", (20, 0.95), None, ("cheap", 1.0, "Acceptable quality (0.95) - maintain current tier")),
    ],
)
def test_first_rule_that_matches(
    current: str, here: Figures | None, below: Figures | None, expected: tuple[str, float, str]
) -> None:
    assert recommend(current, here, below) == (current, *expected)


@pytest.mark.parametrize("samples", [1, 9])
def test_fault_8_a_few_ratings_of_the_lower_tier_do_not_authorise_a_downgrade(samples: int) -> None:
    assert recommend("premium", (100, 0.95), (samples, 1.0)).recommended_tier == "premium"


@pytest.mark.parametrize(
    ("current", "expected"),
    [(None, ("unknown", "cheap", 0.0)), ("premium", ("premium", "premium", 0.0))],
)
def test_no_feedback_for_any_tier(current: str | None, expected: tuple[str, str, float]) -> None:
    assert no_feedback(current) == (*expected, "No feedback data available")


def test_no_feedback_begins_with_the_lowest_of_own_tiers() -> None:
    assert no_feedback(None, ("small", "large")).recommended_tier == "small"


@pytest.mark.parametrize(
    ("tiers", "current", "mean", "recommended", "reason"),
    [
        (("small", "large"), "small", 0.5, "large", "Low quality (0.50) - upgrade to large tier"),
        (("small", "large"), "large", 0.95, "large", "Excellent quality (0.95) - keep large for consistency"),
        (("s", "m", "l", "xl"), "m", 0.5, "l", "Low quality (0.50) - upgrade for better results"),
        (("s", "m", "l", "xl"), "l", 0.5, "xl", "Low quality (0.50) - upgrade to xl tier"),
        (("s", "m", "l", "xl"), "l", 0.95, "l", "Excellent quality (0.95) - keep l tier"),
        (("only",), "only", 0.5, "only", "Already using only tier (quality: 0.50)"),
        (("only",), "only", 0.95, "only", "Acceptable quality (0.95) - maintain current tier"),
    ],
)
def test_own_tiers(tiers: tuple[str, ...], current: str, mean: float, recommended: str, reason: str) -> None:
    assert recommend(current, (20, mean), None, tiers=tiers) == (current, recommended, 1.0, reason)


def test_an_unknown_tier_is_refused_with_the_tiers_there_are() -> None:
    with pytest.raises(InvalidInput, match=r"current_tier: must be one of cheap, capable, premium \(found 'ultra'\)"):
        recommend("ultra", (20, 0.5), None)


def test_weights_of_capped_sources_are_no_whole_numbers() -> None:
    assert recommend("cheap", (9.5, 0.5), None).reason == "Insufficient data (need 10 samples, have 9.5)"


def test_constants_may_be_overridden() -> None:
    assert recommend("cheap", (5, 0.75), None, min_samples=5, quality_threshold=0.8) == (
        "cheap", "capable", 0.25, "Low quality (0.75) - upgrade for better results",
    )  # fmt: skip


def test_a_tier_is_not_left_for_one_below_the_threshold() -> None:
    """With a threshold above 0.85 the plain rule would go down to 0.90 and up again for ever."""
    assert recommend("premium", (20, 0.97), (20, 0.90), quality_threshold=0.95).recommended_tier == "premium"


@given(tiers=st.sampled_from(LADDERS), data=st.data(), here=FIGURES, below=FIGURES)
def test_a_verdict_moves_at_most_one_tier(
    tiers: tuple[str, ...], data: st.DataObject, here: Figures | None, below: Figures | None
) -> None:
    current = data.draw(st.sampled_from(tiers))
    verdict = recommend(current, here, below, tiers=tiers)
    assert isinstance(verdict, TierVerdict)
    assert 0.0 <= verdict.confidence <= 1.0
    assert abs(tiers.index(verdict.recommended_tier) - tiers.index(current)) <= 1
    assert verdict.current_tier == current


@given(threshold=QUALITIES, here=QUALITIES, below=QUALITIES)
def test_going_down_never_leads_straight_up_again(threshold: float, here: float, below: float) -> None:
    down = recommend("premium", (50, here), (50, below), quality_threshold=threshold)
    if down.recommended_tier == "capable":
        assert recommend("capable", (50, below), None, quality_threshold=threshold).recommended_tier == "capable"


@pytest.mark.parametrize("quality", [0.1, 0.3, 0.7, 0.85, 0.9, 1 / 3])
@pytest.mark.parametrize("count", [1, 3, 10, 14, 100])
def test_the_mean_of_equal_qualities_is_that_quality(quality: float, count: int) -> None:
    assert mean_quality([quality] * count) == quality


def test_the_mean_is_the_one_of_the_decimals_written() -> None:
    assert mean_quality([0.6, 0.8] * 5) == 0.7
    assert mean_quality([0.65, 0.75, 0.7]) == 0.7


@given(st.lists(QUALITIES, min_size=1, max_size=100))
def test_the_mean_lies_within_and_is_near_the_float_mean(qualities: list[float]) -> None:
    mean = mean_quality(qualities)
    assert min(qualities) <= mean <= max(qualities)
    assert mean == pytest.approx(sum(qualities) / len(qualities), abs=1e-12)


@pytest.mark.parametrize(
    ("newest_first", "trend"),
    [
        ([], 0.0),
        ([0.0, 1.0, 1.0], 0.0),  # fewer than 4
        ([0.4, 0.4, 0.8, 0.8], -0.5),
        ([0.8, 0.8, 0.4, 0.4], 1.0),
        ([0.72, 0.72, 0.9, 0.9], -0.2),  # exactly the decimals' -0.2, which is not below it
        ([0.9, 0.9, 0.5, 0.5, 0.5], 0.8),  # 5 // 2 = 2 newer against 3 older
        ([0.05, 0.05, 0.0, 0.0], 0.5),  # against at least 0.1
        ([1.0, 1.0, 0.0, 0.0], 1.0),  # clamped
        ([0.0, 0.0, 1.0, 1.0], -1.0),
    ],
)
def test_trend(newest_first: list[float], trend: float) -> None:
    assert quality_trend(newest_first) == trend


@given(st.lists(QUALITIES, max_size=100))
def test_the_trend_is_within_bounds_and_near_its_definition(newest_first: list[float]) -> None:
    trend = quality_trend(newest_first)
    assert -1.0 <= trend <= 1.0
    half = len(newest_first) // 2
    if len(newest_first) >= 4:
        recent, older = newest_first[:half], newest_first[half:]
        change = (sum(recent) / half - sum(older) / len(older)) / max(sum(older) / len(older), 0.1)
        assert trend == pytest.approx(min(max(change, -1.0), 1.0), abs=1e-9)


@given(QUALITIES, st.integers(0, 100))
def test_constant_quality_has_no_trend(quality: float, count: int) -> None:
    assert quality_trend([quality] * count) == 0.0
