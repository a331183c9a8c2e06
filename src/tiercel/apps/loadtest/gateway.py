"""Calling a gateway for a load test, and what the processes of one take of the machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from tiercel.apps.loadtest.scenarios import WORKFLOW
from tiercel.apps.loadtest.upstream import quality_in
from tiercel.domain.errors import TiercelError

SOURCE = "loadtest"
"""The source of the test's ratings."""
NO_ANSWER = 0
"""The status of a request that got no answer."""
_TIMEOUT = timedelta(seconds=60)
_KIB = 1_024


class GatewayFailed(TiercelError):
    """The gateway under test did not give what the test needs to go on."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status (0: none came), the model that gave it, its decision's id, its quality where it says so."""

    status: int
    model: str = ""
    decision_id: str = ""
    quality: float | None = None

    @property
    def success(self) -> bool:
        """Whether it is one."""
        return self.status == 200


class LoadClient:
    """Calls a gateway. `async with` closes it."""

    def __init__(self, url: str, key: str = "") -> None:
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._client: Client = ClientBuilder().base_url(url).no_proxy().timeout(_TIMEOUT).build()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def ask(self, text: str, stage: str, request_id: str) -> Reply:
        """Ask the gateway to choose a model and have it answered; a failure is a reply as well."""
        body = {
            "model": "auto",
            "messages": [{"role": "user", "content": text}],
            "metadata": {"workflow": WORKFLOW, "stage": stage},
        }
        headers = {**self._headers, "x-request-id": request_id}
        try:
            response = await self._client.post("/v1/chat/completions").headers(headers).body_json(body).build().send()
            said = await response.text()
        except PyreqwestError:
            return Reply(NO_ANSWER)
        model, decision_id = response.get_header("x-tiercel-model"), response.get_header("x-tiercel-decision-id")
        quality = quality_in(said) if response.status == 200 else None
        return Reply(response.status, model or "", decision_id or "", quality)

    async def rate(self, ratings: Sequence[Mapping[str, object]]) -> bool:
        """Post ratings together; whether they were taken."""
        said = [{**rating, "source": SOURCE} for rating in ratings]
        try:
            response = await self._client.post("/v1/feedback").headers(self._headers).body_json(said).build().send()
            await response.text()
        except PyreqwestError:
            return False
        return response.status < 300

    async def alerts(self) -> list[Any]:
        """The newest alerts, active or not. Raises `GatewayFailed`."""
        try:
            response = await self._client.get("/v1/alerts?limit=1000").headers(self._headers).build().send()
            said = await response.text()
        except PyreqwestError as error:
            raise GatewayFailed(f"GET /v1/alerts: {type(error).__name__}") from error
        if response.status != 200:
            raise GatewayFailed(f"GET /v1/alerts answered {response.status}: {said[:200]}")
        found: list[Any] = json.loads(said)["data"]
        return found


def memory_bytes(process_id: int) -> int | None:
    """What a process and all that descend from it hold in memory; None where the system does not say (not on Linux)."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        parents.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
    waiting, held = [process_id], 0
    while waiting:
        number = waiting.pop()
        waiting += parents.get(number, [])
        held += _resident_bytes(number)
    return held or None


def _resident_bytes(process_id: int) -> int:
    try:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0")
    return int(line.split()[1]) * _KIB
