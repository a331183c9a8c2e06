"""What happened: the append-only log is made of these, and everything learned is computed from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tiercel.domain.alerts import Alert
from tiercel.domain.decision import Decision
from tiercel.domain.incident import Acknowledgement, Notice
from tiercel.domain.request import Segment

MAX_FIGURE = 10**12
"""More milliseconds, tokens or dollars no call takes; and sums of such figures fit everywhere."""
SIGNALS: Segment = ("signals",)
"""The segment of all signals between agents."""
CLIENT_LEFT = "client_left"
"""The `error` of a call whose caller left before its end: it cost something, and says nothing of the model."""


@dataclass(frozen=True, slots=True)
class Label:
    """What learning needs to know of a rating or a call besides its figures.

    It is written down when that is logged, so that replaying the log teaches the same.

    `vector` and `basis` are the decision's (empty for a rating of no decision), and so is `expected`, the quality its
    policy expected of the model. `tick` is the reading of the segment's label clock (core/statistics/label_clock.py),
    and of a call says how often what its model costs drifted (core/beliefs/forgetting.py). `weight` is how much the
    rating counts: 0 where its source has been heard enough. `era` counts how often the model was found to have changed
    (core/beliefs/drift.py): what was learned before says little. `logged_us` is when the clock was read, in
    microseconds since the epoch; a rating may have been given days before. `arm` says from which of a rollout's two the
    decision was drawn (core/statistics/arms.py; "" where there is none).
    """

    vector: tuple[float, ...] = ()
    basis: str = ""
    expected: float | None = None
    tick: float = 0.0
    weight: float = 1.0
    era: int = 0
    logged_us: int = 0
    arm: str = ""

    @property
    def shape(self) -> int:
        """The shape of the prompt, the first figure of every basis; -1 without features."""
        return int(self.vector[0]) if self.vector else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one model call did. At most one per decision and model: a fallback adds a second.

    `latency_ms` and `first_token_ms` count from the moment the call was sent; `cost_usd` is None where no price
    is known; `usage_estimated` says that the token counts are counted from the stream, not reported by the
    upstream. `model` is the model that answered, which a fallback may have made another than the decision's.
    `error` is a short stable word ("timeout", "status_503"), never an upstream's text. `match_score` is the
    capability match (0..100) the call was chosen with. `fallback_from` names the model that failed first. `label`
    is what learning needs to know of the decision.
    """

    decision_id: str
    recorded_at: datetime
    segment: Segment
    model: str
    tier: str
    success: bool
    latency_ms: float
    first_token_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None
    usage_estimated: bool = False
    error: str = ""
    fallback_from: str = ""
    agent_id: str = ""
    match_score: float | None = None
    completion_id: str = ""
    label: Label = Label()

    @property
    def id(self) -> str:
        """Unique per decision and model."""
        return f"{self.decision_id}/{self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What a caller or an evaluator said of an answer: quality in 0..1.

    `id` is the idempotency key. A second rating of the same decision by the same source revises the first: it is
    a new event whose `replaces`, set by the store, holds the rating it takes back (itself, where it is the older of
    the two). `model` is "" where only the tier is known. `clamped` says that a time in the future was set to the time
    of receipt.
    """

    id: str
    recorded_at: datetime
    segment: Segment
    tier: str
    quality: float
    model: str = ""
    decision_id: str = ""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    replaces: Rating | None = None
    clamped: bool = False
    label: Label = Label()


@dataclass(frozen=True, slots=True)
class Rating:
    """What a revision takes back: a quality, when it was given, and of what."""

    quality: float
    recorded_at: datetime
    tier: str
    model: str
    label: Label = Label()


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingChange:
    """A segment is served by another tier or model from now on ("": by none), and the evidence for it in plain values.

    `revision` counts the changes of one segment under one policy, so that of several processes that come to the same
    conclusion one is recorded.
    """

    changed_at: datetime
    segment: Segment
    policy: str
    previous: str
    current: str
    reason: str
    confidence: float
    revision: int
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Unique per policy, segment and revision."""
        return "\x1f".join((self.policy, *self.segment, str(self.revision)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What an agent tells another, or ("" as `to_agent`) all of them. `payload` are plain values, bounded as metadata.

    It teaches nothing. All signals belong to one segment, so that they have one order, the same for everyone.
    """

    id: str
    recorded_at: datetime
    from_agent: str
    name: str
    to_agent: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)

    @property
    def segment(self) -> Segment:
        """Where signals are: in one place."""
        return SIGNALS


Event = Decision | Outcome | Feedback | StandingChange | Alert | Signal | Acknowledgement | Notice
