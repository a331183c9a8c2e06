"""The newest few samples of a key: what rules look at that must forget by count and not only by age.

Both classes are semilattices: merging is union, then "the newest `limit`", so order does not matter and merging twice
changes nothing. Times are integer microseconds since the epoch.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from tiercel.core.statistics.sums import NANO, NANO_PER_MS


class OutcomeSample(NamedTuple):
    """One call: when, its id, whether it succeeded, and how long it took."""

    at_us: int
    id: str
    success: bool
    latency_ns: int


class OutcomeSummary(NamedTuple):
    """The newest outcomes in figures; the mean latency is over successes (0.0 without one)."""

    requests: int
    successes: int
    success_rate: float | None
    mean_latency_ms: float | None
    consecutive_failures: int
    newest_at_us: int


_NO_OUTCOMES = OutcomeSummary(0, 0, None, None, 0, 0)


class RecentOutcomes:
    """The newest `LIMIT` outcomes."""

    LIMIT = 100
    __slots__ = ("_samples", "_summary")

    def __init__(self) -> None:
        self._samples: list[OutcomeSample] = []
        self._summary: tuple[int, OutcomeSummary] | None = (0, _NO_OUTCOMES)

    def add(self, sample: OutcomeSample) -> None:
        """Add one sample; the oldest beyond the limit goes."""
        samples = self._samples
        if samples and sample <= samples[-1] and sample in samples:
            return
        insort(samples, sample)
        if len(samples) > self.LIMIT:
            del samples[0]
        self._summary = None

    def merge(self, other: RecentOutcomes) -> None:
        """Union with `other`."""
        for sample in other._samples:
            self.add(sample)

    def summary(self, since_us: int = 0, at_least: int = 0) -> OutcomeSummary:
        """The samples at or after `since_us` in figures, or the newest `at_least` where those are fewer.

        Computed once per change of the samples or of where the window begins; else about 1 us.
        """
        samples = self._samples
        first = bisect_left(samples, (since_us,)) if since_us else 0
        first = max(0, min(first, len(samples) - at_least))
        cached = self._summary
        if cached is None or cached[0] != first:
            cached = self._summary = (first, _summarise(tuple(samples)[first:]))
        return cached[1]

    def failures_since(self, at_us: int) -> int:
        """How many of the samples at or after `at_us` failed."""
        return sum(1 for s in tuple(self._samples) if s.at_us >= at_us and not s.success)

    def __iter__(self) -> Iterator[OutcomeSample]:
        return iter(tuple(self._samples))

    def __len__(self) -> int:
        return len(self._samples)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecentOutcomes) and self._samples == other._samples

    __hash__ = None  # type: ignore[assignment]

    def to_row(self) -> list[list[object]]:
        """As plain values; for stores."""
        return [list(sample) for sample in self._samples]

    @classmethod
    def from_row(cls, row: list[list[object]]) -> RecentOutcomes:
        """The inverse of `to_row`."""
        recent = cls()
        recent._samples = [OutcomeSample(*sample) for sample in row]  # type: ignore[arg-type]
        recent._summary = None
        return recent


def _summarise(samples: tuple[OutcomeSample, ...]) -> OutcomeSummary:
    latencies = [s.latency_ns for s in samples if s.success]
    streak = 0
    for sample in reversed(samples):
        if sample.success:
            break
        streak += 1
    return OutcomeSummary(
        requests=len(samples),
        successes=len(latencies),
        success_rate=len(latencies) / len(samples) if samples else None,
        mean_latency_ms=sum(latencies) / len(latencies) / NANO_PER_MS if latencies else None,
        consecutive_failures=streak,
        newest_at_us=samples[-1].at_us if samples else 0,
    )


class RatingSample(NamedTuple):
    """One rating: when, what it rates (a decision or the feedback's own id), its quality in 1e-9."""

    at_us: int
    subject: str
    quality_nano: int


class RatingSummary(NamedTuple):
    """The newest ratings in figures.

    `samples` is the weight that counts after the cap per source, `mean` their weighted mean quality (None without
    one) and `standard_error` that mean's.
    """

    samples: float
    mean: float | None
    standard_error: float
    sources: int
    newest_at_us: int


class RecentRatings:
    """The newest ratings: at most `PER_SOURCE` of each source and `LIMIT` in all.

    A source's later rating of the same subject replaces its earlier one.
    """

    PER_SOURCE = 40
    LIMIT = 400
    __slots__ = ("_by_source", "_count")

    def __init__(self) -> None:
        self._by_source: dict[str, list[RatingSample]] = {}
        self._count = 0

    def add(self, source: str, sample: RatingSample) -> None:
        """Add one rating; what exceeds the limits goes, oldest first."""
        samples = self._by_source.get(source, [])
        earlier = next((s for s in samples if s.subject == sample.subject), None)
        if earlier is not None and earlier >= sample:
            return
        samples = [s for s in samples if s is not earlier]
        insort(samples, sample)
        samples = samples[-self.PER_SOURCE :]
        self._count += len(samples) - len(self._by_source.get(source, ()))
        self._by_source[source] = samples
        while self._count > self.LIMIT:
            oldest = min(self._by_source, key=lambda name: (self._by_source[name][0], name))
            self._by_source[oldest] = self._by_source[oldest][1:]
            self._count -= 1
            if not self._by_source[oldest]:
                del self._by_source[oldest]

    def merge(self, other: RecentRatings) -> None:
        """Union with `other`."""
        for source, samples in other._by_source.items():
            for sample in samples:
                self.add(source, sample)

    def summary(
        self, *, since_us: int = 0, min_samples: int = 10, trusted: frozenset[str] = frozenset()
    ) -> RatingSummary:
        """The ratings at or after `since_us`, with no source louder than the others.

        The weight of a source that is not `trusted` is capped at the median number of ratings of the other sources, or
        at what is missing to `min_samples` where that is more. A source that is alone counts in full: there is nothing
        to weigh it against.
        """
        voices = {
            source: [s for s in samples if s.at_us >= since_us] for source, samples in tuple(self._by_source.items())
        }
        counts = {source: len(samples) for source, samples in voices.items() if samples}
        weights = {
            source: float(count) if source in trusted else _capped(source, counts, min_samples)
            for source, count in counts.items()
        }
        weight = sum(weights.values())
        if not weight:
            return RatingSummary(0.0, None, 0.0, 0, 0)
        mean = sum(w * sum(s.quality_nano for s in voices[n]) / counts[n] for n, w in weights.items()) / weight / NANO
        variance = (
            sum(w * sum((s.quality_nano / NANO - mean) ** 2 for s in voices[n]) / counts[n] for n, w in weights.items())
            / weight
        )
        newest_at_us = max(voices[name][-1].at_us for name in weights)
        return RatingSummary(weight, mean, (variance / weight) ** 0.5, len(weights), newest_at_us)

    def __iter__(self) -> Iterator[tuple[str, RatingSample]]:
        for source, samples in tuple(self._by_source.items()):
            for sample in samples:
                yield source, sample

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecentRatings) and self._by_source == other._by_source

    __hash__ = None  # type: ignore[assignment]

    def to_row(self) -> dict[str, list[list[object]]]:
        """As plain values; for stores."""
        return {source: [list(s) for s in samples] for source, samples in self._by_source.items()}

    @classmethod
    def from_row(cls, row: dict[str, list[list[object]]]) -> RecentRatings:
        """The inverse of `to_row`."""
        recent = cls()
        recent._by_source = {
            source: [RatingSample(*sample) for sample in samples]  # type: ignore[arg-type]
            for source, samples in row.items()
        }
        recent._count = sum(map(len, recent._by_source.values()))
        return recent


def _capped(source: str, counts: dict[str, int], min_samples: int) -> float:
    others = [count for name, count in counts.items() if name != source]
    if not others:
        return float(counts[source])
    cap = max(float(median(others)), float(min_samples - sum(others)))
    return min(float(counts[source]), cap)
