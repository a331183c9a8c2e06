"""The words in which people are told of incidents."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from tiercel.domain.alerts import Alert
from tiercel.domain.channel import Channel
from tiercel.domain.incident import Occasion

_LISTED = 50
Tidings = Sequence[tuple[str, Alert]]


def words(channel: Channel, tidings: Tidings, now: datetime) -> tuple[str, str]:
    """The title and the body of a message: by the channel's templates for one incident, as a list for several."""
    if len(tidings) == 1:
        fields = _fields(*tidings[0], now)
        return channel.title.format_map(fields), channel.template.format_map(fields)
    counted = Counter(occasion for occasion, _ in tidings)
    title = ", ".join(f"{counted[occasion]} {occasion}" for occasion in Occasion if counted[occasion])
    lines = [f"{occasion}: {alert.message}" for occasion, alert in tidings[:_LISTED]]
    if len(tidings) > _LISTED:
        lines.append(f"and {len(tidings) - _LISTED} more")
    return f"tiercel: {title}", "\n".join(lines)


def message_id(channel: Channel, tidings: Tidings) -> str:
    """The same whenever the same is told on a channel again, and fit for a header; without a full stop."""
    told = "\x1f".join((channel.name, *sorted(f"{alert.alert_id}/{occasion}" for occasion, alert in tidings)))
    return f"msg_{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def _fields(occasion: str, alert: Alert, now: datetime) -> dict[str, str]:
    workflow, stage = alert.segment[1:3] if alert.segment[:1] == ("stage",) else ("", "")
    lasted_s = max(((alert.resolved_at or now) - alert.timestamp).total_seconds(), 0.0)
    return {
        "occasion": occasion,
        "severity": alert.severity.value,
        "type": alert.alert_type.value,
        "message": alert.message,
        "rule": alert.rule,
        "model": alert.model_id or "",
        "workflow": workflow,
        "stage": stage,
        "agent": alert.segment[1] if alert.segment[:1] == ("agent",) else "",
        "value": _number(alert.metric_value),
        "threshold": _number(alert.threshold_value),
        "since": alert.timestamp.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "lasted": f"{lasted_s:.0f}s",
        "alert_id": alert.alert_id,
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
