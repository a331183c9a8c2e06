"""Users of a gateway that do not stop: they ask, and rate what they were told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from support.servers import post

EVIL = "<img src=x onerror=alert(1)>"
"""A name that runs where it is taken for more than a name."""
PACE_S = 0.05
STAGES = (("review", "analysis"), ("review", "writing"), ("support", "triage"))


class Users:
    """Asks and rates in a thread of its own; `asked` counts."""

    def __init__(self, url: str) -> None:
        self.asked = 0
        self.failures: list[object] = []
        self._url = url
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end."""
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._enough.wait(PACE_S):
            workflow, stage = STAGES[self.asked % len(STAGES)]
            self.asked += 1
            status, answer = ask(self._url, workflow=workflow, stage=stage)
            if status != 200:
                self.failures.append(answer)
                return
            if self.asked % 2:
                rate(self._url, answer["id"], 0.6 + 0.3 * (self.asked % 7) / 7, source=f"user:{self.asked}")


@dataclass(frozen=True)
class Running:
    """A gateway under load, and the id of a decision whose names all mean harm."""

    url: str
    users: Users
    evil_decision: str


def ask(url: str, model: str = "auto", **metadata: str) -> tuple[int, dict[str, str]]:
    """One chat completion."""
    body = {"model": model, "messages": [{"role": "user", "content": "sort these"}], "metadata": metadata}
    return post(f"{url}/v1/chat/completions", body)


def rate(url: str, completion_id: str, quality: float, *, source: str) -> None:
    """One rating, which must be taken."""
    status, answer = post(f"{url}/v1/feedback", {"completion_id": completion_id, "quality": quality, "source": source})
    assert status in (200, 201, 202), answer


@contextmanager
def users(url: str) -> Iterator[Users]:
    """Users until the end of the block."""
    asking = Users(url)
    asking.start()
    try:
        yield asking
    finally:
        asking.stop()
    assert not asking.failures
