"""Everything that can be configured, as frozen structures with their defaults; file.py reads them from TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tiercel.config.notify import NotifySettings
from tiercel.core.adaptive import AdaptiveConfig
from tiercel.core.beliefs.shift import DriftSettings
from tiercel.core.grading import JudgeSettings
from tiercel.domain.access import Role
from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.catalogue import DEFAULT_TIERS, Agent, ModelProfile

DEFAULT_STORE_URL = "sqlite:///tiercel.db"
DEFAULT_POLICY = "contextual"
AT_ONCE, APPROVAL, ROLLOUT, BOTH = "at-once", "approval", "rollout", "approval-then-rollout"
CHANGES = (AT_ONCE, APPROVAL, ROLLOUT, BOTH)
RETENTION_S = 7 * 86_400.0
OUTBOX_MAX_EVENTS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """[store]: where the log and the learned state live, and for how long feedback and the log are kept.

    `outbox` is the file that keeps what the store has not got while it is away, at most `outbox_max_events`: True is a
    file in the working directory where the store is a server, and none where it is on this machine; False is none.
    """

    url: str = field(default=DEFAULT_STORE_URL, repr=False)  # from the environment it may hold a password
    retention_s: float = RETENTION_S
    outbox: str | bool = True
    outbox_max_events: int = OUTBOX_MAX_EVENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """[[providers]]: someone who runs models. The key is named by its environment variable, never written down."""

    id: str
    base_url: str
    api_key_env: str = ""
    timeout_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """[[routes]]: which policy decides among which models for which stages, and the policy's own settings.

    At most one of target quality, budget and weights may be given; rule policies do not use them. Without any, a policy
    that learns stays within .02 of the best model's quality. `cost_weight` is per USD and `latency_weight` per second
    of one call, beside `quality_weight` per quality point (0..1).

    `max_cost_usd` and `max_latency_ms` (of 95 in 100 answers) exclude models. `max_quality_loss` is how much quality a
    request may lose on average against `incumbent` (default: the dearest model). `features` are names of figures that
    callers send with their requests; `embedding` is the folder of a static embedding, of which `embedding_dimensions`
    are used.

    `changes` says what a change of tier, or of policy, goes through: one of `CHANGES`. `changes_apply_to` "down" lets
    changes to a higher tier pass. What is None is as core/policies/gated.py says. With `from_policy` that policy
    decides until `policy` was let through the same gate.
    """

    match: str = "*"
    name: str = ""
    models: tuple[str, ...] = ()
    policy: str = DEFAULT_POLICY
    model: str = ""
    target_quality: float | None = None
    budget_usd_per_request: float | None = None
    quality_weight: float | None = None
    cost_weight: float | None = None
    latency_weight: float | None = None
    probe_share: float | None = None
    start_tier: str = ""
    max_cost_usd: float | None = None
    max_latency_ms: float | None = None
    max_quality_loss: float | None = None
    incumbent: str = ""
    features: tuple[str, ...] = ()
    embedding: str = ""
    embedding_dimensions: int = 16
    judge: JudgeSettings | None = None
    changes: str = AT_ONCE
    changes_apply_to: str = "all"
    approval_timeout_s: float | None = None
    ask_again_s: float | None = None
    rollout_shares: tuple[float, ...] = ()
    rollout_min_ratings: int | None = None
    rollout_tolerance: float | None = None
    rollout_confidence: float | None = None
    from_policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """[[keys]]: who may use the gateway, and as what. The key is named by its environment variable."""

    name: str
    key_env: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """[server]: the gateway. `seed` makes the draws of requests that carry an x-request-id reproducible.

    `log_format` is "text" or "json". `public_hosts` are further names (or name:port) under which browsers may reach it.
    A session that was begun with a key lasts `session_s`.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    timeout_s: float = 120.0
    max_body_bytes: int = 32 * 1024 * 1024
    seed: int | None = None
    forward_metadata: bool = False
    log_format: str = "text"
    public_hosts: tuple[str, ...] = ()
    session_s: float = 12 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackSettings:
    """[feedback]: sources in `trusted_sources` are not capped against the others; thresholds of the tier rules."""

    trusted_sources: tuple[str, ...] = ()
    min_samples: int = 10
    quality_threshold: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """[dashboard]: `evaluations` is the folder that results of `tiercel evaluate` and `tiercel ope` are shown from."""

    evaluations: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """[telemetry]: the collector of OpenTelemetry at `endpoint` (OTLP over HTTP), "" for none.

    `headers_env` names the environment variable of each header for it. `sample_share` of the traces that begin here are
    sent, in 0..1; None leaves it to OTEL_TRACES_SAMPLER, and that by default to all.
    """

    endpoint: str = ""
    headers_env: Mapping[str, str] = field(default_factory=dict)
    sample_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole configuration. [adaptive] are loop A's weights and thresholds, [alerts] alerts' and [drift] drift's."""

    store: StoreSettings = field(default_factory=StoreSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    keys: tuple[KeySettings, ...] = ()
    providers: tuple[ProviderSettings, ...] = ()
    models: tuple[ModelProfile, ...] = ()
    tiers: tuple[str, ...] = DEFAULT_TIERS
    routes: tuple[RouteSettings, ...] = ()
    agents: tuple[Agent, ...] = ()
    feedback: FeedbackSettings = field(default_factory=FeedbackSettings)
    adaptive: AdaptiveConfig = field(default_factory=AdaptiveConfig)
    alerts: AlertThresholds = field(default_factory=AlertThresholds)
    rules: tuple[AlertRule, ...] = ()
    notify: tuple[NotifySettings, ...] = ()
    dashboard: DashboardSettings = field(default_factory=DashboardSettings)
    drift: DriftSettings = field(default_factory=DriftSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)

    @property
    def judge_sources(self) -> frozenset[str]:
        """The sources of the routes' judges."""
        return frozenset(route.judge.source for route in self.routes if route.judge is not None)

    @property
    def trusted_sources(self) -> frozenset[str]:
        """Whose ratings are not capped: the sources the operator lists, and the judges the operator appoints."""
        return self.judge_sources | frozenset(self.feedback.trusted_sources)
