"""The options of a load test, and the configuration of the gateway that is started for it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from tiercel.apps.loadtest.scenarios import MODELS, SCENARIOS, STORM, WORKFLOW, Scenario
from tiercel.domain.errors import InvalidInput, Problem

PICTURES = (".svg", ".png")
_NEEDS_OWN = ("alert-storm", "degrade")
LIMIT = 1_000
"""So many requests are under way at once at most; what would come on top is counted, not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSettings:
    """The options. Equal ones send the same requests at the same times, and the test's own models answer alike.

    `duration_s` and `rate_per_s` 0 are the scenario's own. With `concurrency` so many callers each wait for one answer
    before they ask again, and no rate counts. `url` is a gateway that runs already; `key_env` names the environment
    variable with its key. `breaches` is how many bad ratings an alert storm has. Raises `InvalidInput` with every
    problem.
    """

    scenario: str = "steady"
    duration_s: float = 0.0
    rate_per_s: float = 0.0
    concurrency: int = 0
    breaches: int = -1
    seed: int = 0
    url: str = ""
    key_env: str = ""
    picture: Path | None = None

    def __post_init__(self) -> None:
        known = ", ".join(SCENARIOS)
        own = not (self.url and self.scenario in _NEEDS_OWN)
        checks = (
            ("--scenario", self.scenario in SCENARIOS, f"must be one of {known}", self.scenario),
            ("--scenario", own, "needs models that do as told: leave --url away", self.scenario),
            ("--duration", isfinite(self.duration_s) and self.duration_s >= 0, "must be above 0", self.duration_s),
            ("--rate", isfinite(self.rate_per_s) and self.rate_per_s >= 0, "must be above 0", self.rate_per_s),
            ("--rate", not (self.rate_per_s and self.concurrency), "goes without --concurrency", self.rate_per_s),
            ("--concurrency", 0 <= self.concurrency <= LIMIT, f"must be in 1..{LIMIT}", self.concurrency),
            ("--seed", self.seed >= 0, "must be at least 0", self.seed),
            (
                "--url",
                not self.url or self.url.startswith(("http://", "https://")),
                "must be an http address",
                self.url,
            ),
            (
                "--picture",
                self.picture is None or self.picture.suffix in PICTURES,
                f"must end in {' or '.join(PICTURES)}",
                str(self.picture),
            ),
        )
        problems = [Problem(path, message, repr(found), "range") for path, right, message, found in checks if not right]
        if problems:
            raise InvalidInput(problems)

    @property
    def load(self) -> Scenario:
        """What is done."""
        return SCENARIOS[self.scenario]

    @property
    def lasts_s(self) -> float:
        """How long requests are sent."""
        return self.duration_s or self.load.duration_s

    @property
    def per_s(self) -> float:
        """The usual rate of requests."""
        return self.rate_per_s or self.load.rate_per_s

    @property
    def bad_ratings(self) -> int:
        """How many bad ratings the storm has."""
        return self.load.breaches if self.breaches < 0 else self.breaches


def write_config(folder: Path, settings: LoadSettings, *, port: int, upstream_port: int) -> Path:
    """Write the configuration of the test's gateway; returns its path."""
    models = "".join(
        f"""
[[models]]
id = "{model.model_id}"
provider = "scripted"
tier = "{model.tier}"
price_usd_per_mtok = {{ input = {model.price.input}, output = {model.price.output} }}
"""
        for model in MODELS
    )
    path = folder / "tiercel.toml"
    path.write_text(
        f"""# written by tiercel loadtest

[store]
url = "sqlite:///tiercel.db"

[server]
port = {port}
seed = {settings.seed}

[alerts]
resolve_after_s = {min(5.0, settings.lasts_s / 12)}
rapid_failures_window_s = {min(10.0, settings.lasts_s / 6)}

[[rules]]
name = "bad answers"
metric = "quality"
workflow = "{WORKFLOW}"
stage = "{STORM}"
error = 0.5

[[providers]]
id = "scripted"
base_url = "http://127.0.0.1:{upstream_port}/v1"
{models}
""",
        encoding="utf-8",
    )
    return path
