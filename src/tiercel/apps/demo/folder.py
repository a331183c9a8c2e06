"""The options of a demo, and the folder it works in: its configuration, its store, what its processes say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

from tiercel import bootstrap
from tiercel.apps.demo.table import MODELS, PROMPTS
from tiercel.config.settings import DEFAULT_POLICY
from tiercel.core.policies.contextual import ContextualPolicy
from tiercel.domain.errors import InvalidInput, Problem

CONFIG_NAME = "tiercel.toml"
DEFAULT_BUDGET_USD = 0.00025
"""Per request: $0.25 per 1,000, about half of what always asking the middle model would cost.

There nobody can buy quality by choosing one model: the cheapest is far below what the money allows and the next costs
twice as much, so what is reached above the best fixed mix is reached by telling requests apart.
"""
_FIRST_LINE = "# written by tiercel demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """The options of `tiercel demo`. Equal ones send the same requests in the same waves and rate the same ones.

    Rule policies then route alike. One that keeps a budget sees the requests of a wave in the order of their arrival,
    and what some cost before others are decided; its runs differ a little.

    `prompts` is how many of the table's are sent. `feedback_share` (0..1) of the answers are rated, `delay` waves
    after the one they were given in. `speed` divides the measured latencies. `budget_usd` is what a request may cost on
    average, for a policy that learns a price of money; `good_enough` (0..1) is the quality below which a stage moves
    up, for `tier-rules`. `port` 0 means any free one; `folder` None a temporary one, removed at the end.

    Raises `InvalidInput` with every problem.
    """

    prompts: int = PROMPTS
    seed: int = 0
    feedback_share: float = 0.5
    delay: int = 4
    speed: float = 100.0
    policy: str = DEFAULT_POLICY
    budget_usd: float = DEFAULT_BUDGET_USD
    good_enough: float = 0.8
    port: int = 0
    folder: Path | None = None
    keep: bool = False

    @property
    def has_budget(self) -> bool:
        """Whether the policy keeps one."""
        return issubclass(bootstrap.POLICIES[self.policy][0], ContextualPolicy)

    def __post_init__(self) -> None:
        checks = (
            ("--prompts", 1 <= self.prompts <= PROMPTS, f"must be in 1..{PROMPTS}", self.prompts),
            ("--seed", self.seed >= 0, "must be at least 0", self.seed),
            ("--feedback-share", 0 <= self.feedback_share <= 1, "must be in 0..1", self.feedback_share),
            ("--delay", self.delay >= 0, "must be at least 0", self.delay),
            ("--speed", 1 <= self.speed <= 1_000_000, "must be in 1..1000000", self.speed),
            ("--budget", 0 < self.budget_usd < inf, "must be above 0 USD per request", self.budget_usd),
            ("--good-enough", 0 <= self.good_enough <= 1, "must be in 0..1", self.good_enough),
            ("--port", 0 <= self.port <= 65_535, "must be in 0..65535", self.port),
            (
                "--policy",
                self.policy in bootstrap.POLICIES,
                f"must be one of {', '.join(bootstrap.POLICIES)}",
                self.policy,
            ),
        )
        problems = [Problem(path, message, repr(found), "range") for path, right, message, found in checks if not right]
        if problems:
            raise InvalidInput(problems)


@contextmanager
def work_folder(given: Path | None) -> Iterator[Path]:
    """The folder to work in: `given`, made if need be, or a temporary one that is removed afterwards.

    Raises `InvalidInput` for a folder with something in it that no demo left there.
    """
    if given is None:
        with TemporaryDirectory(prefix="tiercel-demo-", ignore_cleanup_errors=True) as made:
            yield Path(made)
        return
    try:
        given.mkdir(parents=True, exist_ok=True)
        strange = any(given.iterdir()) and not _is_a_demos(given / CONFIG_NAME)
    except OSError as error:
        raise InvalidInput([Problem("--dir", f"cannot be used: {error.strerror}", repr(str(given)))]) from error
    if strange:
        raise InvalidInput([Problem("--dir", "must be empty, new, or of an earlier demo", repr(str(given)))])
    yield given.resolve()


def write_config(folder: Path, settings: DemoSettings, *, port: int, upstream_port: int) -> Path:
    """Write the configuration of the demo's gateway; returns its path."""
    path = folder / CONFIG_NAME
    path.write_text(_config(settings, port, upstream_port), encoding="utf-8")
    return path


def _config(settings: DemoSettings, port: int, upstream_port: int) -> str:
    models = "".join(
        f"""
[[models]]
id = "{model.model_id}"
provider = "replay"
tier = "{model.tier}"
context_length = {model.context_length}
price_usd_per_mtok = {{ input = {model.price.input}, output = {model.price.output} }}
"""
        for model in MODELS
    )
    return f"""{_FIRST_LINE}

[store]
url = "sqlite:///tiercel.db"

[server]
port = {port}
seed = {settings.seed}

[feedback]
quality_threshold = {settings.good_enough}

[[providers]]
id = "replay"
base_url = "http://127.0.0.1:{upstream_port}/v1"
{models}
[[routes]]
match = "*"
policy = {json.dumps(settings.policy)}
{f"budget_usd_per_request = {settings.budget_usd!r}" if settings.has_budget else ""}
"""


def _is_a_demos(config: Path) -> bool:
    return config.is_file() and config.read_text(encoding="utf-8", errors="replace").startswith(_FIRST_LINE)
