"""The newest few samples of a key: what rules look at that must forget by count and not only by age.

Both classes are semilattices: merging is union, then "the newest `limit`", so order does not matter and merging twice
changes nothing. Times are integer microseconds since the epoch.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tiercel.core.statistics.sums import NANO, NANO_PER_MS
from tiercel.core.statistics.voices import weights

_FEW = 50
"""Up to this many samples are quicker added one by one than sorted in together."""


class OutcomeSample(NamedTuple):
    """One call: when, its id, whether it succeeded, and how long it took."""

    at_us: int
    id: str
    success: bool
    latency_ns: int


class OutcomeSummary(NamedTuple):
    """The newest outcomes in figures; the mean latency is over successes (None without one)."""

    requests: int
    successes: int
    success_rate: float | None
    mean_latency_ms: float | None
    consecutive_failures: int
    newest_at_us: int


class RecentOutcomes:
    """The newest `LIMIT` outcomes."""

    LIMIT = 100
    __slots__ = ("_changes", "_samples", "_summary")

    def __init__(self) -> None:
        self._samples: list[OutcomeSample] = []
        self._changes = 0
        self._summary: tuple[tuple[int, int], OutcomeSummary] | None = None

    @classmethod
    def of(cls, samples: Iterable[OutcomeSample]) -> RecentOutcomes:
        """The newest of `samples`."""
        recent = cls()
        recent._hold(samples)
        return recent

    def add(self, sample: OutcomeSample) -> None:
        """Add one sample; the oldest beyond the limit goes."""
        samples = self._samples
        at = bisect_left(samples, sample)
        if at < len(samples) and samples[at] == sample:
            return
        samples.insert(at, sample)
        if len(samples) > self.LIMIT:
            del samples[0]
        self._changes += 1

    def merge(self, other: RecentOutcomes) -> None:
        """Union with `other`."""
        if len(other._samples) <= _FEW:
            for sample in other._samples:
                self.add(sample)
        else:
            self._hold((*self._samples, *other._samples))

    def _hold(self, samples: Iterable[OutcomeSample]) -> None:
        self._samples = sorted(set(samples))[-self.LIMIT :]
        self._changes += 1

    def summary(self, since_us: int = 0, at_least: int = 0) -> OutcomeSummary:
        """The samples at or after `since_us` in figures, or the newest `at_least` where those are fewer.

        Computed once per change of the samples or of where the window begins; else about 1 us.
        """
        samples = self._samples
        first = bisect_left(samples, (since_us,)) if since_us else 0
        question = (self._changes, max(0, min(first, len(samples) - at_least)))
        cached = self._summary
        if cached is None or cached[0] != question:
            cached = self._summary = (question, _summarise(samples[question[1] :]))
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

    def to_row(self) -> list[OutcomeSample]:
        """As plain values; for stores."""
        return list(self._samples)

    @classmethod
    def from_row(cls, row: Iterable[OutcomeSample]) -> RecentOutcomes:
        """The inverse of `to_row`."""
        return cls.of(row)


def _summarise(samples: list[OutcomeSample]) -> OutcomeSummary:
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


_NO_RATINGS = RatingSummary(0.0, None, 0.0, 0, 0)
RatingEntry = tuple[RatingSample, str]
"""A rating and its source."""


class RecentRatings:
    """The newest ratings: at most `PER_SOURCE` of each source and `LIMIT` in all.

    A source's later rating of the same subject replaces its earlier one.
    """

    PER_SOURCE = 40
    LIMIT = 400
    __slots__ = ("_by_source", "_changes", "_entries", "_summary")

    def __init__(self) -> None:
        self._entries: list[RatingEntry] = []
        self._changes = 0
        self._summary: tuple[tuple[int, int, int, frozenset[str]], RatingSummary] | None = None
        # source -> subject -> sample of the entries, made when one rating is to be added
        self._by_source: dict[str, dict[str, RatingSample]] | None = None

    @classmethod
    def of(cls, entries: Iterable[RatingEntry]) -> RecentRatings:
        """The newest of `entries`."""
        recent = cls()
        recent._hold(entries)
        return recent

    def add(self, source: str, sample: RatingSample) -> None:
        """Add one rating; what exceeds the limits goes, oldest first. A few microseconds."""
        held = self._voices().get(source, {})
        earlier = held.get(sample.subject)
        if earlier is None and len(held) == self.PER_SOURCE:
            earlier = min(held.values())
        if earlier is not None:
            if sample <= earlier:
                return
            self._drop(source, earlier)
        insort(self._entries, (sample, source))
        self._voices().setdefault(source, {})[sample.subject] = sample
        if len(self._entries) > self.LIMIT:
            oldest, its_source = self._entries[0]
            self._drop(its_source, oldest)
        self._changes += 1

    def merge(self, other: RecentRatings) -> None:
        """Union with `other`."""
        if len(other._entries) <= _FEW:
            for sample, source in other._entries:
                self.add(source, sample)
        else:
            self._hold((*self._entries, *other._entries))

    def _hold(self, entries: Iterable[RatingEntry]) -> None:
        newest: list[RatingEntry] = []
        seen: set[tuple[str, str]] = set()
        counts: dict[str, int] = {}
        for entry in sorted(entries, reverse=True):
            sample, source = entry
            subject = (source, sample.subject)
            count = counts.get(source, 0)
            if subject in seen or count == self.PER_SOURCE:
                continue
            seen.add(subject)
            counts[source] = count + 1
            newest.append(entry)
            if len(newest) == self.LIMIT:
                break
        newest.reverse()
        self._entries = newest
        self._by_source = None
        self._changes += 1

    def _voices(self) -> dict[str, dict[str, RatingSample]]:
        voices = self._by_source
        if voices is None:
            voices = self._by_source = {}
            for sample, source in self._entries:
                voices.setdefault(source, {})[sample.subject] = sample
        return voices

    def _drop(self, source: str, sample: RatingSample) -> None:
        del self._entries[bisect_left(self._entries, (sample, source))]
        held = self._voices()[source]
        del held[sample.subject]
        if not held:
            del self._voices()[source]

    def summary(
        self, *, since_us: int = 0, min_samples: int = 10, trusted: frozenset[str] = frozenset()
    ) -> RatingSummary:
        """The ratings at or after `since_us`, with no source louder than the others.

        The weight of a source that is not `trusted` is capped (voices.py). Computed once per change of the ratings or
        of where the window begins; else about 1 us.
        """
        entries = self._entries
        first = bisect_left(entries, ((since_us,),)) if since_us else 0
        question = (self._changes, first, min_samples, trusted)
        cached = self._summary
        if cached is None or cached[0] != question:
            cached = self._summary = (question, _summarise_ratings(entries[first:], min_samples, trusted))
        return cached[1]

    def __iter__(self) -> Iterator[tuple[str, RatingSample]]:
        for sample, source in tuple(self._entries):
            yield source, sample

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecentRatings) and self._entries == other._entries

    __hash__ = None  # type: ignore[assignment]

    def to_row(self) -> list[RatingEntry]:
        """As plain values, oldest first; for stores."""
        return list(self._entries)

    @classmethod
    def from_row(cls, row: Iterable[RatingEntry]) -> RecentRatings:
        """The inverse of `to_row`."""
        return cls.of(row)


def _summarise_ratings(entries: list[RatingEntry], min_samples: int, trusted: frozenset[str]) -> RatingSummary:
    voices: dict[str, list[float]] = {}
    for sample, source in entries:
        voices.setdefault(source, []).append(sample.quality_nano / NANO)
    if not voices:
        return _NO_RATINGS
    counts = {source: len(qualities) for source, qualities in voices.items()}
    each = {source: weight / counts[source] for source, weight in weights(counts, min_samples, trusted).items()}
    weight = sum(each[source] * count for source, count in counts.items())
    if not weight:
        return _NO_RATINGS
    mean = sum(each[source] * sum(qualities) for source, qualities in voices.items()) / weight
    squares = sum(each[source] * sum((q - mean) ** 2 for q in qualities) for source, qualities in voices.items())
    return RatingSummary(weight, mean, (squares / weight / weight) ** 0.5, len(voices), entries[-1][0].at_us)
