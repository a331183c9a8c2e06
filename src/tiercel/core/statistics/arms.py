"""Ratings by the arm of a rollout: of decisions drawn from the old proposal (0) and from the new one (1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tiercel.core.statistics.buckets import FOREVER_S, Bucket
from tiercel.core.statistics.sums import Sums, nano
from tiercel.domain.changes import GATE
from tiercel.domain.decision import Decision
from tiercel.domain.events import Feedback, StandingChange
from tiercel.domain.request import Segment

ARM = "rollout_arm"
"""The figure in a decision's details that says which of a rollout's two it was drawn from."""
STEP = "rollout_step"
"""Likewise the step of the rollout that it was drawn at."""
_ALWAYS = Bucket(FOREVER_S, 0)


def arm_name(step: int, arm: int) -> str:
    """What labels call an arm of the rollout whose step that is."""
    return f"{step}/{arm}"


def arm_key(segment: Segment, step: int, arm: int) -> tuple[str, ...]:
    """An arm of a rollout within one segment."""
    return (*segment, "arm", arm_name(step, arm))


def is_past_arm(key: tuple[str, ...], standings: Mapping[tuple[str, Segment], StandingChange]) -> bool:
    """Whether `key` is an arm of a step that is over: nobody asks for it any more."""
    if key[-2:-1] != ("arm",):
        return False
    step = standings.get((GATE, key[:-2]))
    return step is not None and step.revision > int(key[-1].partition("/")[0])


def arm_of(decision: Decision) -> str:
    """The arm a decision was drawn from, as labels call it; "" where nothing was rolled out."""
    details = decision.proposal.details
    return arm_name(int(details[STEP]), int(details[ARM])) if ARM in details else ""


def arm_sums(events: Iterable[Feedback]) -> Iterator[tuple[tuple[tuple[str, ...], Bucket], Sums]]:
    """What ratings add to the arms they belong to; one that revises another takes that back, as everywhere."""
    for event in events:
        revised = event.replaces
        if revised is not None and revised.recorded_at == event.recorded_at:
            continue
        said = [(event.label.arm, 1, event.quality)]
        if revised is not None:
            said.append((revised.label.arm, -1, revised.quality))
        for arm, sign, quality in said:
            if arm:
                sums = Sums()
                sums.add_ratings(sign, sign * nano(quality), sign * nano(quality * quality))
                yield ((*event.segment, "arm", arm), _ALWAYS), sums
