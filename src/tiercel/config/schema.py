"""The shape of tiercel.toml, section by section, as pydantic models that find every problem in one go.

Checks stand on single fields, not on whole sections, because pydantic runs those whatever else is wrong. What a field
may refer to (tiers, providers, models, policies) is read from the raw file beforehand and comes as the `Vocabulary`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field

from tiercel.config.checks import (
    BaseUrl,
    Count,
    Fraction,
    Glob,
    HeaderName,
    HostName,
    JudgeOptions,
    Mode,
    Name,
    NotNegative,
    Outbox,
    Positive,
    Retention,
    RoleName,
    SessionLength,
    Shares,
    StoreUrl,
    Tier,
    Variable,
    another_policy,
    known,
    unique,
)
from tiercel.config.settings import (
    DEFAULT_POLICY,
    FeedbackSettings,
    ProviderSettings,
    ServerSettings,
    StoreSettings,
)
from tiercel.core.grading import JudgeSettings
from tiercel.domain.catalogue import DEFAULT_AGENT_CONTEXT, DEFAULT_MODEL_CONTEXT, DEFAULT_TIERS, AgentStatus, ModelTier
from tiercel.services.rating.feedback_constants import HISTORY

_FEEDBACK, _SERVER, _STORE = FeedbackSettings(), ServerSettings(), StoreSettings()
_PROVIDER = ProviderSettings(id="", base_url="")
_JUDGE = JudgeSettings(model="")


class Section(BaseModel):
    """A table of the file: exact types, no unknown keys, no infinities."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class StoreSection(Section):
    """[store]."""

    url: StoreUrl = _STORE.url
    retention_s: Retention = _STORE.retention_s
    outbox: Outbox = _STORE.outbox
    outbox_max_events: Count = _STORE.outbox_max_events


class ServerSection(Section):
    """[server]."""

    host: Name = _SERVER.host
    port: Annotated[int, Field(ge=0, le=65_535)] = _SERVER.port
    timeout_s: Positive = _SERVER.timeout_s
    max_body_bytes: Count = _SERVER.max_body_bytes
    seed: Annotated[int, Field(ge=0)] | None = None
    forward_metadata: bool = False
    log_format: Literal["text", "json"] = "text"
    public_hosts: list[HostName] = Field(default_factory=list)
    session_s: SessionLength = _SERVER.session_s


class KeySection(Section):
    """[[keys]]."""

    name: Annotated[Name, AfterValidator(unique("key"))]
    key_env: Variable
    role: RoleName


class ProviderSection(Section):
    """[[providers]]."""

    id: Annotated[Name, AfterValidator(unique("provider"))]
    base_url: BaseUrl
    api_key_env: Variable | None = None
    timeout_s: Positive = _PROVIDER.timeout_s


class PriceSection(Section):
    """price_usd_per_mtok of a model."""

    input: NotNegative
    output: NotNegative


class ModelSection(Section):
    """[[models]]."""

    id: Annotated[Name, AfterValidator(unique("model"))]
    name: Name | None = None
    provider: Annotated[str, AfterValidator(known("provider"))] | None = None
    upstream: Name | None = None
    tier: Tier = ModelTier.CAPABLE
    context_length: Count = DEFAULT_MODEL_CONTEXT
    capabilities: dict[Name, Fraction] = Field(default_factory=dict)
    price_usd_per_mtok: PriceSection | None = None


class JudgeSection(Section):
    """judge of a route."""

    model: Annotated[str, AfterValidator(known("model"))]
    rate: Annotated[float, Field(gt=0, le=1)] = _JUDGE.rate
    rubric: str = _JUDGE.rubric
    max_calls_per_minute: Count | None = None
    options: JudgeOptions = Field(default_factory=dict)


