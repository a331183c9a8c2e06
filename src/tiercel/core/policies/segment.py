"""`segment`: the same as `contextual` without reading the prompt: a quality per segment and model, and nothing else.

Every segment's model is shrunk to what the model is elsewhere and to how hard the segment is for the others, and both
to what the catalogue says (Efron, Morris: "Stein's estimation rule and its competitors", JASA 68, 1973). Its beliefs
fit in one line each, which makes it the policy to explain; choose it where stages are uniform.
"""

from __future__ import annotations

from typing import ClassVar

from tiercel.core.policies.contextual import ContextualPolicy


class SegmentPolicy(ContextualPolicy):
    """Learns one quality per segment and model."""

    name: ClassVar[str] = "segment"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "the cheapest model that is good enough for this stage, whatever the prompt"
    reads_prompt: ClassVar[bool] = False
