"""A disk without room under a router that serves: decisions go on, and what waits is stored when there is room."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.child import CHILD_ENVIRONMENT
from support.reported import Reported

SERVING = """
import json, logging, resource, sys
from support.shared import counted, held, router_on
from support.traffic import longest_ms, traffic
from support.waiting import until

logging.disable()
file, calls_each = sys.argv[1], int(sys.argv[2])
router = router_on(f"sqlite:///{file}")
with traffic(router) as calls:
    calls.more(50)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    until(lambda: router.learner.degraded)
    calls.more(calls_each)
    away = router.learner.status()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    until(lambda: not router.learner.degraded)
    calls.more(50)
router.learner.flush(10.0)
made = len(calls.took_s)
stored = counted(router.store.load()[0])
status = router.learner.status()
router.close()
print(json.dumps({
    "made": made,
    "failed": len(calls.failures),
    "said": away.error,
    "buffered": away.buffered,
    "dropped": status.dropped,
    "wrong": sum(abs(made - found) for found in stored),
}))
"""


def test_a_disk_without_room_fails_no_decision_and_loses_no_feedback(tmp_path: Path, reported: Reported) -> None:
    command = [sys.executable, "-c", SERVING, str(tmp_path / "log.db"), str(reported.size(200, 10_000))]
    served = subprocess.run(command, capture_output=True, text=True, env=CHILD_ENVIRONMENT, check=False, timeout=300)
    assert served.stderr == ""
    seen = json.loads(served.stdout)
    assert seen["said"]
    assert seen["buffered"] > 0
    reported.none("disk", "no room: decisions failed", of=seen["made"], bad=seen["failed"])
    what = f"no room, {seen['buffered']:,} events kept meanwhile: calls and ratings lost or counted twice"
    reported.none("disk", what, of=2 * seen["made"], bad=seen["wrong"] + seen["dropped"])
