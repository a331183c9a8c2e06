"""What is believed of the models for one request: the one place where policies that learn look.

    knowledge -> (every few ratings) quality, costs  -> look(situation) -> a Prospect for every eligible model

The common effects are estimated anew every few ratings, off the request path where the policy is told of what was
logged; a model's own newest ratings and calls count at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import NamedTuple

from tiercel.core.beliefs.change import POLICY as DRIFT
from tiercel.core.beliefs.change import latest_change
from tiercel.core.beliefs.costs import CostBeliefs
from tiercel.core.beliefs.evidence import Evidence, Kind, gather, ratings_now
from tiercel.core.beliefs.forgetting import POLICIES, Metric, steady_since_us
from tiercel.core.beliefs.priors import Priors
from tiercel.core.beliefs.quality import QualityBeliefs
from tiercel.core.policies.base import Situation
from tiercel.core.statistics.fold import model_key, segment_model_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.moments import NO_SHAPE
from tiercel.domain.catalogue import DEFAULT_TIERS, ModelProfile
from tiercel.domain.events import Event, Feedback, Outcome, StandingChange
from tiercel.domain.request import Segment

_CACHED_KINDS = 2_000
_SUCCESS_WINDOW_US = 3_600_000_000
_PRIOR_CALLS = 2.0


class Prospect(NamedTuple):
    """What is expected of one model for one request.

    `quality` is that of an answer, in 0..1, `deviation` how sure its mean is, as a standard deviation, and
    `success_rate` how often there is an answer; `cost_usd` and `latency_s` (None: no call yet) are of one call;
    `newcomer` says that the model came later than the others and has few ratings so far, `unproven` that it has hardly
    any, `fallen` that it was found to have become worse.
    """

    model: ModelProfile
    quality: float
    deviation: float
    cost_usd: float
    latency_s: float | None
    newcomer: bool
    fallen: bool = False
    success_rate: float = 1.0
    unproven: bool = False

    @property
    def worth(self) -> float:
        """The quality to expect of a call, an answer or none."""
        return self.quality * self.success_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlookSettings:
    """`tiers` orders tiers for the prior. Effects are estimated anew after `every` ratings, or a quarter of all.

    A model that joins the others when there are `established` ratings is a newcomer until it has `newcomer_ratings` of
    its own. One with fewer than `proven_ratings` is unproven. One that became worse counts as fallen for `retrial_s`,
    unless it is mended before.
    """

    priors: Priors = field(default_factory=Priors)
    tiers: tuple[str, ...] = DEFAULT_TIERS
    every: int = 20
    established: float = 100.0
    newcomer_ratings: float = 30.0
    proven_ratings: float = 10.0
    retrial_s: float = 30 * 86_400.0


class _View(NamedTuple):
    """What is believed of one kind of request until its segment teaches more: a prospect of every eligible model.

    Their qualities are those with all figures at 0: what `slopes` add is still to come.
    """

    state: tuple[tuple[int, int], int, tuple[ModelProfile, ...], int]
    prospects: list[tuple[Prospect, tuple[float, ...]]]


class Outlook:
    """Beliefs over the segments of one knowledge. Cheap between estimates; see `look`."""

    def __init__(self, settings: OutlookSettings | None = None) -> None:
        self.settings = settings or OutlookSettings()
        self._profiles: dict[str, ModelProfile] = {}
        self._newcomers: set[str] = set()
        self._seen: set[str] = set()
        self._fallen: set[str] = set()
        self._basis, self._size = "", 0
        self._knowledge: Knowledge | None = None
        self._evidence = Evidence(0)
        self._quality: QualityBeliefs | None = None
        self._costs: CostBeliefs | None = None
        self._rated: dict[str, float] = {}
        self._estimates = 0
        self._estimated_at = 0
        self._fresh = 0.0
        self._epoch = 0
        self._told = False
        self._now_us = 0
        self._views: dict[Kind, _View] = {}

    def look(self, situation: Situation) -> list[Prospect]:
        """A prospect for every eligible model, in order; 2 us each while nothing is learned, else about 12."""
        self._prepare(situation)
        kind = (situation.segment, int(situation.vector[0]) if situation.vector else NO_SHAPE)
        view = self._view(kind, situation)
        figures = situation.vector[1:]
        prospects = []
        for flat, slope in view.prospects:
            quality = flat.quality + sum(map(mul, slope, figures))
            quality = 0.0 if quality < 0.0 else min(quality, 1.0)
            prospects.append(Prospect(flat.model, quality, *flat[2:]))
        return prospects

    def expected(self, event: Feedback) -> float | None:
        """What is believed now of the answer that was rated; None where nothing was estimated in its basis."""
        quality, label, knowledge = self._quality, event.label, self._knowledge
        if quality is None or knowledge is None or label.basis != self._basis:
            return None
        kind = (event.segment, label.shape)
        ratings = ratings_now(knowledge, kind, event.model, self._basis, self._evidence.before)
        mean = quality.expect(kind, event.model, ratings).mean + sum(
            map(mul, quality.slope(event.model), label.vector[1:])
        )
        believed: float = min(max(mean, 0.0), 1.0)
        return believed

    def noise(self, expected: float) -> float:
        """The variance of a single rating of which `expected` is expected."""
        return self._quality.noise.at(expected) if self._quality is not None else self.settings.priors.noise

    def learned(self, events: Sequence[Event]) -> None:
        """Take note of what was logged; may estimate anew, which takes milliseconds."""
        self._told = True
        for event in events:
            if isinstance(event, Feedback):
                self._fresh += 1
                if event.model in self._newcomers:
                    self._welcome(event.model, event.label.weight)
            elif isinstance(event, Outcome):
                # costs are read when asked for; only what they are shrunk to is estimated
                self._fresh += 0.1
            elif isinstance(event, StandingChange) and event.policy in (DRIFT, POLICIES[Metric.COST]):
                self._fresh += 1_000_000
        if self._knowledge is not None and self._fresh >= self._due():
            self._estimate(self._knowledge)

    def _due(self) -> float:
        """After so many ratings effects are estimated anew: rarer the more there are, and the more kinds."""
        evidence = self._evidence
        return max(self.settings.every, evidence.labels / 4, len(evidence.kinds))

    def _prepare(self, situation: Situation) -> None:
        stale = self._quality is None
        if any(model.model_id not in self._profiles for model in situation.eligible):
            # what was concluded stays until it is replaced, and the profiles as they are: others are reading them
            self._profiles = self._profiles | {model.model_id: model for model in situation.eligible}
            stale = True
        size, knowledge = max(0, len(situation.vector) - 1), situation.knowledge
        if (situation.basis, size) != (self._basis, self._size) or knowledge is not self._knowledge:
            self._basis, self._size, self._knowledge = situation.basis, size, knowledge
            stale = True
        self._now_us = situation.now_us
        untold = not self._told and knowledge.version - self._estimated_at >= 4 * self._due()
        if stale or untold or knowledge.epoch != self._epoch:
            self._estimate(knowledge)

    def _estimate(self, knowledge: Knowledge) -> None:
        evidence = gather(knowledge, self._basis, self._size)
        rated: dict[str, float] = dict.fromkeys(self._profiles, 0.0)
        for of_models in evidence.kinds.values():
            for model, ratings in of_models.items():
                rated[model] = rated.get(model, 0.0) + ratings.n
        self._quality = QualityBeliefs(evidence, self._prior_means(), self.settings.priors)
        self._costs = CostBeliefs(knowledge, self._basis, self._now_us)
        self._evidence, self._rated = evidence, rated
        self._sort_out(knowledge)
        self._estimates += 1
        self._estimated_at, self._fresh, self._epoch = knowledge.version, 0.0, knowledge.epoch

    def _sort_out(self, knowledge: Knowledge) -> None:
        """Who is new, who has fallen, and who is mended and so as good as new."""
        fallen = set()
        for model in self._profiles:
            change = latest_change(knowledge, model)
            if change.shift < 0 and self._now_us - change.at_us < self.settings.retrial_s * 1e6:
                fallen.add(model)
            came_late = self._seen and model not in self._seen and self._evidence.labels >= self.settings.established
            if came_late or (model in self._fallen and change.shift > 0):
                self._newcomers.add(model)
                self._welcome(model, 0.0)
        self._fallen = fallen
        self._seen |= self._profiles.keys()

    def _welcome(self, model: str, ratings: float) -> None:
        """A newcomer got so many more ratings: with enough of them it is none any more."""
        self._rated[model] = self._rated.get(model, 0.0) + ratings
        if model in self._newcomers and self._rated[model] >= self.settings.newcomer_ratings:
            self._newcomers.remove(model)
            self._views.clear()

    def _prior_means(self) -> dict[str, float]:
        """q0: by tier, moved by how the model's declared capabilities compare with the others'."""
        strengths = {
            model_id: sum(model.capabilities.values()) / len(model.capabilities)
            for model_id, model in self._profiles.items()
            if model.capabilities
        }
        usual = sum(strengths.values()) / len(strengths) if strengths else 0.0
        tiers = self.settings.tiers
        means = {}
        for model_id, model in self._profiles.items():
            rank = tiers.index(model.tier) if model.tier in tiers else len(tiers) // 2
            by_tier = 0.55 + 0.2 * rank / max(1, len(tiers) - 1)
            means[model_id] = min(max(by_tier + 0.3 * (strengths.get(model_id, usual) - usual), 0.3), 0.95)
        return means

    def _view(self, kind: Kind, situation: Situation) -> _View:
        knowledge, eligible = situation.knowledge, situation.eligible
        state = (knowledge.version_of(kind[0]), self._estimates, eligible, situation.now_us // 60_000_000)
        held = self._views.get(kind)
        if held is not None and held.state == state:
            return held
        quality, costs = self._quality, self._costs
        assert quality is not None and costs is not None  # noqa: S101, PT018 - `_prepare` made them
        prospects = []
        for model, cost_usd in zip(eligible, costs.expect(kind, eligible, knowledge), strict=True):
            model_id = model.model_id
            ratings = ratings_now(knowledge, kind, model_id, self._basis, self._evidence.before)
            mean, variance = quality.expect(kind, model_id, ratings)
            drifted_us = steady_since_us(knowledge, Metric.LATENCY, kind[0], (model_id,), situation.now_us)
            seen = knowledge.outcomes(segment_model_key(kind[0], model_id)).summary(
                max(situation.now_us - _SUCCESS_WINDOW_US, drifted_us), 10, now_us=situation.now_us
            )
            latency_s = None if seen.mean_latency_ms is None else seen.mean_latency_ms / 1000.0
            newcomer, fallen = model_id in self._newcomers, model_id in self._fallen
            answered = _answered(knowledge, kind[0], model_id, situation.now_us)
            deviation = math.sqrt(variance)
            unproven = self._rated.get(model_id, 0.0) < self.settings.proven_ratings
            flat = Prospect(model, mean, deviation, cost_usd, latency_s, newcomer, fallen, answered, unproven)
            prospects.append((flat, quality.slope(model_id)))
        view = _View(state, prospects)
        if len(self._views) >= _CACHED_KINDS:
            self._views.clear()
        self._views[kind] = view
        return view


def _answered(knowledge: Knowledge, segment: Segment, model_id: str, now_us: int) -> float:
    """The share of calls that a model answers: of the last hour's in the segment, where few are as in all segments.

    What is older does not count: a segment that leaves a failing model alone would never learn that it is mended.
    """
    since_us = now_us - _SUCCESS_WINDOW_US
    everywhere = knowledge.outcomes(model_key(model_id)).summary(since_us, now_us=now_us)
    here = knowledge.outcomes(segment_model_key(segment, model_id)).summary(since_us, now_us=now_us)
    usual = (everywhere.successes + _PRIOR_CALLS) / (everywhere.requests + _PRIOR_CALLS)
    return (here.successes + _PRIOR_CALLS * usual) / (here.requests + _PRIOR_CALLS)
