"""Gateways in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from support.calls import LIMIT, Caller
from support.in_process import AwayStore, client, gateway_settings, gateway_state, model
from tiercel.apps.gateway.state import GatewayState
from tiercel.config.settings import ServerSettings
from tiercel.testing import ManualClock


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    settings = gateway_settings(server=ServerSettings(max_body_bytes=LIMIT))
    with client(gateway_state(settings=settings)) as http:
        yield Caller(http)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def state(clock: ManualClock) -> GatewayState:
    models = [model("small", "cheap"), model("large", "capable")]
    return gateway_state(settings=gateway_settings(models), clock=clock, store=AwayStore())


@pytest.fixture
def http(state: GatewayState) -> Iterator[TestClient]:
    with client(state) as opened:
        yield opened
