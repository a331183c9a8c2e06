"""Counts, sums and a latency sketch that add.

Quantities are kept as integers of 1e-9 of their unit, so addition is exact, associative and commutative: a rebuilt
state equals the live one to the last digit, whatever the order of the events.

Latency quantiles come from a DDSketch (Masson, Rim, Lee: "DDSketch", VLDB 2019, section 2): counts per logarithmic
bin, with a relative error of at most `RELATIVE_ERROR` of the value. The bin numbers are the ddsketch library's; the
counts are ours because they have to add and travel as plain numbers. Latencies are clamped to 1 us .. 24 h, which
bounds the bins to about 1,260.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from ddsketch.mapping import LogarithmicMapping

RELATIVE_ERROR = 0.01
NANO = 1_000_000_000
NANO_PER_MS = 1_000_000
_MIN_LATENCY_MS, _MAX_LATENCY_MS = 1e-3, 86_400_000.0
_mapping = LogarithmicMapping(RELATIVE_ERROR)
_key, _value = _mapping.key, _mapping.value

Row = list[int | dict[int, int] | None]


def nano(value: float) -> int:
    """`value` in integer units of 1e-9."""
    return round(value * NANO)


class Sums:
    """What happened in one time bucket, or in the sum of several.

    Latency counts successful calls only: a model that fails fast is not fast.
    """

    __slots__ = (
        "completion_tokens",
        "cost_nano",
        "cost_sq_atto",
        "costed",
        "latency_bins",
        "latency_max_ns",
        "latency_min_ns",
        "latency_ns",
        "match_nano",
        "matched",
        "prompt_tokens",
        "quality_nano",
        "quality_sq_nano",
        "ratings",
        "requests",
        "successes",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.successes = 0
        self.latency_ns = 0
        self.latency_min_ns: int | None = None
        self.latency_max_ns: int | None = None
        self.latency_bins: dict[int, int] = {}
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.costed = 0
        self.cost_nano = 0
        self.cost_sq_atto = 0
        self.matched = 0
        self.match_nano = 0
        self.ratings = 0
        self.quality_nano = 0
        self.quality_sq_nano = 0

    def add_call(
        self,
        *,
        success: bool,
        latency_ms: float,
        prompt_tokens: int | None,
        completion_tokens: int | None,
        cost_usd: float | None,
        match_score: float | None,
    ) -> None:
        """Add one model call."""
        self.requests += 1
        if success:
            self.successes += 1
            clamped_ms = min(max(latency_ms, _MIN_LATENCY_MS), _MAX_LATENCY_MS)
            latency_ns = round(clamped_ms * NANO_PER_MS)
            self.latency_ns += latency_ns
            if self.latency_min_ns is None or latency_ns < self.latency_min_ns:
                self.latency_min_ns = latency_ns
            if self.latency_max_ns is None or latency_ns > self.latency_max_ns:
                self.latency_max_ns = latency_ns
            bin_number = _key(clamped_ms)
            self.latency_bins[bin_number] = self.latency_bins.get(bin_number, 0) + 1
        if match_score is not None:
            self.matched += 1
            self.match_nano += nano(match_score)
        self.add_usage(prompt_tokens, completion_tokens, cost_usd)

    def add_usage(self, prompt_tokens: int | None, completion_tokens: int | None, cost_usd: float | None) -> None:
        """Add what a call took, as far as it is known."""
        self.prompt_tokens += prompt_tokens or 0
        self.completion_tokens += completion_tokens or 0
        if cost_usd is not None:
            self.costed += 1
            cost_nano = nano(cost_usd)
            self.cost_nano += cost_nano
            self.cost_sq_atto += cost_nano * cost_nano

    def add_ratings(self, count: int, quality_nano: int, quality_sq_nano: int) -> None:
        """Add so many ratings with these sums of their qualities and of the squares; negative takes back."""
        self.ratings += count
        self.quality_nano += quality_nano
        self.quality_sq_nano += quality_sq_nano

    def drop_ratings(self) -> None:
        """Forget the ratings and keep the calls."""
        self.ratings = self.quality_nano = self.quality_sq_nano = 0

    def merge(self, other: Sums) -> None:
        """Add `other` to this."""
        self.ratings += other.ratings
        self.quality_nano += other.quality_nano
        self.quality_sq_nano += other.quality_sq_nano
        if not other.has_calls:
            return
        self.requests += other.requests
        self.successes += other.successes
        self.latency_ns += other.latency_ns
        self.latency_min_ns = _least(self.latency_min_ns, other.latency_min_ns)
        self.latency_max_ns = _greatest(self.latency_max_ns, other.latency_max_ns)
        bins = self.latency_bins
        for bin_number, count in other.latency_bins.items():
            bins[bin_number] = bins.get(bin_number, 0) + count
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.costed += other.costed
        self.cost_nano += other.cost_nano
        self.cost_sq_atto += other.cost_sq_atto
        self.matched += other.matched
        self.match_nano += other.match_nano

    def take_off(self, other: Sums) -> None:
        """Take off what was merged before. The smallest and largest latency stay, as long as a call does."""
        for counted in (name for name in self.__slots__ if not name.startswith("latency_m") and name != "latency_bins"):
            setattr(self, counted, getattr(self, counted) - getattr(other, counted))
        bins = self.latency_bins
        for bin_number, count in other.latency_bins.items():
            bins[bin_number] = bins.get(bin_number, 0) - count
        self.latency_bins = {bin_number: count for bin_number, count in bins.items() if count}
        if not self.latency_bins:
            self.latency_min_ns = self.latency_max_ns = None

    def __bool__(self) -> bool:
        """Whether there is anything to add up."""
        return bool(self.has_calls or self.ratings or self.quality_nano or self.quality_sq_nano)

    @property
    def has_calls(self) -> bool:
        """Whether any call left a trace, if only its cost."""
        return bool(self.requests or self.costed or self.prompt_tokens or self.completion_tokens)

    @property
    def failures(self) -> int:
        """Calls that did not succeed."""
        return self.requests - self.successes

    @property
    def success_rate(self) -> float | None:
        """0..1, or None without a request."""
        return self.successes / self.requests if self.requests else None

    @property
    def mean_latency_ms(self) -> float | None:
        """Over successful calls; None without one."""
        return self.latency_ns / NANO_PER_MS / self.successes if self.successes else None

    @property
    def min_latency_ms(self) -> float | None:
        """Over successful calls; None without one."""
        return None if self.latency_min_ns is None else self.latency_min_ns / NANO_PER_MS

    @property
    def max_latency_ms(self) -> float | None:
        """Over successful calls; None without one."""
        return None if self.latency_max_ns is None else self.latency_max_ns / NANO_PER_MS

    @property
    def mean_match_score(self) -> float | None:
        """0..100, over calls whose match score is known."""
        return self.match_nano / NANO / self.matched if self.matched else None

    @property
    def cost_usd(self) -> float:
        """Sum over the calls whose cost is known (`costed` of them)."""
        return self.cost_nano / NANO

    @property
    def mean_quality(self) -> float | None:
        """0..1, or None without a rating."""
        return self.quality_nano / NANO / self.ratings if self.ratings else None

    def latency_quantile_ms(self, q: float) -> float | None:
        """The q-quantile (0..1) of successful calls' latency, within 1 % of the value; None without a call."""
        if not self.latency_bins or self.latency_min_ns is None or self.latency_max_ns is None:
            return None
        rank = q * (sum(self.latency_bins.values()) - 1)
        seen, found = 0, 0
        for found in sorted(self.latency_bins):
            seen += self.latency_bins[found]
            if seen > rank:
                break
        low, high = self.latency_min_ns / NANO_PER_MS, self.latency_max_ns / NANO_PER_MS
        return float(min(max(_value(found), low), high))

    def to_row(self) -> Row:
        """As plain numbers; for stores."""
        return list(_row(self))

    @classmethod
    def from_row(cls, row: Row) -> Sums:
        """The inverse of `to_row`. What older versions wrote lacks the squares of costs: they stay 0."""
        sums = cls()
        for name, value in zip(_ROW[: len(row)] if len(row) == len(_ROW) - 1 else _ROW, row, strict=True):
            setattr(sums, name, dict(value) if isinstance(value, dict) else value)
        return sums

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sums) and _fields(self) == _fields(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Sums(requests={self.requests}, successes={self.successes}, ratings={self.ratings})"


_fields = attrgetter(*Sums.__slots__)
# what came later stands at the end
_ROW = (*(name for name in Sums.__slots__ if name != "cost_sq_atto"), "cost_sq_atto")
_row = attrgetter(*_ROW)


def total(parts: Iterable[Sums]) -> Sums:
    """The sum of `parts`."""
    result = Sums()
    for part in parts:
        result.merge(part)
    return result


def _least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)


def _greatest(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else max(a, b)
