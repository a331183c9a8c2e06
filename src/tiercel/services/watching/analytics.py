"""What a team looks at once a week: the worst stages, quality over the weeks, and what is getting worse."""

from __future__ import annotations

from collections.abc import Iterable

from tiercel.core.tiers import mean_quality
from tiercel.domain.quality import FeedbackEntry, QualityStats
from tiercel.services.rating.feedback_loop import FeedbackService

DECLINE_TREND = -0.2
"""A `recent_trend` below it is worth an alert."""

WORST = 5


def worst_stages(
    loop: FeedbackService, workflows: Iterable[str], *, quality_threshold: float | None = None, limit: int = WORST
) -> list[tuple[str, QualityStats]]:
    """The `limit` worst of the underperforming stages of several workflows, as ("stage/tier", figures), worst first.

    The figures name the workflow.
    """
    merged = [item for workflow in workflows for item in loop.get_underperforming_stages(workflow, quality_threshold)]
    return sorted(merged, key=lambda item: (item[1].avg_quality, item[1].workflow_name, item[0]))[:limit]


def weekly_means(entries: Iterable[FeedbackEntry]) -> dict[str, float]:
    """The mean quality of each week, "2026-W08", oldest first; weeks begin on Sunday, in UTC."""
    weeks: dict[str, list[float]] = {}
    for entry in sorted(entries, key=lambda entry: entry.timestamp):
        weeks.setdefault(entry.timestamp.strftime("%Y-W%U"), []).append(entry.quality_score)
    return {week: mean_quality(qualities) for week, qualities in weeks.items()}


def declining(stats: QualityStats) -> bool:
    """Whether a stage's quality falls so fast that someone should look: a trend below -0.2."""
    return stats.recent_trend < DECLINE_TREND
