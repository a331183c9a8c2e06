"""Every stage at a glance: who serves it, how well, and what is tried there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from tiercel.core.figures.readings import EVERYWHERE, Place, State, is_model_key, is_tier_key
from tiercel.core.figures.readings import tally as tally_of
from tiercel.core.figures.tallies import Tally
from tiercel.core.figures.windows import recent
from tiercel.core.statistics.fold import micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.sums import NANO
from tiercel.core.tiers import quality_trend
from tiercel.domain.performance import TimeRange
from tiercel.domain.request import Segment
from tiercel.ports import Clock
from tiercel.services.watching.overview import Quality

CALLED_OVER = TimeRange.LAST_24_HOURS
RATED_OVER = TimeRange.LAST_7_DAYS
PROBED_SHARE = 0.1
"""A model that answers at most this share of a stage's calls is tried there, not chosen."""
TREND_RATINGS = 100


@dataclass(frozen=True, slots=True)
class Probe:
    """A model that answers few of a stage's calls."""

    model_id: str
    share: float
    requests: int
    ratings: int


@dataclass(frozen=True, slots=True)
class StageView:
    """A workflow's stage: the calls of the last day by model, the ratings of the last week (of all tiers together).

    `trend` is the change of the newer half of its newest 100 ratings against the older half, in -1..1; None with fewer
    than four. It underperforms where its mean quality is below the threshold, and that by enough ratings to say so.
    """

    workflow: str
    stage: str
    requests: int
    share: Mapping[str, float]
    quality: Quality
    trend: float | None
    underperforming: bool
    probes: Sequence[Probe]


def stages(
    knowledge: Knowledge, clock: Clock, *, quality_threshold: float, min_samples: int, place: Place = EVERYWHERE
) -> Sequence[StageView]:
    """Every stage that something is known of, as of one moment: the worst first.

    Those that underperform come first, then by their mean quality; those without ratings last, the busiest first.
    Cost independent of history, linear in the stages.
    """
    now_s = clock.now().timestamp()
    called, rated = recent(CALLED_OVER, now_s), recent(RATED_OVER, now_s)

    def read(state: State) -> dict[Segment, _Stage]:
        found: dict[Segment, _Stage] = {}
        for key, buckets in state.items():
            if not (is_model_key(key) or is_tier_key(key)) or not place.holds(key[:3]):
                continue
            held = found.setdefault(key[:3], _Stage({}, {}))
            group = held.models if is_model_key(key) else held.tiers
            group[key[4]] = tally_of(buckets, called, rated)
        return found

    now_us = micros(clock.now())
    views = [
        _view(segment, held, _trend(knowledge, segment, held.tiers, now_us), quality_threshold, min_samples)
        for segment, held in knowledge.look(read).items()
    ]
    return sorted(views, key=_worst_first)


@dataclass(frozen=True, slots=True)
class _Stage:
    models: dict[str, Tally]
    tiers: dict[str, Tally]


def _view(segment: Segment, held: _Stage, trend: float | None, threshold: float, min_samples: int) -> StageView:
    whole = Tally()
    for tier in held.tiers.values():
        whole.merge(tier)
    quality = Quality.of(whole.rated)
    requests = sum(tally.requests for tally in held.models.values())
    share = {model_id: tally.requests / requests for model_id, tally in held.models.items() if tally.requests}
    return StageView(
        workflow=segment[1],
        stage=segment[2],
        requests=requests,
        share=dict(sorted(share.items(), key=lambda item: (-item[1], item[0]))),
        quality=quality,
        trend=trend,
        underperforming=quality.mean is not None and quality.mean < threshold and quality.ratings >= min_samples,
        probes=[
            Probe(model_id, part, held.models[model_id].requests, held.models[model_id].rated.count)
            for model_id, part in sorted(share.items())
            if part <= PROBED_SHARE
        ],
    )


def _trend(knowledge: Knowledge, segment: Segment, tiers: Mapping[str, Tally], now_us: int) -> float | None:
    since_us = now_us - round(RATED_OVER.window_s * 1e6)
    keys = [(*segment, "tier", tier) for tier in tiers]
    ratings = chain.from_iterable(knowledge.ratings(key) for key in keys)
    newest = sorted((rating for _, rating in ratings if rating.at_us >= since_us), reverse=True)[:TREND_RATINGS]
    return quality_trend([rating.quality_nano / NANO for rating in newest]) if len(newest) >= 4 else None


def _worst_first(view: StageView) -> tuple[bool, bool, float, int, str, str]:
    mean = view.quality.mean
    return not view.underperforming, mean is None, mean or 0.0, -view.requests, view.workflow, view.stage
