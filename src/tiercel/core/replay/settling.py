"""How soon a policy did as well as it does at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tiercel.core.replay.driver import Step, Trace

WINDOW = 100
"""Requests that a mean is taken over."""
NEAR = 0.025
"""Quality points by which a policy that has settled still goes up and down, for its budget and the tasks that come."""


@dataclass(frozen=True, slots=True)
class Settled:
    """From which request on, and how many ratings had been given by then."""

    requests: int
    ratings: int


def settled(trace: Trace) -> Settled | None:
    """When the quality to be expected of the policy's choices stayed within `NEAR` of that of the last half.

    What is to be expected is the mean quality that each model has in the request's task, less that of all models there,
    over the windows of `WINDOW` requests that follow one another: the luck of single answers and draws, and which tasks
    came, are left out. None where the last half itself does not stay there, or there are fewer than four windows.
    """
    expected = _expected(trace.steps)
    windows = [fmean(expected[at : at + WINDOW]) for at in range(0, len(expected) - WINDOW + 1, WINDOW)]
    if len(windows) < 4:
        return None
    half = len(windows) // 2
    usual = fmean(windows[half:])
    far = [number for number, mean in enumerate(windows) if abs(mean - usual) > NEAR]
    first = far[-1] + 1 if far else 0
    if first > half:
        return None
    at = first * WINDOW
    return Settled(at, sum(step.rated for step in trace.steps[: max(0, at - trace.terms.delay)]))


def _expected(steps: Sequence[Step]) -> list[float]:
    """How much better than all models' mean, in its task, each request's models are by their probabilities."""
    sums: dict[tuple[str, int], list[float]] = {}
    for step in steps:
        for model, recorded in enumerate(step.offer):
            if recorded is not None:
                sums.setdefault((step.query.task, model), []).append(recorded.quality)
    means = {key: fmean(values) for key, values in sums.items()}
    usual = {task: fmean(mean for (other, _), mean in means.items() if other == task) for task, _ in means}
    return [
        sum(p * means[step.query.task, model] for model, p in enumerate(step.probabilities) if p > 0.0)
        - usual[step.query.task]
        for step in steps
    ]
