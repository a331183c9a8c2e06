"""The newest few calls of a key: what rules look at that must forget by count and not only by age.

A semilattice: merging is union, then the newest, so order does not matter and merging twice changes nothing. Times are
integer microseconds since the epoch. Who knows the time may leave out what is stamped later than that (`until_us`), so
that what a clock stamped while it was ahead does not crowd out what happens now.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from tiercel.core.statistics.buckets import CLOCKS_APART_US
from tiercel.core.statistics.sums import NANO_PER_MS

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


OutcomeColumns = tuple[tuple[int, ...], tuple[str, ...], tuple[bool, ...], tuple[int, ...]]


class RecentOutcomes:
    """The newest `LIMIT` outcomes."""

    LIMIT = 100
    __slots__ = ("_changes", "_samples", "_summary")

    def __init__(self) -> None:
        self._samples: list[OutcomeSample] = []
        self._changes = 0
        self._summary: tuple[tuple[int, int, int], OutcomeSummary] | None = None

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

    def merge(self, *others: RecentOutcomes, until_us: int | None = None) -> None:
        """Union with `others`, without what is later than `until_us`."""
        theirs = list(chain.from_iterable(others))
        if until_us is not None and any(sample.at_us > until_us for sample in (self._samples[-1:] + theirs)):
            self._hold(sample for sample in (*self._samples, *theirs) if sample.at_us <= until_us)
        elif len(theirs) <= _FEW:
            for sample in theirs:
                self.add(sample)
        else:
            self._hold((*self._samples, *theirs))

    def _hold(self, samples: Iterable[OutcomeSample]) -> None:
        self._samples = sorted(set(samples))[-self.LIMIT :]
        self._changes += 1

    def summary(self, since_us: int = 0, at_least: int = 0, *, now_us: int | None = None) -> OutcomeSummary:
        """The samples at or after `since_us` in figures, or the newest `at_least` where those are fewer.

        With `now_us`, what is later than that by more than clocks differ is not among them. Computed once per change of
        the samples or of where the window begins or ends; else about 1 us.
        """
        samples = self._samples
        first = bisect_left(samples, (since_us,)) if since_us else 0
        end = len(samples) if now_us is None else bisect_left(samples, (now_us + CLOCKS_APART_US + 1,))
        question = (self._changes, max(0, min(first, end - at_least)), end)
        cached = self._summary
        if cached is None or cached[0] != question:
            cached = self._summary = (question, _summarise(samples[question[1] : end]))
        return cached[1]

    def __iter__(self) -> Iterator[OutcomeSample]:
        return iter(tuple(self._samples))

    def __len__(self) -> int:
        return len(self._samples)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecentOutcomes) and self._samples == other._samples

    __hash__ = None  # type: ignore[assignment]

    def to_row(self) -> OutcomeColumns:
        """As columns of plain values, oldest first; for stores."""
        at_us, ids, successes, latencies_ns = zip(*self._samples, strict=True) if self._samples else ((), (), (), ())
        return at_us, ids, successes, latencies_ns

    @classmethod
    def from_row(cls, row: OutcomeColumns) -> RecentOutcomes:
        """The inverse of `to_row`."""
        recent = cls()
        recent._samples = list(map(OutcomeSample, *row))
        return recent


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
    )
