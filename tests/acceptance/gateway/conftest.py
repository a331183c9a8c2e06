"""A gateway in this process, one per test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.calls import LIMIT, Caller
from support.in_process import client, gateway_settings, gateway_state
from tiercel.config.settings import ServerSettings


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    settings = gateway_settings(server=ServerSettings(max_body_bytes=LIMIT))
    with client(gateway_state(settings=settings)) as http:
        yield Caller(http)
