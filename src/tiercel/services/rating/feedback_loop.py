"""Founding system B: ratings per workflow stage and tier, their figures, and advice to move a tier up or down.

Everything is computed from the newest `HISTORY` ratings of what is asked, so it costs the same however much history
there is, and the newest ratings always count.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

from tiercel.core import tiers as rules
from tiercel.domain.catalogue import DEFAULT_TIERS
from tiercel.domain.errors import Conflict, InvalidInput, Problem
from tiercel.domain.events import Feedback
from tiercel.domain.names import name_problem
from tiercel.domain.quality import ALL_TIERS, FeedbackEntry, QualityStats, TierRecommendation, as_quality
from tiercel.domain.request import stage_segment
from tiercel.ports import Clock, EventStore, Fold, Outbox
from tiercel.services.delivering.backoff import no_jitter
from tiercel.services.delivering.delivery import CommitSettings
from tiercel.services.delivering.direct_commit import DirectCommit
from tiercel.services.delivering.receipts import CommitStatus
from tiercel.services.rating.feedback_constants import HISTORY, Constants, by_name, constant_problems
from tiercel.services.rating.intake import metadata_problems

log = logging.getLogger("tiercel.feedback")

_ANY_CHARACTER = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "x")


class FeedbackService:
    """Records quality ratings and recommends tiers.

    `FEEDBACK_TTL`, `MIN_SAMPLES` and `QUALITY_THRESHOLD` may be given for this loop, and in `per_workflow` for single
    workflows (see `Constants`). `tiers` are ordered, cheapest first.

    A workflow's, stage's or source's name may hold any character, up to 256 bytes of UTF-8.
    Reading raises `StoreUnavailable` while the store is away; ratings are kept in the meantime, in `outbox` where there
    is one, else in memory, up to `max_buffered`. Whoever calls delivers what waits: there is no thread.
    """

    FEEDBACK_TTL: float = 604_800
    MIN_SAMPLES: int = rules.MIN_SAMPLES
    QUALITY_THRESHOLD: float = rules.QUALITY_THRESHOLD

    def __init__(
        self,
        store: EventStore,
        *,
        fold: Fold,
        clock: Clock,
        new_id: Callable[[], str],
        tiers: Sequence[str] = DEFAULT_TIERS,
        per_workflow: Mapping[str, Constants] | None = None,
        max_buffered: int = 10_000,
        outbox: Outbox | None = None,
        jitter: Callable[[], float] = no_jitter,
        **constants: Unpack[Constants],
    ) -> None:
        self.tiers = tuple(str(tier) for tier in tiers)
        problems = [*_tier_problems(self.tiers), *constant_problems("", constants)]
        for workflow, own in (per_workflow or {}).items():
            problems += constant_problems(f"per_workflow[{workflow!r}].", own)
        if problems:
            raise InvalidInput(problems)
        for name, value in by_name(constants).items():
            setattr(self, name, value)
        self._per_workflow = {workflow: by_name(own) for workflow, own in (per_workflow or {}).items()}
        self.commits = DirectCommit(
            store,
            fold,
            monotonic_s=clock.monotonic_s,
            outbox=outbox,
            settings=CommitSettings(max_buffered=max_buffered),
            jitter=jitter,
        )
        self._store = store
        self._fold = fold
        self._clock = clock
        self._new_id = new_id

    def status(self) -> CommitStatus:
        """How many ratings wait for the store, and how it is doing."""
        return self.commits.status()

    def record_feedback(
        self,
        workflow_name: str,
        stage_name: str,
        tier: str,
        quality_score: float,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Record a rating and return its id, or "" for a score that is not a number in 0..1 (nothing is recorded).

        `metadata` is JSON (at most 16 KB, 64 keys, 8 levels); text under "source" says who rated. When this returns,
        the store has the rating; while it is away the outbox, or memory. Raises `InvalidInput` for names, tier or
        metadata that cannot be, and `BufferFull`.
        """
        segment = _segment(workflow_name, stage_name)
        tier = self._known_tier("tier", tier)
        given = _own_copy(metadata)
        quality = as_quality(quality_score)
        if quality is None:
            where, found = f"{workflow_name!r}/{stage_name!r}", repr(quality_score)[:80]
            log.warning("nothing recorded for %s: quality_score must be a number in 0..1, found %s", where, found)
            return ""
        rating = Feedback(
            id=self._new_id(),
            recorded_at=self._clock.now(),
            segment=segment,
            tier=tier,
            quality=quality,
            source=_source(given),
            metadata=given,
        )
        receipt = self.commits.send((rating,))
        if receipt is not None and receipt.conflicts:
            raise Conflict(rating.id)
        return rating.id

    def get_feedback_history(
        self, workflow: str, stage: str, tier: str | None = None, limit: int = HISTORY
    ) -> list[FeedbackEntry]:
        """The newest `limit` ratings of a stage (of one tier, or of all), the newest first."""
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise InvalidInput([Problem("limit", "must be a whole number of at least 0", repr(limit)[:80], "range")])
        return [
            FeedbackEntry(
                rating.id, workflow, stage, rating.tier, rating.quality, rating.recorded_at, dict(rating.metadata)
            )
            for rating in self._ratings(workflow, stage, tier, limit)
        ]

    def get_quality_stats(self, workflow: str, stage: str, tier: str | None = None) -> QualityStats | None:
        """The figures of a stage's newest 100 ratings (of one tier, or of all), or None without a rating."""
        qualities = [rating.quality for rating in self._ratings(workflow, stage, tier, HISTORY)]
        if not qualities:
            return None
        return QualityStats(
            workflow_name=workflow,
            stage_name=stage,
            tier=ALL_TIERS if tier is None else str(tier),
            avg_quality=rules.mean_quality(qualities),
            min_quality=min(qualities),
            max_quality=max(qualities),
            sample_count=len(qualities),
            recent_trend=rules.quality_trend(qualities),
        )

    def recommend_tier(self, workflow: str, stage: str, current_tier: str | None = None) -> TierRecommendation:
        """Whether a stage should keep its tier or move one up or down (see core/tiers.py for the rules).

        Without `current_tier` it is that of the newest rating. Raises `InvalidInput` for a tier that does not exist.
        """
        given = None if current_tier is None else self._known_tier("current_tier", current_tier)
        stats = {
            tier: found for tier in self.tiers if (found := self.get_quality_stats(workflow, stage, tier)) is not None
        }
        current = given or self._newest_tier(workflow, stage, stats)
        if current is None or not stats:
            verdict = rules.no_feedback(current, self.tiers)
        else:
            rank = self.tiers.index(current)
            verdict = rules.recommend(
                current,
                _figures(stats.get(current)),
                _figures(stats.get(self.tiers[rank - 1])) if rank else None,
                tiers=self.tiers,
                min_samples=self._constant(workflow, "MIN_SAMPLES"),
                quality_threshold=self._constant(workflow, "QUALITY_THRESHOLD"),
            )
        return TierRecommendation(
            verdict.current_tier, verdict.recommended_tier, verdict.confidence, verdict.reason, stats
        )

    def get_underperforming_stages(
        self, workflow: str, quality_threshold: float | None = None
    ) -> list[tuple[str, QualityStats]]:
        """The stages and tiers, as "stage/tier", whose quality is below the threshold, the worst first.

        The threshold is the workflow's `QUALITY_THRESHOLD` (0.7) where none is given.
        """
        threshold = self._constant(workflow, "QUALITY_THRESHOLD") if quality_threshold is None else quality_threshold
        _check_names(workflow_name=workflow)
        self.commits.flush()
        rated = [
            (f"{stage}/{tier}", self.get_quality_stats(workflow, stage, tier))
            for stage, tier in self._store.rated_tiers(workflow)
        ]
        below = [(label, stats) for label, stats in rated if stats is not None and stats.avg_quality < threshold]
        return sorted(below, key=lambda item: (item[1].avg_quality, item[0]))

    def clear_feedback(self, workflow: str, stage_name: str | None = None) -> int:
        """Remove the ratings of a workflow, or of one of its stages; returns how many there were."""
        names = {"workflow_name": workflow} | ({} if stage_name is None else {"stage_name": stage_name})
        _check_names(**names)
        self.commits.flush()
        return self._store.clear_feedback(workflow, stage_name, self._fold)

    def _ratings(self, workflow: str, stage: str, tier: str | None, limit: int) -> list[Feedback]:
        """The newest ratings that are not too old to be seen, the newest first."""
        _segment(workflow, stage)
        self.commits.flush()
        now, ttl_s = self._clock.now(), self._constant(workflow, "FEEDBACK_TTL")
        newest = self._store.feedback_history(workflow, stage, None if tier is None else str(tier), limit)
        return [rating for rating in newest if (now - rating.recorded_at).total_seconds() <= ttl_s]

    def _newest_tier(self, workflow: str, stage: str, stats: Mapping[str, QualityStats]) -> str | None:
        if not stats:
            return None
        newest = self._ratings(workflow, stage, None, 1)
        if newest and newest[0].tier in self.tiers:
            return newest[0].tier
        # the newest rating is of another program's tier: the newest of our own tiers instead, one read for each
        own = [rating for tier in stats for rating in self._ratings(workflow, stage, tier, 1)]
        return max(own, key=lambda rating: rating.recorded_at).tier if own else None

    def _known_tier(self, name: str, tier: str) -> str:
        if not isinstance(tier, str) or tier not in self.tiers:
            allowed = ", ".join(self.tiers)
            raise InvalidInput([Problem(name, f"must be one of {allowed}", repr(tier)[:80], "unknown")])
        return str(tier)

    def _constant(self, workflow: str, name: str) -> float:
        own = self._per_workflow.get(workflow, {})
        value: Any = own[name] if name in own else getattr(self, name)
        return float(value)


