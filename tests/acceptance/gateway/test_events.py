"""What happens, as it happens: GET /v1/events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from support.asgi import Exchange
from support.in_process import gateway_state
from tiercel.adapters.memory_store import MemoryStore
from tiercel.apps.gateway import event_stream, insight
from tiercel.apps.gateway.asgi import Gateway
from tiercel.apps.gateway.event_stream import Feed
from tiercel.apps.gateway.records import EVENT_KINDS
from tiercel.apps.gateway.state import GatewayState
from tiercel.core.statistics.fold import fold
from tiercel.domain.events import Feedback
from tiercel.ports import Appended
from tiercel.testing import EPOCH, ManualClock

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], "metadata": {"workflow": "w", "stage": "s"}}


@pytest.fixture
async def state() -> AsyncIterator[GatewayState]:
    opened = gateway_state(clock=ManualClock())
    yield opened
    await opened.close()


async def listen(state: GatewayState, query: str = "", method: str = "GET") -> Exchange:
    """A stream that has begun."""
    stream = Exchange(Gateway(state), "/v1/events", method=method, query=query)
    await stream.until(lambda exchange: len(exchange.messages) > 1 or exchange.task.done())
    return stream


def events(stream: Exchange) -> list[tuple[str, dict[str, Any]]]:
    """The kinds and records that came so far."""
    found = []
    for block in stream.body.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def kinds(stream: Exchange) -> list[str]:
    return [kind for kind, _ in events(stream)]


async def post(state: GatewayState, path: str, body: object) -> Exchange:
    return await Exchange(Gateway(state), path, body=body).end()


def has(*wanted: str) -> Callable[[Exchange], bool]:
    return lambda stream: set(wanted) <= set(kinds(stream))


async def test_everything_that_happens_is_told(state: GatewayState) -> None:
    stream = await listen(state)
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["cache-control"] == "no-store"
    answered = await post(state, "/v1/chat/completions", CHAT)
    decision_id = answered.headers["x-tiercel-decision-id"]
    rating = {"decision_id": decision_id, "quality": 0.2, "source": "user:7", "metadata": {"name": "somebody"}}
    await post(state, "/v1/feedback", rating)
    await post(state, "/api/v1/model-router/auto-assign", {"strategy": "greedy"})
    await stream.until(has("decision", "outcome", "feedback", "assignment"))
    told = dict(events(stream))
    assert told["decision"]["id"] == told["outcome"]["decision_id"] == told["feedback"]["decision_id"] == decision_id
    assert told["feedback"]["quality"] == 0.2
    assert b"user:7" not in stream.body
    assert b"somebody" not in stream.body
    assert told["assignment"]["policy"] == "assignment"
    stream.leave()
    await stream.end()
    assert len(state.streams) == 0


async def test_tier_changes_and_alerts_are_told(state: GatewayState) -> None:
    stream = await listen(state, "kinds=tier_change,alert")
    for _ in range(30):
        body = {"workflow": "w", "stage": "s", "tier": "cheap", "quality": 0.2}
        await post(state, "/v1/feedback", body)
    state.alerting.note_no_models({"small": "too short"})
    state.alerting.check()
    await stream.until(has("tier_change", "alert"))
    assert set(kinds(stream)) == {"tier_change", "alert"}
    told = dict(events(stream))
    assert (told["tier_change"]["previous"], told["tier_change"]["current"]) == ("cheap", "premium")
    assert told["alert"]["alert_type"] == "no_models_available"
    stream.leave()
    await stream.end()


async def test_what_another_process_logs_is_told_too() -> None:
    store = MemoryStore()
    here, there = gateway_state(store=store), gateway_state(store=store)
    stream = await listen(here, "kinds=feedback")
    await post(there, "/v1/feedback", {"workflow": "w", "stage": "s", "tier": "cheap", "quality": 0.5})
    here.router.learner.catch_up()
    await stream.until(has("feedback"))
    stream.leave()
    await stream.end()
    await here.close()
    await there.close()


async def test_a_stream_with_nothing_to_tell_gives_a_sign_of_life(
    state: GatewayState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.001)
    stream = await listen(state)
    await stream.until(lambda exchange: exchange.body.count(b": nothing new\n\n") >= 2)
    assert events(stream) == []
    stream.leave()
    await stream.end()


async def test_a_stream_ends_with_the_process(state: GatewayState) -> None:
    stream = await listen(state)
    await state.close()
    await stream.end()
    assert stream.messages[-1].get("more_body", False) is False


async def test_a_server_that_gives_up_on_a_stream_leaves_nothing_behind(state: GatewayState) -> None:
    stream = await listen(state)
    stream.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream.end()
    assert len(state.streams) == 0
    await post(state, "/v1/decisions", {})
    state.router.learner.flush(10)


async def test_more_streams_than_there_may_be(state: GatewayState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insight, "MAX_STREAMS", 1)
    first = await listen(state)
    refused = await Exchange(Gateway(state), "/v1/events", method="GET").end()
    assert (refused.status, refused.json["error"]["code"]) == (503, "overloaded")
    first.leave()
    await first.end()
    assert (await listen(state, method="HEAD")).status == 200


def learned(*numbers: int) -> Appended:
    ratings = [
        Feedback(id=f"f{n}", recorded_at=EPOCH, segment=("stage", "w", "s"), tier="cheap", quality=0.5) for n in numbers
    ]
    return Appended(tuple(ratings), fold(ratings))


def test_what_a_slow_listener_misses_is_counted_and_said() -> None:
    feed = Feed(EVENT_KINDS, limit=2)
    feed.put(learned(1, 2, 3))
    feed.put(learned(4))
    lines, dropped = feed.take()
    assert dropped == 2
    assert [line for line in lines.decode().splitlines() if line.startswith("id: ")] == ["id: f1", "id: f2"]
    assert lines.endswith(b'event: dropped\ndata: {"count":2}\n\n')
    feed.put(learned(5))
    assert feed.take()[1] == 0
    assert feed.take() == (b"", 0)


def test_only_the_kinds_asked_for_take_room() -> None:
    feed = Feed(("decision",), limit=2)
    feed.put(learned(1, 2, 3))
    assert feed.take() == (b"", 0)
