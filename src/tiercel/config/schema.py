"""The shape of tiercel.toml, section by section, as pydantic models that find every problem in one go.

Checks stand on single fields, not on whole sections, because pydantic runs those whatever else is wrong. What a field
may refer to (tiers, providers, models, policies) is read from the raw file beforehand and comes as the `Vocabulary`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from tiercel.config.problems import is_secret_key, one_of
from tiercel.config.settings import (
    DEFAULT_POLICY,
    FeedbackSettings,
    ProviderSettings,
    ServerSettings,
    StoreSettings,
)
from tiercel.config.urls import base_url_problem, store_url_problem
from tiercel.core.grading import JudgeSettings
from tiercel.domain.catalogue import DEFAULT_AGENT_CONTEXT, DEFAULT_MODEL_CONTEXT, DEFAULT_TIERS, AgentStatus, ModelTier
from tiercel.domain.errors import Problem
from tiercel.domain.names import name_problem
from tiercel.services.rating.feedback_constants import HISTORY

_FEEDBACK, _SERVER, _STORE = FeedbackSettings(), ServerSettings(), StoreSettings()
_PROVIDER = ProviderSettings(id="", base_url="")
_JUDGE = JudgeSettings(model="")

_HOUR_S = 3600
_TEN_YEARS_S = 10 * 365 * 86_400
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JUDGE_OWN = ("model", "messages", "stream", "stream_options", "n")
_MODES = ("target_quality", "budget_usd_per_request", "quality_weight", "cost_weight", "latency_weight")


@dataclass(slots=True)
class Vocabulary:
    """What fields may refer to, by kind; None where the file is too broken to tell. `seen` finds what is twice."""

    known: dict[str, Collection[str] | None]
    seen: set[tuple[str, str]] = field(default_factory=set)


def _fail(kind: str, message: str, found: str | None = None) -> PydanticCustomError:
    context: dict[str, Any] = {"message": message} if found is None else {"message": message, "found": found}
    return PydanticCustomError(kind, "{message}", context)


def _raise(problem: Problem | None) -> None:
    if problem is not None:
        raise _fail(problem.kind, problem.message, problem.found)


def _name(value: str) -> str:
    _raise(name_problem("", value))
    return value


def _known(what: str) -> Callable[[str, ValidationInfo], str]:
    def check(value: str, info: ValidationInfo) -> str:
        known = info.context.known[what] if info.context else None
        if known is not None and value not in known:
            raise _fail("unknown", one_of(value, known, what))
        return value

    return check


def _unique(what: str) -> Callable[[str, ValidationInfo], str]:
    def check(value: str, info: ValidationInfo) -> str:
        if info.context:
            if (what, value) in info.context.seen:
                raise _fail("value", f"must be unique: another {what} has it already")
            info.context.seen.add((what, value))
        return value

    return check


def _store_url(value: str) -> str:
    _raise(store_url_problem("", value))
    return value


def _outbox(value: object) -> bool | str:
    if isinstance(value, bool) or (isinstance(value, str) and value and value.isprintable()):
        return value
    raise _fail("value", "must be the path of a file, true (the default) or false (none)")


def _base_url(value: str) -> str:
    _raise(base_url_problem("", value))
    return value.rstrip("/")


def _retention(value: float) -> float:
    if not _HOUR_S <= value <= _TEN_YEARS_S:
        raise _fail("range", f"must be between {_HOUR_S} (an hour) and {_TEN_YEARS_S} (ten years), in seconds")
    return value


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        message = "must be the name of an environment variable, like OPENAI_API_KEY; never the key itself"
        raise _fail("value", message, "")
    return value


def _judge_options(value: dict[str, Any]) -> dict[str, Any]:
    for name in value:
        if name in _JUDGE_OWN or is_secret_key(name):
            raise _fail("value", f"must not hold {name!r}: tiercel says that itself", "")
    return value


def _glob(value: str) -> str:
    if not value or not value.isprintable():
        raise _fail("value", "must be a glob over workflow/stage, like code-review/*")
    rest = re.sub(r"\[!?\]?[^\]]*\]", "", value)
    if "[" in rest:
        raise _fail("value", "has a [ without its ]")
    if "/" not in value and not set(value) & set("*?["):
        raise _fail("value", f"can match no workflow/stage; did you mean {value + '/*'!r}?")
    return value


def _one_mode(value: float | None, info: ValidationInfo) -> float | None:
    """Target quality, budget and weights exclude one another; the weights go together."""
    given = [name for name in _MODES if info.data.get(name) is not None]
    clash = [name for name in given if not (name.endswith("_weight") and str(info.field_name).endswith("_weight"))]
    if value is not None and clash:
        raise _fail("value", f"excludes {clash[0]}: give a target quality, a budget or weights, not several of them")
    return value


Name = Annotated[str, AfterValidator(_name)]
Tier = Annotated[str, AfterValidator(_known("tier"))]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]
Mode = AfterValidator(_one_mode)


class Section(BaseModel):
    """A table of the file: exact types, no unknown keys, no infinities."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class StoreSection(Section):
    """[store]."""

    url: Annotated[str, AfterValidator(_store_url)] = _STORE.url
    retention_s: Annotated[float, AfterValidator(_retention)] = _STORE.retention_s
    outbox: Annotated[bool | str, PlainValidator(_outbox)] = _STORE.outbox
    outbox_max_events: Count = _STORE.outbox_max_events


