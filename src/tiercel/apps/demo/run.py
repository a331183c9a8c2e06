"""The demo from its options to its result: two processes beside this one, a user's requests, an evaluator's ratings."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console

from tiercel.apps.demo.client import GatewayClient
from tiercel.apps.demo.display import announce, watching
from tiercel.apps.demo.folder import DemoSettings, work_folder, write_config
from tiercel.apps.demo.learned import following, learned
from tiercel.apps.demo.processes import HOST, free_port, started
from tiercel.apps.demo.replay import Plan, replay
from tiercel.apps.demo.result import Result, result_of
from tiercel.apps.demo.summary import summarise
from tiercel.apps.demo.table import WORKFLOW, prompts
from tiercel.config.environment import PROCESS
from tiercel.core.policies.tier_rules import TierRulesPolicy


def run(settings: DemoSettings, console: Console, *, as_json: bool = False) -> None:
    """Run the demo and show it on `console`, with `as_json` nothing but the result as JSON.

    With `settings.keep` the gateway stays up until an interrupt. Raises `InvalidInput`, `NotStarted`, `CallFailed`.
    Whatever ends it, the processes it started end too, and a temporary folder is removed.
    """
    shown = Console(quiet=True) if as_json else console
    with _ending_in_order(), work_folder(settings.folder) as folder:
        port, upstream_port = settings.port or free_port(), free_port()
        config = write_config(folder, settings, port=port, upstream_port=upstream_port)
        environment = {name: value for name, value in PROCESS.items() if not name.startswith("TIERCEL_")}
        scripted = ["tiercel.apps.demo.upstream", f"--port={upstream_port}", f"--seed={settings.seed}"]
        served = ["tiercel", "serve", f"--config={config}", f"--port={port}"]
        announce(shown, settings)
        with (
            started(
                "upstream", upstream_port, [*scripted, f"--speed={settings.speed}"], folder, environment
            ) as upstream,
            started("gateway", port, served, folder, environment) as gateway,
        ):
            with shown.status("starting the upstream and the gateway"):
                upstream.wait()
                gateway.wait()
            url = f"http://{HOST}:{port}"
            result = asyncio.run(_replayed(url, settings, shown))
            if as_json:
                console.out(json.dumps(result.json(), indent=2), highlight=False)
            summarise(shown, result)
            if settings.keep:
                _keep(shown, url)
            else:
                shown.print("\nTo look at the run in the dashboard: tiercel demo --keep")


async def _replayed(url: str, settings: DemoSettings, console: Console) -> Result:
    plan = Plan.of(
        prompts(),
        count=settings.prompts,
        seed=settings.seed,
        feedback_share=settings.feedback_share,
        delay=settings.delay,
    )
    by_tier = settings.policy == TierRulesPolicy.name
    stages = sorted({prompt.stage for prompt in plan.prompts}) if by_tier else []
    async with GatewayClient(url) as client, following(client) as moves:
        began_s = time.monotonic()
        with watching(console) as tell:
            async for progress in replay(client, plan):
                tell(progress, moves)
        took_s = time.monotonic() - began_s
        budget_usd = settings.budget_usd if settings.has_budget else None
        return result_of(progress, await learned(client, stages, moves), took_s, budget_usd=budget_usd)


def _keep(console: Console, url: str) -> None:
    """Leave everything up until an interrupt."""
    try:
        console.print(f"\nThe gateway is up. Open {url} for its dashboard, or ask it:")
        console.print(f"  curl '{url}/v1/recommendations?workflow={WORKFLOW}'")
        console.print("(latencies there are those of this run, sped up). Ctrl-C ends it.")
        while True:
            signal.pause()
    except KeyboardInterrupt:
        console.print()


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an exception, so that they end the demo as an interrupt does."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal calls it
        raise SystemExit(128 + number)

    previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
