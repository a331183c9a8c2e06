"""What a decision says of an answer that is rated later: what learning needs besides the rating's value."""

from __future__ import annotations

from tiercel.core.beliefs.change import latest_change
from tiercel.core.statistics.arms import arm_of
from tiercel.core.statistics.fold import micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.decision import Decision
from tiercel.domain.events import Label


def label_of(decision: Decision, model: str, knowledge: Knowledge) -> Label:
    """What a decision says of the answer that `model` gave: a fallback may have made it another than the chosen.

    An answer given before the model was found to have changed belongs to the era before, and was expected to be what
    models were then: it says nothing of another change.
    """
    change = latest_change(knowledge, model)
    arm = arm_of(decision)  # whichever model answered
    if change.era and micros(decision.decided_at) < change.at_us:
        return Label(decision.vector, decision.basis, era=change.era - 1, arm=arm)
    expected = next((c.quality for c in decision.proposal.candidates if c.model_id == model), None)
    return Label(decision.vector, decision.basis, expected, era=change.era, arm=arm)
