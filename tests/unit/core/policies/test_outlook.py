"""What is believed, asked for by several threads at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from support.worlds import SEGMENT, model
from tiercel.core.policies.base import Situation
from tiercel.core.policies.outlook import Outlook, Prospect
from tiercel.core.statistics.fold import Key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.moments import Moments
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.request import RequestContext, Segment

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
