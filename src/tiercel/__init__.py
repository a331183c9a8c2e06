"""Keeps every LLM call on the cheapest model that is good enough, and proves it."""

# A name is imported when it is first used: `import tiercel` alone costs a few milliseconds, and a program that only
# scores models never loads the HTTP client or the store. Type checkers read the imports below.
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercel.core.adaptive import AdaptiveConfig, AdaptiveScorer
    from tiercel.core.assignment import AdaptiveAutoAssigner, AutoAssigner
    from tiercel.core.capability import CapabilityScorer
    from tiercel.domain.alert_rule import AlertRule
    from tiercel.domain.alerts import Alert, AlertThresholds, AlertType, Severity
    from tiercel.domain.catalogue import Agent, ModelProfile, ModelTier, Price
    from tiercel.domain.decision import Candidate, Decision
    from tiercel.domain.errors import (
        ConfigurationError,
        Conflict,
        InvalidInput,
        NoEligibleModel,
        Problem,
        ProviderError,
        StoreError,
        TiercelError,
        UnknownAlert,
        UnknownDecision,
        UnknownModel,
    )
    from tiercel.domain.matching import AdaptiveScore, AssignmentDecision, CapabilityMatch, Penalty
    from tiercel.domain.quality import FeedbackEntry, QualityStats, TierRecommendation
    from tiercel.domain.samples import SAMPLE_AGENTS, SAMPLE_MODELS
    from tiercel.library.alerts import AlertManager
    from tiercel.library.feedback_loop import FeedbackLoop
    from tiercel.library.performance import PerformanceTracker
    from tiercel.library.router import AsyncRouter, Router
    from tiercel.library.workflow import Workflow

__all__ = [
    "SAMPLE_AGENTS",
    "SAMPLE_MODELS",
    "AdaptiveAutoAssigner",
    "AdaptiveConfig",
    "AdaptiveScore",
    "AdaptiveScorer",
    "Agent",
    "Alert",
    "AlertManager",
    "AlertRule",
    "AlertThresholds",
    "AlertType",
    "AssignmentDecision",
    "AsyncRouter",
    "AutoAssigner",
    "Candidate",
    "CapabilityMatch",
    "CapabilityScorer",
    "ConfigurationError",
    "Conflict",
    "Decision",
    "FeedbackEntry",
    "FeedbackLoop",
    "InvalidInput",
    "ModelProfile",
    "ModelTier",
    "NoEligibleModel",
    "Penalty",
    "PerformanceTracker",
    "Price",
    "Problem",
    "ProviderError",
    "QualityStats",
    "Router",
    "Severity",
    "StoreError",
    "TierRecommendation",
    "TiercelError",
    "UnknownAlert",
    "UnknownDecision",
    "UnknownModel",
    "Workflow",
]

_HOMES = {
    "AdaptiveAutoAssigner": "tiercel.core.assignment",
    "AdaptiveConfig": "tiercel.core.adaptive",
    "AdaptiveScore": "tiercel.domain.matching",
    "AdaptiveScorer": "tiercel.core.adaptive",
    "Agent": "tiercel.domain.catalogue",
    "Alert": "tiercel.domain.alerts",
    "AlertManager": "tiercel.library.alerts",
    "AlertRule": "tiercel.domain.alert_rule",
    "AlertThresholds": "tiercel.domain.alerts",
    "AlertType": "tiercel.domain.alerts",
    "AssignmentDecision": "tiercel.domain.matching",
    "AsyncRouter": "tiercel.library.router",
    "AutoAssigner": "tiercel.core.assignment",
    "Candidate": "tiercel.domain.decision",
    "CapabilityMatch": "tiercel.domain.matching",
    "CapabilityScorer": "tiercel.core.capability",
    "ConfigurationError": "tiercel.domain.errors",
    "Conflict": "tiercel.domain.errors",
    "Decision": "tiercel.domain.decision",
    "FeedbackEntry": "tiercel.domain.quality",
    "FeedbackLoop": "tiercel.library.feedback_loop",
    "InvalidInput": "tiercel.domain.errors",
    "ModelProfile": "tiercel.domain.catalogue",
    "ModelTier": "tiercel.domain.catalogue",
    "NoEligibleModel": "tiercel.domain.errors",
    "Penalty": "tiercel.domain.matching",
    "PerformanceTracker": "tiercel.library.performance",
    "Price": "tiercel.domain.catalogue",
    "Problem": "tiercel.domain.errors",
    "ProviderError": "tiercel.domain.errors",
    "QualityStats": "tiercel.domain.quality",
    "Router": "tiercel.library.router",
    "SAMPLE_AGENTS": "tiercel.domain.samples",
    "SAMPLE_MODELS": "tiercel.domain.samples",
    "Severity": "tiercel.domain.alerts",
    "StoreError": "tiercel.domain.errors",
    "TierRecommendation": "tiercel.domain.quality",
    "TiercelError": "tiercel.domain.errors",
    "UnknownAlert": "tiercel.domain.errors",
    "UnknownDecision": "tiercel.domain.errors",
    "UnknownModel": "tiercel.domain.errors",
    "Workflow": "tiercel.library.workflow",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tiercel' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__
