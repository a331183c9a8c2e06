"""A gate in front of what a policy wants to change: a human's yes, a rollout by share, or one after the other.

    wanted -> pending -> approved -> rolling (5 %) -> rolling (25 %) -> done -> the change stands
                 |                      |
                 +-> rejected, expired  +-> rolled-back (surely worse, or a human said stop)

While a change rolls out the proposal is the exact mixture of what the wrapped policy proposes as things stand and of
what it would propose if the change stood, so logged propensities are what they say. Which of the two a decision was
drawn from is drawn after the model, from the probabilities given that model; so its ratings are those of that one. At
each share below 1 the two are compared anew (core/changes/comparison.py), each comparison with an equal part of the
error allowed; so none mixes ratings from before and after a change of share.

A change that was refused is asked for again after `ask_again_s`, and another one at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tiercel.core.changes.comparison import Comparison, compared
from tiercel.core.changes.steps import change_of, event_of, expired, requested, stepped, wanted_of
from tiercel.core.policies.base import Mixture, Policy, Situation
from tiercel.core.policies.switched import SwitchedPolicy
from tiercel.core.policies.wrapper import WrapperPolicy, innermost
from tiercel.core.statistics.arms import STEP
from tiercel.core.statistics.buckets import CLOCKS_APART_US
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import DEFAULT_TIERS, ModelProfile
from tiercel.domain.changes import GATE, POLICY_SWITCH, Change, ChangeStatus
from tiercel.domain.decision import Candidate, Proposal
from tiercel.domain.events import StandingChange
from tiercel.domain.request import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """`approval` and `rollout` say what a change goes through; `only_down`: changes to a higher tier pass freely.

    A request is answered within `approval_timeout_s` or taken as rejected; a refused change is asked for again after
    `ask_again_s`. `shares` rise from below 1 to 1; at each `min_ratings` of the new are waited for. It is rolled back
    when it is worse by more than `tolerance` (quality points, 0..1) with `confidence`, which is the whole rollout's.
    """

    approval: bool = False
    rollout: bool = False
    only_down: bool = False
    approval_timeout_s: float = 86_400.0
    ask_again_s: float = 86_400.0
    shares: tuple[float, ...] = (0.05, 0.25, 1.0)
    min_ratings: int = 50
    tolerance: float = 0.02
    confidence: float = 0.95
    tiers: tuple[str, ...] = DEFAULT_TIERS


class GatedPolicy(WrapperPolicy):
    """Wraps any policy; one whose reviews want no changes is left as it is."""

    def __init__(self, inner: Policy, settings: GateSettings) -> None:
        steps = ("needs approval" if settings.approval else "", "is rolled out by share" if settings.rollout else "")
        super().__init__(inner, kind="gated", promise=f"a change {' and '.join(filter(None, steps))}")
        self.settings = settings

    def propose(self, situation: Situation) -> Proposal:
        """As things stand, as if the change stood, or a mixture of the two by the rollout's share."""
        step = situation.knowledge.standing(GATE, situation.segment)
        if step is None:
            return self.inner.propose(situation)
        change = change_of(step)
        rolling = change.status is ChangeStatus.ROLLING
        if not (rolling or change.granted) or _stands(change, situation.knowledge):
            return self.inner.propose(situation)
        supposed = replace(situation, knowledge=situation.knowledge.supposing(wanted_of(change)))
        if change.granted:
            return self.inner.propose(supposed)
        return mixed(self.inner.propose(situation), self.inner.propose(supposed), change)

    def review(
        self, segment: Segment, models: Sequence[ModelProfile], knowledge: Knowledge, now_us: int
    ) -> StandingChange | None:
        """The next step of the change under way, or the first one of a change that the wrapped policy wants."""
        now = datetime.fromtimestamp(now_us / 1e6, UTC)
        step = knowledge.standing(GATE, segment)
        change = change_of(step) if step else None
        if change is not None and change.granted and not _stands(change, knowledge):
            return wanted_of(change)
        wanted = self.inner.review(segment, models, knowledge, now_us)
        if change is not None and change.under_way:
            following = self._next(change, wanted, knowledge, now)
            return None if following is None else event_of(following)
        if wanted is None or self._free(wanted) or (change and self._answered(change, wanted, now)):
            return wanted if wanted is not None and self._free(wanted) else None
        first = requested(
            wanted,
            step,
            now,
            approval=self.settings.approval,
            rollout=self.settings.rollout,
            timeout_s=self.settings.approval_timeout_s,
        )
        return event_of(first if self.settings.approval else self._begun(first))

    def _free(self, wanted: StandingChange) -> bool:
        """Whether a change need not go through the gate."""
        tiers = self.settings.tiers
        known = wanted.policy != POLICY_SWITCH and {wanted.previous, wanted.current} <= set(tiers)
        return self.settings.only_down and known and tiers.index(wanted.current) > tiers.index(wanted.previous)

    def _answered(self, change: Change, wanted: StandingChange, now: datetime) -> bool:
        """Whether this was refused so lately that it is not asked for again.

        What a clock stamped while it was ahead does not tell when that was.
        """
        same = (change.policy, change.previous, change.current) == (wanted.policy, wanted.previous, wanted.current)
        age_s = (now - change.stepped_at).total_seconds()
        return same and change.refused and -CLOCKS_APART_US / 1e6 <= age_s < self.settings.ask_again_s

    def _next(
        self, change: Change, wanted: StandingChange | None, knowledge: Knowledge, now: datetime
    ) -> Change | None:
        """One step further, if it is time for one."""
        if change.overdue(now):
            return expired(change)
        pending = change.status is ChangeStatus.PENDING
        if why := self._why_over(change, wanted, knowledge):
            return stepped(change, ChangeStatus.EXPIRED if pending else ChangeStatus.ROLLED_BACK, now, why)
        if change.status is ChangeStatus.APPROVED:
            return self._begun(stepped(change, ChangeStatus.ROLLING, now, ""))
        return None if pending else self._rolled(change, compared(knowledge, change), now)

    def _why_over(self, change: Change, wanted: StandingChange | None, knowledge: Knowledge) -> str:
        """Why it is no longer to be made, whatever its ratings say; "" where it still is."""
        if _stands(change, knowledge):
            return "the segment was changed past the gate"
        if not self._makes(change, knowledge):
            return f"withdrawn: the route's policy is now {self.inner.name}"
        if wanted is None:
            return "withdrawn: it is no longer wanted" if change.status is ChangeStatus.PENDING else ""
        if (wanted.policy, wanted.current) != (change.policy, change.current):
            return f"withdrawn: now {wanted.current} is wanted ({wanted.reason})"
        return ""

    def _makes(self, change: Change, knowledge: Knowledge) -> bool:
        """Whether the wrapped policy still is one that makes such changes: the route may have been given another."""
        if change.policy == POLICY_SWITCH:
            return isinstance(self.inner, SwitchedPolicy)
        return innermost(self.inner, change.segment, knowledge).name == change.policy

    def _rolled(self, change: Change, seen: Comparison, now: datetime) -> Change | None:
        tolerance = self.settings.tolerance
        figures = _figures(seen)
        if seen.interval.high < -tolerance:
            return stepped(change, ChangeStatus.ROLLED_BACK, now, f"surely worse by more than {tolerance:g}: {figures}")
        enough = seen.new.number >= self.settings.min_ratings
        if not enough or seen.difference is None or seen.difference < -tolerance:
            return None
        share = self._share_after(change.share)
        if share >= 1.0:
            return replace(stepped(change, ChangeStatus.DONE, now, f"not seen to be worse: {figures}"), share=1.0)
        further = stepped(change, ChangeStatus.ROLLING, now, "")
        return self._begun(further, share, f", not seen to be worse: {figures}")

    def _begun(self, change: Change, share: float | None = None, why: str = "") -> Change:
        """The change at its next share, with what the comparison at that share starts from."""
        share = self._share_after(0.0) if share is None else share
        compared_at = sum(1 for one in self.settings.shares if one < 1.0)
        alpha = (1.0 - self.settings.confidence) / max(1, compared_at)
        return replace(
            change,
            share=share,
            alpha=alpha,
            step_reason=f"{share:.3g} of the requests from now on{why}",
        )

    def _share_after(self, share: float) -> float:
        return next((one for one in self.settings.shares if one > share), 1.0)