def _figures(stats: QualityStats | None) -> rules.Figures | None:
    return None if stats is None else (stats.sample_count, stats.avg_quality)


def _segment(workflow_name: str, stage_name: str) -> tuple[str, ...]:
    _check_names(workflow_name=workflow_name, stage_name=stage_name)
    return stage_segment(workflow_name, stage_name)


def _check_names(**names: object) -> None:
    found = {
        # the loop's names may hold any character, control characters included: they count as any other here
        path: name_problem(path, name.translate(_ANY_CHARACTER) if isinstance(name, str) else name)
        for path, name in names.items()
    }
    problems = [problem for problem in found.values() if problem]
    if problems:
        raise InvalidInput(problems)


def _own_copy(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a store would give back, whatever the caller does to its mapping afterwards."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise InvalidInput([Problem("metadata", "must be a mapping", repr(metadata)[:80], "type")])
    problems = metadata_problems(metadata)
    if problems:
        raise InvalidInput(problems)
    copied: dict[str, Any] = json.loads(json.dumps(dict(metadata)))
    return copied


def _source(metadata: Mapping[str, Any]) -> str:
    source = metadata.get("source")
    if not isinstance(source, str) or not source:
        return ""
    _check_names(**{"metadata.source": source})
    return source


def _tier_problems(tiers: Sequence[str]) -> list[Problem]:
    problems = [problem for i, tier in enumerate(tiers) if (problem := name_problem(f"tiers[{i}]", tier))]
    if not tiers:
        problems.append(Problem("tiers", "must name at least one tier, the cheapest first", "()"))
    if len(set(tiers)) < len(tiers):
        problems.append(Problem("tiers", "must be unique", repr(tuple(tiers))))
    return problems
