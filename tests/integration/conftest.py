"""What tests with real servers share."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiercel.apps.gateway.collection import collect_in_small_steps


@pytest.fixture
def small_steps() -> Iterator[None]:
    """Collect as a gateway does: what those who decide wait for are not the cycles of those who test."""
    usual = gc.get_threshold()
    collect_in_small_steps()
    yield
    gc.unfreeze()
    gc.set_threshold(*usual)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process leaves in its working directory, such as an outbox, is left where no other test finds it."""
    monkeypatch.chdir(tmp_path)
