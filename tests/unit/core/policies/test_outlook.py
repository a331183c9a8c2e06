"""What is believed, asked for by several threads at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from support.happenings import at, outcome
from support.worlds import SEGMENT, model
from tiercel.core.policies.base import Situation
from tiercel.core.policies.outlook import Outlook, Prospect
from tiercel.core.statistics.fold import Key, fold, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.moments import Moments
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.request import RequestContext, Segment, stage_segment

PATIENCE_S = 30.0


class _Slow(Knowledge):
    """Knowledge that lets one thread read a version only while another is estimating effects."""

    def __init__(self) -> None:
        super().__init__()
        self.armed = False
        self.reading, self.estimating, self.read = threading.Event(), threading.Event(), threading.Event()

    def version_of(self, segment: Segment) -> tuple[int, int]:
        if self.armed and not self.reading.is_set():
            self.reading.set()
            assert self.estimating.wait(PATIENCE_S)
        return super().version_of(segment)

    def all_moments(self) -> list[tuple[Key, Moments]]:
        if self.armed:
            self.estimating.set()
            assert self.read.wait(PATIENCE_S)
        return super().all_moments()


def test_one_thread_may_look_while_another_meets_a_model_that_is_new() -> None:
    knowledge, outlook = _Slow(), Outlook()
    known = (model("known", "cheap"),)

    def look(eligible: tuple[ModelProfile, ...], minute: int = 1) -> list[Prospect]:
        return outlook.look(Situation(RequestContext(), SEGMENT, eligible, knowledge, "", minute * 60_000_000))

    before = look(known, minute=0)
    knowledge.armed = True
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(look, known)
        assert knowledge.reading.wait(PATIENCE_S)
        second = threads.submit(look, (*known, model("new", "cheap")))
        try:
            assert first.result(PATIENCE_S) == before
        finally:
            knowledge.read.set()
        assert [prospect.model.model_id for prospect in second.result(PATIENCE_S)] == ["known", "new"]


MODELS = (model("steady", "cheap"), model("failing", "capable"))
ELSEWHERE = stage_segment("review", "summary")


def answered(knowledge: Knowledge, now_s: float) -> dict[str, float]:
    """The share of calls that each model is believed to answer in SEGMENT."""
    look = Situation(RequestContext(), SEGMENT, MODELS, knowledge, "", micros(at(now_s)))
    return {prospect.model.model_id: prospect.success_rate for prospect in Outlook().look(look)}


def failures(segment: Segment, *, count: int) -> Knowledge:
    """What as many failed calls of a model teach, a second apart."""
    knowledge = Knowledge()
    knowledge.add(fold([outcome(n, seconds=n, segment=segment, model="failing", success=False) for n in range(count)]))
    return knowledge


def test_failures_are_forgotten_where_nothing_was_asked_since() -> None:
    knowledge = failures(SEGMENT, count=20)
    assert answered(knowledge, 60.0)["failing"] < 0.02
    assert answered(knowledge, 3_700.0) == {"steady": 1.0, "failing": 1.0}


def test_what_fails_elsewhere_is_expected_to_fail_here_until_calls_here_say_otherwise() -> None:
    knowledge = failures(ELSEWHERE, count=20)
    assert answered(knowledge, 60.0)["failing"] < 0.1
    knowledge.add(fold([outcome(100 + n, seconds=50 + n, segment=SEGMENT, model="failing") for n in range(10)]))
    assert answered(knowledge, 60.0)["failing"] > 0.85
