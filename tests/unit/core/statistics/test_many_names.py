"""However many names there are, the learned state in memory stays small."""

from __future__ import annotations

import os
from pathlib import Path

from support.happenings import REVIEW, feedback, outcome
from support.reported import Reported
from tiercel.core.statistics.fold import OVERALL, Deltas, Key, fold, model_key, segment_model_key, segment_tier_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.events import Event
from tiercel.domain.request import Segment, agent_segment, stage_segment


def of(number: int, segment: Segment, *, seconds: float = 0.0) -> list[Event]:
    """A call and its rating."""
    rating = feedback(f"f{number}", 0.5, seconds=seconds, segment=segment)
    return [outcome(number, seconds=seconds, segment=segment), rating]


def name(number: int) -> Segment:
    return agent_segment(f"a{number}") if number % 2 else stage_segment("w", f"s{number}")


def segments(knowledge: Knowledge) -> set[Key]:
    return {key[:-2] for kind in ("stage", "agent") for key in knowledge.keys((kind,))}


def test_segments_in_use_stay_and_the_totals_are_whole() -> None:
    knowledge = Knowledge(max_segments=10)
    for n in range(500):
        # also where the clock stands still
        knowledge.add(fold(of(n, name(n))))
        if n % 5 == 0:
            knowledge.add(fold(of(1_000 + n, REVIEW)))
    assert segments(knowledge) == {REVIEW, *(name(n) for n in range(491, 500))}
    for key in (OVERALL, model_key("small")):
        assert (knowledge.sums(key).requests, knowledge.sums(key).ratings) == (600, 600)
    assert knowledge.sums(segment_model_key(REVIEW, "small")).requests == 100
    held = knowledge.export()
    assert set(held.ratings) <= {key for key, _ in held.sums}
    assert len(held.outcomes) == len(segments(knowledge)) + 2
    assert not knowledge.outcomes(segment_model_key(name(0), "small"))
    assert not knowledge.ratings(segment_tier_key(name(0), "cheap"))


def test_after_a_restart_those_heard_of_last_are_held() -> None:
    stored = Deltas()
    stored.merge(
        fold(of(0, REVIEW)),
        *(fold(of(n, name(n), seconds=n)) for n in range(1, 500)),
        fold(of(999, REVIEW, seconds=600)),
    )
    knowledge = Knowledge(max_segments=10)
    knowledge.replace(stored)
    assert segments(knowledge) == {REVIEW, *(name(n) for n in range(491, 500))}
    knowledge.add(fold(of(1_000, REVIEW)))
    knowledge.add(fold(of(1_001, name(1_001))))
    assert segments(knowledge) == {REVIEW, name(1_001), *(name(n) for n in range(492, 500))}
    assert knowledge.sums(OVERALL).requests == 503


def test_as_long_as_they_are_few_nothing_is_forgotten() -> None:
    events = [event for n in range(100) for event in of(n, name(n), seconds=n * 86_400.0)]
    knowledge = Knowledge(max_segments=100)
    for event in events:
        knowledge.add(fold([event]))
    assert knowledge.export() == fold(events)


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_a_million_names_take_no_more_than_some_thousands(reported: Reported) -> None:
    (count, bound), batch = reported.size((6_000, 1_000), (1_000_000, 10_000)), 500
    knowledge = Knowledge(max_segments=bound)
    settled_mib = most = 0.0
    for first in range(0, count, batch):
        events = [
            event
            for n in range(first, first + batch)
            for event in (
                outcome(n, segment=stage_segment(f"w{n}", f"s{n}"), model=f"m{n % 50}"),
                feedback(f"f{n}", segment=stage_segment(f"w{n}", f"s{n}"), model=f"m{n % 50}", source=f"user:{n}"),
            )
        ]
        knowledge.add(fold(events))
        if first == 2 * bound:
            settled_mib = resident_mib()
        most = max(most, len(segments(knowledge)))
    grown_mib = resident_mib() - settled_mib
    reported.most("many-names", f"segments held of {count:,} workflows, stages and users", most, bound)
    what = f"memory grown from the {2 * bound:,}th name to the last of {count:,}"
    reported.most("many-names", what, grown_mib, 32.0, unit="MiB")
    assert knowledge.sums(OVERALL).requests == count
