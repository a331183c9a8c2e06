"""The public surface: what `from tiercel import ...` offers, and where it lives."""

from __future__ import annotations

import subprocess
import sys

import tiercel

SPECIFIED = {
    "AdaptiveAutoAssigner",
    "AdaptiveConfig",
    "AdaptiveScorer",
    "Agent",
    "AlertManager",
    "AlertThresholds",
    "AsyncRouter",
    "AutoAssigner",
    "CapabilityScorer",
    "FeedbackLoop",
    "ModelProfile",
    "ModelTier",
    "PerformanceTracker",
    "Router",
}


def test_the_names_are_sorted_unique_and_all_there() -> None:
    assert tiercel.__all__ == sorted(set(tiercel.__all__), key=lambda name: (not name.isupper(), name))
    assert set(tiercel.__all__) >= SPECIFIED
    for name in tiercel.__all__:
        assert (
            getattr(tiercel, name).__module__.startswith("tiercel")
            if name not in {"SAMPLE_AGENTS", "SAMPLE_MODELS"}
            else getattr(tiercel, name)
        )


def test_importing_tiercel_loads_nothing_heavy() -> None:
    heavy = ["pyreqwest", "granian", "starlette", "pydantic", "genai_prices", "scipy", "numpy", "typer", "rich"]
    program = f"import sys, tiercel; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert loaded == "[]\n"
