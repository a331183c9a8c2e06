"""Hard limits of a route: what a call may cost and how long it may take. Who exceeds them may not serve, and why.

A latency limit is held against the newest answers; a model that exceeded it is asked again when those are older than
`RETRY_S`, so that a host that recovered is found out. Where nobody keeps the latency limit the fastest serves: a late
answer is better than none. A cost limit is never exceeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tiercel.core.beliefs.costs import USUAL_COMPLETION_TOKENS
from tiercel.core.eligibility import parted
from tiercel.core.statistics.fold import model_key, segment_model_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.recent_outcomes import RecentOutcomes
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Candidate
from tiercel.domain.request import RequestContext, Segment

RETRY_S = 600.0
FEWEST = 20
"""So many answers are needed before a model is excluded for its latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`max_cost_usd` of one call, by its price; `max_latency_ms` that 95 of 100 answers must keep. None: no limit."""

    max_cost_usd: float | None = None
    max_latency_ms: float | None = None

    def __bool__(self) -> bool:
        return self.max_cost_usd is not None or self.max_latency_ms is not None

    def divide(
        self,
        models: Sequence[ModelProfile],
        request: RequestContext,
        segment: Segment,
        knowledge: Knowledge,
        now_us: int,
    ) -> tuple[tuple[ModelProfile, ...], tuple[Candidate, ...]]:
        """The models within the limits, and the others as excluded candidates, both in the given order."""
        too_dear = {m.model_id: why for m in models if (why := self._cost_problem(m, request)) is not None}
        affordable = [model for model in models if model.model_id not in too_dear]
        reasons = too_dear | self._too_slow(affordable, segment, knowledge, now_us)
        return parted(models, lambda model: reasons.get(model.model_id))

    def _cost_problem(self, model: ModelProfile, request: RequestContext) -> str | None:
        if self.max_cost_usd is None:
            return None
        if model.price is None:
            return f"its price is unknown, and a call may cost at most ${self.max_cost_usd:.3g}"
        cost_usd = model.price.cost_usd(request.prompt_tokens, USUAL_COMPLETION_TOKENS)
        if cost_usd <= self.max_cost_usd:
            return None
        return f"a call costs about ${cost_usd:.3g}, more than the limit of ${self.max_cost_usd:.3g}"

    def _too_slow(
        self, models: Sequence[ModelProfile], segment: Segment, knowledge: Knowledge, now_us: int
    ) -> dict[str, str]:
        limit_ms = self.max_latency_ms
        if limit_ms is None:
            return {}
        p95_ms: dict[str, float] = {}
        for model in models:
            for key in (segment_model_key(segment, model.model_id), model_key(model.model_id)):
                seen = _p95_ms(knowledge.outcomes(key), now_us - round(RETRY_S * 1e6), now_us)
                if seen is not None:
                    p95_ms[model.model_id] = seen
                    break
        slow = {
            model_id: f"95 of 100 answers take {seen:.0f} ms, the limit is {limit_ms:.0f} ms"
            for model_id, seen in p95_ms.items()
            if seen > limit_ms
        }
        if len(slow) == len(models) and slow:
            del slow[min(slow, key=lambda model_id: p95_ms[model_id])]
        return slow


def _p95_ms(outcomes: RecentOutcomes, since_us: int, now_us: int) -> float | None:
    latencies = sorted(
        sample.latency_ns / 1e6 for sample in outcomes if since_us <= sample.at_us <= now_us and sample.success
    )
    if len(latencies) < FEWEST:
        return None
    return latencies[min(len(latencies) - 1, round(0.95 * len(latencies)))]
