"""What can be chosen and for whom: models, tiers, prices and agents."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import partial
from types import MappingProxyType

from tiercel.domain.errors import InvalidInput, Problem, UnknownModel

CAPABILITIES = (
    "coding",
    "math",
    "reasoning",
    "arabic",
    "general",
    "multilingual",
    "long_context",
    "low_latency",
    "high_accuracy",
    "function_calling",
    "vision",
    "audio",
    "json_mode",
)
"""The capability names tiercel knows; a catalogue may declare any further name."""

DEFAULT_MODEL_CONTEXT = 4096
DEFAULT_AGENT_CONTEXT = 2048


class ModelTier(StrEnum):
    """The default ordered classes of models, cheapest first."""

    CHEAP = "cheap"
    CAPABLE = "capable"
    PREMIUM = "premium"


DEFAULT_TIERS: tuple[str, ...] = tuple(ModelTier)


class AgentStatus(StrEnum):
    """Whether an agent may be assigned work."""

    ONLINE = "online"
    OFFLINE = "offline"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in USD per million tokens."""

    input: float
    output: float

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Cost of one call in USD."""
        return (self.input * prompt_tokens + self.output * completion_tokens) / 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProfile:
    """One catalogue entry that may be chosen.

    `capabilities` maps a capability to a strength in 0..1 (absent means 0); `context_length` is in tokens;
    `upstream` is the name the provider knows it by (default: the id); `price` is None where it is unknown.
    """

    model_id: str
    model_name: str = ""
    capabilities: Mapping[str, float] = field(default_factory=dict)
    context_length: int = DEFAULT_MODEL_CONTEXT
    provider: str = ""
    upstream: str = ""
    tier: str = ModelTier.CAPABLE
    price: Price | None = None

    def __post_init__(self) -> None:
        problems = [
            Problem(f"capabilities.{name}", "must be a number in 0..1", repr(strength), "range")
            for name, strength in self.capabilities.items()
            if isinstance(strength, bool)
            or not isinstance(strength, int | float)
            or not (math.isfinite(strength) and 0.0 <= strength <= 1.0)
        ]
        if not self.model_id:
            problems.append(Problem("model_id", "must not be empty", repr(self.model_id)))
        if self.context_length <= 0:
            problems.append(Problem("context_length", "must be positive", repr(self.context_length), "range"))
        if problems:
            raise InvalidInput(problems)
        object.__setattr__(self, "model_name", self.model_name or self.model_id)
        object.__setattr__(self, "upstream", self.upstream or self.model_id)
        object.__setattr__(self, "capabilities", MappingProxyType(dict(self.capabilities)))

    def __reduce__(self) -> tuple[Callable[[], ModelProfile], tuple[()]]:
        """For pickling: a mapping that nobody can write to travels as a dict."""
        values = {own.name: getattr(self, own.name) for own in fields(self)}
        return partial(ModelProfile, **{**values, "capabilities": dict(self.capabilities)}), ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Someone who needs a model: what it requires and prefers, and whether it is online.

    `require_all` makes a missing required capability exclude a model instead of lowering its score.
    """

    agent_id: str
    agent_name: str = ""
    required: Sequence[str] = ()
    preferred: Sequence[str] = ()
    min_context_length: int = DEFAULT_AGENT_CONTEXT
    status: str = AgentStatus.ONLINE
    require_all: bool = False

    def __post_init__(self) -> None:
        if self.status not in tuple(AgentStatus):
            allowed = ", ".join(AgentStatus)
            raise InvalidInput([Problem("status", f"must be one of {allowed}", repr(self.status), "unknown")])
        object.__setattr__(self, "agent_name", self.agent_name or self.agent_id)
        object.__setattr__(self, "required", tuple(self.required))
        object.__setattr__(self, "preferred", tuple(self.preferred))


class Catalogue:
    """The models that may be chosen, in registration order, and the order of their tiers.

    Raises `InvalidInput` for a duplicate id or a tier that is not in `tiers`.
    """

    __slots__ = ("_by_id", "models", "tiers")

    def __init__(self, models: Sequence[ModelProfile], tiers: Sequence[str] = DEFAULT_TIERS) -> None:
        self.models: tuple[ModelProfile, ...] = tuple(models)
        self.tiers: tuple[str, ...] = tuple(str(tier) for tier in tiers)
        self._by_id = {model.model_id: model for model in self.models}
        problems = [
            Problem(f"models[{i}].tier", f"must be one of {', '.join(self.tiers)}", repr(m.tier), "unknown")
            for i, m in enumerate(self.models)
            if m.tier not in self.tiers
        ]
        seen: set[str] = set()
        for i, model in enumerate(self.models):
            if model.model_id in seen:
                problems.append(Problem(f"models[{i}].id", "must be unique", repr(model.model_id)))
            seen.add(model.model_id)
        if problems:
            raise InvalidInput(problems)

    def get(self, model_id: str) -> ModelProfile | None:
        """The model of that id, or None."""
        return self._by_id.get(model_id)

    def __getitem__(self, model_id: str) -> ModelProfile:
        """The model of that id. Raises `UnknownModel`."""
        model = self._by_id.get(model_id)
        if model is None:
            raise UnknownModel(model_id)
        return model

    def __iter__(self) -> Iterator[ModelProfile]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)
