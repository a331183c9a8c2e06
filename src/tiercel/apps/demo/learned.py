"""What the gateway learns in a run, asked of the gateway itself: its events, its recommendations, its books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tiercel.apps.demo.client import GatewayClient
from tiercel.apps.demo.table import WORKFLOW


@dataclass(frozen=True, slots=True)
class Move:
    """A stage moved from one tier to another: when (ISO 8601), on how many ratings, and why."""

    changed_at: str
    stage: str
    previous: str
    current: str
    ratings: int
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The tier that serves a stage now, and why."""

    tier: str
    reason: str


@dataclass(frozen=True, slots=True)
class Learned:
    """What serves each stage at the end, the moves on the way there, and what all calls cost by the gateway's books.

    `standings` is empty where the policy decides request by request.
    """

    standings: Mapping[str, Standing]
    moves: Sequence[Move]
    booked_usd: float


@asynccontextmanager
async def following(client: GatewayClient) -> AsyncIterator[list[Move]]:
    """Gives a list to which every change of tier is added as the gateway tells of it."""
    moves: list[Move] = []
    async with client.events("tier_change") as changes:

        async def follow() -> None:
            hear = moves.append
            async for change in changes:
                hear(_move(change))

        task = asyncio.create_task(follow())
        try:
            yield moves
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def learned(client: GatewayClient, stages: Sequence[str], moves: Sequence[Move]) -> Learned:
    """Ask which tier serves each of `stages` now. `moves` are those heard of."""
    standings = {stage: await _standing(client, stage) for stage in stages}
    stats = await client.get("/v1/stats")
    # stages that moved on the same ratings are told of in no particular order
    in_order = sorted(moves, key=lambda move: (move.changed_at, move.stage))
    return Learned(standings, in_order, stats["overall"]["cost_usd"] or 0.0)


def finding(reason: str) -> str:
    """What the rules found, without what is to be done about it, which is told beside it."""
    return reason.partition(" - ")[0]


async def _standing(client: GatewayClient, stage: str) -> Standing:
    decision = await client.decide(stage)
    tier = max(decision["candidates"], key=lambda candidate: candidate["probability"])["tier"]
    where = f"workflow={WORKFLOW}&stage={quote(stage)}&current_tier={quote(tier)}"
    (advice,) = (await client.get(f"/v1/recommendations?{where}"))["data"]
    doubt = "" if advice["recommended_tier"] == tier else ", not certain yet"
    return Standing(tier, finding(advice["reason"]) + doubt)


def _move(change: Mapping[str, Any]) -> Move:
    return Move(
        changed_at=change["changed_at"],
        stage=change["stage"],
        previous=change["previous"],
        current=change["current"],
        ratings=round(change["evidence"]["samples"]),
        reason=finding(change["reason"]),
    )
