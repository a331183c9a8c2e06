"""When a model was found to have changed, and how: a standing change of the model itself, under the name `POLICY`.

Its revision is the model's era, which every later rating carries; what was learned in earlier eras is discounted.
"""

from __future__ import annotations

from typing import NamedTuple

from tiercel.core.statistics.fold import ERAS, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.events import StandingChange
from tiercel.domain.request import Segment

POLICY = ERAS


class Change(NamedTuple):
    """`shift` is by how much the model's quality moved, from so many `samples`."""

    era: int = 0
    shift: float = 0.0
    samples: float = 0.0
    at_us: int = 0


_NEVER = Change()


def model_segment(model_id: str) -> Segment:
    """The model itself, as what a standing change is about."""
    return ("model", model_id)


def latest_change(knowledge: Knowledge, model_id: str) -> Change:
    """The model's last change; era 0 if it never changed."""
    standing = knowledge.standing(POLICY, model_segment(model_id))
    return change_of(standing) if standing else _NEVER


def change_of(standing: StandingChange) -> Change:
    """What a standing change under `POLICY` says."""
    evidence = standing.evidence
    shift, samples = float(evidence.get("shift", 0.0)), float(evidence.get("samples", 0.0))
    return Change(standing.revision, shift, samples, micros(standing.changed_at))
