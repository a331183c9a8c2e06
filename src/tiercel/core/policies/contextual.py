"""`contextual`: the cheapest model that is good enough for this request, learned from late and partial ratings.

    features -> expected quality and cost of every model -> utility = quality - price of money * cost -> distribution

Quality is hierarchical Bayes over models, segments and shapes of prompt (core/beliefs/quality.py); the price of money
is solved for the route's goal and the dollar bucket bounds what is spent (core/pacing.py); exploration is the computed
probability of being best, narrowed (exploration.py). A CUSUM per model notices a silent change (core/beliefs/drift.py):
what was learned before then is shifted by what the newest ratings say and counts as little as they do, which brings
doubt and with it more trials, downwards as upwards. The two-level posterior, the budget's shadow price and forced
exploration are combined as in "ParetoBandit" (arXiv 2604.00136); no regret bound is claimed for the whole.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from tiercel.core.beliefs.change import POLICY as DRIFT
from tiercel.core.beliefs.change import change_of, latest_change, model_segment
from tiercel.core.beliefs.drift import Alarm, DriftWatch
from tiercel.core.pacing import Goal, Pacer, PacingSettings
from tiercel.core.policies.base import BasePolicy, Situation
from tiercel.core.policies.exploration import ExplorationSettings, explore
from tiercel.core.policies.outlook import Outlook, OutlookSettings, Prospect
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.events import Event, Feedback, Outcome, StandingChange
from tiercel.domain.request import Segment

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextualSettings:
    """What the policy is made of; the defaults were fixed on one table and are used on all.

    `caution`: by so many standard deviations a quality must be believed lower. Of many models the luckiest looks best,
    the more so the less is known of it; what is not known is for exploration to find out.
    """

    goal: Goal = field(default_factory=Goal)
    caution: float = 0.5
    outlook: OutlookSettings = field(default_factory=OutlookSettings)
    pacing: PacingSettings = field(default_factory=PacingSettings)
    exploration: ExplorationSettings = field(default_factory=ExplorationSettings)


class ContextualPolicy(BasePolicy):
    """See the module. Learns from all routes' ratings; keeps the books of one route."""

    name: ClassVar[str] = "contextual"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "the cheapest model that is good enough for this prompt, learned from its ratings"
    reads_prompt: ClassVar[bool] = True
    keeps_books: ClassVar[bool] = True

    def __init__(self, settings: ContextualSettings | None = None) -> None:
        self.settings = settings or ContextualSettings()
        self.outlook = Outlook(self.settings.outlook)
        self.pacer = Pacer(self.settings.goal, self.settings.pacing)
        self._watch = DriftWatch()
        self._alarms: list[Alarm] = []
        # the noise and doubt each of the last decisions was made with, which its rating is judged by
        self._doubts: OrderedDict[str, float] = OrderedDict()

    def propose(self, situation: Situation) -> Proposal:
        """Most of the probability on the model of the highest utility that the bucket allows."""
        prospects = self.prospects(situation)
        goal = self.settings.goal
        price = self.pacer.price
        if price is None:
            price = self.pacer.first_price({p.model.model_id: (p.cost_usd, p.worth) for p in prospects})
        room = self.pacer.room()
        utilities = [self._utility(prospect, price) for prospect in prospects]
        allowed = _within(prospects, utilities, room)
        best = _best(prospects, allowed)
        shares = self.shares(prospects, allowed, best)
        candidates = tuple(
            _candidate(prospect, share, utility)
            for prospect, share, utility in zip(prospects, shares, utilities, strict=True)
        )
        details = {"price_of_money": price}
        if room is not None:
            details["room_usd"] = room
        return Proposal(candidates, candidates[best].model_id, _reason(prospects[best], price, goal), details)

    def prospects(self, situation: Situation) -> list[Prospect]:
        """What is expected of every eligible model."""
        return self.outlook.look(situation)

    def shares(self, prospects: Sequence[Prospect], utilities: Sequence[float], best: int) -> list[float]:
        """The probability of every model; a utility of -inf has none."""
        return explore(
            prospects,
            utilities,
            best,
            self.settings.exploration,
            self.pacer.spare(),
            seek_best=self.settings.goal.seeks_best,
        )

    def decided(self, decision: Decision) -> None:
        """Book the decision: the requests that the price of money is solved over, and what it will spend."""
        points: dict[str, tuple[float, float]] = {}
        served = 0.0
        for candidate in decision.proposal.candidates:
            worth = candidate.worth
            if worth is not None and candidate.cost_usd is not None:
                points[candidate.model_id] = (candidate.cost_usd, worth)
                served += candidate.probability * worth
        if points:
            chosen = decision.chosen
            best = points[decision.greedy][1] if decision.greedy in points else served
            self.pacer.decided(decision.id, points, best - served, points.get(decision.model, (0.0,))[0])
            self._doubts[decision.id] = (chosen.deviation or 0.0) ** 2
            if len(self._doubts) > _REMEMBERED:
                self._doubts.popitem(last=False)

    def learned(self, events: Sequence[Event]) -> None:
        """Book what was spent, and hold the ratings against what was expected."""
        for event in events:
            if isinstance(event, Outcome):
                unknown = event.success and event.cost_usd is None
                self.pacer.settle(event.decision_id, None if unknown else event.cost_usd or 0.0)
            elif isinstance(event, Feedback):
                self._rated(event)
            elif isinstance(event, StandingChange) and event.policy == DRIFT:
                model_id = event.segment[-1]
                self._watch.reset(model_id, fallen=change_of(event).shift < 0)
                self._alarms = [alarm for alarm in self._alarms if alarm.model != model_id]
                self.pacer.restart()
        self.outlook.learned(events)

    def review(
        self,
        segment: Segment,  # noqa: ARG002 - a model changes for all segments
        models: Sequence[ModelProfile],  # noqa: ARG002
        knowledge: Knowledge,
        now_us: int,
    ) -> StandingChange | None:
        """A model that was found to have changed enters a new era."""
        if not self._alarms:
            return None
        alarm = self._alarms.pop()
        era = latest_change(knowledge, alarm.model).era
        return StandingChange(
            changed_at=datetime.fromtimestamp(now_us / 1e6, UTC),
            segment=model_segment(alarm.model),
            policy=DRIFT,
            previous=str(era),
            current=str(era + 1),
            reason=f"its ratings moved by {alarm.shift:+.2f} from what was expected",
            confidence=1.0,
            revision=era + 1,
            evidence={"shift": alarm.shift, "samples": float(alarm.samples), "strength": alarm.strength},
        )

    def _utility(self, prospect: Prospect, price: float) -> float:
        latency = self.settings.goal.latency_price * (prospect.latency_s or 0.0)
        doubt = self.settings.caution * prospect.deviation
        return prospect.worth - doubt - price * prospect.cost_usd - latency

    def _rated(self, event: Feedback) -> None:
        expected = event.label.expected
        if expected is None or not event.label.weight or event.replaces is not None:
            return
        # what was expected at a cold start is no measure of a rating that comes much later
        believed = self.outlook.expected(event)
        difference = event.quality - (expected if believed is None else believed)
        doubt = self._doubts.pop(event.decision_id, None)
        if doubt is not None:
            self.pacer.rated(difference)
        variance = self.outlook.noise(expected) + (doubt or 0.0)
        alarm = self._watch.add(event.model, difference, variance)
        if alarm is not None:
            self._alarms.append(alarm)


