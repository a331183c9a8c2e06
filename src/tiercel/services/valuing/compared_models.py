"""What a log has of every model's answer to the same question: a test set that was run through the gateway.

A decision has one model's outcome. Only where a caller asked several models by name, once each, in one session and
stage, are their answers taken for answers to one question.
"""

from __future__ import annotations

from statistics import fmean

from tiercel.core.replay.table import OutcomeRow, Recorded
from tiercel.domain.decision import Decision
from tiercel.domain.request import Segment
from tiercel.services.deciding.router import REQUESTED
from tiercel.services.valuing.logged_history import History


def compared_models(history: History) -> list[OutcomeRow]:
    """A row for each rated answer of a model that was asked by name; a session of a stage is a query.

    A session that asked a model twice is a conversation and left out, and so is a session of one model. The stage is
    the task.
    """
    sessions: dict[tuple[Segment, str], list[Decision]] = {}
    for decision in history.decisions:
        if decision.policy == REQUESTED and decision.session_id:
            sessions.setdefault((decision.segment, decision.session_id), []).append(decision)
    return [
        _row(decision, history)
        for decisions in sessions.values()
        if len(decisions) == len({decision.model for decision in decisions}) > 1
        for decision in decisions
        if decision.id in history.ratings
    ]


def _row(decision: Decision, history: History) -> OutcomeRow:
    """Sources that differ are averaged. Nothing falls back where a model was asked by name: there is one outcome."""
    recorded = Recorded(fmean(rating.quality for rating in history.ratings[decision.id]))
    for outcome in history.outcomes.get(decision.id, ()):
        recorded = recorded._replace(
            cost_usd=outcome.cost_usd,
            latency_ms=outcome.latency_ms,
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
        )
    task = "/".join(decision.segment[1:])
    return OutcomeRow(
        query_id=f"{task}/{decision.session_id}",
        model=decision.model,
        recorded=recorded,
        task=task,
        where=f"decision {decision.id}",
    )
