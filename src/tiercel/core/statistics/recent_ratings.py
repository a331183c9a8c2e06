"""The newest few ratings of a key, with no source louder than the others.

A semilattice like `RecentOutcomes`: merging is union, then the newest of each subject, source and all.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from tiercel.core.statistics.sums import NANO
from tiercel.core.statistics.voices import weights

_FEW = 50
"""Up to this many ratings are quicker added one by one than sorted in together."""


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


_NO_RATINGS = RatingSummary(0.0, None, 0.0, 0)
RatingEntry = tuple[RatingSample, str]
"""A rating and its source."""
RatingColumns = tuple[tuple[int, ...], tuple[str, ...], tuple[int, ...], tuple[str, ...]]


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
    def of(cls, entries: Sequence[RatingEntry]) -> RecentRatings:
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

    def merge(self, *others: RecentRatings) -> None:
        """Union with `others`."""
        theirs = list(chain.from_iterable(other.entries for other in others))
        if len(theirs) <= _FEW:
            for sample, source in theirs:
                self.add(source, sample)
        else:
            self._hold([*self._entries, *theirs])

    @property
    def entries(self) -> Sequence[RatingEntry]:
        """The ratings, oldest first. Read only."""
        return self._entries

    def _hold(self, entries: Sequence[RatingEntry]) -> None:
        self._entries = list(entries) if len(entries) == 1 else _newest(entries, self.PER_SOURCE, self.LIMIT)
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

    def to_row(self) -> RatingColumns:
        """As columns of plain values, oldest first; for stores."""
        rows = [(*sample, source) for sample, source in self._entries]
        at_us, subjects, qualities_nano, sources = zip(*rows, strict=True) if rows else ((), (), (), ())
        return at_us, subjects, qualities_nano, sources

    @classmethod
    def from_row(cls, row: RatingColumns) -> RecentRatings:
        """The inverse of `to_row`."""
        *samples, sources = row
        recent = cls()
        recent._entries = list(zip(map(RatingSample, *samples), sources, strict=True))
        return recent


def _newest(entries: Sequence[RatingEntry], per_source: int, limit: int) -> list[RatingEntry]:
    newest: list[RatingEntry] = []
    seen: set[tuple[str, str]] = set()
    counts: dict[str, int] = {}
    for entry in sorted(entries, reverse=True):
        sample, source = entry
        subject = (source, sample.subject)
        count = counts.get(source, 0)
        if subject in seen or count == per_source:
            continue
        seen.add(subject)
        counts[source] = count + 1
        newest.append(entry)
        if len(newest) == limit:
            break
    newest.reverse()
    return newest


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
    return RatingSummary(weight, mean, (squares / weight / weight) ** 0.5, len(voices))
