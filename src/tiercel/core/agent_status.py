"""Whether an agent is online: from what it said, what the operator said, and what is configured.

An agent is believed for `BEAT_TTL_S` after it said that it is starting or running. What the operator said last wins,
and the configuration's word where there was none. An agent that never said anything is what is configured.
"""

from __future__ import annotations

from datetime import datetime

from tiercel.domain.catalogue import Agent, AgentStatus
from tiercel.domain.events import StandingChange
from tiercel.domain.presence import BEAT_TTL_S, LIVE, Beat

OPERATOR, HEARTBEAT, SILENCE, ENDED, CONFIGURED = "operator", "heartbeat", "no heartbeat", "ended", "configured"
"""Why an agent has its status."""


def concluded(
    agent: Agent, standing: StandingChange | None, said: Beat | None, now: datetime, *, heard: bool
) -> tuple[AgentStatus, str]:
    """What an agent is now, and why.

    `standing` is what was concluded last, `said` what the agent said last, and `heard` whether the store could be
    asked yet what agents said.
    """
    word = operators_word(standing)
    named = OPERATOR if word else CONFIGURED
    if (word or agent.status) == AgentStatus.MAINTENANCE:
        return AgentStatus.MAINTENANCE, named
    if said is not None:
        if said.status not in LIVE:
            return AgentStatus.OFFLINE, f"{ENDED}: {said.status}"
        silent = said.age_s(now) > BEAT_TTL_S
        return (AgentStatus.OFFLINE, SILENCE) if silent else (AgentStatus.ONLINE, HEARTBEAT)
    if standing is not None and standing.reason != OPERATOR:
        # it was heard once, so long ago that nobody knows when; or nobody could be asked yet
        return (AgentStatus.OFFLINE, SILENCE) if heard else (AgentStatus(standing.current), standing.reason)
    return AgentStatus(word or agent.status), named


def operators_word(standing: StandingChange | None) -> str:
    """What the operator said last of an agent; "" where that was nothing."""
    return str(standing.evidence.get("operator", "")) if standing else ""
