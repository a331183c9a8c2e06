"""Which models may serve a request, and for each one that may not, why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Candidate
from tiercel.domain.request import RequestContext


def exclusion(model: ModelProfile, request: RequestContext) -> str | None:
    """Why `model` may not serve `request`, or None if it may."""
    if request.prompt_tokens > model.context_length:
        return f"context of {model.context_length} tokens is too short for a prompt of about {request.prompt_tokens}"
    if request.require_all:
        missing = [name for name in request.requires if not model.capabilities.get(name)]
        if missing:
            return f"lacks required {', '.join(missing)}"
    return None


def divide(
    models: Sequence[ModelProfile], request: RequestContext
) -> tuple[tuple[ModelProfile, ...], tuple[Candidate, ...]]:
    """The eligible models, and the others as excluded candidates, both in the given order."""
    return parted(models, lambda model: exclusion(model, request))


def parted(
    models: Iterable[ModelProfile], why_not: Callable[[ModelProfile], str | None]
) -> tuple[tuple[ModelProfile, ...], tuple[Candidate, ...]]:
    """The models that nothing excludes, and the others as candidates with the reason, both in the given order."""
    left: list[ModelProfile] = []
    excluded: list[Candidate] = []
    for model in models:
        why = why_not(model)
        if why is None:
            left.append(model)
        else:
            excluded.append(Candidate(model.model_id, model.tier, 0.0, excluded=why))
    return tuple(left), tuple(excluded)