class ServerSection(Section):
    """[server]."""

    host: Name = _SERVER.host
    port: Annotated[int, Field(ge=0, le=65_535)] = _SERVER.port
    timeout_s: Positive = _SERVER.timeout_s
    max_body_bytes: Count = _SERVER.max_body_bytes
    seed: Annotated[int, Field(ge=0)] | None = None
    forward_metadata: bool = False


class ProviderSection(Section):
    """[[providers]]."""

    id: Annotated[Name, AfterValidator(_unique("provider"))]
    base_url: Annotated[str, AfterValidator(_base_url)]
    api_key_env: Annotated[str, AfterValidator(_variable)] | None = None
    timeout_s: Positive = _PROVIDER.timeout_s


class PriceSection(Section):
    """price_usd_per_mtok of a model."""

    input: NotNegative
    output: NotNegative


class ModelSection(Section):
    """[[models]]."""

    id: Annotated[Name, AfterValidator(_unique("model"))]
    name: Name | None = None
    provider: Annotated[str, AfterValidator(_known("provider"))] | None = None
    upstream: Name | None = None
    tier: Tier = ModelTier.CAPABLE
    context_length: Count = DEFAULT_MODEL_CONTEXT
    capabilities: dict[Name, Fraction] = Field(default_factory=dict)
    price_usd_per_mtok: PriceSection | None = None


class JudgeSection(Section):
    """judge of a route."""

    model: Annotated[str, AfterValidator(_known("model"))]
    rate: Annotated[float, Field(gt=0, le=1)] = _JUDGE.rate
    rubric: str = _JUDGE.rubric
    max_calls_per_minute: Count | None = None
    options: Annotated[dict[str, Any], AfterValidator(_judge_options)] = Field(default_factory=dict)


class RouteSection(Section):
    """[[routes]]."""

    match: Annotated[str, AfterValidator(_glob)] = "*"
    name: Annotated[Name, AfterValidator(_unique("route"))] | None = None
    models: Annotated[list[Annotated[str, AfterValidator(_known("model"))]], Field(min_length=1)] | None = None
    policy: Annotated[str, AfterValidator(_known("policy"))] = DEFAULT_POLICY
    model: Annotated[str, AfterValidator(_known("model"))] | None = None
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
    incumbent: Annotated[str, AfterValidator(_known("model"))] | None = None
    features: list[Name] = Field(default_factory=list)
    embedding: str | None = None
    embedding_dimensions: Annotated[int, Field(ge=1, le=64)] = 16
    judge: JudgeSection | None = None


class AgentSection(Section):
    """[[agents]]."""

    agent_id: Annotated[Name, AfterValidator(_unique("agent")), Field(validation_alias=AliasChoices("agent_id", "id"))]
    name: Name | None = None
    required: list[Name] = Field(default_factory=list)
    preferred: list[Name] = Field(default_factory=list)
    min_context_length: Count = DEFAULT_AGENT_CONTEXT
    status: Annotated[str, AfterValidator(_known("status"))] = AgentStatus.ONLINE
    require_all: bool = False


class FeedbackSection(Section):
    """[feedback]."""

    trusted_sources: list[Name] = Field(default_factory=list)
    min_samples: Annotated[int, Field(gt=0, le=HISTORY)] = _FEEDBACK.min_samples
    quality_threshold: Fraction = _FEEDBACK.quality_threshold


class File(Section):
    """The whole file."""

    store: StoreSection = StoreSection()
    server: ServerSection = ServerSection()
    tiers: Annotated[list[Annotated[Name, AfterValidator(_unique("tier"))]], Field(min_length=1)] = list(DEFAULT_TIERS)
    providers: list[ProviderSection] = Field(default_factory=list)
    models: list[ModelSection] = Field(default_factory=list)
    routes: list[RouteSection] = Field(default_factory=list)
    agents: list[AgentSection] = Field(default_factory=list)
    feedback: FeedbackSection = FeedbackSection()
    adaptive: dict[str, Any] = Field(default_factory=dict)
    alerts: dict[str, Any] = Field(default_factory=dict)
