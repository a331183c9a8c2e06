"""Ratings are gathered while more are learned, and where some were forgotten."""

from __future__ import annotations

import pytest

from support.happenings import at
from tiercel.core.beliefs.change import POLICY, model_segment
from tiercel.core.beliefs.evidence import gather, ratings_now
from tiercel.core.statistics.fold import Deltas, moments_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.moments import Moments, ShapeMoments
from tiercel.domain.events import StandingChange
from tiercel.domain.request import stage_segment

BASIS = "text-1"
HERE = stage_segment("w", "here")


class _Watched(ShapeMoments):
    """Sums of a shape beside which another shape appears whenever they are read."""

    __slots__ = ("moments", "weight")

    def __init__(self, moments: Moments) -> None:
        self.moments, self.weight = moments, 2.0
        super().__init__(moments.size)
        self.weight, self.r = 2.0, 1.0

    @property
    def n(self) -> float:
        shapes = self.moments.shapes
        shapes[len(shapes)] = ShapeMoments(self.moments.size)
        return self.weight

    @n.setter
    def n(self, value: float) -> None:
        self.weight = value


@pytest.mark.parametrize("era", [0, 1])
def test_a_shape_may_appear_meanwhile(era: int) -> None:
    """In ratings that are in force, and in those of before the model changed."""
    deltas = Deltas()
    moments = deltas.moments[moments_key(HERE, "a", BASIS, 0)] = Moments(0)
    knowledge = Knowledge()
    knowledge.add(deltas)
    held = knowledge.moments(moments_key(HERE, "a", BASIS, 0))
    assert held is not None
    held.shapes[0] = _Watched(held)
    if era:
        change = StandingChange(
            changed_at=at(0),
            segment=model_segment("a"),
            policy=POLICY,
            previous="0",
            current="1",
            reason="",
            confidence=1.0,
            revision=era,
            evidence={"shift": 0.0, "samples": 2.0},
        )
        knowledge.add(Deltas(standings={(POLICY, change.segment): change}))
    assert gather(knowledge, BASIS, 0).kinds[HERE, 0]["a"].n == 2.0
    assert len(held.shapes) > 1
    assert not moments.shapes


@pytest.mark.parametrize("revised", [0.0, 1.0])
def test_what_no_ratings_add_up_to_is_not_believed(revised: float) -> None:
    """A rating is revised after its segment was dropped, and the label clock began anew."""
    moments = Moments(0)
    moments.add_label(0, (), revised, 1.0, 0.002)
    moments.add_label(0, (), 1.0 - revised, -1.0, 0.0)
    moments.add_label(1, (), revised, 1.0, 0.0)
    assert 0 < moments.shapes[0].n < 0.002
    knowledge = Knowledge()
    knowledge.add(Deltas(moments={moments_key(HERE, "a", BASIS, 0): moments}))
    evidence = gather(knowledge, BASIS, 0)
    assert list(evidence.kinds) == [(HERE, 1)]
    heard = [ratings_now(knowledge, (HERE, shape), "a", BASIS, evidence.before) for shape in (0, 1)]
    assert heard[0] is None
    assert heard[1] is not None
    assert heard[1].r == revised
