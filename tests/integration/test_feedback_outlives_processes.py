"""Known fault 13: everything lost at process exit."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from benchmarks.redis_server import RedisServer

from tiercel.domain.errors import StoreUnavailable
from tiercel.library.feedback_loop import FeedbackLoop

WRITER = """
import os, sys
from tiercel.library.feedback_loop import FeedbackLoop
loop = FeedbackLoop()
for i in range(20):
    loop.record_feedback("w", "s", "cheap", 0.5, {"pid": os.getpid()})
sys.stdout.flush()
os._exit(0)  # without a close, without any clean-up
"""


def test_fault_13_feedback_outlives_the_process_that_gave_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'feedback.db'}"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", WRITER], env={"TIERCEL_STORE": url}, check=True, timeout=60)
    with FeedbackLoop(url) as loop:
        entries = loop.get_feedback_history("w", "s")
        advice = loop.recommend_tier("w", "s")
    assert len({entry.feedback_id for entry in entries}) == 40
    assert len({entry.metadata["pid"] for entry in entries}) == 2
    assert (advice.recommended_tier, advice.confidence) == ("capable", 1.0)


def test_fault_11_what_was_given_while_the_server_was_away_outlives_the_process_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept in the working directory, taken over and delivered by whoever comes next."""
    monkeypatch.chdir(tmp_path)
    server = RedisServer(tmp_path)
    with closing(server):
        for _ in range(2):
            subprocess.run([sys.executable, "-c", WRITER], env={"TIERCEL_STORE": server.url}, check=True, timeout=60)
        with FeedbackLoop(server.url) as loop:
            assert (loop.status().kept, loop.record_feedback("w", "s", "cheap", 0.5) != "") == (40, True)
            with pytest.raises(StoreUnavailable):
                loop.get_feedback_history("w", "s")
        assert len(list(tmp_path.glob("tiercel-feedback-outbox-*.db"))) == 1
        server.start()
        with FeedbackLoop(server.url) as loop:
            entries = loop.get_feedback_history("w", "s")
            assert loop.status().kept == 0
    assert len({entry.feedback_id for entry in entries}) == 41
    assert not list(tmp_path.glob("tiercel-*"))