def _candidate(prospect: Prospect, share: float, utility: float) -> Candidate:
    model = prospect.model
    return Candidate(
        model.model_id,
        model.tier,
        share,
        utility,
        quality=prospect.quality,
        cost_usd=prospect.cost_usd,
        deviation=prospect.deviation,
        success_rate=prospect.success_rate,
    )


def _within(prospects: Sequence[Prospect], utilities: Sequence[float], room_usd: float | None) -> list[float]:
    """The utilities, -inf for what the bucket has no room for; the cheapest model is always allowed."""
    if room_usd is None:
        return list(utilities)
    cheapest = min(prospect.cost_usd for prospect in prospects)
    return [
        utility if prospect.cost_usd <= max(room_usd, cheapest) else -math.inf
        for prospect, utility in zip(prospects, utilities, strict=True)
    ]


def _best(prospects: Sequence[Prospect], utilities: Sequence[float]) -> int:
    """The highest utility, of equals the cheapest; a newcomer only where nobody else may serve."""
    known = [i for i, p in enumerate(prospects) if utilities[i] > -math.inf and not p.newcomer]
    return max(known or range(len(prospects)), key=lambda i: (utilities[i], -prospects[i].cost_usd))


def _reason(best: Prospect, price: float, goal: Goal) -> str:
    what = f"expected quality {best.quality:.3f} at ${best.cost_usd:.2g}"
    if goal.budget_usd is not None:
        return f"{what}; the budget of ${goal.budget_usd:.3g} a request makes a dollar worth {price:.4g}"
    if goal.price is not None:
        return f"{what}; a dollar is worth {price:.4g} by the route's weights"
    aim = f"{goal.target_quality:g}" if goal.target_quality is not None else f"the best less {goal.slack:g}"
    return f"{what}; a target quality of {aim} makes a dollar worth {price:.4g}"
