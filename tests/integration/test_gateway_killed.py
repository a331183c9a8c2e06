"""kill -9 of a gateway that serves: what it acknowledged is there when it is started again, and nothing is stuck."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from support.reported import Reported
from support.servers import Gateway, get, post, running, upstream
from support.waiting import until

SEED = 20_261_122
MODELS = [("hang", "cheap"), ("hang-best", "premium")]
STREAMS = 5
HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: "
CHAT = b'{"model": "auto", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'


@contextmanager
def streaming(served: Gateway) -> Iterator[list[socket.socket]]:
    """Clients whose answers have begun and do not end."""
    address = urlsplit(served.url)
    clients = [socket.create_connection((address.hostname, address.port), timeout=20) for _ in range(STREAMS)]
    for client in clients:
        client.sendall(f"{HEAD}{len(CHAT)}\r\n\r\n".encode() + CHAT)
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    yield clients
    for client in clients:
        client.close()


def under_way(served: Gateway) -> int:
    """What a gateway that was just started believes to be under way."""
    with urllib.request.urlopen(f"{served.url}/metrics", timeout=10) as answer:  # noqa: S310 - our own address
        lines = answer.read().decode().splitlines()
    gauges = {name: float(figure) for name, _, figure in (line.rpartition(" ") for line in lines if line[:1] != "#")}
    return int(gauges["tiercel_event_streams"] + gauges["tiercel_judge_under_way"])


def rate(served: Gateway, prefix: str, count: int) -> dict[str, str]:
    """Rate so many decisions; which were acknowledged, with the decisions they are of."""
    acknowledged: dict[str, str] = {}
    for number in range(count):
        decided = post(f"{served.url}/v1/decisions", {"workflow": "w", "stage": "s"})[1]
        rated = {"decision_id": decided["id"], "quality": 0.5, "id": f"{prefix}/{number}"}
        assert post(f"{served.url}/v1/feedback", rated)[0] == 202
        acknowledged[rated["id"]] = decided["id"]
    return acknowledged


def test_kill_9_of_a_gateway_with_streams_loses_nothing_acknowledged(tmp_path: Path, reported: Reported) -> None:
    draw, kills = random.Random(SEED), reported.size(2, 20)
    acknowledged: dict[str, str] = {}
    stuck = 0
    with upstream() as upstream_url:
        for kill in range(kills):
            with running(tmp_path, upstream_url, MODELS) as served:
                stuck += under_way(served)
                with streaming(served):
                    acknowledged |= rate(served, str(kill), draw.randrange(1, 30))
                    time.sleep(draw.uniform(0.0, 0.02))
                    # the command first, so that it cannot start another worker
                    worker = served.worker
                    served.process.kill()
                    os.kill(worker, signal.SIGKILL)
        with running(tmp_path, upstream_url, MODELS) as served:
            stuck += under_way(served)
            found = {
                rating["feedback_id"]
                for decision_id in acknowledged.values()
                for rating in get(f"{served.url}/v1/decisions/{decision_id}")["feedback"]
            }
    what = f"{kills} kills with {STREAMS} streams each: acknowledged ratings lost"
    reported.none("kill-gateway", what, of=len(acknowledged), bad=len(acknowledged.keys() - found), seeds=SEED)
    reported.most("kill-gateway", "under way in a gateway that was started again", stuck, 0, seeds=SEED)


def test_a_gateway_whose_command_was_killed_ends_by_itself(tmp_path: Path) -> None:
    with upstream() as upstream_url, running(tmp_path, upstream_url, MODELS) as served:
        worker = Path(f"/proc/{served.worker}")
        acknowledged = rate(served, "last", 3)
        served.process.kill()
        until(lambda: not worker.exists())
    with upstream() as upstream_url, running(tmp_path, upstream_url, MODELS) as served:
        found = [get(f"{served.url}/v1/decisions/{decision_id}")["feedback"] for decision_id in acknowledged.values()]
    assert [[rating["feedback_id"] for rating in ratings] for ratings in found] == [[id_] for id_ in acknowledged]
