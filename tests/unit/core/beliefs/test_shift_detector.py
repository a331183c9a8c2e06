"""A drift is found soon where there is one, told once, and hardly ever where there is none."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from statistics import quantiles

import pytest

from support.told import tell
from tiercel.core.beliefs.forgetting import EVERYWHERE, Metric
from tiercel.core.beliefs.shift import DriftSettings, Sample, Shift, State
from tiercel.core.beliefs.shift_detector import MAX_PLACES, ShiftDetector
from tiercel.domain.errors import InvalidInput
from tiercel.domain.request import Segment, stage_segment

Draw = Callable[[random.Random], float]
SECOND_US = 1_000_000
STEP_US = 20 * SECOND_US
DRAFT, CHECK = stage_segment("w", "draft"), stage_segment("w", "check")


def coin(chance_of: float) -> Draw:
    return lambda chance: float(chance.random() < chance_of)


def log_normal_latency(chance: random.Random) -> float:
    """As the detector gets it: the logarithm."""
    return math.log(chance.lognormvariate(6.0, 0.8))


def student_t3(chance: random.Random) -> float:
    return chance.gauss(0, 1) / math.sqrt(chance.gammavariate(1.5, 1) / 1.5)


STATIONARY: dict[str, Draw] = {
    "normal": lambda chance: chance.gauss(0.7, 0.1),
    "coin of .5": coin(0.5),
    "coin of .8": coin(0.8),
    "coin of .9": coin(0.9),
    "coin of .95": coin(0.95),
    "coin of .99": coin(0.99),
    "log-normal, as logarithms": log_normal_latency,
    "log-normal, raw": lambda chance: chance.lognormvariate(0.0, 1.0),
    "t with 3 degrees": student_t3,
    "logarithms of exponentials": lambda chance: math.log(chance.expovariate(1.0)),
}


@pytest.mark.parametrize("name", STATIONARY)
@pytest.mark.parametrize(("models", "segments"), [(1, 1), (3, 2)])
def test_false_alarms_are_no_more_than_configured(name: str, models: int, segments: int) -> None:
    samples, rate = 20_000, 1_000.0
    chance, detector = random.Random(f"{name}/{models}"), ShiftDetector(DriftSettings(false_alarms_per_million=rate))
    found = 0
    for i in range(samples):
        place = stage_segment("w", f"s{i % segments}"), f"m{i // segments % models}"
        turns = detector.add(Sample(Metric.LATENCY, *place, i * STEP_US, STATIONARY[name](chance)))
        found += sum(turn.state is State.DRIFTED for turn in turns)
    tell(f"{name}, {models} models, {segments} segments: {found / samples * 1e6:.0f} per million; {rate:.0f} allowed")
    assert found <= rate * samples / 1e6


@pytest.mark.parametrize(
    ("size", "half", "nearly_all"),
    [(1.0, 30, 60), (1.5, 17, 25), (3.0, 9, 11)],
)
def test_a_shift_is_found_within_tens_of_samples(size: float, half: int, nearly_all: int) -> None:
    delays = []
    for seed in range(100):
        chance, detector = random.Random(seed), ShiftDetector()
        for i in range(300 + 200):
            value = chance.gauss(size if i >= 300 else 0.0, 1.0)
            if detector.add(Sample(Metric.LATENCY, DRAFT, "m", i * STEP_US, value)) and i >= 300:
                delays.append(i - 299)
                break
    ranked = quantiles(delays, n=20)
    tell(f"a shift by {size:g} deviations: median {ranked[9]:.0f}, 95th percentile {ranked[18]:.0f} samples")
    assert len(delays) == 100
    assert ranked[9] <= half
    assert ranked[18] <= nearly_all


Told = list[tuple[Segment, str, State]]


def told(detector: ShiftDetector, samples: Iterable[Sample]) -> Told:
    return [(t.segment, t.model_id, t.state) for sample in samples for t in detector.add(sample)]


class Course:
    """Samples one after another, 20 seconds apart, around levels of models in segments."""

    def __init__(self, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.at_us = 0

    def around(
        self,
        levels: dict[tuple[Segment, str], float],
        rounds: int,
        *,
        expected: Callable[[float, int], float] | None = None,
    ) -> Iterable[Sample]:
        for i in range(rounds):
            for (segment, model), level in levels.items():
                self.at_us += STEP_US
                value = self.chance.gauss(level, 0.1)
                foreseen = None if expected is None else expected(level, i)
                yield Sample(Metric.QUALITY, segment, model, self.at_us, value, foreseen)


def test_a_model_that_drifts_everywhere_is_told_of_once() -> None:
    detector, course = ShiftDetector(), Course()
    assert told(detector, course.around({(DRAFT, "m"): 0.8, (CHECK, "m"): 0.5}, 200)) == []
    after = course.around({(DRAFT, "m"): 0.6, (CHECK, "m"): 0.3}, 100)
    assert told(detector, after) == [(EVERYWHERE, "m", State.DRIFTED)]


def test_a_drift_in_one_of_many_segments_is_told_of_that_segment() -> None:
    detector, course = ShiftDetector(), Course()
    places = {(stage_segment("w", f"s{i}"), "m"): 0.5 for i in range(12)}
    told(detector, course.around(places, 200))
    assert told(detector, course.around(places | {(stage_segment("w", "s3"), "m"): 0.35}, 60)) == [
        (stage_segment("w", "s3"), "m", State.DRIFTED)
    ]


def test_what_all_models_share_in_is_no_drift_of_one() -> None:
    models = {(DRAFT, f"m{i}"): 0.6 + 0.1 * i for i in range(4)}
    detector, course = ShiftDetector(), Course()
    told(detector, course.around(models, 200))
    assert told(detector, course.around({place: level - 0.2 for place, level in models.items()}, 100)) == []
    alone = {place: level - 0.2 - 0.3 * (place[1] == "m0") for place, level in models.items()}
    assert told(detector, course.around(alone, 40)) == [(EVERYWHERE, "m0", State.DRIFTED)]


def test_a_model_that_is_asked_harder_stages_has_not_drifted() -> None:
    detector, course = ShiftDetector(), Course()
    told(detector, course.around({(DRAFT, "m"): 0.9, (CHECK, "m"): 0.4}, 100))
    assert told(detector, course.around({(CHECK, "m"): 0.4}, 300)) == []


def test_prompts_that_are_known_to_be_harder_are_no_drift_of_quality() -> None:
    detector, course = ShiftDetector(), Course()
    told(detector, course.around({(DRAFT, "m"): 0.9}, 200, expected=lambda level, _: level))
    assert told(detector, course.around({(DRAFT, "m"): 0.5}, 100, expected=lambda level, _: level)) == []
    assert told(detector, course.around({(DRAFT, "m"): 0.5}, 60, expected=lambda *_: 0.9)) == [
        (EVERYWHERE, "m", State.DRIFTED)
    ]


def test_expectations_that_were_wrong_and_are_mended_are_no_drift() -> None:
    detector, course = ShiftDetector(), Course()
    learned = course.around({(DRAFT, "m"): 0.5}, 400, expected=lambda level, i: level + 0.4 * math.exp(-i / 60))
    assert told(detector, learned) == []


def test_the_evidence_is_the_level_before_and_after() -> None:
    detector, course = ShiftDetector(), Course()
    told(detector, course.around({(DRAFT, "m"): 0.8}, 200))
    changed_us = course.at_us
    (found,) = [turn for sample in course.around({(DRAFT, "m"): 0.6}, 100) for turn in detector.add(sample)]
    assert found.before.mean == pytest.approx(0.8, abs=0.02)
    assert found.after.mean == pytest.approx(0.6, abs=0.07)
    assert found.before.low < found.before.mean < found.before.high
    assert found.before.samples > 150
    assert found.since_us == pytest.approx(changed_us, abs=4 * STEP_US)
    assert (found.size < 0, found.turns, detector.open) == (True, 1, [found])


def test_a_drift_is_over_when_the_level_is_back() -> None:
    detector, course = ShiftDetector(), Course()
    told(detector, course.around({(DRAFT, "m"): 0.8}, 200))
    told(detector, course.around({(DRAFT, "m"): 0.6}, 60))
    assert told(detector, course.around({(DRAFT, "m"): 0.8}, 30)) == [(EVERYWHERE, "m", State.BACK)]
    assert detector.open == []
    assert told(detector, course.around({(DRAFT, "m"): 0.8}, 300)) == []


def test_a_drift_that_stays_is_what_is_usual_then() -> None:
    detector, course = ShiftDetector(DriftSettings(new_normal_after_s=3_600)), Course()
    told(detector, course.around({(DRAFT, "m"): 0.8}, 200))
    told(detector, course.around({(DRAFT, "m"): 0.6}, 60))
    (open_,) = detector.open
    assert detector.settle(open_.at_us + 3_599 * SECOND_US) == []
    (settled,) = detector.settle(open_.at_us + 3_600 * SECOND_US)
    assert (settled.state, detector.open) == (State.SETTLED, [])
    # from there it may drift on
    assert told(detector, course.around({(DRAFT, "m"): 0.4}, 60)) == [(EVERYWHERE, "m", State.DRIFTED)]


def found_drift() -> Shift:
    detector, course = ShiftDetector(), Course()
    told(detector, course.around({(DRAFT, "m"): 0.8}, 200))
    told(detector, course.around({(DRAFT, "m"): 0.6}, 60))
    (open_,) = detector.open
    return open_


def test_what_was_found_before_a_restart_is_taken_over_with_its_way_back() -> None:
    shift, detector, course = found_drift(), ShiftDetector(), Course(2)
    detector.adopt(shift)
    assert detector.open == [shift]
    assert told(detector, course.around({(DRAFT, "m"): 0.6}, 60)) == []
    assert told(detector, course.around({(DRAFT, "m"): 0.8}, 30)) == [(EVERYWHERE, "m", State.BACK)]


def test_what_another_process_knows_better_is_believed() -> None:
    shift, detector = found_drift(), ShiftDetector()
    detector.adopt(shift)
    detector.adopt(replace(shift, state=State.BACK, turns=2))
    assert detector.open == []
    detector.adopt(shift)  # late news
    assert detector.open == []


def test_what_flaps_is_told_of_now_and_then() -> None:
    detector, chance = ShiftDetector(), random.Random(1)
    turns = 0
    for i in range(20_000):  # 100 a second, another level every 2 seconds
        value = chance.gauss(0.8 if i // 200 % 2 else 0.2, 0.05)
        turns += len(detector.add(Sample(Metric.LATENCY, DRAFT, "m", i * SECOND_US // 100, value)))
    # found and back once in 10 seconds, of the segment and of all segments
    assert turns <= 2 * 2 * 200 / 10


def test_a_clock_that_was_ahead_silences_nothing_and_leaves_nothing_open() -> None:
    detector, course = ShiftDetector(DriftSettings(new_normal_after_s=3_600)), Course()
    year_us = 365 * 86_400 * SECOND_US
    course.at_us = year_us
    told(detector, course.around({(DRAFT, "m"): 0.8}, 200))
    told(detector, course.around({(DRAFT, "m"): 0.6}, 60))
    course.at_us = 0
    assert [shift.state for shift in detector.settle(0)] == [State.SETTLED]
    told(detector, course.around({(DRAFT, "m"): 0.6}, 60))
    assert told(detector, course.around({(DRAFT, "m"): 0.3}, 60)) == [(EVERYWHERE, "m", State.DRIFTED)]


def test_made_up_segments_do_not_fill_the_memory() -> None:
    detector = ShiftDetector()
    for i in range(MAX_PLACES + 500):
        detector.add(Sample(Metric.LATENCY, stage_segment("w", str(i)), "m", i, 1.0))
    assert len(detector) == MAX_PLACES


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"false_alarms_per_million": 0.0}, "false_alarms_per_million"),
        ({"false_alarms_per_million": math.nan}, "false_alarms_per_million"),
        ({"minimum_samples": 5}, "minimum_samples"),
        ({"minimum_samples": 30.5}, "minimum_samples"),
        ({"new_normal_after_s": "1 h"}, "new_normal_after_s"),
        ({"quality": 1}, "quality"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        DriftSettings(**settings)  # type: ignore[arg-type]
    assert [problem.path for problem in refused.value.problems] == [path]
