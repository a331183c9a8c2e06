"""The newest few ratings of a key, with no source louder than the others.

A semilattice like `RecentOutcomes`: merging is union, then the newest of each subject, source and all. A rating that
was revised to one of another tier or model leaves a mark where it was (`TAKEN_BACK`), newer than itself, which takes
its place there and counts for nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from statistics import fmean
from typing import NamedTuple

from tiercel.core.statistics.buckets import CLOCKS_APART_US
from tiercel.core.statistics.sums import NANO
from tiercel.core.statistics.voices import fair_share

_FEW = 50
"""Up to this many ratings are quicker added one by one than sorted in together."""


TAKEN_BACK = -1
"""The quality of a rating that counts elsewhere now. Below all others: where both stand, the rating wins."""


class RatingSample(NamedTuple):
    """One rating: when, what it rates (a decision or the feedback's own id), its quality in 1e-9 or `TAKEN_BACK`."""

    at_us: int
    subject: str
    quality_nano: int


class RatingSummary(NamedTuple):
    """The newest ratings in figures.

    `samples` is how many were heard, `mean` their mean quality (None without one), `standard_error` that mean's, and
    `sources` how many sources they came from.
    """

    samples: int
    mean: float | None
    standard_error: float
    sources: int


_NO_RATINGS = RatingSummary(0, None, 0.0, 0)
RatingEntry = tuple[RatingSample, str]
"""A rating and its source."""
RatingColumns = tuple[tuple[int, ...], tuple[str, ...], tuple[int, ...], tuple[str, ...]]


class RecentRatings:
    """The newest ratings: at most `PER_SOURCE` of each source and `LIMIT` in all, of which `HEARD` count.

    A source's later rating of the same subject replaces its earlier one.
    """

    PER_SOURCE = 40
    LIMIT = 400
    HEARD = 40
    __slots__ = ("_by_source", "_changes", "_entries", "_summary")

    def __init__(self) -> None:
        self._entries: list[RatingEntry] = []
        self._changes = 0
        self._summary: tuple[tuple[int, int, int, int, frozenset[str]], RatingSummary] | None = None
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
            # entries are in order of time: the source's first is its oldest
            earlier = next(sample for sample, voice in self._entries if voice == source)
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

    def merge(self, *others: RecentRatings, until_us: int | None = None) -> None:
        """Union with `others`, without what is later than `until_us`."""
        theirs = list(chain.from_iterable(other.entries for other in others))
        if until_us is not None and any(entry[0].at_us > until_us for entry in (self._entries[-1:] + theirs)):
            self._hold([entry for entry in (*self._entries, *theirs) if entry[0].at_us <= until_us])
        elif len(theirs) <= _FEW:
            for sample, source in theirs:
                self.add(source, sample)
        else:
            self._hold([*self._entries, *theirs])

    @property
    def entries(self) -> Sequence[RatingEntry]:
        """The ratings, oldest first, with those taken back. Read only."""
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
        self,
        *,
        since_us: int = 0,
        now_us: int | None = None,
        enough: int = 15,
        trusted: frozenset[str] = frozenset(),
    ) -> RatingSummary:
        """The newest `HEARD` ratings at or after `since_us`, with no source louder than the others.

        With `now_us`, what is later than that by more than clocks differ is not among them. A source that is not
        `trusted` is heard up to its fair share (voices.py). Computed once per change of the ratings or of where the
        window begins or ends; else about 1 us.
        """
        entries = self._entries
        first = bisect_left(entries, ((since_us,),)) if since_us else 0
        end = len(entries) if now_us is None else bisect_left(entries, ((now_us + CLOCKS_APART_US + 1,),))
        question = (self._changes, first, end, enough, trusted)
        cached = self._summary
        if cached is None or cached[0] != question:
            cached = self._summary = (question, _summarise_ratings(_counted(entries[first:end]), enough, trusted))
        return cached[1]

    def __iter__(self) -> Iterator[tuple[str, RatingSample]]:
        """The ratings that count, oldest first."""
        for sample, source in _counted(tuple(self._entries)):
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


def _counted(entries: Sequence[RatingEntry]) -> list[RatingEntry]:
    return [entry for entry in entries if entry[0].quality_nano != TAKEN_BACK]


def _newest(entries: Sequence[RatingEntry], per_source: int, limit: int) -> list[RatingEntry]:
    ordered = sorted(entries)
    if len(ordered) <= per_source and len({(source, sample.subject) for sample, source in ordered}) == len(ordered):
        return ordered  # so few that no limit can be reached
    newest: list[RatingEntry] = []
    seen: set[tuple[str, str]] = set()
    counts: dict[str, int] = {}
    for entry in reversed(ordered):
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


def _summarise_ratings(entries: list[RatingEntry], enough: int, trusted: frozenset[str]) -> RatingSummary:
    counts = Counter(source for _, source in entries)
    share = fair_share(counts, heard=RecentRatings.HEARD, enough=enough)
    heard: list[float] = []
    voices: dict[str, int] = {}
    for sample, source in reversed(entries):
        said = voices.get(source, 0)
        if said < share or source in trusted:
            voices[source] = said + 1
            heard.append(sample.quality_nano / NANO)
            if len(heard) == RecentRatings.HEARD:
                break
    if not heard:
        return _NO_RATINGS
    mean = fmean(heard)
    variance = sum((quality - mean) ** 2 for quality in heard) / len(heard)
    return RatingSummary(len(heard), mean, (variance / len(heard)) ** 0.5, len(voices))
