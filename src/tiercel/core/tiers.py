"""From the ratings of a stage's tiers to advice: keep the tier, go one up, or go one down.

Founding system B. Everything here works on plain figures, so the feedback loop and the tier-rules policy share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tiercel.domain.catalogue import DEFAULT_TIERS
from tiercel.domain.errors import InvalidInput, Problem

UNKNOWN_TIER = "unknown"
"""The current tier where none is given and nothing was rated."""

MIN_SAMPLES = 10
QUALITY_THRESHOLD = 0.7
EXCELLENT_QUALITY = 0.9
"""Above it a cheaper tier may do."""
DOWNGRADE_QUALITY = 0.85
"""What the cheaper tier's own ratings must exceed."""
FULL_CONFIDENCE_SAMPLES = 20

Figures = tuple[float, float]
"""How many ratings of a tier count (a weight, where sources are capped), and their mean in 0..1."""

# Qualities are added as integers of 1e-15. A float in 0..1 written with up to 15 digits becomes exactly the integer
# meant by it, so ten ratings of 0.7 average 0.7 and not 0.6999999999999998, which would fall below the threshold.
_UNITS = 10**15


class TierVerdict(NamedTuple):
    """`recommended_tier` is `current_tier` or next to it; `confidence` is in 0..1."""

    current_tier: str
    recommended_tier: str
    confidence: float
    reason: str


def no_feedback(current: str | None, tiers: Sequence[str] = DEFAULT_TIERS) -> TierVerdict:
    """The verdict where no tier has a rating: stay at `current`, or begin with the lowest."""
    return TierVerdict(current or UNKNOWN_TIER, current or tiers[0], 0.0, "No feedback data available")


def recommend(
    current: str,
    here: Figures | None,
    below: Figures | None,
    *,
    tiers: Sequence[str] = DEFAULT_TIERS,
    min_samples: float = MIN_SAMPLES,
    quality_threshold: float = QUALITY_THRESHOLD,
) -> TierVerdict:
    """Which of `tiers` (cheapest first) should follow `current`; the first rule that matches decides.

    `here` are the figures of the current tier and `below` those of the next lower one, None without a rating.
    Raises `InvalidInput` for a current tier that is not among `tiers`.
    """
    if current not in tiers:
        raise InvalidInput([Problem("current_tier", f"must be one of {', '.join(tiers)}", repr(current), "unknown")])
    samples, mean = here or (0, 0.0)
    if samples < min_samples:
        reason = f"Insufficient data (need {min_samples:g} samples, have {samples:g})"
        return TierVerdict(current, current, 0.0, reason)
    rank, top = tiers.index(current), len(tiers) - 1
    confidence = min(samples / FULL_CONFIDENCE_SAMPLES, 1.0)
    if mean < quality_threshold and rank == top:
        return TierVerdict(current, current, 1.0, f"Already using {current} tier (quality: {mean:.2f})")
    if mean < quality_threshold:
        higher = tiers[rank + 1]
        purpose = f"to {higher} tier" if rank + 1 == top else "for better results"
        return TierVerdict(current, higher, confidence, f"Low quality ({mean:.2f}) - upgrade {purpose}")
    if mean > EXCELLENT_QUALITY and rank > 0:
        excellent = f"Excellent quality ({mean:.2f})"
        if below is not None and _suffices(below, min_samples, quality_threshold):
            return TierVerdict(current, tiers[rank - 1], confidence, f"{excellent} - downgrade to save cost")
        kept = f"keep {current} for consistency" if rank == top else f"keep {current} tier"
        return TierVerdict(current, current, confidence, f"{excellent} - {kept}")
    return TierVerdict(current, current, confidence, f"Acceptable quality ({mean:.2f}) - maintain current tier")


def _suffices(below: Figures, min_samples: float, quality_threshold: float) -> bool:
    samples, mean = below
    # a threshold set above DOWNGRADE_QUALITY must hold too: else the next verdict would lead straight up again
    return samples >= min_samples and mean > DOWNGRADE_QUALITY and mean >= quality_threshold


def mean_quality(qualities: Sequence[float]) -> float:
    """The mean of at least one quality, exact for decimals of up to 15 digits and never outside their range."""
    mean = sum(map(_units, qualities)) / (len(qualities) * _UNITS)
    return min(max(mean, min(qualities)), max(qualities))


def quality_trend(newest_first: Sequence[float]) -> float:
    """The change of the newer half's mean against the rest's, relative to the rest's (at least 0.1); in -1..1.

    0.0 with fewer than 4 qualities.
    """
    if len(newest_first) < 4:
        return 0.0
    newer = len(newest_first) // 2
    older = len(newest_first) - newer
    newer_sum = sum(map(_units, newest_first[:newer]))
    older_sum = sum(map(_units, newest_first[newer:]))
    # the difference of the means over max(older mean, 0.1) as one fraction, rounded once
    change = (newer_sum * older - older_sum * newer) / (newer * max(older_sum, older * _UNITS // 10))
    return min(max(change, -1.0), 1.0)


def _units(quality: float) -> int:
    return round(quality * _UNITS)
