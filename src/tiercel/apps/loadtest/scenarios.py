"""What the traffic does over time, and what the models do meanwhile. Times are parts of the whole test, in 0..1."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from tiercel.domain.catalogue import ModelTier, Price

WORKFLOW, STORM = "loadtest", "storm"
STAGES = ("draft", "review")
"""The requests belong to these stages of the workflow by turns; a storm of ratings has a stage of its own."""
ALPHA, BRAVO, CHARLIE = "alpha", "bravo", "charlie"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A model: its median latency, the share of calls it fails, the mean quality of its answers (0..1)."""

    latency_ms: float
    quality: float
    failure_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadModel:
    """A model of the test's gateway, and how it behaves while nothing is said to the contrary."""

    model_id: str
    tier: str
    price: Price
    behaviour: Behaviour


MODELS = (
    LoadModel(ALPHA, ModelTier.CHEAP, Price(0.1, 0.4), Behaviour(15.0, 0.55)),
    LoadModel(BRAVO, ModelTier.CAPABLE, Price(0.5, 2.0), Behaviour(25.0, 0.9)),
    LoadModel(CHARLIE, ModelTier.PREMIUM, Price(5.0, 20.0), Behaviour(40.0, 0.9)),
)


@dataclass(frozen=True, slots=True)
class Phase:
    """From `start` on: so many times the usual rate, models that behave otherwise, and whether ratings are a storm."""

    start: float
    load: float = 1.0
    models: Mapping[str, Behaviour] = field(default_factory=dict)
    storm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One load. `rated` is the share of answers that is rated; `watched` the model whose share is the point of it."""

    name: str
    summary: str
    duration_s: float
    rate_per_s: float
    phases: tuple[Phase, ...] = (Phase(0.0),)
    rated: float = 0.5
    watched: str = ""
    breaches: int = 0
    marks: Mapping[str, float] = field(default_factory=dict)

    def phase(self, part: float) -> Phase:
        """What holds at that part of the test."""
        return self.phases[bisect_right([phase.start for phase in self.phases], part) - 1]


def _all_fail() -> dict[str, Behaviour]:
    return {model.model_id: Behaviour(5.0, 0.0, failure_rate=1.0) for model in MODELS}


SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="steady", summary="the same load throughout", duration_s=60.0, rate_per_s=50.0),
        Scenario(
            name="spike",
            summary="five times the load for a fifth of the time",
            duration_s=60.0,
            rate_per_s=25.0,
            phases=(Phase(0.0), Phase(0.4, load=5.0), Phase(0.6)),
            marks={"spike": 0.4, "over": 0.6},
        ),
        Scenario(
            name="endurance",
            summary="a load that lasts: nothing may grow",
            duration_s=1_800.0,
            rate_per_s=40.0,
            rated=0.2,
        ),
        Scenario(
            name="alert-storm",
            summary="every model fails and every rating is bad for a while: one alert for each incident",
            duration_s=60.0,
            rate_per_s=20.0,
            phases=(Phase(0.0), Phase(0.3, models=_all_fail(), storm=True), Phase(0.6)),
            breaches=100_000,
            marks={"storm": 0.3, "over": 0.6},
        ),
        Scenario(
            name="degrade",
            summary="the best model becomes bad, and good again: its share leaves and returns",
            duration_s=150.0,
            rate_per_s=40.0,
            phases=(
                Phase(0.0),
                Phase(0.3, models={BRAVO: Behaviour(25.0, 0.3, failure_rate=0.05)}),
                Phase(0.5),
            ),
            rated=1.0,
            watched=BRAVO,
            marks={"bravo degrades": 0.3, "bravo recovers": 0.5},
        ),
    )
}
