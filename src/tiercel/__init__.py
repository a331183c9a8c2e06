"""Keeps every LLM call on the cheapest model that is good enough, and proves it."""

from tiercel.core.adaptive import AdaptiveConfig, AdaptiveScorer
from tiercel.core.assignment import AdaptiveAutoAssigner, AutoAssigner
from tiercel.core.capability import CapabilityScorer
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
    "UnknownDecision",
    "UnknownModel",
    "Workflow",
]
