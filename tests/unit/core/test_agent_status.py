"""Whether an agent is online."""

from __future__ import annotations

import pytest

from support.happenings import at
from tiercel.core.agent_status import concluded
from tiercel.domain.catalogue import Agent
from tiercel.domain.events import StandingChange
from tiercel.domain.presence import Beat
from tiercel.domain.request import agent_segment

NOW_S = 100.0


def stands(current: str, reason: str, word: str = "") -> StandingChange:
    return StandingChange(
        changed_at=at(0),
        segment=agent_segment("a"),
        policy="agent-status",
        previous="",
        current=current,
        reason=reason,
        confidence=1.0,
        revision=1,
        evidence={"operator": word} if word else {},
    )


def said(status: str, age_s: float) -> Beat:
    return Beat(agent_id="a", status=status, at=at(NOW_S - age_s))


@pytest.mark.parametrize(
    ("configured", "standing", "beat", "heard", "expected"),
    [
        ("online", None, None, True, ("online", "configured")),
        ("offline", None, None, True, ("offline", "configured")),
        ("offline", None, said("running", 0), True, ("online", "heartbeat")),
        ("online", None, said("starting", 30), True, ("online", "heartbeat")),
        ("online", None, said("running", 30.001), True, ("offline", "no heartbeat")),
        ("online", None, said("running", -60), True, ("online", "heartbeat")),
        ("online", None, said("completed", 0), True, ("offline", "ended: completed")),
        ("online", None, said("failed", 0), True, ("offline", "ended: failed")),
        ("online", None, said("cancelled", 90), True, ("offline", "ended: cancelled")),
        ("maintenance", None, said("running", 0), True, ("maintenance", "configured")),
        ("maintenance", stands("online", "operator", "online"), None, True, ("online", "operator")),
        ("maintenance", stands("offline", "no heartbeat"), None, True, ("maintenance", "configured")),
        ("maintenance", stands("online", "heartbeat", "online"), said("running", 0), True, ("online", "heartbeat")),
        ("online", stands("maintenance", "operator", "maintenance"), said("running", 0), True,
         ("maintenance", "operator")),
        ("online", stands("offline", "no heartbeat", "maintenance"), None, True, ("maintenance", "operator")),
        ("online", stands("online", "heartbeat"), None, True, ("offline", "no heartbeat")),
        ("online", stands("online", "heartbeat"), None, False, ("online", "heartbeat")),
        ("offline", stands("offline", "ended: failed"), None, False, ("offline", "ended: failed")),
        ("offline", stands("online", "operator", "online"), None, True, ("online", "operator")),
    ],
)  # fmt: skip
def test_what_an_agent_is(
    configured: str, standing: StandingChange | None, beat: Beat | None, *, heard: bool, expected: tuple[str, str]
) -> None:
    agent = Agent(agent_id="a", status=configured)
    assert concluded(agent, standing, beat, at(NOW_S), heard=heard) == expected
