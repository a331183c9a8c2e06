"""Every model of the catalogue, and what its calls did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tiercel.core.beliefs.change import Change, latest_change
from tiercel.core.figures.readings import EVERYWHERE, State, sums_by_model
from tiercel.core.figures.windows import recent
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.sums import Sums
from tiercel.domain.catalogue import Catalogue, ModelProfile
from tiercel.domain.performance import TimeRange


@dataclass(frozen=True, slots=True)
class ObservedModel:
    """A model, the sums of its calls in the range, its share of all calls, and when it last changed (None: never)."""

    profile: ModelProfile
    sums: Sums
    share: float | None
    drift: Change | None


def observed_models(
    knowledge: Knowledge, catalogue: Catalogue, time_range: TimeRange, now_s: float
) -> Sequence[ObservedModel]:
    """The catalogue's models in its order, as of one moment; cost independent of history.

    Shares are of the calls of every model, those that are no longer in the catalogue among them.
    """
    window = recent(time_range, now_s)

    def read(state: State) -> dict[str, Sums]:
        return sums_by_model(state, EVERYWHERE, window)

    found = knowledge.look(read)
    total = sum(sums.requests for sums in found.values())
    return [
        ObservedModel(model, sums, sums.requests / total if total else None, change if change.era else None)
        for model in catalogue
        for sums, change in ((found.get(model.model_id, Sums()), latest_change(knowledge, model.model_id)),)
    ]
