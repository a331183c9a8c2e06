"""From traces to figures: of one replay, and of several with intervals.

Intervals are Student's t at 95 % over the repeats, each repeat giving one value. All repeats ask the same queries, so
the intervals tell how much order, draws and ratings matter, and not how another sample of queries would come out.
Gains are differences within a repeat: what one repeat's order makes hard is hard for both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from statistics import fmean, median

from tiercel.core.hull import Hull, Point
from tiercel.core.replay.driver import Step, Trace
from tiercel.core.replay.reactions import Reaction, ReactionSummary, reactions, summary_of
from tiercel.core.replay.table import mean_or_none
from tiercel.core.statistics.intervals import t_interval

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Part:
    """Means per request over some requests, and the mean quality minus what the best fixed mix buys for that cost.

    Costs and what follows from them are None where the table has none.
    """

    quality: float
    cost_usd: float | None
    latency_ms: float | None
    gain_over_hull: float | None


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One replay in figures.

    `regret` is the sum of what the best model of each request would have been better by. `overdraft_usd` is the largest
    excess of what was spent over so many budgets as there were requests until then; `deficit` the largest sum, until
    any request, of what the incumbent would have been better by. `decide_us` is the median, None where not measured.
    """

    whole: Part
    last_half: Part
    regret: float
    share: tuple[float, ...]
    overdraft_usd: float | None
    deficit: float
    decide_us: float | None
    reactions: tuple[Reaction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A policy's or a baseline's figures. Intervals are None for fewer than two repeats, and for nothing known.

    A baseline's are exact, so its intervals have no width. `max_overdraft` (USD) and `max_deficit` (quality summed over
    requests) are the worst of any repeat at any request.
    """

    quality: float
    cost_usd: float | None
    latency_ms: float | None
    regret: float
    share: Mapping[str, float]
    quality_ci: Interval | None
    cost_ci: Interval | None
    gain_over_hull: float | None
    gain_ci: Interval | None
    quality_last_half: float | None = None
    cost_last_half: float | None = None
    gain_over_hull_last_half: float | None = None
    gain_last_half_ci: Interval | None = None
    spend_over_budget: float | None = None
    max_overdraft: float | None = None
    max_deficit: float | None = None
    scenario: ReactionSummary | None = None
    decide_us: float | None = None
    runs: Sequence[RunFigures] = field(default=(), repr=False)


def hull_of(steps: Sequence[Step]) -> Hull | None:
    """The hindsight hull of the models that were there for all of `steps`; None without costs."""
    points = []
    for model in range(len(steps[0].offer)):
        offers = [step.offer[model] for step in steps]
        there = [recorded for recorded in offers if recorded is not None]
        cost_usd = mean_or_none(recorded.cost_usd for recorded in there)
        if cost_usd is not None and len(there) == len(offers):
            points.append(Point(cost_usd, fmean(recorded.quality for recorded in there)))
    return Hull.of(points) if points else None


def part_of(steps: Sequence[Step]) -> Part:
    """The means over `steps`, against the hull of the same requests."""
    recorded = [step.recorded for step in steps]
    quality, cost_usd = fmean(r.quality for r in recorded), mean_or_none(r.cost_usd for r in recorded)
    hull = hull_of(steps) if cost_usd is not None else None
    gain = None if hull is None or cost_usd is None else quality - hull.quality_at(cost_usd)
    return Part(quality, cost_usd, mean_or_none(r.latency_ms for r in recorded), gain)


def run_figures(trace: Trace, *, budget_usd: float | None = None, incumbent: int | None = None) -> RunFigures:
    """The figures of one replay. `incumbent` is the model served so far (None: the best single one)."""
    steps = trace.steps
    if incumbent is None:
        incumbent = _best_single(steps)
    missed = [
        0.0 if (held := step.offer[incumbent]) is None else held.quality - step.recorded.quality for step in steps
    ]
    overdraft_usd = None
    costs = [step.recorded.cost_usd for step in steps]
    if budget_usd is not None:
        overdraft_usd = _peak(cost - budget_usd for cost in costs if cost is not None)
    counts = [0] * len(trace.models)
    for step in steps:
        counts[step.chosen] += 1
    decide_ns = median(step.decide_ns for step in steps)
    return RunFigures(
        whole=part_of(steps),
        last_half=part_of(steps[len(steps) // 2 :]),
        regret=fsum(_best(step) - step.recorded.quality for step in steps),
        share=tuple(count / len(steps) for count in counts),
        overdraft_usd=overdraft_usd,
        deficit=_peak(missed),
        decide_us=decide_ns / 1e3 if decide_ns else None,
        reactions=reactions(trace),
    )


def result_of(models: Sequence[str], runs: Sequence[RunFigures], *, budget_usd: float | None = None) -> Result:
    """The figures of one policy over its repeats."""
    whole, half = [run.whole for run in runs], [run.last_half for run in runs]
    cost_usd = mean_or_none(part.cost_usd for part in whole)
    overdrafts = [run.overdraft_usd for run in runs if run.overdraft_usd is not None]
    timed = [run.decide_us for run in runs if run.decide_us is not None]
    return Result(
        quality=fmean(part.quality for part in whole),
        cost_usd=cost_usd,
        latency_ms=mean_or_none(part.latency_ms for part in whole),
        regret=fmean(run.regret for run in runs),
        share={model: fmean(run.share[i] for run in runs) for i, model in enumerate(models)},
        quality_ci=_interval(part.quality for part in whole),
        cost_ci=_interval(part.cost_usd for part in whole),
        gain_over_hull=mean_or_none(part.gain_over_hull for part in whole),
        gain_ci=_interval(part.gain_over_hull for part in whole),
        quality_last_half=fmean(part.quality for part in half),
        cost_last_half=mean_or_none(part.cost_usd for part in half),
        gain_over_hull_last_half=mean_or_none(part.gain_over_hull for part in half),
        gain_last_half_ci=_interval(part.gain_over_hull for part in half),
        spend_over_budget=None if cost_usd is None or budget_usd is None else cost_usd / budget_usd,
        max_overdraft=max(overdrafts, default=None),
        max_deficit=max(run.deficit for run in runs),
        scenario=summary_of(models, [run.reactions for run in runs]),
        decide_us=median(timed) if timed else None,
        runs=tuple(runs),
    )


def _interval(values: Iterable[float | None]) -> Interval | None:
    every = list(values)
    known = [value for value in every if value is not None]
    return t_interval(known) if len(known) == len(every) else None


def _best(step: Step) -> float:
    return max(recorded.quality for recorded in step.offer if recorded is not None)


def _best_single(steps: Sequence[Step]) -> int:
    """The model best over all of a replay; one that was not there counts as nothing meanwhile."""
    totals = [
        fsum(0.0 if (held := step.offer[model]) is None else held.quality for step in steps)
        for model in range(len(steps[0].offer))
    ]
    return totals.index(max(totals))


def _peak(values: Iterable[float]) -> float:
    """The largest sum of the values until any of them, at least 0."""
    total = peak = 0.0
    for value in values:
        total += value
        peak = max(peak, total)
    return peak
