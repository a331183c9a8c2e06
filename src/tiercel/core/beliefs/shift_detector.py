"""Noticing that what a model's calls take, or what its answers are worth, is not what it was.

    figure -> surprise, in standard deviations of its own past in that segment (level.py)
                |--> CUSUM of the model over all segments   (drift.py: what all models share in is taken off first)
                `--> CUSUM of the model in that segment

Because a figure is held against its own segment's past, a model that is asked harder stages than before has not
drifted. Found shifts stay open until the level is back (a CUSUM the other way, between the level before and the one
found) or until they have stood so long that they are what is usual now.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import fmean

from tiercel.core.beliefs.drift import CLIP, DRIFT, DriftWatch, threshold_for
from tiercel.core.beliefs.forgetting import EVERYWHERE, Metric
from tiercel.core.beliefs.level import Level, Skew
from tiercel.core.beliefs.shift import DriftSettings, Sample, Shift, State
from tiercel.domain.request import Segment

MAX_PLACES = 3_000
"""So many metrics of models in segments are watched; those heard of longest ago make way. Some 10 KB each."""
QUIET_US = 10_000_000
"""So long after a shift was found, or was over, no other is looked for: what flaps is told of now and then."""
FEWEST_SAMPLES = 10
_NEWEST = 40
_FLOORS = {Metric.QUALITY: 0.05, Metric.LATENCY: 0.1, Metric.COST: 0.1}
"""The least standard deviation: of quality, and of logarithms. Nobody asks after 5 % of what never varies."""
_LARGEST, _SMALLEST = 3.0, 0.6
"""Of a shift in standard deviations, as far as the way back from it is concerned."""


@dataclass(slots=True)
class _Return:
    """The way back from an open shift: a CUSUM whose reference is half the shift."""

    shift: Shift
    threshold: float
    total: float = 0.0
    samples: int = 0
    since_us: int = 0

    def add(self, at_us: int, away: float) -> bool:
        """Whether the level is back; `away` is how far the sample is from the level of before, in deviations."""
        size = min(max(abs(self.shift.size), _SMALLEST), _LARGEST)
        towards = size - (away if self.shift.size > 0 else -away)
        if self.total == 0.0:
            self.samples, self.since_us = 0, at_us
        self.total = max(0.0, self.total + min(max(towards, -CLIP), CLIP) - size / 2)
        self.samples += 1
        return self.total > self.threshold


@dataclass(slots=True)
class _Place:
    """A model's metric in one segment, or everywhere. `reference` is the level before the last shift."""

    floor: float
    level: Level = field(default_factory=Level)
    against: Level = field(default_factory=Level)
    skew: Skew = field(default_factory=lambda: Skew(DRIFT))
    newest: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_NEWEST))
    reference: Level | None = None
    open: _Return | None = None
    turns: int = 0
    turned_us: int = -QUIET_US

    def surprise(self, sample: Sample, minimum: int) -> float | None:
        """How far the sample is from what it was to be, in standard deviations; None of too little.

        Where something was expected of it, it must be surprising by that and by its past alike, and the milder of the
        two counts: prompts became no harder, and it is no expectation that was mended.
        """
        if len(self.level) < FEWEST_SAMPLES:
            return None
        by_past = self.level.surprise(sample.value, self.floor)
        self.skew.add(min(max(by_past, -CLIP), CLIP))
        by_past /= self.skew.factor
        if len(self.level) < minimum:
            return None
        if sample.expected is None or len(self.against) < minimum:
            return by_past
        by_expectation = self.against.surprise(sample.value - sample.expected, self.floor)
        return min(by_past, by_expectation, key=abs) if by_past * by_expectation > 0 else 0.0

    def away(self, value: float) -> float | None:
        """How far the figure is from the level before the last shift, in standard deviations; None without one."""
        reference = self.reference
        if reference is None or len(reference) < FEWEST_SAMPLES:
            return None
        return (value - reference.mean) / reference.deviation(self.floor)

    def note(self, sample: Sample) -> None:
        self.level.add(sample.value)
        if sample.expected is not None:
            self.against.add(sample.value - sample.expected)
        self.newest.append((sample.at_us, sample.value))

    def begin(self, since_us: int) -> None:
        """What came before that moment is what the level was; what is usual now is still to be seen."""
        self.reference = self.level.without([value for at_us, value in self.newest if at_us >= since_us])
        self.level, self.against = Level(), Level()


