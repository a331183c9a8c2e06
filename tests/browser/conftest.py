"""One Chromium for all tests, and a live gateway with users, a failing model and names that mean harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from support import servers
from support.browser import WITHIN_MS, chromium
from support.load import EVIL, Running, ask, rate, users

MODELS = (("ok", "cheap"), (EVIL, "capable"), ("error-503", "premium"))
SETTINGS = f"""
[[agents]]
id = "{EVIL}"
required = ["general"]

[alerts]
minimum_sample = 1000
consecutive_failures_warning = 99
consecutive_failures_critical = 100
rapid_failures_window_s = 6
resolve_after_s = 1

[[routes]]
match = "wanting/*"
policy = "tier-rules"
changes = "approval"
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # the browser's driver keeps an event loop running until the last of these tests: none after them could run its own
    items.sort(key=lambda item: Path(__file__).parent in item.path.parents)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=WITHIN_MS)
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("dashboard")
    with servers.gateway(folder, MODELS, SETTINGS) as gateway:
        status, answer = ask(gateway.url, EVIL, workflow=EVIL, stage=EVIL, agent_id=EVIL)
        assert status == 200, answer
        rate(gateway.url, answer["id"], 0.4, source=EVIL)
        evil = servers.get(f"{gateway.url}/v1/decisions?limit=1")["data"][0]["id"]
        with users(gateway.url) as asking:
            yield Running(gateway.url, asking, evil)