def mixed(old: Proposal, new: Proposal, change: Change) -> Mixture:
    """`old` with probability 1 - share and `new` with probability share, model by model."""
    share = change.share
    candidates: list[Candidate] = []
    of_new: dict[str, float] = {}
    for before, after in zip(old.candidates, new.candidates, strict=True):
        from_old, from_new = (1.0 - share) * before.probability, share * after.probability
        probability = from_old + from_new
        figures = after if after.quality is not None else before
        candidates.append(figures._replace(probability=probability))
        if probability > 0.0:
            of_new[before.model_id] = from_new / probability
    same = {name: value for name, value in old.details.items() if new.details.get(name) == value}
    return Mixture(
        candidates=tuple(candidates),
        greedy=(old if share <= 0.5 else new).greedy,
        reason=f"{share:.3g} of the requests are decided for {change.current}, the rest for {change.previous}, in a"
        f" rollout; {old.reason}",
        details={**same, "rollout_share": share, STEP: float(change.revision)},
        of_new=of_new,
        details_of=(old.details, new.details),
    )


def _stands(change: Change, knowledge: Knowledge) -> bool:
    """Whether the change was made, or another one in its place."""
    standing = knowledge.standing(change.policy, change.segment)
    return standing is not None and standing.revision >= change.wanted


def _figures(seen: Comparison) -> str:
    low, high = seen.interval
    old, new = seen.old, seen.new
    return (
        f"{new.mean or 0.0:.3f} of {new.number} ratings against {old.mean or 0.0:.3f} of {old.number},"
        f" a difference in {low:+.3f}..{high:+.3f}"
    )
