from __future__ import annotations

import pytest

from tiercel.apps.gateway.errors import HttpError
from tiercel.apps.gateway.login_limit import ADDRESSES, FAILURES, WINDOW_S, LoginLimit
from tiercel.testing import ManualClock


def fail(limit: LoginLimit, address: str, times: int = FAILURES) -> None:
    for _ in range(times):
        limit.check(address)
        limit.failed(address)


def test_an_address_that_failed_too_often_waits_and_no_other_does() -> None:
    clock = ManualClock()
    limit = LoginLimit(clock)
    fail(limit, "a")
    clock.advance(WINDOW_S - 1.5)
    with pytest.raises(HttpError) as refused:
        limit.check("a")
    assert (refused.value.status, refused.value.headers) == (429, {"retry-after": "2"})
    limit.check("b")
    clock.advance(1.5)
    fail(limit, "a")


def test_failures_of_long_ago_do_not_count() -> None:
    clock = ManualClock()
    limit = LoginLimit(clock)
    for _ in range(5):
        fail(limit, "a", FAILURES - 1)
        clock.advance(WINDOW_S)
    limit.check("a")


def test_as_many_addresses_as_there_are_take_no_more_room() -> None:
    limit = LoginLimit(ManualClock())
    fail(limit, "patient")
    for i in range(10 * ADDRESSES):
        limit.failed(f"address {i}")
    assert len(limit) == ADDRESSES
