"""Two gateways in processes of their own, over one real Redis: what waits at one is answered at the other, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.redis_server import redis_server

from support.servers import get, post, running, upstream
from support.waiting import until

MODELS = (("ok-small", "cheap"), ("ok-large", "capable"))
ROUTE = '[[routes]]\nmatch = "asks/*"\npolicy = "tier-rules"\nchanges = "approval"\n'


def waiting(gateway: str) -> list[dict[str, Any]]:
    """What waits, as a gateway tells it."""
    return list(get(f"{gateway}/v1/approvals?status=pending")["data"])


def tier(gateway: str, stage: str) -> str:
    """What most requests of a stage are served by."""
    _, decision = post(f"{gateway}/v1/decisions", {"workflow": "asks", "stage": stage})
    return str(max(decision["candidates"], key=lambda c: c["probability"])["tier"])


def test_of_two_answers_at_two_gateways_one_wins_everywhere(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis, upstream() as models, ExitStack() as stack:
        gateways = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            environment = {"TIERCEL_STORE": f"{redis.url}?name=approvals"}
            started = stack.enter_context(running(tmp_path / name, models, MODELS, ROUTE, environment))
            gateways.append(started.url)
        first, second = gateways
        stages = ["a", "b", "c"]
        rating = {"workflow": "asks", "tier": "cheap", "quality": 0.2}
        for stage in stages:
            for _ in range(20):
                assert post(f"{first}/v1/feedback", {**rating, "stage": stage})[0] in (200, 202)
        until(lambda: len(waiting(first)) == len(waiting(second)) == len(stages))
        for asked in waiting(first):
            path = f"/v1/approvals/{asked['id']}"
            with ThreadPoolExecutor(2) as pool:
                yes = pool.submit(post, f"{first}{path}/approve", {"by": "ada"})
                no = pool.submit(post, f"{second}{path}/reject", {"by": "grace", "reason": "not now"})
                codes = {"approved": yes.result()[0], "rejected": no.result()[0]}
            assert sorted(codes.values()) == [200, 409], codes
            won = next(status for status, code in codes.items() if code == 200)
            loser = no if won == "approved" else yes
            assert f"is {won} since" in loser.result()[1]["error"]["message"]

            def known(gateway: str, asked: dict[str, Any] = asked) -> str:
                rows = get(f"{gateway}/v1/approvals")["data"]
                return str(next(row["status"] for row in rows if row["id"] == asked["id"]))

            until(lambda won=won, known=known: known(first) == known(second) == won)  # type: ignore[misc]
            expected = "capable" if won == "approved" else "cheap"
            until(lambda s=asked["stage"], t=expected: tier(first, s) == tier(second, s) == t)  # type: ignore[misc]
        logs = [get(f"{gateway}/v1/changes")["data"] for gateway in gateways]
        assert logs[0] == logs[1]
        assert [row["status"] for row in logs[0]].count("pending") == len(stages)