class RouteSection(Section):
    """[[routes]]."""

    match: Glob = "*"
    name: Annotated[Name, AfterValidator(unique("route"))] | None = None
    models: Annotated[list[Annotated[str, AfterValidator(known("model"))]], Field(min_length=1)] | None = None
    policy: Annotated[str, AfterValidator(known("policy"))] = DEFAULT_POLICY
    model: Annotated[str, AfterValidator(known("model"))] | None = None
    target_quality: Annotated[Fraction | None, Mode] = None
    budget_usd_per_request: Annotated[Positive | None, Mode] = None
    quality_weight: Annotated[NotNegative | None, Mode] = None
    cost_weight: Annotated[NotNegative | None, Mode] = None
    latency_weight: Annotated[NotNegative | None, Mode] = None
    probe_share: Annotated[float, Field(ge=0, lt=1)] | None = None
    start_tier: Tier | None = None
    max_cost_usd: Positive | None = None
    max_latency_ms: Positive | None = None
    max_quality_loss: Fraction | None = None
    incumbent: Annotated[str, AfterValidator(known("model"))] | None = None
    features: list[Name] = Field(default_factory=list)
    embedding: str | None = None
    embedding_dimensions: Annotated[int, Field(ge=1, le=64)] = 16
    judge: JudgeSection | None = None
    changes: Literal["at-once", "approval", "rollout", "approval-then-rollout"] = "at-once"
    changes_apply_to: Literal["all", "down"] = "all"
    approval_timeout_s: Positive | None = None
    ask_again_s: NotNegative | None = None
    rollout_shares: Shares | None = None
    rollout_min_ratings: Count | None = None
    rollout_tolerance: Fraction | None = None
    rollout_confidence: Annotated[float, Field(gt=0, lt=1)] | None = None
    from_policy: Annotated[str, AfterValidator(known("policy")), AfterValidator(another_policy)] | None = None


class AgentSection(Section):
    """[[agents]]."""

    agent_id: Annotated[Name, AfterValidator(unique("agent")), Field(validation_alias=AliasChoices("agent_id", "id"))]
    name: Name | None = None
    required: list[Name] = Field(default_factory=list)
    preferred: list[Name] = Field(default_factory=list)
    min_context_length: Count = DEFAULT_AGENT_CONTEXT
    status: Annotated[str, AfterValidator(known("status"))] = AgentStatus.ONLINE
    require_all: bool = False


class FeedbackSection(Section):
    """[feedback]."""

    trusted_sources: list[Name] = Field(default_factory=list)
    min_samples: Annotated[int, Field(gt=0, le=HISTORY)] = _FEEDBACK.min_samples
    quality_threshold: Fraction = _FEEDBACK.quality_threshold


class DashboardSection(Section):
    """[dashboard]."""

    evaluations: Name | None = None


class TelemetrySection(Section):
    """[telemetry]."""

    endpoint: BaseUrl = ""
    headers_env: dict[HeaderName, Variable] = Field(default_factory=dict)
    sample_share: Fraction | None = None


class File(Section):
    """The whole file."""

    store: StoreSection = StoreSection()
    server: ServerSection = ServerSection()
    keys: list[KeySection] = Field(default_factory=list)
    tiers: Annotated[list[Annotated[Name, AfterValidator(unique("tier"))]], Field(min_length=1)] = list(DEFAULT_TIERS)
    providers: list[ProviderSection] = Field(default_factory=list)
    models: list[ModelSection] = Field(default_factory=list)
    routes: list[RouteSection] = Field(default_factory=list)
    agents: list[AgentSection] = Field(default_factory=list)
    feedback: FeedbackSection = FeedbackSection()
    adaptive: dict[str, Any] = Field(default_factory=dict)
    alerts: dict[str, Any] = Field(default_factory=dict)
    rules: list[dict[str, Any]] = Field(default_factory=list)
    notify: list[dict[str, Any]] = Field(default_factory=list)
    dashboard: DashboardSection = DashboardSection()
    drift: dict[str, Any] = Field(default_factory=dict)
    telemetry: TelemetrySection = TelemetrySection()
