"""How soon a policy acted on a change: in ratings of the model concerned, and in requests.

What a policy believes in is its greedy model; what it draws to explore is no reaction. So a share here is one of the
greedy choices: of up to 200 requests before a change, and of all that follow until the next.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from tiercel.core.replay.driver import Step, Trace
from tiercel.core.replay.world import RECENT, Applied

LASTING = 50
NEWCOMER_WITHIN = 500
NEWCOMER_SEEN = 40


@dataclass(frozen=True, slots=True)
class Reaction:
    """What followed a change at request `at` to one model (its index).

    The policy acted at the request from which on the share is below half of what it was before the model got worse;
    for one that is mended, from which on it is above. `requests` and `ratings` count until then: ratings of what the
    model did since the change, given before that request. Both are None where the policy did not act before the next
    change or the end, and for other changes, where `expected` is False. `newcomer_share` is a newcomer's share of the
    last 40 of the requests that its best segment had among the 500 since it came (of all 500 where none had 40).
    """

    model: int
    at: int
    expected: bool
    share_before: float
    share_after: float
    requests: int | None = None
    ratings: int | None = None
    newcomer_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSummary:
    """The reactions of all repeats to one change.

    `models` says in what share of the repeats it concerned which model. `acted` is the share of the repeats in which
    the policy acted (None where that is not asked); `ratings` and `requests` are medians over all repeats, one without
    an act counting as endless, so that None says that less than half of them had one.
    """

    at: int
    models: dict[str, float]
    share_before: float
    share_after: float
    acted: float | None
    ratings: float | None
    requests: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionSummary:
    """The reactions to a scenario: delays in ratings of the model (medians), and the newcomer's share (mean)."""

    detection_delay: float | None
    recovery_delay: float | None
    newcomer_share: float | None
    changes: tuple[ChangeSummary, ...]


def reactions(trace: Trace) -> tuple[Reaction, ...]:
    """What followed each change of a trace."""
    starts = [change.at for change in trace.changes]
    found: list[Reaction] = []
    for number, applied in enumerate(trace.changes, start=1):
        end = starts[number] if number < len(starts) else len(trace.steps)
        found.append(_reaction(trace, applied, end, found))
    return tuple(found)


def _reaction(trace: Trace, applied: Applied, end: int, earlier: Sequence[Reaction]) -> Reaction:
    steps, model, at = trace.steps, applied.model, applied.at
    worse = applied.change.quality_factor < 1
    mended = not worse and any(reaction.expected and reaction.model == model for reaction in earlier)
    before, after = _share(steps[max(0, at - RECENT) : at], model), _share(steps[at:end], model)
    usual = earlier[-1].share_before if mended else before
    expected = (worse or mended) and usual > 0
    moment = _moment(steps[at:end], model, usual, below=worse) if expected else None
    ratings = None
    if moment is not None:
        given = steps[at : max(at, at + moment - trace.terms.delay)]
        ratings = sum(step.rated and step.chosen == model for step in given)
    share = None
    if applied.change.present and any(c.model == model and not c.change.present for c in trace.changes):
        share = _newcomer_share(steps[at : at + NEWCOMER_WITHIN], model, segmented=trace.terms.segmented)
    return Reaction(model, at, expected, before, after, moment, ratings, share)


def _share(steps: Sequence[Step], model: int) -> float:
    return sum(step.greedy == model for step in steps) / len(steps) if steps else 0.0


def _moment(steps: Sequence[Step], model: int, usual: float, *, below: bool) -> int | None:
    """The request from which on the share lies on that side of half the usual one; None where it never does for long.

    The sum of what each request differs by from half the usual share climbs until then and falls from then on. It is
    the first peak from which the sum falls as far as 50 requests, with none of the usual share or with all of it, make
    it fall.
    """
    half = usual / 2
    total = peak = 0.0
    moment = 0
    for number, step in enumerate(steps, start=1):
        total += (1 if below else -1) * ((step.greedy == model) - half)
        if total > peak:
            peak, moment = total, number
        elif peak - total >= LASTING * half:
            return moment
    return None


def _newcomer_share(steps: Sequence[Step], model: int, *, segmented: bool) -> float:
    by_segment: dict[str, list[bool]] = {}
    for step in steps:
        by_segment.setdefault(step.query.task if segmented else "", []).append(step.chosen == model)
    seen = [served[-NEWCOMER_SEEN:] for served in by_segment.values() if len(served) >= NEWCOMER_SEEN]
    seen = seen or [[step.chosen == model for step in steps]]
    return max(fmean(served) for served in seen)


def summary_of(models: Sequence[str], repeats: Sequence[Sequence[Reaction]]) -> ReactionSummary | None:
    """The reactions of all repeats; None for a scenario without changes."""
    if not repeats[0]:
        return None
    changes = tuple(_change_summary(models, reactions) for reactions in zip(*repeats, strict=True))
    asked = [change for change in changes if change.acted is not None]
    shares = [r.newcomer_share for repeat in repeats for r in repeat if r.newcomer_share is not None]
    return ReactionSummary(
        detection_delay=asked[0].ratings if asked else None,
        recovery_delay=asked[1].ratings if len(asked) > 1 else None,
        newcomer_share=fmean(shares) if shares else None,
        changes=changes,
    )


def _change_summary(models: Sequence[str], repeats: Sequence[Reaction]) -> ChangeSummary:
    counts = Counter(reaction.model for reaction in repeats)
    asked = [reaction for reaction in repeats if reaction.expected]
    return ChangeSummary(
        at=repeats[0].at,
        models={models[model]: count / len(repeats) for model, count in sorted(counts.items())},
        share_before=fmean(reaction.share_before for reaction in repeats),
        share_after=fmean(reaction.share_after for reaction in repeats),
        acted=fmean(reaction.requests is not None for reaction in asked) if asked else None,
        ratings=_median(reaction.ratings for reaction in asked),
        requests=_median(reaction.requests for reaction in asked),
    )


def _median(values: Iterable[int | None]) -> float | None:
    ordered = [math.inf if value is None else float(value) for value in values]
    middle = median(ordered) if ordered else math.inf
    return middle if math.isfinite(middle) else None
