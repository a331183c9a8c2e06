"""How far a judge can be trusted, from what it and others said of the same answers. Pure.

Each figure comes with its 95 % interval and the number of answers behind it; without enough of them it says so. Usual
biases of models as judges: they favour their own answers and long ones (Zheng et al., arXiv 2306.05685, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, isfinite, sqrt, tanh
from statistics import NormalDist, fmean, variance
from typing import Any

from tiercel.core.grading import JUDGE_SOURCE
from tiercel.core.statistics.intervals import wilson
from tiercel.domain.events import Feedback

MIN_ANSWERS = 20
"""Fewer answers give no figure."""
MIN_SIDE = 10
"""Of two groups that are compared, neither may have fewer."""

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class GradedAnswer:
    """One answer of `model` as `judge` graded it (0..1), beside the mean of what others said of it (None: nobody)."""

    judge: str
    model: str
    grade: float
    others: float | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure over `n` answers with its 95 % interval; where there is none, `note` says why."""

    n: int
    value: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain values: the figure with its interval, or the note."""
        if self.value is None:
            return {"n": self.n, "note": self.note}
        return {"n": self.n, "value": self.value, "interval": list(self.interval or ())}


@dataclass(frozen=True, slots=True)
class JudgeBias:
    """What is known of one judge.

    `difference` is the mean of its grade minus others' rating of the same answer (above 0: lenient) and `agreement`
    their correlation. `self_preference` is that difference for its own model's answers minus the same for others'.
    `length` is the correlation of its grade with the answer's tokens: not wrong in itself, for long answers may be
    good ones.
    """

    judge: str
    grades: int
    mean_grade: float
    difference: Estimate
    agreement: Estimate
    self_preference: Estimate
    length: Estimate

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "model": self.judge,
            "grades": self.grades,
            "mean_grade": self.mean_grade,
            "difference": self.difference.to_dict(),
            "agreement": self.agreement.to_dict(),
            "self_preference": self.self_preference.to_dict(),
            "length": self.length.to_dict(),
        }


def graded_answers(ratings: Sequence[Feedback]) -> list[GradedAnswer]:
    """The judges' grades among `ratings`, each beside what the sources that are no judges said of the same decision."""
    heard: dict[str, list[float]] = {}
    for rating in ratings:
        if rating.decision_id and not rating.source.startswith(JUDGE_SOURCE):
            heard.setdefault(rating.decision_id, []).append(rating.quality)
    return [
        GradedAnswer(
            judge=rating.source.removeprefix(JUDGE_SOURCE),
            model=rating.model,
            grade=rating.quality,
            others=fmean(heard[rating.decision_id]) if rating.decision_id in heard else None,
            completion_tokens=_tokens(rating),
        )
        for rating in ratings
        if rating.decision_id and rating.source.startswith(JUDGE_SOURCE)
    ]


def judge_biases(answers: Sequence[GradedAnswer]) -> list[JudgeBias]:
    """What is known of each judge, by name."""
    return [_bias(judge, [a for a in answers if a.judge == judge]) for judge in sorted({a.judge for a in answers})]


def share(count: int, n: int) -> Estimate:
    """`count` of `n` as a share, with Wilson's score interval (1927)."""
    if n < MIN_ANSWERS:
        return _too_few(n)
    return Estimate(n, count / n, wilson(count, n, _Z))


def mean_of(values: Sequence[float]) -> Estimate:
    """The mean, with Student's interval."""
    n = len(values)
    if n < MIN_ANSWERS:
        return _too_few(n)
    mean, spread = fmean(values), _t(n - 1) * sqrt(variance(values) / n)
    return Estimate(n, mean, (mean - spread, mean + spread))


def difference_of_means(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """The mean of `first` minus that of `second`, with Welch's interval (1947)."""
    n = len(first) + len(second)
    if n < MIN_ANSWERS or min(len(first), len(second)) < MIN_SIDE:
        return Estimate(n, note=f"not enough data (n = {len(first)} and {len(second)})")
    parts = [(variance(side) / len(side), len(side) - 1) for side in (first, second)]
    error2 = sum(part for part, _ in parts)
    freedom = error2 * error2 / sum(part * part / rest for part, rest in parts) if error2 else float(n)
    difference, spread = fmean(first) - fmean(second), _t(freedom) * sqrt(error2)
    return Estimate(n, difference, (difference - spread, difference + spread))


def correlation(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Pearson's correlation, with Fisher's interval."""
    n = len(first)
    if n < MIN_ANSWERS:
        return _too_few(n)
    mean1, mean2 = fmean(first), fmean(second)
    square1 = sum((x - mean1) ** 2 for x in first)
    square2 = sum((y - mean2) ** 2 for y in second)
    product = sqrt(square1) * sqrt(square2)
    # what is left of equal values by rounding is no variation
    if not product > 1e-12 * n * (abs(mean1) + sqrt(square1)) * (abs(mean2) + sqrt(square2)):
        return Estimate(n, note=f"no variation (n = {n})")
    crossed = sum((x - mean1) * (y - mean2) for x, y in zip(first, second, strict=True))
    value = min(1.0, max(-1.0, crossed / product))
    spread = _Z / sqrt(n - 3)
    inner = min(1 - 1e-15, max(1e-15 - 1, value))
    return Estimate(n, value, (tanh(atanh(inner) - spread), tanh(atanh(inner) + spread)))


def _bias(judge: str, answers: Sequence[GradedAnswer]) -> JudgeBias:
    rated = [(a.grade, a.others, a.model == judge) for a in answers if a.others is not None]
    excess = [grade - others for grade, others, _ in rated]
    own, rest = (
        [e for e, (_, _, is_own) in zip(excess, rated, strict=True) if is_own is side] for side in (True, False)
    )
    sized = [(a.grade, a.completion_tokens) for a in answers if a.completion_tokens is not None]
    return JudgeBias(
        judge=judge,
        grades=len(answers),
        mean_grade=fmean(a.grade for a in answers),
        difference=mean_of(excess),
        agreement=correlation([grade for grade, _, _ in rated], [others for _, others, _ in rated]),
        self_preference=difference_of_means(own, rest),
        length=correlation([grade for grade, _ in sized], [float(tokens) for _, tokens in sized]),
    )


def _tokens(rating: Feedback) -> int | None:
    tokens = rating.metadata.get("completion_tokens")
    return tokens if type(tokens) is int else None


def _too_few(n: int) -> Estimate:
    return Estimate(n, note=f"not enough data (n = {n})")


def _t(freedom: float) -> float:
    """Student's t that 2.5 % exceed, within .3 % from 9 degrees of freedom on (Cornish and Fisher's expansion)."""
    if not isfinite(freedom):
        return _Z
    z = _Z
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2
