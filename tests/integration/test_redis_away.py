"""The shared store is stopped or frozen under load: decisions go on as if it were there, and nothing is lost.

A control, the same router without a shared store, decides in turn with it: what the machine does to both is not the
store's doing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.redis_server import RedisServer, redis_server

from support.reported import Reported
from support.shared import counted, held, kept, router_on
from support.traffic import Traffic, longest_ms, p99_ms, traffic
from support.waiting import until
from tiercel.adapters.redis_store import RedisStore
from tiercel.adapters.redis_store.store import DEFAULT_TIMEOUT_S
from tiercel.library.router import Router

pytestmark = pytest.mark.usefixtures("small_steps")


def speakers(router: Router, patch: pytest.MonkeyPatch) -> set[str]:
    """The names of the threads that speak to the server from now on."""
    store, names = router.store, set[str]()
    assert isinstance(store, RedisStore)
    for step in ("try_each", "try_commit"):
        speak = getattr(store._server, step)

        def noted(*arguments: Any, speak: Callable[..., Any] = speak, **options: Any) -> Any:  # noqa: ANN401
            names.add(threading.current_thread().name)
            return speak(*arguments, **options)

        patch.setattr(store._server, step, noted)
    return names


def report_decisions(reported: Reported, row: str, what: str, calls: Traffic, since: int) -> None:
    """Failures, and how long decisions took from a call on, beside those of the control."""
    took_s, control_s = calls.took_s[since:], calls.control_s[since:]
    reported.none(row, f"{what}: decisions failed", of=len(took_s), bad=len(calls.failures))
    # beyond any noise, and less than one wait for the server
    noise_ms = DEFAULT_TIMEOUT_S * 1e3
    added_ms = p99_ms(took_s) - p99_ms(control_s)
    reported.most(row, f"{what}: decision p99 added", added_ms, 1.0, unit="ms", fails_at=noise_ms)
    longest = f"{what}: longest decision (without a store {longest_ms(control_s):.1f} ms)"
    reported.most(row, longest, longest_ms(took_s), 50.0, unit="ms", fails_at=noise_ms)


def report_delivery(
    reported: Reported, row: str, what: str, calls: int, *, server: RedisServer, router: Router
) -> None:
    """Every call and every rating is in the store once, and the process knows what the store knows."""
    router.learner.flush(10.0)
    requests, ratings = counted(kept(server))
    wrong = abs(calls - requests) + abs(calls - ratings) + router.learner.status().dropped
    reported.none(row, f"{what}: calls and ratings lost or counted twice", of=2 * calls, bad=wrong)
    assert held(router) == kept(server)


def test_a_server_that_was_away_gets_all_that_happened_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reported: Reported
) -> None:
    with (
        redis_server(tmp_path, durable=True) as server,
        router_on(server.url) as router,
        router_on("memory://") as control,
    ):
        spoke = speakers(router, monkeypatch)
        with traffic(router, control=control, pace_s=reported.size(0.002, 0.005)) as calls:
            calls.more(50)
            server.stop()
            since = len(calls.took_s)
            until(lambda: router.learner.degraded)
            calls.last(reported.size(1.0, 60.0))
            waiting = router.learner.status().buffered + router.learner.status().kept
            server.start()
            what = f"drained, of {waiting:,} events,"
            drained_s = until(lambda: router.learner.status().buffered < 100 and not router.learner.degraded)
            reported.most("stopped", what, drained_s, 10.0, unit="s")
            calls.more(50)
            assert spoke == {"tiercel-commit"}
        report_decisions(reported, "stopped", "stopped", calls, since)
        report_delivery(reported, "stopped", "stopped", len(calls.took_s), server=server, router=router)


def paused(server: RedisServer, seconds: float) -> Callable[[], object]:
    server.client.client_pause(int(seconds * 1e3))
    return lambda: None


def stopped_by_a_signal(server: RedisServer, seconds: float) -> Callable[[], object]:
    server.freeze()
    return server.thaw


@pytest.mark.parametrize("freeze", [paused, stopped_by_a_signal], ids=["CLIENT PAUSE", "SIGSTOP"])
def test_a_server_that_is_frozen_holds_no_decision_up(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reported: Reported,
    request: pytest.FixtureRequest,
    freeze: Callable[[RedisServer, float], Callable[[], object]],
) -> None:
    what = request.node.callspec.id
    frozen_s = reported.size(1.5, 20.0)
    with redis_server(tmp_path) as server, router_on(server.url) as router, router_on("memory://") as control:
        spoke = speakers(router, monkeypatch)
        with traffic(router, control=control) as calls:
            calls.more(50)
            since = len(calls.took_s)
            thaw = freeze(server, frozen_s)
            calls.last(frozen_s)
            assert router.learner.degraded
            thaw()
            back_s = until(lambda: not router.learner.degraded)
            reported.told("frozen", f"{what}: back after", f"{back_s:.2f} s")
            calls.more(50)
            assert spoke == {"tiercel-commit"}
        report_decisions(reported, "frozen", what, calls, since)
        # what was sent into the silence may have been done: it was sent again, and counts once
        report_delivery(reported, "frozen", what, len(calls.took_s), server=server, router=router)
