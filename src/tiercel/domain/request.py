"""What is asked of the router: the request's context, and the segment whose statistics it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DEFAULT_NAME = "default"
"""The workflow and stage of a request that names neither."""

Segment = tuple[str, ...]
"""What has statistics of its own: ("stage", workflow, stage) or ("agent", agent_id)."""

TASK_CAPABILITIES: Mapping[str, tuple[str, ...]] = {
    "coding": ("coding", "reasoning"),
    "math": ("math", "reasoning"),
    "reasoning": ("reasoning",),
    "arabic": ("arabic", "multilingual"),
    "general": ("general",),
    "translation": ("multilingual", "general"),
    "summarization": ("reasoning", "general"),
    "question_answering": ("reasoning", "general"),
}
"""Task type -> capabilities it requires."""


def stage_segment(workflow: str, stage: str) -> Segment:
    """The segment of a workflow's stage."""
    return ("stage", workflow, stage)


def agent_segment(agent_id: str) -> Segment:
    """The segment of an agent that works outside any workflow."""
    return ("agent", agent_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """Everything about one request that a decision may depend on.

    `requires` and `prefers` are capability names; `prompt_tokens` is an estimate used to exclude models whose
    context is too short (0: unknown); `prompt` is read for features and never stored; `features` are figures that the
    caller measured. `messages`, `tools` and `structured` say how the request is built: turns so far, tools offered, and
    whether the answer must follow a schema.
    """

    workflow: str = ""
    stage: str = ""
    agent_id: str = ""
    session_id: str = ""
    requires: Sequence[str] = ()
    prefers: Sequence[str] = ()
    require_all: bool = False
    min_context_length: int = 0
    prompt_tokens: int = 0
    prompt: str = ""
    features: Mapping[str, float] = field(default_factory=dict)
    messages: int = 1
    tools: int = 0
    structured: bool = False

    @property
    def segment(self) -> Segment:
        """The stage if a workflow or stage is named, else the agent, else the default stage."""
        if self.agent_id and not (self.workflow or self.stage):
            return ("agent", self.agent_id)
        return ("stage", self.workflow or DEFAULT_NAME, self.stage or DEFAULT_NAME)