class ShiftDetector:
    """Watches the metrics of all models; some 10 us a sample, and .5 us for each other model. Not thread-safe.

    Two CUSUMs see each sample and both look both ways, so each side gets a quarter of the false alarms allowed.
    """

    def __init__(self, settings: DriftSettings | None = None) -> None:
        self.settings = settings or DriftSettings()
        rate = self.settings.false_alarms_per_million
        threshold = threshold_for(rate / 2)
        self._watch: Callable[[], DriftWatch] = lambda: DriftWatch(threshold, mended=threshold, first_samples=0)
        self._watches: dict[tuple[Metric, Segment], DriftWatch] = {}
        self._places: OrderedDict[tuple[Metric, Segment, str], _Place] = OrderedDict()

    @property
    def open(self) -> list[Shift]:
        """The shifts that stand."""
        return [place.open.shift for place in self._places.values() if place.open is not None]

    def __len__(self) -> int:
        """How many places are watched: models in segments, and everywhere."""
        return len(self._places)

    def add(self, sample: Sample) -> list[Shift]:
        """Take note of a sample: the shifts that are found or over with it."""
        metric, segment, model_id, *_ = sample
        own, whole = self._place(metric, segment, model_id), self._place(metric, EVERYWHERE, model_id)
        surprise = own.surprise(sample, self.settings.minimum_samples)
        away = own.away(sample.value)
        if away is None:
            away = whole.away(sample.value)
        own.note(sample)
        whole.note(sample)
        turned: list[Shift] = []
        for place, at in ((whole, sample._replace(segment=EVERYWHERE)), (own, sample)):
            turn = self._returned(place, at, away) or self._found(place, at, surprise)
            # what the model does everywhere is not told once more of every segment
            if turn is not None and not (place is own and _tells(whole.open, turn)):
                turned.append(turn)
                if turn.state is State.DRIFTED:
                    break
        return turned

    def settle(self, now_us: int) -> list[Shift]:
        """The shifts that have stood so long that they are what is usual now."""
        settled = []
        after_us = round(self.settings.new_normal_after_s * 1e6)
        for place in self._places.values():
            # likewise: nothing stands until a time that a clock that was ahead told
            if place.open is not None and abs(now_us - place.open.shift.at_us) >= after_us:
                settled.append(replace(place.open.shift, state=State.SETTLED, at_us=now_us))
                place.open = None
        return settled

    def adopt(self, shift: Shift) -> None:
        """Take over what another process found, or this one before it was started anew."""
        place = self._place(*shift.place)
        if shift.turns < place.turns:
            return
        if shift.state is not State.DRIFTED:
            place.open = None
        elif place.open is None or place.open.shift.since_us != shift.since_us:
            self._begin(*shift.place, shift.since_us)
            if place.reference is None or len(place.reference) < FEWEST_SAMPLES:
                place.reference = Level.like(shift.before)
            place.open = self._way_back(shift)
        place.turns, place.turned_us = shift.turns, shift.at_us

    def _place(self, metric: Metric, segment: Segment, model_id: str) -> _Place:
        name = (metric, segment, model_id)
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = _Place(_FLOORS[metric])
            if len(self._places) > MAX_PLACES:
                (old_metric, old_segment, old_model), _ = self._places.popitem(last=False)
                self._drop_watch(old_metric, old_segment, old_model)
        else:
            self._places.move_to_end(name)
        return place

    def _drop_watch(self, metric: Metric, segment: Segment, model_id: str) -> None:
        watch = self._watches.get((metric, segment))
        if watch is not None:
            watch.forget(model_id)
            if not len(watch):
                del self._watches[metric, segment]

    def _found(self, place: _Place, sample: Sample, surprise: float | None) -> Shift | None:
        # in either direction: a clock that was ahead when the last one was found must silence nothing until that time
        if surprise is None or abs(sample.at_us - place.turned_us) < QUIET_US:
            return None
        name = (sample.metric, sample.segment)
        watch = self._watches.get(name)
        if watch is None:
            watch = self._watches[name] = self._watch()
        alarm = watch.add(sample.model_id, surprise, 1.0)
        if alarm is None:
            return None
        newest = list(place.newest)[-alarm.samples :]
        values = [value for _, value in newest]
        place.turns, place.turned_us = place.turns + 1, sample.at_us
        shift = Shift(
            metric=sample.metric,
            segment=sample.segment,
            model_id=sample.model_id,
            state=State.DRIFTED,
            size=alarm.shift,
            before=place.level.without(values).span(),
            after=Level(values).span(),
            samples=alarm.samples,
            since_us=newest[0][0],
            at_us=sample.at_us,
            turns=place.turns,
        )
        shift = replace(shift, size=self._begin(*shift.place, shift.since_us) or shift.size)
        place.open = self._way_back(shift)
        return shift

    def _returned(self, place: _Place, sample: Sample, away: float | None) -> Shift | None:
        way = place.open
        if way is None or away is None or not way.add(sample.at_us, away):
            return None
        place.turns, place.turned_us, place.open = place.turns + 1, sample.at_us, None
        self._begin(*way.shift.place, way.since_us)
        return replace(
            way.shift,
            state=State.BACK,
            samples=way.samples,
            since_us=way.since_us,
            at_us=sample.at_us,
            turns=place.turns,
        )

    def _begin(self, metric: Metric, segment: Segment, model_id: str, since_us: int) -> float:
        """What is usual is learned anew: in the segment, or in all segments of the model.

        By how many standard deviations the samples since then are away from what was usual; 0 where that is not known.
        """
        away: list[float] = []
        for (its_metric, its_segment, its_model), place in self._places.items():
            if its_metric == metric and its_model == model_id and segment in (EVERYWHERE, its_segment):
                place.begin(since_us)
                if its_segment:
                    away += [
                        off for at_us, v in place.newest if at_us >= since_us and (off := place.away(v)) is not None
                    ]
                watch = self._watches.get((metric, its_segment))
                if watch is not None:
                    watch.reset(model_id, fallen=False)
        return fmean(away) if away else 0.0

    def _way_back(self, shift: Shift) -> _Return:
        size = min(max(abs(shift.size), _SMALLEST), _LARGEST)
        return _Return(shift, threshold_for(self.settings.false_alarms_per_million / 2, size / 2, sides=1))


def _tells(open_: _Return | None, shift: Shift) -> bool:
    """Whether an open shift of the model everywhere says the same as one of a segment."""
    return open_ is not None and shift.state is State.DRIFTED and open_.shift.size * shift.size > 0
